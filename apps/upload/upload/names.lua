-- names: what may stand where a client names something: a file, an upload, what a name's being taken means.

local weir = require "weir"

local names = {}

local LEVELS, BYTES = 8, 255

local function refuse(message)
  weir.fail(400, { message = message, errorCode = "name" })
end

-- A segment of `*path`, where "%2F" and "%25" stand for what was encoded.
local function decoded(segment)
  return (segment:gsub("%%2F", "/"):gsub("%%25", "%%"))
end

--- A path that was sent, as one whose every segment is a safe name. `encoded`: it is of a URL.
function names.path(sent, encoded)
  local segments = {}
  for segment in sent:gmatch "[^/]+" do
    segments[#segments + 1] = weir.fs.safe_name(encoded and decoded(segment) or segment)
  end
  if #segments == 0 or #segments > LEVELS then refuse(("a name has 1 to %d segments"):format(LEVELS)) end
  local path = table.concat(segments, "/")
  if #path > BYTES then refuse(("a name has at most %d bytes"):format(BYTES)) end
  return path
end

--- The last segment.
function names.last(path) return path:match "[^/]*$" end

--- A text, or its beginning of at most `most` bytes, to a letter's border.
function names.cut(text, most)
  if #text <= most then return text end
  while text:find("^[\128-\191]", most + 1) do most = most - 1 end
  return text:sub(1, most)
end

local collisions = { keep = true, replace = true, skip = true }

--- What is to become of a name that is taken.
function names.collision(sent)
  if sent ~= nil and not collisions[sent] then
    weir.fail(400, { message = "collision must be keep, replace or skip", errorCode = "collision" })
  end
  return sent or "keep"
end

--- The word by which a page knows its own uploads among all.
function names.tag(sent)
  if sent ~= nil and not (#sent <= 40 and sent:find "^[%w-]+$") then
    weir.fail(400, { message = 'tag must be a word of letters, digits and "-", of 1 to 40', errorCode = "tag" })
  end
  return sent
end

--- Whether that may be the name of who owns files.
function names.is_owner(sub)
  return type(sub) == "string" and sub ~= "" and #sub <= 200
end

return names
