-- Server-sent events: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- The answer of a handler that sends `sends(sse)` and ends.
local function answer(sends, options, request)
  local server = support.serve(function(app)
    app:get("/", function(stream) sends(stream:sse(options), stream) end)
  end)
  return server:get("/", request)
end

-- Calls `misuse(sse)` in a handler: the message it raised.
local function message_of(misuse, options)
  local ok, message
  answer(function(sse) ok, message = pcall(misuse, sse) end, options)
  assert.is_false(ok)
  return tostring(message)
end

describe("sse", function()
  it("answers as an event stream that nobody buffers", function()
    local response = answer(function(sse) sse:send("x") end)
    assert.equal(200, response.status)
    assert.matches("^text/event%-stream", response.headers["content-type"])
    assert.equal("no-cache, no-transform", response.headers["cache-control"])
    assert.equal("no", response.headers["x-accel-buffering"])
    assert.is_nil(response.headers["content-length"])
  end)

  it("sends the head when the task yields, before any event", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:sse()
        weir.sleep(60)
      end)
    end)
    local events = server:sse "/"
    assert.equal(200, events.status)
    events:close()
  end)

  local sent = {
    { "a string", "hello", { event = "message", data = "hello" } },
    { "an empty string", "", { event = "message", data = "" } },
    { "a table as data", { data = { a = 1 } }, { event = "message", data = '{"a":1}' } },
    { "an event's name", { event = "tick", data = "x" }, { event = "tick", data = "x" } },
    { "an id", { id = "7-1", data = "x" }, { event = "message", data = "x", id = "7-1" } },
    { "retry", { retry = 250, data = "x" }, { event = "message", data = "x", retry = 250 } },
    { "all together", { event = "e", id = "i", retry = 1, data = "d" },
      { event = "e", id = "i", retry = 1, data = "d" } },
    { "leading spaces", { data = "  x" }, { event = "message", data = "  x" } },
    { "a colon", { data = ":x" }, { event = "message", data = ":x" } },
    { "LF", { data = "a\nb" }, { event = "message", data = "a\nb" } },
    { "CR", { data = "a\rb" }, { event = "message", data = "a\nb" } },
    { "CRLF", { data = "a\r\nb" }, { event = "message", data = "a\nb" } },
    { "empty lines", { data = "a\n\nb\n" }, { event = "message", data = "a\n\nb\n" } },
    { "what looks like a field", { data = "x\nid: 9\nevent: y" }, { event = "message", data = "x\nid: 9\nevent: y" } },
    { "UTF-8", { data = "grüße €𝄞" }, { event = "message", data = "grüße €𝄞" } },
    { "a byte that is no UTF-8", { data = "a\255b" }, { event = "message", data = "a\239\191\189b" } },
    { "a surrogate", { data = "\237\160\128" },
      { event = "message", data = ("\239\191\189"):rep(3) } },
    { "a sequence cut short", { data = "x\226\130" }, { event = "message", data = "x\239\191\189" } },
    { "NUL in data", { data = "a\0b" }, { event = "message", data = "a\0b" } },
  }
  for _, case in ipairs(sent) do
    local what, event, expected = unpack(case)
    it("sends " .. what, function()
      local server = support.serve(function(app)
        app:get("/", function(stream)
          assert(stream:sse():send(event) == true)
        end)
      end)
      local events = server:sse "/"
      assert.same(expected, events:next())
      assert.same({ nil, "closed" }, { events:next() })
      assert.is_true(events.complete)
    end)
  end

  it("a comment is no event", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        sse:comment("first")
        sse:send { comment = "second" }
        sse:comment("two\nlines")
        sse:send("event")
      end)
    end)
    local events = server:sse "/"
    local comments = {}
    for i = 1, 4 do comments[i] = events:next_comment() end
    assert.same({ "first", "second", "two", "lines" }, comments)
    assert.same({ event = "message", data = "event" }, events:next())
  end)

  local injections = {
    { "LF in event", { event = "a\nb", data = "x" } },
    { "CR in event", { event = "a\rb", data = "x" } },
    { "NUL in event", { event = "a\0b", data = "x" } },
    { "LF in id", { id = "a\ndata: injected", data = "x" } },
    { "CR in id", { id = "a\rb", data = "x" } },
    { "NUL in id", { id = "a\0b", data = "x" } },
    { "an unknown field", { data = "x", evnt = "tick" }, "evnt" },
    { "a retry that is no number", { data = "x", retry = "soon" }, "retry" },
    { "a negative retry", { data = "x", retry = -1 }, "retry" },
    { "an event that is a number of things", { data = "x", event = {} }, "event" },
  }
  for _, case in ipairs(injections) do
    local what, event, name = unpack(case, 1, 3)
    it(what .. " raises", function()
      local message = message_of(function(sse) sse:send(event) end)
      assert.is_truthy(message:find(name or what:match("%w+$"), 1, true), message)
    end)
  end

  for _, options in ipairs { { retri = 1 }, { retry = "x" }, { heartbeat = -1 }, { overflow = "drop_some" } } do
    local name = next(options)
    it("an option that is wrong raises: " .. name, function()
      local ok, message
      local server = support.serve(function(app)
        app:get("/", function(stream) ok, message = pcall(stream.sse, stream, options) end)
      end)
      server:get "/"
      assert.is_false(ok)
      assert.is_truthy(tostring(message):find(name, 1, true), message)
    end)
  end

  it("after another answer has begun raises", function()
    local ok
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write("begun")
        stream:flush()
        ok = pcall(stream.sse, stream)
      end)
    end)
    server:get "/"
    assert.is_false(ok)
  end)

  it("close ends the stream; a send after it raises", function()
    local results
    local response = answer(function(sse)
      sse:send("last")
      sse:close()
      results = { pcall(sse.send, sse, "too late") }
    end)
    assert.matches("data: ?last", response.body)
    assert.is_nil(response.body:find("too late", 1, true))
    assert.is_false(results[1])
    assert.matches("finish", tostring(results[2]))
  end)

  it("asks the client to wait `retry` before it comes back", function()
    local server = support.serve(function(app)
      app:get("/", function(stream) stream:sse({ retry = 1234 }):send("x") end)
    end)
    local events = server:sse "/"
    assert.equal("x", events:next().data)
    assert.equal(1234, events.retry)
  end)

  it("asks it to wait three seconds unless it is told otherwise, or nothing", function()
    local server = support.serve(function(app)
      app:get("/", function(stream) stream:sse():send("x") end)
      app:get("/free", function(stream) stream:sse({ retry = false }):send("x") end)
    end)
    for path, retry in pairs { ["/"] = 3000, ["/free"] = false } do
      local events = server:sse(path)
      assert.equal("x", events:next().data)
      assert.equal(retry or nil, events.retry)
    end
  end)

  it("hello is the first event", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:sse({ hello = true, heartbeat = 20 }):send("x")
      end)
    end)
    local events = server:sse("/", { last_event_id = "1-1" })
    local hello = events:next()
    assert.equal("weir.hello", hello.event)
    local data = weir.json.decode(hello.data)
    assert.is_truthy(data.stream)
    assert.equal("boolean", type(data.resumed))
    assert.equal(20, data.heartbeat)
    assert.is_truthy(data.server_time)
    assert.equal("x", events:next().data)
  end)
