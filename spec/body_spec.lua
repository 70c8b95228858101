-- Reading a request's body: read, chunks, body, json_body, form, save (lua/REFERENCE.md).

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- What is not kept is removed behind the answer.
local function assert_emptied(folder)
  test.eventually(function() return #weir.fs.list(folder) == 0 end)
end

-- What `read(stream)` gives for a body sent that way.
local function posted(options, read)
  local results
  local server = support.serve(function(app)
    app:post("/", function(stream)
      results = { read(stream) }
      return "read"
    end)
  end)
  return server:post("/", options), results
end

local function json(text)
  return { body = text, headers = { ["Content-Type"] = "application/json" } }
end

local function urlencoded(text)
  return { body = text, headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } }
end

describe("read", function()
  local function read_all(n)
    return function(stream)
      local pieces = {}
      while true do
        local piece, why = stream:read(n)
        if not piece then return table.concat(pieces), why, pieces end
        assert(#piece >= 1 and #piece <= (n or 65536), "a piece of " .. #piece)
        pieces[#pieces + 1] = piece
      end
    end
  end

  for _, n in ipairs { 1, 3, 1000 } do
    it("gives 1 to " .. n .. " bytes, then nil", function()
      for _, body in ipairs { "hello world", "x" } do
        local response, results = posted({ body = body }, read_all(n))
        assert.equal("read", response.body)
        assert.equal(body, results[1])
        assert.is_nil(results[2])
      end
    end)
  end

  it("gives at most 64 KiB without a size", function()
    local body = ("0123456789abcdef"):rep(16384)
    local _, results = posted({ body = body }, read_all(nil))
    assert.equal(#body, #results[1])
    assert.is_true(results[1] == body)
  end)

  it("puts chunks together", function()
    local _, results = posted({ body = { "one", "two", ("3"):rep(70000) } }, read_all(nil))
    assert.equal("onetwo" .. ("3"):rep(70000), results[1])
  end)

  it("of an empty body is nil at once", function()
    local _, results = posted({ body = "" }, function(stream) return stream:read() end)
    assert.is_nil(results[1])
    assert.is_nil(results[2])
  end)

  it("hands over what has come before the rest is sent", function()
    local pieces = {}
    local server = support.serve(function(app)
      app:post("/", function(stream)
        for piece in stream:chunks() do pieces[#pieces + 1] = piece end
        return "all"
      end)
    end)
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    test.eventually(function() return pieces[1] end)
    client:send "def"
    assert.equal("all", client:receive_response().body)
    assert.same({ "abc", "def" }, pieces)
  end)

  it("raises for a size that is none", function()
    for _, n in ipairs { 0, -1, 1.5 } do
      local _, results = posted({ body = "x" }, function(stream) return pcall(stream.read, stream, n) end)
      assert.is_false(results[1], tostring(n))
    end
  end)

  it("holds back a client that sends faster than is read", function()
    local received, release = nil, weir.channel(1)
    local server = support.serve(function(app)
      app:post("/", function(stream)
        release:recv()
        local n = 0
        for piece in stream:chunks() do n = n + #piece end
        received = n
      end)
    end)
    local size = 4 * 1024 * 1024
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. size .. "\r\n\r\n")
    local sending = weir.spawn(function() return client:send(("x"):rep(size)) end)
    test.settle()
    assert.is_nil(received)
    release:send(true)
    assert.equal(204, client:receive_response().status)
    assert.equal(size, received)
    sending:join()
  end)
end)

describe("body", function()
  it("is the whole body", function()
    for _, body in ipairs { "hello", { "he", "llo" } } do
      local _, results = posted({ body = body }, function(stream) return stream:body() end)
      assert.equal("hello", results[1])
    end
  end)

  it("is the same when it is asked for again, as JSON and as a form too", function()
    local _, results = posted({ body = { "[1,", "2]" }, headers = { ["Content-Type"] = "application/json" } },
      function(stream)
        return stream:body(), stream:body(), #stream:json_body(), stream:body(), stream:read() == nil
      end)
    assert.same({ "[1,2]", "[1,2]", 2, "[1,2]", true }, results)
    local options = { body = "a=1", headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } }
    _, results = posted(options, function(stream) return stream:form().a, stream:form().a, stream:body() end)
    assert.same({ "1", "1", "a=1" }, results)
  end)

  it("a second time has a limit, too", function()
    assert.equal(413, (posted({ body = "12345" }, function(stream)
      stream:body()
      return stream:body(4)
    end)).status)
  end)

  it("raises after part of it was read otherwise, and what reads in pieces after it", function()
    local _, results = posted({ body = "hello" }, function(stream)
      stream:read(1)
      return pcall(stream.body, stream)
    end)
    assert.is_false(results[1])
    assert.matches("stream:body: part of this body", results[2])
    for _, name in ipairs { "chunks", "save" } do
      _, results = posted({ body = "hello" }, function(stream)
        stream:body()
        return pcall(stream[name], stream, "file")
      end)
      assert.is_false(results[1])
      assert.matches("stream:" .. name .. ": the body has been read", results[2])
    end
  end)

  it("that was taken is not taken for an empty one", function()
    local folder = support.folder()
    local function save(stream, name)
      local size = stream:save(name or "file", { root = folder })
      return size
    end
    local function read_all(stream) repeat until not stream:read() end
    local function all_chunks(stream) for _ in stream:chunks() do end end
    for first, take in pairs { save = save, read = read_all, chunks = all_chunks } do
      for _, again in ipairs { save, all_chunks } do
        local _, results = posted({ body = "hello" }, function(stream)
          support.write_file(folder .. "/kept", "precious")
          take(stream)
          return pcall(again, stream, "kept")
        end)
        assert.is_false(results[1])
        assert.matches("body_spec.lua:%d+: stream:%a+: the body has been taken by " .. first .. " already", results[2])
        assert.equal("precious", support.read_file(folder .. "/kept"))
      end
    end
    local _, results = posted({ body = "hello" }, function(stream)
      assert.is_nil(save(stream, "../no"))
      assert.equal(5, save(stream, "one"))
      local both = { function() return save(stream, "two") end, function() return save(stream, "three") end }
      return pcall(weir.race, both)
    end)
    assert.is_false(results[1])
    assert.is_nil(support.read_file(folder .. "/two"))
    _, results = posted({ body = "hello" }, function(stream)
      local both = { function() return save(stream, "two") end, function() return save(stream, "three") end }
      return pcall(weir.all, both)
    end)
    assert.is_false(results[1])
    -- whose file is opened first takes it, and is done before the other fails, or is cancelled
    assert.is_true(support.read_file(folder .. "/two") == nil or support.read_file(folder .. "/three") == nil)
  end)

  it("is whole after one that was cancelled", function()
    local results
    local server = support.serve(function(app)
      app:post("/", function(stream)
        results = { weir.timeout(0.002, function() return stream:body() end) }
        stream:early_hints { Link = "</go>" }
        results[3] = stream:body()
      end)
    end)
    local client = server:connect()
    client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst"
    assert.matches("103", client:receive "\r\n\r\n")
    client:send " half"
    assert.equal(204, client:receive_response().status)
    assert.same({ nil, "timeout", "first half" }, results)
  end)

  it("larger than what a stream keeps of one that is not asked for", function()
    local size = 600 * 1024
    local _, results = posted({ body = ("x"):rep(size) }, function(stream) return #stream:body() end)
    assert.equal(size, results[1])
  end)

  it("of a request without one is empty", function()
    local _, results = posted({}, function(stream) return stream:body() end)
    assert.equal("", results[1])
  end)

  it("at its own limit is read, beyond it 413", function()
    assert.equal(200, (posted({ body = "12345" }, function(stream) return stream:body(5) end)).status)
    assert.equal(413, (posted({ body = "123456" }, function(stream) return stream:body(5) end)).status)
    assert.equal(413, (posted({ body = { "123", "456" } }, function(stream) return stream:body(5) end)).status)
  end)
end)

describe("json_body", function()
  local good = {
    { '{"a":[1,2,{"b":null}]}', { a = { 1, 2, { b = weir.json.null } } } },
    { " [1] ", { 1 } },
    { '"text"', "text" },
    { "true", true },
  }
  for _, case in ipairs(good) do
    it("decodes " .. case[1], function()
      local response, results = posted(json(case[1]), function(stream) return stream:json_body() end)
      assert.equal(200, response.status)
      assert.same(case[2], results[1])
    end)
  end

  for _, media_type in ipairs { "application/json; charset=utf-8", "application/problem+json", "Application/JSON" } do
    it("accepts " .. media_type, function()
      local options = { body = "[1]", headers = { ["Content-Type"] = media_type } }
      local response, results = posted(options, function(stream) return stream:json_body() end)
      assert.equal(200, response.status)
      assert.same({ 1 }, results[1])
    end)
  end

  for _, text in ipairs { "{", "", "nonsense", "[1,]", '{"a":1} x', "\255" } do
    it("fails with 400 for " .. ("%q"):format(text), function()
      assert.equal(400, (posted(json(text), function(stream) return stream:json_body() end)).status)
    end)
  end

  for _, media_type in ipairs { "text/plain", "application/xml" } do
    it("fails with 415 for " .. media_type, function()
      local options = { body = "{}", headers = { ["Content-Type"] = media_type } }
      assert.equal(415, (posted(options, function(stream) return stream:json_body() end)).status)
    end)
  end
end)

describe("form", function()
  local cases = {
    { "a=1&b=two", { a = "1", b = "two" } },
    { "a=x+y&b=%C3%BC", { a = "x y", b = "ü" } },
    { "empty=&b=1", { empty = "", b = "1" } },
  }
  for _, case in ipairs(cases) do
    it("decodes " .. case[1], function()
      local _, results = posted(urlencoded(case[1]), function(stream)
        local form = stream:form()
        local out = {}
        for name in pairs(case[2]) do out[name] = form[name] end
        return out
      end)
      assert.same(case[2], results[1])
    end)
  end

  it("fails with 415 for what is no form", function()
    local options = { body = "{}", headers = { ["Content-Type"] = "application/json" } }
    assert.equal(415, (posted(options, function(stream) return stream:form() end)).status)
  end)
end)

describe("save", function()
  after_each(support.remove_folders)

  it("writes the body to a file, telling its progress", function()
    local path = support.folder() .. "/upload"
    local body = ("upload "):rep(30000)
    local progress = {}
    local response = posted({ body = body }, function(stream)
      return stream:save(path, { root = "/", on_progress = function(bytes) progress[#progress + 1] = bytes end })
    end)
    assert.equal(200, response.status)
    assert.is_true(support.read_file(path) == body)
    assert.is_true(#progress >= 1)
    assert.equal(#body, progress[#progress])
    for i = 2, #progress do assert.is_true(progress[i] > progress[i - 1]) end
  end)

  it("leaves no file of a body that broke off", function()
    local folder = support.folder()
    local entered, closed = false, false
    local server = support.serve(function(app)
      app:post("/", function(stream)
        stream:on_close(function() closed = true end)
        entered = true
        stream:save("upload", { root = folder })
      end)
    end)
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    test.eventually(function() return entered end)
    client:reset()
    test.eventually(function() return closed end)
    test.eventually(function() return #weir.fs.list(folder) == 0 end)
    assert.is_nil(support.read_file(folder .. "/upload"))
  end)

  for _, case in ipairs { { "told", "Content-Length: 10\r\n\r\nabc" },
    { "chunked", "Transfer-Encoding: chunked\r\n\r\na\r\nabc" } } do
    it("returns when a body breaks off that was " .. case[1] .. ", and what was deferred runs", function()
      local folder, results, deferred = support.folder(), nil, false
      local server = support.serve(function(app)
        app:post("/", function(stream)
          weir.defer(function() deferred = true end)
          results = { stream:save("upload", { root = folder }) }
        end)
      end)
      local client = server:connect()
      client:send("POST / HTTP/1.1\r\nHost: a\r\n" .. case[2])
      client:shutdown()
      assert.equal(400, client:receive_response().status)
      assert.same({ nil, "closed", "the request body is incomplete" }, results)
      test.eventually(function() return deferred end)
      assert_emptied(folder)
    end)
  end

  it("returns when the client stops sending", function()
    local folder = support.folder()
    local server = support.serve_text(([[
      local weir = require "weir"
      local app = weir.app()
      weir.limits { progress_timeout = 0.1 }
      local results
      app:post("/", function(stream) results = { stream:save("upload", { root = %q }) } end)
      app:get("/", function() return { results[2], results[3] } end)
      return app
    ]]):format(folder))
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert.equal(408, client:receive_response().status)
    assert.same({ "timeout", "the rest of the request body did not arrive in time" }, server:get("/").json())
    assert_emptied(folder)
  end)

  it("keeps to a limit, before it reads where the length is told", function()
    local folder = support.folder()
    local function save(body, options, headers)
      options.root = folder
      return posted({ body = body, headers = headers }, function(stream) return stream:save("upload", options) end)
    end
    local response, results = save(("x"):rep(1025), { limit = "1KB" })
    assert.equal(413, response.status)
    assert.same({ nil, "limit", "the request body is longer than 1024 bytes" }, results)
    assert_emptied(folder)
    response, results = save(("x"):rep(1024), { limit = 1024 })
    assert.equal(200, response.status)
    assert.equal(1024, results[1])
  end)

  it("keeps to a limit where the length is not told, and leaves no file", function()
    local folder, results = support.folder(), nil
    local server = support.serve(function(app)
      app:post("/", function(stream) results = { stream:save("upload", { root = folder, limit = 5 }) } end)
    end)
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n")
    assert.equal(413, client:receive_response().status)
    assert.equal("limit", results[2])
    assert_emptied(folder)
    posted({}, function(stream) stream:save("x", { root = folder, limit = "much" }) end)
    assert.equal(1, #test.log.take("stream:save: limit must be a size", "error"))
  end)

  it("tells the digest of what it has saved", function()
    for name, size in pairs { sha256 = 1000000, sha512 = 1, md5 = 0 } do
      local folder, body = support.folder(), ("upload "):rep(150000):sub(1, size)
      local _, results = posted({ body = body }, function(stream)
        return stream:save("upload", { root = folder, hash = name })
      end)
      assert.same({ size, weir.hex.encode(weir.hash(name, body)) }, results)
      assert.is_true(support.read_file(folder .. "/upload") == body)
    end
  end)

  it("says which hash it does not have", function()
    for _, hash in ipairs { "sha1024", 256, true } do
      posted({}, function(stream) stream:save("x", { root = "/", hash = hash }) end)
      assert.matches('body_spec.lua:%d+: stream:save: hash must be the name of a digest that weir.hash has, like '
        .. '"sha256", got', test.log.take(nil, "error")[1].text)
    end
  end)

  -- One piece at a time: the next is sent when the one before was told.
  it("tells the little that a slow client sends when it comes, and what comes slowly in much", function()
    local folder, seen, results = support.folder(), {}, nil
    local server = support.serve(function(app)
      app:post("/", function(stream)
        local function on_progress(bytes) seen[#seen + 1] = bytes end
        results = { stream:save("upload", { root = folder, on_progress = on_progress }) }
      end)
    end)
    local client, sent = server:connect(), 0
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100007\r\n\r\n")
    for _, n in ipairs { 1, 2, 50000, 3, 50000, 1 } do
      client:send(("x"):rep(n))
      sent = sent + n
      test.eventually(function() return seen[#seen] == sent end)
    end
    assert.equal(204, client:receive_response().status)
    assert.same({ 100007 }, results)
  end)

  it("does not take what its disk does not", function()
    local folder, channel, received = support.folder(), weir.channel(0), 0
    local server = support.serve(function(app)
      app:post("/", function(stream)
        stream:save("upload", { root = folder, on_progress = function()
          received = stream.received
          channel:recv()
          received = stream.received
        end })
      end)
    end)
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. 2 ^ 24 .. "\r\n\r\n")
    local sending = weir.spawn(function() return client:send(("x"):rep(2 ^ 24)) end)
    for _ = 1, 5 do
      test.eventually(function() return received > 0 end)
      local before = received
      channel:send(true)
      test.eventually(function() return received > before end)
      assert.is_true(received - before <= 1024 * 1024, received - before)
    end
    client:close()
    channel:close()
    sending:join()
    assert_emptied(folder)
  end)

  it("says what is wrong with a path that cannot be written", function()
    local root = support.folder()
    local response, results = posted({ body = "x" }, function(stream)
      return stream:save(("x"):rep(256), { root = root })
    end)
    assert.is_nil(results[1])
    assert.equal("ENAMETOOLONG", results[2])
    assert.equal(404, response.status)
    response, results = posted({ body = "x" }, function(stream)
      return stream:save(("x"):rep(255), { root = root })
    end)
    assert.equal(200, response.status)
    assert.same({ 1 }, results)
    assert.same({ ("x"):rep(255) }, weir.fs.list(root))
    results = select(2, posted({ body = "x" }, function(stream)
      return stream:save("upload", { root = root .. "/missing" })
    end))
    assert.equal("ENOENT", results[2])
  end)

  for code, status in pairs { ENOSPC = 507, EIO = 500, EMFILE = 503 } do
    it("is no success when the system says " .. code, function()
      local folder, seen = support.folder(), nil
      local server = support.serve(function(app)
        app:put("/", function(stream)
          test.fault("file_write", code)
          local bytes
          bytes, seen = stream:save("upload", { root = folder })
          return bytes and "saved" or seen
        end)
      end)
      assert.equal(status, server:put("/", { body = "some text" }).status)
      assert.equal(code, seen)
      assert_emptied(folder)
    end)
  end
end)

describe("a body that never becomes whole", function()
  after_each(support.remove_folders)

  local text = [[
    local weir = require "weir"
    local app = weir.app()
    weir.limits { progress_timeout = 0.1 }
    app:post("/read", function(stream)
      local first = stream:read()
      local rest, why = stream:read()
      return { first, tostring(rest), why }
    end)
    app:post("/chunks", function(stream) for _ in stream:chunks() do end end)
    app:post("/body", function(stream) stream:body() end)
    app:post("/json", function(stream) stream:json_body() end)
    return app
  ]]
  local endings = {
    closed = { 400, "the request body is incomplete", function(client) client:shutdown() end },
    timeout = { 408, "the rest of the request body did not arrive in time", function() end },
  }
  for why, ending in pairs(endings) do
    it("is told by read, and fails otherwise: " .. why, function()
      local server = support.serve_text(text)
      for _, path in ipairs { "/read", "/chunks", "/body", "/json" } do
        local client = server:connect()
        client:send("POST " .. path .. " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
          .. "Content-Length: 10\r\n\r\n[1,")
        ending[3](client)
        local response = client:receive_response()
        if path == "/read" then
          assert.same({ "[1,", "nil", why }, response.json())
        else
          assert.same({ ending[1], ending[2] }, { response.status, response.body })
        end
      end
    end)
  end
end)

describe("a body that is not read", function()
  it("does not disturb the next request of the connection", function()
    local server = support.serve(function(app)
      app:post("/ignore", function() return "ignored" end)
      app:get("/", function() return "next" end)
    end)
    local client = server:connect()
    client:send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert.equal("ignored", client:receive_response().body)
    client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.equal("next", client:receive_response().body)
  end)
end)
