-- hub: topics as a script sees them: publishing, what they keep, their history, subscriptions of tasks.
--
-- The log, positions and delivery are the core's. Here arguments are checked, and data that is not a string becomes
-- JSON. What a stream is sent is in sse.lua.

local core = require "weir.core"
local check = require "weir.check"
local fail = require "weir.fail"
local encoded = require "weir.encoded"
local json = require "weir.json"

local hub = {}

-- ---- choosing topics ------------------------------------------------------------------------------------------------

local Prefix = { __name = "weir.prefix" }
Prefix.__index = Prefix

function Prefix:__tostring() return ("weir.prefix %q"):format(self.text) end

--- All topics that begin so, those made later too.
function hub.prefix(text)
  check.string("weir.prefix", "argument 1", text)
  if text == "" then check.bad("weir.prefix", "argument 1", text, "the beginning of topics' names, not empty") end
  return setmetatable({ text = text }, Prefix)
end

local function refuse_part(part)
  fail(404, ("no topic has a name with %s in it"):format(check.show(part)))
end

--- A topic's name: `base`, and behind it the parts, which a client may have sent, with "/" between them. What cannot be
--- part of a name, is empty or holds "/" fails with 404, so that two lists of parts are never one topic.
function hub.topic(base, ...)
  check.string("weir.topic", "argument 1 (base)", base)
  if base:sub(-1) == "/" or not core.is_topic(base) then
    check.bad("weir.topic", "argument 1 (base)", base, 'the beginning of a topic\'s name, without a "/" at its end')
  end
  local name = base
  for i = 1, math.max(select("#", ...), 1) do
    local part = select(i, ...)
    if type(part) == "number" then part = ("%.14g"):format(part) end
    check.string("weir.topic", ("argument %d"):format(i + 1), part)
    name = name .. "/" .. part
    if part == "" or part:find("/", 1, true) or not core.is_topic(name) then refuse_part(part) end
  end
  return name
end

local function is_prefix(value) return getmetatable(value) == Prefix end

