#!lua flags=allow-oom
-- Returns pending frames that the owner does not know of: frames of a predecessor, frames that a paused
-- predecessor read since, and frames whose reply was lost. They stay with their consumer until the owner
-- starts them (begin.lua), so that a crash of a worker counts only against the frames that it started.
-- Also maintains the camera's keys: accounts for frames that were trimmed while pending, creates the
-- group, removes idle consumers, drops events, dead letters, episodes and minutes past their age, and
-- resets keys that block the camera.
-- KEYS: camera_keys().
-- ARGV: owner, epoch, group, consumer, entries at most, bytes at most, bytes of one entry at most (a
--   larger entry is returned without its fields), age of events,
--   dead letters and episodes (ms), deliveries at most, how far ahead
--   an id may be (ms), age of minutes (ms), known ids...
-- Returns 'FENCED', or {strikes, keys reset, whether these are all, {{id, fields, size, deliveries}...}},
-- with the deliveries including this one.
local lease = redis.pcall('HMGET', KEYS[3],
  'owner', 'epoch', 'strikes', 'struck_ms', 'set_aside')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, me, most_deliveries = ARGV[3], ARGV[4], tonumber(ARGV[9])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Returns a number from 0 to `most` for any text: 0 if it is not a number.
local function bounded(text, most)
  local number = tonumber(text)
  if not number or not (number > 0) then return 0 end
  return math.min(number, most)
end

-- Deletes a key of the wrong type: it would make every script fail.
local resets = 0
local function delete_unless_right(key, ...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err or not reply.err:find('WRONGTYPE', 1, true) then return false end
  redis.call('DEL', key)
  resets = resets + 1
  return true
end

-- Replaces the stream by an empty one that accepts any id. Its count of added entries continues, so that
-- the ledger stays correct.
local function restart(added)
  redis.call('DEL', KEYS[1])
  redis.call('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')
  redis.call('XSETID', KEYS[1], '0-0', 'ENTRIESADDED', string.format('%.0f', added), 'MAXDELETEDID', '0-0')
end

delete_unless_right(KEYS[2], 'XLEN', KEYS[2])
delete_unless_right(KEYS[5], 'XLEN', KEYS[5])
delete_unless_right(KEYS[4], 'HMGET', KEYS[4], 'lost')
delete_unless_right(KEYS[7], 'HMGET', KEYS[7], 'version')
delete_unless_right(KEYS[8], 'XLEN', KEYS[8])
delete_unless_right(KEYS[9], 'XLEN', KEYS[9])
if delete_unless_right(KEYS[1], 'XLEN', KEYS[1]) then
  local ended = 0
  for _, count in ipairs(redis.call('HMGET', KEYS[4], 'analysed', 'expired', 'superseded', 'dead', 'lost')) do
    ended = ended + bounded(count, 2 ^ 53)
  end
  restart(ended)
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')

local function count(outcome)
  if type(redis.pcall('HINCRBY', KEYS[4], outcome, 1)) == 'table' then
    redis.call('HSET', KEYS[4], outcome, 1) -- it held no number
  end
end

local known = {}
for i = 12, #ARGV do known[ARGV[i]] = true end

local entries, bytes, largest = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local found, total, complete, left, worst = {}, 0, 1, 0, 0
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 1000)) do
  local id, consumer, deliveries = entry[1], entry[2], entry[4]
  left = left + 1
  if not known[id] then
    if #found == entries or total >= bytes then
      complete = 0
      break
    end
    local got = redis.call('XRANGE', KEYS[1], id, id)
    if #got == 0 then
      left = left - 1
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

-- Only consumers without pending entries are removed: removing a consumer drops its pending entries.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local name, pending = consumer[2], consumer[4]
  if name ~= me and pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name) end
end

-- After one entry with an id far ahead, Redis refuses every later id.
local stream = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do stream[info[i]] = info[i + 1] end
if stream['length'] == 0 and left == 0
  and tonumber(stream['last-generated-id']:match('^%d+')) > now + tonumber(ARGV[10]) then
  restart(stream['entries-added'])
  resets = resets + 1
end

local oldest = string.format('%.0f', math.max(0, now - ARGV[8]))
for _, key in ipairs({ KEYS[2], KEYS[5], KEYS[8] }) do redis.call('XTRIM', key, 'MINID', oldest) end
redis.call('XTRIM', KEYS[9], 'MINID', string.format('%.0f', math.max(0, now - ARGV[11])))
return { strikes, resets, complete, found }
