-- changes: what users do to their boxes, and how they ask what is in them.

local weir = require "weir"
local box = require "notify.box"
local fields = require "notify.fields"
local inbox = require "notify.inbox"
local mailbox = require "notify.mailbox"

local changes = {}

local IDS = 500 -- in one change
local PAGE, PAGE_MOST = 50, 200

local function names(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function check(kind, value)
  local problem = fields.check(kind, value)
  if problem then weir.fail(400, problem) end
  return value
end

local function refuse(...) weir.fail(400, fields.problem(...)) end

local id = fields.line(64)

local filter_fields = {
  view = fields.one_of(names(inbox.views)),
  tag = id,
  severity = fields.whole(1, 5),
  upto = fields.match("^%d+%-%d+$", 32, "a position, as the inbox gives it"),
}

-- ---- reading --------------------------------------------------------------------------------------------------------

--- A user's list, { position, counts, ... } of it, and the box it comes from.
local function load(sub)
  local own, all, position = mailbox.load(sub)
  return inbox.list(own, all, weir.now(), mailbox.bounds().age), position, own
end

--- How many are there: see inbox.counts; and the position behind them.
function changes.sum(sub)
  local list, position = load(sub)
  return inbox.counts(list), position
end

local page_fields = { limit = fields.whole(1, PAGE_MOST), after = id }
for name, kind in pairs(filter_fields) do page_fields[name] = kind end
local page_kind = fields.object(page_fields)

--- What a query asks for: { view, tag, severity, upto, limit, after }, all of them texts.
local function page_of(query)
  local asked = {}
  for name, value in pairs(query) do asked[name] = value end
  for _, name in ipairs { "severity", "limit" } do
    asked[name] = query[name] and (tonumber(query[name]) or query[name])
  end
  return check(page_kind, asked)
end

local function cut(list, after, limit)
  local first, page = 1, {}
  for i, entry in ipairs(list) do
    if entry.id == after then first = i + 1 end
  end
  for i = first, math.min(first + limit - 1, #list) do page[#page + 1] = list[i] end
  return page, first + limit <= #list
end

--- GET /inbox: a page of it.
function changes.show(stream)
  local asked = page_of(stream.query)
  local list, position, own = load(stream.claims.sub)
  local page, more = cut(inbox.choose(list, asked), asked.after, asked.limit or PAGE)
  return {
    items = inbox.tell(page), next = more and page[#page].id or nil, counts = inbox.counts(list), position = position,
    dropped = own.dropped,
  }
end

--- GET /box: all that a device needs to go on by itself.
function changes.show_box(stream)
  local own, all, position = mailbox.load(stream.claims.sub)
  return { own = own, all = all, position = position, bounds = mailbox.bounds() }
end

--- GET /export: all that is kept of a user.
function changes.export(stream)
  local list, _, own = load(stream.claims.sub)
  stream:header("Content-Disposition", 'attachment; filename="notifications.json"')
  return {
    sub = stream.claims.sub, exported = weir.now(), items = inbox.tell(list), marks = own.marks,
    preferences = own.preferences,
  }
end

--- DELETE /data.
function changes.delete(stream)
  mailbox.delete(stream.claims.sub)
end

-- ---- states ---------------------------------------------------------------------------------------------------------

local change_kind = fields.object({
  ids = fields.list(id, 1, IDS),
  filter = fields.object(filter_fields),
  action = fields.one_of(names(box.actions)),
  snoozed_until = fields.time,
  device = id,
  n = fields.whole(0, 2 ^ 53 - 1),
}, { "action" })

local function check_change(given)
  check(change_kind, given)
  if (given.ids == nil) == (given.filter == nil) then refuse("ids", "there, or filter, and not both") end
  if (given.device == nil) ~= (given.n == nil) then refuse("n", "there if device is, a number that grows") end
  if (given.snoozed_until == nil) == (given.action == "snooze") then
    refuse("snoozed_until", "there if the action is snooze, and only then")
  end
  return given
end

local function ids_under(sub, filter)
  local ids = {}
  for _, entry in ipairs(inbox.choose(load(sub), filter)) do
    if #ids < IDS then ids[#ids + 1] = entry.id end
  end
  return ids
end

--- POST /state: changes some notifications, or all under a filter.
function changes.set_state(stream)
  local given, sub = check_change(stream:json_body()), stream.claims.sub
  local ids = given.ids or ids_under(sub, given.filter)
  if #ids == 0 then return { changed = 0 } end
  local at = mailbox.append(sub, "notification.state.set", {
    ids = ids, action = given.action, snoozed_until = given.snoozed_until, device = given.device, n = given.n,
  })
  return { changed = #ids, at = at }
end

-- ---- preferences ----------------------------------------------------------------------------------------------------

local hour = fields.match("^[012]%d:[0-5]%d$", 5, 'a time of the day such as "22:00"')

local preferences_kind = fields.object {
  quiet = fields.object({ from = hour, to = hour, severity = fields.whole(1, 5) }, { "from", "to" }),
  tags = fields.map(id, fields.one_of { "mute", "silent" }, 100),
}

--- PUT /preferences: hours that are quiet but for some severity, and tags that are.
function changes.set_preferences(stream)
  local given = check(preferences_kind, stream:json_body())
  mailbox.append(stream.claims.sub, "notification.preferences.set", { quiet = given.quiet, tags = given.tags or {} })
end

--- GET /preferences.
function changes.show_preferences(stream)
  local own = mailbox.load(stream.claims.sub)
  return own.preferences or { tags = {} }
end

return changes
