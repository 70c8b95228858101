-- Multipart forms: parts, and form for small ones (lua/REFERENCE.md).

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function typed(boundary) return { ["Content-Type"] = "multipart/form-data; boundary=" .. boundary } end

-- What `read(stream)` gives for a body sent that way.
local function posted(body, read, headers)
  local results
  local server = support.serve(function(app)
    app:post("/", function(stream)
      results = { read(stream) }
      return "read"
    end)
  end)
  return server:post("/", { body = body, headers = headers or typed "b" }), results
end

-- A part whose Content-Disposition goes on with `more`.
local function part(name, content, more, fields)
  return ('--b\r\nContent-Disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'):format(name, more or "", fields or "",
    content)
end

local function form(...) return table.concat({ ... }) .. "--b--\r\n" end

local function first_part(stream, limits)
  local step, state = stream:parts(limits)
  return step(state)
end

local function all_parts(limits)
  return function(stream)
    local list = {}
    for each in stream:parts(limits) do
      list[#list + 1] = { name = each.name, filename = each.filename, type = each.type, body = each:body() }
    end
    return list
  end
end

-- A form that is sent in pieces, on a connection of its own; `serve(stream)` answers.
local function slow(serve, options)
  local server = support.serve(function(app) app:post("/", serve) end)
  local client = server:connect()
  client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    .. (options or "Transfer-Encoding: chunked") .. "\r\n\r\n")
  local function send(bytes) client:send(("%x\r\n%s\r\n"):format(#bytes, bytes)) end
  return client, send
end

describe("parts", function()
  it("gives each part's name, file name, type, header fields and bytes", function()
    local seen
    local body = form(part("title", "a\r\n--bb\r\nb"),
      part("photo", "\0\255", '; filename="a.jpg"', "Content-Type: Image/JPEG; q=1\r\nX-Twice: 1\r\nx-twice: 2\r\n"))
    local _, results = posted(body, function(stream)
      local list = {}
      for each in stream:parts() do
        seen = each.headers
        list[#list + 1] = { each.name, each.filename, each.type, each:body() }
      end
      return list
    end)
    assert.same({ { "title", nil, nil, "a\r\n--bb\r\nb" }, { "photo", "a.jpg", "image/jpeg", "\0\255" } }, results[1])
    assert.same({
      ["content-disposition"] = 'form-data; name="photo"; filename="a.jpg"', ["content-type"] = "Image/JPEG; q=1",
      ["x-twice"] = "1, 2",
    }, seen)
  end)

  it("of a form without parts are none", function()
    local _, results = posted("--b--\r\n", all_parts())
    assert.same({}, results[1])
  end)

  it("names a file so that it may be used as a name, and keeps what was sent", function()
    for sent, want in pairs { ["../../etc/passwd"] = "passwd", ["C:\\a\\con.txt"] = "_con.txt", [".."] = "file",
      ["a%22b"] = 'a"b', ["\255x"] = "_x" } do
      local _, results = posted(form(part("f", "", ('; filename="%s"'):format(sent))), function(stream)
        local each = first_part(stream)
        return each.filename, each.headers["content-disposition"]
      end)
      assert.equal(want, results[1])
      assert.truthy(results[2]:find(sent, 1, true))
    end
  end)

  it("takes filename* before filename, and a file input that was left empty for no file", function()
    local _, results = posted(form(part("a", "x", "; filename=y; filename*=utf-8''%e2%82%ac"),
      part("b", "", '; filename=""', "Content-Type: application/octet-stream\r\n")), all_parts())
    assert.same({ { name = "a", filename = "€", body = "x" },
      { name = "b", type = "application/octet-stream", body = "" } }, results[1])
  end)

  it("drops what stands before the first and behind the last boundary", function()
    local _, results = posted("preamble\r\n" .. form(part("a", "x")) .. ("--b\r\n\r\n"):rep(100000), all_parts())
    assert.same({ { name = "a", body = "x" } }, results[1])
  end)

  it("skips what is left of a part", function()
    local _, results = posted(form(part("a", ("x"):rep(200000)), part("b", ("y"):rep(200000)), part("c", "z")),
      function(stream)
        local list = {}
        for each in stream:parts { field_bytes = "1MB" } do
          list[#list + 1] = each.name .. (each.name == "b" and each:read(2) or "")
        end
        return list
      end)
    assert.same({ "a", "byy", "c" }, results[1])
  end)

  it("gives bytes before the rest has come", function()
    local pieces = {}
    local client, send = slow(function(stream)
      for each in stream:parts() do
        for piece in each:chunks() do pieces[#pieces + 1] = each.name .. ":" .. piece end
      end
      return "all"
    end)
    send(part("a", "first"):sub(1, -3))
    test.eventually(function() return pieces[1] end)
    send "second\r\n--"
    test.eventually(function() return pieces[2] end)
    send("x\r\n" .. form(part("b", "third")))
    client:send "0\r\n\r\n"
    assert.equal("all", client:receive_response().body)
    assert.equal("a:firsta:seconda:\r\n--a:xb:third", table.concat(pieces))
  end)

  it("of a body in single bytes are the same", function()
    local bytes = {}
    local body = form(part("a", "x\r\n--bb\r\ny", '; filename="n"'), part("b", ""))
    for byte in body:gmatch "." do bytes[#bytes + 1] = byte end
    local _, results = posted(bytes, all_parts())
    assert.same({ { name = "a", filename = "n", body = "x\r\n--bb\r\ny" }, { name = "b", body = "" } }, results[1])
  end)

  it("reads 1 to n bytes, then nil, again and again", function()
    local content = ("\r\n--b-"):rep(20) .. "x"
    for _, n in ipairs { 1, 3, 1000 } do
      local _, results = posted(form(part("a", content)), function(stream)
        local each, pieces = first_part(stream), {}
        for piece in function() return each:read(n) end do
          assert(#piece >= 1 and #piece <= n)
          pieces[#pieces + 1] = piece
        end
        return table.concat(pieces) .. tostring(each:read(n))
      end)
      assert.equal(content .. "nil", results[1])
    end
  end)

  it("gives all of a large file, in constant memory", function()
    local size, read = 32 * 1024 * 1024, 0
    local server = support.serve(function(app)
      app:post("/", function(stream)
        for each in stream:parts() do
          for piece in each:chunks() do
            read = read + #piece
            assert(#piece <= 65536)
          end
        end
        return "all"
      end)
    end)
    local head, tail = part("a", "", '; filename="x"'):sub(1, -3), "\r\n--b--\r\n"
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
      .. #head + size + #tail .. "\r\n\r\n" .. head)
    local block, most = ("0123456789abcde\r"):rep(65536), 0
    local sending = weir.spawn(function()
      for _ = 1, size / #block do
        client:send(block)
        collectgarbage()
        most = math.max(most, collectgarbage "count")
      end
      client:send(tail)
    end)
    assert.equal("all", client:receive_response().body)
    sending:join()
    assert.equal(size, read)
    assert.is_true(most < 16 * 1024, most .. " KiB")
  end)
end)

describe("a part", function()
  it("is read within its step of the loop", function()
    local _, results = posted(form(part("a", "x"), part("b", "y")), function(stream)
      local first, errors = nil, {}
      for each in stream:parts() do
        first = first or each
        if each ~= first then
          for _, name in ipairs { "read", "chunks", "body", "save" } do
            errors[#errors + 1] = select(2, pcall(first[name], first))
          end
        end
      end
      errors[#errors + 1] = select(2, pcall(first.read, first))
      return errors
    end)
    assert.equal(5, #results[1])
    for _, err in ipairs(results[1]) do assert.matches("the form has gone on to the next part", err) end
  end)

  it("says when it is called without itself, and what a size must be", function()
    local _, results = posted(form(part("a", "x")), function(stream)
      local each = first_part(stream)
      return { select(2, pcall(each.read)), select(2, pcall(each.read, each, 0)),
        select(2, pcall(each.body, each, "x")) }
    end)
    assert.matches("write part:read%(%.%.%.%), with a colon", results[1][1])
    assert.matches("part:read: argument 1 %(n%) must be a whole number, 1 or more, got 0", results[1][2])
    assert.matches("part:body: argument 1 %(limit%) must be a size", results[1][3])
  end)

  it("at the limit of its body is read, beyond it 413", function()
    local function read(stream) return first_part(stream):body(3) end
    local response, results = posted(form(part("a", "xyz")), read)
    assert.equal(200, response.status)
    assert.equal("xyz", results[1])
    response = posted(form(part("a", "xyz!")), read)
    assert.equal(413, response.status)
    assert.equal('the field "a" is longer than 3 bytes', response.body)
  end)
end)

describe("the limits of parts", function()
  local file = '; filename="x"'
  local cases = {
    { "parts", 2, form(part("a", ""), part("b", "")), form(part("a", ""), part("b", ""), part("c", "")), 400,
      "the form has too many parts" },
    { "field_bytes", 3, form(part("a", "xyz"), part("f", "long", file)), form(part("a", "xyz!")), 413,
      'the field "a" is longer than 3 bytes' },
    { "field_bytes", 3, form(part("a", "xyz", '; filename=""')), form(part("a", "xyz!", '; filename=""')), 413,
      'the field "a" is longer than 3 bytes' },
    { "file_bytes", "3", form(part("a", "long"), part("f", "xyz", file)), form(part("f", "xyz!", file)), 413,
      'the file "f" is longer than 3 bytes' },
    { "head_bytes", #part("a", "") - #"--b\r\n" - #"\r\n", form(part("a", "")), form(part("ab", "")), 400,
      "the header lines of a part of the form are too long" },
  }
  for _, case in ipairs(cases) do
    local name, limit, good, bad, status, message = unpack(case)
    it("hold: " .. name .. ", of parts that are skipped too", function()
      for _, read in ipairs { all_parts { [name] = limit }, function(stream)
        for _ in stream:parts { [name] = limit } do end
      end } do
        assert.equal(200, (posted(good, read)).status)
        local response = posted(bad, read)
        assert.equal(status, response.status)
        assert.equal(message, response.body)
      end
    end)
  end

  it("are 1,000 parts, 100 lines and 8 KiB of a head and the limit body_bytes of a field without them", function()
    local parts = {}
    for i = 1, 10000 do parts[i] = part("a", "") end
    local function body(n) return form(table.concat(parts, "", 1, n)) end
    assert.equal(200, (posted(body(1000), all_parts())).status)
    assert.equal(400, (posted(body(1001), all_parts())).status)
    assert.equal(400, (posted(body(10000), all_parts())).status)
    local head = 8192 - #part("a", "") + #"--b\r\n" + #"\r\n"
    local function field(n) return "X: " .. ("x"):rep(n - 5) .. "\r\n" end
    assert.equal(200, (posted(form(part("a", "", "", field(head))), all_parts())).status)
    assert.equal(400, (posted(form(part("a", "", "", field(head + 1))), all_parts())).status)
    assert.equal(400, (posted(form(part("a", "", "", field(65536))), all_parts())).status)
    assert.equal(400, (posted(form(part("a", "", "", ("X: y\r\n"):rep(5000))), all_parts())).status)
    local function lines(n) -- with that of the name
      local list = {}
      for i = 2, n do list[#list + 1] = "X-" .. i .. ": y\r\n" end
      return table.concat(list)
    end
    assert.equal(200, (posted(form(part("a", "", "", lines(100))), all_parts())).status)
    assert.equal(400, (posted(form(part("a", "", "", lines(101))), all_parts())).status)
    local most = 1024 * 1024
    assert.equal(200, (posted(form(part("a", ("x"):rep(most))), all_parts())).status)
    assert.equal(413, (posted(form(part("a", ("x"):rep(most + 1))), all_parts())).status)
    assert.equal(413, (posted(form(part("a", ("x"):rep(most + 1), file)), all_parts())).status) -- part:body's own
  end)

  it("are sizes and a number, and no others", function()
    for limits, message in pairs {
      [{ parts = -1 }] = "stream:parts: parts must be a whole number, 0 or more, got %-1",
      [{ head_bytes = "2MB" }] = "stream:parts: head_bytes must be 1MB at most, got 2097152",
      [{ field_bytes = {} }] = "stream:parts: field_bytes must be a size",
      [{ file_bytes = "x" }] = "stream:parts: file_bytes must be a size",
      [{ files = 1 }] = 'stream:parts: unknown option "files"',
    } do
      local _, results = posted(form(), function(stream)
        local ok, why = pcall(function() for _ in stream:parts(limits) do end end)
        return not ok and why
      end)
      assert.matches(message, results[1])
      assert.matches("parts_spec.lua:%d+", results[1])
    end
  end)
end)

describe("a form that is broken", function()
  local cases = {
    { "has no last boundary", part("a", "x"), "the form ends without its last boundary" },
    { "has another boundary", "--c\r\n\r\nx\r\n--c--\r\n", "the form ends without its last boundary" },
    { "does not begin", ("x"):rep(10000), "the form does not begin with the boundary that its Content-Type names" },
    { "is empty", "", "the form ends without its last boundary" },
    { "has no Content-Disposition", "--b\r\n\r\nx\r\n--b--",
      "a part of the form has no Content-Disposition of form-data with a name" },
    { "has no name", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
      "a part of the form has no Content-Disposition of form-data with a name" },
    { "has no empty line", "--b\r\nContent-Disposition: form-data; name=a\r\n--b--\r\n",
      "a part of the form does not begin with header lines and an empty line" },
    { "has lines that are no fields", '--b\r\nContent-Disposition: form-data; name="a"\r\nx\r\n\r\n\r\n--b--',
      "a part of the form has a line in its head that is no header field" },
    { "has a malformed filename*", form(part("a", "x", "; filename*=utf-8''%")),
      "a part of the form has a filename* that is malformed" },
    { "is nested", form(part("a", "x", "", "Content-Type: multipart/mixed; boundary=c\r\n")),
      "a part of the form has parts itself; send each file as a part of its own" },
    { "has much behind a boundary", "--b" .. (" "):rep(33) .. "\r\n\r\n\r\n--b--",
      "a boundary of the form has too much white space behind it" },
  }
  for _, case in ipairs(cases) do
    it("is 400, in parts and as a form, when it " .. case[1], function()
      for _, read in ipairs { all_parts(), function(stream) return stream:form() end } do
        local response = posted(case[2], read)
        assert.equal(400, response.status)
        assert.equal(case[3], response.body)
      end
    end)
  end

  it("is broken whenever it is asked for", function()
    local _, results = posted(form(part("a", "x"), "--b\r\n\r\n"), function(stream)
      local step, state = stream:parts()
      local first = step(state)
      local list = { first.name }
      for _ = 1, 2 do
        local _, err = pcall(step, state)
        list[#list + 1] = err.status
      end
      return list
    end)
    assert.same({ "a", 400, 400 }, results[1])
  end)

  it("is told by read, with a code and a message", function()
    local _, results = posted(part("a", "xyz"), function(stream)
      local each = first_part(stream)
      return each:read(), each:read(), each:read()
    end)
    assert.same({ "xyz", nil, nil, "malformed", "the form ends without its last boundary" },
      { results[1], results[2], results[3], results[4], results[5] })
    _, results = posted(form(part("a", "xyz")), function(stream)
      return first_part(stream, { field_bytes = 2 }):read()
    end)
    assert.same({ nil, "limit", 'the field "a" is longer than 2 bytes' }, { results[1], results[2], results[3] })
  end)

  it("can be caught where an answer has begun", function()
    local server = support.serve(function(app)
      app:post("/", function(stream)
        stream:write "begun: "
        local ok, err = pcall(function()
          for each in stream:parts() do each:body() end
        end)
        stream:write(ok and "good" or ("%d %s"):format(err.status, err.body))
      end)
    end)
    local response = server:post("/", { body = part("a", "x"), headers = typed "b" })
    assert.equal("begun: 400 the form ends without its last boundary", response.body)
  end)

  it("is 415 of another type, 400 without a boundary or with one of 71 bytes", function()
    for type, status in pairs { ["text/plain"] = 415, ["multipart/mixed; boundary=b"] = 415,
      ["multipart/form-data"] = 400, ["multipart/form-data; boundary=" .. ("b"):rep(71)] = 400,
      ['Multipart/Form-Data; boundary="b"; x=y'] = 200 } do
      local headers = { ["Content-Type"] = type }
      assert.equal(status, (posted(form(part("a", "")), all_parts(), headers)).status, type)
      local function read(stream) return stream:form() end
      assert.equal(status, (posted(form(part("a", "")), read, headers)).status, type)
    end
    assert.equal(415, (posted(form(), all_parts(), {})).status)
  end)
end)

describe("a client that vanishes within a form", function()
  it("is told as closed when it only stops sending", function()
    for _, how in ipairs { "read", "parts" } do
      local results
      local client, send = slow(function(stream)
        for each in stream:parts() do
          if how == "read" then
            each:read()
            results = { each:read() }
          end
        end
      end)
      send(part("a", "x"):sub(1, -3))
      client:shutdown()
      local response = client:receive_response()
      assert.equal(400, response.status)
      assert.equal("the request body is incomplete", response.body)
      if how == "read" then assert.same({ nil, "closed", "the request body is incomplete" }, results) end
    end
  end)

  it("cancels the task, and nothing is left", function()
    local entered, reason
    local client, send = slow(function(stream)
      stream:on_close(function(why) reason = why end)
      for each in stream:parts() do
        entered = each:read()
        each:body()
      end
    end)
    send(part("a", "x"):sub(1, -3))
    test.eventually(function() return entered end)
    client:reset()
    test.eventually(function() return reason end)
    assert.equal("client", reason)
  end)

  it("is 408 when it stays and sends nothing", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      weir.limits { progress_timeout = 0.1 }
      app:post("/", function(stream) for part in stream:parts() do part:body() end end)
      return app
    ]]
    local client = server:connect()
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
      .. "Content-Length: 100\r\n\r\n--b")
    assert.equal(408, client:receive_response().status)
  end)

  it("is closed for a handler that outlives it", function()
    local results
    local client, send = slow(function(stream)
      stream:detach()
      for each in stream:parts() do
        each:read()
        results = { each:read() }
      end
    end)
    send(part("a", "x"):sub(1, -3))
    test.settle()
    client:reset()
    test.eventually(function() return results end)
    assert.same({ nil, "closed", "the request body is incomplete" }, results)
  end)
end)

describe("a body that is read in parts", function()
  after_each(support.remove_folders)

  it("is read in no other way, before or after", function()
    local other = ": this body is read by stream:parts"
    for name, message in pairs { read = other, chunks = other, save = other, body = "part of this body has been read",
      form = "part of this body has been read" } do
      local _, results = posted(form(part("a", "x")), function(stream)
        stream:parts()
        local path = name == "save" and "file" or nil
        local ok, step, state = pcall(stream[name], stream, path, { root = support.folder() })
        if name == "chunks" then ok, step = pcall(step, state) end
        return ok, step
      end)
      assert.is_false(results[1], name)
      assert.matches(message, results[2])
    end
    for _, name in ipairs { "read", "body" } do
      local _, results = posted(form(part("a", "x")), function(stream)
        stream[name](stream)
        return select(2, pcall(stream.parts, stream))
      end)
      assert.matches("stream:parts: .*body has been read", results[1])
    end
  end)

  it("is read once", function()
    local _, results = posted(form(part("a", "x")), function(stream)
      stream:parts()
      return select(2, pcall(stream.parts, stream))
    end)
    assert.matches("stream:parts: this body is read in parts already", results[1])
  end)

  it("is read by one task at a time", function()
    local err
    local client, send = slow(function(stream)
      for each in stream:parts() do
        local other = weir.spawn(function() each:body() end)
        weir.sleep(0)
        err = select(2, pcall(each.read, each))
        other:join()
      end
    end)
    send(part("a", ""):sub(1, -3))
    test.eventually(function() return err end)
    assert.matches("part:read: another task reads this body already", err)
    send("\r\n--b--")
    client:send "0\r\n\r\n"
    assert.equal(204, client:receive_response().status)
  end)

  it("leaves the connection to the next request", function()
    local server = support.serve(function(app)
      app:post("/", function(stream)
        return first_part(stream).name
      end)
      app:get("/", function() return "next" end)
    end)
    local client, body = server:connect(), form(part("a", "x"), part("b", "y"))
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
      .. #body .. "\r\n\r\n" .. body)
    assert.equal("a", client:receive_response().body)
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal("next", client:receive_response().body)
  end)
end)

describe("part:save", function()
  after_each(support.remove_folders)

  local function assert_only(folder, names)
    test.eventually(function() return table.concat(weir.fs.list(folder), " ") == names end)
  end
  local file = '; filename="x"'

  it("writes each part to a file, and tells lengths, digests and progress", function()
    local folder, progress = support.folder(), {}
    local large = ("0123456789\r\n--b"):rep(60000) .. "."
    local _, results = posted(form(part("a", "some text", file), part("b", large, file), part("c", "", file)),
      function(stream)
        local list = {}
        for each in stream:parts() do
          local size, digest = each:save(each.name .. ".txt", {
            root = folder, hash = "sha256",
            on_progress = function(bytes, total) progress[each.name] = { bytes, total } end,
          })
          list[#list + 1] = { size, digest }
        end
        return list
      end)
    local function digest(text) return weir.hex.encode(weir.hash("sha256", text)) end
    assert.same({ { 9, digest "some text" }, { #large, digest(large) }, { 0, digest "" } }, results[1])
    assert.same({ a = { 9 }, b = { #large } }, progress)
    assert.equal("some text", support.read_file(folder .. "/a.txt"))
    assert.is_true(support.read_file(folder .. "/b.txt") == large)
    assert_only(folder, "a.txt b.txt c.txt")
  end)

  it("of a part whose end comes later, and byte by byte", function()
    local folder, results = support.folder(), nil
    local client, send = slow(function(stream)
      local first = first_part(stream)
      local begun = first:read(2)
      results = { begun, first:save("a", { root = folder }) }
    end)
    for byte in form(part("a", "some\r\n--bb")):gmatch "." do
      send(byte)
      test.settle()
    end
    client:send "0\r\n\r\n"
    assert.equal(204, client:receive_response().status)
    local content = "some\r\n--bb"
    assert.equal(#content - #results[1], results[2])
    assert.equal(content, results[1] .. support.read_file(folder .. "/a"))
  end)

  it("keeps to limits, and leaves no file of what is longer", function()
    local folder = support.folder()
    local function save(content, limits, options)
      options.root = folder
      return posted(form(part("f", content, file)), function(stream)
        return first_part(stream, limits):save("f", options)
      end)
    end
    for _, case in ipairs { { {}, { limit = 4 } }, { { file_bytes = 4 }, {} } } do
      local response, results = save("12345", unpack(case))
      assert.equal(413, response.status)
      assert.same({ nil, "limit", 'the file "f" is longer than 4 bytes' }, results)
      assert_only(folder, "")
    end
    local response, results = save("1234", { file_bytes = 4 }, { limit = 4 })
    assert.equal(200, response.status)
    assert.equal(4, results[1])
  end)

  it("leaves no file of a part that breaks off or is malformed, and keeps the one before", function()
    for how, want in pairs {
      malformed = { 400, "malformed", "the form ends without its last boundary" },
      closed = { 400, "closed", "the request body is incomplete" },
    } do
      local folder, results = support.folder(), nil
      local client, send = slow(function(stream)
        for each in stream:parts() do
          results = { each:save(each.name, { root = folder }) }
          if not results[1] then return end
        end
      end)
      send(part("f", "whole", file) .. part("g", "not whole", file))
      if how == "malformed" then client:send "0\r\n\r\n" else client:shutdown() end
      assert.equal(want[1], client:receive_response().status)
      assert.same({ nil, want[2], want[3] }, results)
      assert_only(folder, "f")
    end
  end)

  it("leaves no file when the client vanishes", function()
    local folder, begun, reason = support.folder(), false, nil
    local client, send = slow(function(stream)
      stream:on_close(function(why) reason = why end)
      first_part(stream):save("f", { root = folder, on_progress = function() begun = true end })
    end)
    send(part("f", "not whole", file))
    test.eventually(function() return begun end)
    client:reset()
    test.eventually(function() return reason end)
    assert.equal("client", reason)
    assert_only(folder, "")
  end)

  it("is closed for a handler that outlives its client", function()
    local folder, begun, results = support.folder(), false, nil
    local client, send = slow(function(stream)
      stream:detach()
      results = { first_part(stream):save("f", { root = folder, on_progress = function() begun = true end }) }
    end)
    send(part("f", "not whole", file))
    test.eventually(function() return begun end)
    client:reset()
    test.eventually(function() return results end)
    assert.same({ nil, "closed", "the request body is incomplete" }, results)
    assert_only(folder, "")
  end)

  it("that fails lets the rest of the form be read", function()
    local folder = support.folder()
    local _, results = posted(form(part("f", "text", file), part("g", "text", file)), function(stream)
      local codes = {}
      for each in stream:parts() do
        if each.name == "f" then test.fault("file_write", "ENOSPC") end
        local bytes, code = each:save(each.name, { root = folder })
        codes[#codes + 1] = bytes or code
      end
      return codes
    end)
    assert.same({ "ENOSPC", 4 }, results[1])
    assert_only(folder, "g")
  end)

  it("goes where stream:save would", function()
    local folder = support.folder()
    local response, results = posted(form(part("f", "text", file)), function(stream)
      return first_part(stream):save("../f", { root = folder })
    end)
    assert.equal(404, response.status)
    assert.equal("EACCES", results[2])
    results = select(2, posted(form(part("f", "text", file)), function(stream)
      return pcall(first_part(stream).save, {}, "f")
    end))
    assert.matches("with a colon", results[2])
  end)
end)

describe("form", function()
  it("of a multipart body is the first value of each name; a file's is its bytes", function()
    local body = form(part("a", "1"), part("a", "2"), part("", ""), part("f", "\0\r\nx", '; filename="y"'))
    local _, results = posted(body,
      function(stream)
        local first, again = stream:form(), stream:form()
        assert.same(first, again)
        return first, stream:body()
      end)
    assert.same({ a = "1", [""] = "", f = "\0\r\nx" }, results[1])
    assert.matches("^%-%-b\r\n", results[2])
  end)

  it("is as large as the limit body_bytes, and has 1,000 parts", function()
    local function read(stream) return stream:form() end
    local rest = #form(part("a", ""))
    assert.equal(200, (posted(form(part("a", ("x"):rep(1024 * 1024 - rest))), read)).status)
    assert.equal(413, (posted(form(part("a", ("x"):rep(1024 * 1024 - rest + 1))), read)).status)
    assert.equal(200, (posted(form(part("a", ""):rep(1000)), read)).status)
    assert.equal(400, (posted(form(part("a", ""):rep(1001)), read)).status)
  end)
end)
