-- inbox: what a user sees of two boxes, their own and that of all, at a time.

local weir = require "weir"
local box = require "notify.box"

local inbox = {}

local names = { [0] = "unseen", "seen", "read", "done" }

-- What programs and people are told of an item, beside its state.
local shown = {
  "id", "title", "text", "severity", "tags", "icon", "link", "actions", "key", "event", "data", "broadcast", "expires",
}

local function is_due(item, now, age)
  if item.expires and item.expires <= now or item.show_at and item.show_at > now then return false end
  return box.ms(item.rev) / 1000 + age > now
end

local function is_muted(item, preferences)
  local tags = preferences and preferences.tags or {}
  for _, tag in ipairs(item.tags or {}) do
    if tags[tag] == "mute" then return true end
  end
  return false
end

local function entry(item, mark, now, own)
  local level, till = box.level(item, mark, now * 1000, own.since)
  local back = not till and level == 0 and mark and mark.snoozed_until
  local out = {
    at = box.ms(item.at) / 1000,
    updated = item.rev > item.at and box.ms(item.rev) / 1000 or nil,
    state = till and "snoozed" or names[level],
    snoozed_until = till,
    muted = is_muted(item, own.preferences) or nil,
    place = item.at,
    news = box.news(item),
    sort = math.floor(math.max(box.ms(item.at), (item.show_at or 0) * 1000, back and back * 1000 or 0)),
  }
  for _, field in ipairs(shown) do out[field] = item[field] end
  return out
end

local function is_before(a, b)
  if a.sort ~= b.sort then return a.sort > b.sort end
  return a.place > b.place
end

--- Everything that is there for a user now, the newest first. `own` and `all` are boxes, `age` is how long they keep,
--- in seconds.
function inbox.list(own, all, now, age)
  local list = {}
  for _, items in ipairs { own.items, all.items } do
    for id, item in pairs(items) do
      if is_due(item, now, age) then list[#list + 1] = entry(item, own.marks[id], now, own) end
    end
  end
  table.sort(list, is_before)
  return list
end

--- Parts of a list, by name.
inbox.views = {
  inbox = function(e) return e.state ~= "done" and e.state ~= "snoozed" end,
  unread = function(e) return e.state == "unseen" or e.state == "seen" end,
  unseen = function(e) return e.state == "unseen" end,
  done = function(e) return e.state == "done" end,
  snoozed = function(e) return e.state == "snoozed" end,
  all = function() return true end,
}

local function has_tag(e, tag)
  for _, one in ipairs(e.tags or {}) do
    if one == tag then return true end
  end
  return false
end

--- Those of a list that a filter chooses: `view`, `tag`, `severity` (at least), `upto` (a place in the log: not what
--- has become news since).
function inbox.choose(list, filter)
  local chosen, is_in = {}, inbox.views[filter.view or "inbox"]
  for _, e in ipairs(list) do
    if is_in(e) and (not filter.tag or has_tag(e, filter.tag)) and (e.severity >= (filter.severity or 1)) and
      (not filter.upto or e.news <= filter.upto) then
      chosen[#chosen + 1] = e
    end
  end
  return chosen
end

--- Where an entry stands in a list, as a text.
function inbox.cursor(e)
  return ("%.0f_%s"):format(e.sort, e.place)
end

--- Of a list the next `limit` behind a cursor, or the first ones, and whether there are more.
function inbox.page(list, cursor, limit)
  local page, sort, place = {}, (cursor or ""):match "^(%d+)_(.+)$"
  local last = { sort = tonumber(sort), place = place }
  for _, e in ipairs(list) do
    if not sort or is_before(last, e) then
      if #page == limit then return page, true end
      page[#page + 1] = e
    end
  end
  return page, false
end

--- A list as it is told, without what orders it.
function inbox.tell(list)
  for _, e in ipairs(list) do e.sort, e.place, e.news = nil, nil, nil end
  return weir.json.array(list)
end

--- How many are unseen (the badge), unread and there; and the highest severity of those unseen. What is muted by its
--- tags is in the inbox, but counts nowhere else.
function inbox.counts(list)
  local counts = { unseen = 0, unread = 0, inbox = 0, severity = 0 }
  for _, e in ipairs(list) do
    if inbox.views.inbox(e) then counts.inbox = counts.inbox + 1 end
    if inbox.views.unread(e) and not e.muted then counts.unread = counts.unread + 1 end
    if inbox.views.unseen(e) and not e.muted then
      counts.unseen = counts.unseen + 1
      counts.severity = math.max(counts.severity, e.severity)
    end
  end
  return counts
end

return inbox
