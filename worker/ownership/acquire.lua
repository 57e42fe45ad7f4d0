#!lua flags=allow-oom
-- Acquires a camera's lease and returns its epoch, or 0 if another worker holds the lease.
-- KEYS: camera_keys(). ARGV: owner, duration (ms), the longest duration (ms): a stored expiry further
-- ahead was written before the clock of Redis moved back, and counts as expired.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch', 'expires_ms')
if lease.err then -- no hash: not ours, and it would keep the camera from everyone
  redis.call('DEL', KEYS[3])
  lease = {}
end
local epoch = tonumber(lease[2] or 0) or 0
if not (epoch >= 0 and epoch < 2 ^ 52) then epoch = 0 end
if lease[1] ~= ARGV[1] then
  local left = (tonumber(lease[3] or 0) or 0) - now
  if lease[1] and lease[1] ~= '' and left > 0 and left <= tonumber(ARGV[3]) then return 0 end
  epoch = math.floor(epoch) + 1
end
-- If this worker is the owner already, an earlier reply was lost, and the epoch stays.
redis.call('HSET', KEYS[3], 'owner', ARGV[1], 'epoch', string.format('%.0f', epoch),
  'expires_ms', string.format('%.0f', now + ARGV[2]))
return epoch
