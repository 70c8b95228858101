-- Routes, middleware, mounting, errors and what a handler returns: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- An app whose every route answers with its own pattern and its params.
local function app_of(patterns)
  local app = weir.app()
  for _, pattern in ipairs(patterns) do
    app:get(pattern, function(stream) return { route = pattern, params = stream.params } end)
  end
  return app
end

local function reversed(list)
  local out = {}
  for i = #list, 1, -1 do out[#out + 1] = list[i] end
  return out
end

describe("routes", function()
  local precedence = {
    { { "/a/b", "/a/:x" }, "/a/b", "/a/b", {} },
    { { "/a/b", "/a/:x" }, "/a/c", "/a/:x", { x = "c" } },
    { { "/a/:x", "/a/*rest" }, "/a/c", "/a/:x", { x = "c" } },
    { { "/a/:x", "/a/*rest" }, "/a/c/d", "/a/*rest", { rest = "c/d" } },
    { { "/a/b", "/*rest" }, "/a/c", "/*rest", { rest = "a/c" } },
    { { "/:x/b", "/a/:y" }, "/a/b", "/a/:y", { y = "b" } },
    { { "/a/b/d", "/a/:x/c" }, "/a/b/c", "/a/:x/c", { x = "b" } },
    { { "/a/b/c", "/a/:x/d", "/*rest" }, "/a/b/e", "/*rest", { rest = "a/b/e" } },
    { { "/:one/:two" }, "/1/2", "/:one/:two", { one = "1", two = "2" } },
  }
  for _, case in ipairs(precedence) do
    local patterns, path, route, params = unpack(case)
    it(table.concat(patterns, " ") .. " on " .. path .. " chooses " .. route .. ", whatever the order", function()
      for _, list in ipairs { patterns, reversed(patterns) } do
        local response = test.simulate(app_of(list), { path = path })
        assert.equal(200, response.status)
        assert.same({ route = route, params = params }, response.json())
      end
    end)
  end

  local decoding = {
    { "/hello/J%C3%BCrgen", "Jürgen" },
    { "/hello/a%2Fb", "a/b" },
    { "/hello/a%2fb", "a/b" },
    { "/hello/100%25", "100%" },
    { "/hello/a%20b", "a b" },
    { "/hello/a+b", "a+b" },
    { "/hello/a%3Fb?c=d", "a?b" },
  }
  for _, case in ipairs(decoding) do
    it("decodes the param of " .. case[1], function()
      local response = test.simulate(app_of { "/hello/:name" }, { path = case[1] })
      assert.equal(200, response.status)
      assert.equal(case[2], response.json().params.name)
    end)
  end

  it("an encoded slash separates no segments", function()
    assert.equal(404, test.simulate(app_of { "/a/:x/:y" }, { path = "/a/b%2Fc" }).status)
  end)

  it("a literal is compared with the decoded path", function()
    assert.equal(200, test.simulate(app_of { "/café" }, { path = "/caf%C3%A9" }).status)
  end)

  it("a trailing slash is significant", function()
    local app = app_of { "/a", "/b/" }
    for path, status in pairs { ["/a"] = 200, ["/a/"] = 404, ["/b/"] = 200, ["/b"] = 404 } do
      assert.equal(status, test.simulate(app, { path = path }).status, path)
    end
  end)

  it("a param is never empty", function()
    assert.equal(404, test.simulate(app_of { "/a/:x" }, { path = "/a/" }).status)
  end)

  it("the same pattern twice raises and names it", function()
    local app = app_of { "/twice" }
    app:post("/twice", function() end)
    assert.error_matches(function()
      app:get("/twice", function() end)
      test.simulate(app, { path = "/twice" })
    end, "/twice")
  end)

  local bad = { "no/slash", "/a/*rest/b", "/:", "/a/:/b" }
  for _, pattern in ipairs(bad) do
    it("the pattern " .. pattern .. " raises", function()
      assert.has_error(function()
        local app = weir.app()
        app:get(pattern, function() end)
        test.simulate(app, { path = "/" })
      end)
    end)
  end

  for _, method in ipairs { "get", "post", "put", "patch", "delete", "head", "options", "query" } do
    it("app:" .. method .. " answers that method", function()
      local app = weir.app()
      app[method](app, "/x", function(stream) stream:header("X-Seen", stream.method) end)
      local response = test.simulate(app, { method = method:upper(), path = "/x" })
      assert.equal(204, response.status)
      assert.equal(method:upper(), response.headers["x-seen"])
    end)
  end

  it("a query's body is the handler's", function()
    local server = support.serve(function(app)
      app:query("/x", function(stream) return stream.method .. " " .. stream:body() end)
    end)
    assert.equal("QUERY what", server:query("/x", { body = "what" }).body)
  end)

  it("app:route refuses what no request can have", function()
    for _, method in ipairs { "A B", "", ("A"):rep(65) } do
      local app = weir.app()
      app:route(method, "/", print)
      assert.has_error.matches(function() test.start(app) end, "the method is not a token")
    end
  end)

  it("app:route takes any method", function()
    local app = weir.app()
    app:route("PROPFIND", "/x", function(stream) return stream.method end)
    local server = test.start(app)
    assert.equal("PROPFIND", server:request("PROPFIND", "/x").body)
  end)
end)

