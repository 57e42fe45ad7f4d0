#!lua flags=allow-oom
-- Gives a lease up; the epoch stays, so that it only ever grows. 0 where it has moved on.
-- KEYS: lease. ARGV: owner, epoch.
local lease = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'expires_ms', 0)
return 1
