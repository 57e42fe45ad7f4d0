#!lua flags=allow-oom
-- Drops what is past its age of a camera that nobody owns, and the camera's keys once nothing is
-- left; all but its lease, whose epoch only ever grows.
-- KEYS: lease, frames, emotions, dead, ledger, camera. ARGV: age (ms).
-- Returns 1 where the camera is gone, else 0.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'owner', 'expires_ms', 'behind_ms')
if lease[1] and lease[1] ~= '' and tonumber(lease[2]) > now then return 0 end

for i = 2, 4 do
  -- Frames and events are dated by a clock that may be behind, dead letters by Redis.
  local behind = i < 4 and lease[3] or 0
  local oldest = string.format('%.0f', now - ARGV[1] - behind)
  local last = '0-0'
  if i > 2 then redis.call('XTRIM', KEYS[i], 'MINID', oldest) end
  if redis.call('EXISTS', KEYS[i]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[i])
    for n = 1, #info, 2 do
      if info[n] == 'last-generated-id' then last = info[n + 1] end
    end
    if redis.call('XLEN', KEYS[i]) > 0 or tonumber(last:match('^%d+')) >= tonumber(oldest) then
      return 0
    end
  end
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return 1
