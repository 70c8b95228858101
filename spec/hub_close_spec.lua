-- Topics that end: weir.close, what their streams are told, and who comes back. lua/REFERENCE.md, "weir.close".

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

local END = '{"reason":"closed"}'

-- What comes up to the end: data, with "end" for weir.end; and the id of that.
local function all(events)
  local list, id = {}, nil
  while true do
    local event, why = events:next(10)
    if not event then
      assert.equal("closed", why)
      assert.is_true(events.complete)
      return table.concat(list, " "), id
    end
    if event.event == "weir.end" then
      assert.equal(END, event.data)
      list[#list + 1], id = "end", event.id
    else
      list[#list + 1] = event.event == "weir.gap" and "gap" or event.data:match "^%w+"
    end
  end
end

describe("weir.close", function()
  it("appends a last event, and the topic takes no more", function()
    local topic = hub.topic()
    local first = weir.publish(topic, "1")
    local id, streams = weir.close(topic, { event = "last", data = { n = 2 }, key = "k" })
    assert.is_true(first < id)
    assert.equal(0, streams)
    assert.same({ nil, "closed" }, { weir.publish(topic, "3") })
    assert.same({ nil, "closed" }, { weir.publish(topic, "3", { wait = 1 }) })
    assert.same({ nil, "closed" }, { weir.close(topic) })
    assert.same({ nil, "closed" }, { weir.close(topic, "4") })
    local list, more, closed = weir.history(topic)
    assert.same({ "1", '{"n":2}' }, { list[1].data, list[2].data })
    assert.same({ "last", "k", 2 }, { list[2].event, list[2].key, #list })
    assert.is_true(first < list[2].id and list[2].id < id)
    assert.same({ false, true }, { more, closed })
    assert.is_nil((select(3, weir.history(hub.topic()))))
  end)

  it("refuses what is too long, and leaves the topic open", function()
    local topic = hub.topic()
    assert.same({ nil, "limit" }, { weir.close(topic, ("x"):rep(300 * 1024)) })
    assert(weir.publish(topic, "1"))
  end)

  it("ends streams behind all that was published, with weir.end", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    local streams = {}
    for i = 1, 3 do streams[i] = server:sse "/" end
    test.eventually(function() return weir.presence(topic).streams == 3 end)
    hub.publish(topic, 3)
    local id, told = weir.close(topic, "4")
    assert.equal(3, told)
    for _, events in ipairs(streams) do
      local got, last = all(events)
      assert.equal("1 2 3 4 end", got)
      assert.equal(id, last)
    end
    test.eventually(function() return weir.presence(topic).streams == 0 end)
  end)

  it("without an event is just the end", function()
    local topic = hub.topic()
    local events = hub.serve(topic):sse "/"
    test.eventually(function() return weir.presence(topic).streams == 1 end)
    local id = weir.close(topic)
    local got, last = all(events)
    assert.equal("end", got)
    assert.equal(id, last)
  end)

  it("of a topic that nobody knew closes it", function()
    local topic = hub.topic()
    local id = weir.close(topic)
    assert.same({ nil, "closed" }, { weir.publish(topic, "1") })
    local got, last = all(hub.serve(topic):sse "/")
    assert.equal("end", got)
    assert.equal(id, last)
  end)

  it("ends a stream of several topics when all are closed", function()
    local topics = { hub.topic(), hub.topic(), hub.topic() }
    local events = hub.serve(topics):sse "/"
    test.eventually(function() return weir.presence(topics[3]).streams == 1 end)
    weir.publish(topics[1], "1")
    weir.close(topics[3])
    weir.close(topics[1], "2")
    assert.equal("1 2", hub.data(events, 2))
    weir.publish(topics[2], "3")
    assert.equal("3", hub.data(events, 1))
    local id = weir.close(topics[2], "4")
    local got, last = all(events)
    assert.equal("4 end", got)
    assert.equal(id, last)
  end)

  it("does not end a stream of a prefix: others may come", function()
    local base = hub.topic()
    local events = hub.serve(weir.prefix(base .. "/")):sse "/"
    test.eventually(function() return weir.presence(base .. "/a").streams == 1 end)
    weir.close(base .. "/a", "1")
    weir.publish(base .. "/b", "2")
    assert.equal("1 2", hub.data(events, 2))
    events:close()
  end)

  it("ends a stream that leaves what was still open", function()
    local closed, open = hub.topic(), hub.topic()
    weir.close(closed)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse():subscribe { closed, open }
        sse:send "own"
        weir.sleep(0)
        sse:unsubscribe(open)
      end)
    end)
    assert.equal("own end", (all(server:sse "/")))
  end)

  it("says no smaller id than what a topic gave that the stream has left", function()
    local closed, open = hub.topic(), hub.topic()
    weir.close(closed)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse():subscribe { closed, open }
        weir.publish(open, "1")
        sse:flush()
        sse:unsubscribe(open)
      end)
      app:get("/closed", function(stream) stream:sse():subscribe(closed) end)
    end)
    local events = server:sse "/"
    local sent, last = events:next(5), events:next(5)
    assert.same({ "1", "weir.end" }, { sent.data, last.event })
    assert.is_true(sent.id <= last.id)
    assert.equal(204, server:get("/closed", { headers = { ["Last-Event-ID"] = last.id } }).status)
  end)

  it("ends behind a slow reader, and with a handler that goes on", function()
    local topic, results, reasons = hub.topic(), {}, {}
    hub.configure { [topic] = { history = { count = 1000, bytes = "64MB" } } }
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(reason) reasons[1] = reason end)
        local sse = stream:sse():subscribe(topic)
        for i = 1, 100 do weir.publish(topic, i .. " " .. ("x"):rep(8192)) end
        weir.close(topic)
        results[1] = { sse:flush() }
        while not stream.closed do weir.sleep(0.001) end
        results[2] = { sse:send "late" }
      end)
    end)
    local got = all(assert(server:sse("/", { rcvbuf = 4096 })))
    local expected = {}
    for i = 1, 100 do expected[i] = tostring(i) end
    assert.equal(table.concat(expected, " ") .. " end", got)
    test.eventually(function() return reasons[1] and results[2] end)
    assert.same({ { true }, { nil, "closed" } }, results)
    assert.same({ "done" }, reasons)
  end)

  for _, overflow in ipairs { "drop_oldest", "drop_newest", "conflate", "block" } do
    it("ends a stream with the policy " .. overflow, function()
      local topic = hub.topic()
      local events = hub.serve(topic, { overflow = overflow, limit = { events = 10 } }):sse "/"
      test.eventually(function() return weir.presence(topic).streams == 1 end)
      weir.publish(topic, { data = "1", key = "k" }, { wait = 1 })
      assert(weir.close(topic, { data = "2", key = "l" }, { wait = 1 }))
      assert.equal("1 2 end", (all(events)))
    end)
  end

  it("waits for who holds it up, and what waits behind it is refused", function()
    local topic, results = hub.topic(), {}
    hub.configure { [topic] = { history = { count = 1000, bytes = "64MB" } } }
    local events = assert(hub.serve(topic, { overflow = "block", limit = { events = 5 } })
      :sse("/", { rcvbuf = 4096 }))
    test.eventually(function() return weir.presence(topic).streams == 1 end)
    repeat
      local publishing = weir.spawn(function() return weir.publish(topic, ("x"):rep(8192), { wait = 60 }) end)
    until not publishing:join(0.1)
    local closing = weir.spawn(function() results[1] = { weir.close(topic, "last", { wait = 60 }) } end)
    local behind = weir.spawn(function() results[2] = { weir.publish(topic, "late", { wait = 60 }) } end)
    weir.sleep(0)
    assert.same({}, results)
    local got = all(events)
    closing:join()
    behind:join()
    assert.matches("last end$", got)
    assert.equal("string", type(results[1][1]))
    assert.same({ nil, "closed" }, results[2])
  end)

  it("is told to tasks, as nil and closed, behind all that was published", function()
    local one, two = hub.topic(), hub.topic()
    local sub = weir.subscribe { one, two }
    weir.publish(one, "1")
    weir.close(one)
    weir.close(two, "2")
    assert.equal("1", sub:next(5).data)
    assert.equal("2", sub:next(5).data)
    assert.same({ nil, "closed" }, { sub:next(5) })
    assert.same({ nil, "closed" }, { sub:next(0) })
    sub:close()
    local three = hub.topic()
    sub = weir.subscribe(three)
    local waiting = weir.spawn(function() return sub:next(5) end)
    weir.sleep(0)
    weir.close(three)
    assert.same({ nil, "closed" }, { waiting:join() })
  end)

  it("raises where publish does", function()
    assert.error_matches(function() weir.close() end, "weir.close: argument 1")
    assert.error_matches(function() weir.close("a*") end, "weir.close")
    assert.error_matches(function() weir.close("a", {}) end, "weir.close: the event has no data")
    assert.error_matches(function() weir.close("a", 1) end, "weir.close: argument 2")
    assert.error_matches(function() weir.close("a", "x", { wait = "x" }) end, "weir.close: wait")
  end)
