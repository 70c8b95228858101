-- The mistakes that everybody makes sooner or later: each says what, where and the remedy.

local weir = require "weir"
local hint = require "weir.hint"
local nearest = require "weir.nearest"
local test = require "weir.test"
local support = require "spec.support"

local begin = 'local weir = require "weir"\nlocal app = weir.app()\n'

describe("a mistake that is made while the app loads:", function()
  after_each(support.remove_folders)

  -- what; the app's text; the line that must be named (false: the file's name only); the remedy.
  local cases = {
    { "return app forgotten", begin .. 'app:get("/", function() return "x" end)', false, "end it with `return app`" },
    { "something else returned", begin .. "app:get('/', print)\nreturn weir", false,
      "not table; end it with `return app`" },
    { "no require", "local app = weir.app()\nreturn app", 1, 'local weir = require "weir"' },
    { "weir misspelt", 'local weir = require "weir"\nlocal app = wier.app()\nreturn app, weir', 2,
      "did you mean weir?" },
    { "weir.app not called", 'local weir = require "weir"\nlocal app = weir.app\napp:get("/", print)\nreturn app', 3,
      "it is a function; call it: app(...)" },
    { "a dot for the colon", begin .. 'app.get("/", print)\nreturn app', 3, "app:get(...), with a colon" },
    { "a method misspelt", begin .. 'app:gett("/", print)\nreturn app', 3, "did you mean app:get?" },
    { "a function misspelt", begin .. "weir.backgroud(print)\nreturn app", 3, "did you mean weir.background?" },
    { "a handler that is nil", begin .. 'app:get("/", later)\nlocal later = print\nreturn app, later', 3,
      "is its name right, and defined above this line?" },
    { "no handler", begin .. 'app:get("/")\nreturn app', 3, "argument 2 (handler) must be a function" },
    { "a handler that is called",
      begin .. 'local function f(stream) return stream.path end\napp:get("/", f())\nreturn app', 3,
      "give the function itself to the route, without () behind it" },
    { "a pattern without its slash", begin .. 'app:get("hello", print)\nreturn app', 3,
      'begins with "/", got "hello"' },
    { "a route twice", begin .. 'app:get("/:a", print)\napp:get("/:b", print)\nreturn app', 4, "already matches" },
    { "waiting where nothing can", begin .. "weir.sleep(1)\nreturn app", 3, "app:on_start or in weir.background" },
    { "a folder that is not there", begin .. 'app:static("/", "pulic")\nreturn app', 3, "there is no folder" },
    { "a module that is not there", begin .. 'require "modl"\nreturn app', 3, "modl.lua" },
    { "a block that is not closed", begin .. 'app:get("/", function()\nreturn app', 4, "'end' expected" },
  }
  for _, case in ipairs(cases) do
    local what, text, line, remedy = unpack(case)
    it(what, function()
      local path = support.app_file(text)
      local run = test.run { "check", path }
      assert.equal(1, run.code)
      local where = line and ("%s:%d:"):format(path, line) or path .. ":"
      local first = run.stderr:match "[^\n]*"
      assert.is_truthy(first:find(where, 1, true), run.stderr)
      assert.is_truthy(run.stderr:find(remedy, 1, true), run.stderr)
    end)
  end
end)

