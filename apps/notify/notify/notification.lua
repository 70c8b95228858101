-- notification: what publishers may send.
--
-- All is checked before anything is stored, so a box holds nothing that a page would have to distrust.

local weir = require "weir"
local fields = require "notify.fields"
local markdown = require "notify.markdown"

local notification = {}

local TEXT = 4096 -- bytes
local URL = 2048
local BYTES = 8192 -- all of it, as JSON

-- ---- kinds of its own -----------------------------------------------------------------------------------------------

local function link(value)
  local good = type(value) == "string" and #value <= URL and markdown.is_link(value)
  return not good and "an address that begins with https://, http:// or /" or nil
end

local short = fields.match("^[^%c<>/:]+$", 16, "")

local function icon(value)
  return short(value) and link(value) and "an emoji, or an address that begins with https://, http:// or /" or nil
end

local function text(value)
  if type(value) ~= "string" or #value > TEXT or value:find "[%z\1-\8\11-\31\127]" then
    return ("a text of at most %d bytes"):format(TEXT)
  end
  return markdown.problem(value)
end

local units = { s = 1, m = 60, h = 3600, d = 86400 }

local function time(value)
  local good = type(value) == "string" and value:find "^%d%d?%d?%d?%d?%d?[smhd]$" or not fields.time(value)
  return not good and 'a Unix time in seconds, or a span from now such as "30m", "2h", "7d"' or nil
end

local function time_of(value, now)
  if type(value) == "number" then return value end
  return now + tonumber(value:sub(1, -2)) * units[value:sub(-1)]
end

local label, is_type = fields.line(40), fields.line(8)

local action = fields.variants {
  link = fields.object({ type = is_type, label = label, url = link }, { "label", "url" }),
  copy = fields.object({ type = is_type, label = label, text = fields.line(URL) }, { "label", "text" }),
  call = fields.object({
    type = is_type, label = label, url = link, body = fields.line(URL),
    method = fields.one_of { "DELETE", "GET", "PATCH", "POST", "PUT" },
  }, { "label", "url" }),
}

local kind = fields.object({
  title = fields.line(200),
  text = text,
  severity = fields.whole(1, 5),
  tags = fields.list(fields.match("^%w[%w_.-]*$", 32, 'a word of letters, digits, "_", "." and "-"'), 0, 8),
  icon = icon,
  link = link,
  actions = fields.list(action, 0, 3),
  key = fields.line(64),
  expires = time,
  show_at = time,
  event = fields.match("^%l[%l%d_-]*%.%l[%l%d_-]*%.%l[%l%d_-]*$", 100,
    "a name of the form resource.action.state, in lower case"),
  keep_state = fields.boolean,
  data = fields.map(fields.line(64), fields.scalar, 20),
}, { "title" })

-- ---- the whole ------------------------------------------------------------------------------------------------------

-- What is wrong with its times, by now.
local function wrong_time(item, now, age)
  if item.expires and item.expires <= now then return fields.problem("expires", "in the future") end
  if item.show_at and item.show_at > now + age then
    return fields.problem("show_at", "within the time that an inbox keeps")
  end
  if item.expires and item.show_at and item.expires <= item.show_at then
    return fields.problem("expires", "later than show_at")
  end
end

--- A notification as it is kept; or nil and { field, error }. `given` is what a publisher sent, `age` how long it may
--- be kept, in seconds.
function notification.check(given, age)
  local problem = fields.check(kind, given)
  if problem then return nil, problem end
  local now, item = weir.now(), {}
  for name, value in pairs(given) do item[name] = value end
  for _, name in ipairs { "tags", "actions" } do
    if given[name] and #given[name] == 0 then item[name] = nil end -- in Lua an empty list looks like an empty object
  end
  item.severity = given.severity or 3
  item.expires = given.expires and time_of(given.expires, now)
  item.show_at = given.show_at and time_of(given.show_at, now)
  item.size = #weir.json.encode(item)
  problem = wrong_time(item, now, age) or item.size > BYTES and
    fields.problem("the body", ("at most %d bytes"):format(BYTES)) or nil
  return not problem and item or nil, problem
end

return notification
