#!lua flags=allow-oom
-- Maintains the camera's keys: resets keys that block the camera, creates the group, removes idle consumers,
-- and drops events, dead letters, episodes and minutes past their age.
-- KEYS: camera_keys().
-- ARGV: owner, epoch, group, consumer, age of events, dead letters and episodes (ms), age of minutes (ms),
--   how far ahead an id may be (ms)
-- Returns 'FENCED', or the number of keys that were reset.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group, me = ARGV[3], ARGV[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Deletes a key of the wrong type: it would make every script fail.
local resets = 0
local function delete_unless_right(key, ...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err or not reply.err:find('WRONGTYPE', 1, true) then return false end
  redis.call('DEL', key)
  resets = resets + 1
  return true
end

-- Replaces the stream by an empty one that accepts any id. Its count of added entries continues, so that
-- the ledger stays correct.
local function restart(added)
  redis.call('DEL', KEYS[1])
  redis.call('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')
  redis.call('XSETID', KEYS[1], '0-0', 'ENTRIESADDED', string.format('%.0f', added), 'MAXDELETEDID', '0-0')
end

delete_unless_right(KEYS[2], 'XLEN', KEYS[2])
delete_unless_right(KEYS[5], 'XLEN', KEYS[5])
delete_unless_right(KEYS[4], 'HMGET', KEYS[4], 'lost')
delete_unless_right(KEYS[7], 'HMGET', KEYS[7], 'version')
delete_unless_right(KEYS[8], 'XLEN', KEYS[8])
delete_unless_right(KEYS[9], 'XLEN', KEYS[9])
if delete_unless_right(KEYS[1], 'XLEN', KEYS[1]) then
  local ended = 0
  for _, count in ipairs(redis.call('HMGET', KEYS[4], 'analysed', 'expired', 'superseded', 'dead', 'lost')) do
    local number = tonumber(count)
    if number and number > 0 then ended = ended + math.min(number, 2 ^ 53) end
  end
  restart(ended)
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')

-- Only consumers without pending entries are removed: removing a consumer drops its pending entries.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local name, pending = consumer[2], consumer[4]
  if name ~= me and pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name) end
end

-- After one entry with an id far ahead, Redis refuses every later id.
local stream = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do stream[info[i]] = info[i + 1] end
if stream['length'] == 0 and redis.call('XPENDING', KEYS[1], group)[1] == 0
  and tonumber(stream['last-generated-id']:match('^%d+')) > now + tonumber(ARGV[7]) then
  restart(stream['entries-added'])
  resets = resets + 1
end

local oldest = string.format('%.0f', math.max(0, now - ARGV[5]))
for _, key in ipairs({ KEYS[2], KEYS[5], KEYS[8] }) do redis.call('XTRIM', key, 'MINID', oldest) end
redis.call('XTRIM', KEYS[9], 'MINID', string.format('%.0f', math.max(0, now - ARGV[6])))
return resets
