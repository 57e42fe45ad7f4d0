#!lua flags=allow-oom
-- Ends frames, in the given order: acknowledges and deletes each frame, publishes its event or its dead
-- letter, and counts its outcome. Then stores the tracking state after them with its episodes and
-- minutes. Does this only for the lease's current owner, and once per frame and version of the state.
-- KEYS: camera_keys().
-- ARGV: owner, epoch, group, events kept, dead letters kept, how far ahead an id may be (ms): an event
--   with a later id would make Redis refuse all later events, so its frame is dead; episodes kept, their
--   age (ms), age of minutes (ms); expected version of the tracking state, its new version ('' to leave the
--   state alone), the state,
--   its open tracks, whether it is open; number of episodes, episodes...; number of minutes, id and minute...; then for
--   each frame its id, its outcome, the event (analysed) or the reason (dead) or '', its size in bytes,
--   and 1 if the tracking state depends on its event.
-- Returns 'FENCED', or {outcomes, 1 if the tracking state is stored}. The outcome of a frame is
-- 'repeated' if an earlier attempt ended it.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch', 'strikes')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group = ARGV[3]
local t = redis.call('TIME')
local latest = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[6]

-- pcall, because an error does not undo the acknowledgement. maintain.lua resets keys of the wrong type.
local function failed(...)
  local reply = redis.pcall(...)
  return type(reply) == 'table' and reply.err
end

local expected, version = ARGV[10], ARGV[11]
local episodes = tonumber(ARGV[15])
local minutes = tonumber(ARGV[16 + episodes])
local ends, is_valid = {}, true
for i = 17 + episodes + 2 * minutes, #ARGV, 5 do
  local id, outcome, payload, size = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local pending = redis.pcall('XPENDING', KEYS[1], group, id, id, 1)
  if pending.err or #pending == 0 or redis.call('XACK', KEYS[1], group, id) == 0 then
    outcome = 'repeated'
  else
    -- Frees its memory at once; the stream's length is then the backlog.
    redis.call('XDEL', KEYS[1], id)
    local deliveries = pending[1][4]
    if outcome == 'analysed' and tonumber(id:match('^%d+')) > latest then
      outcome, payload = 'dead', 'its id is dated too far ahead of the time of Redis'
    end
    if outcome == 'analysed' then
      if failed('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], id, 'event', payload) then outcome = 'superseded' end
      -- The frame was started after crashes of other workers, and did not crash this one.
      if deliveries > 1 and lease[3] and lease[3] ~= '0' then
        redis.call('HSET', KEYS[3], 'strikes', 0, 'set_aside', 0)
      end
    elseif outcome == 'dead' then
      failed('XADD', KEYS[5], 'MAXLEN', '~', ARGV[5], '*', 'frame', id, 'reason', payload,
        'size', size, 'deliveries', deliveries)
    end
    if failed('HINCRBY', KEYS[4], outcome, 1) then failed('HSET', KEYS[4], outcome, 1) end
  end
  -- Also if it is repeated: had its event been published by this commit, the state would be stored.
  if ARGV[i + 4] == '1' and outcome ~= 'analysed' then is_valid = false end
  ends[#ends + 1] = outcome
end

if version == '' then return { ends, 1 } end
local stored = redis.pcall('HGET', KEYS[7], 'version') or ''
if stored == version then return { ends, 1 } end -- an earlier attempt, whose reply was lost
if not is_valid or stored ~= expected then return { ends, 0 } end
redis.call('HSET', KEYS[7], 'version', version, 'state', ARGV[12], 'people', ARGV[13],
  'open', ARGV[14])
for i = 16, 15 + episodes do
  failed('XADD', KEYS[8], 'MAXLEN', '~', ARGV[7], '*', 'episode', ARGV[i])
end
for i = 17 + episodes, 16 + episodes + 2 * minutes, 2 do
  failed('XADD', KEYS[9], ARGV[i], 'minute', ARGV[i + 1]) -- refused if that minute is there already
end
-- Unlike the camera's other keys these outlive it, so that its past can be read.
if episodes > 0 then redis.call('PEXPIRE', KEYS[8], ARGV[8]) end
if minutes > 0 then redis.call('PEXPIRE', KEYS[9], ARGV[9]) end
return { ends, 1 }
