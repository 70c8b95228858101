-- weir serve, in processes of its own: lua/REFERENCE.md.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  local me = tostring(app)
  app:get("/", function() return me end)
  app:get("/slow", function(stream)
    weir.log.info("slow began")
    weir.sleep(0.3)
    return "finished"
  end)
  app:get("/forever", function(stream)
    stream:on_close(function(reason) weir.log.info("forever ended: " .. reason) end)
    stream:sse()
    weir.sleep(3600)
  end)
  app:put("/echo", function(stream)
    for chunk in stream:chunks() do stream:write(chunk) end
  end)
  app:get("/rows", function(stream)
    stream:write "row 1"
    weir.sleep(0.3)
    stream:write "row 2"
  end)
  app:get("/stuck", function() weir.log.info("stuck began") weir.sleep(3600) end)
  app:get("/url", function(stream) return stream.base .. " " .. stream.path end)
  return app
]]

local function spawn(...)
  return test.spawn { "serve", (support.app_file(app_text)), ... }
end

local function logged(server, pattern)
  return test.eventually(function() return server:stderr():match(pattern) end, 5)
end

describe("weir serve", function()
  after_each(support.remove_folders)

  it("prints where it listens and answers there", function()
    local server = spawn("--workers", 1)
    assert.matches("^http://127%.0%.0%.1:%d+$", server.url)
    assert.equal(200, server:get("/").status)
    assert.equal(0, (server:stop()))
  end)

  it("by default listens on port 8080 of this machine, with a worker for each processor #workers", function()
    local path = support.app_file [[
      local weir = require "weir"
      weir.shared("loads"):incr "all"
      local app = weir.app()
      app:get("/", function() return tostring(weir.shared("loads"):get "all") end)
      return app
    ]]
    local server = test.spawn { "serve", path }
    local pipe = io.popen "getconf _NPROCESSORS_ONLN"
    assert.equal(pipe:read "*l", server:get("/").body)
    pipe:close()
    server:stop()
    -- Somebody else may have that port: then it is named all the same.
    local ok, taken = pcall(test.spawn, { "serve", path, shell = 'exec "$0" serve "$2"' })
    if ok then
      assert.equal("http://127.0.0.1:8080", taken.url)
      taken:stop()
    else
      assert.matches("127%.0%.0%.1:8080: address already in use", taken)
    end
  end)

  it("serves several paths as it does a folder of apps", function()
    local folder = support.folder()
    for _, name in ipairs { "one", "two" } do
      assert(os.execute(("mkdir %s/%s"):format(folder, name)) == 0)
      support.write_file(("%s/%s/app.lua"):format(folder, name), app_text)
    end
    local server = test.spawn { "serve", folder .. "/one", folder .. "/two/app.lua", "--workers", 1 }
    assert.equal("/one /one/url", server:get("/one/url").body)
    assert.equal("/two /two/url", server:get("/two/url").body)
    assert.matches("one/.*two/", server:get("/").body)
    server:stop()
    local run = test.run { "serve", folder .. "/one", folder .. "/one/app.lua", "--listen", "127.0.0.1:0" }
    assert.equal(1, run.code)
    assert.matches("two apps in folders of the same name", run.stderr)
  end)

  it("listens on several addresses", function()
    local server = spawn("--workers", 1, "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0")
    assert.equal(200, server:get("/").status)
    server:stop()
  end)

  it("refuses an address in use, with 1, also its own kind's", function()
    local server = spawn("--workers", 1)
    local run = test.run { "serve", (support.app_file(app_text)), "--listen", server.address }
    assert.equal(1, run.code)
    assert.is_truthy(run.stderr:find(server.address, 1, true), run.stderr)
    assert.matches("use", run.stderr)
    assert.equal(200, server:get("/").status)
    assert.equal("", run.stdout)
    server:stop()
  end)

  it("refuses an app that does not load, with 1 and its file:line", function()
    local run = test.run { "serve", (support.app_file("\nerror 'broken'")), "--listen", "127.0.0.1:0" }
    assert.equal(1, run.code)
    assert.is_truthy(run.stderr:find("app.lua:2:", 1, true), run.stderr)
  end)

  for _, signal in ipairs { "TERM", "INT" } do
    it("drains on SIG" .. signal, function()
      local server = spawn("--workers", 1)
      local slow, forever = server:connect(), server:sse "/forever"
      slow:send "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
      logged(server, "slow began")
      server:signal(signal)
      local response = slow:receive_response()
      assert.equal(200, response.status)
      assert.equal("finished", response.body)
      local event, why
      repeat event, why = forever:next() until not event
      assert.equal("closed", why)
      assert.is_true(forever.complete)
      local code = server:wait(5)
      assert.equal(0, code)
      assert.matches("forever ended: drain", server:stderr())
    end)
  end

  for which, case in pairs {
    ["that its handler writes"] = { "GET /rows HTTP/1.1\r\nHost: a\r\n\r\n", "row 1", "", "row 2" },
    ["to a request that still arrives"] = {
      "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst", "first", "last", "last",
    },
  } do
    it("lets an answer end " .. which, function()
      local request, begun, rest, last = unpack(case)
      local server = spawn("--workers", 1)
      local client = server:connect()
      client:send(request)
      client:receive(begun)
      server:signal "TERM"
      logged(server, "draining")
      client:send(rest)
      assert.is_truthy(client:receive(last .. "\r\n0\r\n\r\n"))
      assert.equal(0, (server:wait(5)))
    end)
  end

  it("accepts nobody while it drains", function()
    local server = spawn("--workers", 1)
    local slow = server:connect()
    slow:send "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
    logged(server, "slow began")
    server:signal "TERM"
    test.eventually(function() return not server:get("/", { timeout = 0.1 }) end)
    assert.equal("finished", slow:receive_response().body)
    assert.equal(0, (server:wait(5)))
  end)

  it("closes what is left after drain_timeout", function()
    local text = app_text:gsub("local app = ", "weir.limits { drain_timeout = 0.3 }\n%0", 1)
    local server = test.spawn { "serve", (support.app_file(text)), "--workers", 1 }
    local stuck = server:connect()
    stuck:send "GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"
    logged(server, "stuck began")
    local code = server:stop("TERM", 5)
    assert.equal(0, code)
  end)

  it("stops at once on a second signal", function()
    local server = spawn("--workers", 1)
    local stuck = server:connect()
    stuck:send "GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"
    logged(server, "stuck began")
    server:signal "TERM"
    assert.same({ nil, "timeout" }, { server:wait(0.3) })
    server:signal "TERM"
    local code, signal = server:wait(2)
    assert.are_not.equal("timeout", signal)
    assert.is_truthy(code)
  end)

  it("logs live streams and suspended tasks on SIGUSR1", function()
    local server = spawn("--workers", 1)
    local events = server:sse "/forever"
    server:signal "USR1"
    logged(server, "stream %d+: GET /forever")
    logged(server, "GET /forever: weir.sleep\n%s+stack traceback:.-'sleep'.-app.lua:%d+: in function")
    events:close()
    assert.equal(200, server:get("/").status)
    server:stop()
  end)

  it("answers from two workers, each with a Lua state of its own #workers", function()
    local server = spawn("--workers", 2)
    local states = {}
    local count = 0
    for _ = 1, 200 do
      local response = server:get "/"
      assert.equal(200, response.status)
      if not states[response.body] then
        states[response.body] = true
        count = count + 1
      end
    end
    assert.equal(2, count)
    assert.equal(0, (server:stop()))
  end)

  it("drains two workers #workers", function()
    local server = spawn("--workers", 2)
    local all = {}
    for i = 1, 8 do all[i] = server:sse "/forever" end
    assert.equal(0, (server:stop()))
    for _, events in ipairs(all) do
      local event, why
      repeat event, why = events:next() until not event
      assert.equal("closed", why)
    end
    local _, count = server:stderr():gsub("forever ended: drain", "")
    assert.equal(8, count)
  end)

  it("serves a folder of apps, a broken one does not hold back the others", function()
    local folder = support.folder()
    for name, text in pairs { one = app_text, two = app_text, broken = "error 'broken'" } do
      os.execute("mkdir " .. folder .. "/" .. name)
      support.write_file(folder .. "/" .. name .. "/app.lua", text)
    end
    local server = test.spawn { "serve", folder, "--workers", 1 }
    local list = server:get "/"
    assert.equal(200, list.status)
    assert.matches("one", list.body)
    assert.matches("two", list.body)
    assert.equal("/one /one/url", server:get("/one/url").body)
    assert.equal("/two /two/url", server:get("/two/url").body)
    assert.is_true(server:get("/broken/url").status >= 400)
    assert.equal(404, server:get("/three/url").status)
    assert.are_not.equal(server:get("/one/").body, server:get("/two/").body)
    test.eventually(function() return server:stderr():match "app.lua:1:" end, 10)
    server:stop()
  end)

  it("knows the methods that a route of any of its apps names", function()
    local folder = support.folder()
    local route = '\napp:route("REFILL", "/cup", function() return "full" end)\nreturn app'
    for name, text in pairs { one = app_text, two = app_text:gsub("%s*return app%s*$", route) } do
      os.execute("mkdir " .. folder .. "/" .. name)
      support.write_file(folder .. "/" .. name .. "/app.lua", text)
    end
    local server = test.spawn { "serve", folder, "--workers", 1 }
    assert.equal("full", server:request("REFILL", "/two/cup").body)
    assert.equal(405, server:request("REFILL", "/one/url").status)
    assert.equal(501, server:request("BREW", "/one/url").status)
    server:stop()
  end)

  it("logs what --log-level names and what is worse, by default from info on", function()
    local path = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function()
        for _, level in ipairs { "debug", "info", "warn", "error" } do weir.log[level]("said " .. level) end
      end)
      return app
    ]]
    local expected = {
      debug = "debug info warn error", info = "info warn error", warn = "warn error", error = "error",
    }
    expected.default = expected.info
    for level, levels in pairs(expected) do
      local args = { "serve", path, "--workers", 1 }
      if level ~= "default" then args[5], args[6] = "--log-level", level end
      local server = test.spawn(args)
      server:get "/"
      local _, text = server:stop()
      local said = {}
      for word in text:gmatch "said (%a+)" do said[#said + 1] = word end
      assert.equal(levels, table.concat(said, " "), level)
    end
  end)

  it("writes an access log, a line for each request", function()
    local log = support.folder() .. "/access.log"
    local server = spawn("--workers", 1, "--access-log", log)
    server:get "/url?x=1"
    server:get "/nowhere"
    test.eventually(function()
      local text = support.read_file(log) or ""
      return select(2, text:gsub("\n", "")) == 2
    end, 5)
    local text = support.read_file(log)
    assert.matches("GET", text)
    assert.is_truthy(text:find("/url", 1, true))
    assert.matches("200", text)
    assert.matches("/nowhere[^\n]*404", text)
    server:stop()
  end)

  it("forges no log line from what a client sends", function()
    local log = support.folder() .. "/access.log"
    local server = spawn("--workers", 1, "--access-log", log)
    server:get("/a%0Aforged%1B[2J", { headers = { ["User-Agent"] = 'x" \\ "y' } })
    local text = test.eventually(function()
      local text = support.read_file(log)
      return text and text ~= "" and text
    end, 5)
    assert.equal(1, select(2, text:gsub("\n", "")))
    assert.is_nil(text:find("\27", 1, true))
    server:stop()
  end)
end)
