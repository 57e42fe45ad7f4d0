#!lua flags=allow-oom
-- Takes a camera's lease where nobody holds it, and returns its epoch; 0 where somebody does.
-- KEYS: lease. ARGV: owner, for how long (ms), the longest that any may be (ms): one that runs for
-- longer was dated before the clock of Redis was set back, and has run out.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'expires_ms')
local epoch = tonumber(lease[2] or 0)
if lease[1] ~= ARGV[1] then
  local left = tonumber(lease[3] or 0) - now
  if lease[1] and lease[1] ~= '' and left > 0 and left <= tonumber(ARGV[3]) then return 0 end
  epoch = epoch + 1
end
-- The owner already: an earlier reply was lost, and the epoch stays.
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch, 'expires_ms', now + ARGV[2])
return epoch
