-- channel: a queue between the tasks of one Lua state.
--
--   send ─> [ waiting senders ] ─> [ buffer: at most `capacity` values ] ─> [ waiting receivers ] ─> recv
--
-- At most one of the three is unusual at a time: senders wait only while the buffer is full, receivers only while it is
-- empty. So a value never overtakes another, and who waited longest is served first. Capacity 0 has no buffer: a send
-- returns when a receiver took the value.
--
-- A task that waits has an *entry* in one of the two lists. They are doubly linked, so that a task that is cancelled,
-- or whose time is over, leaves from the middle at once. A value changes hands by being written into the receiver's
-- entry before it is woken; `core.unpark` may find that it no longer waits, and then the next one gets the value.

local core = require "weir.core"
local check = require "weir.check"

local Channel = {}
Channel.__index = Channel
Channel.__name = "weir.channel"

-- ---- lists of waiting tasks -----------------------------------------------------------------------------------------

local function new_list()
  local list = {}
  list.next, list.prev = list, list
  return list
end

local function append(list, entry)
  entry.prev, entry.next = list.prev, list
  list.prev.next, list.prev = entry, entry
end

-- Twice is harmless.
local function remove(entry)
  entry.prev.next, entry.next.prev = entry.next, entry.prev
  entry.prev, entry.next = entry, entry
end

-- Takes the first entry whose task still waits out of the list, marks it as served and wakes its task.
-- `value` is what a receiver gets. Nil when nobody waits.
local function serve(list, value)
  while list.next ~= list do
    local entry = list.next
    remove(entry)
    if value ~= nil then entry.value = value end
    entry.served = true
    if core.unpark(entry.task) then return entry end
    entry.served = false
  end
  return nil
end

-- Waits in `list` until served, closed, or the time is over. Returns what is to be raised, or nil: the task was
-- cancelled, or cannot wait here. Whatever happens, the entry is in no list afterwards, and does not lead to its task:
-- one that died and whose stack leads to itself would never be collected.
local function wait(list, entry, timeout)
  entry.task = core.current()
  append(list, entry)
  local _, err = pcall(core.park, timeout)
  remove(entry)
  entry.task = nil
  return err
end

-- ---- the channel ----------------------------------------------------------------------------------------------------

local function push(self, value)
  self.last = self.last + 1
  self.buffer[self.last] = value
end

local function shift(self)
  local value = self.buffer[self.first]
  self.buffer[self.first] = nil
  self.first = self.first + 1
  return value
end

-- Gives back a value whose receiver was cancelled before it could take it: to the next one, else to the buffer's front.
local function give_back(self, value)
  if serve(self.receivers, value) then return end
  self.first = self.first - 1
  self.buffer[self.first] = value
end

--- Gives a value to the channel: true, or nil and "timeout" or "closed".
function Channel:send(value, timeout)
  if value == nil then
    error("channel:send: argument 1 must not be nil, which recv returns for a closed channel; send false or a table", 2)
  end
  if timeout ~= nil then check.seconds("channel:send", "argument 2 (timeout)", timeout) end
  if self.closed then return nil, "closed" end
  if serve(self.receivers, value) then return true end
  if self.last - self.first + 1 < self.capacity then
    push(self, value)
    return true
  end
  if timeout == 0 then return nil, "timeout" end
  local entry = { value = value }
  local err = wait(self.senders, entry, timeout)
  if entry.served then return true end
  if err ~= nil then error(err, 2) end
  if self.closed then return nil, "closed" end
  return nil, "timeout"
end

-- A value that is here now, or nil.
local function take(self)
  if self.first <= self.last then
    local value = shift(self)
    local sender = serve(self.senders)
    if sender then push(self, sender.value) end
    return value
  end
  local sender = serve(self.senders)
  if sender then return sender.value end
  return nil
end

--- Takes the next value: the value, or nil and "timeout" or "closed" (what was sent before comes first).
function Channel:recv(timeout)
  if timeout ~= nil then check.seconds("channel:recv", "argument 1 (timeout)", timeout) end
  local value = take(self)
  if value ~= nil then return value end
  if self.closed then return nil, "closed" end
  if timeout == 0 then return nil, "timeout" end
  local entry = {}
  local err = wait(self.receivers, entry, timeout)
  if err ~= nil then
    if entry.served then give_back(self, entry.value) end
    error(err, 2)
  end
  if entry.served then return entry.value end
  if self.closed then return nil, "closed" end
  return nil, "timeout"
end

--- Ends the channel: nothing more is sent, who waits is woken, what is in the buffer can still be received.
function Channel:close()
  if self.closed then return end
  self.closed = true
  for _, list in ipairs { self.receivers, self.senders } do
    while list.next ~= list do
      local entry = list.next
      remove(entry)
      core.unpark(entry.task)
    end
  end
end

--- A channel that holds up to `capacity` values that nobody has taken yet; 0 (the default): send waits for recv.
return function(capacity)
  if capacity == nil then capacity = 0 end
  check.integer("weir.channel", "argument 1 (capacity)", capacity, 0)
  return setmetatable({
    capacity = capacity,
    buffer = {}, first = 1, last = 0, -- the values are buffer[first..last]
    senders = new_list(), receivers = new_list(),
    closed = false,
  }, Channel)
end
