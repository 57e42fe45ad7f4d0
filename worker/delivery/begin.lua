#!lua flags=allow-oom
-- Makes a frame that was given out before the owner's, with the count of its deliveries: to be done
-- before it is begun, for it may be what ended the worker that had it. Counts as lost what was trimmed
-- since. KEYS: frames, lease, ledger. ARGV: owner, epoch, group, consumer, id, deliveries.
-- Returns 'FENCED', or an empty list.
local lease = redis.call('HMGET', KEYS[2], 'owner', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, id = ARGV[3], ARGV[5]
local pending = redis.pcall('XPENDING', KEYS[1], group, id, id, 1)
if pending.err or #pending == 0 then return {} end -- flushed meanwhile: its commit will say so
local got = redis.call('XCLAIM', KEYS[1], group, ARGV[4], 0, id, 'RETRYCOUNT', ARGV[6], 'JUSTID')
if #got == 0 then redis.call('HINCRBY', KEYS[3], 'lost', 1) end
return {}
