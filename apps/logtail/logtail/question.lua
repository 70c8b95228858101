-- question: what a query asks for, as weir.logs takes it.
--
--   ?text=a&text=b&not=c&level=warn&pattern=d                  which lines
--   &field=e&is=f&notfield=g&notis=h                           the same of JSON
--   &since=2026-01-31T12:00:00Z&until=1769860800&only=KEY      from when, until when, of which files
--   &after=ID&before=ID&upto=ID&lines=N                        from where, and how many
--
-- What cannot be meant is 400, and says what could be; what is not there for this viewer is 404. A parameter that
-- nobody knows is 400, too: a filter with a slip in its name would show all lines.

local weir = require "weir"
local view = require "logtail.view"

local question = {}

local ID = 16 * 1024 -- bytes: the places in all the files that a viewer reads
local FILES = 100 -- that `only` may name
local LINES = 100000
local LINE = "32KB" -- of a line in one piece: as JSON it fits into an event, whatever its bytes are

-- What each route understands, by how often it may stand there.
local everywhere = {
  text = "several", ["not"] = "several", only = "several", level = "once", pattern = "once", field = "several",
  is = "several", notfield = "several", notis = "several", since = "once", ["until"] = "once", lines = "once",
  format = "once", ticket = "once",
}
local own = {
  lines = { after = "once", last_event_id = "once", lastEventId = "once" },
  search = { before = "once" },
  read = { after = "once", upto = "once" },
  download = { after = "once", upto = "once" },
}

local function fail(message, ...)
  weir.fail(400, message:format(...) .. "\n")
end

local function check_names(stream, what)
  for name in pairs(stream.query) do
    local often = everywhere[name] or own[what][name]
    if not often then fail('there is no parameter "%s" for %s', (name:gsub("%c", "?"):sub(1, 40)), what) end
    if often == "once" and #stream:query_all(name) > 1 then fail("%s may be given once", name) end
  end
end

-- Fields and their values are pairs by their places.
local function add_fields(stream, rules, field, is)
  local fields, values = stream:query_all(field), stream:query_all(is)
  if #fields ~= #values then fail("%s and %s come in pairs: %s=user.id&%s=7", field, is, field, is) end
  for i, name in ipairs(fields) do rules[#rules + 1] = { field = name, is = values[i] } end
end

local function filters(stream)
  local include, query = {}, stream.query
  for _, text in ipairs(stream:query_all "text") do include[#include + 1] = { text = text } end
  if query.level then include[#include + 1] = { level = query.level } end
  if query.pattern then include[#include + 1] = { pattern = query.pattern } end
  add_fields(stream, include, "field", "is")
  local exclude = stream:query_all "not"
  add_fields(stream, exclude, "notfield", "notis")
  return include, exclude
end

-- A time, as weir.logs takes it. In a query a "+" is a space.
local function time(stream, name)
  local text = stream.query[name]
  return text and text:gsub(" (%d%d:?%d%d)$", "+%1") or nil
end

local function count(stream, default)
  local text = stream.query.lines
  if not text then return default end
  local number = text:find "^%d%d?%d?%d?%d?%d?$" and tonumber(text)
  if not number or number > LINES then fail("lines must be a whole number, 0 to %d", LINES) end
  return number
end

local function only(stream, of)
  local keys = stream:query_all "only"
  if #keys == 0 then return nil end
  if #keys > FILES then fail("only may be given %d times", FILES) end
  local known = view.keys(of)
  for _, key in ipairs(keys) do
    if not key:find "^%x%x%x%x%x%x%x%x$" then fail("only must be the key of a file, 8 hex digits as sources has it") end
    if not known[key] then weir.fail(404, "there is no such file\n") end
  end
  return keys
end

-- How many places an id has, and how many of them are in files of the view; nil: it is no id.
local function places(id, of)
  local keys, all, known = view.keys(of), 0, 0
  for element in (id .. ","):gmatch "([^,]*)," do
    local key = element:match "^(%x%x%x%x%x%x%x%x)~[%w._-]+$"
    if not key then return nil end
    all, known = all + 1, known + (keys[key] and 1 or 0)
  end
  return all, known
end

-- A place in files that are there, one at least; nil: none was given.
local function known_place(stream, name, of)
  local id = stream.query[name]
  if not id then return nil end
  local all, known = places(#id <= ID and id or "", of)
  if not all then fail("%s must be the id of a line", name) end
  if known == 0 then weir.fail(404, "there is no such line\n") end
  return id
end

-- Where a reader comes back to. What is no id of this view is nothing to it: it begins anew, and is told of a gap.
local function place(stream)
  local id = stream.headers["last-event-id"]
  if (id or "") == "" then id = stream.query.last_event_id or stream.query.lastEventId or stream.query.after end
  if id and #id > ID then fail("the id is longer than %d bytes", ID) end
  return id ~= "" and id or nil
end

--- What `what` ("lines", "search", "read", "download") is asked for in a stream's query, of a view: options of
--- weir.logs.
function question.of(stream, what, of)
  check_names(stream, what)
  local include, exclude = filters(stream)
  local asked = {
    include = include, exclude = exclude, since = time(stream, "since"), only = only(stream, of), max_line = LINE,
  }
  local till = time(stream, "until")
  if what == "lines" then
    asked.after, asked.before, asked.lines, asked.behind = place(stream), till, count(stream, 200), of.settings.behind
  elseif what == "search" then
    asked.before, asked.lines = known_place(stream, "before", of) or till, count(stream, 1000)
  else
    asked.after, asked.upto = known_place(stream, "after", of), known_place(stream, "upto", of)
    asked.before, asked.lines = till, count(stream, what == "read" and 1000 or nil)
  end
  return asked
end

return question
