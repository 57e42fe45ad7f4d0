#!lua flags=allow-oom
-- Renews a worker's membership, and returns all live workers, each with the time until it expires (ms).
-- KEYS: workers. ARGV: member, duration (ms), the longest duration (ms): a member that expires later was
-- written before the clock of Redis moved back, or not by a worker. It is removed.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[3]), '+inf')
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local live = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #live, 2 do live[i] = math.floor(live[i] - now) end
return live
