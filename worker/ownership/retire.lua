#!lua flags=allow-oom
-- Drops expired events and dead letters of a camera without an owner. Deletes the camera's keys when
-- nothing is left, except its lease, whose epoch never decreases, and its episodes and minutes, which
-- expire. A key of the wrong type is ignored,
-- and is deleted with the others.
-- KEYS: camera_keys(). ARGV: age (ms), how far ahead an id may be (ms), the greatest size of a report (bytes).
-- Returns 1 if the camera is gone, else 0.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Returns a number from 0 to `most` for any text: 0 if it is not a number.
local function bounded(text, most)
  local number = tonumber(text or 0)
  if not number or not (number > 0) then return 0 end
  return math.min(number, most)
end

local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'expires_ms')
if lease.err then lease = {} end
if lease[1] and lease[1] ~= '' and bounded(lease[2], 2 ^ 53) > now then return 0 end

-- As in renew.lua: a report that is too large for readers.
local fields = redis.pcall('HLEN', KEYS[6])
if type(fields) == 'number' and (fields > 100
  or (redis.call('MEMORY', 'USAGE', KEYS[6], 'SAMPLES', '0') or 0) > tonumber(ARGV[3])) then
  redis.call('DEL', KEYS[6])
end

local open = redis.pcall('HGET', KEYS[7], 'open')
if open == '1' then return 0 end -- its next owner closes the tracks

local oldest = math.max(0, now - ARGV[1])
for _, key in ipairs({ KEYS[1], KEYS[2], KEYS[5] }) do
  if key ~= KEYS[1] then redis.pcall('XTRIM', key, 'MINID', string.format('%.0f', oldest)) end
  local info = redis.pcall('XINFO', 'STREAM', key)
  if not info.err then -- else there is no such key, or no such stream
    local stream = {}
    for n = 1, #info, 2 do stream[info[n]] = info[n + 1] end
    local last_ms = tonumber(stream['last-generated-id']:match('^%d+'))
    -- An id further ahead than any clock error says nothing about the age.
    local is_recent = last_ms >= oldest and last_ms <= now + tonumber(ARGV[2])
    if stream['length'] > 0 or is_recent then return 0 end
  end
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
return 1
