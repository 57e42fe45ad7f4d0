#!lua flags=allow-oom
-- Renews a lease and returns 1, even if it expired and no other worker acquired it; returns 0 if it has
-- moved on.
-- KEYS: camera_keys(). ARGV: owner, epoch, duration (ms).
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[3], 'expires_ms', string.format('%.0f', now + ARGV[3]))
return 1
