-- Middleware, errors and what a handler returns: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("use", function()
  it("runs in the order of registration, around the handler, and hands its values on", function()
    local seen = {}
    local function layer(name)
      return function(_, next)
        seen[#seen + 1] = name .. " in"
        local result = next()
        seen[#seen + 1] = name .. " out"
        return result
      end
    end
    local response = support.ask(function(app)
      app:use(layer "first")
      app:use(layer "second")
      app:get("/", function()
        seen[#seen + 1] = "handler"
        return "result"
      end)
    end, "GET", "/")
    assert.equal("result", response.body)
    assert.same({ "first in", "second in", "handler", "second out", "first out" }, seen)
  end)

  local prefixes = {
    { "/api", "/api", true },
    { "/api", "/api/", true },
    { "/api", "/api/x", true },
    { "/api", "/apix", false },
    { "/api", "/", false },
    { "/api/v1", "/api/v1/x", true },
    { "/api/v1", "/api/v2/x", false },
  }
  for _, case in ipairs(prefixes) do
    local prefix, path, matches = unpack(case)
    it("of " .. prefix .. (matches and " sees " or " does not see ") .. path, function()
      local seen = false
      support.ask(function(app)
        app:use(prefix, function(_, next)
          seen = true
          return next()
        end)
        app:get(path, function() end)
      end, "GET", path)
      assert.equal(matches, seen)
    end)
  end

  it("answers by itself when it does not call next", function()
    local called = false
    local response = support.ask(function(app)
      app:use(function(stream)
        stream:status(401)
        return { error = "who are you?" }
      end)
      app:get("/", function() called = true end)
    end, "GET", "/")
    assert.equal(401, response.status)
    assert.same({ error = "who are you?" }, response.json())
    assert.is_false(called)
  end)

  it("runs for what no route matches", function()
    local seen
    local response = support.ask(function(app)
      app:use(function(stream, next)
        seen = stream.path
        return next()
      end)
    end, "GET", "/nowhere")
    assert.equal(404, response.status)
    assert.equal("/nowhere", seen)
  end)

  it("goes on after next() when the handler returns, not when the stream ends", function()
    local after
    local server = support.serve(function(app)
      app:use(function(stream, next)
        local result = next()
        after = stream.closed
        return result
      end)
      app:get("/", function() return "done" end)
    end)
    assert.equal("done", server:get("/").body)
    assert.is_false(after)
  end)

  it("may set fields of the stream that the handler reads", function()
    local response = support.ask(function(app)
      app:use(function(stream, next)
        stream.user = { name = "ann" }
        return next()
      end)
      app:get("/", function(stream) return stream.user.name end)
    end, "GET", "/")
    assert.equal("ann", response.body)
  end)

  it("may yield", function()
    local response = support.ask(function(app)
      app:use(function(_, next)
        weir.sleep(0.001)
        return next()
      end)
      app:get("/", function() return "after a while" end)
    end, "GET", "/")
    assert.equal("after a while", response.body)
  end)
end)

describe("what a handler returns", function()
  local cases = {
    { "nothing", function() end, 204, nil, "" },
    { "a string", function() return "text" end, 200, "text/plain; charset=utf-8", "text" },
    { "an empty string", function() return "" end, 200, "text/plain; charset=utf-8", "" },
    { "a table", function() return { a = 1 } end, 200, "application/json", '{"a":1}' },
    { "a list", function() return { 1, 2 } end, 200, "application/json", "[1,2]" },
    { "an empty table", function() return {} end, 200, "application/json", "{}" },
    { "an empty array", function() return weir.json.array {} end, 200, "application/json", "[]" },
    { "null inside", function() return { weir.json.null } end, 200, "application/json", "[null]" },
    { "a status before", function(stream)
      stream:status(201)
      return { id = 7 }
    end, 201, "application/json", '{"id":7}' },
    { "only a status", function(stream) stream:status(202) end, 202, nil, "" },
    { "nothing after a write", function(stream) stream:write("written") end, 200, nil, "written" },
  }
  for _, case in ipairs(cases) do
    local what, handler, status, media_type, body = unpack(case, 1, 5)
    it(what, function()
      local server = support.serve(function(app) app:get("/", handler) end)
      local response = server:get "/"
      assert.equal(status, response.status)
      assert.equal(body, response.body)
      if media_type then
        local is = response.headers["content-type"]
        assert.equal(media_type, media_type:find(";") and is or is:gsub(";.*", ""))
        assert.equal(tostring(#body), response.headers["content-length"])
      end
    end)
  end

  for what, value in pairs { number = 42, boolean = true, ["function"] = print } do
    it("a " .. what .. " raises", function()
      local server = support.serve(function(app) app:get("/", function() return value end) end)
      assert.equal(500, server:get("/").status)
      assert.equal(1, #test.log.take("handler_spec.lua", "error"))
    end)
  end

  it("a value after the head has gone raises, and the stream ends", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write("begun")
        stream:flush()
        return "too late"
      end)
    end)
    local response, why, partial = server:get "/"
    assert.is_nil(response)
    assert.equal("begun", partial.body)
    assert.is_true(why == "closed" or why == "reset", why)
    assert.equal(1, #test.log.take(nil, "error"))
  end)
end)

describe("weir.fail", function()
  local cases = {
    { "a status", { 404 }, 404 },
    { "a status and a message", { 409, "taken" }, 409, "taken" },
    { "a status and a table", { 422, { field = "name" } }, 422, '{"field":"name"}' },
  }
  for _, case in ipairs(cases) do
    local what, arguments, status, body = unpack(case, 1, 4)
    it("answers with " .. what .. ", from any depth, unlogged", function()
      local server = support.serve(function(app)
        local function deep(n)
          if n == 0 then weir.fail(unpack(arguments)) end
          deep(n - 1)
          return n
        end
        app:get("/", function()
          deep(20)
          return "never"
        end)
      end)
      local response = server:get "/"
      assert.equal(status, response.status)
      if body then assert.equal(body, response.body) end
      assert.same({}, test.log.take(nil, "error"))
    end)
  end

  it("from middleware keeps the handler from running", function()
    local ran = false
    local response = support.ask(function(app)
      app:use(function() weir.fail(403, "no") end)
      app:get("/", function() ran = true end)
    end, "GET", "/")
    assert.equal(403, response.status)
    assert.equal("no", response.body)
    assert.is_false(ran)
  end)
end)

describe("an error in a handler", function()
  it("is 500, with its traceback in the log and nothing of it in the answer", function()
    local server = support.serve(function(app)
      app:get("/", function() error("secret of the house") end)
    end)
    local response = server:get "/"
    assert.equal(500, response.status)
    assert.is_nil(response.body:find("secret", 1, true))
    local lines = test.log.take("secret of the house", "error")
    assert.equal(1, #lines)
    assert.matches("handler_spec.lua:%d+", lines[1].text)
    assert.matches("traceback", lines[1].text)
  end)

  it("reaches on_error, whose result is the answer", function()
    local seen
    local server = support.serve(function(app)
      app:on_error(function(stream, err, traceback)
        seen = { path = stream.path, err = err, traceback = traceback }
        stream:status(503)
        return { sorry = true }
      end)
      app:get("/broken", function() error({ code = 7 }) end)
    end)
    local response = server:get "/broken"
    assert.equal(503, response.status)
    assert.same({ sorry = true }, response.json())
    assert.equal("/broken", seen.path)
    assert.same({ code = 7 }, seen.err)
    assert.matches("handler_spec.lua:%d+", seen.traceback)
    test.log.take(nil, "error")
  end)

  it("in on_error is still 500", function()
    local server = support.serve(function(app)
      app:on_error(function() error "broken as well" end)
      app:get("/", function() error "broken" end)
    end)
    assert.equal(500, server:get("/").status)
    assert.is_true(#test.log.take("broken as well", "error") >= 1)
    test.log.take(nil, "error")
  end)

  it("after the head ends the stream short of its end", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write("begun")
        stream:flush()
        error "broken"
      end)
    end)
    local response, _, partial = server:get "/"
    assert.is_nil(response)
    assert.equal("begun", partial.body)
    assert.equal(1, #test.log.take("broken", "error"))
  end)

  it("leaves the server answering", function()
    local server = support.serve(function(app)
      app:get("/broken", function() error "broken" end)
      app:get("/", function() return "well" end)
    end)
    for _ = 1, 3 do
      assert.equal(500, server:get("/broken").status)
      assert.equal("well", server:get("/").body)
    end
    assert.equal(3, #test.log.take("broken", "error"))
  end)
end)

describe("on_start", function()
  after_each(support.remove_folders)

  it("runs before the first request, and may yield", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      local started = {}
      app:on_start(function()
        weir.sleep(0.001)
        started[#started + 1] = "one"
      end)
      app:on_start(function() started[#started + 1] = "each" end, { each_worker = true })
      app:get("/", function() return weir.json.array(started) end)
      return app
    ]]
    local started = server:get("/").json()
    table.sort(started)
    assert.same({ "each", "one" }, started)
  end)

  it("runs in one worker once for a version, where it is told in each #workers", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local counts = weir.shared "counts"
      app:on_start(function() counts:incr "one" end)
      app:on_start(function() counts:incr "each" end, { each_worker = true })
      app:get("/", function() return { counts:get "one", counts:get "each" } end)
      return app
    ]]), "--workers", 3 }
    assert.same({ 1, 3 }, server:get("/").json())
    server:signal "HUP"
    test.eventually(function()
      local counts = server:get("/").json()
      return counts[1] == 2 and counts[2] == 6
    end, 10)
    server:stop()
  end)
end)

describe("an error that is no string", function()
  for kind, value in pairs { ["nil"] = "nil", table = "{}", boolean = "false" } do
    it("is a 500 and logged with its place: " .. kind, function()
      local app = weir.app()
      app:get("/", assert(loadstring("return function() error(" .. value .. ") end", "@app.lua"))())
      assert.equal(500, test.start(app):get("/").status)
      assert.equal(1, #test.log.take("app.lua:1: the error is no string but a value of type " .. kind, "error"))
    end)
  end
end)
