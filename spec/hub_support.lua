-- What the specs of the hub share. Topics outlive the app that made them, so every spec takes names of its own.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local hub = {}

local base, made = ("%.0f"):format(weir.now() * 1000000), 0

-- A name that no other spec has used.
function hub.topic(suffix)
  made = made + 1
  return "spec-" .. base .. "-" .. made .. "/" .. (suffix or "topic")
end

-- An app whose GET / subscribes to `topics` and returns.
function hub.serve(topics, sse_options, subscribe_options)
  return support.serve(function(app)
    app:get("/", function(stream) stream:sse(sse_options):subscribe(topics, subscribe_options) end)
  end)
end

-- Configures topics, as the top of an app does.
function hub.configure(topics)
  local server = support.serve(function() weir.topics(topics) end)
  server:close()
end

-- Publishes "1", "2", ... : the list of their ids.
function hub.publish(topic, count, first)
  local ids = {}
  for i = 1, count do ids[i] = assert((weir.publish(topic, tostring((first or 1) + i - 1)))) end
  return ids
end

-- The next `count` events' data, as "1 2 3"; instead of what does not come, why. A gap is "gap:<reason>".
function hub.data(events, count, timeout)
  local all = {}
  for i = 1, count do
    local event, why = events:next(timeout or 5)
    if not event then
      all[i] = why
      break
    end
    all[i] = event.event == "weir.gap" and "gap:" .. weir.json.decode(event.data).reason or event.data
  end
  return table.concat(all, " ")
end

-- Nothing comes, though what is published from here on would have come before what `marker` publishes.
function hub.only(events, marker)
  marker()
  local event, why = events:next()
  return event and event.data or why
end

-- The two numbers of an id.
function hub.parts(id)
  local milliseconds, sequence = tostring(id):match("^(%d+)%-(%d+)$")
  if not milliseconds then error("no id: " .. tostring(id), 2) end
  return tonumber(milliseconds), tonumber(sequence)
end

-- Whether id a comes before id b.
function hub.before(a, b)
  local a_ms, a_seq = hub.parts(a)
  local b_ms, b_seq = hub.parts(b)
  return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

-- Freezes the clock at a time that the ids of the hub have reached. An earlier spec may have moved a frozen clock on,
-- and ids, whose time is what events are aged by, do not go back when it is thawed.
function hub.freeze()
  test.clock.freeze()
  local ahead = hub.parts((weir.publish(hub.topic(), ""))) / 1000 - weir.now()
  if ahead > 0 then test.clock.advance(ahead + 0.001) end
end

-- What a counter of weir.stats has grown by since this was called.
function hub.growth(name)
  local function value()
    return weir.stats()[name] or error("weir.stats has no " .. name, 3)
  end
  local before = value()
  return function() return value() - before end
end

-- A gap event as a table {id, reason, lost}; lost is nil where it is null. Fails when it is none.
function hub.gap(event, why)
  if not event then error("no gap came: " .. tostring(why), 2) end
  if event.event ~= "weir.gap" then error("no gap but " .. event.event .. ": " .. event.data, 2) end
  local data = weir.json.decode(event.data)
  local lost = data.lost
  if lost == nil then error("a gap without lost: " .. event.data, 2) end
  if lost == weir.json.null then lost = nil end
  return { id = event.id, reason = data.reason, lost = lost }
end

return hub
