-- processing: what is done to a file that has come, before it is kept: what it is, by its first bytes and not by what
-- the client says; whether it can be shown; and what the app that this is mounted in wants of it.

local weir = require "weir"

local processing = {}

local HEAD = 4096 -- bytes that are looked at
local IMAGE = 32 * 1024 ^ 2 -- bytes of one that a page shows: it has all of it in memory

-- By what they begin with; in the order in which they are tried.
local kinds = {
  { "^\137PNG\r\n\26\n", "image/png", "image" },
  { "^\255\216\255", "image/jpeg", "image" },
  { "^GIF8[79]a", "image/gif", "image" },
  { "^RIFF....WEBP", "image/webp", "image" },
  { "^....ftypavi[fs]", "image/avif", "image" },
  { "^....ftyp", "video/mp4" },
  { "^\26E\223\163", "video/webm" },
  { "^OggS", "audio/ogg" },
  { "^ID3", "audio/mpeg" },
  { "^RIFF....WAVE", "audio/wav" },
  { "^%%PDF%-", "application/pdf" },
  { "^PK\3\4", "application/zip" },
  { "^\31\139", "application/gzip" },
}

--- The text up to its last whole character, or nil where it is no text: not UTF-8, or with control characters.
function processing.text(bytes)
  local text = bytes:gsub("[\194-\244][\128-\191]*$", function(last)
    local first = last:byte()
    return #last < (first < 224 and 2 or first < 240 and 3 or 4) and "" or nil
  end)
  if text:find "[%z\1-\8\11\14-\26\28-\31\127]" then return nil end
  return weir.json.decode(weir.json.encode(text)) == text and text or nil
end

--- The media type of what begins with these bytes, and how it can be shown: "image", "text" or nil.
function processing.kind(head)
  for _, kind in ipairs(kinds) do
    if head:find(kind[1]) then return kind[2], kind[3] end
  end
  if head ~= "" and processing.text(head) then return "text/plain", "text" end
  return "application/octet-stream"
end

--- Looks at the file { name, size, sha256 } whose bytes are at `path`, and adds `type` and `preview`. `say(stage, part,
--- message)` is told how far it is. `hook(file, report)` is the app's, see README.md. Fails when that refuses it.
function processing.run(path, file, say, hook)
  say("checking")
  local head, code, message = weir.fs.head(path, HEAD)
  if not head then error(("upload: %s cannot be read: %s"):format(path, message or code), 0) end
  file.type, file.preview = processing.kind(head)
  if file.preview == "image" and file.size > IMAGE then file.preview = nil end
  if not hook then return end
  say "processing"
  local given = { path = path, name = file.name, size = file.size, sha256 = file.sha256, type = file.type }
  local ok, why = hook(given, function(part, text) say("processing", part, text) end)
  if ok ~= false then return end
  weir.fail(422, { message = type(why) == "string" and why or "it was refused", errorCode = "rejected" })
end

return processing
