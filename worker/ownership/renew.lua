#!lua flags=allow-oom
-- Renews a lease and returns 1, even if it expired and no other worker acquired it; returns 0 if it has
-- moved on. Returns 2 if it also deleted the report of the camera's producer (KEYS[6]), because it is too
-- large: readers could not read it. Any producer may write there.
-- KEYS: camera_keys(). ARGV: owner, epoch, duration (ms), the greatest size of a report (bytes).
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[3], 'expires_ms', string.format('%.0f', now + ARGV[3]))

local fields = redis.pcall('HLEN', KEYS[6]) -- first: the exact size takes long if there are many
if type(fields) == 'number' and (fields > 100
  or (redis.call('MEMORY', 'USAGE', KEYS[6], 'SAMPLES', '0') or 0) > tonumber(ARGV[4])) then
  redis.call('DEL', KEYS[6])
  return 2
end
return 1
