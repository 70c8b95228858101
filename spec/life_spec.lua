-- How a stream ends, and who is told: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- Keeps writing until the client's buffers are full and everything has to be dropped.
local function stall(stream)
  local written = 0
  stream:write_policy("drop_newest")
  support.standstill(function()
    while stream:write(("x"):rep(65536)) do written = written + 1 end
    return written
  end)
  stream:write_policy("block")
end

-- What the handler waits in when the client goes; each returns, or raises, once it is over.
local handlers = {
  sleeps = function() weir.sleep(86400) end,
  reads = function(stream)
    repeat until not stream:read()
    weir.sleep(86400)
  end,
  writes = function(stream)
    while true do stream:write(("x"):rep(65536)) end
  end,
  ["waits on a channel"] = function() weir.channel(0):recv() end,
}

local clients = {
  resets = { act = function(client) client:reset() end, reason = "client" },
  closes = { act = function(client) client:close() end, reason = "client" },
  ["half-closes"] = { act = function(client) client:shutdown() end, reason = "client" },
  ["stops reading"] = {
    before = stall,
    act = function()
      test.clock.freeze()
      test.settle()
      for _ = 1, 4 do test.clock.advance(10) end
    end,
    reason = "timeout",
  },
}

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Sends half a body and waits until the handler, whose answer has begun, is in its wait.
local function begin(server)
  local client = server:connect { rcvbuf = 4096 }
  client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
  return client
end

