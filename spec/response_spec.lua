-- Answering: status, headers, the methods that finish, write and its policies (lua/REFERENCE.md).

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function answer(handler, options)
  local server = support.serve(function(app) app:get("/", handler) end)
  return server:get("/", options)
end

-- Calls `misuse(stream)` in a handler: the message it raised.
local function message_of(misuse)
  local ok, message
  answer(function(stream)
    ok, message = pcall(misuse, stream)
  end)
  assert.is_false(ok)
  return message
end

describe("status and headers", function()
  it("are sent as set", function()
    local response = answer(function(stream)
      stream:status(418)
      stream:header("X-One", "first")
      stream:header("X-One", "second")
      stream:add_header("X-Many", "a")
      stream:add_header("X-Many", "b")
      return "short and stout"
    end)
    assert.equal(418, response.status)
    assert.equal("second", response.headers["x-one"])
    assert.equal("a, b", response.headers["x-many"])
  end)

  for _, name in ipairs { "Transfer-Encoding", "Connection", "transfer-encoding", "CONNECTION" } do
    it("that belong to the framing raise: " .. name, function()
      local message = message_of(function(stream) stream:header(name, "x") end)
      assert.is_truthy(tostring(message):lower():find(name:lower(), 1, true), message)
      message_of(function(stream) stream:add_header(name, "x") end)
    end)
  end

  it("Content-Length of a stream raises", function()
    message_of(function(stream)
      stream:header("Content-Length", "5")
      stream:write("12")
    end)
  end)

  local bad = {
    { "a status of two digits", function(stream) stream:status(99) end },
    { "a status of four digits", function(stream) stream:status(1000) end },
    { "an interim status", function(stream) stream:status(101) end },
    { "a status that is no number", function(stream) stream:status("fine") end },
    { "CR LF in a value", function(stream) stream:header("X-A", "b\r\nX-Injected: yes") end },
    { "NUL in a value", function(stream) stream:header("X-A", "b\0") end },
    { "a space in a name", function(stream) stream:header("X A", "b") end },
    { "a colon in a name", function(stream) stream:header("X:A", "b") end },
    { "an empty name", function(stream) stream:header("", "b") end },
    { "CR LF in a redirect", function(stream) stream:redirect("/\r\nX-Injected: yes") end },
    { "CR LF in a cookie", function(stream) stream:cookie("a", "b\r\nX-Injected: yes") end },
    { "a semicolon in a cookie's name", function(stream) stream:cookie("a;b", "c") end },
  }
  for _, case in ipairs(bad) do
    it(case[1] .. " raises", function() message_of(case[2]) end)
  end

  it("after the head has gone raise", function()
    for _, misuse in ipairs {
      function(stream) stream:status(500) end,
      function(stream) stream:header("X-Late", "x") end,
      function(stream) stream:cookie("late", "x") end,
    } do
      message_of(function(stream)
        stream:write("out")
        stream:flush()
        misuse(stream)
      end)
    end
  end)
end)