end)

describe("last_event_id", function()
  local cases = {
    { "the header", "/", "7-1", "7-1" },
    { "the query parameter", "/?last_event_id=8-2", nil, "8-2" },
    { "the query parameter's other name", "/?lastEventId=8-2", nil, "8-2" },
    { "the parameter when the header is empty", "/?last_event_id=8-2", "", "8-2" },
    { "neither when both are empty", "/?last_event_id=", "", nil },
    { "the header before the parameter", "/?last_event_id=8-2", "7-1", "7-1" },
    { "neither", "/", nil, nil },
  }
  for _, case in ipairs(cases) do
    local what, path, header, expected = unpack(case, 1, 4)
    it("is from " .. what, function()
      local id
      local server = support.serve(function(app)
        app:get("/", function(stream)
          local sse = stream:sse()
          id = sse.last_event_id
          sse:send("x")
        end)
      end)
      assert.equal("x", server:sse(path, { last_event_id = header }):next().data)
      assert.equal(expected, id)
    end)
  end
end)

describe("a heartbeat", function()
  local function silent(options)
    return support.serve(function(app)
      app:get("/", function(stream)
        stream:sse(options)
        weir.sleep(3600)
      end)
    end)
  end

  it("is a comment every 15 seconds by default", function()
    local server = silent(nil)
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(14.9)
    assert.same({ nil, "timeout" }, { events:next_comment(0.1) })
    test.clock.advance(0.2)
    assert.is_truthy(events:next_comment())
    test.clock.advance(16)
    assert.is_truthy(events:next_comment())
    assert.same({ nil, "timeout" }, { events:next(0.1) })
  end)

  it("is an event when it has a name", function()
    local server = silent { heartbeat = 2, heartbeat_event = "ping" }
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(3)
    assert.equal("ping", events:next().event)
  end)

  it("stays away when it is false", function()
    local server = silent { heartbeat = false }
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(120)
    assert.same({ nil, "timeout" }, { events:next_comment(0.1) })
  end)

  it("waits as long after something was sent", function()
    local go = weir.channel(1)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse { heartbeat = 10 }
        go:recv()
        sse:send("news")
        go:recv()
      end)
    end)
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(8)
    go:send(1)
    assert.equal("news", events:next().data)
    test.clock.advance(8)
    assert.same({ nil, "timeout" }, { events:next_comment(0.1) })
    test.clock.advance(3)
    assert.is_truthy(events:next_comment())
  end)