end)

describe("a client that comes back to a closed topic", function()
  local function closed(count)
    local topics, ids = { hub.topic(), hub.topic() }, {}
    for i = 1, count or 3 do ids[i] = weir.publish(topics[i % 2 + 1], tostring(i)) end
    weir.close(topics[1])
    return topics, ids, (weir.close(topics[2]))
  end

  it("before the end gets what it missed, and the end", function()
    local topics, ids, last = closed()
    local got, id = all(hub.serve(topics):sse("/", { last_event_id = ids[2] }))
    assert.equal("3 end", got)
    assert.equal(last, id)
    assert.equal("end", (all(hub.serve(topics):sse("/", { last_event_id = ids[3] }))))
    assert.equal("1 2 3 end", (all(hub.serve(topics, nil, { after = "earliest" }):sse "/")))
  end)

  it("at the end is answered 204, for good", function()
    local topics, _, last = closed()
    local reasons = {}
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(reason) reasons[#reasons + 1] = reason end)
        local sse = stream:sse { hello = true }:subscribe(topics)
        weir.sleep(0)
        reasons.sent = { sse:send "late" }
      end)
    end)
    for _, path in ipairs { "/", "/?last_event_id=" .. last } do
      local response = server:get(path, { headers = path == "/" and { ["Last-Event-ID"] = last } or nil })
      assert.equal(204, response.status)
      assert.equal("", response.body)
      assert.is_nil(response.headers["content-type"])
      assert.matches("no%-cache", response.headers["cache-control"])
    end
    test.eventually(function() return #reasons == 2 end)
    assert.same({ "done", "done" }, { reasons[1], reasons[2] })
    assert.same({ nil, "closed" }, reasons.sent)
    assert.equal(0, weir.presence(topics[1]).streams)
  end)

  it("at the end of a topic that was chosen in two steps is answered 204", function()
    local topics, _, last = closed()
    local server = support.serve(function(app)
      app:get("/", function(stream) stream:sse():subscribe(topics[1]):subscribe(topics[2]) end)
    end)
    assert.equal(204, server:get("/", { headers = { ["Last-Event-ID"] = last } }).status)
  end)

  it("at the end gets no 204 where another topic goes on, or something was sent", function()
    local topics, _, last = closed()
    local open = hub.topic()
    local events = hub.serve({ topics[1], topics[2], open }):sse("/", { last_event_id = last })
    assert.equal(200, events.status)
    weir.publish(open, "live")
    assert.equal("live", hub.data(events, 1))
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        sse:send "own"
        sse:subscribe(topics)
      end)
    end)
    assert.equal("own end", (all(server:sse("/", { last_event_id = last }))))
  end)

  it("at the end, of HEAD, is answered 204 too; without an id it is not", function()
    local topics, _, last = closed()
    local server = hub.serve(topics)
    assert.equal(204, server:head("/", { headers = { ["Last-Event-ID"] = last } }).status)
    assert.equal(200, server:head("/").status)
  end)