describe("cookie", function()
  local function set_cookie(...)
    local arguments = { ... }
    return answer(function(stream)
      stream:cookie(unpack(arguments))
      return ""
    end).headers["set-cookie"]
  end

  it("has name and value", function()
    assert.matches("^session=abc", set_cookie("session", "abc"))
  end)

  it("has the attributes that are asked for", function()
    local cookie = set_cookie("session", "abc",
      { path = "/app", domain = "example.org", max_age = 60, secure = true, http_only = true, same_site = "Lax" })
    local lower = cookie:lower()
    for _, part in ipairs { "path=/app", "domain=example.org", "max-age=60", "secure", "httponly", "samesite=lax" } do
      assert.is_truthy(lower:find("; " .. part, 1, true), cookie)
    end
  end)

  it("has an age that is a whole number, 0 to delete it", function()
    assert.matches("[Mm]ax%-[Aa]ge=0", set_cookie("session", "", { max_age = 0 }))
    for _, age in ipairs { -1, 0.5, 0 / 0, 1e300, "7" } do
      local response = answer(function(stream) stream:cookie("a", "1", { max_age = age }) end)
      assert.equal(500, response.status)
      assert.is_truthy(test.log.take()[1].text:find("stream:cookie: max_age must be a whole number", 1, true))
    end
  end)

  it("each has a field of its own", function()
    local response = answer(function(stream)
      stream:cookie("a", "1")
      stream:cookie("b", "2")
      return ""
    end)
    local values = {}
    for _, field in ipairs(response.fields) do
      if field[1]:lower() == "set-cookie" then values[#values + 1] = field[2]:match("^[^;]*") end
    end
    assert.same({ "a=1", "b=2" }, values)
  end)
end)

describe("what finishes an answer", function()
  after_each(support.remove_folders)

  local cases = {
    { "text", function(stream) stream:text("tëxt") end, 200, "text/plain; charset=utf-8", "tëxt" },
    { "html", function(stream) stream:html("<p>") end, 200, "text/html; charset=utf-8", "<p>" },
    { "json", function(stream) stream:json({ 1, "a" }) end, 200, "application/json", '[1,"a"]' },
  }
  for _, case in ipairs(cases) do
    local name, handler, status, media_type, body = unpack(case)
    it(name .. " sends its type and the whole length", function()
      local response = answer(handler)
      assert.equal(status, response.status)
      assert.matches("^" .. media_type:gsub("%p", "%%%0"), response.headers["content-type"])
      assert.equal(tostring(#body), response.headers["content-length"])
      assert.equal(body, response.body)
    end)

    it("a second answer after " .. name .. " raises", function()
      local message = message_of(function(stream)
        handler(stream)
        stream:text("again")
      end)
      assert.is_true(#tostring(message) > 0)
    end)
  end

  for code, expected in pairs { [0] = 302, [301] = 301, [303] = 303, [307] = 307, [308] = 308 } do
    it("redirect " .. expected, function()
      local response = answer(function(stream)
        if code == 0 then stream:redirect("/there") else stream:redirect("/there", code) end
      end)
      assert.equal(expected, response.status)
      assert.equal("/there", response.headers.location)
    end)
  end

  it("file sends a file with its type, and answers conditions and ranges", function()
    local path = support.write_file(support.folder() .. "/data.css", "p { color: red }")
    local server = support.serve(function(app)
      app:get("/", function(stream) stream:file(path, { root = "/" }) end)
    end)
    local response = server:get "/"
    assert.equal("p { color: red }", response.body)
    assert.matches("^text/css", response.headers["content-type"])
    local etag = response.headers.etag
    assert.equal(304, server:get("/", { headers = { ["If-None-Match"] = etag } }).status)
    local part = server:get("/", { headers = { Range = "bytes=4-8" } })
    assert.equal(206, part.status)
    assert.equal("color", part.body)
  end)

  for field, case in pairs {
    Range = { value = "bytes=20-", status = 416, body = "416 Range Not Satisfiable\n" },
    ["If-Match"] = { value = '"another"', status = 412, body = "412 Precondition Failed\n" },
  } do
    it("file that is not sent, for its " .. field .. ", is answered all the same", function()
      local path = support.write_file(support.folder() .. "/data.css", "p { color: red }")
      local results
      local server = support.serve(function(app)
        app:get("/", function(stream)
          results = { stream:file(path, { root = "/", type = "text/x-own", download = "own" }) }
        end)
      end)
      local response = server:get("/", { headers = { [field] = case.value } })
      assert.equal(case.status, response.status)
      assert.equal(case.body, response.body)
      assert.equal("text/plain; charset=utf-8", response.headers["content-type"])
      assert.is_nil(response.headers["content-disposition"])
      assert.equal(case.status == 416 and "bytes */16" or nil, response.headers["content-range"])
      assert.same({}, test.eventually(function() return results end))
    end)
  end

  it("file of what is not there says so", function()
    local folder = support.folder()
    local results
    answer(function(stream)
      results = { stream:file("missing", { root = folder }) }
      return "instead"
    end)
    assert.is_nil(results[1])
    assert.equal("ENOENT", results[2])
  end)

  it("file of what is not there leaves nothing of its options", function()
    local response = answer(function(stream)
      stream:file("missing", { root = support.folder(), type = "text/x-own", download = "own" })
      return "instead"
    end)
    assert.equal(404, response.status)
    assert.equal("text/plain; charset=utf-8", response.headers["content-type"])
    assert.is_nil(response.headers["content-disposition"])
  end)

  it("file under a name to save it as", function()
    local path = support.write_file(support.folder() .. "/data.bin", "data")
    local response = answer(function(stream) stream:file(path, { root = "/", download = "my file.bin" }) end)
    assert.matches("^attachment", response.headers["content-disposition"])
    assert.is_truthy(response.headers["content-disposition"]:find("my file.bin", 1, true))
  end)

  it("finish ends what was written", function()
    local reached = false
    local response = answer(function(stream)
      stream:write("all")
      stream:finish()
      reached = true
    end)
    assert.equal("all", response.body)
    assert.is_true(reached)
  end)

  it("a write after the finish raises what, where and the remedy", function()
    local message = message_of(function(stream)
      stream:finish()
      stream:write("more")
    end)
    assert.matches("write", tostring(message))
    assert.matches("finish", tostring(message))
  end)
end)

describe("early_hints", function()
  it("go before the answer", function()
    local response = answer(function(stream)
      stream:early_hints { link = "</style.css>; rel=preload; as=style" }
      weir.sleep(0.001)
      return "page"
    end)
    assert.equal(200, response.status)
    assert.equal(1, #response.informational)
    assert.equal(103, response.informational[1].status)
    assert.equal("</style.css>; rel=preload; as=style", response.informational[1].headers.link)
    assert.equal("page", response.body)
  end)

  it("are not sent to HTTP/1.0", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:early_hints { link = "</style.css>; rel=preload" }
        return "page"
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.0\r\n\r\n"
    local response = client:receive_response()
    assert.equal(200, response.status)
    assert.same({}, response.informational)
  end)
end)

describe("write", function()
  it("streams chunks as they are written", function()
    local go = weir.channel(0)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        assert(stream:write("one") == true)
        assert(stream:flush() == true)
        go:recv()
        stream:write("two")
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    local head = client:receive_head()
    assert.equal("chunked", head.framing)
    assert.equal("no", head.headers["x-accel-buffering"])
    assert.equal("no-cache", head.headers["cache-control"])
    assert.equal("one", client:receive_piece(head))
    go:send(true)
    assert.equal("two", client:receive_piece(head))
    assert.is_nil(client:receive_piece(head))
  end)

  it("or a flush sends the head, and nothing before does", function()
    local go = weir.channel(0)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        go:recv()
        stream:flush()
        go:recv()
      end)
    end)
    local client = server:connect()
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.same({ nil, "timeout", "" }, { client:receive(1, 0.05) })
    go:send(true)
    assert.equal(200, client:receive_head().status)
    go:send(true)
  end)

  it("of an empty string sends nothing and does not end the stream", function()
    local response = answer(function(stream)
      stream:write("a")
      stream:flush()
      stream:write("")
      stream:flush()
      stream:write("b")
    end)
    assert.equal("ab", response.body)
  end)

  it("yields above the high mark until the client reads", function()
    local written, total = 0, 16 * 1024 * 1024
    local piece = ("x"):rep(8192)
    local server = support.serve(function(app)
      app:get("/", function(stream)
        while written < total do
          stream:write(piece)
          written = written + #piece
        end
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return written > 0 end)
    support.standstill(function() return written end)
    assert.is_true(written < total, "all was written to a client that does not read")
    local response = client:receive_response { timeout = 20 }
    assert.equal(total, #response.body)
  end)

  it("drops whole chunks after write_policy('drop_newest')", function()
    local kept, dropped, done = 0, 0, false
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write_policy("drop_newest")
        for i = 1, 2000 do
          local ok, why = stream:write(("%08d"):format(i) .. ("x"):rep(8184))
          if ok then
            kept = kept + 1
          else
            assert(ok == false and why == "dropped")
            dropped = dropped + 1
          end
        end
        done = true
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return done end)
    assert.is_true(dropped > 0 and kept > 0)
    assert.equal(2000, kept + dropped)
    local response = client:receive_response { timeout = 20 }
    assert.equal(kept * 8192, #response.body)
    for at = 1, #response.body, 8192 do assert.matches("^%d%d%d%d%d%d%d%dx", response.body:sub(at, at + 8)) end
  end)

  it("ends the stream after write_policy('disconnect')", function()
    local reason
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:write_policy("disconnect")
        stream:on_close(function(why) reason = why end)
        while true do stream:write(("x"):rep(65536)) end
      end)
    end)
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return reason end)
    assert.equal("overflow", reason)
    client:receive_all()
  end)

  it("policies are block, drop_newest and disconnect, nothing else", function()
    answer(function(stream) stream:write_policy("block") end)
    local message = message_of(function(stream) stream:write_policy("drop_oldest") end)
    assert.matches("drop_newest", tostring(message))
  end)

  it("of what is not a string raises", function()
    message_of(function(stream) stream:write(nil) end)
    message_of(function(stream) stream:write({}) end)
  end)
end)

describe("what every answer says", function()
  it("is that its type is not to be guessed, unless the app says otherwise", function()
    local server = support.serve(function(app)
      app:get("/", function() return "ok" end)
      app:get("/raise", function() error "on purpose" end)
      app:get("/events", function(stream) stream:sse():send "hello" end)
      app:get("/own", function(stream)
        stream:header("X-Content-Type-Options", "none")
        return "ok"
      end)
      app:static("/files", "spec")
    end)
    test.log.start()
    for path, value in pairs {
      ["/"] = "nosniff", ["/raise"] = "nosniff", ["/events"] = "nosniff", ["/none"] = "nosniff",
      ["/files/response_spec.lua"] = "nosniff", ["/own"] = "none",
    } do
      local response = server:get(path)
      assert.equal(value, response.headers["x-content-type-options"], path)
      assert.equal("weir", response.headers.server, path)
    end
    assert.equal(1, #test.log.take "on purpose")
    local client = server:connect()
    client:send "nonsense\r\n\r\n"
    assert.equal("nosniff", client:receive_response().headers["x-content-type-options"])
    client:close()
  end)

  it("holds no secret of a request whose handler fails, nor does the log", function()
    local server = support.serve(function(app) app:get("/", function() error "on purpose" end) end)
    test.log.start()
    local response = server:get("/?access_token=s3cret&x=1",
      { headers = { Authorization = "Bearer s3cret", Cookie = "session=s3cret" } })
    assert.equal(500, response.status)
    local log = test.log.take("on purpose")[1].text
    assert.is_truthy(log:find("access_token=***&x=1", 1, true), log)
    assert.is_nil((response.body .. log):find("s3cret", 1, true))
  end)
end)
