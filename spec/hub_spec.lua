-- The hub: publishing and subscribing. lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

-- A request by hand, whose answer is read as bytes.
local function open(server, request)
  local client = server:connect()
  client:send(request)
  return client, client:receive_head { method = request:match("^%u+") }
end

-- Calls a function in the handler of a subscribed stream that goes on until the spec ends: commands, server.
local function commanded(topics, options)
  local commands, done = weir.channel(0), weir.channel(0)
  local server = support.serve(function(app)
    app:get("/", function(stream)
      local sse = stream:sse(options)
      if topics then sse:subscribe(topics) end
      for command in function() return (commands:recv()) end do
        command(sse)
        done:send(true)
      end
    end)
  end)
  return function(command)
    assert(commands:send(command, 5))
    assert(done:recv(5))
  end, server
end

describe("publish", function()
  it("returns an id and the number of streams", function()
    local topic = hub.topic()
    local id, streams = weir.publish(topic, "x")
    assert.matches("^" .. ("%d"):rep(13) .. "%-" .. ("%d"):rep(7) .. "$", id)
    assert.equal(0, streams)
    assert.is_true(math.abs(hub.parts(id) / 1000 - weir.now()) < 60)
  end)

  it("gives ids whose texts sort as they do", function()
    local topic, ids = hub.topic(), {}
    for i = 1, 50 do ids[i] = weir.publish(topic, "x") end
    local sorted = { unpack(ids) }
    table.sort(sorted)
    assert.same(ids, sorted)
  end)

  it("gives ids that grow over all topics", function()
    local one, two, last = hub.topic "one", hub.topic "two", nil
    for i = 1, 200 do
      local id = weir.publish(i % 2 == 0 and one or two, "x")
      if last then assert.is_true(hub.before(last, id), last .. " before " .. id) end
      last = id
    end
  end)

  it("gives ids that grow when the clock stands still", function()
    local topic = hub.topic()
    test.clock.freeze()
    local ids = hub.publish(topic, 100)
    for i = 2, #ids do assert.is_true(hub.before(ids[i - 1], ids[i])) end
  end)

  it("counts the open streams at the append, also those of a prefix", function()
    local topic = hub.topic "user/1"
    local prefix = topic:match("^.*/user/")
    local exact, wide = hub.serve(topic), hub.serve(weir.prefix(prefix))
    local first, second, third = exact:sse "/", exact:sse "/", wide:sse "/"
    assert.equal(3, (select(2, weir.publish(topic, "x"))))
    first:close()
    test.eventually(function() return weir.presence(topic).streams == 2 end)
    assert.equal(2, (select(2, weir.publish(topic, "x"))))
    second:close()
    third:close()
    test.eventually(function() return weir.presence(topic).streams == 0 end)
    assert.equal(0, (select(2, weir.publish(topic, "x"))))
  end)

  it("counts a stream once that has a topic twice", function()
    local topic = hub.topic "user/1"
    local events = hub.serve({ topic, topic, weir.prefix(topic:sub(1, -2)) }):sse "/"
    assert.equal(1, (select(2, weir.publish(topic, "x"))))
    assert.equal("x", events:next().data)
    assert.equal("y", hub.only(events, function() weir.publish(topic, "y") end))
  end)

  local sent = {
    { "a string", "hello", "message", "hello" },
    { "an empty string", "", "message", "" },
    { "a table of one field", { data = "x" }, "message", "x" },
    { "an event's name", { event = "tick", data = "x" }, "tick", "x" },
    { "a table as data", { data = { a = 1 } }, "message", '{"a":1}' },
    { "an empty table as data", { data = {} }, "message", "{}" },
    { "a list as data", { data = { 1, 2, 3 } }, "message", "[1,2,3]" },
    { "an array without elements", { data = weir.json.array {} }, "message", "[]" },
    { "null", { data = weir.json.null }, "message", "null" },
    { "a key, which clients do not see", { data = "x", key = "k" }, "message", "x" },
    { "LF", { data = "a\nb" }, "message", "a\nb" },
    { "CR", { data = "a\rb" }, "message", "a\nb" },
    { "CRLF", { data = "a\r\nb" }, "message", "a\nb" },
    { "empty lines", { data = "\n\na\n\nb\n" }, "message", "\n\na\n\nb\n" },
    { "what looks like a field", "x\nid: 9\nevent: y", "message", "x\nid: 9\nevent: y" },
    { "what looks like a chunk", "0\r\n\r\n", "message", "0\n\n" },
    { "leading spaces", "  x", "message", "  x" },
    { "a colon", ":x", "message", ":x" },
    { "UTF-8", "grüße €𝄞", "message", "grüße €𝄞" },
    { "NUL in data", "a\0b", "message", "a\0b" },
    { "control characters in data", "\1\2\127", "message", "\1\2\127" },
    { "a byte that is no UTF-8", "a\255b", "message", "a\239\191\189b" },
    { "a surrogate", "\237\160\128", "message", ("\239\191\189"):rep(3) },
    { "a sequence cut short", "x\226\130", "message", "x\239\191\189" },
    { "64 KB", ("0123456789abcdef"):rep(4096), "message", ("0123456789abcdef"):rep(4096) },
    { "thousands of lines", ("x\n"):rep(5000), "message", ("x\n"):rep(5000) },
  }
  for _, case in ipairs(sent) do
    local what, event, name, data = unpack(case)
    it("delivers " .. what, function()
      local topic = hub.topic()
      local events = hub.serve(topic):sse "/"
      local id = weir.publish(topic, event)
      local got = assert(events:next())
      assert.equal(name, got.event)
      assert.equal(data, got.data)
      assert.equal(id, got.id)
      local replayed = hub.serve(topic, nil, { after = "earliest" }):sse("/"):next()
      assert.same({ name, data, id }, { replayed.event, replayed.data, replayed.id })
    end)
  end

  it("counts invalid UTF-8 in data, and not what is valid", function()
    local topic, replaced = hub.topic(), hub.growth "utf8_replaced"
    weir.publish(topic, "fine: €")
    assert.equal(0, replaced())
    weir.publish(topic, "a\255b")
    assert.is_true(replaced() > 0)
  end)

  local bad_names = {
    { "an empty one", "" },
    { "256 bytes", ("x"):rep(256) },
    { "a tab", "a\tb" }, { "LF", "a\nb" }, { "CR", "a\rb" }, { "NUL", "a\0b" }, { "DEL", "a\127b" },
    { "a star", "user/*" }, { "only a star", "*" },
    { "invalid UTF-8", "a\255" }, { "a surrogate", "\237\160\128" }, { "an overlong form", "\192\175" },
    { "a number", 7 }, { "nothing", nil }, { "a table", {} }, { "a prefix", weir.prefix "user/" },
  }
  for _, case in ipairs(bad_names) do
    local what, name = case[1], case[2]
    it("to " .. what .. " as a topic raises and appends nothing", function()
      local published, topics = hub.growth "published", hub.growth "topics"
      assert.is_false((pcall(weir.publish, name, "x")))
      assert.equal(0, published())
      assert.equal(0, topics())
    end)
    if what ~= "a prefix" then
      it("subscribe to " .. what .. " raises", function()
        local ok
        local run, server = commanded(nil)
        local events = server:sse "/"
        run(function(sse) ok = pcall(sse.subscribe, sse, name) end)
        assert.is_false(ok)
        run(function(sse) ok = pcall(sse.subscribe, sse, { "fine", name or false }) end)
        assert.is_false(ok)
        assert.equal(0, weir.presence("fine").streams)
        assert.is_false((pcall(weir.subscribe, name)))
        assert.is_false((pcall(weir.history, name)))
        events:close()
      end)
    end
  end

  it("to a name of 1 and of 255 bytes works", function()
    local long = hub.topic(); long = long .. ("x"):rep(255 - #long)
    for _, topic in ipairs { "\226\130\172" .. hub.topic(), long, hub.topic "a b: c?#%" } do
      local events = hub.serve(topic):sse "/"
      weir.publish(topic, "x")
      assert.equal("x", events:next().data)
    end
    assert.is_truthy((weir.publish("~", "x")))
  end)

  local bad_events = {
    { "CR in event", { event = "a\rb", data = "x" } },
    { "LF in event", { event = "a\nb", data = "x" } },
    { "NUL in event", { event = "a\0b", data = "x" } },
    { "CR in key", { key = "a\rb", data = "x" } },
    { "LF in key", { key = "a\nb", data = "x" } },
    { "NUL in key", { key = "a\0b", data = "x" } },
    { "an unknown field", { data = "x", evnt = "y" }, "evnt" },
    { "an id, which the hub makes", { data = "x", id = "1" }, "id" },
    { "an event that is a table", { data = "x", event = {} }, "event" },
    { "a key that is a table", { data = "x", key = {} }, "key" },
    { "a number instead of an event", 7 },
    { "nothing instead of an event", nil },
    { "data that JSON has no form for", { data = { print } } },
  }
  for _, case in ipairs(bad_events) do
    local what, event, name = unpack(case, 1, 3)
    it(what .. " raises and appends nothing", function()
      local topic, published = hub.topic(), hub.growth "published"
      local ok, message = pcall(weir.publish, topic, event)
      assert.is_false(ok)
      if name then assert.is_truthy(tostring(message):find(name, 1, true), message) end
      assert.equal(0, published())
      assert.same({}, (weir.history(topic)))
    end)
  end

  it("with an unknown option raises", function()
    assert.is_false((pcall(weir.publish, hub.topic(), "x", { wiat = 1 })))
    assert.is_false((pcall(weir.publish, hub.topic(), "x", { wait = -1 })))
  end)

  it("of an event over event_bytes is nil, 'limit', and appends nothing", function()
    local limit = weir.limits().event_bytes
    local topic, published = hub.topic(), hub.growth "published"
    assert.same({ nil, "limit" }, { weir.publish(topic, ("x"):rep(limit + 1)) })
    assert.same({ nil, "limit" }, { weir.publish(topic, { data = { ("x"):rep(limit) } }) })
    assert.equal(0, published())
    assert.same({}, (weir.history(topic)))
    local events = hub.serve(topic):sse "/"
    assert.is_truthy((weir.publish(topic, ("x"):rep(limit - 1024))))
    assert.equal(limit - 1024, #events:next().data)
  end)
end)

describe("subscribe", function()
  it("keeps the stream open after the handler returned", function()
    local topic = hub.topic()
    local returned = false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        weir.defer(function() returned = true end)
        local sse = stream:sse()
        assert(sse:subscribe(topic) == sse)
      end)
    end)
    local events = server:sse "/"
    test.eventually(function() return returned end)
    for i = 1, 3 do
      weir.publish(topic, "event " .. i)
      assert.equal("event " .. i, events:next().data)
    end
    assert.same({ nil, "timeout" }, { events:next(0.01) })
  end)

  it("leaves no task and no Lua object behind once the handler returned", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    local before = weir.stats().tasks
    local all = {}
    for i = 1, 20 do all[i] = server:sse "/" end
    test.eventually(function() return weir.stats().tasks == before end)
    assert.equal(20, (select(2, weir.publish(topic, "x"))))
    for _, events in ipairs(all) do assert.equal("x", events:next().data) end
    assert.equal(before, weir.stats().tasks)
  end)

  it("keeps nothing of a stream in Lua", function()
    local weak = setmetatable({}, { __mode = "k" })
    local topic = hub.topic()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        sse:subscribe(topic)
        weak[sse], weak[stream] = true, true
      end)
    end)
    local events = server:sse "/"
    test.eventually(function()
      collectgarbage()
      return next(weak) == nil
    end)
    weir.publish(topic, "x")
    assert.equal("x", events:next().data)
  end)

  it("is told to on_close when the client leaves", function()
    local reason
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(why) reason = why end)
        stream:sse():subscribe(hub.topic())
      end)
    end)
    server:sse("/"):close()
    test.eventually(function() return reason end)
    assert.equal("client", reason)
  end)

  it("starts now: what was before is not delivered", function()
    local topic = hub.topic()
    hub.publish(topic, 3)
    local events = hub.serve(topic):sse "/"
    assert.equal("4", hub.only(events, function() weir.publish(topic, "4") end))
  end)

  it("to a list delivers all in the order of ids", function()
    local one, two, other = hub.topic "1", hub.topic "2", hub.topic "3"
    local events = hub.serve({ one, two }):sse "/"
    local ids = {}
    for i = 1, 40 do
      ids[#ids + 1] = weir.publish(i % 3 == 0 and one or two, tostring(i))
      weir.publish(other, "not subscribed")
    end
    for i = 1, 40 do
      local event = assert(events:next())
      assert.same({ tostring(i), ids[i] }, { event.data, event.id })
    end
  end)

  it("an empty list or a wrong option raises", function()
    local run, server = commanded(nil)
    local events = server:sse "/"
    local results = {}
    run(function(sse)
      results[1] = pcall(sse.subscribe, sse, "fine", { aftre = "earliest" })
      results[2] = pcall(sse.subscribe, sse, "fine", { resume = "yes" })
      results[3] = pcall(sse.subscribe, sse, "fine", { after = {} })
      results[4] = pcall(sse.subscribe, sse)
    end)
    assert.same({ false, false, false, false }, results)
    events:close()
  end)

  it("to a prefix delivers what begins with it, and nothing else", function()
    local topic = hub.topic "user/1"
    local prefix = topic:sub(1, -2)
    local events = hub.serve(weir.prefix(prefix)):sse "/"
    weir.publish(prefix:sub(1, -2), "shorter")
    weir.publish(hub.topic "user/1", "another")
    weir.publish(topic, "first")
    weir.publish(prefix, "the prefix itself")
    weir.publish(prefix .. "2/deep/er", "deeper")
    assert.equal("first the prefix itself deeper", hub.data(events, 3))
  end)

  it("to a prefix includes topics made later", function()
    local prefix = hub.topic "later/"
    local events = hub.serve(weir.prefix(prefix)):sse "/"
    for i = 1, 30 do
      assert.equal(1, (select(2, weir.publish(prefix .. i, tostring(i)))))
    end
    for i = 1, 30 do assert.equal(tostring(i), events:next().data) end
  end)

  it("to prefixes inside each other delivers once", function()
    local prefix = hub.topic ""
    local events = hub.serve({ weir.prefix(prefix), weir.prefix(prefix .. "a/"), prefix .. "a/b" }):sse "/"
    assert.equal(1, (select(2, weir.publish(prefix .. "a/b", "once"))))
    weir.publish(prefix .. "a/c", "two")
    weir.publish(prefix .. "d", "three")
    assert.equal("once two three", hub.data(events, 3))
    assert.equal("end", hub.only(events, function() weir.publish(prefix .. "a/b", "end") end))
  end)

  it("a prefix is never a string, and has no star", function()
    for _, bad in ipairs { "user/*", "a\nb", "a\255", ("x"):rep(256) } do
      assert.is_false((pcall(function() weir.subscribe(weir.prefix(bad)):close() end)), bad)
    end
    assert.is_false((pcall(weir.prefix, 7)))
    assert.is_false((pcall(weir.subscribe, "user/*")))
  end)

  it("again adds topics", function()
    local one, two = hub.topic "1", hub.topic "2"
    local run, server = commanded(one)
    local events = server:sse "/"
    weir.publish(two, "too early")
    weir.publish(one, "a")
    assert.equal("a", events:next().data)
    run(function(sse) sse:subscribe(two) end)
    weir.publish(two, "b")
    weir.publish(one, "c")
    assert.equal("b c", hub.data(events, 2))
    run(function(sse) sse:subscribe(two) end)
    weir.publish(two, "d")
    assert.equal("e", (function()
      assert.equal("d", events:next().data)
      return hub.only(events, function() weir.publish(one, "e") end)
    end)())
    events:close()
  end)

  it("unsubscribe takes a topic away", function()
    local one, two = hub.topic "1", hub.topic "2"
    local run, server = commanded({ one, two })
    local events = server:sse "/"
    weir.publish(one, "a")
    weir.publish(two, "b")
    assert.equal("a b", hub.data(events, 2))
    run(function(sse) sse:unsubscribe(one) end)
    assert.equal(0, (select(2, weir.publish(one, "unheard"))))
    assert.equal(1, (select(2, weir.publish(two, "c"))))
    assert.equal("c", events:next().data)
    run(function(sse) sse:subscribe(one) end)
    weir.publish(one, "d")
    assert.equal("d", events:next().data)
    events:close()
  end)

  it("unsubscribe takes a prefix away, and leaves names below it", function()
    local topic, results = hub.topic(), {}
    local prefix = weir.prefix(topic .. "/")
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse():subscribe { prefix, topic .. "/named" }
        for i = 1, 2 do results[i] = sse:unsubscribe(prefix) end
      end)
    end)
    local events = server:sse "/"
    weir.publish(topic .. "/other", "not for it")
    weir.publish(topic .. "/named", "for it")
    assert.equal("for it", events:next().data)
    assert.same({ true, false }, results)
  end)

  it("unsubscribe of what was not subscribed changes nothing", function()
    local topic = hub.topic()
    local run, server = commanded(topic)
    local events = server:sse "/"
    run(function(sse) sse:unsubscribe(hub.topic "other") end)
    weir.publish(topic, "x")
    assert.equal("x", events:next().data)
    events:close()
  end)

  it("a handler that goes on may send, between entries", function()
    local topic = hub.topic()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        sse:subscribe(topic)
        for i = 1, 50 do
          weir.publish(topic, { event = "entry", data = i .. ("\nline"):rep(i) })
          assert(sse:send { event = "direct", data = i .. ("\nown"):rep(i) })
          if i % 7 == 0 then weir.sleep(0) end
        end
        weir.publish(topic, { event = "last", data = "" })
      end)
    end)
    local events = server:sse "/"
    local seen = { entry = 0, direct = 0 }
    for event in function() return assert(events:next()) end do
      if event.event == "last" then break end
      local i = seen[event.event] + 1
      seen[event.event] = i
      assert.equal(i .. (event.event == "entry" and "\nline" or "\nown"):rep(i), event.data)
    end
    assert.equal(50, seen.entry)
    test.eventually(function()
      local event = seen.direct < 50 and events:next(0.1)
      if event then seen.direct = seen.direct + 1 end
      return seen.direct == 50
    end)
  end)

  it("close ends the stream", function()
    local topic, go = hub.topic(), weir.channel(0)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        sse:subscribe(topic)
        go:recv()
        sse:close()
      end)
    end)
    local events = server:sse "/"
    go:send(true)
    assert.same({ nil, "closed" }, { events:next() })
    assert.is_true(events.complete)
    test.eventually(function() return weir.presence(topic).streams == 0 end)
  end)

  it("delivers a burst whole and in order to many", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    local all = {}
    for i = 1, 10 do all[i] = server:sse "/" end
    hub.publish(topic, 500)
    for _, events in ipairs(all) do
      for i = 1, 500 do assert.equal(tostring(i), events:next().data) end
    end
  end)

  it("survives clients that leave in the middle of a delivery", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    local staying = server:sse "/"
    for round = 1, 10 do
      local leaving = server:sse "/"
      weir.publish(topic, ("x"):rep(50000) .. round)
      if round % 2 == 0 then leaving:reset() else leaving:close() end
      assert.equal(("x"):rep(50000) .. round, staying:next().data)
    end
  end)