end)

describe("a closed topic", function()
  after_each(function() test.clock.thaw() end)

  it("is remembered for its age, then it is a new one", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 10 } } }
    hub.freeze()
    weir.publish(topic, "1")
    local id = weir.close(topic, "2")
    test.clock.advance(9)
    assert.same({ nil, "closed" }, { weir.publish(topic, "x") })
    test.clock.advance(3)
    test.eventually(function() return #weir.history(topic) == 0 end)
    local fresh = assert(weir.publish(topic, "new"))
    assert.is_nil((select(3, weir.history(topic))))
    assert.equal("new", hub.data(hub.serve(topic):sse("/", { last_event_id = id }), 1))
    assert.is_true(id < fresh)
  end)

  it("without events is, too", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 10 } } }
    hub.freeze()
    weir.close(topic)
    test.clock.advance(9)
    assert.same({ nil, "closed" }, { weir.publish(topic, "x") })
    test.clock.advance(3)
    test.eventually(function() return (weir.publish(topic, "new")) end)
  end)

  it("stays one while a stream refers to it, which ends with its other topics", function()
    local topics = { hub.topic(), hub.topic() }
    hub.configure { [topics[1]] = { history = { age = 10 } } }
    hub.freeze()
    local events = hub.serve(topics):sse "/"
    test.eventually(function() return weir.presence(topics[1]).streams == 1 end)
    weir.close(topics[1])
    test.clock.advance(20)
    assert.same({ nil, "closed" }, { weir.publish(topics[1], "x") })
    weir.close(topics[2], "2")
    assert.equal("2 end", (all(events)))
    test.eventually(function() return (weir.publish(topics[1], "new")) end)
  end)

  it("that was trimmed tells the gap before its end", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 2 } } }
    local ids = hub.publish(topic, 5)
    weir.close(topic)
    assert.equal("gap 4 5 end", (all(hub.serve(topic):sse("/", { last_event_id = ids[1] }))))
  end)
