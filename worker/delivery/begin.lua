#!lua flags=allow-oom
-- Records that the owner starts a frame that was delivered before, with the count of its deliveries.
-- Must run before processing, because the frame may have crashed its previous worker. If the frame was
-- trimmed meanwhile, it counts as lost.
-- KEYS: camera_keys(). ARGV: owner, epoch, group, consumer, id, deliveries.
-- Returns 'FENCED', or an empty list.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, id = ARGV[3], ARGV[5]
local pending = redis.pcall('XPENDING', KEYS[1], group, id, id, 1)
if pending.err or #pending == 0 then return {} end -- flushed meanwhile: its commit will say so
local claimed = redis.call('XCLAIM', KEYS[1], group, ARGV[4], 0, id, 'RETRYCOUNT', ARGV[6], 'JUSTID')
if #claimed == 0 then redis.pcall('HINCRBY', KEYS[4], 'lost', 1) end
return {}
