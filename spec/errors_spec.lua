-- What the log says of an error: who started the task, where it was raised, and a line for each frame.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local here = "spec/errors_spec%.lua:%d+"

-- The one line of the log that matches.
local function logged(pattern)
  local lines
  test.eventually(function()
    lines = test.log.take(pattern, "error")
    return lines[1]
  end)
  assert.equal(1, #lines)
  return lines[1].text
end

local function current_line() return debug.getinfo(2, "l").currentline end

describe("an error in the log", function()
  after_each(support.remove_folders)

  it("names who started a background task, and where", function()
    local line
    local app = weir.app()
    app:get("/start/:what", function()
      line = current_line() + 1
      weir.background(function() error "no luck" end)
    end)
    test.simulate(app, { path = "/start/it" })
    local text = logged "no luck"
    local where = ("spec/errors_spec.lua:%d"):format(line)
    assert.equal(("a task started at %s by GET /start/:what: %s: no luck"):format(where, where), text:match "^[^\n]*")
  end)

  it("names who started a child that nobody waits for", function()
    local app = weir.app()
    app:get("/", function()
      weir.spawn(function() error "lost child" end)
      weir.sleep(0)
    end)
    test.simulate(app, {})
    assert.matches("^a task started at " .. here .. " by GET /: " .. here .. ": lost child", logged "lost child")
  end)

  it("names the line of an app file that started a task", function()
    local path = support.app_file [[
      local weir = require "weir"
      weir.background(function() error "at the top" end)
      weir.every(0.001, function() error "every time" end)
      return weir.app()
    ]]
    local server = test.start(path)
    assert.matches("^a task started at " .. path .. ":2: " .. path .. ":2: at the top", logged "at the top")
    assert.matches("^weir.every of " .. path .. ":3: " .. path .. ":3: every time",
      test.eventually(function() return test.log.take("every time", "error")[1] end).text)
    server:close()
    test.log.take "every time"
  end)

  it("of weir.fail where nothing can be answered says so, and where", function()
    local app = weir.app()
    app:get("/begun", function(stream)
      stream:write "some of it"
      weir.fail(502, "upstream")
    end)
    app:get("/read", function(stream)
      stream:write "some of it"
      stream:json_body() -- raises it too
    end)
    app:get("/background", function() weir.background(function() weir.fail(502) end) end)
    app:get("/defer", function() weir.defer(function() weir.fail(502) end) end)
    local server = test.start(app)
    for path, status in pairs { begun = 502, read = 415, background = 502, defer = 502 } do
      server:get("/" .. path)
      assert.matches(here .. ": weir.fail%(" .. status .. "%) cannot be answered: ",
        test.eventually(function() return test.log.take("cannot be answered", "error")[1] end).text)
    end
  end)

  it("that is a table or nothing tells where it was raised, whoever catches it", function()
    local app = weir.app()
    app:get("/handler", function() error { code = 1 } end)
    app:get("/background", function() weir.background(function() error { code = 2 } end) end)
    app:get("/defer", function() weir.defer(function() error { code = 3 } end) end)
    app:get("/close", function(stream) stream:on_close(function() error(nil) end) end)
    for path, type in pairs { handler = "table", background = "table", defer = "table", close = "nil" } do
      test.simulate(app, { path = "/" .. path })
      assert.matches(here .. ": the error is no string but a value of type " .. type, logged "the error is no string")
    end
    local task = weir.every(0.001, function() error { code = 5 } end)
    local text = test.eventually(function() return test.log.take("weir.every", "error")[1] end).text
    assert.matches("^weir.every of " .. here .. ": " .. here .. ": the error is no string", text)
    task:cancel()
    task:join()
    test.log.take("weir.every", "error")
  end)

  it("names the function that a handler, or middleware, has left by a tail call", function()
    local app = weir.app()
    local line = current_line()
    app:get("/handler", function(stream)
      return stream:html(7)
    end)
    app:get("/middleware", function(stream) return stream:html(7) end, function() return "not reached" end)
    app:get("/behind", function(_, next) return next() end, function(stream) return stream:html(7) end)
    app:get("/twice", function(_, next)
      next()
      return next()
    end, function() return "reached once" end)
    local seen
    app:on_error(function(_, err) seen = err end)
    local lines = { handler = line + 1, middleware = line + 4, behind = line + 5, twice = line + 6 }
    for path, at in pairs(lines) do
      seen = nil
      test.simulate(app, { path = "/" .. path })
      local here_at = ("spec/errors_spec.lua:%d: "):format(at)
      local text = logged("GET /" .. path)
      assert.equal("GET /" .. path .. ": " .. here_at, text:sub(1, #path + 7 + #here_at))
      assert.matches("(in a call that the function of this line returns)", text:match "^[^\n]*", 1, true)
      assert.equal(here_at, seen:sub(1, #here_at))
    end
  end)

  it("is looked at for such a function where that can be, not on a stack as deep as a script makes it", function()
    local app = weir.app()
    local text
    local function fail(levels)
      if levels > 0 then return (fail(levels - 1)) end
      error(text, 0)
    end
    app:get("/:levels", function(stream)
      text = debug.traceback():match "weir/app%.lua:%d+: " .. "what it says"
      fail(tonumber(stream.params.levels))
    end)
    local seen
    app:on_error(function(_, err) seen = err end)
    for levels, there in pairs { [5] = true, [100] = false } do
      test.simulate(app, { path = "/" .. levels })
      logged "what it says"
      assert.equal(not there, seen == text)
    end
  end)

  it("has a line in each frame of its traceback, the first too", function()
    local app = weir.app()
    local function index(value) return value.nothing.there end
    app:get("/index", function() return index {} .. "" end)
    app:get("/add", function(stream) return stream.params.q + 1 .. "" end)
    app:get("/call", function(stream) return stream.nothing() .. "" end)
    app:get("/raise", function() error "raised" end)
    for _, path in ipairs { "/index", "/add", "/call", "/raise" } do
      test.simulate(app, { path = path })
      local text = logged("GET " .. path)
      local frames = 0
      for frame in text:match("stack traceback:(.*)"):gmatch "\n%s*([^\n]+)" do
        frames = frames + 1
        assert.is_truthy(frame:find "^%[C%]: " or frame:find "^[^:]+:%d+: ", text)
      end
      assert.is_true(frames >= 2, text)
    end
  end)

  it("on the error page too: its first frame leads to the source", function()
    local app = weir.app()
    local got
    app:on_error(function(_, _, traceback) got = traceback end)
    app:get("/", function(stream) return stream.nothing.there end)
    test.simulate(app, {})
    assert.matches("traceback:\n\t" .. here .. ": in function", got)
    logged "nothing"
  end)
end)
