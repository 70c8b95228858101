-- The hub as Lua sees it: history, subscriptions of tasks, presence, counters, configuration, several workers.
-- lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

describe("weir.topic", function()
  it("joins a name of what a client sent", function()
    assert.equal("room/7", weir.topic("room", "7"))
    assert.equal("org/a b/room/8", weir.topic("org", "a b", "room", 8))
    assert.equal("room/" .. ("x"):rep(250), weir.topic("room", ("x"):rep(250)))
  end)

  for name, part in pairs {
    ["a star"] = "*", ["bytes that are no UTF-8"] = "\255", ["a line end"] = "a\nb", ["NUL"] = "a\0b", ["nothing"] = "",
    ["a slash, which is where the next part begins"] = "7/user", ["too much"] = ("x"):rep(251),
  } do
    it("fails with 404 for " .. name, function()
      local app = weir.app()
      app:get("/", function() return weir.topic("room", part) end)
      local response = test.simulate(app, {})
      assert.equal(404, response.status)
      assert.matches("^no topic has a name with ", response.body)
    end)
  end

  it("raises for what is the script's own mistake", function()
    assert.error_matches(function() weir.topic("room/", "7") end, "without a \"/\" at its end")
    assert.error_matches(function() weir.topic("*", "7") end, "the beginning of a topic's name")
    assert.error_matches(function() weir.topic("room", nil) end, "argument 2 must be a string, got nil")
    assert.error_matches(function() weir.topic("room") end, "argument 2 must be a string")
    assert.error_matches(function() weir.topic(nil, "7") end, "argument 1 %(base%) must be a string")
  end)
end)

