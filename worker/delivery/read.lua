#!lua flags=allow-oom
-- Reads frames that were not delivered before, up to a number of entries and a number of bytes, so
-- that no reply exceeds the server's output buffer limit. The last entry may exceed the number of bytes.
-- KEYS: camera_keys(). ARGV: group, consumer, entries at most, bytes at most, bytes of one entry at
--   most: a larger entry is delivered without its fields.
-- Returns a list of {id, fields, size in bytes}.
local group, consumer = ARGV[1], ARGV[2]
local entries, bytes, largest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found, total = {}, 0
while #found < entries and total < bytes do
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not reply then break end
  local id, fields, size = reply[1][2][1][1], reply[1][2][1][2], 0
  for _, text in ipairs(fields) do size = size + #text end
  total = total + size -- to look at a larger entry costs its bytes, too
  if size > largest then fields = {} end
  found[#found + 1] = { id, fields, size }
end
return found
