-- `weir check`: what it tells, all of it at once; and that no options table of the API swallows a name it does not
-- know.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local begin = 'local weir = require "weir"\nlocal app = weir.app()\n'

-- Runs `weir check PATH`: exit code, and the lines on standard error.
local function check(path, env)
  local run = test.run { "check", path, env = env }
  local lines = {}
  for line in run.stderr:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return run.code, lines, run.stdout
end

-- That some line says "PATH:LINE:" and holds the text.
local function assert_told(lines, path, line, text)
  for _, told in ipairs(lines) do
    if told:find(("%s:%d:"):format(path, line), 1, true) and told:find(text, 1, true) then return end
  end
  error(("%d: %s was not told in:\n%s"):format(line, text, table.concat(lines, "\n")), 2)
end

-- A folder that is all of the PATH for a child, with a program of that text as luacheck, or without one.
local function path_with(luacheck)
  local folder = support.folder()
  if luacheck then
    support.write_file(folder .. "/luacheck", "#!/bin/sh\n" .. luacheck)
    assert(os.execute("chmod +x " .. folder .. "/luacheck") == 0)
  end
  return { PATH = folder }
end

describe("weir check", function()
  after_each(support.remove_folders)

  it("tells several mistakes at once, each with its line", function()
    local path = support.app_file(begin .. [[
weir.topics { ["a/*"] = { histroy = { count = 1 }, durable = false } }
weir.topics { ["a/*"] = { history = { cuont = 1 } } }
weir.limits { high_mrak = "64KB" }
app:get("no-slash", print)
app:get("/x/:one", print)
app:get("/x/:two", print)
app:get("/*rest/more", print)
app:static("/", ".", { max_aeg = 60 })
app:on_start(function()
  weir.publish("topic", "data", { wiat = 1 })
end, { each_wroker = true })
return app]])
    local code, lines, out = check(path, path_with(nil))
    assert.equal(1, code)
    assert.is_nil(out:find(": ok", 1, true))
    assert_told(lines, path, 3,
      'unknown option "histroy"; known are: history, durable, presence, linger; did you mean history?')
    assert_told(lines, path, 4, "did you mean count?")
    assert_told(lines, path, 5, "did you mean high_mark?")
    assert_told(lines, path, 6, 'got "no-slash"')
    assert_told(lines, path, 8, "/x/:two")
    assert_told(lines, path, 9, "/*rest/more")
    assert_told(lines, path, 10, "did you mean max_age?")
    assert_told(lines, path, 12, "did you mean wait?")
    assert_told(lines, path, 11, "did you mean each_worker?")
    assert.equal(9, #lines, table.concat(lines, "\n"))
  end)

  it("goes on after an option that is missing", function()
    local path = support.app_file(begin .. [[
app:use("/jwt", weir.jwt { secret = os.getenv "WEIR_SPEC_HAS_NO_SUCH_VARIABLE" })
app:use("/limit", weir.limit { burst = 3 })
app:use("/cors", weir.cors {})
app:post("/renew", weir.jwt.renewal {})
app:on_start(function()
  weir.jwt.verify("token", {})
  weir.publish("topic", "data", { wiat = 1 })
end)
weir.limits { high_mrak = 1 }
return app]])
    local code, lines = check(path, path_with(nil))
    assert.equal(1, code)
    assert_told(lines, path, 3, "weir.jwt: there is no key")
    assert_told(lines, path, 4, "weir.limit: rate (requests a second) must be a number above 0, got nil")
    assert_told(lines, path, 5, "weir.cors: origins must be a list of origins")
    assert_told(lines, path, 6, "weir.jwt.renewal: there is no key")
    assert_told(lines, path, 8, "weir.jwt.verify: there is no key")
    assert_told(lines, path, 9, "did you mean wait?")
    assert_told(lines, path, 11, "did you mean high_mark?")
    assert.equal(7, #lines, table.concat(lines, "\n"))
    local run = test.run { "serve", path, "--listen", "127.0.0.1:0" }
    assert.equal(1, run.code)
    assert.matches(path .. ":3: weir.jwt: there is no key", run.stderr, 1, true)
  end)

  it("tells a mistake before an error that it may be the cause of", function()
    local path = support.app_file(begin .. 'app:use(weir.jwt { secrt = ("s"):rep(32) })\nreturn app')
    local code, lines = check(path, path_with(nil))
    assert.equal(1, code)
    assert.matches("did you mean secret?", lines[1], 1, true)
    assert_told(lines, path, 3, "there is no key")
  end)

  it("tells why an app does not start though another does not load", function()
    local folder = support.folder()
    local late = begin .. 'app:on_start(function() error "no" end)\nreturn app'
    for name, text in pairs { broken = "retrun", late = late } do
      assert(os.execute("mkdir " .. folder .. "/" .. name) == 0)
      support.write_file(folder .. "/" .. name .. "/app.lua", text)
    end
    local _, lines = check(folder, path_with(nil))
    assert_told(lines, folder .. "/broken/app.lua", 1, "expected near")
    assert_told(lines, folder .. "/late/app.lua", 3, "no")
  end)

  it("tells a mistake in a loop once", function()
    local path = support.app_file(begin .. "for _ = 1, 3 do weir.limits { hub_memori = 1 } end\nreturn app")
    local code, lines = check(path, path_with(nil))
    assert.equal(1, code)
    assert.equal(1, #lines)
  end)

  it("tells of every app of a folder", function()
    local folder = support.folder()
    local broken = { one = "error 'first'", two = begin .. "app:get('x', print)\nreturn app", three = "return 3" }
    for name, text in pairs(broken) do
      assert(os.execute(("mkdir %s/%s"):format(folder, name)) == 0)
      support.write_file(("%s/%s/app.lua"):format(folder, name), text)
    end
    local code, lines = check(folder, path_with(nil))
    assert.equal(1, code)
    assert_told(lines, folder .. "/one/app.lua", 1, "first")
    assert_told(lines, folder .. "/two/app.lua", 3, 'got "x"')
    assert.is_truthy(table.concat(lines, "\n"):find(folder .. "/three/app.lua: the file must return its app", 1, true))
  end)

  it("runs on_start, of each worker's too, and what it raises is told", function()
    local path = support.app_file(begin .. "app:on_start(function()\nweir.sleep(0)\nerror 'cold'\nend)\nreturn app")
    local code, lines = check(path, path_with(nil))
    assert.equal(1, code)
    assert_told(lines, path, 5, "cold")
    path = support.app_file(begin .. "app:on_start(function() error 'each' end, { each_worker = true })\nreturn app")
    code, lines = check(path, path_with(nil))
    assert.equal(1, code)
    assert_told(lines, path, 3, "each")
  end)

  it("raises what serve raises: only check goes on", function()
    local path = support.app_file(begin .. "weir.limits { high_mrak = 1 }\nreturn app")
    local run = test.run { "serve", path, "--listen", "127.0.0.1:0" }
    assert.equal(1, run.code)
    assert.is_truthy(run.stderr:find(path .. ":3:", 1, true), run.stderr)
  end)

  describe("runs luacheck, which", function()
    local stray = begin .. 'app:get("/", function(stream) total = 1 end)\nreturn app'

    it("finds what loading cannot", function()
      local path, folder = support.app_file(stray)
      for _, asked in ipairs { path, folder } do
        local code, lines = check(asked)
        assert.equal(1, code)
        assert_told(lines, path, 3, "non-standard global variable 'total'")
      end
    end)

    it("reads the modules and specs of a folder, with busted's globals in spec/", function()
      local _, folder = support.app_file(begin .. 'require "part"\nreturn app')
      assert(os.execute("mkdir " .. folder .. "/spec") == 0)
      support.write_file(folder .. "/part.lua", "local unused = 1\nreturn {}\n")
      support.write_file(folder .. "/spec/some_spec.lua", 'describe("x", function() assert.equal(1, 1) end)\n')
      local code, lines = check(folder)
      assert.equal(1, code)
      assert_told(lines, folder .. "/part.lua", 1, "unused variable 'unused'")
      assert.equal(1, #lines, table.concat(lines, "\n"))
    end)

    it("knows the globals that scripts have, and no others", function()
      local known = "print(bit, jit, os.time, setfenv)\n"
      local path = support.app_file(begin .. known .. "print(newproxy)\nprint(os.exit)\nreturn app")
      local code, lines = check(path)
      assert.equal(1, code)
      assert_told(lines, path, 4, "newproxy")
      assert_told(lines, path, 5, "exit")
      assert.equal(2, #lines, table.concat(lines, "\n"))
    end)

    it("does as the app's own .luacheckrc says", function()
      local _, folder = support.app_file(stray)
      support.write_file(folder .. "/.luacheckrc", 'globals = { "total" }\nunused_args = false\n')
      local code, lines = check(folder)
      assert.equal(0, code, table.concat(lines, "\n"))
    end)

    it("need not be there", function()
      local code, lines, out = check(support.app_file(stray), path_with(nil))
      assert.equal(0, code)
      assert.same({}, lines)
      assert.matches("luacheck is not installed.*apt install lua%-check", out)
    end)

    it("may fail", function()
      local code, lines = check(support.app_file(stray), path_with "exit 3\n")
      assert.equal(1, code)
      assert.matches("luacheck ended with 3", lines[1])
    end)
  end)
end)

describe("an unknown option", function()
  local app

  before_each(function() app = weir.app() end)
  after_each(support.remove_folders)

  -- At load, or in a task: the name, the call, and what it must say.
  local cases = {
    { "app:static", function() app:static("/", ".", { max_agee = 1 }) end, "max_age" },
    { "app:on_start", function() app:on_start(print, { each_worke = true }) end, "each_worker" },
    { "weir.topics", function() weir.topics { a = { duable = true } } end, "durable" },
    { "weir.every", function() weir.every(1, print, { one_wroker = true }) end, "one_worker" },
    { "weir.topics", function() weir.topics { a = { history = { age_ = 1 } } } end, "age" },
    { "weir.limits", function() weir.limits { head_byte = 1 } end, "head_bytes" },
    { "weir.publish", function() weir.publish("a", "b", { wai = 1 }) end, "wait" },
    { "weir.publish", function() weir.publish("a", { dat = "b" }) end, "data" },
    { "weir.history", function() weir.history("a", { limt = 1 }) end, "limit" },
    { "weir.subscribe", function() weir.subscribe("a", { aftr = "1-1" }) end, "after" },
    { "weir.streams", function() weir.streams { topics = "a" } end, "topic" },
    { "streams:list", function() weir.streams({}):list { srot = "id" } end, "sort" },
    { "weir.tail", function() weir.tail("a", { line = 1 }) end, "lines" },
    { "weir.logs", function() weir.logs { sourcs = "a" } end, "sources" },
    { "weir.logs: sources", function() weir.logs { sources = { { pth = "a" } } } end, "path" },
    { "weir.logs: redact", function() weir.logs { sources = "a", redact = { { patern = "a" } } } end, "pattern" },
    { "logs:follow", function() weir.logs { sources = "a" }:follow { line = 1 } end, "lines" },
    { "weir.jwt.sign", function() weir.jwt.sign({}, { secrt = "x" }) end, "secret" },
    { "weir.jwt.verify", function() weir.jwt.verify("x", { isuer = "x" }) end, "issuer" },
    { "weir.test.run", function() test.run { "version", timout = 1 } end, "timeout" },
    { "weir.test.spawn", function() test.spawn { "serve", ".", enw = {} } end, "env" },
    { "weir.test.simulate", function() test.simulate(app, { pth = "/" }) end, "path" },
    { "weir.test.connect", function() test.connect(1, { rcvbuff = 1 }) end, "rcvbuf" },
    { "server:connect", function() test.start(app):connect { rcvbuff = 1 } end, "rcvbuf" },
    { "client:receive_response", function() test.start(app):connect():receive_response { timeot = 1 } end, "timeout" },
    { "client:receive_head", function() test.start(app):connect():receive_head { metod = "HEAD" } end, "method" },
    { "server:request", function() test.start(app):get("/", { header = {} }) end, "headers" },
    { "server:sse", function() test.start(app):sse("/", { last_event_i = "1" }) end, "last_event_id" },
    { "stream:sse", function(stream) stream:sse { hartbeat = 1 } end, "heartbeat" },
    { "stream:sse: limit", function(stream) stream:sse { limit = { event = 1 } } end, "events" },
    { "sse:send", function(stream) stream:sse():send { evnt = "x" } end, "event" },
    { "sse:subscribe", function(stream) stream:sse():subscribe("a", { resum = true }) end, "resume" },
    { "stream:save", function(stream) stream:save("x", { on_progres = print }) end, "on_progress" },
    { "stream:file", function(stream) stream:file("x", { downlod = "y" }) end, "download" },
    { "stream:cookie", function(stream) stream:cookie("a", "b", { http_onl = true }) end, "http_only" },
  }
  local function needs_stream(name) return name:find "^stream:" or name:find "^sse:" end

  for i, case in ipairs(cases) do
    local name, call, near = unpack(case)
    it(("of %s is told at the line that gave it, with the likely name (%d)"):format(name, i), function()
      local ok, message
      if needs_stream(name) then
        support.ask(function(asked)
          asked:post("/", function(stream) ok, message = pcall(call, stream) end)
        end, "POST", "/", { body = "x" })
      else
        ok, message = pcall(call)
      end
      assert.is_false(ok)
      local line = debug.getinfo(call, "S").linedefined
      assert.is_truthy(message:find(("check_spec.lua:%d: %s: unknown "):format(line, name), 1, true), message)
      assert.is_truthy(message:find(("; did you mean %s?"):format(near), 1, true), message)
    end)
  end

  it("that nothing is near to comes with the names there are alone", function()
    local _, message = pcall(weir.tail, "a", { colour = 1 })
    assert.matches('unknown option "colour"; known are: lines, max_line, after, include, exclude$', message)
  end)

  it("that is no string is told too", function()
    local _, message = pcall(weir.tail, "a", { 5 })
    assert.matches("unknown option 1; known are: lines, max_line, after, include, exclude$", message)
  end)

  it("of the reference is in this list", function()
    local listed = {}
    for _, case in ipairs(cases) do listed[case[1]:gsub(": limit$", "")] = true end
    for _, file in ipairs {
      "app", "fs", "hub", "sse", "stream", "tail", "logs", "task", "shared", "store", "init", "jwt", "test",
      "test_client",
    } do
      local text = assert(support.read_file("lua/weir/" .. file .. ".lua"))
      for name in text:gmatch 'check[._]options%("([^"]+)"' do
        assert.is_true(listed[name:gsub(": limit$", "")] or false, name .. " of " .. file)
      end
    end
  end)
end)