describe("history", function()
  it("decodes data that is JSON, when asked, and leaves the rest", function()
    local topic = hub.topic()
    for _, data in ipairs { { n = 1 }, "text", "7", "null", '{"broken"', "" } do
      weir.publish(topic, { data = data })
    end
    local list, more, closed = weir.history(topic, { decode = true })
    assert.same({ n = 1 }, list[1].data)
    assert.equal("text", list[2].data)
    assert.equal(7, list[3].data)
    assert.equal(weir.json.null, list[4].data)
    assert.equal('{"broken"', list[5].data)
    assert.equal("", list[6].data)
    assert.same({ false, nil }, { more, closed })
    assert.equal('{"n":1}', weir.history(topic)[1].data)
    assert.error_matches(function() weir.history(topic, { decode = 1 }) end, "weir.history: decode")
  end)

  it("gives what a topic holds, oldest first", function()
    local topic = hub.topic()
    local first = weir.publish(topic, { event = "tick", data = { n = 1 }, key = "k" })
    local second = weir.publish(topic, "two\nlines")
    local list, more = weir.history(topic)
    assert.is_false(more)
    assert.equal(2, #list)
    local one = list[1]
    assert.same({ first, "tick", '{"n":1}', "k", topic }, { one.id, one.event, one.data, one.key, one.topic })
    assert.same({ second, "two\nlines", topic }, { list[2].id, list[2].data, list[2].topic })
    assert.is_nil(list[2].key)
  end)

  it("of a topic that is none is empty, and makes none", function()
    local topics = hub.growth "topics"
    assert.same({ {}, false }, { weir.history(hub.topic()) })
    assert.equal(0, topics())
  end)

  local function texts(list)
    local all = {}
    for i, item in ipairs(list) do all[i] = item.data end
    return table.concat(all, " ")
  end

  it("after and before are exclusive", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 6)
    assert.equal("3 4 5 6", texts((weir.history(topic, { after = ids[2] }))))
    assert.equal("1 2 3", texts((weir.history(topic, { before = ids[4] }))))
    assert.equal("3 4", texts((weir.history(topic, { after = ids[2], before = ids[5] }))))
    assert.equal("", texts((weir.history(topic, { after = ids[6] }))))
    assert.equal("", texts((weir.history(topic, { before = ids[1] }))))
  end)

  it("pages forward by limit and says whether there is more", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 5)
    local list, more = weir.history(topic, { after = ids[1], limit = 2 })
    assert.same({ "2 3", true }, { texts(list), more })
    list, more = weir.history(topic, { after = list[2].id, limit = 2 })
    assert.same({ "4 5", false }, { texts(list), more })
  end)

  it("has a limit of 100", function()
    local topic = hub.topic()
    hub.publish(topic, 101)
    local list, more = weir.history(topic)
    assert.same({ 100, true }, { #list, more })
    for i = 2, 100 do assert.equal(1, tonumber(list[i].data) - tonumber(list[i - 1].data)) end
    list, more = weir.history(topic, { limit = 101 })
    assert.same({ 101, false }, { #list, more })
  end)

  it("raises on what is no option, id or limit", function()
    local topic = hub.topic()
    for _, options in ipairs { { aftre = "1-1" }, { limit = 0 }, { limit = -1 }, { limit = "x" }, { after = {} },
      { before = 7 }, { after = "nonsense" } } do
      assert.is_false((pcall(weir.history, topic, options)), next(options))
    end
  end)
end)

describe("weir.subscribe", function()
  it("gives a task the events of topics", function()
    local one, two = hub.topic "1", hub.topic "2"
    local sub = weir.subscribe { one, two }
    local id = weir.publish(one, { event = "tick", data = "x", key = "k" })
    weir.publish(two, "y")
    local event = sub:next(5)
    assert.same({ one, id, "tick", "x", "k" }, { event.topic, event.id, event.event, event.data, event.key })
    event = sub:next(5)
    assert.same({ two, "y" }, { event.topic, event.data })
    sub:close()
  end)

  it("next waits, at most so long", function()
    local topic = hub.topic()
    local sub = weir.subscribe(topic)
    assert.same({ nil, "timeout" }, { sub:next(0.01) })
    assert.same({ nil, "timeout" }, { sub:next(0) })
    local waiting = weir.spawn(function() return sub:next().data end)
    test.settle()
    weir.publish(topic, "late")
    assert.equal("late", (waiting:join()))
    sub:close()
  end)

  for name, choose in pairs {
    ["one topic"] = function(topic) return topic .. "a" end,
    ["several topics"] = function(topic) return { topic .. "a", topic .. "b" } end,
    ["a prefix"] = function(topic) return weir.prefix(topic) end,
    ["a prefix and topics"] = function(topic) return { weir.prefix(topic), topic .. "a", topic .. "c" } end,
  } do
    it("gives what was published just now to who does not wait: " .. name, function()
      local topic = hub.topic ""
      local sub, other = weir.subscribe(choose(topic)), weir.channel(0)
      assert.same({ nil, "timeout" }, { sub:next(0) })
      local seen = {}
      for i = 1, 100 do
        local id = weir.publish(topic .. "a", tostring(i))
        local event = assert(sub:next(0))
        assert.same({ id, topic .. "a" }, { event.id, event.topic })
        seen[i] = event.data
        assert.same({ nil, "timeout" }, { sub:next(0) })
      end
      assert.equal("100", seen[100])
      weir.publish(topic .. "a", "chosen")
      local index, event = weir.select { other, sub, timeout = 0 }
      assert.same({ 2, "chosen" }, { index, event.data })
      assert.same({ nil, "timeout" }, { weir.select { other, sub, timeout = 0 } })
      test.settle()
      assert.same({ nil, "timeout" }, { sub:next(0) })
      sub:close()
    end)
  end

  it("next after close, and one that waits at close, is nil, 'closed'", function()
    local sub = weir.subscribe(hub.topic())
    local results
    local waiting = weir.spawn(function() results = { sub:next() } end)
    test.settle()
    sub:close()
    waiting:join()
    assert.same({ nil, "closed" }, results)
    assert.same({ nil, "closed" }, { sub:next(1) })
    sub:close()
  end)

  it("events iterates until it is closed", function()
    local topic = hub.topic()
    local sub = weir.subscribe(topic)
    hub.publish(topic, 3)
    local seen = {}
    for event in sub:events() do
      seen[#seen + 1] = event.data
      if #seen == 3 then sub:close() end
    end
    assert.same({ "1", "2", "3" }, seen)
  end)

  it("takes prefixes and 'after'", function()
    local prefix = hub.topic ""
    local first = weir.publish(prefix .. "a", "1")
    weir.publish(prefix .. "b", "2")
    local sub = weir.subscribe(weir.prefix(prefix), { after = first })
    assert.equal("2", sub:next(5).data)
    weir.publish(prefix .. "c", "3")
    local event = sub:next(5)
    assert.same({ prefix .. "c", "3" }, { event.topic, event.data })
    sub:close()
    sub = weir.subscribe(weir.prefix(prefix), { after = "earliest" })
    assert.same({ "1", "2", "3" }, { sub:next(5).data, sub:next(5).data, sub:next(5).data })
    sub:close()
  end)

  it("is told of a gap by an event", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 5 } } }
    local sub = weir.subscribe(topic)
    hub.publish(topic, 20)
    local gap = sub:next(5)
    assert.equal("weir.gap", gap.event)
    assert.equal("16", sub:next(5).data)
    sub:close()
  end)

  it("ends with its task", function()
    local topic, subscribers = hub.topic(), hub.growth "subscribers"
    weir.spawn(function() weir.subscribe(topic) end):join()
    test.eventually(function() return subscribers() == 0 end)
    local sub
    local task = weir.spawn(function()
      sub = weir.subscribe(topic)
      sub:next()
    end)
    test.settle()
    task:cancel()
    test.eventually(function() return subscribers() == 0 end)
    weir.publish(topic, "x")
  end)
end)

describe("presence", function()
  it("counts the streams of a topic", function()
    local topic = hub.topic "x/y"
    assert.same({ streams = 0, subs = {} }, weir.presence(topic))
    local one = hub.serve(topic):sse "/"
    local two = hub.serve(weir.prefix(topic:sub(1, -2))):sse "/"
    hub.serve(hub.topic()):sse "/"
    assert.same({ streams = 2, subs = {} }, weir.presence(topic))
    one:close()
    test.eventually(function() return weir.presence(topic).streams == 1 end)
    two:reset()
    test.eventually(function() return weir.presence(topic).streams == 0 end)
  end)
end)

describe("weir.stats", function()
  it("has just the numbers that are annotated", function()
    local annotated = {}
    local block = support.read_file("lua/weir/_meta/weir.lua"):match "%-%-%-@class weir.Stats\n(.-)\n\n"
    for name in block:gmatch "%-%-%-@field ([%w_]+) integer" do annotated[#annotated + 1] = name end
    table.sort(annotated)
    local found = {}
    for name, value in pairs(weir.stats()) do
      assert.equal("number", type(value), name)
      found[#found + 1] = name
    end
    table.sort(found)
    assert.same(annotated, found)
  end)

  it("counts what is published, delivered and subscribed", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    local subscribers, published = hub.growth "subscribers", hub.growth "published"
    local delivered, topics = hub.growth "delivered", hub.growth "topics"
    local one, two = server:sse "/", server:sse "/"
    assert.equal(2, subscribers())
    hub.publish(topic, 5)
    assert.equal(5, published())
    assert.equal(1, topics())
    hub.data(one, 5)
    hub.data(two, 5)
    test.eventually(function() return delivered() == 10 end)
    one:close()
    test.eventually(function() return subscribers() == 1 end)
    two:close()
    test.eventually(function() return subscribers() == 0 end)
  end)

  it("counts connections, requests, bytes, and what was refused or dropped", function()
    local dropped = weir.channel(1)
    local app = weir.app()
    app:get("/hello", function() return "hello" end)
    app:get("/drops", function(stream)
      stream:write_policy "drop_newest"
      local chunk, count, ok = ("x"):rep(60000), 0, true
      while ok do ok = stream:write(chunk) end
      while count < 3 do
        if stream:write(chunk) == false then count = count + 1 end
      end
      dropped:send(count + 1)
    end)
    local server = test.start(app)
    local connections, bad = hub.growth "connections_total", hub.growth "bad_requests"
    local sent, writes_dropped = hub.growth "bytes_sent", hub.growth "writes_dropped"
    local client = server:connect()
    client:send "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
    client:receive "hello$"
    client:send "no request\r\n\r\n"
    client:receive_all()
    assert.equal(1, connections())
    assert.equal(1, bad())
    assert.equal(#"hello", sent())
    local slow = server:connect { rcvbuf = 4096 }
    slow:send "GET /drops HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal(dropped:recv(10), writes_dropped())
    slow:close()
  end)

  it("hub_memory grows with what is kept and is given back when it is old", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 10, count = 10000, bytes = "16MB" } } }
    hub.freeze()
    local memory, topics = hub.growth "hub_memory", hub.growth "topics"
    for _ = 1, 64 do weir.publish(topic, ("x"):rep(32768)) end
    assert.is_true(memory() >= 64 * 32768, memory())
    assert.is_true(memory() < 2 * 64 * 32768, memory())
    for _ = 1, 10 do test.clock.advance(60) end
    test.eventually(function() return memory() <= 0 and topics() <= 0 end)
  end)

  it("thousands of topics that nobody reads go, and their memory with them", function()
    local prefix = hub.topic ""
    hub.configure { [prefix .. "*"] = { history = { age = 10 } } }
    hub.freeze()
    local memory, topics = hub.growth "hub_memory", hub.growth "topics"
    for i = 1, 5000 do weir.publish(prefix .. i, "x") end
    assert.equal(5000, topics())
    assert.is_true(memory() > 0)
    for _ = 1, 10 do test.clock.advance(60) end
    test.eventually(function() return topics() <= 0 and memory() <= 0 end)
  end)

  it("a topic with a subscriber stays", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 1 } } }
    hub.freeze()
    local events = hub.serve(topic, { heartbeat = false }):sse "/"
    weir.publish(topic, "1")
    assert.equal("1", events:next().data)
    for _ = 1, 10 do test.clock.advance(60) end
    assert.equal(1, (select(2, weir.publish(topic, "2"))))
    assert.equal("2", events:next().data)
  end)
