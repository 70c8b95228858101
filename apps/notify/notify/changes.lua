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

local tag = fields.line(32)
local place = fields.match("^%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d$", 21, "a position, as the inbox gives it")

local filter_fields = {
  view = fields.one_of(names(inbox.views)),
  tag = tag,
  severity = fields.whole(1, 5),
  upto = place,
}

-- ---- reading --------------------------------------------------------------------------------------------------------

-- A user's list, the position behind it, and the box it comes from.
local function load(sub)
  local own, all, position = mailbox.load(sub)
  return inbox.list(own, all, weir.now(), mailbox.bounds().age), position, own
end

--- How many are there: see inbox.counts; and the position behind them.
function changes.sum(sub)
  local list, position = load(sub)
  return inbox.counts(list), position
end

local cursor = fields.match("^%d+_%d+%-%d+$", 48, "what `next` of the page before is")
local page_fields = { limit = fields.whole(1, PAGE_MOST), after = cursor }
for name, kind in pairs(filter_fields) do page_fields[name] = kind end
local page_kind = fields.object(page_fields)

-- What a query asks for: { view, tag, severity, upto, limit, after }.
local function page_of(query)
  local asked = {}
  for name, value in pairs(query) do asked[name] = value end
  for _, name in ipairs { "severity", "limit" } do
    asked[name] = query[name] and (tonumber(query[name]) or query[name])
  end
  return check(page_kind, asked)
end

--- GET /inbox: a page of it.
function changes.show(stream)
  local asked = page_of(stream.query)
  local list, position, own = load(stream.claims.sub)
  local page, more = inbox.page(inbox.choose(list, asked), asked.after, asked.limit or PAGE)
  local behind = more and inbox.cursor(page[#page]) or nil
  return {
    counts = inbox.counts(list), items = inbox.tell(page), next = behind, position = position, dropped = own.dropped,
  }
end

--- GET /box: all that a device needs to go on by itself.
function changes.show_box(stream)
  local own, all, position = mailbox.load(stream.claims.sub)
  return { own = own, all = all, position = position, bounds = mailbox.bounds() }
end

--- GET /export: all that is kept of a user.
function changes.export(stream)
  local own = mailbox.load(stream.claims.sub)
  stream:header("Content-Disposition", 'attachment; filename="notifications.json"')
  return { sub = stream.claims.sub, exported = weir.now(), box = own }
end

local function unavailable(why)
  weir.fail(503, { error = ("the server cannot keep that now (%s); try again later"):format(why) })
end

--- DELETE /data.
function changes.delete(stream)
  local done, why = mailbox.delete(stream.claims.sub)
  if not done then unavailable(why) end
end

-- ---- states ---------------------------------------------------------------------------------------------------------

local id = fields.match("^[ub]%x+$", 25, "an id of a notification")

local change_kind = fields.object({
  ids = fields.list(id, 1, IDS),
  filter = fields.object(filter_fields),
  action = fields.one_of(names(box.actions)),
  snoozed_until = fields.time,
  upto = place,
  device = fields.match("^%w[%w-]*$", 36, 'a name of letters, digits and "-", of 1 to 36'),
  n = fields.whole(0, 2 ^ 53 - 1),
}, { "action" })

local function check_change(given)
  check(change_kind, given)
  if (given.ids == nil) == (given.filter == nil) then refuse("ids", "there, or filter, and not both") end
  if (given.device == nil) ~= (given.n == nil) then refuse("n", "there if device is, a number that grows") end
  if (given.snoozed_until == nil) == (given.action == "snooze") then
    refuse("snoozed_until", "there if the action is snooze, and only then")
  end
  if given.snoozed_until and given.snoozed_until <= weir.now() then refuse("snoozed_until", "in the future") end
  return given
end

-- Those that a filter chooses, and up to where they had been news.
local function chosen_by(sub, filter)
  local list, position = load(sub)
  local ids = {}
  for _, entry in ipairs(inbox.choose(list, filter)) do
    if #ids < IDS then ids[#ids + 1] = entry.id end
  end
  return ids, filter.upto or position
end

-- Where those of what is for all were last news; nil: none of them is.
local function news_of(ids)
  local all, of = nil, {}
  for _, one in ipairs(ids) do
    if one:sub(1, 1) == "b" then
      all = all or mailbox.load_all()
      of[one] = all.items[one] and box.news(all.items[one])
    end
  end
  return next(of) and of or nil
end

--- POST /state: changes some notifications, or all under a filter.
function changes.set_state(stream)
  local given, sub = check_change(stream:json_body()), stream.claims.sub
  local ids, upto = given.ids, given.upto
  if given.filter then ids, upto = chosen_by(sub, given.filter) end
  if #ids == 0 then return { changed = 0 } end
  local at, why = mailbox.append(sub, "notification.state.set", {
    ids = ids, of = news_of(ids), action = given.action, snoozed_until = given.snoozed_until, upto = upto,
    device = given.device, n = given.n,
  })
  if not at then unavailable(why) end
  return { changed = #ids, at = at }
end

-- ---- preferences ----------------------------------------------------------------------------------------------------

local function time_of_day(value)
  local hour = type(value) == "string" and #value == 5 and value:match "^(%d%d):[0-5]%d$"
  return not (hour and tonumber(hour) < 24) and 'a time of the day such as "22:00"' or nil
end

local preferences_kind = fields.object {
  quiet = fields.object({ from = time_of_day, to = time_of_day, severity = fields.whole(1, 5) }, { "from", "to" }),
  tags = fields.map(tag, fields.one_of { "mute", "silent" }, 100),
}

--- PUT /preferences: hours that are quiet but for some severity, and tags that are.
function changes.set_preferences(stream)
  local given = check(preferences_kind, stream:json_body())
  local preferences, sub = { quiet = given.quiet, tags = given.tags or {} }, stream.claims.sub
  local at, why = mailbox.append(sub, "notification.preferences.set", preferences)
  if not at then unavailable(why) end
  mailbox.snapshot(sub) -- they stay, however old the event becomes
end

--- GET /preferences.
function changes.show_preferences(stream)
  local own = mailbox.load(stream.claims.sub)
  return own.preferences or { tags = {} }
end

return changes
