-- weir.cors: what pages of other origins may read (lua/REFERENCE.md; the Fetch standard, section 3.2).

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local PAGE, OTHER = "https://a.example", "https://b.example"

local function define(options)
  return function(app)
    app:use(weir.cors(options))
    app:get("/", function() return "ok" end)
    app:put("/", function() return "put" end)
    app:get("/fail", function() weir.fail(418, "teapot") end)
    app:get("/raise", function() error "on purpose" end)
    app:get("/events", function(stream) stream:sse():send "hello" end)
    app:get("/vary", function(stream)
      stream:header("Vary", "Accept")
      return "ok"
    end)
    app:options("/own", function() return "mine" end)
  end
end

local function ask(options, method, path, headers)
  return support.ask(define(options), method, path, { headers = headers })
end

-- The CORS fields of an answer, by the rest of their names.
local function cors_of(response)
  local found = {}
  for name, value in pairs(response.headers) do
    local rest = name:match "^access%-control%-(.*)$"
    if rest then found[rest] = value end
  end
  return found
end

local function preflight(method, headers)
  return { Origin = PAGE, ["Access-Control-Request-Method"] = method, ["Access-Control-Request-Headers"] = headers }
end

describe("without weir.cors", function()
  it("no answer has a field of it", function()
    local response = support.ask(function(app) app:get("/", function() return "ok" end) end, "GET", "/",
      { headers = { Origin = PAGE } })
    assert.same({}, cors_of(response))
    assert.is_nil(response.headers.vary)
  end)
end)