--- The names and the prefixes of a choice: a name, a prefix, or a list of them. Blames the caller `level` above.
function hub.choose(what, choice, level)
  level = (level or 2) + 1
  local names, prefixes = {}, {}
  if type(choice) ~= "table" or is_prefix(choice) then choice = { choice } end
  for _, one in ipairs(choice) do
    if is_prefix(one) then
      prefixes[#prefixes + 1] = one.text
    elseif type(one) == "string" then
      names[#names + 1] = one
    else
      check.bad(what, "a topic", one, 'a name, or weir.prefix "user/"', level)
    end
  end
  if #names + #prefixes == 0 then
    error(what .. ": no topic; give it a name, weir.prefix \"user/\", or a list of them", level)
  end
  return names, prefixes
end

--- An id of `options`, a string or nil.
function hub.check_id(what, options, name, level)
  local id = options[name]
  if id ~= nil and type(id) ~= "string" then
    check.bad(what, name, id, "an id, as weir.publish returns it", (level or 2) + 1)
  end
  return id
end

--- Where a subscription begins, by its options: `after`, `not_before`, `last`. Blames the caller `level` above.
function hub.check_start(what, options, level)
  level = (level or 2) + 1
  local last = options.last
  if last ~= nil then
    check.integer(what, "last", last, 1, level)
    if options.after ~= nil then
      error(what .. ": last and after are two places to begin at; leave one of them out", level)
    end
  end
  return hub.check_id(what, options, "after", level), hub.check_id(what, options, "not_before", level), last
end

-- ---- publishing -----------------------------------------------------------------------------------------------------

local FIELDS = { "data", "event", "key" }
local KNOWN = { data = true, event = true, key = true }

-- data, event and key of an event that is a table. The caller of the caller of its caller is blamed.
local function fields_of(what, event)
  for field in pairs(event) do
    if not KNOWN[field] then check.names(what, "field", event, FIELDS, 4) end
  end
  local data, name, key = event.data, event.event, event.key
  if data == nil then error(what .. ": the event has no data; give it some, if only \"\"", 4) end
  if type(data) ~= "string" then data = encoded(what, data, 4) end
  if name ~= nil then check.string(what, "event", name, 4) end
  if key ~= nil then
    check.string(what, "key", key, 4)
    if key:find("[\r\n%z]") then error(what .. ": CR, LF or NUL in key; leave them out", 4) end
  end
  return data, name, key
end

-- What core.publish takes behind the topic's name. Its caller's caller is blamed.
local function publication(what, event, options)
  local wait, only
  if options ~= nil then
    options = check.options(what, options, { "wait", "only" }, 3)
    wait, only = options.wait, options.only
    if wait ~= nil then check.seconds(what, "wait", wait, 3) end
    if only ~= nil then check.boolean(what, "only", only, 3) end
  end
  if type(event) == "string" then return event, nil, nil, wait, only end
  if type(event) ~= "table" then check.bad(what, "argument 2 (event)", event, "a string or a table", 3) end
  local data, name, key = fields_of(what, event)
  return data, name, key, wait, only
end

--- Appends an event to a topic: its id and how many streams are subscribed, or nil and "limit", "io" or "closed".
function hub.publish(topic, event, options)
  check.string("weir.publish", "argument 1 (topic)", topic)
  return check(core.publish(topic, publication("weir.publish", event, options)))
end

--- Closes a topic, behind a last event if one is given: the id of its end and how many streams are subscribed, or nil
--- and "closed" (it is already), "limit" or "io".
function hub.close(topic, event, options)
  check.string("weir.close", "argument 1 (topic)", topic)
  if event == nil and options == nil then return check(core.close(topic)) end
  if event ~= nil then return check(core.close(topic, publication("weir.close", event, options))) end
  local _, _, _, wait, only = publication("weir.close", "", options)
  return check(core.close(topic, nil, nil, nil, wait, only))
end

-- ---- what topics keep -----------------------------------------------------------------------------------------------

-- Where coming and going is told: what `*` stands for there, the pattern must have one for.
local function check_presence(presence, star)
  check.string("weir.topics", "presence", presence, 4)
  local own = presence:find("*", 1, true)
  if presence == "" or #presence > 255 or presence:find "%c" or own and (own ~= #presence or not star) then
    check.bad("weir.topics", "presence", presence,
      'a topic\'s name, or, for a pattern with "*", the beginning of one and "*"', 4)
  end
end

local function rule_of(pattern, options)
  local star = type(pattern) == "string" and pattern:find("*", 1, true)
  if type(pattern) ~= "string" or pattern == "" or pattern:find "%c" or star and star ~= #pattern then
    check.bad("weir.topics", "a pattern", pattern, 'a topic\'s name, or its beginning and "*"', 3)
  end
  check.options("weir.topics", options, { "history", "durable", "presence", "linger" }, 3)
  local history = check.options("weir.topics", options.history, { "count", "age", "bytes" }, 3)
  if options.durable ~= nil then check.boolean("weir.topics", "durable", options.durable, 3) end
  if options.presence ~= nil then check_presence(options.presence, star) end
  if options.linger ~= nil then
    check.seconds("weir.topics", "linger", options.linger, 3)
    if options.presence == nil then error("weir.topics: linger without presence; say where it is told", 3) end
  end
  local count, bytes = history.count or 1000, history.bytes or "1MB"
  check.integer("weir.topics", "count", count, 1, 3)
  return {
    pattern = pattern,
    count = count,
    age = check.span("weir.topics", "age", history.age or "1h", 3),
    bytes = check.size("weir.topics", "bytes", bytes, 3),
    durable = options.durable or false,
    presence = options.presence,
    linger = options.linger or 5,
  }
end

--- Says what topics keep: { ["user/*"] = { history = { count = 1000, age = "24h", bytes = "1MB" }, durable = true } }.
function hub.topics(rules)
  if type(rules) ~= "table" then check.bad("weir.topics", "argument 1", rules, "a table of patterns and options") end
  local list = {}
  for pattern, options in pairs(rules) do list[#list + 1] = rule_of(pattern, options) end
  core.topics(list)
end

-- ---- looking --------------------------------------------------------------------------------------------------------

-- Data that is JSON becomes its value.
local function decode_all(events)
  for _, event in ipairs(events) do
    local value, err = json.decode(event.data)
    if err == nil then event.data = value end
  end
end

--- The events that a topic keeps, oldest first: a list, whether there are more, and true if the topic is closed.
function hub.history(topic, options)
  check.string("weir.history", "argument 1 (topic)", topic)
  options = check.options("weir.history", options, { "after", "before", "limit", "decode" })
  local limit = options.limit or 100
  check.integer("weir.history", "limit", limit, 1)
  if options.decode ~= nil then check.boolean("weir.history", "decode", options.decode) end
  local list, more, closed = check(core.history(topic, hub.check_id("weir.history", options, "after"),
    hub.check_id("weir.history", options, "before"), limit))
  if options.decode and list then decode_all(list) end
  return list, more, closed
end

--- The id of the place up to which every event can be read: who loads a state now, and subscribes from there then,
--- misses nothing.
function hub.position()
  return core.position()
end

--- How many streams are subscribed to a topic, over all workers, and whose they are.
function hub.presence(topic)
  check.string("weir.presence", "argument 1 (topic)", topic)
  return core.presence(topic)
end

local Streams = { __name = "weir.streams" }
Streams.__index = Streams

local ORDERS = { backlog = true, age = true, sent = true, id = true }

--- What they are, over all workers: a list of { id, path, sub, topics, started, … }, the largest `sort` ("backlog")
--- first, and at most `limit`. Then how many workers have not replied within a second, whose streams are not in it.
function Streams:list(options)
  options = check.options("streams:list", options, { "sort", "limit" })
  local sort, limit = options.sort, options.limit
  if sort ~= nil and not ORDERS[sort] then
    check.bad("streams:list", "sort", sort, '"backlog", "age", "sent" or "id"')
  end
  if limit ~= nil then check.integer("streams:list", "limit", limit, 1) end
  return check(core.streams(self.id, self.sub, self.topic, nil, nil, nil, sort, limit))
end

--- Ends them on all workers, for `reason` ("revoked"): how many they were.
function Streams:close(reason)
  if reason ~= nil then check.string("streams:close", "argument 1 (reason)", reason) end
  return check(core.streams(self.id, self.sub, self.topic, reason or "revoked"))
end

--- Renews the streams that a filter chooses, on all workers; from then on they end at `ends`, Unix time, or never.
function hub.renew(filter, claims, ends)
  return check(core.streams(filter.id, filter.sub, filter.topic, nil, encoded("weir.streams:renew", claims, 2), ends))
end

--- Gives them new claims, and the end that these name: how many they were. Whose a stream is does not change: one of
--- another `sub` is left alone.
function Streams:renew(claims)
  if type(claims) ~= "table" then check.bad("streams:renew", "argument 1 (claims)", claims, "a table") end
  local exp = claims.exp
  if exp ~= nil and (type(exp) ~= "number" or exp ~= exp) then
    check.bad("streams:renew", "exp", exp, "Unix time in seconds, or nil for no end")
  end
  if claims.sub ~= nil then check.string("streams:renew", "sub", claims.sub) end
  return hub.renew(self, claims, exp)
end

--- The live streams that match all that is given: `id`, `sub` of their token, a `topic` they are subscribed to.
function hub.streams(filter)
  filter = check.options("weir.streams", filter, { "id", "sub", "topic" })
  if filter.id ~= nil then check.integer("weir.streams", "id", filter.id, 1) end
  if filter.sub ~= nil then check.string("weir.streams", "sub", filter.sub) end
  if filter.topic ~= nil then check.string("weir.streams", "topic", filter.topic) end
  return setmetatable({ id = filter.id, sub = filter.sub, topic = filter.topic }, Streams)
end

-- ---- subscriptions of tasks -----------------------------------------------------------------------------------------

local Subscription = { __name = "weir.subscription" }
Subscription.__index = Subscription

--- The next event, { topic, id, event, data, key }, waiting for it; nil and "timeout" or "closed".
function Subscription:next(timeout)
  if timeout ~= nil then check.seconds("sub:next", "argument 1 (timeout)", timeout) end
  return check(core.outlet_recv("sub:next", timeout, self.handle))
end

--- Iterates over the events, waiting for each, until the subscription is closed.
function Subscription:events()
  return function() return (self:next()) end
end

--- Ends it; a task that waits gets nil, "closed".
function Subscription:close()
  core.subscription_close(self.handle)
end

--- Subscribes this task to topics. The subscription ends with the task, if not before.
function hub.subscribe(topics, options)
  local names, prefixes = hub.choose("weir.subscribe", topics)
  options = check.options("weir.subscribe", options, { "after", "last", "not_before" })
  local after, not_before, last = hub.check_start("weir.subscribe", options)
  return setmetatable({ handle = core.subscribe(names, prefixes, after, not_before, last) }, Subscription)
end

return hub
