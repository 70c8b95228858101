-- mailbox: where a box lives: in a topic, which is its log, and behind that in the store, as a snapshot.
--
--   put, mark ... --publish--> topic "notify/user/ann" --history--> box
--                                   `--every SNAPSHOT events--> store "notify", "box/ann" = box up to an id
--
-- The log is the truth: one publish is one commit, and the order of the log decides. A snapshot is what part of it has
-- come to, so that the log may forget; it can be made at any time, by anybody, twice, and of two the one that is
-- further stays. So nothing is lost or doubled by a crash between any two steps.
--
-- What is for all is a mailbox of its own, kept once. Marks of its items are in the boxes of those who made them.

local weir = require "weir"
local box = require "notify.box"

local mailbox = {}

local SNAPSHOT = 64 -- events in the log behind the last one
local PAGE = 500 -- events that are read at once
local LOG = { count = 1000, bytes = "4MB" } -- far more than SNAPSHOT events of the largest kind

local settings -- { name, age, bounds = { own =, all = } }

-- ---- names ----------------------------------------------------------------------------------------------------------

--- The topic of a user, or, nil, of all.
function mailbox.topic(sub)
  return sub and weir.topic(settings.name .. "/user", sub) or settings.name .. "/all"
end

local function row(sub) return sub and "user/" .. sub or "all" end

local function store() return weir.store(settings.name) end

--- Says where boxes are kept: { name, age (seconds), count, bytes }. At the top of an app.
function mailbox.use(given)
  settings = {
    name = given.name,
    age = given.age,
    own = { count = given.count, bytes = given.bytes, marks = 3 * given.count },
    all = { count = given.count, bytes = given.bytes, marks = 0 },
  }
  local history = { count = LOG.count, bytes = LOG.bytes, age = given.age }
  weir.topics {
    [given.name .. "/user/*"] = { history = history, durable = true },
    [given.name .. "/all"] = { history = history, durable = true },
  }
end

--- What a box may hold: { age, own =, all = }.
function mailbox.bounds()
  return { age = settings.age, own = settings.own, all = settings.all }
end

-- ---- reading --------------------------------------------------------------------------------------------------------

local function unavailable()
  weir.fail(503, { error = "the disk of the server failed; nothing was changed, try again later" })
end

local function check(value, why)
  if value == nil and why == "io" then unavailable() end
  return value
end

-- The events behind `at`, oldest first.
local function each_event(topic, at)
  local page, i, more = {}, 0, true
  return function()
    i = i + 1
    if i > #page and more then
      page, more = weir.history(topic, { after = at, limit = PAGE, decode = true })
      check(page, more)
      if #page > 0 then at = page[#page].id end
      i = 1
    end
    return page[i]
  end
end

local nothing = { items = {} }

local function load(sub, others)
  local kept, why = store():get(row(sub))
  local self = check(kept, why) or box.new()
  local bounds, events = sub and settings.own or settings.all, 0
  for event in each_event(mailbox.topic(sub), self.at) do
    box.apply(self, event, bounds, others)
    events = events + 1
  end
  return self, events
end

--- The boxes of a user, and of all; and the place from which on what is missing in them will come.
function mailbox.load(sub)
  local position = weir.position()
  local all = load(nil, nothing)
  return load(sub, all), all, position
end

-- ---- snapshots ------------------------------------------------------------------------------------------------------

local function is_over(self, place, seconds)
  return box.ms(place) / 1000 + settings.age <= seconds or self.expires and self.expires <= seconds
end

-- What nobody can see any more. Marks of it would count again if it were put again.
local function prune(self, now)
  local removed = {}
  for id, item in pairs(self.items) do
    if is_over(item, item.rev, now) then removed[#removed + 1] = id end
  end
  for _, id in ipairs(removed) do box.remove(self, id, self.at) end
  for id, place in pairs(self.gone) do
    if is_over({}, place, now) then self.gone[id] = nil end
  end
  for id, mark in pairs(self.marks) do
    if is_over({}, mark.rev, now) then self.marks[id] = nil end
  end
end

local function save(sub, self)
  return store():update(row(sub), function(kept)
    return kept and kept.at >= self.at and kept or self
  end)
end

local function snapshot(sub)
  local self, events = load(sub, sub and load(nil, nothing) or nothing)
  if events < SNAPSHOT then return end
  prune(self, weir.now())
  save(sub, self)
end

-- Every so many events; also at the first one that this run counts, for nobody knows what the last run left.
local function count(sub)
  local n = weir.shared(settings.name):incr("log/" .. row(sub), 1, settings.age)
  if not n or n == 1 or n % SNAPSHOT == 0 then weir.background(snapshot, sub) end
end

--- Takes away the snapshots of whom nothing is left to see. They come again with what is put next.
function mailbox.sweep()
  local now = weir.now()
  for key, self in store():each "user/" do
    if is_over({}, self.at, now) and not self.preferences then
      store():update(key, function(kept) return kept and kept.at ~= self.at and kept or nil end)
    end
  end
end

-- ---- writing --------------------------------------------------------------------------------------------------------

--- Appends to the log of a user's box, or, nil, of all: the id, and how many streams it reached.
function mailbox.append(sub, name, data, options)
  local id, streams = weir.publish(mailbox.topic(sub), { event = name, data = data }, options)
  if not id then unavailable() end
  count(sub)
  return id, streams
end

--- Erases what a user has: log, snapshot, and all devices' boxes.
function mailbox.delete(sub)
  local id = mailbox.append(sub, "notification.box.deleted", {}, { only = true })
  local empty = box.new()
  empty.at = id -- a snapshot that is just being made of what was would come after it, and give way
  if not save(sub, empty) then unavailable() end
end

return mailbox
