#!lua flags=allow-oom
-- Ends frames, in the order given: acknowledges and deletes each, publishes its event or its dead
-- letter, counts its outcome; all of it only for the lease's present owner, and once.
-- KEYS: frames, emotions, lease, ledger, dead.
-- ARGV: owner, epoch, group, events kept, dead letters kept, then for each frame
--   id, outcome, and the event (analysed) or the reason (dead) or '', and its size in bytes.
-- Returns 'FENCED', or for each frame how it ended: 'repeated' where an earlier try had ended it.
local lease = redis.call('HMGET', KEYS[3], 'owner', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 'FENCED' end
local group = ARGV[3]

local ends = {}
for i = 6, #ARGV, 4 do
  local id, outcome, payload, size = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local pending = redis.pcall('XPENDING', KEYS[1], group, id, id, 1)
  if pending.err or #pending == 0 or redis.call('XACK', KEYS[1], group, id) == 0 then
    outcome = 'repeated'
  else
    -- Frees its memory at once; the stream's length is then the backlog.
    redis.call('XDEL', KEYS[1], id)
    if outcome == 'analysed' then
      -- pcall: an error here would undo nothing of the acknowledgement above.
      local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], id, 'event', payload)
      if type(added) == 'table' and added.err then outcome = 'late' end
    elseif outcome == 'dead' then
      redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[5], '*', 'frame', id, 'reason', payload,
        'size', size, 'deliveries', pending[1][4])
    end
    redis.call('HINCRBY', KEYS[4], outcome, 1)
  end
  ends[#ends + 1] = outcome
end
return ends
