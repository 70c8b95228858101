-- sse: an answer as server-sent events, as a handler sees it.
--
-- Encoding, heartbeats and the opening are the core's. Here options and events are checked, and data that is not a
-- string becomes JSON.

local check = require "weir.check"
local core = require "weir.core"
local hub = require "weir.hub"
local encoded = require "weir.encoded"

local sse = {}

local Sse = { __name = "weir.sse" }
Sse.__index = Sse

-- sse.send("x"), with a dot.
local function check_self(self, name)
  if getmetatable(self) ~= Sse then
    error(("sse.%s: called without what stream:sse() returned; write sse:%s(...), with a colon"):format(name, name), 3)
  end
end

-- ---- starting -------------------------------------------------------------------------------------------------------

local OPTIONS = {
  "retry", "heartbeat", "heartbeat_event", "hello", "notices", "overflow", "limit", "write_timeout",
}
-- For a subscription; those that are true are policies of direct sends as well, the others leave these to block.
local OVERFLOWS = { block = true, drop_newest = true, disconnect = true, drop_oldest = false, conflate = false }

-- A span of time in seconds, above 0; blames the caller of the caller of `prepare`.
local function check_span(what, value)
  check.seconds("stream:sse", what, value, 4)
  if value == 0 then check.bad("stream:sse", what, value, "more than 0", 4) end
end

-- How far a subscription may fall behind: events and bytes, nil for no limit. Without a policy it is a mistake, and
-- conflate needs none.
local function limit_of(options)
  local limit = options.limit
  if limit == nil then return end
  if type(limit) ~= "table" then check.bad("stream:sse", "limit", limit, "a table such as { events = 100 }", 3) end
  check.options("stream:sse: limit", limit, { "events", "bytes" }, 3)
  if limit.events ~= nil then check.integer("stream:sse", "limit.events", limit.events, 1, 3) end
  local bytes = limit.bytes
  if bytes ~= nil then bytes = check.size("stream:sse", "limit.bytes", bytes, 3) end
  if options.overflow == nil then
    error('stream:sse: limit says nothing without overflow; say what becomes of events beyond it, such as '
      .. 'overflow = "drop_oldest"', 3)
  end
  return limit.events, bytes
end

-- The options, checked and with defaults, as the arguments of the core's `_sse`.
local function prepare(options)
  options = check.options("stream:sse", options, OPTIONS, 3)
  local retry, heartbeat = options.retry, options.heartbeat
  if retry == nil then retry = 3000 elseif retry then check.integer("stream:sse", "retry", retry, 0, 3) end
  if heartbeat == nil then heartbeat = 15 elseif heartbeat then check_span("heartbeat", heartbeat) end
  if options.heartbeat_event ~= nil then check.string("stream:sse", "heartbeat_event", options.heartbeat_event, 3) end
  if options.hello ~= nil then check.boolean("stream:sse", "hello", options.hello, 3) end
  local notices = options.notices
  if notices ~= nil and notices ~= "message" then
    check.bad("stream:sse", "notices", notices, '"message", or be left out', 3)
  end
  if options.overflow ~= nil and OVERFLOWS[options.overflow] == nil then
    check.bad("stream:sse", "overflow", options.overflow,
      '"block", "drop_newest", "drop_oldest", "conflate" or "disconnect"', 3)
  end
  if options.write_timeout ~= nil then check_span("write_timeout", options.write_timeout) end
  local policy = OVERFLOWS[options.overflow] and options.overflow or nil
  return retry or nil, heartbeat or nil, options.heartbeat_event, options.hello, policy, options.write_timeout or 30,
    notices ~= nil
end

--- Starts server-sent events on a stream: the whole of `stream:sse`, whose caller is blamed for bad options.
function sse.start(stream, options)
  local retry, heartbeat, event, hello, policy, write_timeout, nameless = prepare(options)
  local self = setmetatable({ stream = stream }, Sse)
  if options then self.overflow, self.limit_events, self.limit_bytes = options.overflow, limit_of(options) end
  stream:_sse(retry, heartbeat, event, hello, policy, write_timeout, nameless)
  local id = stream:_last_event_id()
  if id then self.last_event_id = id end -- assigning nil would make the table grow
  return self
end

-- ---- sending --------------------------------------------------------------------------------------------------------

local FIELDS = { "data", "event", "id", "retry", "comment" }
local KNOWN = { data = true, event = true, id = true, retry = true, comment = true }

