-- What weir.test stands on, weir.core's half of it: servers that fail to start, requests without a socket that end
-- badly, sockets and processes at their ends.

local weir = require "weir"
local core = require "weir.core"
local check = require("weir.check").results
local test = require "weir.test"
local support = require "spec.support"

describe("a server from a path", function()
  after_each(support.remove_folders)

  it("raises what its on_start raised, and is gone", function()
    local path = support.app_file [[
      local app = require("weir").app()
      app:on_start(function() require("weir").sleep(0.001) error "no luck" end)
      return app
    ]]
    local before = test.counters()
    local ok, err = pcall(test.start, path)
    assert.is_false(ok)
    assert.matches("app.lua:2: no luck", err)
    test.eventually(function() return test.counters().handles == before.handles end)
  end)

  it("is given up with the task that starts it", function()
    local path = support.app_file [[
      local app = require("weir").app()
      app:on_start(function() require("weir").sleep(3600) end)
      return app
    ]]
    local before = test.counters()
    local task = weir.spawn(test.start, path)
    test.settle()
    assert.is_true(test.counters().tasks > before.tasks + 1)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join() })
    task = nil -- luacheck: ignore
    test.eventually(function() return test.counters().tasks == before.tasks end)
  end)

  it("runs the top level of its file outside of any task", function()
    local _, err = pcall(test.start, support.app_file "require('weir').spawn(function() end)")
    assert.matches("weir.spawn: there is no task here", err)
  end)

  it("is closed once, however many wait for it", function()
    local server = support.serve_text [[
      local app = require("weir").app()
      app:get("/", function(stream) stream:sse():send("x") require("weir").sleep(3600) end)
      return app
    ]]
    local events = server:sse "/"
    assert.equal("x", events:next().data)
    local closing = {
      weir.spawn(function() server:close() return "closed" end),
      weir.spawn(function() check(server.handle:close()) return "closed too" end),
    }
    assert.equal("closed", (closing[1]:join(2)))
    assert.equal("closed too", (closing[2]:join(2)))
    check(server.handle:close())
    assert.same({ nil, "closed" }, { events:next() })
    assert.same({ nil, "ECONNREFUSED" }, { test.connect(server.port) })
  end)
end)

describe("an app of the spec", function()
  it("lives as long as a task that outlives its client and its server", function()
    local finished
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:detach()
        stream:write "begun"
        while not stream.closed do weir.sleep(0) end
        for _ = 1, 10 do
          weir.sleep(0)
          collectgarbage()
        end
        finished = true
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.is_truthy(client:receive "begun")
    server:close()
    server = nil -- luacheck: ignore
    test.eventually(function() return finished end)
  end)
end)