end)

describe("sse for", function()
  it("HTTP/1.0 is delimited by the close", function()
    local server = support.serve(function(app)
      app:get("/", function(stream) stream:sse():send("x") end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.0\r\n\r\n"
    local response = client:receive_response()
    assert.equal("close", response.framing)
    assert.matches("data: ?x\n\n", response.body)
  end)

  it("HEAD is the head; send says closed", function()
    local results
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        results = { sse:send("x") }
      end)
    end)
    local response = server:head "/"
    assert.equal(200, response.status)
    assert.matches("^text/event%-stream", response.headers["content-type"])
    assert.equal("", response.body)
    assert.same({ nil, "closed" }, results)
  end)
end)

describe("a client that does not read", function()
  -- Sends until told otherwise: what send gave at last.
  local function flood(options)
    local results, reason, sent = nil, nil, 0
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(why) reason = why end)
        local sse = stream:sse(options)
        for i = 1, 4000 do
          results = { sse:send { data = i .. ("x"):rep(8000) } }
          sent = i
          if results[1] ~= true then return end
        end
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    return function() return results, reason, sent end, client
  end

  it("has events dropped with overflow = 'drop_newest'", function()
    local state, client = flood { overflow = "drop_newest" }
    local results = test.eventually(function()
      local results = state()
      return results and results[1] ~= true and results
    end)
    assert.same({ false, "dropped" }, results)
    client:close()
  end)

  it("is disconnected with overflow = 'disconnect'", function()
    local state = flood { overflow = "disconnect" }
    test.eventually(function() return select(2, state()) end)
    assert.equal("overflow", (select(2, state())))
  end)

  it("is dropped when nothing moved for write_timeout", function()
    local state = flood { write_timeout = 5 }
    support.standstill(function() return (select(3, state())) end)
    test.clock.freeze()
    test.clock.advance(4)
    assert.is_nil((select(2, state())))
    test.clock.advance(4)
    test.eventually(function() return select(2, state()) end)
    assert.equal("timeout", (select(2, state())))
  end)
end)

describe("an event stream with nothing to say", function()
  for name, close in pairs { ["that is closed"] = true, ["whose handler returns"] = false } do
    it("is one all the same, with its hello: " .. name, function()
      local app = weir.app()
      app:get("/", function(stream)
        local sse = stream:sse { hello = true }
        if close then sse:close() end
      end)
      local response = test.start(app):get("/")
      assert.equal(200, response.status)
      assert.equal("text/event-stream", response.headers["content-type"])
      assert.matches("^event: weir%.hello\n", response.body:gsub("^retry: %d+\n\n", ""))
    end)
  end
end)

describe("an event stream whose handler sleeps", function()
  after_each(support.remove_folders)

  it("takes less than 0.9 KiB of Lua", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function(stream)
        stream:sse():send(stream.headers.accept)
        while true do weir.sleep(3600) end
      end)
      app:get("/kib", function()
        collectgarbage()
        collectgarbage()
        return tostring(collectgarbage "count")
      end)
      return app
    ]]
    local streams = {}
    local function kib(count)
      while #streams < count do
        streams[#streams + 1] = server:sse "/"
        streams[#streams]:next()
      end
      return tonumber(server:get("/kib").body)
    end
    local few = kib(20)
    local each = (kib(120) - few) / 100
    assert.is_true(each < 0.9, ("%.3f KiB"):format(each))
    for _, stream in ipairs(streams) do stream:close() end
  end)
end)
