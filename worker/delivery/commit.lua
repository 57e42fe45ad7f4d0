#!lua flags=allow-oom
-- Ends frames, in the given order: acknowledges and deletes each frame, publishes its event or its dead
-- letter, and counts its outcome. Does this only for the lease's current owner, and once per frame.
-- KEYS: camera_keys().
-- ARGV: owner, epoch, group, events kept, dead letters kept, how far ahead an id may be (ms): an event
--   with a later id would make Redis refuse all later events, so its frame is dead; then for each frame
--   its id, its outcome, the event (analysed) or the reason (dead) or '', and its size in bytes.
-- Returns 'FENCED', or the outcome of each frame: 'repeated' if an earlier attempt ended it.
local lease = redis.pcall('HMGET', KEYS[3], 'owner', 'epoch', 'strikes')
if lease.err or lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group = ARGV[3]
local t = redis.call('TIME')
local latest = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[6]

-- pcall, because an error does not undo the acknowledgement. claim.lua resets keys of the wrong type.
local function failed(...)
  local reply = redis.pcall(...)
  return type(reply) == 'table' and reply.err
end

local ends = {}
for i = 7, #ARGV, 4 do
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
  ends[#ends + 1] = outcome
end
return ends