describe("weir.cors", function()
  it("names the origin that is allowed, and others nothing", function()
    local response = ask({ origins = { PAGE } }, "GET", "/", { Origin = PAGE })
    assert.equal("ok", response.body)
    assert.same({ ["allow-origin"] = PAGE }, cors_of(response))
    assert.equal("Origin", response.headers.vary)
    for _, origin in ipairs { OTHER, "https://a.example.evil", "http://a.example", "https://a.example:444", "null" } do
      response = ask({ origins = { PAGE } }, "GET", "/", { Origin = origin })
      assert.equal("ok", response.body)
      assert.same({}, cors_of(response))
      assert.equal("Origin", response.headers.vary)
    end
    response = ask({ origins = PAGE }, "GET", "/")
    assert.same({}, cors_of(response))
    assert.equal("Origin", response.headers.vary)
  end)

  it("allows any origin with *, without Vary", function()
    local response = ask({ origins = "*" }, "GET", "/", { Origin = OTHER })
    assert.same({ ["allow-origin"] = "*" }, cors_of(response))
    assert.is_nil(response.headers.vary)
  end)

  it("allows credentials only to origins that are named", function()
    local response = ask({ origins = { PAGE, OTHER }, credentials = true }, "GET", "/", { Origin = OTHER })
    assert.same({ ["allow-origin"] = OTHER, ["allow-credentials"] = "true" }, cors_of(response))
  end)

  it("exposes the headers that are asked for", function()
    local response = ask({ origins = { PAGE }, expose = { "X-One", "X-Two" } }, "GET", "/", { Origin = PAGE })
    assert.same({ ["allow-origin"] = PAGE, ["expose-headers"] = "X-One, X-Two" }, cors_of(response))
  end)

  it("answers a preflight", function()
    local response = ask({ origins = { PAGE } }, "OPTIONS", "/", preflight("PUT", "content-type"))
    assert.equal(204, response.status)
    assert.equal("", response.body)
    assert.same({
      ["allow-origin"] = PAGE,
      ["allow-methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE",
      ["allow-headers"] = "Authorization, Content-Type, Last-Event-ID",
      ["max-age"] = "600",
    }, cors_of(response))
    assert.equal("Origin", response.headers.vary)
  end)

  it("answers a preflight with what is configured", function()
    local response = ask({ origins = { PAGE }, methods = { "GET" }, headers = {}, credentials = true, max_age = 5 },
      "OPTIONS", "/", preflight "PUT")
    assert.same({ ["allow-origin"] = PAGE, ["allow-methods"] = "GET", ["allow-credentials"] = "true",
      ["max-age"] = "5" }, cors_of(response))
  end)

  it("answers a preflight of another origin as if there were none", function()
    local headers = preflight "PUT"
    headers.Origin = OTHER
    local response = ask({ origins = { PAGE } }, "OPTIONS", "/", headers)
    assert.same({}, cors_of(response))
    assert.equal("GET HEAD OPTIONS PUT", support.allowed(response))
  end)

  it("leaves OPTIONS that are no preflights to the app", function()
    local response = ask({ origins = { PAGE } }, "OPTIONS", "/own", { Origin = PAGE })
    assert.equal("mine", response.body)
    assert.same({ ["allow-origin"] = PAGE }, cors_of(response))
    response = ask({ origins = { PAGE } }, "OPTIONS", "/", { Origin = PAGE })
    assert.equal("GET HEAD OPTIONS PUT", support.allowed(response))
  end)

  it("is on all answers: errors, 404, 405, events", function()
    local options = { origins = { PAGE }, credentials = true }
    test.log.start()
    for path, status in pairs { ["/fail"] = 418, ["/raise"] = 500, ["/none"] = 404, ["/events"] = 200 } do
      local response = ask(options, "GET", path, { Origin = PAGE })
      assert.equal(status, response.status)
      assert.same({ ["allow-origin"] = PAGE, ["allow-credentials"] = "true" }, cors_of(response))
      assert.equal("Origin", response.headers.vary)
    end
    local response = ask(options, "DELETE", "/", { Origin = PAGE })
    assert.equal(405, response.status)
    assert.equal(PAGE, cors_of(response)["allow-origin"])
    assert.equal(1, #test.log.take "on purpose")
  end)

  it("is on a body that is refused while it comes", function()
    local reading
    local server = support.serve(function(app)
      app:use(weir.cors { origins = { PAGE } })
      app:post("/", function(stream)
        reading = true
        return stream:body()
      end)
    end)
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nOrigin: " .. PAGE .. "\r\nTransfer-Encoding: chunked\r\n\r\n")
    test.eventually(function() return reading end)
    client:send "nonsense\r\n"
    local response = client:receive_response()
    assert.equal(400, response.status)
    assert.equal(PAGE, response.headers["access-control-allow-origin"])
    client:close()
  end)

  it("keeps its Vary beside the app's", function()
    assert.equal("Origin, Accept", ask({ origins = { PAGE } }, "GET", "/vary", { Origin = PAGE }).headers.vary)
  end)

  it("serves below a mounted prefix, the inner one before the outer", function()
    local child = weir.app()
    child:use(weir.cors { origins = { OTHER }, methods = { "GET", "POST" } })
    child:get("/thing", function() return "thing" end)
    local function mount(app)
      app:use(weir.cors { origins = { PAGE } })
      app:mount("/api", child)
      app:get("/", function() return "ok" end)
    end
    local function allowed(path, origin)
      return cors_of(support.ask(mount, "GET", path, { headers = { Origin = origin } }))["allow-origin"]
    end
    assert.equal(PAGE, allowed("/", PAGE))
    assert.is_nil(allowed("/", OTHER))
    assert.equal(OTHER, allowed("/api/thing", OTHER))
    local headers = preflight "POST"
    headers.Origin = OTHER
    local response = support.ask(mount, "OPTIONS", "/api/thing", { headers = headers })
    assert.equal(204, response.status)
    assert.equal("GET, POST", cors_of(response)["allow-methods"])
  end)

  local bad = {
    { "* with credentials", { origins = "*", credentials = true }, "every page" },
    { "* in a list with credentials", { origins = { PAGE, "*" }, credentials = true }, "every page" },
    { "null with credentials", { origins = { "null" }, credentials = true }, "every page" },
    { "no origins", {}, "origins must be" },
    { "an empty list", { origins = {} }, "origins must be" },
    { "an origin with a slash", { origins = { "https://a.example/" } }, "without a slash" },
    { "an origin without scheme", { origins = { "a.example" } }, "scheme" },
    { "an origin with capitals", { origins = { "https://A.example" } }, "lower case" },
    { "a method with a space", { origins = PAGE, methods = { "GET POST" } }, "a name in methods" },
    { "headers that are no list", { origins = PAGE, headers = 7 }, "headers must be a list" },
    { "credentials in words", { origins = PAGE, credentials = "yes" }, "credentials must be" },
    { "an unknown option", { origins = PAGE, origin = PAGE }, "unknown option" },
    { "a negative max_age", { origins = PAGE, max_age = -1 }, "max_age" },
  }
  for _, case in ipairs(bad) do
    it("raises for " .. case[1], function()
      local ok, err = pcall(function() weir.cors(case[2]) end)
      assert.is_false(ok)
      assert.matches("cors_spec%.lua:%d+: weir%.cors: ", tostring(err))
      assert.is_truthy(tostring(err):find(case[3], 1, true), tostring(err))
    end)
  end
end)
