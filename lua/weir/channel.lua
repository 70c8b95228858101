-- channel: a queue between the tasks of one Lua state, and choosing among several.
--
-- The queue, and who waits at it, are the core's. Here arguments are checked.

local core = require "weir.core"
local check = require "weir.check"

local Channel = core.channel_methods

-- channel.send(x), with a dot, or a value that is no channel.
local function check_self(self, name)
  if not core.is_outlet(self) then
    error(("channel.%s: called without the channel; write channel:%s(...), with a colon"):format(name, name), 3)
  end
end

--- Gives a value to the channel: true, or nil and "timeout" or "closed".
function Channel:send(value, timeout)
  check_self(self, "send")
  if value == nil then
    error("channel:send: argument 1 must not be nil, which recv returns for a closed channel; send false or a table", 2)
  end
  if timeout ~= nil then check.seconds("channel:send", "argument 2 (timeout)", timeout) end
  return check(core.channel_send(self, value, timeout))
end

--- Takes the next value: the value, or nil and "timeout" or "closed" (what was sent before comes first).
function Channel:recv(timeout)
  check_self(self, "recv")
  if timeout ~= nil then check.seconds("channel:recv", "argument 1 (timeout)", timeout) end
  return check(core.outlet_recv("channel:recv", timeout, self))
end

--- Ends the channel: nothing more is sent, who waits is woken, what is in the buffer can still be received.
function Channel:close()
  check_self(self, "close")
  core.channel_close(self)
end

local channel = {}

--- A channel that holds up to `capacity` values that nobody has taken yet; 0 (the default): send waits for recv.
function channel.new(capacity)
  if capacity == nil then capacity = 0 end
  check.integer("weir.channel", "argument 1 (capacity)", capacity, 0)
  return core.channel(capacity)
end

--- Takes a value from one of several channels and subscriptions: the index of that one and the value, or nil and
--- "timeout". Of one that is closed it gives the index, nil and "closed", unless another has a value.
function channel.select(choices)
  if type(choices) ~= "table" then
    check.bad("weir.select", "argument 1", choices, "a list of channels and subscriptions")
  end
  local outlets, count = {}, 0
  for key, choice in pairs(choices) do
    if key ~= "timeout" then
      count = count + 1
      local outlet = type(choice) == "table" and choice.handle or choice
      if not core.is_outlet(outlet) then
        check.bad("weir.select", "item " .. tostring(key), choice, "a channel, or what weir.subscribe returns")
      end
      outlets[key] = outlet
    end
  end
  if count == 0 then error("weir.select: nothing to choose from; give it a channel or a subscription", 2) end
  for i = 1, count do
    if outlets[i] == nil then error(("weir.select: item %d of the list is missing"):format(i), 2) end
  end
  if choices.timeout ~= nil then check.seconds("weir.select", "timeout", choices.timeout) end
  return check(core.select(choices.timeout, outlets))
end

return channel
