#!lua flags=no-writes
-- Reads a camera's account at one instant.
-- KEYS: camera_keys(). ARGV: group.
-- A key that holds another type of value counts as empty.
local function info(key)
  local reply = redis.pcall('XINFO', 'STREAM', key)
  local fields = {}
  if not reply.err then
    for i = 1, #reply, 2 do fields[reply[i]] = reply[i + 1] end
  end
  return fields
end

local frames = info(KEYS[1])
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000)
if pending.err then pending = {} end
-- Frames trimmed while pending are still counted so, but no longer in the stream.
local present = 0
for _, entry in ipairs(pending) do
  present = present + #redis.call('XRANGE', KEYS[1], entry[1], entry[1])
end
local fields = redis.pcall('HGETALL', KEYS[4])
if fields.err then fields = {} end
return {
  frames['entries-added'] or 0,
  #pending,
  (frames['length'] or 0) - present,
  info(KEYS[2])['entries-added'] or 0,
  info(KEYS[5])['entries-added'] or 0,
  fields,
}
