#!lua flags=allow-oom
-- Says that a worker lives, and returns all that do, each with how long it is known to (ms).
-- KEYS: workers. ARGV: member, for how long (ms), the longest that any may be (ms): what is known for
-- longer was dated before the clock of Redis was set back, or by no worker.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[3]), '+inf')
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local live = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #live, 2 do live[i] = math.floor(live[i] - now) end
return live
