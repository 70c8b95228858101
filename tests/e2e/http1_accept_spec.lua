-- Descriptors that run out, clients that dribble or stall: the server stays up and gives back what they held.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local wire = require "tests.e2e.wire"

local written = 0

local function serve()
  return support.serve(function(app)
    app:get("/", function() return "well" end)
    app:post("/", function(stream) return tostring(#stream:body()) end)
    app:get("/endless", function(stream)
      while stream:write(("x"):rep(8192)) do written = written + 1 end
    end)
  end)
end

local function ask(client)
  client:send(wire.request { "GET / HTTP/1.1", "Host: a" })
  return client:receive_response()
end

describe("when descriptors run out", function()
  it("the server stays up, accepts again when some are free, and logs once", function()
    local server = serve()
    local first = server:connect()
    assert.equal("well", ask(first).body)
    test.log.take()
    test.fault("accept", "EMFILE", 0, 3)
    local waiting = {}
    for i = 1, 3 do
      waiting[i] = server:connect()
      waiting[i]:send(wire.request { "GET / HTTP/1.1", "Host: a" })
    end
    test.settle()
    assert.equal("well", ask(first).body)
    first:close()
    test.fault_reset()
    for i = 1, 3 do assert.equal("well", waiting[i]:receive_response().body) end
    local texts = {}
    for _, line in ipairs(test.log.take()) do -- that it accepts again may be told as well
      if line.level ~= "info" then texts[#texts + 1] = line.text end
    end
    assert.equal(1, #texts, table.concat(texts, "\n"))
  end)

  it("a single failure of accept is survived", function()
    for _, err in ipairs { "ECONNABORTED", "EINTR", "ENFILE", "ENOMEM" } do
      local server = serve()
      local first = server:connect()
      assert.equal("well", ask(first).body)
      test.fault("accept", err, 0, 1)
      local second = server:connect()
      second:send(wire.request { "GET / HTTP/1.1", "Host: a" })
      test.settle()
      first:close()
      assert.equal("well", second:receive_response().body, err)
      test.log.take()
    end
  end)
end)

describe("a client that", function()
  -- Closed, with 408 or without an answer.
  local function assert_dropped(client)
    local bytes, why = client:receive_all()
    assert.is_true(bytes == "" or bytes:find("^HTTP/1%.1 408 ") ~= nil, bytes)
    assert.is_true(why == "closed" or why == "reset", why)
  end

  -- Moves the frozen clock by `seconds`, in which the client sends a byte each second.
  local function dribble(client, seconds)
    for _ = 1, seconds do
      client:send "x"
      test.clock.advance(1)
    end
  end

  it("dribbles its head is dropped, with its memory", function()
    local server = serve()
    local before = test.counters().connections
    test.clock.freeze()
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\nX-A: "
    dribble(client, 8)
    assert.equal(before + 1, test.counters().connections)
    dribble(client, 4)
    assert_dropped(client)
    test.clock.advance(10) -- its end is waited for, so that it can read why
    assert.equal(before, test.counters().connections)
  end)

  it("sends nothing at all is dropped", function()
    local server = serve()
    test.clock.freeze()
    local client = server:connect()
    test.clock.advance(100)
    assert_dropped(client)
  end)

  it("stops in the middle of its body is dropped, with its memory", function()
    local server = serve()
    local before = test.counters()
    test.clock.freeze()
    local client = server:connect()
    client:send(wire.request({ "POST / HTTP/1.1", "Host: a", "Content-Length: 10" }, "abc"))
    test.settle()
    test.clock.advance(29)
    assert.equal(before.connections + 1, test.counters().connections)
    test.clock.advance(3)
    assert_dropped(client)
    test.clock.advance(10)
    assert.equal(before.connections, test.counters().connections)
    assert.equal(before.streams, test.counters().streams)
  end)

  it("stops reading is dropped, with its memory", function()
    local server = serve()
    local before = test.counters()
    local client = server:connect { rcvbuf = 4096 }
    written = 0
    client:send(wire.request { "GET /endless HTTP/1.1", "Host: a" })
    test.eventually(function() return written > 0 end)
    support.standstill(function() return written end)
    test.clock.freeze()
    test.clock.advance(29)
    assert.equal(before.streams + 1, test.counters().streams)
    test.clock.advance(3)
    assert.equal(before.connections, test.counters().connections)
    assert.equal(before.streams, test.counters().streams)
    client:close()
  end)

  it("keeps pipelining behind an endless answer is closed", function()
    local entered = false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:sse()
        entered = true
        weir.sleep(3600)
      end)
    end)
    local client = server:connect()
    client:send(wire.request { "GET / HTTP/1.1", "Host: a" })
    test.eventually(function() return entered end)
    client:send(wire.request { "GET / HTTP/1.1", "Host: a", "X-A: " .. ("x"):rep(10000) })
    local _, why = client:receive_all()
    assert.is_true(why == "closed" or why == "reset", why)
  end)
end)
