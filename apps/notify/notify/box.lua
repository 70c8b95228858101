-- box: what a log of notifications comes to. One for each user, and one for what is for all.
--
--   events, by id --apply--> items   by id: a notification, and three places in the log
--                            marks   by id: what its owner has made of an item, of either box
--                            gone    by id: where an item was taken away
--
-- It is a function of the events alone: whoever has applied the same ones, in the same order, has the same box. The
-- page has a second one (public/box.js), and so a device, the server after a restart, and another worker agree without
-- asking each other. The only time there is here is that of the events. What nobody sees any more goes when the next
-- one is put; that it is not shown before is for inbox.lua, which knows what time it is.
--
-- The places of an item:
--
--   at        where it first was put: its place in the list
--   rev       where its content was put last
--   renewed   where it was put as news again: marks of what it was before count no more; "": it was not, and even a
--             mark that came before the item counts
--
-- It must not know of streams or of stores.

local box = {}

--- What can be done to an item: the level that comes of the one before. "snooze" leaves it.
local levels = { unseen = 0, seen = 1, read = 2, done = 3 }
box.actions = {
  seen = function(level) return math.max(level, levels.seen) end,
  unseen = function() return levels.unseen end,
  read = function(level) return math.max(level, levels.read) end,
  unread = function(level) return math.min(level, levels.seen) end,
  done = function() return levels.done end,
  undone = function(level) return math.min(level, levels.read) end,
  snooze = function(level) return level end,
  unsnooze = function(level) return level end,
}

local DEVICES = 8 -- that a mark remembers

--- An empty one. `since`: what is for all and older is no news; `forgotten`: what `gone` has had up to there.
function box.new()
  return { at = "0-0", items = {}, marks = {}, gone = {}, since = "", forgotten = "", dropped = 0 }
end

--- The time in ms that is in an id.
function box.ms(id)
  return tonumber(id:sub(1, 13)) or 0
end

local function count(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

-- The keys of a map for which `may_go` holds, those with the smallest place first: all but `most` of the whole map.
local function surplus(map, most, place_of, may_go)
  local excess, keys = count(map) - most, {}
  if excess <= 0 then return keys end
  for key in pairs(map) do
    if not may_go or may_go(key) then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    local first, second = place_of(map[a]), place_of(map[b])
    if first ~= second then return first < second end
    return a < b
  end)
  for i = #keys, excess + 1, -1 do keys[i] = nil end
  return keys
end

local function itself(place) return place end
local function rev(value) return value.rev end

-- ---- items ----------------------------------------------------------------------------------------------------------

local function forget_surplus(self, bounds)
  for _, id in ipairs(surplus(self.gone, bounds.count, itself)) do
    if self.gone[id] > self.forgotten then self.forgotten = self.gone[id] end
    self.gone[id] = nil
  end
end

-- Takes an item away; its mark goes with it, and so do those in other boxes, should it be put again.
local function remove(self, id, place)
  self.items[id], self.marks[id], self.gone[id] = nil, nil, place
end

local function is_over(item, now, bounds)
  return item.expires and item.expires * 1000 <= now or box.ms(item.rev) + bounds.age * 1000 <= now
end

