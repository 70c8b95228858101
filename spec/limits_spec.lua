-- Limits, at the limit and one beyond: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  weir.limits { %s }
  local app = weir.app()
  app:get("/*rest", function() return "ok" end)
  app:post("/*rest", function(stream) return tostring(#stream:body()) end)
  return app
]]

local function limited(limits)
  return support.serve_text(app_text:format(limits or ""))
end

-- The same as a process of its own with two workers.
local function in_workers(text)
  return test.spawn { "serve", (support.app_file(text)), "--listen", "127.0.0.1:0", "--workers", "2" }
end

-- A request whose head is exactly `size` bytes.
local function head_of(size)
  local start, stop = "GET / HTTP/1.1\r\nHost: a\r\nX-Fill: ", "\r\n\r\n"
  return start .. ("x"):rep(size - #start - #stop) .. stop
end

local function fields_of(count)
  local lines = { "GET / HTTP/1.1\r\nHost: a\r\n" }
  for i = 2, count do lines[#lines + 1] = "X-" .. i .. ": y\r\n" end
  return table.concat(lines) .. "\r\n"
end

local function target_of(size)
  return "GET /" .. ("x"):rep(size - 1) .. " HTTP/1.1\r\nHost: a\r\n\r\n"
end

local function body_of(size)
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. size .. "\r\n\r\n" .. ("x"):rep(size)
end

local function chunked_of(size)
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
    ("%x\r\n"):format(size) .. ("x"):rep(size) .. "\r\n0\r\n\r\n"
end

describe("the limit", function()
  after_each(support.remove_folders)

  local cases = {
    { "head_bytes", "", head_of, 16384, 431 },
    { "head_bytes", 'head_bytes = "1KB"', head_of, 1024, 431 },
    { "head_fields", "", fields_of, 100, 431 },
    { "head_fields", "head_fields = 5", fields_of, 5, 431 },
    { "target_bytes", "", target_of, 8192, 414 },
    { "target_bytes", "target_bytes = 100", target_of, 100, 414 },
    { "body_bytes", "", body_of, 1048576, 413 },
    { "body_bytes", "body_bytes = 1000", body_of, 1000, 413 },
    { "body_bytes of chunks", "body_bytes = 1000", chunked_of, 1000, 413 },
  }
  for _, case in ipairs(cases) do
    local name, limits, request_of, limit, status = unpack(case)
    it(name .. " lets " .. limit .. " pass and answers " .. status .. " beyond", function()
      local server = limited(limits)
      local client = server:connect()
      client:send(request_of(limit))
      assert.equal(200, client:receive_response().status)
      client:close()
      client = server:connect()
      client:send(request_of(limit + 1))
      local response = client:receive_response()
      assert.equal(status, response.status)
      if status ~= 413 then assert.same({ "", "closed" }, { client:receive_all() }) end
      assert.equal(200, server:get("/").status)
    end)
  end

  it("event_bytes: an event at the limit is sent, one byte more is refused and the stream goes on", function()
    local server = support.serve_text([[
      local weir = require "weir"
      weir.limits { event_bytes = 100 }
      local app = weir.app()
      app:get("/", function(stream)
        local sse = stream:sse()
        local at, beyond = sse:send(("a"):rep(100)), { sse:send(("b"):rep(101)) }
        sse:send { data = { at = at, why = beyond[2], none = beyond[1] == nil } }
      end)
      return app
    ]])
    local events = server:sse("/")
    assert.equal(("a"):rep(100), events:next(5).data)
    assert.same({ at = true, why = "limit", none = true }, weir.json.decode(events:next(5).data))
    events:close()
  end)

  it("body_bytes answers before the body is sent", function()
    local client = limited("body_bytes = 1000"):connect()
    client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"
    assert.equal(413, client:receive_response().status)
  end)

  it("body_bytes answers 413 instead of 100", function()
    local client = limited("body_bytes = 1000"):connect()
    client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"
    local response = client:receive_response()
    assert.equal(413, response.status)
    assert.same({}, response.informational)
  end)

  -- A connection idle in one of three ways: still open before the time, closed after it.
  local times = {
    { "keepalive_timeout", 75, function(client)
      client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      assert.equal(200, client:receive_response().status)
    end },
    { "head_timeout", 10, function(client) client:send "GET / HTTP/1.1\r\nHo" end },
    { "progress_timeout", 30, function(client)
      client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    end },
  }
  for _, case in ipairs(times) do
    local name, default, begin = unpack(case)
    for _, seconds in ipairs { default, 3 } do
      it(name .. " closes a connection after " .. seconds .. " s", function()
        local server = limited(seconds ~= default and (name .. " = " .. seconds) or "")
        test.clock.freeze()
        local client = server:connect()
        begin(client)
        test.clock.advance(seconds - 0.5)
        assert.same({ nil, "timeout", "" }, { client:receive(nil, 0.1) })
        test.clock.advance(1.5)
        local _, why = client:receive_all()
        assert.is_true(why == "closed" or why == "reset", why)
      end)
    end
  end

  it("head_timeout is not put off by one byte after the other", function()
    local server = limited("head_timeout = 10")
    test.clock.freeze()
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nX: "
    for _ = 1, 12 do
      client:send "y"
      test.clock.advance(1)
    end
    local _, why = client:receive_all()
    assert.is_true(why == "closed" or why == "reset", why)
  end)

  -- Whoever reads a body whole holds it for as long as it comes.
  for way, case in pairs { whole = { 1023, 1024 }, pieces = { 0, 1 } } do
    it(("progress_timeout: a body read by %s gets on by %d bytes, by fewer not"):format(way, case[2]), function()
      local server = support.serve_text [[
        local weir = require "weir"
        weir.limits { progress_timeout = 10 }
        local app = weir.app()
        app:post("/whole", function(stream) return tostring(#stream:body()) end)
        app:post("/pieces", function(stream)
          local n = 0
          for chunk in stream:chunks() do n = n + #chunk end
          return tostring(n)
        end)
        return app
      ]]
      test.clock.freeze()
      for i, bytes in ipairs(case) do
        local client = server:connect()
        client:send("POST /" .. way .. " HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n")
        for _ = 1, 4 do
          test.clock.advance(4)
          client:send(("x"):rep(bytes / 2)) -- what has come in the time counts together
          test.clock.advance(4)
          client:send(("x"):rep(bytes - math.floor(bytes / 2)))
        end
        if i == 1 then
          assert.equal(408, client:receive_response().status)
        else
          client:send(("x"):rep(9000 - 4 * bytes))
          assert.equal("9000", client:receive_response().body)
        end
        client:close()
      end
    end)
  end

  it("progress_timeout ends a client that stops reading", function()
    local reason, written = nil, 0
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:on_close(function(why) reason = why end)
        while stream:write(("x"):rep(8192)) do written = written + 1 end
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return written > 0 end)
    support.standstill(function() return written end)
    test.clock.freeze()
    test.clock.advance(29)
    assert.is_nil(reason)
    test.clock.advance(3)
    assert.equal("timeout", test.eventually(function() return reason end))
    client:close()
  end)

  it("connections: beyond it 503 with Retry-After, then answered again", function()
    local server = limited("connections = 2")
    local first, second = server:connect(), server:connect()
    for _, client in ipairs { first, second } do
      client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      assert.equal(200, client:receive_response().status)
    end
    local third = server:connect()
    third:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    local response = third:receive_response()
    assert.equal(503, response.status)
    assert.matches("^%d+$", response.headers["retry-after"])
    third:close()
    first:close()
    test.eventually(function()
      local fourth = server:get "/"
      return fourth and fourth.status == 200
    end)
    second:close()
  end)

  it("connections_per_address: beyond it 429 with Retry-After, then answered again #workers", function()
    local server = in_workers(app_text:format "connections_per_address = 3")
    local clients = {}
    for i = 1, 3 do
      clients[i] = server:connect()
      clients[i]:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      assert.equal(200, clients[i]:receive_response().status)
    end
    local beyond = server:connect()
    local response = beyond:receive_response()
    assert.equal(429, response.status)
    assert.equal("5", response.headers["retry-after"])
    assert.equal("429 Too Many Requests: too many connections from your address\n", response.body)
    beyond:close()
    clients[2]:close()
    test.eventually(function()
      local again = server:get "/"
      return again and again.status == 200
    end)
    clients[1]:close()
    clients[3]:close()
  end)

  it("connections_per_address: of those beyond it few are told why, the others are closed", function()
    local server = limited "connections_per_address = 1"
    local first = server:connect()
    first:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal(200, first:receive_response().status)
    local told, clients = 0, {}
    for i = 1, 40 do
      clients[i] = server:connect()
      local answer = clients[i]:receive_all()
      if answer:find("^HTTP/1.1 429 ") then told = told + 1 else assert.equal("", answer) end
    end
    assert.is_true(told >= 1 and told <= 16, told)
    for _, client in ipairs(clients) do client:close() end
    first:close()
  end)

  it("connection_rate: who comes more often is told when to come again", function()
    local server = limited "connection_rate = 1, connection_burst = 3"
    test.clock.freeze()
    local function status()
      local response = server:get("/", { headers = { Connection = "close" } })
      return response.status, response.headers["retry-after"]
    end
    for _ = 1, 3 do assert.equal(200, (status())) end
    assert.same({ 429, "1" }, { status() })
    test.clock.advance(1)
    assert.equal(200, (status()))
    assert.same({ 429, "1" }, { status() })
    test.clock.advance(60)
    for _ = 1, 3 do assert.equal(200, (status())) end
    assert.same({ 429, "1" }, { status() })
  end)

  it("connection_burst: as many as come in a second, if it is not given", function()
    local server = limited "connection_rate = 2"
    test.clock.freeze()
    local function status() return server:get("/", { headers = { Connection = "close" } }).status end
    assert.same({ 200, 200, 429 }, { status(), status(), status() })
  end)

  it("streams_per_sub: beyond it 429 with Retry-After, until one has ended #workers", function()
    local server = in_workers([[
      local weir = require "weir"
      weir.limits { streams_per_sub = 2 }
      local app = weir.app()
      app:use(function(stream, next)
        stream.claims = { sub = stream.query.sub }
        return next()
      end)
      app:get("/", function(stream) stream:sse():subscribe "topic" end)
      app:get("/short", function(stream) return "for " .. tostring(stream.claims.sub) end)
      return app
    ]])
    local one, two = server:sse "/?sub=ann", server:sse "/?sub=ann"
    local beyond = server:get "/short?sub=ann"
    assert.equal(429, beyond.status)
    assert.equal("5", beyond.headers["retry-after"])
    assert.equal("too many streams of this subject", beyond.body)
    assert.equal(200, server:get("/short?sub=bob").status)
    assert.equal(200, server:get("/short").status)
    one:close()
    test.eventually(function() return server:get("/short?sub=ann").status == 200 end)
    for _ = 1, 5 do assert.equal(200, server:get("/short?sub=ann").status) end -- what ended counts no more
    two:close()
  end)

  it("subscriptions: beyond it subscribe raises, and chooses nothing of its list", function()
    local server = support.serve_text [[
      local weir = require "weir"
      weir.limits { subscriptions = 4 }
      local app = weir.app()
      local function refused(...)
        local ok, err = pcall(...)
        return ok and "chosen" or (err:gsub("^.-:%d+: ", ""))
      end
      app:get("/task", function(stream)
        local sub = weir.subscribe { "lim/1", "lim/1", "lim/2", weir.prefix "lim/1", weir.prefix "lim/x", "lim/2" }
        weir.publish("lim/2", "x")
        local list = { "lim/1", "lim/2", "lim/3", weir.prefix "lim/1", weir.prefix "y" }
        return sub:next(5).data .. "; " .. refused(weir.subscribe, list)
      end)
      app:get("/stream", function(stream)
        local sse = stream:sse()
        sse:subscribe { "lim/1", "lim/2", weir.prefix "lim/y" }
        sse:subscribe { "lim/1", "lim/3", "lim/2", "lim/1" }
        sse:send { data = refused(sse.subscribe, sse, { "lim/1", "lim/4" }) }
        sse:unsubscribe "lim/1"
        sse:subscribe { "lim/5" }
        sse:send { data = weir.presence("lim/4").streams .. " and " .. weir.presence("lim/5").streams }
      end)
      return app
    ]]
    assert.equal("x; weir.subscribe: 5 topics and prefixes, the limit subscriptions is 4", server:get("/task").body)
    local sse = server:sse "/stream"
    assert.equal("sse:subscribe: 5 topics and prefixes, the limit subscriptions is 4", sse:next(5).data)
    assert.equal("0 and 1", sse:next(5).data)
    sse:close()
  end)

  it("subscriptions: 1,000 unless the app says otherwise", function()
    assert.equal(1000, weir.limits().subscriptions)
    local list = {}
    for i = 1, 1000 do list[i], list[i + 1000] = "lim/many/" .. i, "lim/many/" .. i end
    local sub = weir.subscribe(list)
    weir.publish("lim/many/1000", "x")
    assert.equal("x", sub:next(5).data)
    sub:close()
    list[2000] = "lim/many/1001"
    assert.error_matches(function() weir.subscribe(list) end, "limit subscriptions is 1000")
  end)

  it("streams_per_sub: claims that are set again count once, and others count anew", function()
    local server = support.serve_text [[
      local weir = require "weir"
      weir.limits { streams_per_sub = 1 }
      local app = weir.app()
      app:get("/", function(stream)
        stream.claims = { sub = "ann" }
        stream.claims = { sub = "ann" }
        stream.claims = { sub = "bob" }
        stream.claims = nil
        stream.claims = {}
        stream.claims = { sub = "bob" }
        local sse = stream:sse()
        sse:send "open"
        weir.sleep(60)
      end)
      app:get("/as/:sub", function(stream)
        stream.claims = { sub = stream.params.sub }
        return stream.claims.sub
      end)
      return app
    ]]
    local events = server:sse "/"
    assert.equal("open", events:next(5).data)
    assert.equal(200, server:get("/as/ann").status)
    assert.equal(429, server:get("/as/bob").status)
    events:close()
    test.eventually(function() return server:get("/as/bob").status == 200 end)
  end)

  it("high_mark: a write waits when so much is not sent yet", function()
    local server = support.serve_text [[
      local weir = require "weir"
      weir.limits { high_mark = "8KB", low_mark = "2KB" }
      local app = weir.app()
      local written = 0
      app:get("/", function(stream)
        for _ = 1, 100000 do
          stream:write(("x"):rep(500))
          written = written + 500
        end
      end)
      app:get("/written", function() return tostring(written) end)
      return app
    ]]
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    local written = support.standstill(function() return server:get("/written").body end)
    assert.is_true(tonumber(written) > 0 and tonumber(written) < 100000 * 500, written)
    client:close()
  end)
end)

describe("weir.limits", function()
  after_each(support.remove_folders)

  for _, limits in ipairs { "head_byte = 1", "head_bytes = 'many'", "head_timeout = -1", "connections = 'all'",
    "connections_per_address = 0", "connection_burst = 5" } do
    it("raises for " .. limits .. " and names it", function()
      local path = support.app_file(app_text:format(limits))
      local ok, err = pcall(test.start, path)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(limits:match("^[%a_]+"), 1, true), tostring(err))
    end)
  end

  it("of several apps are the lowest, for all of them; a limit of their own Lua is each one's", function()
    local folder = support.folder()
    for name, limits in pairs {
      low = "body_bytes = 5, cpu_time = 3, head_timeout = 9", high = "body_bytes = 50, head_timeout = 3", none = "",
    } do
      assert(os.execute(("mkdir %s/%s"):format(folder, name)) == 0)
      support.write_file(("%s/%s/app.lua"):format(folder, name), ([[
        local weir = require "weir"
        weir.limits { %s }
        local app = weir.app()
        app:get("/", function() return weir.limits() end)
        app:post("/", function(stream) return stream:body() end)
        return app
      ]]):format(limits))
    end
    local server = test.spawn { "serve", folder, "--workers", 1 }
    for name, cpu_time in pairs { low = 3, high = 1, none = 1 } do
      local path = ("/%s/"):format(name)
      assert.equal(200, server:post(path, { body = "12345" }).status)
      assert.equal(413, server:post(path, { body = "123456" }).status)
      local limits = server:get(path).json()
      assert.same({ 5, 3, cpu_time }, { limits.body_bytes, limits.head_timeout, limits.cpu_time })
    end
    server:stop()
  end)

  it("are by default what is promised", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function() return weir.limits() end)
      return app
    ]]
    local limits = server:get("/").json()
    assert.is_true(limits.connections > 0) -- what the system lets it have: tests/unit/base_limits_test.c
    limits.connections = nil
    assert.same({
      head_bytes = 16 * 1024, head_fields = 100, target_bytes = 8 * 1024, body_bytes = 1024 ^ 2,
      event_bytes = 256 * 1024, token_bytes = 16 * 1024, hub_memory = 256 * 1024 ^ 2, shared_memory = 64 * 1024 ^ 2,
      tickets = 20000, subscriptions = 1000, high_mark = 64 * 1024, low_mark = 16 * 1024, turn_bytes = 256 * 1024,
      keepalive_timeout = 75, head_timeout = 10, progress_timeout = 30, drain_timeout = 10, cpu_time = 1,
      lua_memory = 256 * 1024 ^ 2,
    }, limits)
  end)

  it("returns those that are set", function()
    local limits = weir.limits()
    assert.equal(16384, limits.head_bytes)
    assert.is_nil(limits.connections_per_address)
  end)

  it("raises for what is not a table", function()
    assert.has_error(function() weir.limits("64KB") end)
  end)
end)
