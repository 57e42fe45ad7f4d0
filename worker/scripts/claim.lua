#!lua flags=allow-oom
-- Claims every pending frame that the owner does not know of: a predecessor's, one that a paused
-- predecessor read since, or one whose delivery was lost on its way. Counts as lost what was
-- trimmed while pending. Makes the group where it is missing, and removes consumers left behind.
-- KEYS: frames, lease, ledger. ARGV: owner, epoch, group, consumer, known ids...
-- Returns 'FENCED', or a list of {id, fields, deliveries}.
local lease = redis.call('HMGET', KEYS[2], 'owner', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, me = ARGV[3], ARGV[4]
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')

local known = {}
for i = 5, #ARGV do known[ARGV[i]] = true end

local claimed = {}
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 1000)) do
  local id, consumer, deliveries = entry[1], entry[2], entry[4]
  if consumer ~= me or not known[id] then
    local got = redis.call('XCLAIM', KEYS[1], group, me, 0, id)
    if #got == 0 then
      redis.call('HINCRBY', KEYS[3], 'lost', 1)
    else
      claimed[#claimed + 1] = { id, got[1][2], deliveries + 1 }
    end
  end
end
-- Only consumers with nothing pending go: removing one would drop what it has.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local name, pending = consumer[2], consumer[4]
  if name ~= me and pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name) end
end
return claimed
