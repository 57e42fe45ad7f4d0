#!lua flags=allow-oom
-- Prolongs a lease, also one that ran out while nobody else took it; 0 where it has moved on.
-- KEYS: lease. ARGV: owner, epoch, for how long (ms).
local lease = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], 'expires_ms', now + ARGV[3])
return 1