end)

describe("an event that is published alone", function()
  it("is all that its topic keeps, and the next one is behind it", function()
    local topic = hub.topic()
    local first = hub.publish(topic, 3)[1]
    local server = hub.serve(topic)
    local live = server:sse "/"
    weir.publish(topic, "state", { only = true })
    weir.publish(topic, "next")
    local list = weir.history(topic)
    assert.same({ 2, "state", "next" }, { #list, list[1].data, list[2].data })
    assert.equal("state next", hub.data(live, 2))
    local gap = server:sse("/", { last_event_id = first }):next()
    assert.same({ "weir.gap", { reason = "trimmed", lost = 2 } }, { gap.event, weir.json.decode(gap.data) })
    server:close()
  end)

  it("takes true or false, with weir.close too", function()
    local topic = hub.topic()
    assert.error_matches(function() weir.publish(topic, "x", { only = 1 }) end, "weir.publish: only")
    hub.publish(topic, 2)
    weir.close(topic, "last", { only = true })
    assert.same({ 1, "last" }, { #weir.history(topic), weir.history(topic)[1].data })
    topic = hub.topic()
    hub.publish(topic, 2)
    weir.close(topic, nil, { only = true })
    assert.equal(0, #weir.history(topic))
  end)
end)

describe("weir.position", function()
  it("is an id that grows with what is published, and lies behind what can be read", function()
    local topic = hub.topic()
    local before = weir.position()
    local id = weir.publish(topic, "x")
    assert.is_true(before < id and id <= weir.position())
    assert.equal("x", weir.subscribe(topic, { after = before }):next(5).data)
    assert.same({ nil, "timeout" }, { weir.subscribe(topic, { after = weir.position() }):next(0) })
  end)
end)

describe("weir.topics", function()
  after_each(support.remove_folders)

  -- How many of 20 events a topic keeps.
  local function kept(topic)
    hub.publish(topic, 20)
    return #weir.history(topic)
  end

  it("the longest pattern wins", function()
    local base = hub.topic ""
    hub.configure {
      [base .. "*"] = { history = { count = 4 } },
      [base .. "long/*"] = { history = { count = 6 } },
      [base .. "long/er"] = { history = { count = 8 } },
    }
    assert.same({ 4, 6, 8, 20 },
      { kept(base .. "a"), kept(base .. "long/b"), kept(base .. "long/er"), kept(hub.topic()) })
  end)

  it("adds to what was said before; the same pattern again replaces it", function()
    local base = hub.topic ""
    local function rule(count) return { history = { count = count } } end
    hub.configure { [base .. "a"] = rule(4), [base .. "b"] = rule(6) }
    hub.configure { [base .. "b"] = rule(8) }
    assert.same({ 4, 8 }, { kept(base .. "a"), kept(base .. "b") })
    local loading = support.serve_text(([[
      local weir = require "weir"
      weir.topics { [%q] = { history = { count = 3 } }, [%q] = { history = { count = 5 } } }
      weir.topics { [%q] = { history = { count = 7 } } }
      return weir.app()]]):format(base .. "c", base .. "d", base .. "d"))
    assert.same({ 3, 7 }, { kept(base .. "c"), kept(base .. "d") })
    loading:close()
  end)

  -- A topic of no rule, and one whose rule does not say it.
  for what, rule in pairs { ["no rule speaks of"] = false, ["a rule says nothing of"] = {} } do
    local function topic_of()
      local topic = hub.topic()
      if rule then hub.configure { [topic] = rule } end
      return topic
    end

    it("keeps 1000 events of what " .. what, function()
      local topic = topic_of()
      hub.publish(topic, 1005)
      local list, more = weir.history(topic, { limit = 2000 })
      assert.same({ 1000, false }, { #list, more })
      assert.equal("6", list[1].data)
    end)

    it("keeps 1 MB of what " .. what, function()
      local topic = topic_of()
      for _ = 1, 12 do weir.publish(topic, ("x"):rep(100 * 1024)) end
      assert.equal(10, #weir.history(topic)) -- eleven are 1.07 MB
    end)

    it("keeps for an hour what " .. what, function()
      local topic = topic_of()
      hub.freeze()
      weir.publish(topic, "x")
      test.clock.advance(3599)
      assert.equal(1, #weir.history(topic))
      test.clock.advance(2)
      test.eventually(function() return #weir.history(topic) == 0 end)
    end)
  end

  it("count is kept exactly, also 1", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 1 } } }
    assert.equal(1, kept(topic))
    assert.equal("20", weir.history(topic)[1].data)
  end)

  it("bytes bound what a topic keeps", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { bytes = "100KB" } } }
    for _ = 1, 100 do weir.publish(topic, ("x"):rep(10240)) end
    local list = weir.history(topic, { limit = 1000 })
    assert.is_true(#list >= 1 and #list <= 10, #list)
  end)

  it("age bounds how long it does", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 10 } } }
    hub.freeze()
    weir.publish(topic, "old")
    test.clock.advance(6)
    weir.publish(topic, "new")
    assert.equal(2, #weir.history(topic))
    test.clock.advance(6)
    test.eventually(function() return #weir.history(topic) == 1 end)
    assert.equal("new", weir.history(topic)[1].data)
  end)

  it("age does so in a server where nobody has ever subscribed", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.topics { t = { history = { age = 0.1 } } }
      local app = weir.app()
      app:post("/", function() weir.publish("t", "x") end)
      app:get("/", function() return { kept = #weir.history "t", topics = weir.stats().topics } end)
      return app
    ]]), "--workers", 1 }
    server:post "/"
    test.eventually(function()
      local seen = server:get("/").json()
      return seen.kept == 0 and seen.topics == 0
    end, 5)
    assert.equal(0, (server:stop()))
  end)

  it("takes an age as text", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = "24h" } }, [topic .. "s"] = { history = { age = "30s" } } }
    hub.freeze()
    weir.publish(topic, "x")
    weir.publish(topic .. "s", "x")
    for _ = 1, 4 do test.clock.advance(20) end
    assert.equal(1, #weir.history(topic))
    test.eventually(function() return #weir.history(topic .. "s") == 0 end)
  end)

  local bad = {
    { "no table", 7 },
    { "a pattern that is no string", { [7] = {} } },
    { "an empty pattern", { [""] = {} } },
    { "a pattern with a control character", { ["a\n*"] = {} } },
    { "a value that is no table", { ["a/*"] = 5 } },
    { "an unknown setting", { ["a/*"] = { histroy = {} } }, "histroy" },
    { "an unknown bound", { ["a/*"] = { history = { cuont = 5 } } }, "cuont" },
    { "a negative count", { ["a/*"] = { history = { count = -1 } } }, "count" },
    { "a count with a fraction", { ["a/*"] = { history = { count = 1.5 } } }, "count" },
    { "an age that is none", { ["a/*"] = { history = { age = "soon" } } }, "age" },
    { "a negative age", { ["a/*"] = { history = { age = -1 } } }, "age" },
    { "bytes that are none", { ["a/*"] = { history = { bytes = "many" } } }, "bytes" },
    { "durable that is neither true nor false", { ["a/*"] = { durable = "yes" } }, "durable" },
  }
  for _, case in ipairs(bad) do
    local what, topics, name = unpack(case, 1, 3)
    it("raises on " .. what, function()
      local ok, message
      support.serve(function() ok, message = pcall(weir.topics, topics) end):close()
      assert.is_false(ok)
      if name then assert.is_truthy(tostring(message):find(name, 1, true), message) end
    end)
  end
end)

local process_app = [[
  local weir = require "weir"
  local app = weir.app()
  local me = tostring(app)
  app:get("/who", function() return me end)
  app:get("/events", function(stream) stream:sse { retry = 1234 }:subscribe(stream.query.topic) end)
  app:get("/presence", function(stream) return weir.presence(stream.query.topic) end)
  app:post("/publish", function(stream)
    local id, streams = weir.publish(stream.query.topic, stream:body())
    return { id = id, streams = streams, worker = me }
  end)
  return app
]]

describe("the limit hub_memory", function()
  after_each(support.remove_folders)

  it("is for all topics together; what is trimmed for it is told", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.limits { hub_memory = "2MB" }
      weir.topics { ["*"] = { history = { count = 100000, bytes = "64MB" } } }
      local app = weir.app()
      app:get("/events", function(stream) stream:sse():subscribe(stream.query.topic) end)
      app:get("/memory", function() return { bytes = weir.stats().hub_memory } end)
      app:post("/publish", function(stream)
        local first
        for i = 1, 100 do
          local id = weir.publish(stream.query.topic .. i % 10, ("x"):rep(10240))
          first = first or id
        end
        return { id = first }
      end)
      return app
    ]]), "--workers", 1 }
    local first = server:post("/publish?topic=a").json().id
    for _, name in ipairs { "b", "c", "d", "e", "f" } do
      assert.equal(200, server:post("/publish?topic=" .. name).status)
    end
    local bytes = server:get("/memory").json().bytes
    assert.is_true(bytes > 0 and bytes <= 2.5 * 1024 * 1024, bytes)
    local events = server:sse("/events?topic=a1", { last_event_id = first })
    assert.equal("weir.gap", events:next().event)
    events:close()
    server:stop()
  end)
