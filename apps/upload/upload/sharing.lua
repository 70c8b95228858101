-- sharing: links by which anybody gets a file until they expire: the file's id, until when, and a signature of both.
--
-- Nothing is kept of a link but the key of all, so one ends with its time or with its file.

local weir = require "weir"
local files = require "upload.files"

local sharing = {}

local LEAST, MOST = 1, 30 * 86400 -- seconds

local function signature(text)
  return weir.base64url.encode(weir.hmac("sha256", files.secret(), "share " .. text))
end

--- A token for a file, and until when it is good. Fails with 400.
function sharing.token(id, seconds)
  if type(seconds) ~= "number" or not (seconds >= LEAST and seconds <= MOST) then
    weir.fail(400, { message = ("seconds must be a number, %d to %d"):format(LEAST, MOST), errorCode = "seconds" })
  end
  local expires = math.floor(weir.now() + seconds)
  local text = ("%s-%.0f"):format(id, expires)
  return text .. "-" .. signature(text), expires
end

--- The file's id that a token is for, or nil.
function sharing.open(token)
  local text, given = token:match "^(%x+%-%d+)%-([%w_-]+)$"
  if not text or not weir.equal(given, signature(text)) then return nil end
  local id, expires = text:match "^(%x+)%-(%d+)$"
  return tonumber(expires) > weir.now() and id or nil
end

return sharing