describe("middleware of one route", function()
  -- Notes its name before and after what it stands in front of.
  local function note(name)
    return function(stream, next)
      stream.notes = (stream.notes or "") .. name
      local value = next()
      return value .. name
    end
  end

  it("runs between the app's own and the handler, in its order, for that route alone", function()
    local app = weir.app()
    app:use(note "a")
    app:get("/one", note "b", note "c", function(stream) return stream.notes .. "|" end)
    app:get("/two", function(stream) return stream.notes .. "|" end)
    app:route("REPORT", "/one", note "r", function(stream) return stream.notes .. "|" end)
    assert.equal("abc|cba", test.simulate(app, { path = "/one" }).body)
    assert.equal("a|a", test.simulate(app, { path = "/two" }).body)
    assert.equal("ar|ra", test.simulate(app, { path = "/one", method = "REPORT" }).body)
  end)

  it("can answer in the handler's place, as weir.limit does", function()
    local app = weir.app()
    app:post("/x", weir.limit { rate = 0.001, burst = 1 }, function() return "in" end)
    local server = test.start(app)
    assert.equal("in", server:post("/x").body)
    assert.equal(429, server:post("/x").status)
  end)

  it("does not hide where a wrong return value came from", function()
    local app = weir.app()
    app:get("/x", function(_, next) return next() end, function() return 5 end)
    assert.equal(500, test.simulate(app, { path = "/x" }).status)
    local place = "spec/app_spec%.lua:%d+: the handler of GET /x or its middleware returned 5"
    assert.equal(1, #test.log.take(place, "error"))
  end)

  for name, wrong in pairs {
    ["argument 2 %(middleware%) must be a function, got a table"] = function(app) app:get("/", {}, print) end,
    ["argument 3 %(middleware%) must be a function, got nil"] = function(app) app:get("/", print, nil, print) end,
    ["argument 3 %(handler%) must be a function, got a table"] = function(app) app:get("/", print, {}) end,
    ["argument 4 %(handler%) must be a function, got nil; is its name right"] = function(app)
      app:route("GET", "/", print, nil)
    end,
    ["app:use: argument 3 must be nothing: there is no such argument"] = function(app) app:use("/", print, print) end,
    ["app:use: the middleware must be a function %(an app is for app:mount%), got a table"] = function(app)
      app:use("/files", weir.app())
    end,
    ["app:static: argument 4 must be nothing"] = function(app) app:static("/", "public", {}, 1) end,
    ["app:mount: argument 3 must be nothing"] = function(app) app:mount("/", weir.app(), {}) end,
    ["app:on_error: argument 2 must be nothing"] = function(app) app:on_error(print, print) end,
  } do
    it("is refused: " .. name, function()
      assert.error_matches(function() wrong(weir.app()) end, name)
    end)
  end
end)

describe("without a handler", function()
  local function define(app)
    app:get("/both", function() return "got" end)
    app:post("/both", function() return "posted" end)
    app:post("/post", function() return "posted" end)
    app:route("REFILL", "/cup", function() return "full" end)
  end

  local cases = {
    { "GET", "/nowhere", 404 },
    { "OPTIONS", "/nowhere", 404 },
    { "DELETE", "/both", 405, "GET HEAD OPTIONS POST" },
    { "GET", "/post", 405, "OPTIONS POST" },
    { "HEAD", "/post", 405, "OPTIONS POST" },
    { "QUERY", "/post", 405, "OPTIONS POST" },
    { "TRACE", "/post", 405, "OPTIONS POST" },
    { "BREW", "/post", 501 },
    { "BREW", "/nowhere", 501 },
    { "get", "/both", 501 },
    { "REFILL", "/both", 405, "GET HEAD OPTIONS POST" },
    { "REFILL", "/nowhere", 404 },
  }
  for _, middleware in ipairs { false, true } do
    local where = middleware and " behind middleware" or ""
    local function with_middleware(app)
      if middleware then
        app:use(function(stream, next)
          stream:header("X-Passed", "yes")
          return next()
        end)
      end
      define(app)
    end
    for _, case in ipairs(cases) do
      local method, path, status, allow = unpack(case)
      it(method .. " " .. path .. " gets " .. status .. where, function()
        local response = support.ask(with_middleware, method, path)
        assert.equal(status, response.status)
        assert.equal(allow or "", support.allowed(response))
        assert.equal(middleware and "yes" or nil, response.headers["x-passed"])
      end)
    end
    it("OPTIONS /both says what is allowed" .. where, function()
      local response = support.ask(with_middleware, "OPTIONS", "/both")
      assert.is_true(response.status == 200 or response.status == 204, "status " .. response.status)
      assert.equal("GET HEAD OPTIONS POST", support.allowed(response))
    end)
  end

  it("HEAD follows GET, without its body", function()
    local server = support.serve(define)
    local got, head = server:get "/both", server:head "/both"
    assert.equal(200, head.status)
    assert.equal("", head.body)
    assert.equal(got.headers["content-length"], head.headers["content-length"])
    assert.equal(got.headers["content-type"], head.headers["content-type"])
  end)
end)

describe("mount", function()
  it("prefixes the routes and tells the base", function()
    local inner = weir.app()
    inner:get("/page/:id", function(stream)
      return { path = stream.path, base = stream.base, id = stream.params.id }
    end)
    local middle = weir.app()
    middle:mount("/inner", inner)
    local response = support.ask(function(app) app:mount("/middle", middle) end, "GET", "/middle/inner/page/7")
    assert.same({ path = "/middle/inner/page/7", base = "/middle/inner", id = "7" }, response.json())
  end)

  it("keeps the middleware of the mounted app to it", function()
    local seen = {}
    local inner = weir.app()
    inner:use(function(_, next)
      seen[#seen + 1] = "inner"
      return next()
    end)
    inner:get("/x", function() return "inner" end)
    local function define(app)
      app:use(function(_, next)
        seen[#seen + 1] = "outer"
        return next()
      end)
      app:mount("/in", inner)
      app:get("/x", function() return "outer" end)
    end
    assert.equal("inner", support.ask(define, "GET", "/in/x").body)
    assert.same({ "outer", "inner" }, seen)
    seen = {}
    assert.equal("outer", support.ask(define, "GET", "/x").body)
    assert.same({ "outer" }, seen)
  end)

  it("tells an app that is not mounted an empty base", function()
    local response = support.ask(function(app)
      app:get("/", function(stream) return "<" .. stream.base .. ">" end)
    end, "GET", "/")
    assert.equal("<>", response.body)
  end)
end)

describe("static", function()
  after_each(support.remove_folders)

  it("serves the folder's files, through middleware", function()
    local folder = support.folder()
    support.write_file(folder .. "/page.html", "<p>static</p>")
    local server = support.serve(function(app)
      app:use("/files", function(stream, next)
        stream:header("X-Passed", "yes")
        return next()
      end)
      app:static("/files", folder)
      app:static("/plain", folder)
    end)
    for prefix, passed in pairs { ["/files"] = "yes", ["/plain"] = false } do
      local response = server:get(prefix .. "/page.html")
      assert.equal(200, response.status)
      assert.equal("<p>static</p>", response.body)
      assert.matches("^text/html", response.headers["content-type"])
      assert.equal(passed or nil, response.headers["x-passed"])
      assert.equal(404, server:get(prefix .. "/missing.html").status)
    end
  end)

  it("middleware that does not go on keeps the file", function()
    local folder = support.folder()
    support.write_file(folder .. "/secret.txt", "secret")
    local server = support.serve(function(app)
      app:use("/files", function() weir.fail(403) end)
      app:static("/files", folder)
    end)
    local response = server:get "/files/secret.txt"
    assert.equal(403, response.status)
    assert.is_nil(response.body:find "secret")
  end)

  it("a route beats a file of the same name", function()
    local folder = support.folder()
    support.write_file(folder .. "/x", "file")
    local server = support.serve(function(app)
      app:static("/", folder)
      app:get("/x", function() return "route" end)
    end)
    assert.equal("route", server:get("/x").body)
  end)

  it("is relative to the app's folder", function()
    local path, folder = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      app:static("/", "public")
      return app
    ]]
    os.execute("mkdir " .. folder .. "/public")
    support.write_file(folder .. "/public/a.txt", "beside the app")
    assert.equal("beside the app", test.start(path):get("/a.txt").body)
  end)
end)