-- What nobody sees any more makes room first.
local function sweep(self, place, bounds)
  local over, now = {}, box.ms(place)
  for id, item in pairs(self.items) do
    if is_over(item, now, bounds) then over[#over + 1] = id end
  end
  for _, id in ipairs(over) do remove(self, id, place) end
end

local function bytes(self)
  local sum = 0
  for _, item in pairs(self.items) do sum = sum + item.size end
  return sum
end

local function drop(self, id, place)
  local mark = self.marks[id]
  if not (mark and mark.level == levels.done) then self.dropped = self.dropped + 1 end
  remove(self, id, place)
end

local function make_room(self, place, bounds)
  for _, id in ipairs(surplus(self.items, bounds.count, rev)) do drop(self, id, place) end
  local sum = bytes(self)
  if sum <= bounds.bytes then return end
  for _, id in ipairs(surplus(self.items, 1, rev)) do
    if sum <= bounds.bytes then return end
    sum = sum - self.items[id].size
    drop(self, id, place)
  end
end

local function renewed(self, old, item, place)
  if old then return item.keep_state and old.renewed or place end
  return self.gone[item.id] and place or self.forgotten
end

local function put(self, place, item, bounds)
  sweep(self, place, bounds)
  local old = self.items[item.id]
  if old and old.once and old.once == item.once then return end -- the same one, told twice
  item.at, item.rev, item.renewed = old and old.at or place, place, renewed(self, old, item, place)
  self.items[item.id], self.gone[item.id] = item, nil
  make_room(self, place, bounds)
  forget_surplus(self, bounds)
end

local function withdraw(self, place, data, bounds)
  remove(self, data.id, place)
  forget_surplus(self, bounds)
end

-- ---- marks ----------------------------------------------------------------------------------------------------------

--- Where an item was last news.
function box.news(item)
  return item.renewed > item.at and item.renewed or item.at
end

-- Whether a mark is of what the item, whose news was at `news`, is now; or of what was to come, and came.
local function is_of(mark, news, item)
  return mark.of >= news or mark.of == "" and item ~= nil and item.renewed == ""
end

local function level_of(mark, news, item, ms, since)
  if not mark or not is_of(mark, news, item) then
    return news ~= "" and news <= since and levels.seen or levels.unseen
  end
  local till = mark.snoozed_until
  if till and till * 1000 <= ms then return levels.unseen end -- it is back, as news
  return mark.level, till
end

--- What an item is, by its mark: a level, and until when it sleeps (Unix time, or nil). `ms` is the time; `since` that
--- of the box that the mark is in.
function box.level(item, mark, ms, since)
  return level_of(mark, box.news(item), item, ms, item.broadcast and since or "")
end

-- A device tells what it did in the order of its own numbers; what comes late, or again, is over. So is what was done
-- to something that has been put anew since: whoever did it had seen the log up to `upto` only.
local function is_void(mark, news, change)
  local last = change.device and mark and mark.by[change.device]
  return last and last >= change.n or change.upto and news > change.upto
end

local function marked(self, mark, news, item, place, change)
  local level, till = level_of(mark, news, item, box.ms(place), item and "" or self.since)
  local by = {}
  for device, n in pairs(mark and mark.by or {}) do by[device] = n end
  if change.device then by[change.device] = change.n end
  local function is_other(device) return device ~= change.device end
  for _, device in ipairs(surplus(by, DEVICES, itself, is_other)) do by[device] = nil end
  if change.action == "snooze" then till = change.snoozed_until elseif change.action ~= "seen" then till = nil end
  return { level = box.actions[change.action](level), snoozed_until = till, of = news, rev = place, by = by }
end

-- Of what is for all, `change.of` tells where it was last news: that box is another one.
local function set_state(self, place, change, bounds)
  for _, id in ipairs(change.ids) do
    local mark, item = self.marks[id], self.items[id]
    local news = item and box.news(item) or change.of and change.of[id] or ""
    if not is_void(mark, news, change) then self.marks[id] = marked(self, mark, news, item, place, change) end
  end
  local function is_foreign(id) return self.items[id] == nil end
  for _, id in ipairs(surplus(self.marks, bounds.marks, rev, is_foreign)) do self.marks[id] = nil end
end

-- ---- events ---------------------------------------------------------------------------------------------------------

local apply = {
  ["notification.item.put"] = put,
  ["notification.item.withdrawn"] = withdraw,
  ["notification.state.set"] = set_state,
  ["notification.preferences.set"] = function(self, _, preferences) self.preferences = preferences end,
  ["notification.box.deleted"] = function(self, place)
    for field, value in pairs(box.new()) do self[field] = value end
    self.at, self.since, self.preferences = place, place, nil
  end,
}

--- Applies an event { id, event, data } of the box's log, unless that has been. `bounds`: how many items, bytes and
--- marks it may hold, and for how long, in seconds.
function box.apply(self, event, bounds)
  if event.id <= self.at then return end
  self.at = event.id
  local change = apply[event.event]
  if change then change(self, event.id, event.data, bounds) end
end

return box