-- Sends an event that is a table. `Sse.send` calls it, so its caller's caller is blamed.
local function send_fields(self, event)
  for field in pairs(event) do
    if not KNOWN[field] then check.names("sse:send", "field", event, FIELDS, 3) end
  end
  if next(event) == nil then
    error("sse:send: the event is empty; give it data, event, id, retry or comment", 3)
  end
  local data, name, id, retry, comment = event.data, event.event, event.id, event.retry, event.comment
  if data ~= nil and type(data) ~= "string" then data = encoded("sse:send", data, 3) end
  if type(id) == "number" and id % 1 == 0 then id = ("%d"):format(id) end
  if name ~= nil then check.string("sse:send", "event", name, 3) end
  if id ~= nil then check.string("sse:send", "id", id, 3) end
  if comment ~= nil then check.string("sse:send", "comment", comment, 3) end
  if retry ~= nil then check.integer("sse:send", "retry", retry, 0, 3) end
  return check(self.stream:_send(data, name, id, retry, comment))
end

--- Sends an event, data alone or a table of fields: true, nil and "closed", or false and "dropped".
function Sse:send(event)
  check_self(self, "send")
  if type(event) == "string" then return check(self.stream:_send(event)) end
  if type(event) ~= "table" then check.bad("sse:send", "argument 1 (event)", event, "a string or a table") end
  local ok, why = send_fields(self, event) -- no tail call: it would hide this frame from the levels of errors
  return ok, why
end

--- Sends a comment, which a browser ignores.
function Sse:comment(text)
  check_self(self, "comment")
  check.string("sse:comment", "argument 1 (text)", text)
  return check(self.stream:_send(nil, nil, nil, nil, text))
end

-- ---- subscribing ----------------------------------------------------------------------------------------------------

local NEEDS_LIMIT = { disconnect = true, drop_oldest = true, drop_newest = true, block = true }

-- A policy that has no effect without a limit is a mistake; for direct sends it has one.
local function check_policy(self)
  if NEEDS_LIMIT[self.overflow] and not (self.limit_events or self.limit_bytes) then
    local text = 'sse:subscribe: overflow = "%s" needs a limit; give stream:sse one, such as limit = { events = 100 }'
    error(text:format(self.overflow), 3)
  end
end

-- Whom the token names, as middleware has put it there.
local function subject_of(stream)
  local claims = stream.claims
  local subject = type(claims) == "table" and claims.sub
  return type(subject) == "string" and subject or nil
end

--- Sends the stream what topics get from now on, or from where the client left. Does not block; the stream stays open
--- when the handler returns.
function Sse:subscribe(topics, options)
  check_self(self, "subscribe")
  local names, prefixes = hub.choose("sse:subscribe", topics)
  options = check.options("sse:subscribe", options, { "after", "last", "resume", "not_before" })
  check_policy(self)
  local resume = options.resume
  if resume == nil then resume = true else check.boolean("sse:subscribe", "resume", resume) end
  local after, not_before, last = hub.check_start("sse:subscribe", options)
  core.subscribe_stream(self.stream, names, prefixes, resume, after, not_before, last, self.overflow,
    self.limit_events, self.limit_bytes, subject_of(self.stream))
  return self
end

--- Ends a subscription to one topic or prefix: whether there was one.
function Sse:unsubscribe(topic)
  check_self(self, "unsubscribe")
  local names, prefixes = hub.choose("sse:unsubscribe", topic)
  if #names + #prefixes > 1 then error("sse:unsubscribe: one topic, or one prefix; call it for each of a list", 2) end
  if names[1] then return core.unsubscribe_stream(self.stream, names[1], false) end
  return core.unsubscribe_stream(self.stream, prefixes[1], true)
end

--- Waits until the kernel has all that was sent, and what was published to the stream's topics before: true, or nil
--- and "closed".
function Sse:flush()
  check_self(self, "flush")
  return check(self.stream:_flush())
end

--- Ends the stream, behind what was sent and published before; "now": what is not on its way yet is dropped. Browsers
--- connect again after a while; answer 204 to keep them from it.
function Sse:close(how)
  check_self(self, "close")
  if how ~= nil and how ~= "now" then check.bad("sse:close", "argument 1 (how)", how, '"now", or nothing') end
  if how then self.stream:_finish_now() else self.stream:finish() end
end

return sse
