-- HTTP/1.1, all that a server owes, over raw sockets.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local wire = require "tests.e2e.wire"

local request = wire.request

local function serve()
  return support.serve(function(app)
    app:get("/", function() return "well" end)
    app:get("/slow", function()
      weir.sleep(0.01)
      return "slow"
    end)
    app:get("/stream", function(stream)
      stream:write("one")
      stream:flush()
      stream:write("two")
    end)
    app:get("/empty", function() end)
    app:get("/unchanged", function(stream) stream:status(304) end)
    app:get("/reset", function(stream)
      stream:status(205)
      if stream.query == "text" then return "text" end
      if stream.query == "stream" then stream:write "text" end
    end)
    app:post("/echo", function(stream) return stream:body() end)
    app:post("/ignore", function() return "ignored" end)
    app:get("/at/:name", function(stream) return stream.host .. " " .. stream.path .. " " .. stream.params.name end)
  end)
end

local function get(path, ...)
  return request { "GET " .. path .. " HTTP/1.1", "Host: a", ... }
end

describe("keep-alive", function()
  wire.both("serves one request after the other", serve, get "/", function(client)
    assert.equal("well", client:receive_response().body)
    client:send(get "/slow")
    assert.equal("slow", client:receive_response().body)
    client:send(get "/stream")
    assert.equal("onetwo", client:receive_response().body)
    client:send(get "/empty")
    assert.equal(204, client:receive_response().status)
    client:send(get "/")
    assert.equal("well", client:receive_response().body)
  end)

  wire.both("goes on after 404 and 405", serve, get "/nowhere", function(client)
    assert.equal(404, client:receive_response().status)
    client:send(request({ "POST / HTTP/1.1", "Host: a", "Content-Length: 3" }, "abc"))
    assert.equal(405, client:receive_response().status)
    client:send(get "/")
    assert.equal("well", client:receive_response().body)
  end)

  wire.both("ignores empty lines before a request", serve, "\r\n\r\n" .. get "/", function(client)
    assert.equal("well", client:receive_response().body)
  end)

  for _, value in ipairs { "close", "Close", "keep-alive, close" } do
    wire.both("ends with Connection: " .. value, serve, get("/", "Connection: " .. value), function(client)
      local response = client:receive_response()
      assert.equal("well", response.body)
      assert.equal("close", response.headers.connection)
      wire.assert_closed(client)
    end)
  end

  wire.both("of a stream that closes is close-delimited, not chunked", serve, get("/stream", "Connection: close"),
    function(client)
      local response = client:receive_response()
      assert.equal("close", response.framing)
      assert.equal("onetwo", response.body)
      wire.assert_closed(client)
    end)
end)

describe("pipelining", function()
  wire.both("answers in order", serve, get "/slow" .. get "/" .. get "/stream" .. get "/empty" .. get "/slow",
    function(client)
      local bodies = {}
      for i = 1, 5 do bodies[i] = client:receive_response().body end
      assert.same({ "slow", "well", "onetwo", "", "slow" }, bodies)
    end)

  wire.both("keeps bodies apart", serve,
    request({ "POST /echo HTTP/1.1", "Host: a", "Content-Length: 3" }, "abc") ..
    request({ "POST /ignore HTTP/1.1", "Host: a", "Content-Length: 4" }, "GET ") ..
    request({ "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked" }, "2\r\nde\r\n0\r\n\r\n") ..
    get "/",
    function(client)
      local bodies = {}
      for i = 1, 4 do bodies[i] = client:receive_response().body end
      assert.same({ "abc", "ignored", "de", "well" }, bodies)
    end)

  wire.both("nothing is answered behind Connection: close", serve, get("/", "Connection: close") .. get "/",
    function(client)
      assert.equal("well", client:receive_response().body)
      wire.assert_closed(client)
    end)

  it("of a hundred requests answers a hundred", function()
    local client = serve():connect()
    client:send(get("/"):rep(100))
    for _ = 1, 100 do assert.equal("well", client:receive_response().body) end
  end)
end)

