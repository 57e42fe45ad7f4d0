#!lua flags=allow-oom
-- Keeps the registry readable, even if producers write nonsense into it. Removes names that no camera can have
-- from what readers are about to read: long ones would exceed the limit of a reply. Records which
-- cameras work; they come first when the registry is read.
-- KEYS: cameras, analysed. ARGV: now (ms), the latest heartbeat that is believed (ms), how many names
-- are read, then the cameras of the calling worker of which a frame was analysed.
local most = ARGV[3]
for _, range in ipairs({ { ARGV[2], '-inf' }, { '+inf', '(' .. ARGV[2] } }) do
  local names = redis.call('ZRANGE', KEYS[1], range[1], range[2], 'BYSCORE', 'REV', 'LIMIT', 0, most)
  for _, name in ipairs(names) do
    if #name > 63 or not name:match('^%w[%w_.-]*$') then redis.call('ZREM', KEYS[1], name) end
  end
end

for n = 4, #ARGV do redis.call('ZADD', KEYS[2], ARGV[1], ARGV[n]) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -most - 1) -- those that were owned longest ago