end)

describe("several workers", function()
  after_each(support.remove_folders)

  it("each publishes to the subscribers of all #workers", function()
    local server = test.spawn { "serve", (support.app_file(process_app)), "--workers", 2 }
    local all = {}
    for i = 1, 16 do all[i] = server:sse "/events?topic=t" end
    local workers, count, last = {}, 0, nil
    for i = 1, 100 do
      local answer = server:post("/publish?topic=t", { body = tostring(i) }).json()
      assert.equal(16, answer.streams)
      if last then assert.is_true(hub.before(last, answer.id)) end
      last = answer.id
      if not workers[answer.worker] then workers[answer.worker], count = true, count + 1 end
    end
    assert.equal(2, count)
    for _, events in ipairs(all) do
      for i = 1, 100 do assert.equal(tostring(i), events:next().data) end
    end
    assert.equal(16, server:get("/presence?topic=t").json().streams)
    for _, events in ipairs(all) do events:close() end
    test.eventually(function() return server:get("/presence?topic=t").json().streams == 0 end)
    assert.equal(0, (server:stop()))
  end)

  it("a drain gives each stream a retry of its own, then a clean end #workers", function()
    local server = test.spawn { "serve", (support.app_file(process_app)), "--workers", 2 }
    local all = {}
    for i = 1, 12 do all[i] = server:sse "/events?topic=t" end
    server:post("/publish?topic=t", { body = "x" })
    for _, events in ipairs(all) do assert.equal("x", events:next().data) end
    assert.equal(1234, all[1].retry)
    server:signal "TERM"
    local retries, different = {}, 0
    for _, events in ipairs(all) do
      assert.same({ nil, "closed" }, { events:next() })
      assert.is_true(events.complete)
      assert.is_true(events.retry > 0)
      if not retries[events.retry] then retries[events.retry], different = true, different + 1 end
    end
    assert.is_true(different > 1, "all are asked to come back after the same time")
    assert.equal(0, (server:wait(10)))
  end)
end)