end)

-- Through real processes: durable ends, and several workers.
describe("a closed topic of a process #workers", function()
  local app_text = [[
local weir = require "weir"
local app = weir.app()
weir.topics { ["d/*"] = { history = { count = 1000, age = "24h" }, durable = true } }
local function topic_of(stream) return stream.params.kind .. "/" .. stream.params.name end
app:post("/publish/:kind/:name", function(stream)
  local id, why = weir.publish(topic_of(stream), stream:body())
  return { id = id, why = why }
end)
app:post("/close/:kind/:name", function(stream)
  local body = stream:body()
  local id, why = weir.close(topic_of(stream), body ~= "" and body or nil)
  return { id = id, why = why }
end)
app:get("/events/:kind/:name", function(stream)
  stream:sse():subscribe(topic_of(stream), { after = stream.query.after })
end)
app:get("/history/:kind/:name", function(stream)
  local list, more, closed = weir.history(topic_of(stream))
  return { count = #list, more = more, closed = closed }
end)
return app
]]
  local path, data
  local function serve() return test.spawn { "serve", path, "--data", data, "--workers", 2 } end
  local function post(server, target, body) return server:post(target, { body = body or "" }).json() end
  before_each(function() path, data = support.app_file(app_text), support.folder() end)
  after_each(function()
    test.cleanup()
    support.remove_folders()
  end)

  for _, last in ipairs { "2", "" } do
    it("stays closed over kill -9, " .. (last == "" and "without" or "with") .. " a last event", function()
      local server = serve()
      local first = post(server, "/publish/d/a", "1").id
      local events = server:sse "/events/d/a?after=earliest"
      local id = post(server, "/close/d/a", last).id
      local rest = last == "" and "" or "2 "
      assert.equal("1 " .. rest .. "end", (all(events)))
      for _ = 1, 2 do
        assert.equal("closed", post(server, "/publish/d/a", "x").why)
        assert.equal("closed", post(server, "/close/d/a").why)
        assert.same({ count = last == "" and 1 or 2, more = false, closed = true },
          server:get("/history/d/a").json())
        local got, at = all(server:sse("/events/d/a", { last_event_id = first }))
        assert.equal(rest .. "end", got)
        assert.equal(id, at)
        assert.equal(204, server:get("/events/d/a", { headers = { ["Last-Event-ID"] = id } }).status)
        server:stop "KILL"
        server = serve()
      end
      assert.is_true(post(server, "/publish/d/b", "1").id > id)
      assert.equal(0, (server:stop()))
    end)
  end

  it("is told to the streams of all workers, and a reload does not open it", function()
    local server = serve()
    for _, kind in ipairs { "m", "d" } do
      local streams = {}
      for i = 1, 8 do streams[i] = server:sse("/events/" .. kind .. "/c") end
      post(server, "/publish/" .. kind .. "/c", "1")
      post(server, "/close/" .. kind .. "/c", "2")
      for _, events in ipairs(streams) do assert.equal("1 2 end", (all(events))) end
      server:signal "HUP"
      test.eventually(function() return server:stderr():find "generation %d+" end, 10)
      for _ = 1, 4 do assert.equal("closed", post(server, "/publish/" .. kind .. "/c", "x").why) end
    end
    assert.equal(0, (server:stop()))
  end)
end)
