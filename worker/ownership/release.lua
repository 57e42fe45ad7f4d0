#!lua flags=allow-oom
-- Releases a lease and returns 1, or 0 if it has moved on. The epoch stays, so that it never decreases.
-- KEYS: camera_keys(). ARGV: owner, epoch.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], 'owner', '', 'expires_ms', 0)
return 1
