-- The tests' own HTTP codec: what it takes apart, and what it refuses in a response.

local http = require "weir.test_http"

-- A reader of these bytes, handed out `step` at a time, after which the connection ends as `ending` says.
local function reader_of(bytes, step, ending)
  local at = 1
  return http.reader(function()
    if at > #bytes then return nil, ending or "closed" end
    local piece = bytes:sub(at, at + step - 1)
    at = at + step
    return piece
  end)
end

describe("the tests' reader of responses", function()
  local responses = {
    { "a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\nabcrest",
      "abc", "length", "rest" },
    { "chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nX-T: 1\r\n\r\nrest",
      "abcd", "chunked", "rest" },
    { "a close", "HTTP/1.0 200 OK\r\n\r\nall of it", "all of it", "close", "" },
    { "no body", "HTTP/1.1 204 No Content\r\n\r\nrest", "", "none", "rest" },
    { "a 304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nrest", "", "none", "rest" },
  }
  for _, case in ipairs(responses) do
    local what, bytes, body, framing, rest = unpack(case)
    for _, step in ipairs { 1, 4, 1000 } do
      it("understands " .. what .. " in pieces of " .. step, function()
        local source = reader_of(bytes, step)
        local response = assert(http.read_response(source, "GET"))
        assert.equal(body, response.body)
        assert.equal(framing, response.framing)
        while source:more() do end
        assert.equal(rest, source.buffer)
      end)
    end
  end

  it("joins repeated fields, keeps the list, the pieces and the trailers", function()
    local response = http.read_response(reader_of(responses[1][2], 7), "GET")
    assert.equal("1, 2", response.headers["x-a"])
    assert.same({ { "Content-Length", "3" }, { "X-A", "1" }, { "x-a", "2" } }, response.fields)
    response = http.read_response(reader_of(responses[2][2], 7), "GET")
    assert.same({ "abc", "d" }, response.pieces)
    assert.same({ ["x-t"] = "1" }, response.trailers)
  end)

  it("sets interim responses aside", function()
    local response = http.read_response(reader_of(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" ..
      "HTTP/1.1 204 No Content\r\n\r\n", 5), "GET")
    assert.equal(204, response.status)
    assert.equal(100, response.informational[1].status)
    assert.equal("a", response.informational[2].headers.link)
  end)

  it("has no body for HEAD", function()
    local source = reader_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP", 100)
    assert.equal("", http.read_response(source, "HEAD").body)
    assert.equal("HTTP", source.buffer)
  end)

  local broken = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "ab" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "ab" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\nab", "ab" },
  }
  for _, case in ipairs(broken) do
    it(("tells what had come of %q"):format(case[1]), function()
      for _, ending in ipairs { "closed", "reset", "timeout" } do
        local response, why, partial = http.read_response(reader_of(case[1], 9, ending), "GET")
        assert.is_nil(response)
        assert.equal(ending, why)
        assert.equal(case[2], partial.body)
      end
    end)
  end

  local malformed = {
    "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTP/1.1 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX A: b\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A: b\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
  }
  for _, bytes in ipairs(malformed) do
    it(("refuses %q"):format(bytes), function()
      assert.error_matches(function() http.read_response(reader_of(bytes, 1000), "GET") end, "malformed response")
    end)
  end
end)

describe("the tests' requests", function()
  it("have a Host, the fields given, and a length", function()
    assert.same({ "PUT /x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\nContent-Length: 2\r\n\r\nab" },
      http.request("PUT", "/x", "h", { headers = { ["X-A"] = 1, ["X-B"] = { "2", "3" } }, body = "ab" }))
    assert.same({ "GET / HTTP/1.1\r\nhost: mine\r\n\r\n" },
      http.request("GET", "/", "h", { headers = { host = "mine" } }))
  end)

  it("send a list in chunks", function()
    assert.same({ "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n", "1\r\nc\r\n",
      "0\r\n\r\n" }, http.request("POST", "/", "h", { body = { "ab", "c" } }))
  end)
end)

describe("the tests' event stream", function()
  local function decoded(bytes, step)
    local decoder = http.sse_decoder()
    for at = 1, #bytes, step do decoder:feed(bytes:sub(at, at + step - 1)) end
    return decoder
  end

  local cases = {
    { "data: a\n\n", { { event = "message", data = "a" } } },
    { "data:a\r\rdata: b\r\n\r\n:c\n", { { event = "message", data = "a" }, { event = "message", data = "b" } } },
    { "data: a\ndata:\ndata:  b\n\n", { { event = "message", data = "a\n\n b" } } },
    { "event: tick\nid: 7\nretry: 5\ndata: x\n\n", { { event = "tick", id = "7", retry = 5, data = "x" } } },
    { "id: 7\n\ndata\n\n", { { event = "message", data = "" } } },
    { "\239\187\191data: bom\n\n", { { event = "message", data = "bom" } } },
    { "retry: soon\nunknown: x\ndata: x\n\ndata: cut", { { event = "message", data = "x" } } },
  }
  for _, case in ipairs(cases) do
    it(("of %q is understood, in pieces too"):format(case[1]), function()
      for _, step in ipairs { 1, 2, 3, 1000 } do
        assert.same(case[2], decoded(case[1] .. "\n", step).events)
      end
    end)
  end

  it("keeps the last id, the retry and the comments", function()
    local decoder = decoded("id: 7\nretry: 20\n\n: one\n:two\ndata: x\n\n", 1)
    assert.equal("7", decoder.last_event_id)
    assert.equal(20, decoder.retry)
    assert.same({ "one", "two" }, decoder.comments)
  end)
end)