describe("a client that", function()
  for _, action in ipairs(sorted(clients)) do
    for _, waiting in ipairs(sorted(handlers)) do
      it(action .. " ends a handler that " .. waiting, function()
        local client_case, handler = clients[action], handlers[waiting]
        local entered, ended, reasons, deferred = false, 0, {}, 0
        local server = support.serve(function(app)
          app:post("/", function(stream)
            weir.defer(function() deferred = deferred + 1 end)
            stream:on_close(function(reason) reasons[#reasons + 1] = reason end)
            stream:write("begun")
            stream:flush()
            if client_case.before then client_case.before(stream) end
            entered = true
            local ok, err = pcall(handler, stream)
            ended = ended + 1
            if not ok then error(err, 0) end
          end)
        end)
        local client = begin(server)
        test.eventually(function() return entered end)
        weir.sleep(0.01)
        client_case.act(client)
        test.eventually(function() return reasons[1] and deferred > 0 end)
        test.settle()
        assert.same({ client_case.reason }, reasons)
        assert.equal(1, deferred)
        assert.equal(1, ended)
        client:close()
      end)
    end
  end
end)

describe("on_close", function()
  -- Runs one request against `handler`: the reasons its on_close was told.
  local function reasons_of(handler, act)
    local reasons = {}
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(reason, detail) reasons[#reasons + 1] = { reason, detail } end)
        return handler(stream)
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    if act then act(client) else client:receive_response() end
    test.eventually(function() return reasons[1] end)
    test.settle()
    assert.equal(1, #reasons)
    client:close()
    return reasons[1][1], reasons[1][2]
  end

  it("is told 'done' after a complete answer", function()
    assert.equal("done", reasons_of(function() return "all" end))
  end)

  it("is told 'done' after sse:close()", function()
    assert.equal("done", reasons_of(function(stream)
      local sse = stream:sse()
      sse:send("x")
      sse:close()
    end))
  end)

  it("is told 'error' when the handler breaks after the head", function()
    assert.equal("error", reasons_of(function(stream)
      stream:write("begun")
      stream:flush()
      error "broken"
    end))
    test.log.take("broken", "error")
  end)

  it("is told more where more is known, for people", function()
    local function stays(stream)
      stream:sse()
      weir.sleep(3600)
    end
    local details = {
      [{ "client", "the client closed its side" }] = { stays, "close" },
      [{ "client", "connection reset by peer" }] = { stays, "reset" },
      [{ "error", "the handler failed" }] = { function(stream)
        stream:write("begun")
        error "broken"
      end, "receive_response" },
      [{ "done" }] = { function() return "all" end, "receive_response" },
    }
    for told, case in pairs(details) do
      assert.same(told, { reasons_of(case[1], function(client)
        if case[2] ~= "receive_response" then client:receive_head() end
        client[case[2]](client)
      end) })
    end
    test.log.take("broken", "error")
  end)

  it("is told 'client' when a client leaves an event stream", function()
    assert.equal("client", reasons_of(function(stream)
      stream:sse()
      weir.sleep(60)
    end, function(client)
      client:receive_head()
      client:close()
    end))
  end)

  it("functions all run, each once", function()
    local ran = {}
    local server = support.serve(function(app)
      app:get("/", function(stream)
        for i = 1, 3 do stream:on_close(function() ran[#ran + 1] = i end) end
        return "x"
      end)
    end)
    server:get "/"
    test.eventually(function() return #ran == 3 end)
    table.sort(ran)
    assert.same({ 1, 2, 3 }, ran)
  end)

  it("may yield, for five seconds", function()
    local reached = {}
    local server = support.serve(function(app)
      app:get("/:seconds", function(stream)
        local seconds = tonumber(stream.params.seconds)
        stream:on_close(function()
          weir.defer(function() reached[#reached + 1] = "deferred " .. seconds end)
          weir.sleep(seconds)
          reached[#reached + 1] = "slept " .. seconds
        end)
        return "x"
      end)
    end)
    test.clock.freeze()
    server:get "/4.9"
    test.clock.advance(4.95)
    assert.same({ "slept 4.9", "deferred 4.9" }, reached)
    reached = {}
    server:get "/6"
    test.clock.advance(4.9)
    assert.same({}, reached)
    test.clock.advance(0.2)
    assert.same({ "deferred 6" }, reached)
    test.log.take()
  end)

  it("that raises is logged and disturbs nobody", function()
    local ran = false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function() ran = true end)
        stream:on_close(function() error "broken on_close" end)
        return "x"
      end)
    end)
    assert.equal("x", server:get("/").body)
    test.eventually(function() return ran end)
    assert.equal(1, #test.eventually(function()
      local lines = test.log.take("broken on_close", "error")
      return lines[1] and lines
    end))
    assert.equal("x", server:get("/").body)
    test.log.take("broken on_close", "error")
  end)
end)

describe("a request that is not answered yet", function()
  it("goes on when the client half-closes, and is answered", function()
    local go = weir.channel(1)
    local server = support.serve(function(app)
      app:get("/", function()
        go:recv()
        return "late answer"
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    client:shutdown()
    test.settle()
    go:send(true)
    assert.equal("late answer", client:receive_response().body)
    assert.same({ "", "closed" }, { client:receive_all() })
  end)

  it("ends when the client resets", function()
    local entered, caught = false, nil
    local server = support.serve(function(app)
      app:get("/", function()
        entered = true
        local _, err = pcall(weir.sleep, 60)
        caught = err
        error(err, 0)
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return entered end)
    client:reset()
    test.eventually(function() return caught end)
    assert.equal(weir.cancelled, caught)
    assert.same({}, test.log.take(nil, "error"))
  end)
end)

describe("a client that is gone before the handler begins", function()
  it("ends the handler without an error in the log", function()
    local reason
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(why) reason = why end)
        stream:sse()
        weir.sleep(60)
      end)
      app:get("/well", function() return "well" end)
    end)
    for _ = 1, 10 do
      local client = server:connect()
      client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      client:reset()
    end
    assert.equal("well", server:get("/well").body)
    test.settle()
    assert.is_true(reason == nil or reason == "client", tostring(reason))
    assert.same({}, test.log.take(nil, "error"))
  end)
end)

describe("weir.cancelled", function()
  -- A handler whose client has left by the time `after(stream)` runs.
  local function abandoned(after)
    local entered, done = false, false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        weir.defer(function() done = true end)
        stream:sse()
        entered = true
        pcall(weir.sleep, 60)
        after(stream)
      end)
    end)
    local events = server:sse "/"
    test.eventually(function() return entered end)
    events:close()
    test.eventually(function() return done end)
  end

  it("is sticky: every later blocked call raises it", function()
    local caught = {}
    abandoned(function()
      for _ = 1, 3 do
        local _, err = pcall(weir.sleep, 0.001)
        caught[#caught + 1] = err
      end
      local _, err = pcall(function() return weir.channel(0):recv() end)
      caught[#caught + 1] = err
    end)
    assert.same({ weir.cancelled, weir.cancelled, weir.cancelled, weir.cancelled }, caught)
  end)

  it("swallowed more than 100 times, the task is dropped", function()
    local swallowed = 0
    abandoned(function()
      while true do
        pcall(weir.sleep, 0.001)
        swallowed = swallowed + 1
      end
    end)
    assert.is_true(swallowed >= 99 and swallowed <= 101, "swallowed " .. swallowed)
    test.log.take()
  end)

  it("has a name", function()
    assert.matches("cancelled", tostring(weir.cancelled))
  end)
end)

describe("detach", function()
  it("lets the task outlive its client", function()
    local finished, reason = false, nil
    local go = weir.channel(1)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:detach()
        stream:on_close(function(why) reason = why end)
        stream:sse()
        go:recv()
        finished = true
      end)
    end)
    local events = server:sse "/"
    events:close()
    assert.equal("client", test.eventually(function() return reason end))
    assert.is_false(finished)
    go:send(true)
    test.eventually(function() return finished end)
  end)

  it("a write then says closed, and raises after that", function()
    local results, again, gone = nil, nil, false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:detach()
        stream:on_close(function() gone = true end)
        stream:write("x")
        stream:flush()
        while not stream.closed do weir.sleep(0.001) end
        results = { stream:write("y") }
        again = { pcall(stream.write, stream, "z") }
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    client:receive_head()
    client:close()
    test.eventually(function() return gone and again end)
    assert.same({ nil, "closed" }, results)
    assert.is_false(again[1])
  end)

  it("events sent then are answered with closed, each time", function()
    local results, gone = {}, weir.channel(1)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:detach()
        stream:on_close(function() gone:send(true) end)
        local sse = stream:sse()
        sse:send "x"
        gone:recv()
        for i = 1, 3 do results[i] = { sse:send "y" } end
        results[4] = { sse:comment "z" }
        results.done = true
      end)
    end)
    server:sse("/"):close()
    test.eventually(function() return results.done end)
    for i = 1, 4 do assert.same({ nil, "closed" }, results[i]) end
  end)
end)