end)

describe("a subscribed stream for", function()
  it("HTTP/1.0 has no chunks and ends with the connection", function()
    local topic = hub.topic()
    local client, head = open(hub.serve(topic), "GET / HTTP/1.0\r\n\r\n")
    assert.equal("close", head.framing)
    local id = weir.publish(topic, { event = "tick", data = "one\ntwo" })
    local text = client:receive("two\n.*\n\n")
    assert.is_truthy(text:find("id: ?" .. id:gsub("%-", "%%-") .. "\n"), text)
    assert.is_truthy(text:find("event: ?tick\n"), text)
    assert.is_truthy(text:find("data: ?one\ndata: ?two\nid: [%d-]+\n\n$"), text)
    assert.is_nil(text:find("\r", 1, true))
    client:close()
  end)

  it("HTTP/1.1 with Connection: close is delivered to as well", function()
    local topic = hub.topic()
    local events = hub.serve(topic):sse("/", { headers = { Connection = "close" } })
    weir.publish(topic, "x")
    assert.equal("x", events:next().data)
  end)

  it("HEAD is the head and no subscriber", function()
    local topic = hub.topic()
    local response = hub.serve(topic):head "/"
    assert.equal(200, response.status)
    assert.matches("^text/event%-stream", response.headers["content-type"])
    assert.equal("", response.body)
    assert.equal(0, (select(2, weir.publish(topic, "x"))))
  end)

  it("each entry is one chunk of event, data, id, so that the id comes with all of it or not at all", function()
    local topic = hub.topic()
    local client, head = open(hub.serve(topic), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.equal("chunked", head.framing)
    weir.publish(topic, { event = "tick", data = "x" })
    local text = client:receive("tick.*\n\n\r\n")
    assert.is_truthy(text:find("%x+\r\nevent: ?tick\ndata: ?x\nid: ?%d+%-%d+\n\n\r\n$"), text)
    client:close()
  end)

  it("proxies that buffer: says not to", function()
    local events = hub.serve(hub.topic()):sse "/"
    assert.equal("no", events.headers["x-accel-buffering"])
    assert.equal("no-cache, no-transform", events.headers["cache-control"])
  end)
end)

describe("the opening of a subscribed stream", function()
  it("has retry, 3 seconds unless told otherwise", function()
    local topic = hub.topic()
    for retry, options in pairs { [3000] = {}, [1234] = { retry = 1234 } } do
      local events = hub.serve(topic, options):sse "/"
      weir.publish(topic, "x")
      assert.equal("x", events:next().data)
      assert.equal(retry, events.retry)
    end
  end)

  it("is weir.hello when asked for, before what is replayed", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 2)
    local server = hub.serve(topic, { hello = true, heartbeat = 20 })
    local fresh = server:sse "/"
    local hello = fresh:next()
    assert.equal("weir.hello", hello.event)
    local data = weir.json.decode(hello.data)
    assert.is_truthy(data.stream)
    assert.is_false(data.resumed)
    assert.equal(20, data.heartbeat)
    assert.is_truthy(data.server_time)
    local resumed = server:sse("/", { last_event_id = ids[1] })
    hello = resumed:next()
    assert.equal("weir.hello", hello.event)
    assert.is_true(weir.json.decode(hello.data).resumed)
    assert.equal("2", resumed:next().data)
  end)

  it("does not move the client's position by weir.hello", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 3)
    local events = hub.serve(topic, { hello = true }):sse("/", { last_event_id = ids[1] })
    local hello = events:next()
    assert.is_true(hello.id == nil or hello.id == ids[1], hello.id)
  end)

  it("is without it by default", function()
    local topic = hub.topic()
    local events = hub.serve(topic):sse "/"
    weir.publish(topic, "x")
    assert.equal("message", events:next().event)
  end)
end)

describe("a heartbeat of a subscribed stream", function()
  it("comes every 15 seconds, and only in silence", function()
    local topic = hub.topic()
    local server = hub.serve(topic)
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(10)
    weir.publish(topic, "news")
    assert.equal("news", events:next().data)
    test.clock.advance(10)
    assert.same({ nil, "timeout" }, { events:next_comment(0.05) })
    test.clock.advance(6)
    assert.is_truthy(events:next_comment())
    test.clock.advance(16)
    assert.is_truthy(events:next_comment())
    assert.same({ nil, "timeout" }, { events:next(0.05) })
  end)

  it("is an event when it has a name, without an id", function()
    local topic = hub.topic()
    local server = hub.serve(topic, { heartbeat = 2, heartbeat_event = "ping" })
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(3)
    local ping = assert(events:next())
    assert.equal("ping", ping.event)
    assert.is_nil(ping.id)
  end)

  it("stays away when it is false", function()
    local server = hub.serve(hub.topic(), { heartbeat = false })
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(120)
    assert.same({ nil, "timeout" }, { events:next_comment(0.05) })
  end)
end)
