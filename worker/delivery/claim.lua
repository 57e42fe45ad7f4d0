#!lua flags=allow-oom
-- Returns pending frames that the owner does not know of: frames of a predecessor, frames that a paused
-- predecessor read since, and frames whose reply was lost. They stay with their consumer until the owner
-- starts them (begin.lua), so that a crash of a worker counts only against the frames that it started.
-- Accounts for frames that were trimmed while pending. maintain.lua comes first.
-- KEYS: camera_keys().
-- ARGV: owner, epoch, group, consumer, entries at most, bytes at most, bytes of one entry at most (a
--   larger entry is returned without its fields), deliveries at most, known ids...
-- Returns 'FENCED', or {strikes, whether these are all, {{id, fields, size, deliveries}...}}, with the
-- deliveries including this one.
local lease = redis.pcall('HMGET', KEYS[3],
  'owner', 'epoch', 'strikes', 'struck_ms', 'set_aside')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, me, most_deliveries = ARGV[3], ARGV[4], tonumber(ARGV[8])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Returns a number from 0 to `most` for any text: 0 if it is not a number.
local function bounded(text, most)
  local number = tonumber(text)
  if not number or not (number > 0) then return 0 end
  return math.min(number, most)
end

local function count(outcome)
  if type(redis.pcall('HINCRBY', KEYS[4], outcome, 1)) == 'table' then
    redis.call('HSET', KEYS[4], outcome, 1) -- it held no number
  end
end

local known = {}
for i = 9, #ARGV do known[ARGV[i]] = true end

local entries, bytes, largest = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local found, total, complete, worst = {}, 0, 1, 0
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 1000)) do
  local id, consumer, deliveries = entry[1], entry[2], entry[4]
  if not known[id] then
    if #found == entries or total >= bytes then
      complete = 0
      break
    end
    local got = redis.call('XRANGE', KEYS[1], id, id)
    if #got == 0 then
      redis.call('XACK', KEYS[1], group, id)
      if deliveries >= most_deliveries then
        redis.call('XADD', KEYS[5], '*', 'frame', id, 'reason',
          'crashed its workers, trimmed since', 'size', 0, 'deliveries', deliveries)
        count('dead')
      else
        count('lost')
      end
      if consumer ~= me then worst = math.max(worst, deliveries) end
    else
      local fields, size = got[1][2], 0
      for _, text in ipairs(fields) do size = size + #text end
      total = total + size -- to look at a larger entry costs its bytes, too
      if size > largest then fields = {} end
      -- If the reply to this owner was lost, that does not count as another delivery.
      if consumer ~= me then deliveries = deliveries + 1 end
      found[#found + 1] = { id, fields, size, deliveries }
    end
  end
end

-- When a frame is trimmed, its count of deliveries is lost. The camera therefore counts strikes: workers
-- that crashed in a row while they had its frames. At the limit the camera is set aside, each time for
-- twice as long; then its next frame is tried in isolation.
local strikes, set_aside = bounded(lease[3], most_deliveries), bounded(lease[5], 1000)
local struck = bounded(lease[4], now)
local before = strikes
if worst > strikes then
  strikes = math.min(worst, most_deliveries)
  if strikes == most_deliveries then set_aside = set_aside + 1 end
  struck = now
elseif strikes == most_deliveries and now - struck > math.min(60000 * 2 ^ (set_aside - 1), 3600000) then
  strikes = most_deliveries - 1
end
if strikes ~= before then
  redis.call('HSET', KEYS[3], 'strikes', strikes, 'struck_ms', string.format('%.0f', struck),
    'set_aside', set_aside)
end
return { strikes, complete, found }
