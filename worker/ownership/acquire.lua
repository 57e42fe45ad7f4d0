#!lua flags=allow-oom
-- Acquires a camera's lease unless another holds it, and returns its epoch; 0 if another does.
-- KEYS: camera_keys(). ARGV: owner, duration (ms), the longest duration (ms): a lease that runs for
-- longer was dated before the clock of Redis was set back, and has run out.
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
-- The owner already: an earlier reply was lost, and the epoch stays.
redis.call('HSET', KEYS[3], 'owner', ARGV[1], 'epoch', string.format('%.0f', epoch),
  'expires_ms', string.format('%.0f', now + ARGV[2]))
return epoch
