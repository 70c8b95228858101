-- weir.test itself: servers, clients, time, log, faults.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function define(app)
  app:get("/", function() return { well = true } end)
  app:route("POST", "/echo", function(stream)
    return { method = stream.method, body = stream:body(), coding = stream.headers["transfer-encoding"] }
  end)
  app:put("/echo", function(stream) return "put " .. stream:body() end)
  app:patch("/echo", function(stream) return "patched " .. stream:body() end)
  app:delete("/echo", function() return "deleted" end)
  app:get("/sleep", function() weir.sleep(60) end)
end

describe("weir.test", function()
  after_each(support.remove_folders)

  it("start serves an app on a port of its own", function()
    local one, two = support.serve(define), support.serve(define)
    assert.are_not.equal(one.port, two.port)
    assert.equal("127.0.0.1:" .. one.port, one.address)
    assert.equal("http://127.0.0.1:" .. one.port, one.url)
    local response = one:get "/"
    assert.equal(200, response.status)
    assert.equal("OK", response.reason)
    assert.equal("1.1", response.version)
    assert.same({ well = true }, response.json())
    one:close()
    assert.same({ nil, "ECONNREFUSED" }, { one:get "/" })
    assert.equal(200, two:get("/").status)
  end)

  it("start of a path serves the file or folder", function()
    local path, folder = support.app_file [[
      local app = require("weir").app()
      app:get("/", function() return "from the file" end)
      return app
    ]]
    assert.equal("from the file", test.start(path):get("/").body)
    assert.equal("from the file", test.start(folder):get("/").body)
  end)

  it("start of what does not load raises where it is wrong", function()
    local ok, err = pcall(test.start, (support.app_file "\n\nerror 'broken'"))
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("app.lua:3:", 1, true), tostring(err))
  end)

  local mistakes = {
    ["a path that is none"] = { function(server) server:get() end,
      "server:request: the path must be a string, got nil" },
    ["a server that is none"] = { function(server) server.get "/" end, "server.get: call it as server:get(path)" },
    ["a body that is no text"] = { function(server) server:post("/echo", { body = { a = 1 } }) end,
      "server:request: body must be a string, or a list of strings, sent as chunks; weir.json.encode makes JSON, "
        .. "got a table" },
    ["headers"] = { function(server) server:get("/", { headers = "Accept: */*" }) end,
      'server:request: headers must be a table of names and values, got "Accept: */*"' },
    ["a request's timeout"] = { function(server) server:get("/", { timeout = "1s" }) end,
      'server:request: timeout must be a number of seconds, 0 or more, got "1s"' },
    ["a stream's path"] = { function(server) server:sse(7) end, "server:sse: the path must be a string, got 7" },
    ["the timeout of events"] = { function(server) server:sse("/events"):next {} end,
      "events:next: timeout must be a number of seconds, 0 or more, got a table" },
    ["the timeout of bytes"] = { function(server) server:connect():receive(1, "x") end,
      'client:receive: timeout must be a number of seconds, 0 or more, got "x"' },
    ["how a response is received"] = { function(server) server:connect():receive_response(60) end,
      "client:receive_response: the options must be a table, got 60" },
    ["how a head is received"] = { function(server) server:connect():receive_head { seconds = 60 } end,
      'client:receive_head: unknown option "seconds"; known are: method, timeout' },
    ["a condition"] = { function() test.eventually(true) end,
      "weir.test.eventually: argument 1 (condition) must be a function, got true" },
    ["a patience"] = { function() test.eventually(function() return true end, "x") end,
      'weir.test.eventually: timeout must be a number of seconds, 0 or more, got "x"' },
    ["a time"] = { function() test.clock.advance "x" end,
      'weir.test.clock.advance: argument 1 (seconds) must be a number of seconds, 0 or more, got "x"' },
    ["a level"] = { function() test.log.take("x", "warning") end,
      'weir.test.log.take: argument 2 (level) must be "debug", "info", "warn" or "error", got "warning"' },
    ["arguments"] = { function() test.spawn "serve" end,
      'weir.test.spawn: argument 1 must be a list of arguments, got "serve"' },
    ["an app that is not there"] = { function() test.start "/missing/app.lua" end,
      "/missing/app.lua: there is no such file or folder; expected an app.lua, or a folder with one "
        .. "(weir new NAME makes one)" },
  }
  for what, case in pairs(mistakes) do
    it("tells the line that is wrong about " .. what, function()
      local server = support.serve(function(app)
        define(app)
        app:get("/events", function(stream) stream:sse():send "one" end)
      end)
      local ok, err = pcall(case[1], server)
      assert.is_false(ok)
      local line = debug.getinfo(case[1], "S").linedefined
      assert.equal(("spec/test_spec.lua:%d: %s"):format(line, case[2]), err)
    end)
  end

  it("opens an event stream that answers a POST", function()
    local server = support.serve(function(app)
      app:post("/", function(stream) stream:sse():send(stream:body()) end)
    end)
    assert.equal("a prompt", server:sse("/", { method = "POST", body = "a prompt" }):next().data)
  end)

  it("says what came instead of JSON, at the line that wanted it", function()
    local response = support.serve(define):put("/echo", { body = "x" })
    local ok, err = pcall(function()
      local value = response.json()
      return value
    end)
    assert.is_false(ok)
    assert.matches("test_spec%.lua:%d+: the answer is not JSON but 200, text/plain; charset=utf%-8, \"put x\": ", err)
  end)

  it("sends every method and both kinds of body", function()
    local server = support.serve(define)
    assert.same({ method = "POST", body = "abc" }, server:post("/echo", { body = "abc" }).json())
    assert.same({ method = "POST", body = "abc", coding = "chunked" },
      server:post("/echo", { body = { "a", "bc" } }).json())
    assert.equal("put x", server:put("/echo", { body = "x" }).body)
    assert.equal("patched x", server:patch("/echo", { body = "x" }).body)
    assert.equal("deleted", server:delete("/echo").body)
    assert.equal("", server:head("/").body)
    assert.is_truthy(server:options("/").headers.allow)
    assert.equal(404, server:request("GET", "/nowhere").status)
  end)

  it("gives up after the timeout", function()
    local server = support.serve(define)
    assert.same({ nil, "timeout" }, { server:get("/sleep", { timeout = 0.02 }) })
  end)

  it("gives up while the clock stands still, too", function()
    local server = support.serve(define)
    test.clock.freeze()
    assert.same({ nil, "timeout" }, { server:get("/sleep", { timeout = 0 }) })
    assert.equal(200, server:get("/").status)
  end)

  it("sse of what is no event stream says so", function()
    local events, why, response = support.serve(define):sse "/nowhere"
    assert.is_nil(events)
    assert.equal("status 404", why)
    assert.equal(404, response.status)
  end)

  it("connect receives by count, by pattern, and what is there", function()
    local server = support.serve(define)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert.equal("HTTP", client:receive(4))
    assert.matches("\r\n\r\n$", client:receive("\r\n\r\n"))
    assert.equal('{"well":true}', client:receive())
    assert.same({ nil, "closed", "" }, { client:receive() })
    local other = test.connect(server.port)
    assert.same({ nil, "timeout", "" }, { other:receive(1, 0.01) })
    other:close()
  end)

  it("run and spawn are processes of their own", function()
    local run = test.run { "version" }
    assert.equal(0, run.code)
    assert.matches("^weir ", run.stdout)
    assert.equal("", run.stderr)
    local server = test.spawn { "serve", (support.app_file [[
      local app = require("weir").app()
      app:get("/", function() return os.getenv "WEIR_TEST_VALUE" end)
      return app
    ]]), "--workers", 1, env = { WEIR_TEST_VALUE = "passed on" } }
    assert.equal("passed on", server:get("/").body)
    local code, stderr = server:stop()
    assert.equal(0, code)
    assert.equal(server:stderr(), stderr)
  end)

  it("spawn of what does not start raises with what it said", function()
    local ok, err = pcall(test.spawn, { "serve", (support.app_file "error 'broken start'") })
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("broken start", 1, true), tostring(err))
  end)

  it("eventually gives what the condition gave, or raises", function()
    local calls = 0
    assert.equal("value", test.eventually(function()
      calls = calls + 1
      return calls == 3 and "value"
    end))
    assert.error_matches(function() test.eventually(function() return false end, 0.01) end, "0.01 s")
  end)

  it("the clock moves only by hand when it is frozen", function()
    test.clock.freeze()
    local before = weir.now()
    test.settle()
    assert.equal(before, weir.now())
    test.clock.advance(2.5)
    assert.is_true(math.abs(weir.now() - before - 2.5) < 0.001)
    test.clock.thaw()
    assert.error_matches(function() test.clock.advance(1) end, "freeze")
  end)

  it("the log is captured, taken line by line", function()
    weir.log.warn("one")
    weir.log.error("two", { a = 1 })
    assert.equal(2, #test.log.lines())
    assert.equal("warn", test.log.take("one")[1].level)
    assert.equal(0, #test.log.take("two", "warn"))
    assert.matches("two.*a=1", test.log.take("two", "error")[1].text)
    assert.same({}, test.log.stop())
    assert.error_matches(function() test.log.lines() end, "start")
    test.log.start()
  end)

  it("faults have names of errors", function()
    assert.error_matches(function() test.fault("accept", "ENONSENSE") end, "ENONSENSE")
    test.fault("accept", "EMFILE", 1000)
    test.fault_reset()
  end)

  it("counters see what is open", function()
    local before = test.counters()
    local server = support.serve(define)
    local client = server:connect()
    client:send "GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return test.counters().streams == before.streams + 1 end)
    assert.equal(before.connections + 1, test.counters().connections)
    assert.is_true(test.counters().tasks > before.tasks)
    test.cleanup()
    test.eventually(function() return test.counters().connections == before.connections end)
  end)
end)
