-- One reading of a path: what is refused and why, and that all who ask are told the same.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local ESCAPE = "the path has a '%' without two hex digits behind it"
local NUL = "the path has a NUL"
local EMPTY = 'the path has an empty segment ("//")'
local DOT = 'the path has a segment "." or ".."'

local function seen(path, method)
  return support.ask(function(app)
    app:get("/*rest", function(stream)
      return { path = stream.path, target = stream.target, rest = stream.params.rest }
    end)
  end, method or "GET", path)
end

describe("a path is refused:", function()
  local cases = {
    { "/%", ESCAPE }, { "/a%zz", ESCAPE }, { "/%2", ESCAPE }, { "/%2/e", ESCAPE }, { "/%u002e", ESCAPE },
    { "/%00", NUL }, { "/a/b%00.txt", NUL },
    { "//", EMPTY }, { "//a", EMPTY }, { "/a//", EMPTY }, { "/a//b", EMPTY }, { "/a///b", EMPTY },
    { "/.", DOT }, { "/./a", DOT }, { "/a/..", DOT }, { "/a/../b", DOT }, { "/%2e%2E/a", DOT }, { "/a/%2e", DOT },
    { "/a/.%2e/b", DOT },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local server = support.serve(function(app)
        app:route("QUERY", "/*rest", function() return "well" end)
      end)
      for _, target in ipairs { case[1], "http://example.org" .. case[1], case[1] .. "?x=/y" } do
        local response = server:get(target)
        assert.equal(400, response.status)
        assert.equal("400 Bad Request: " .. case[2] .. "\n", response.body)
        for _, method in ipairs { "HEAD", "OPTIONS", "POST", "QUERY" } do
          assert.equal(400, server:request(method, target).status, method)
        end
        assert.has_error(function() seen(target) end, "weir.test.simulate: 400 " .. case[2])
      end
      test.log.take()
    end)
  end

  it("before any app, with one line in the log", function()
    local calls = 0
    local server = support.serve(function(app)
      app:use(function(_, next)
        calls = calls + 1
        return next()
      end)
      app:get("/*rest", function() return "well" end)
    end)
    test.log.take()
    assert.equal(400, server:get("/a//b").status)
    local lines = test.log.take()
    assert.equal(1, #lines)
    assert.is_truthy(lines[1].text:find(EMPTY, 1, true))
    assert.equal(0, calls)
  end)

  it("with a query that holds anything", function()
    assert.equal(200, seen("/a?x=//../%").status)
  end)
end)

describe("stream.path", function()
  local cases = {
    { "/", "/", "" },
    { "/a/", "/a/", "a/" },
    { "/a%20b/%C3%A4", "/a b/ä", "a b/ä" },
    { "/%41", "/A", "A" },
    { "/a%2Fb/c", "/a%2Fb/c", "a%2Fb/c" },
    { "/a%2fb", "/a%2Fb", "a%2Fb" },
    { "/100%25", "/100%25", "100%" },
    { "/%252F", "/%252F", "%252F" },
    { "/%2e%2e%2fa", "/..%2Fa", "..%2Fa" },
    { "/a\\b;c=d", "/a\\b;c=d", "a\\b;c=d" },
    { "/A%5Cb", "/A\\b", "A\\b" },
    { "/...", "/...", "..." },
  }
  for _, case in ipairs(cases) do
    it("of " .. case[1] .. " is " .. case[2], function()
      local want = { path = case[2], target = case[1], rest = case[3] }
      assert.same(want, seen(case[1]).json())
      want.target = "http://h" .. case[1] .. "?q=%2F"
      assert.same(want, seen(want.target).json())
    end)
  end

  it("and stream.target cannot be set", function()
    local response = support.ask(function(app)
      app:get("/", function(stream) stream.target = "/x" end)
    end, "GET", "/")
    assert.equal(500, response.status)
    assert.is_truthy(test.log.take()[1].text:find("stream.target belongs to the stream", 1, true))
  end)
end)

describe("whoever asks", function()
  after_each(support.remove_folders)

  it("sees an encoded slash in a param, and in no literal and no prefix", function()
    local app = weir.app()
    app:use("/a/b", function(stream, next)
      stream:header("X-Guarded", "yes")
      return next()
    end)
    app:get("/a/b", function() return "literal" end)
    app:get("/:x", function(stream) return "param " .. stream.params.x end)
    local response = test.simulate(app, { path = "/a%2Fb" })
    assert.equal("param a/b", response.body)
    assert.is_nil(response.headers["x-guarded"])
    assert.equal("yes", test.simulate(app, { path = "/%61/%62" }).headers["x-guarded"])
  end)

  it("cannot add what no path matches", function()
    for _, prefix in ipairs { "//", "/docs//secret", "//docs", "/docs//", "/./x", "/x/.." } do
      local app = weir.app()
      app:use(prefix, function() end)
      local ok, err = pcall(test.simulate, app, { path = "/" })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("it would never match", 1, true), tostring(err))
      test.log.take()
    end
  end)

  it("asks the same folder of several", function()
    local folder = support.folder()
    for _, name in ipairs { "one", "two" } do
      os.execute(("mkdir '%s/%s'"):format(folder, name))
      support.write_file(("%s/%s/app.lua"):format(folder, name), ([[
        local app = require "weir".app()
        app:get("/*rest", function(stream) return "%s " .. stream.base .. " " .. stream.path end)
        return app]]):format(name))
    end
    local server = test.start(folder)
    assert.equal("one /one /one/a", server:get("/one/a").body)
    assert.equal("two /two /two/", server:get("/t%77o/").body)
    assert.equal("./one/", server:get("/%6fne").headers.location)
    assert.equal(404, server:get("/one%2Fa").status)
    assert.equal(400, server:get("//one/a").status)
    assert.equal(400, server:get("/two/../one/a").status)
    test.log.take()
  end)

  it("finds in the access log what was read", function()
    local log = support.folder() .. "/access.log"
    local path = support.app_file [[
      local app = require "weir".app()
      app:get("/*rest", function() return "well" end)
      return app]]
    local server = test.spawn { "serve", path, "--workers", 1, "--access-log", log }
    server:get("/%61%20b%2fc%3Fd?e=%41&access_token=x")
    server:get("http://example.org/x%22%5C")
    server:stop()
    local text = support.read_file(log)
    assert.is_truthy(text:find('"GET /a%20b%2Fc%3Fd?e=%41&access_token=*** HTTP/1.1" 200', 1, true), text)
    assert.is_truthy(text:find('"GET /x%22%5C HTTP/1.1" 200', 1, true), text)
  end)
end)
