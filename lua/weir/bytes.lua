-- bytes: what apps need of strings as bytes: random ones, digests, and their text forms.
--
-- Random bytes are the system's, digests GnuTLS's; the text forms are made here, each strict: a text that another
-- reader would refuse, or read as other bytes, is nil and why.

local core = require "weir.core"
local check = require "weir.check"

local byte, char, find, format = string.byte, string.char, string.find, string.format
local gsub, sub = string.gsub, string.sub

local MOST = 1024 * 1024 -- random bytes at once

local bytes = {}

--- The names of what digests there are, for messages.
bytes.DIGESTS = '"sha256", "sha384", "sha512", "sha1" or "md5"'

-- ---- random ---------------------------------------------------------------------------------------------------------

--- `n` random bytes that nobody can guess.
function bytes.random(n)
  if type(n) ~= "number" or n % 1 ~= 0 or n < 0 or n > MOST then
    check.bad("weir.random", "argument 1 (bytes)", n, "a whole number, 0 to 1048576")
  end
  return core.random(n)
end

-- ---- hex ------------------------------------------------------------------------------------------------------------

local HEX, UNHEX = {}, {}
for code = 0, 255 do
  local text = format("%02x", code)
  HEX[char(code)] = text
  local a, b = sub(text, 1, 1), sub(text, 2)
  for _, first in ipairs { a, a:upper() } do
    for _, second in ipairs { b, b:upper() } do UNHEX[first .. second] = char(code) end
  end
end

bytes.hex = {}

--- Two lower-case digits for each byte.
function bytes.hex.encode(value)
  check.string("weir.hex.encode", "argument 1 (bytes)", value)
  return (gsub(value, ".", HEX))
end

function bytes.hex.decode(text)
  check.string("weir.hex.decode", "argument 1 (text)", text)
  if #text % 2 == 1 then return nil, "an odd number of digits" end
  local at = find(text, "%X")
  if at then return nil, format("no hexadecimal digit at character %d", at) end
  return (gsub(text, "..", UNHEX))
end

--- A random UUID (RFC 9562, version 4).
function bytes.uuid()
  local value = core.random(16)
  local version, variant = byte(value, 7) % 16 + 0x40, byte(value, 9) % 64 + 0x80
  local text = gsub(sub(value, 1, 6) .. char(version) .. sub(value, 8, 8) .. char(variant) .. sub(value, 10), ".", HEX)
  return (gsub(text, "^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

-- ---- base64 ---------------------------------------------------------------------------------------------------------

bytes.base64url = {}

--- RFC 4648 section 5, without padding.
function bytes.base64url.encode(value)
  check.string("weir.base64url.encode", "argument 1 (bytes)", value)
  return core.base64url_encode(value)
end

function bytes.base64url.decode(text)
  check.string("weir.base64url.decode", "argument 1 (text)", text)
  local value = core.base64url_decode(text)
  if not value then return nil, "not base64url" end
  return value
end

local TO_URL = { ["+"] = "-", ["/"] = "_", ["-"] = " ", ["_"] = " ", ["="] = " " }
local FROM_URL = { ["-"] = "+", ["_"] = "/" }

bytes.base64 = {}

--- RFC 4648 section 4, with padding.
function bytes.base64.encode(value)
  check.string("weir.base64.encode", "argument 1 (bytes)", value)
  local text = gsub(core.base64url_encode(value), "[-_]", FROM_URL)
  return text .. ("="):rep(-#text % 4)
end

function bytes.base64.decode(text)
  check.string("weir.base64.decode", "argument 1 (text)", text)
  local digits = gsub(text, "==?$", "")
  local value = #text % 4 == 0 and core.base64url_decode((gsub(digits, "[-+/_=]", TO_URL)))
  if not value then return nil, "not base64" end
  return value
end

-- ---- digests --------------------------------------------------------------------------------------------------------

--- The digest of a string, as bytes.
function bytes.hash(algorithm, text)
  check.string("weir.hash", "argument 1 (algorithm)", algorithm)
  check.string("weir.hash", "argument 2 (text)", text)
  return core.hash(algorithm, text) or check.bad("weir.hash", "argument 1 (algorithm)", algorithm, bytes.DIGESTS)
end

--- The keyed digest of a string (RFC 2104), as bytes.
function bytes.hmac(algorithm, key, text)
  check.string("weir.hmac", "argument 1 (algorithm)", algorithm)
  check.string("weir.hmac", "argument 2 (key)", key)
  check.string("weir.hmac", "argument 3 (text)", text)
  return core.hmac(algorithm, key, text) or check.bad("weir.hmac", "argument 1 (algorithm)", algorithm, bytes.DIGESTS)
end

--- Whether two secrets are equal, in a time that does not tell where they differ.
function bytes.equal(a, b)
  check.string("weir.equal", "argument 1", a)
  check.string("weir.equal", "argument 2", b)
  return core.equal(a, b)
end

-- ---- HTML -----------------------------------------------------------------------------------------------------------

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

--- A string as text of an HTML element, or of an attribute's value in quotes.
function bytes.html(text)
  check.string("weir.html", "argument 1 (text)", text)
  return (gsub(text, "[&<>\"']", ESCAPES))
end

return bytes
