-- stream:sse { notices = "message" }: gaps and ends for clients that hear events without a name only; lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

local MESSAGE = { notices = "message", heartbeat = false }

-- The next event as { event, data decoded, whether it has an id }.
local function next_of(events)
  local event = assert(events:next())
  return { event.event, weir.json.decode(event.data), event.id ~= nil }
end

local function short_topic()
  local topic = hub.topic()
  hub.configure { [topic] = { history = { count = 2 } } }
  return topic
end

describe('notices = "message"', function()
  it("tells gaps and ends as messages with the ids that they have anyway", function()
    local topic = short_topic()
    local ids = hub.publish(topic, 5)
    weir.close(topic)
    local seen = {}
    for i, options in ipairs { MESSAGE, { heartbeat = false } } do
      local events = hub.serve(topic, options):sse("/", { last_event_id = ids[1] })
      seen[i] = {}
      for n = 1, 4 do seen[i][n] = assert(events:next()) end
      assert.same({ nil, "closed" }, { events:next() })
    end
    local told, named = seen[1], seen[2]
    for n = 1, 4 do assert.equal(named[n].id, told[n].id) end
    local gap = { event = "weir.gap", reason = "trimmed", lost = 2 }
    assert.same({ "message", gap }, { told[1].event, weir.json.decode(told[1].data) })
    assert.same({ "message", "4" }, { told[2].event, told[2].data })
    local last = { event = "weir.end", reason = "closed" }
    assert.same({ "message", last }, { told[4].event, weir.json.decode(told[4].data) })
    assert.equal('{"event":"weir.gap","reason":"trimmed","lost":2}', told[1].data) -- the name comes first
    assert.same({ "weir.gap", "weir.end" }, { named[1].event, named[4].event })
    local _, why = hub.serve(topic, MESSAGE):sse("/", { last_event_id = told[4].id })
    assert.equal("status 204", why)
  end)

  it("tells a gap once: who comes back with its id gets what is behind it", function()
    local topic = short_topic()
    local ids = hub.publish(topic, 5)
    local server = hub.serve(topic, MESSAGE)
    local gap = server:sse("/", { last_event_id = ids[1] }):next()
    assert.equal("4 5", hub.data(server:sse("/", { last_event_id = gap.id }), 2))
  end)

  it("holds for each stream alone, though they are answered together", function()
    local topic = short_topic()
    local message, named = hub.serve(topic, MESSAGE), hub.serve(topic, { heartbeat = false })
    local streams = {}
    for i = 1, 6 do streams[i] = (i % 2 == 0 and message or named):sse("/") end
    weir.publish(topic, "1")
    weir.close(topic, { data = "last" })
    for i, events in ipairs(streams) do
      assert.equal("1 last", hub.data(events, 2))
      local event = events:next()
      assert.equal(i % 2 == 0 and "message" or "weir.end", event.event)
      assert.equal(i % 2 == 0 and "weir.end" or nil, weir.json.decode(event.data).event)
    end
  end)

  it("tells what a policy has dropped", function()
    local topic = hub.topic()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:sse({ notices = "message", overflow = "drop_oldest", limit = { events = 3 } }):subscribe(topic)
      end)
    end)
    local events = server:sse("/", { rcvbuf = 4096 })
    local big = ("x"):rep(200000)
    for _ = 1, 60 do weir.publish(topic, big) end
    local event
    repeat event = assert(events:next()) until event.data ~= big
    local data = weir.json.decode(event.data)
    assert.same({ "message", "weir.gap", "overflow" }, { event.event, data.event, data.reason })
    assert.is_true(data.lost > 0)
  end)

  it("tells a token's end, of a subscribed stream and of one that a handler holds", function()
    test.clock.freeze()
    local server = support.serve(function(app)
      app:use(function(stream, next)
        stream.claims = { sub = "ann", exp = weir.now() + 10 }
        return next()
      end)
      app:get("/held", function(stream)
        stream:sse(MESSAGE)
        weir.sleep(1e6)
      end)
      app:get("/subscribed", function(stream) stream:sse(MESSAGE):subscribe "a topic" end)
    end)
    local held, subscribed = server:sse "/held", server:sse "/subscribed"
    assert.equal(1, weir.streams({ topic = "a topic" }):close())
    assert.same({ "message", { event = "weir.auth", reason = "revoked" }, false }, next_of(subscribed))
    test.clock.advance(10.01)
    assert.same({ "message", { event = "weir.auth", reason = "expired" }, false }, next_of(held))
    assert.same({ nil, "closed" }, { held:next() })
  end)

  it("leaves alone what has a name by itself", function()
    local topic = hub.topic()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse { notices = "message", hello = true, heartbeat = false }
        sse:send { event = "mine", data = "1" }
        sse:subscribe(topic)
      end)
    end)
    local events = server:sse "/"
    weir.publish(topic, { event = "named", data = "2" })
    assert.same({ "weir.hello", "mine", "named" }, { events:next().event, events:next().event, events:next().event })
  end)

  it("is the only value that there is", function()
    for _, wrong in ipairs { "event", true, false, 1 } do
      local response = support.ask(function(app)
        app:get("/", function(stream) return select(2, pcall(function() stream:sse { notices = wrong } end)) end)
      end, "GET", "/")
      assert.matches('^spec/notices_spec.lua:%d+: stream:sse: notices must be "message", or be left out, got ',
        response.body)
    end
  end)
end)
