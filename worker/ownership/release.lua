#!lua flags=allow-oom
-- Releases a lease; the epoch stays, so that it only ever grows. 0 if the lease has moved on.
-- KEYS: camera_keys(). ARGV: owner, epoch.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], 'owner', '', 'expires_ms', 0)
return 1