describe("simulate", function()
  local function ask(handler, request)
    local app = weir.app()
    app:route(request and request.method or "GET", "/", handler)
    return test.simulate(app, request or {})
  end

  it("tells an answer that broke off", function()
    local response = ask(function(stream)
      stream:write "half"
      error "broken"
    end)
    assert.equal(1, #test.log.take("broken", "error"))
    assert.equal(200, response.status)
    assert.equal("half", response.body)
    assert.is_false(response.complete)
    assert.is_true(ask(function() return "whole" end).complete)
  end)

  it("raises when there is no answer at all", function()
    assert.error_matches(function()
      ask(function() error(weir.cancelled, 0) end)
    end, "without an answer: cancelled")
  end)

  it("cuts off an answer that does not end", function()
    local reason
    local response = ask(function(stream)
      stream:on_close(function(why) reason = why end)
      while stream:write(("x"):rep(1024 * 1024)) do weir.sleep(0) end
    end)
    assert.is_false(response.complete)
    assert.equal(16 * 1024 * 1024, #response.body)
    assert.equal("overflow", test.eventually(function() return reason end))
  end)

  it("leaves when the asking task is cancelled", function()
    local reason
    local task = weir.spawn(ask, function(stream)
      stream:on_close(function(why) reason = why end)
      stream:sse()
      weir.sleep(3600)
    end)
    test.settle()
    task:cancel()
    assert.equal("client", test.eventually(function() return reason end))
  end)

  it("refuses what a connection would refuse", function()
    local function handler() return "never" end
    assert.error_matches(function() ask(handler, { path = "/ /" }) end, "400 malformed request line")
    assert.error_matches(function() ask(handler, { path = "/%2" }) end, "400 the path has a '%%' without")
    assert.error_matches(function() ask(handler, { path = "/" .. ("x"):rep(10000) }) end, "414")
    assert.error_matches(function() ask(handler, { headers = { Host = "a b" } }) end, "400 malformed Host")
    assert.error_matches(function() ask(handler, { headers = { ["a:"] = "b" } }) end, "not a header name or value")
    assert.error_matches(function() ask(handler, { headers = { a = "b\r\nc: d" } }) end, "not a header name or value")
  end)

  it("takes header fields as a map, as lists, as pairs", function()
    local seen = ask(function(stream) return stream.headers end, {
      headers = { One = 1, two = { "a", "b" }, { "Three", "x" }, { "three", "y" } },
    }).json()
    assert.equal("1", seen.one)
    assert.equal("a, b", seen.two)
    assert.equal("x, y", seen.three)
    assert.equal("localhost", seen.host)
  end)

  it("of HEAD has the length and no body", function()
    local response = ask(function() return "12345" end, { method = "HEAD" })
    assert.equal("5", response.headers["content-length"])
    assert.equal("", response.body)
  end)
end)

describe("a client socket", function()
  local function serve_echo()
    return support.serve(function(app)
      app:post("/", function(stream) return stream:body() end)
      app:get("/", function() weir.sleep(3600) end)
    end)
  end

  it("may still receive after it has shut down", function()
    local client = serve_echo():connect()
    client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
    client:shutdown()
    assert.equal("ab", client:receive_response().body)
    assert.same({ nil, "closed" }, { client:send "x" })
    local rest, why = client:receive_all()
    assert.same({ "", "closed" }, { rest, why })
  end)

  it("is told of a reset", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write_policy "disconnect"
        while stream:write(("x"):rep(65536)) do weir.sleep(0) end
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.0\r\n\r\n"
    test.eventually(function() return test.counters().streams == 0 end)
    local _, why = client:receive_all()
    assert.equal("reset", why)
    assert.same({ nil, "reset" }, { check(core.socket_recv(client.socket, 1)) })
  end)

  it("waits in send until the kernel has all", function()
    local server = support.serve(function(app)
      app:post("/", function(stream)
        weir.sleep(3600)
        return stream:body()
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    local task = weir.spawn(function()
      return client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 32000000\r\n\r\n" .. ("x"):rep(32000000))
    end)
    assert.same({ nil, "timeout" }, { task:join(0.02) })
    client:close()
    assert.same({ nil, "closed" }, { task:join(2) })
    assert.same({ nil, "closed" }, { client:send "x" })
  end)

  it("ends what waits to receive when it is closed", function()
    local client = serve_echo():connect()
    local task = weir.spawn(function() return client:receive() end)
    test.settle()
    client:close()
    assert.same({ nil, "closed", "" }, { task:join(2) })
  end)

  it("keeps what it receives from while it waits, and nothing else does", function()
    local server = support.serve(function(app)
      app:get("/", function()
        weir.sleep(0.01)
        return "well"
      end)
    end)
    local task = weir.spawn(function()
      local function connect()
        local socket = check(core.connect(server.port, {}))
        check(core.socket_send(socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        return socket
      end
      return check(core.socket_recv(connect(), 2))
    end)
    test.settle()
    collectgarbage()
    assert.matches("well", (task:join(2)))
    task = nil -- luacheck: ignore
    collectgarbage()
    test.eventually(function() return test.counters().connections == 0 end)
  end)
end)

describe("a process", function()
  local function start(script, options)
    return check(core.process({ "/bin/sh", "-c", script }, options or {}))
  end

  it("gives lines to those who wait, in their order, then tells the end", function()
    local process = start "echo one; echo two; exit 7"
    local first = weir.spawn(function() return check(core.process_line(process)) end)
    local second = weir.spawn(function() return check(core.process_line(process)) end)
    local code = weir.spawn(function() return check(core.process_wait(process)) end)
    assert.same({ "one" }, { first:join(5) })
    assert.same({ "two" }, { second:join(5) })
    assert.same({ nil, "closed" }, { check(core.process_line(process, 5)) })
    assert.same({ 7 }, { code:join(5) })
    assert.equal(7, check(core.process_wait(process)))
  end)

  it("that a signal has ended has no code", function()
    local process = start "exec sleep 60"
    assert.same({ nil, "timeout" }, { check(core.process_wait(process, 0.01)) })
    assert.same({ nil, "timeout" }, { check(core.process_line(process, 0.01)) })
    core.process_kill(process, 9)
    assert.same({ nil, 9 }, { check(core.process_wait(process, 5)) })
    core.process_kill(process, 9)
  end)

  it("has this environment and what is added to it", function()
    local process = start("echo $ADDED $PWD; test -n \"$PATH\" && echo a path", {
      env = { ADDED = "value" }, cwd = "/usr",
    })
    assert.equal("value /usr", check(core.process_line(process, 5)))
    assert.equal("a path", check(core.process_line(process, 5)))
    check(core.process_wait(process))
    process = start("echo $PATH", { env = { PATH = "/bin" } })
    assert.equal("/bin", check(core.process_line(process, 5)))
    check(core.process_wait(process))
  end)

  it("that cannot start raises", function()
    assert.error_matches(function() check(core.process({ "/nowhere" }, {})) end, "cannot start /nowhere: no such file")
    assert.error_matches(function() check(core.process({}, {})) end, "a program and its arguments")
  end)
end)

describe("a turn of the clock", function()
  it("lets each task see the very time that it waited for", function()
    test.clock.freeze()
    local begun, seen = weir.now(), {}
    for _, seconds in ipairs { 3, 1, 2 } do
      weir.spawn(function()
        weir.sleep(seconds)
        seen[#seen + 1] = math.floor((weir.now() - begun) * 1000 + 0.5) / 1000
      end)
    end
    test.settle()
    test.clock.advance(5)
    assert.same({ 1, 2, 3 }, seen)
  end)
end)
