-- What bad input gets: the exact status, the end of the connection, one line in the log, and the next client served.

local weir = require "weir"
local support = require "spec.support"
local wire = require "tests.e2e.wire"

local function serve()
  return support.serve(function(app)
    app:get("/", function() return "well" end)
    app:post("/", function(stream) return tostring(#stream:body()) end)
    app:post("/read", function(stream)
      local n = 0
      for piece in stream:chunks() do n = n + #piece end
      return tostring(n)
    end)
  end)
end

local function get(...)
  return wire.request { "GET / HTTP/1.1", ... }
end

local function post(fields, body)
  local lines = { "POST /read HTTP/1.1", "Host: a" }
  for _, line in ipairs(fields) do lines[#lines + 1] = line end
  return wire.request(lines, body)
end

local function chunked(body)
  return post({ "Transfer-Encoding: chunked" }, body)
end

local tls_hello = "\22\3\1\0\196\1\0\0\192\3\3" .. ("\1\2\3\4\5\6\7\8"):rep(4) .. "\32" .. ("\0"):rep(180)

local cases = {
  -- what is no HTTP at all
  { "a TLS hello", tls_hello, 400 },
  { "an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", 400 },
  { "zeros", ("\0"):rep(64), 400 },
  { "high bytes", ("\255\254"):rep(32) .. "\r\n\r\n", 400 },
  { "another protocol's version", "OPTIONS * RTSP/1.0\r\nHost: a\r\n\r\n", 400 },
  { "HTTP's name misspelt", "GET / HTP/1.1\r\nHost: a\r\n\r\n", 400 },
  -- the request line
  { "no target", "GET\r\nHost: a\r\n\r\n", 400 },
  { "no version", "GET /\r\nHost: a\r\n\r\n", 400 },
  { "a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a method of 65 letters", ("A"):rep(65) .. " / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a control character in the target", "GET /a\1b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a percent sign without digits", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a percent sign at the end", "GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "an asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a version with letters", "GET / HTTP/x.y\r\nHost: a\r\n\r\n", 400 },
  { "bytes after the version", "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400 },
  -- versions
  { "version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
  { "version 3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505 },
  { "version 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
  { "version 9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505 },
  { "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
  -- fields
  { "a space before the colon", get("Host : a"), 400 },
  { "a space before a later colon", get("Host: a", "X-A : b"), 400 },
  { "a tab before the colon", get("Host: a", "X-A\t: b"), 400 },
  { "a folded header", get("Host: a", "X-A: b", " c"), 400 },
  { "a header folded with a tab", get("Host: a", "X-A: b", "\tc"), 400 },
  { "a space before the first header", get(" Host: a"), 400 },
  { "CR in a header", get("Host: a", "X-A: b\rc"), 400 },
  { "LF in a header", get("Host: a", "X-A: b\nc"), 400 },
  { "NUL in a header", get("Host: a", "X-A: b\0c"), 400 },
  { "NUL in a name", get("Host: a", "X\0A: b"), 400 },
  { "a line without a colon", get("Host: a", "nonsense"), 400 },
  { "an empty name", get("Host: a", ": b"), 400 },
  { "a name that is no token", get("Host: a", "X(A): b"), 400 },
  -- Host
  { "no Host", "GET / HTTP/1.1\r\n\r\n", 400 },
  { "two Hosts", get("Host: a", "Host: b"), 400 },
  { "two equal Hosts", get("Host: a", "Host: a"), 400 },
  { "a Host with a space", get("Host: a b"), 400 },
  { "a Host with a slash", get("Host: a/b"), 400 },
  -- lengths
  { "length and chunked", post({ "Content-Length: 3", "Transfer-Encoding: chunked" }, "0\r\n\r\n"), 400 },
  { "chunked and length", post({ "Transfer-Encoding: chunked", "Content-Length: 3" }, "0\r\n\r\n"), 400 },
  { "two lengths", post({ "Content-Length: 3", "Content-Length: 4" }, "abcd"), 400 },
  { "two lengths in one field", post({ "Content-Length: 3, 4" }, "abcd"), 400 },
  { "a length with plus", post({ "Content-Length: +3" }, "abc"), 400 },
  { "a length with minus", post({ "Content-Length: -3" }, "abc"), 400 },
  { "a length of 20 digits", post({ "Content-Length: 99999999999999999999" }, "abc"), 400 },
  { "a length of 2^64", post({ "Content-Length: 18446744073709551616" }, "abc"), 400 },
  { "a hexadecimal length", post({ "Content-Length: 0x3" }, "abc"), 400 },
  { "a length with a space", post({ "Content-Length: 1 2" }, "abc"), 400 },
  { "an empty length", post({ "Content-Length:" }, "abc"), 400 },
  { "a length that is a word", post({ "Content-Length: three" }, "abc"), 400 },
  -- codings
  { "gzip", post({ "Transfer-Encoding: gzip" }, "x"), 400 },
  { "gzip before chunked", post({ "Transfer-Encoding: gzip, chunked" }, "0\r\n\r\n"), 501 },
  { "gzip before chunked in two fields",
    post({ "Transfer-Encoding: gzip", "Transfer-Encoding: chunked" }, "0\r\n\r\n"), 501 },
  { "chunked before gzip", post({ "Transfer-Encoding: chunked, gzip" }, "0\r\n\r\n"), 400 },
  { "chunked twice", post({ "Transfer-Encoding: chunked, chunked" }, "0\r\n\r\n"), 400 },
  { "chunked in two fields", post({ "Transfer-Encoding: chunked", "Transfer-Encoding: chunked" }, "0\r\n\r\n"), 400 },
  { "identity", post({ "Transfer-Encoding: identity" }, ""), 400 },
  { "xchunked", post({ "Transfer-Encoding: xchunked" }, "0\r\n\r\n"), 400 },
  { "no coding at all", post({ "Transfer-Encoding: ," }, ""), 400 },
  { "chunked with a parameter", post({ "Transfer-Encoding: chunked;q=1" }, "0\r\n\r\n"), 400 },
  { "chunked on HTTP/1.0",
    "POST /read HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "gzip on HTTP/1.0", "POST /read HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx", 400 },
  -- chunks
  { "a chunk size that is none", chunked "zz\r\nabc\r\n0\r\n\r\n", 400 },
  { "an empty chunk size", chunked "\r\nabc\r\n0\r\n\r\n", 400 },
  { "a negative chunk size", chunked "-3\r\nabc\r\n0\r\n\r\n", 400 },
  { "a chunk size of 17 digits", chunked "10000000000000003\r\nabc\r\n0\r\n\r\n", 400 },
  { "a chunk extension without a name", chunked "3;\r\nabc\r\n0\r\n\r\n", 400 },
  { "a chunk extension whose name is no token", chunked "3;a[=b\r\nabc\r\n0\r\n\r\n", 400 },
  { "a chunk longer than its size", chunked "3\r\nabcd\r\n0\r\n\r\n", 400 },
  { "a chunk without its CRLF", chunked "3\r\nabc0\r\n\r\n", 400 },
  { "a trailer that is none", chunked "3\r\nabc\r\n0\r\nnonsense\r\n\r\n", 400 },
  -- sizes
  { "a target too long", "GET /" .. ("x"):rep(9000) .. " HTTP/1.1\r\nHost: a\r\n\r\n", 414 },
  { "a head too large", get("Host: a", "X-A: " .. ("x"):rep(17000)), 431 },
  { "a field's name too long", get("Host: a", ("x"):rep(17000) .. ": a"), 431 },
  { "too many fields", get("Host: a", (("X-A: b\r\n"):rep(100):sub(1, -3))), 431 },
}

-- However unheard of the method is, a body's end is never in doubt.
for _, method in ipairs { "QUERY", "BREW" } do
  for _, case in ipairs {
    { "length and chunked", { "Content-Length: 3", "Transfer-Encoding: chunked" }, 400 },
    { "two lengths", { "Content-Length: 3", "Content-Length: 4" }, 400 },
    { "chunked before gzip", { "Transfer-Encoding: chunked, gzip" }, 400 },
    { "gzip before chunked", { "Transfer-Encoding: gzip, chunked" }, 501 },
    { "a folded coding", { "Transfer-Encoding:", " chunked" }, 400 },
  } do
    local name, fields, status = unpack(case)
    cases[#cases + 1] = { method .. " with " .. name,
      wire.request({ method .. " / HTTP/1.1", "Host: a", unpack(fields) }, "0\r\n\r\n"), status }
  end
end

describe("bad input:", function()
  for _, case in ipairs(cases) do
    local name, bytes, status = unpack(case)
    wire.both(name .. " gets " .. status, serve, bytes, function(client, server)
      wire.assert_refused(client, server, status)
    end)
  end

  it("on a connection that was used before gets the same", function()
    local server = serve()
    local client = server:connect()
    client:send(get "Host: a")
    assert.equal("well", client:receive_response().body)
    client:send(get "Host : a")
    wire.assert_refused(client, server, 400)
  end)

  it("behind a good request leaves that one its answer", function()
    local server = serve()
    local client = server:connect()
    client:send(get "Host: a" .. get "Host : a")
    assert.equal("well", client:receive_response().body)
    wire.assert_refused(client, server, 400)
  end)

  it("never reaches a handler", function()
    local called = 0
    local server = support.serve(function(app)
      app:use(function(_, next)
        called = called + 1
        return next()
      end)
      app:get("/", function() return "well" end)
    end)
    local client = server:connect()
    client:send(get("Host: a", "X-A : b"))
    assert.equal(400, client:receive_response().status)
    assert.equal(0, called)
  end)

  it("of random bytes never stops the server", function()
    math.randomseed(7)
    local server = serve()
    for _ = 1, 200 do
      local bytes = {}
      for i = 1, math.random(1, 200) do bytes[i] = string.char(math.random(0, 255)) end
      local client = server:connect()
      client:send(table.concat(bytes))
      client:shutdown()
      client:receive_all(2)
      client:close()
    end
    assert.equal("well", server:get("/").body)
    weir.sleep(0)
  end)
end)
