-- What a handler sees of a request: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- The stream's field as the handler of a raw request sees it.
local function seen(request, read)
  local value
  local server = support.serve(function(app)
    app:route("GET", "/*rest", function(stream) value = read(stream) end)
    app:post("/*rest", function(stream) value = read(stream) end)
  end)
  local client = server:connect()
  client:send((request:gsub("PORT", tostring(server.port))))
  local response = assert(client:receive_response())
  assert.equal(204, response.status)
  return value
end

local function get(target, more)
  return "GET " .. target .. " HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n" .. (more or "") .. "\r\n"
end

describe("a request's", function()
  local cases = {
    { "method", get "/a", "GET" },
    { "method", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST" },
    { "path", get "/a/b?c=d", "/a/b" },
    { "base", get "/a", "" },
    { "query_string", get "/a?b=c&d=%20", "b=c&d=%20" },
    { "scheme", get "/", "http" },
    { "host", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "example.org" },
    { "host", "GET http://other.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n", "other.example" },
    { "path", "GET http://other.example/x?y=1 HTTP/1.1\r\nHost: other.example\r\n\r\n", "/x" },
    { "version", get "/", "1.1" },
    { "version", "GET / HTTP/1.0\r\n\r\n", "1.0" },
    { "content_length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 3 },
    { "content_length", get "/", nil },
    { "claims", get "/", nil },
    { "closed", get "/", false },
  }
  for _, case in ipairs(cases) do
    local field, request, value = case[1], case[2], case[3]
    it(field .. " of " .. request:match("^[^\r]*") .. " is " .. tostring(value), function()
      assert.equal(value, seen(request, function(stream) return stream[field] end))
    end)
  end

  it("headers have lower-case names, repeats are joined", function()
    local headers = seen(get("/", "X-One: 1\r\nx-two: a\r\nX-TWO: b\r\nX-Space:   c d  \r\nX-Empty:\r\n"),
      function(stream)
        local names = { "x-one", "x-two", "x-space", "x-empty", "X-One" }
        local out = {}
        for _, name in ipairs(names) do out[name] = stream.headers[name] end
        return out
      end)
    assert.same({ ["x-one"] = "1", ["x-two"] = "a, b", ["x-space"] = "c d", ["x-empty"] = "" }, headers)
  end)

  it("headers can be listed", function()
    local names = seen(get("/", "X-One: 1\r\nX-Two: 2\r\n"), function(stream)
      local out = {}
      for name in pairs(stream.headers) do out[#out + 1] = name end
      table.sort(out)
      return out
    end)
    assert.same({ "host", "x-one", "x-two" }, names)
  end)

  local queries = {
    { "a=1&b=2", "a", "1" },
    { "a=1&a=2", "a", "1" },
    { "a=x%20y", "a", "x y" },
    { "a=x+y", "a", "x y" },
    { "a=%26%3D", "a", "&=" },
    { "n%61me=v", "name", "v" },
    { "a", "a", "" },
    { "a=", "a", "" },
    { "a=b=c", "a", "b=c" },
    { "", "a", nil },
    { "b=1", "a", nil },
  }
  for _, case in ipairs(queries) do
    local query, name, value = case[1], case[2], case[3]
    it("query." .. name .. " of ?" .. query .. " is " .. tostring(value), function()
      assert.equal(value, seen(get("/?" .. query), function(stream) return stream.query[name] end))
    end)
  end

  it("query_all lists every value in order", function()
    local all = seen(get "/?x=1&y=2&x=3&x=", function(stream)
      return { x = stream:query_all "x", y = stream:query_all "y", z = stream:query_all "z" }
    end)
    assert.same({ x = { "1", "3", "" }, y = { "2" }, z = {} }, all)
  end)

  it("cookies are taken apart", function()
    local cookies = seen(get("/", 'Cookie: a=1; b="two"; c=x=y\r\n'), function(stream)
      return { a = stream.cookies.a, b = stream.cookies.b, c = stream.cookies.c, d = stream.cookies.d }
    end)
    assert.equal("1", cookies.a)
    assert.equal("x=y", cookies.c)
    assert.is_nil(cookies.d)
  end)

  it("addresses are the client's", function()
    local peer, remote = unpack(seen(get "/", function(stream) return { stream.peer_addr, stream.remote_addr } end))
    assert.matches("^127%.0%.0%.1", peer)
    assert.matches("^127%.0%.0%.1", remote)
  end)

  it("forwarded addresses are not believed", function()
    local remote = seen(get("/", "X-Forwarded-For: 10.9.8.7\r\nForwarded: for=10.9.8.7\r\n"),
      function(stream) return stream.remote_addr end)
    assert.matches("^127%.0%.0%.1", remote)
  end)

  it("ids differ from one to the next", function()
    local server = support.serve(function(app)
      app:get("/", function(stream) return tostring(stream.id) end)
    end)
    local first, second = server:get("/").body, server:get("/").body
    assert.is_true(#first > 0)
    assert.are_not.equal(first, second)
  end)

  it("received counts the bytes of the body", function()
    local before, after
    local server = support.serve(function(app)
      app:post("/", function(stream)
        before = stream.received
        stream:body()
        after = stream.received
      end)
    end)
    assert.equal(204, server:post("/", { body = { "abc", "defg" } }).status)
    assert.equal(7, after)
    assert.is_true(before >= 0 and before <= 7)
  end)

  it("closed turns true when the stream is over", function()
    local kept
    local server = support.serve(function(app)
      app:get("/", function(stream)
        kept = stream
        return "x"
      end)
    end)
    server:get "/"
    assert.is_true(test.eventually(function() return kept.closed end))
    kept = nil
  end)

  it("own fields are kept with the stream", function()
    local value = seen(get "/", function(stream)
      stream.user = { name = "ann" }
      weir.sleep(0)
      return stream.user.name
    end)
    assert.equal("ann", value)
  end)
end)

describe("simulate", function()
  it("gives the same request without a socket", function()
    local app = weir.app()
    app:post("/things/:id", function(stream)
      stream:status(201)
      stream:header("X-Method", stream.method)
      return { id = stream.params.id, q = stream.query.q, body = stream:body(), type = stream.headers["content-type"] }
    end)
    local response = test.simulate(app, {
      method = "POST", path = "/things/7?q=x", headers = { ["Content-Type"] = "text/plain" }, body = "hello",
    })
    assert.equal(201, response.status)
    assert.equal("POST", response.headers["x-method"])
    assert.same({ id = "7", q = "x", body = "hello", type = "text/plain" }, response.json())
  end)
end)
