-- settings: what a configuration says, checked.
--
--   WEIR_LOG, paths with ":" between them --+
--   the text of the file that WEIR_LOGS     +--> { sources, redact, behind, tokens, page, alerts }
--   names, JSON ----------------------------+    or nil, and what is wrong, where, and what it must be
--
-- Here is what can be told without a disk or a clock. Whether patterns are patterns, weir.logs knows.

local weir = require "weir"
local kinds = require "logtail.kinds"
local sources = require "logtail.sources"

local settings = {}

local PATH = 4096 -- bytes
local WORD = kinds.text(64, '^[^%s=*"]+$', 'a word of at most 64 bytes, without spaces, "=" and "*"')

local units = { s = 1, m = 60, h = 3600, d = 86400 }

-- A time that has to pass, such as "90s"; at most `most` days.
local function span(most)
  local wanted = ('a time such as "90s", "5m" or "1h", at most "%dd"'):format(most)
  return function(value)
    local number, unit = tostring(value):match "^(%d%d?%d?%d?%d?%d?)([smhd])$"
    local seconds = type(value) == "string" and number and tonumber(number) * units[unit]
    return not (seconds and seconds > 0 and seconds <= most * 86400) and wanted or nil
  end
end

local function seconds_of(text)
  return tonumber(text:sub(1, -2)) * units[text:sub(-1)]
end

-- ---- sources --------------------------------------------------------------------------------------------------------

local path = kinds.text(PATH, "", ("a path or a glob of 1 to %d bytes"):format(PATH))

local source = kinds.either("a path, or an object with one", path, kinds.object({
  path = path,
  labels = kinds.map(WORD, kinds.text(200), 16),
  readers = kinds.list(WORD, 0, 64),
}, { "path" }))

-- ---- alerts ---------------------------------------------------------------------------------------------------------

local function any(value) return type(value) ~= "string" and "a text" or nil end

local function short(value)
  return (any(value) or #value > 200) and "a text of at most 200 bytes" or nil
end

local filter = kinds.either("a text, or an object with text, level, pattern, or field and is",
  kinds.text(1024),
  kinds.object { text = any, level = any, pattern = any, field = any, is = any, case = kinds.boolean })
local filters = kinds.list(filter, 0, 16)

local alert = kinds.object({
  name = kinds.text(40, "^[^/]+$", 'a text of 1 to 40 bytes in one line, without "/"'),
  source = kinds.text(1000),
  include = filters,
  exclude = filters,
  count = kinds.whole(1, 1000),
  window = span(1),
  cooldown = span(7),
  level = kinds.one_of { "info", "warn", "error", "fatal" },
  text = kinds.text(150),
  to = kinds.list(kinds.text(200), 1, 50),
}, { "name" })

-- An alert with what it leaves to us.
local function complete(given)
  return {
    name = given.name, source = given.source or "*", include = given.include or {}, exclude = given.exclude or {},
    count = given.count or 1, window = given.window or "1m", cooldown = given.cooldown or "5m",
    level = given.level or "error", text = given.text or given.name, to = given.to,
    window_seconds = seconds_of(given.window or "1m"), cooldown_seconds = seconds_of(given.cooldown or "5m"),
  }
end

-- ---- all ------------------------------------------------------------------------------------------------------------

local redaction = kinds.either('"tokens", "addresses", or an object with pattern and with',
  kinds.one_of { "tokens", "addresses" }, kinds.object({ pattern = kinds.text(1024), with = short }, { "pattern" }))

local names = kinds.either("a text, or a list of texts", kinds.text(1000), kinds.list(kinds.text(1000), 1, 16))

local whole = kinds.object({
  sources = kinds.list(source, 1, 64),
  redact = kinds.list(redaction, 0, 32),
  behind = kinds.text(16, "^%d+%u*$", 'a size such as "4MB"'),
  tokens = kinds.object {
    key = path, jwks = path, alg = kinds.text(16), issuer = names, audience = names, leeway = kinds.whole(0, 3600),
    claim = kinds.text(200),
  },
  page = kinds.text(1000, "^[^?#]*/$", 'the address of the page, such as "https://logs.example/" or "/logtail/"'),
  alerts = kinds.list(alert, 0, 50),
}, { "sources" })

-- What one field alone does not show.
local function contradiction(given, secret)
  local tokens, seen = given.tokens or {}, {}
  local has_tokens = secret or tokens.key or tokens.jwks
  if given.tokens and not has_tokens then
    return "tokens must have key or jwks, or LOGTAIL_SECRET must be in the environment"
  end
  for i, one in ipairs(given.alerts) do
    local place = ("alerts[%d]"):format(i - 1)
    if seen[one.name] then return place .. ".name must be another one than those before" end
    seen[one.name] = true
    if #sources.matching(given.sources, { one.source }) == 0 then
      return place .. '.source must be "*", or the path, a label (as "service=web") or a reader of one of the sources'
    end
  end
  for i, one in ipairs(given.sources) do
    if one.readers and not has_tokens then
      return ("sources[%d].readers must be left out where there are no tokens: set LOGTAIL_SECRET, or tokens")
        :format(i - 1)
    end
  end
end

-- "line 3, column 7" of what the decoder calls a character.
local function place_of(text, message)
  local at = tonumber(message:match "character (%d+)$") or 1
  local before = text:sub(1, at - 1)
  local line = select(2, before:gsub("\n", "")) + 1
  return ("line %d, column %d: %s"):format(line, #before:match "[^\n]*$" + 1, message:gsub(" at character %d+$", ""))
end

--- Those of a configuration's text; or nil and what is wrong with it. `secret`: there is one for tokens.
function settings.of_text(text, secret)
  local given, why = weir.json.decode(text)
  if given == nil then return nil, "it is not JSON: " .. place_of(text, why) end
  local wrong = kinds.check(whole, given, "all of it")
  if wrong then return nil, wrong end
  local made = {
    sources = {}, alerts = {}, redact = given.redact or {}, behind = given.behind, page = given.page,
    tokens = given.tokens,
  }
  for i, one in ipairs(given.sources) do made.sources[i] = type(one) == "string" and { path = one } or one end
  for i, one in ipairs(given.alerts or {}) do made.alerts[i] = complete(one) end
  wrong = contradiction(made, secret)
  return not wrong and made or nil, wrong
end

--- Those of paths with ":" between them.
function settings.of_paths(text)
  local made = { sources = {}, alerts = {}, redact = {} }
  for one in text:gmatch "[^:]+" do made.sources[#made.sources + 1] = { path = one } end
  return made
end

return settings
