-- box: what a log of notifications comes to. One for each user, and one for what is for all.
--
--   events, by id --apply--> items   by id: a notification, and three places in the log
--                            marks   by id: what its owner has made of an item, of either box
--                            gone    by id: where an item has been taken away
--
-- It is a function of the events alone: whoever has applied the same ones, in the same order, has the same box. The
-- page has a second one (public/box.js), and so a device, the server after a restart, and another worker agree without
-- asking each other. What depends on the time, such as an expiry, changes nothing here: inbox.lua looks at it.
--
-- The places of an item:
--
--   at        where it first was put: its place in the list
--   rev       where its content was put last
--   renewed   where it was last put as news: marks that are older count no more; "": all count, even one that came
--             before the item
--
-- It must not know of streams, of stores, or of the time.

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

--- An empty one.
function box.new()
  return { at = "0-0", items = {}, marks = {}, gone = {}, dropped = 0 }
end

--- The time in ms that is in an id.
function box.ms(id)
  return tonumber(id:sub(1, 13)) or 0
end

-- The key whose `field`, or the value itself, is the smallest; and how many there are.
local function oldest(map, field)
  local key, least, count = nil, nil, 0
  for k, value in pairs(map) do
    local place = field and value[field] or value
    count = count + 1
    if not least or place < least or place == least and k < key then key, least = k, place end
  end
  return key, count
end

local function keep_newest(map, most, field)
  local key, count = oldest(map, field)
  while count > most do
    map[key] = nil
    key, count = oldest(map, field)
  end
end

-- ---- items ----------------------------------------------------------------------------------------------------------

--- Takes an item away; its mark goes with it, and so do those in other boxes, when it is put again.
function box.remove(self, id, place)
  self.items[id], self.marks[id], self.gone[id] = nil, nil, place
end

local function bytes(self)
  local sum = 0
  for _, item in pairs(self.items) do sum = sum + item.size end
  return sum
end

local function drop_oldest(self, place, bounds)
  local id, count = oldest(self.items, "rev")
  while count > 1 and (count > bounds.count or bytes(self) > bounds.bytes) do
    box.remove(self, id, place)
    self.dropped = self.dropped + 1
    id, count = oldest(self.items, "rev")
  end
end

local function renewed(self, old, item, place)
  if old then return item.keep_state and old.renewed or place end
  return self.gone[item.id] and place or ""
end

local function put(self, place, item, bounds)
  local old = self.items[item.id]
  if old and old.expires and old.expires * 1000 <= box.ms(place) then
    box.remove(self, item.id, place)
    old = nil
  end
  if old and old.once and old.once == item.once then return end -- the same one, told twice
  item.at, item.rev, item.renewed = old and old.at or place, place, renewed(self, old, item, place)
  self.items[item.id], self.gone[item.id] = item, nil
  drop_oldest(self, place, bounds)
  keep_newest(self.gone, bounds.count)
end

-- ---- marks ----------------------------------------------------------------------------------------------------------

--- What an item is, by its mark: a level, and until when it sleeps (Unix time, or nil).
function box.level(item, mark, ms)
  if not mark or item and mark.rev <= item.renewed then return levels.unseen end
  local till = mark.snoozed_until
  if till and till * 1000 <= ms then return levels.unseen end -- it is back, as news
  return mark.level, till
end

-- A device tells what it did in the order of its own numbers; what comes late, or again, is over.
local function is_late(mark, change)
  local last = change.device and mark and mark.by[change.device]
  return last ~= nil and last >= change.n
end

local function marked(mark, item, place, change)
  local level, till = box.level(item, mark, box.ms(place))
  local by = {}
  for device, n in pairs(mark and mark.by or {}) do by[device] = n end
  if change.device then by[change.device] = change.n end
  keep_newest(by, DEVICES)
  if change.action == "snooze" then till = change.snoozed_until elseif change.action ~= "seen" then till = nil end
  return { level = box.actions[change.action](level), snoozed_until = till, rev = place, by = by }
end

local function set_state(self, place, change, bounds, others)
  for _, id in ipairs(change.ids) do
    local mark = self.marks[id]
    if not is_late(mark, change) then
      self.marks[id] = marked(mark, self.items[id] or others.items[id], place, change)
    end
  end
  keep_newest(self.marks, bounds.marks, "rev")
end

-- ---- events ---------------------------------------------------------------------------------------------------------

local apply = {
  ["notification.item.put"] = put,
  ["notification.item.withdrawn"] = function(self, place, data, bounds)
    box.remove(self, data.id, place)
    keep_newest(self.gone, bounds.count)
  end,
  ["notification.state.set"] = set_state,
  ["notification.preferences.set"] = function(self, _, preferences) self.preferences = preferences end,
  ["notification.box.deleted"] = function(self)
    self.items, self.marks, self.gone, self.dropped, self.preferences = {}, {}, {}, 0, nil
  end,
}

--- Applies an event { id, event, data } of the box's log, unless that has been. `bounds`: how many items, bytes and
--- marks it may hold; `others`: the box of what is for all.
function box.apply(self, event, bounds, others)
  if event.id <= self.at then return end
  self.at = event.id
  local change = apply[event.event]
  if change then change(self, event.id, event.data, bounds, others) end
end

return box
