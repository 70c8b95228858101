-- mailbox: where a box lives: in a topic, which is its log, and behind that in the store, as a snapshot.
--
--   put, mark ... --publish--> topic "notify/user/ann" --history--> box
--                                   `--now and then--> store "notify", "user/ann" = box up to an id
--
-- The log is the truth: one publish is one commit, and the order of the log decides. A snapshot is what part of it has
-- come to, so that the log may forget; it can be made at any time, by anybody, twice, and of two the one that is
-- further stays. So nothing is lost or doubled by a crash between any two steps.
--
-- The log keeps events twice as long as a box shows them, and a snapshot is made of the first event in each quarter of
-- that time: so whatever a box shows is in one of them.
--
-- What is for all is a mailbox of its own, kept once. Marks of its items are in the boxes of those who made them.

local weir = require "weir"
local box = require "notify.box"

local mailbox = {}

local SNAPSHOT = 64 -- events, after which there is one
local BREATH = 200 -- notifications that events change before others get their turn
local PAGE = 64 -- events that are read at once
local LOG = { count = 1000, bytes = "4MB" } -- far more than SNAPSHOT events of the largest kind

local settings -- what mailbox.use was given,
local bounds -- and what a box may hold: { count, bytes, marks, age (seconds) }

-- ---- names ----------------------------------------------------------------------------------------------------------

--- Whether somebody of that name can have a box.
function mailbox.is_name(sub)
  return type(sub) == "string" and sub ~= "" and #sub <= 200
end

-- Any text as a part of a topic's name.
local function encoded(sub)
  local text = sub:gsub("[^%w_.@+-]", function(byte) return ("=%02X"):format(byte:byte()) end)
  return #text <= 200 and text or "==" .. weir.hex.encode(weir.hash("sha256", sub))
end

--- The topic of a user, or, nil, of all.
function mailbox.topic(sub)
  return sub and settings.name .. "/user/" .. encoded(sub) or settings.name .. "/all"
end

local function row(sub) return sub and "user/" .. encoded(sub) or "all" end

local function store() return weir.store(settings.name) end

--- The beginning of the names of all that is kept.
function mailbox.name() return settings.name end

--- Says where boxes are kept: { name, age (seconds), count, bytes }. At the top of an app; another one there raises.
function mailbox.use(given)
  for field, value in pairs(settings or {}) do
    if given[field] ~= value then error("notify: an app has one inbox, which was made with another " .. field, 4) end
  end
  settings = given
  bounds = { count = given.count, bytes = given.bytes, marks = 3 * given.count, age = given.age }
  local history = { count = LOG.count, bytes = LOG.bytes, age = 2 * given.age }
  weir.topics {
    [given.name .. "/user/*"] = { history = history, durable = true },
    [given.name .. "/all"] = { history = history, durable = true },
  }
end

--- What a box may hold: { count, bytes, marks, age }, the last in seconds.
function mailbox.bounds() return bounds end

-- ---- reading --------------------------------------------------------------------------------------------------------

-- The events behind `at`, oldest first, each with its number. Raises when the disk fails.
local function each_event(topic, at)
  local page, i, more, n = {}, 0, true, 0
  return function()
    i, n = i + 1, n + 1
    if i > #page and more then
      page, more = weir.history(topic, { after = at, limit = PAGE, decode = true })
      if not page then error("the log of " .. topic .. " cannot be read: " .. tostring(more), 0) end
      if #page > 0 then at = page[#page].id end
      i = 1
    end
    if page[i] then return n, page[i] end
  end
end

-- A box as it was at `upto`, and how many events it has beyond its snapshot. `keep(box)` is called now and then.
local function load(sub, upto, keep)
  local kept, why = store():get(row(sub))
  if kept == nil and why then error("the store cannot be read: " .. why, 0) end
  local self, last, work = kept or box.new(), 0, 0
  for n, event in each_event(mailbox.topic(sub), self.at) do
    if event.id > upto then break end
    box.apply(self, event, bounds)
    last = n
    work = work + (event.data.ids and #event.data.ids or 1)
    if work >= BREATH then
      weir.sleep(0)
      work = 0
    end
    if keep and n % SNAPSHOT == 0 then keep(self) end
  end
  return self, last
end

--- The boxes of a user, and of all, as they were at a place; and that place, from which on the rest will come.
function mailbox.load(sub)
  local position = weir.position()
  return load(sub, position), load(nil, position), position
end

--- The box of all.
function mailbox.load_all()
  return (load(nil, weir.position()))
end

-- ---- snapshots ------------------------------------------------------------------------------------------------------

local function save(sub, self)
  return store():update(row(sub), function(kept)
    return kept and kept.at >= self.at and kept or self
  end)
end

--- Makes one now: of what is kept for longer than events are.
function mailbox.snapshot(sub)
  local self, events = load(sub, weir.position(), function(part) save(sub, part) end)
  if events > 0 then save(sub, self) end
end

-- The first of a while, and each so many.
local function count(sub)
  local n = weir.shared(settings.name):incr("log/" .. row(sub), 1, settings.age / 4)
  if not n or n % SNAPSHOT == 1 then weir.background(mailbox.snapshot, sub) end
end

--- Takes away the snapshots of whom nothing is left to see. They come again with what is put next.
function mailbox.sweep()
  local ends = (weir.now() - 2 * settings.age) * 1000
  for key, self in store():each "user/" do
    if box.ms(self.at) <= ends and not self.preferences then
      store():update(key, function(kept) return kept and kept.at ~= self.at and kept or nil end)
    end
  end
end

-- ---- writing --------------------------------------------------------------------------------------------------------

--- Appends to the log of a user's box, or, nil, of all: the id, and how many streams it reached; or nil and why.
function mailbox.append(sub, name, data, options)
  local id, streams = weir.publish(mailbox.topic(sub), { event = name, data = data }, options)
  if id then count(sub) end
  return id, streams
end

--- Erases what a user has: log, snapshot, and all devices' boxes. True; or nil and why.
function mailbox.delete(sub)
  local id, why = mailbox.append(sub, "notification.box.deleted", {}, { only = true })
  if not id then return nil, why end
  local empty = box.new()
  empty.at, empty.since = id, id -- a snapshot that is just being made of what was is older, and gives way
  local kept, failed = save(sub, empty)
  return kept and true, failed
end

return mailbox
