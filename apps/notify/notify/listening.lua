-- listening: what other apps of the server tell becomes notifications.
--
--   topic --event--> the function that was given for it --> a notification, and for whom --> publishing.lua
--
-- One worker listens. The id of the last event that it is done with is kept, and a notification's id comes from that of
-- its event: so each event comes once over restarts, if its topic and the store are durable, and twice never.

local weir = require "weir"
local mailbox = require "notify.mailbox"
local once = require "notify.once"
local publishing = require "notify.publishing"

local listening = {}

local AGAIN = 1 -- seconds after which what could not be kept is tried again

local function store() return weir.store(mailbox.name() .. " heard") end

--- Raises where `listen` is not what it should be.
function listening.check(listen)
  local good = listen == nil or type(listen) == "table"
  for topic, fn in pairs(good and listen or {}) do
    good = good and type(topic) == "string" and type(fn) == "function"
  end
  if not good then error("notify: listen must be a table of functions, each by the name of a topic", 4) end
end

-- Puts it into the box of `sub`, or, nil, that of all. A wrong one is an error of the function that made it.
local function put(sub, given, digest)
  while true do
    local made, problem = publishing.put(sub, given, digest)
    if made then return end
    if not problem.status then error(problem.error, 0) end
    weir.sleep(AGAIN)
  end
end

local function hear(event, fn)
  local given, subs = fn(event)
  if not given then return end
  local digest = once.digest("heard", event.topic, event.id)
  if not subs then return put(nil, given, digest) end
  for _, sub in ipairs(subs) do put(sub, given, digest) end
end

local function try(event, fn)
  local ok, err = pcall(hear, event, fn)
  if ok then return end
  if err == weir.cancelled then error(err, 0) end
  weir.log.error("notify: an event makes no notification", { topic = event.topic, id = event.id, why = tostring(err) })
end

local function listen_from(at, listen)
  local topics = {}
  for topic in pairs(listen) do topics[#topics + 1] = topic end
  local sub = weir.subscribe(topics, { after = at })
  for event in sub:events() do
    if event.topic then try(event, listen[event.topic]) end -- a gap has none
    store():set("at", event.id)
  end
end

--- Begins, in one worker, when the app starts: at first with what is told from now on.
function listening.start(listen)
  local at = store():get "at" or weir.position()
  store():set("at", at)
  weir.background(listen_from, at, listen)
end

return listening
