#!lua flags=allow-oom
-- Gives out pending frames that the owner does not know of: a predecessor's, one that a paused
-- predecessor read since, or one whose delivery was lost on its way. They stay with the consumer that
-- has them until the owner begins them (begin.lua), so that a worker that falls is held against those
-- alone that it had begun. Counts as lost what was trimmed while pending. Makes the group where it is
-- missing, removes consumers left behind, and drops events and dead letters that are past their age.
-- KEYS: frames, lease, ledger, emotions, dead.
-- ARGV: owner, epoch, group, consumer, at most so many, age of events (ms), how far the clock that
--   dates the frames is behind (ms; '' while that is not known), known ids...
-- Returns 'FENCED', or a list of {id, fields, deliveries}, this one included.
local lease = redis.call('HMGET', KEYS[2], 'owner', 'epoch', 'behind_ms')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, me, most = ARGV[3], ARGV[4], tonumber(ARGV[5])
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')

local known = {}
for i = 8, #ARGV do known[ARGV[i]] = true end

local claimed = {}
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 1000)) do
  if #claimed == most then break end
  local id, consumer, deliveries = entry[1], entry[2], entry[4]
  if not known[id] then
    local got = redis.call('XRANGE', KEYS[1], id, id)
    if #got == 0 then
      redis.call('XACK', KEYS[1], group, id)
      redis.call('HINCRBY', KEYS[3], 'lost', 1)
    else
      -- A reply that was lost on its way to this owner is no further worker that had the frame.
      if consumer ~= me then deliveries = deliveries + 1 end
      claimed[#claimed + 1] = { id, got[1][2], deliveries }
    end
  end
end
-- Only consumers with nothing pending go: removing one would drop what it has.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local name, pending = consumer[2], consumer[4]
  if name ~= me and pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name) end
end

local t = redis.call('TIME')
local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[6]
redis.call('XTRIM', KEYS[5], 'MINID', string.format('%.0f', oldest))
-- Events have the ids of their frames, which a clock gave that may be behind. Kept on the lease, since
-- it outlives its owners; nothing is told too old by a clock of which nothing is known.
local behind = ARGV[7] ~= '' and ARGV[7] or lease[3]
if behind then
  redis.call('HSET', KEYS[2], 'behind_ms', behind)
  redis.call('XTRIM', KEYS[4], 'MINID', string.format('%.0f', oldest - behind))
end
return claimed