describe("a mistake that is made in a handler:", function()
  after_each(support.remove_folders)

  -- what; the handler's body, on line 4; the remedy.
  local cases = {
    { "a dot for the colon", "stream.json({ a = 1 })", "stream:json(...), with a colon" },
    { "a dot for the colon, of the core", "stream.status(201)", "stream:status(...), with a colon" },
    { "a dot for the colon, without arguments", "stream.body()", "stream:body(...), with a colon" },
    { "a dot for the colon, of sse", "local sse = stream:sse() sse.send 'x'", "sse:send(...), with a colon" },
    { "a global misspelt", "return strem.path", "did you mean stream?" },
    { "a global that nobody set", "return configuration.name", "is it set above this line?" },
    { "a method misspelt", "stream:jsn {}", "did you mean stream:json?" },
    { "a method of another object", "stream:subscribe 'x'", "did you mean sse:subscribe?" },
    { "a property misspelt", "return stream.prams.id", "did you mean stream.params?" },
    { "a function misspelt", "weir.slep(1)", "did you mean weir.sleep?" },
    { "something returned that is no answer", "return true", "return a string, a table, or nothing" },
    { "a table returned that is no JSON", "return { f = print }", "JSON cannot hold a function" },
    { "the status after the head", "stream:write 'x' stream:status(404)", "before the first write" },
    { "a pattern for a topic", "weir.publish('a*', 'x')", "weir.prefix" },
  }
  for _, case in ipairs(cases) do
    local what, body, remedy = unpack(case)
    it(what, function()
      local server = support.serve_text(begin .. 'app:get("/", function(stream)\n' .. body .. "\nend)\nreturn app")
      server:get "/"
      local logged = test.log.take("stack traceback", "error")
      assert.equal(1, #logged)
      local first = logged[1].text:match "[^\n]*"
      local line = first:match "^GET /: [^\n]-/app%.lua:(%d+): "
      assert.is_true(line == "4" or what:find "returned" and line == "3", first)
      assert.is_truthy(first:find(remedy, 1, true), first)
    end)
  end

  it("middleware that returns next instead of calling it", function()
    local server = support.serve(function(app)
      app:use(function(_, next) return next end)
      app:get("/", function() return "x" end)
    end)
    assert.equal(500, server:get("/").status)
    assert.equal(1, #test.log.take("or its middleware returned a function; return a string", "error"))
  end)

  it("an error that a script catches is as Lua says it", function()
    local _, message = pcall(function() return weir.slep(1) end)
    assert.matches("%(a nil value%)$", message)
  end)
end)

describe("a mistake on the command line:", function()
  after_each(support.remove_folders)

  local cases = {
    { "a path that is not there", { "serve", "nowhere" }, "nowhere", "expected an app.lua" },
    { "a folder without an app", { "serve", "." }, "", "weir new NAME makes one" },
    { "the same for check", { "check", "." }, "", "weir new NAME makes one" },
    { "weir spec where there is none", { "spec" }, "/spec", "run weir spec in the app's folder" },
  }
  for _, case in ipairs(cases) do
    local what, args, where, remedy = unpack(case)
    it(what, function()
      args.cwd = support.folder()
      local run = test.run(args)
      assert.equal(1, run.code)
      assert.is_truthy(run.stderr:find(where, 1, true), run.stderr)
      assert.is_truthy(run.stderr:find(remedy, 1, true), run.stderr)
      assert.equal("", run.stdout)
    end)
  end
end)

describe("hints", function()
  it("leave a message alone that needs none", function()
    for _, text in ipairs {
      "", "app.lua:1: broken", "attempt to index local 'x' (a nil value)", "attempt to call field 'zzz' (a nil value)",
      "attempt to call local 'x' (a table value)", "attempt to index field 'x' (a number value)",
    } do assert.equal(text, hint(text)) end
  end)

  it("stand behind the first line", function()
    assert.equal("attempt to call method 'jsn' (a nil value); did you mean stream:json?\nmore",
      hint "attempt to call method 'jsn' (a nil value)\nmore")
  end)
end)

describe("the nearest name", function()
  local known = { "heartbeat", "retry", "limit", "id" }
  local cases = {
    { "hartbeat", "heartbeat" }, { "heartbaet", "heartbeat" }, { "heartbeats", "heartbeat" },
    { "Heartbeat", "heartbeat" },
    { "limits", "limit" }, { "rety", "retry" }, { "ertry", "retry" },
    { "hrtbt", nil }, { "ix", nil }, { "", nil }, { 1, nil }, { ("heartbeat"):rep(20), nil }, { "timeout", nil },
  }
  for _, case in ipairs(cases) do
    it(("of %s is %s"):format(tostring(case[1]):sub(1, 20), tostring(case[2])), function()
      assert.equal(case[2], nearest(case[1], known))
    end)
  end
end)
