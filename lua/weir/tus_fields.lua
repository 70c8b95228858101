-- tus_fields: what stands in the header fields of resumable uploads, read strictly.
--
-- Each function takes a field's value and returns what it means, or nil and what is wrong with it, as the client is
-- told. Nothing here knows of files or streams.

local bytes = require "weir.bytes"
local core = require "weir.core"

local fields = {}

local MOST = 2 ^ 53 -- beyond it a number of Lua's is no count of bytes any more

--- A number of bytes: digits alone.
function fields.whole(name, text)
  local value = text:find "^%d+$" and #text <= 16 and tonumber(text)
  if not value or value >= MOST then return nil, name .. " must be a number of bytes, in digits" end
  return value
end

--- A boolean of RFC 9651.
function fields.boolean(name, text)
  if text == "?1" then return true end
  if text == "?0" then return false end
  return nil, name .. " must be ?0 or ?1"
end

-- Step by step, for a pattern that may begin or end a run of spaces in many places tries all of them.
local function pair(item)
  local from = item:find "%S"
  if not from then return nil, "Upload-Metadata has a pair without a key" end
  local key, rest = item:match("^.*%S", from):match "^(%S+)%s*(.*)$"
  if key:find "[^\33-\126]" then return nil, "Upload-Metadata has a key that is not ASCII" end
  local value = bytes.base64.decode(rest)
  if not value then return nil, ('Upload-Metadata: the value of "%s" is not base64'):format(key) end
  return key, value
end

--- The pairs of Upload-Metadata, decoded; a key without a value has "".
function fields.metadata(text)
  local pairs_of = {}
  if not text or text == "" then return pairs_of end
  for item in (text .. ","):gmatch "([^,]*)," do
    local key, value = pair(item)
    if not key then return nil, value end
    if pairs_of[key] then return nil, ('Upload-Metadata has the key "%s" twice'):format(key) end
    pairs_of[key] = value
  end
  return pairs_of
end

--- The digests that Upload-Checksum may have; sha1 is the one that all have.
fields.ALGORITHMS = { "sha1", "sha256", "sha384", "sha512", "md5" }

--- { algorithm, digest } of Upload-Checksum.
function fields.checksum(text)
  local algorithm, encoded = text:match "^(%l[%l%d-]*) (%S+)$"
  local digest = encoded and bytes.base64.decode(encoded)
  if not digest then
    return nil, "Upload-Checksum must be the name of an algorithm, a space, and the checksum in base64"
  end
  local empty = core.hash(algorithm, "")
  if not empty then
    return nil, ("Upload-Checksum: %s is none of %s"):format(algorithm, table.concat(fields.ALGORITHMS, ", "))
  end
  if #digest ~= #empty then return nil, ("Upload-Checksum: that is no checksum of %s"):format(algorithm) end
  return { algorithm = algorithm, digest = digest }
end

--- "partial", or the list of the URLs of a final upload.
function fields.concat(text)
  if text == "partial" then return "partial" end
  local list = text:match "^final;%s*(.*)$"
  if not list or list:find "[^\32-\126]" then
    return nil, 'Upload-Concat must be "partial", or "final;" and URLs with spaces between them'
  end
  local urls = {}
  for url in list:gmatch "%S+" do urls[#urls + 1] = url end
  if #urls == 0 then return nil, "Upload-Concat: final, but of no uploads" end
  return urls
end

--- A date as RFC 9110 has it.
function fields.date(time)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(time))
end

--- The media type alone, in lower case.
function fields.media_type(text)
  return (text or ""):match("^%s*([^;%s]*)"):lower()
end

--- What pages of other origins send and read, for weir.cors.
fields.REQUEST = {
  "Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset", "Upload-Concat", "Upload-Defer-Length",
  "Upload-Checksum", "Upload-Complete", "Upload-Draft-Interop-Version", "X-HTTP-Method-Override", "X-Requested-With",
  "X-Request-ID",
}
fields.ANSWER = {
  "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Location",
  "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Upload-Concat", "Upload-Defer-Length",
  "Upload-Complete", "Upload-Limit", "Upload-Draft-Interop-Version", "Retry-After",
}

return fields