describe("a chunked request", function()
  local function post(body, ...)
    return request({ "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", ... }, body)
  end
  local cases = {
    { "is put together", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde" },
    { "may be empty", "0\r\n\r\n", "" },
    { "may have extensions", "3;a\r\nabc\r\n2;b=c;d=e\r\nde\r\n0;last\r\n\r\n", "abcde" },
    { "may have extensions with quoted values", '3;a="b c;d"\r\nabc\r\n0\r\n\r\n', "abc" },
    { "may have trailers", "3\r\nabc\r\n0\r\nX-Check: 1\r\nX-More: 2\r\n\r\n", "abc" },
    { "may have sizes in capitals", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789" },
    { "may have sizes in small letters", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789" },
    { "may have zeros before a size", "0003\r\nabc\r\n000\r\n\r\n", "abc" },
    { "may contain CRLF", "6\r\na\r\nb\r\n\r\n0\r\n\r\n", "a\r\nb\r\n" },
  }
  for _, case in ipairs(cases) do
    local name, body, expected = unpack(case)
    wire.both(name, serve, post(body) .. get "/", function(client)
      assert.equal(expected, client:receive_response().body)
      assert.equal("well", client:receive_response().body)
    end)
  end
end)

describe("a chunked answer", function()
  wire.both("streams what has no length", serve, get "/stream", function(client)
    local response = client:receive_response()
    assert.equal("chunked", response.framing)
    assert.equal("onetwo", response.body)
  end)
end)

describe("HTTP/1.0", function()
  wire.both("needs no Host, and gets a length and a close", serve, "GET / HTTP/1.0\r\n\r\n", function(client)
    local response = client:receive_response()
    assert.equal(200, response.status)
    assert.equal("well", response.body)
    wire.assert_closed(client)
  end)

  wire.both("streams until the close, never chunked", serve, "GET /stream HTTP/1.0\r\n\r\n", function(client)
    local response = client:receive_response()
    assert.equal("close", response.framing)
    assert.equal("onetwo", response.body)
    wire.assert_closed(client)
  end)

  wire.both("sends a body with a length", serve, "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    function(client)
      assert.equal("abc", client:receive_response().body)
      wire.assert_closed(client)
    end)
end)

describe("methods:", function()
  wire.both("HEAD is GET without its body, keeping the connection", serve,
    request { "HEAD / HTTP/1.1", "Host: a" } .. get "/",
    function(client)
      local head = client:receive_response { method = "HEAD" }
      assert.equal(200, head.status)
      assert.equal("4", head.headers["content-length"])
      assert.equal("well", client:receive_response().body)
    end)

  wire.both("HEAD of a stream has no body either", serve, request { "HEAD /stream HTTP/1.1", "Host: a" } .. get "/",
    function(client)
      assert.equal(200, client:receive_response({ method = "HEAD" }).status)
      assert.equal("well", client:receive_response().body)
    end)

  wire.both("OPTIONS * is about the server", serve, request { "OPTIONS * HTTP/1.1", "Host: a" }, function(client)
    local response = client:receive_response()
    assert.is_true(response.status == 200 or response.status == 204, "status " .. response.status)
    assert.matches("GET", response.headers.allow)
  end)

  wire.both("OPTIONS of a path lists its methods", serve, request { "OPTIONS /echo HTTP/1.1", "Host: a" },
    function(client)
      local response = client:receive_response()
      assert.is_true(response.status == 200 or response.status == 204, "status " .. response.status)
      assert.equal("OPTIONS POST", support.allowed(response))
    end)

  wire.both("another is 405 with Allow", serve, request { "DELETE / HTTP/1.1", "Host: a" }, function(client)
    local response = client:receive_response()
    assert.equal(405, response.status)
    assert.equal("GET HEAD OPTIONS", support.allowed(response))
  end)

  for _, method in ipairs { "QUERY", "TRACE", "PROPFIND" } do
    wire.both(method .. " is known, so 405", serve, request { method .. " / HTTP/1.1", "Host: a" } .. get "/",
      function(client)
        assert.equal(405, client:receive_response().status)
        assert.equal("well", client:receive_response().body)
      end)
  end

  -- Bodies end where they end, whatever the method: what follows is the next request, and nothing else is.
  for _, method in ipairs { "QUERY", "BREW", "get" } do
    local status = method == "QUERY" and 405 or 501
    for framing, body in pairs {
      ["Content-Length: 3"] = "abc",
      ["Transfer-Encoding: chunked"] = "3\r\nabc\r\n0\r\n\r\n",
      ["X-None: 1"] = "",
    } do
      wire.both(method .. " with " .. framing .. " is " .. status, serve,
        request({ method .. " /echo HTTP/1.1", "Host: a", framing }, body) .. get "/", function(client)
          local response = client:receive_response()
          assert.equal(status, response.status)
          assert.equal(status == 405 and "OPTIONS POST" or "", support.allowed(response))
          if response.headers.connection == "close" then return wire.assert_closed(client) end
          assert.equal("well", client:receive_response().body)
        end)
    end
  end

  wire.both("a later minor version is 1.1", serve, request { "GET / HTTP/1.2", "Host: a" } .. get "/", function(client)
    assert.equal("well", client:receive_response().body)
    assert.equal("well", client:receive_response().body)
  end)

  wire.both("no route is 404", serve, get "/nowhere", function(client)
    assert.equal(404, client:receive_response().status)
  end)
end)

describe("Expect", function()
  local function post(expectation, path)
    return request { "POST " .. path .. " HTTP/1.1", "Host: a", "Content-Length: 3", "Expect: " .. expectation }
  end

  for _, value in ipairs { "100-continue", "100-Continue" } do
    wire.both(value .. " gets 100, then its answer", serve, post(value, "/echo"), function(client)
      local interim = client:receive_head()
      assert.equal(100, interim.status)
      client:send "abc"
      local response = client:receive_response()
      assert.equal("abc", response.body)
      assert.same({}, response.informational)
      client:send(get "/")
      assert.equal("well", client:receive_response().body)
    end)
  end

  wire.both("100-continue gets the final answer alone when nobody reads", serve, post("100-continue", "/ignore"),
    function(client)
      local response = client:receive_response()
      assert.equal("ignored", response.body)
      assert.same({}, response.informational)
    end)

  wire.both("anything else gets 417", serve, post("the-impossible", "/echo"), function(client)
    assert.equal(417, client:receive_response().status)
  end)

  wire.both("is ignored on HTTP/1.0", serve,
    "POST /echo HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", function(client)
      local response = client:receive_response()
      assert.equal("abc", response.body)
      assert.same({}, response.informational)
    end)
end)

describe("targets:", function()
  local cases = {
    { "absolute-form", "http://example.org/at/x", "b", "example.org /at/x x" },
    { "absolute-form with a port", "http://example.org:81/at/x", "b", "example.org:81 /at/x x" },
    { "origin-form with a query", "/at/x?y=z", "b", "b /at/x x" },
    { "percent-encoded", "/at/%78%20y", "b", nil, "x y" },
    { "an encoded slash in a segment", "/at/x%2Fy", "b", nil, "x/y" },
    { "UTF-8, encoded", "/at/%E2%82%AC", "b", nil, "€" },
  }
  for _, case in ipairs(cases) do
    local name, target, host, body, param = unpack(case, 1, 5)
    wire.both(name, serve, request { "GET " .. target .. " HTTP/1.1", "Host: " .. host }, function(client)
      local response = client:receive_response()
      assert.equal(200, response.status)
      if body then assert.equal(body, response.body) else assert.equal(param, response.body:sub(-#param)) end
    end)
  end

  wire.both("absolute-form without a path is /", serve, request { "GET http://example.org HTTP/1.1", "Host: b" },
    function(client) assert.equal("well", client:receive_response().body) end)
end)

describe("every answer", function()
  it("has a Date that is now", function()
    local server = serve()
    for _, path in ipairs { "/", "/nowhere", "/stream", "/empty" } do
      local date = server:get(path).headers.date
      local expected = {}
      for offset = -2, 2 do expected[os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + offset)] = true end
      assert.is_truthy(expected[date], tostring(date))
    end
  end)

  it("has a Date that moves with the clock", function()
    local server = serve()
    test.clock.freeze()
    local first = server:get("/").headers.date
    assert.equal(first, server:get("/").headers.date)
    test.clock.advance(1)
    assert.are_not.equal(first, server:get("/").headers.date)
  end)

  it("of 204 has neither body nor length", function()
    local client = serve():connect()
    client:send(get "/empty" .. get "/")
    local response = client:receive_response()
    assert.equal(204, response.status)
    assert.is_nil(response.headers["content-length"])
    assert.is_nil(response.headers["transfer-encoding"])
    assert.equal("well", client:receive_response().body)
  end)

  it("of 205 is empty, and says so", function()
    local client = serve():connect()
    for _, path in ipairs { "/reset", "/reset?text", "/reset?stream" } do
      client:send(get(path) .. get "/")
      local response = client:receive_response()
      assert.equal(205, response.status)
      assert.equal("0", response.headers["content-length"])
      assert.is_nil(response.headers["transfer-encoding"])
      assert.equal("", response.body)
      assert.equal("well", client:receive_response().body)
    end
  end)

  it("of 304 has no body", function()
    local client = serve():connect()
    client:send(get "/unchanged" .. get "/")
    local response = client:receive_response()
    assert.equal(304, response.status)
    assert.is_nil(response.headers["transfer-encoding"])
    assert.equal("well", client:receive_response().body)
  end)
end)

describe("a half-closed client", function()
  for _, path in ipairs { "/", "/slow", "/nowhere" } do
    wire.both("still gets the answer of " .. path, serve, get(path), function(client)
      client:shutdown()
      assert.is_truthy(client:receive_response())
      wire.assert_closed(client)
    end)
  end

  it("gets all answers that are due", function()
    local client = serve():connect()
    client:send(get "/slow" .. get "/" .. get "/slow")
    client:shutdown()
    local bodies = {}
    for i = 1, 3 do bodies[i] = assert(client:receive_response()).body end
    assert.same({ "slow", "well", "slow" }, bodies)
    wire.assert_closed(client)
  end)

  it("that had sent half a request gets 400 or nothing, and is closed", function()
    local client = serve():connect()
    client:send "GET / HTTP/1.1\r\nHo"
    client:shutdown()
    local response = client:receive_response()
    if response then assert.equal(400, response.status) end
    local _, why = client:receive_all()
    assert.is_true(why == "closed" or why == "reset", why)
  end)
end)
