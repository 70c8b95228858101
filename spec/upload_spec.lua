-- Uploads to apps/upload: how they come, and what is told meanwhile. What clients that vanish, that do not read and
-- that are killed do is in tests/js/upload.test.mjs, the page is in tests/browser.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local uploading = require "spec.upload_support"
local json = weir.json

local token, ask, lines_of, put = uploading.token, uploading.ask, uploading.lines_of, uploading.put
local list, names, stored, refused = uploading.list, uploading.names, uploading.stored, uploading.refused
local form, post, open_put, running = uploading.form, uploading.post, uploading.open_put, uploading.running
local arrived, SHA_OF_ABC = uploading.arrived, uploading.SHA_OF_ABC

describe("an upload", function()
  before_each(uploading.begin)
  after_each(support.remove_folders)

  it("is answered with its hash, and is in the list", function()
    local result = put("abc.txt", "abc")
    assert.same({ "abc.txt", 3, SHA_OF_ABC }, { result.fileName, result.size, result.sha256 })
    local file = list().files[1]
    assert.same({ result.fileId, "ann", "abc.txt", 3, SHA_OF_ABC, "text/plain", "text" },
      { file.id, file.owner, file.name, file.size, file.sha256, file.type, file.preview })
    assert.same({ result.fileId }, stored())
  end)

  it("may be a form of many files", function()
    local answer = post { { 'name="a"; filename="one.txt"', "abc" }, { 'name="note"', "x" },
      { 'name="b"; filename="../two.txt"', "" } }
    assert.equal(200, answer.status, answer.body)
    local lines = lines_of(answer.body)
    assert.same({ "one.txt", SHA_OF_ABC, "two.txt", 0 },
      { lines[1][2].fileName, lines[1][2].sha256, lines[2][2].fileName, lines[2][2].size })
    assert.equal("one.txt, two.txt", names())
    assert.equal(2, #stored())
  end)

  it("keeps folders, and makes every segment of a name safe", function()
    for sent, name in pairs { ["photos/sea.jpg"] = "photos/sea.jpg", ["a/..%2Fb%25"] = "a/b%", [".env"] = "env",
      ["%5Cx%5Cy"] = "y" } do
      assert.equal(name, put(sent, "x").fileName)
    end
  end)

  it("has a name of at most 8 segments and 255 bytes", function()
    assert.equal("1/2/3/4/5/6/7/8", put("1/2/3/4/5/6/7/8", "x").fileName)
    refused(ask("PUT", "/files/1/2/3/4/5/6/7/8/9", { body = "x" }), 400, "name")
    local long = ("a"):rep(127)
    assert.equal(255, #put(long .. "/" .. ("b"):rep(127), "x").fileName)
    refused(ask("PUT", "/files/" .. long .. "/" .. ("b"):rep(128), { body = "x" }), 400, "name")
    long = ("%C3%A4"):rep(125) .. ".txt"
    assert.equal(("\195\164"):rep(125) .. ".txt", put(long, "x").fileName)
    assert.equal(("\195\164"):rep(123) .. " (2).txt", put(long, "x").fileName)
    refused(ask("PUT", "/files/", { body = "x" }), 400, "name")
  end)

  it("whose name is taken is kept beside it, or replaces it, or is skipped", function()
    local first = put("a.txt", "1")
    assert.equal("a (2).txt", put("a.txt", "2").fileName)
    assert.equal("a (3).txt", put("a.txt", "3").fileName)
    assert.equal("b/c", put("b/c", "").fileName)
    assert.equal("b/c (2)", put("b/c", "").fileName)
    assert.equal("a.txt", put("a.txt", "x", { as = "ben" }).fileName) -- each owner has names of their own
    local skipped = put("a.txt?collision=skip", "no")
    assert.same({ first.fileId, true }, { skipped.fileId, skipped.skipped })
    assert.equal("1", ask("GET", "/files/" .. first.fileId).body)
    local replacing = put("a.txt?collision=replace", "new")
    assert.same({ "a.txt", first.fileId }, { replacing.fileName, replacing.replaced })
    refused(ask("GET", "/files/" .. first.fileId), 404, "missing")
    assert.equal(200, ask("POST", "/files/" .. first.fileId .. "/restore").status)
    assert.equal("a (2).txt, a (3).txt, a (4).txt, a.txt, a.txt, b/c, b/c (2)", names())
    refused(ask("PUT", "/files/a.txt?collision=ask", { body = "" }), 400, "collision")
    local answer = post { { 'name="collision"', "skip" }, { 'name="f"; filename="a.txt"', "z" } }
    assert.is_true(lines_of(answer.body)[1][2].skipped)
  end)

  it("of one name at once wins once", function()
    local answers = weir.all {
      function() return put("same.txt", "one") end,
      function() return put("same.txt", "two") end,
      function() return put("same.txt", "three") end,
    }
    local got = {}
    for i, result in ipairs(answers) do got[i] = result.fileName end
    table.sort(got)
    assert.same({ "same (2).txt", "same (3).txt", "same.txt" }, got)
  end)

  it("needs a token, and a tag that is a word", function()
    local answer = uploading.server:put("/files/a.txt", { body = "x" })
    assert.equal(401, answer.status)
    refused(ask("PUT", "/files/a.txt?tag=a%20b", { body = "x" }), 400, "tag")
    refused(ask("PUT", "/files/a.txt?tag=" .. ("t"):rep(41), { body = "x" }), 400, "tag")
    assert.equal("a.txt", put("a.txt?tag=" .. ("t"):rep(40), "x").fileName)
  end)

  it("broken in any way leaves nothing", function()
    local wrong = {
      "", "--xyz", form { { 'name="a"; filename="f"', "text" } }:sub(1, -6), form { { 'filename="f"', "text" } },
      form { { 'name="a"; filename="f"\r\nContent-Disposition: form-data; name="b"', "x" } },
      form { { "name=\"a\"; filename*=UTF-8''%ZZ", "x" } }, form { { 'name="field"', "no file" } },
    }
    for _, body in ipairs(wrong) do
      local answer = post(body)
      assert.equal(400, answer.status, answer.body)
      assert.is_string(answer.json().errorCode)
    end
    assert.equal("", names())
    assert.same({}, stored())
    assert.equal(0, list().used)
  end)

  it("may have fields of 1 KB in a form", function()
    local file = { 'name="a"; filename="f"', "x" }
    assert.equal(200, post({ { 'name="note"', ("x"):rep(1024) }, file }).status)
    refused(post { { 'name="note"', ("x"):rep(1025) }, file }, 413, "limit")
  end)

  it("keeps what was complete in a form that breaks later", function()
    local body = form { { 'name="a"; filename="whole"', "abc" }, { 'name="b"; filename="half"', "abc" } }
    for i, broken in ipairs { body:sub(1, -9), body:sub(1, -12), body:sub(1, -30), body .. "x" } do
      local answer = post(broken)
      local lines = lines_of(answer.body)
      assert.equal(200, answer.status)
      assert.same(i < 4 and { "result", "error" } or { "result", "result" }, { lines[1][1], lines[2][1] })
      assert.equal(i < 4 and "malformed" or nil, lines[2][2].errorCode)
      assert.equal(i < 4 and i or 5, #stored())
    end
  end)

  it("that fails behind many files tells what it can to who reads nothing before it has sent all", function()
    local parts = {}
    for i = 1, 100 do parts[i] = { ('name="f"; filename="%s%d"'):format(("n"):rep(200), i), "x" } end
    parts[101] = { 'name="f"', ("x"):rep(1025) }
    parts[102] = { 'name="f"; filename="last"', ("x"):rep(16 * 1024 ^ 2) }
    local body = form(parts)
    local client = test.connect(uploading.server.port)
    client:send(("POST /files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
      .. "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"):format(token "ann", #body))
    assert(client:send(body))
    local answer = assert(client:receive "error: [^\n]*\n\n")
    assert.is_truthy(answer:find('"errorCode":"limit"', 1, true))
    local _, told = answer:gsub("result: ", "")
    assert.is_true(told > 10 and #answer < 40000, #answer .. " bytes")
    assert.equal(100, #list().files)
    client:close()
  end)
end)

describe("what an upload may take", function()
  before_each(function() uploading.begin { UPLOAD_QUOTA = "1000", UPLOAD_LIMIT = "600" } end)
  after_each(support.remove_folders)

  it("is told before", function()
    assert.same({ 1000, 600, 0 }, { list().quota, list().limit, list().used })
    put("a", ("x"):rep(600))
    assert.equal(600, list().used)
    assert.equal(0, list("ben").used)
  end)

  it("ends at the limit of a file, told or not", function()
    refused(ask("PUT", "/files/a", { body = ("x"):rep(601) }), 413, "limit")
    assert.equal(600, put("a", { ("x"):rep(300), ("x"):rep(300) }).size)
    refused(ask("PUT", "/files/b", { body = { ("x"):rep(300), ("x"):rep(301) }, as = "ben" }), 413, "limit")
    assert.equal("a", names())
    assert.equal(1, #stored())
  end)

  it("ends at the quota, told or not, and what is on its way counts", function()
    put("a", ("x"):rep(600))
    refused(ask("PUT", "/files/b", { body = ("x"):rep(401) }), 507, "quota")
    local client = open_put("c", 300, "x")
    running(1)
    assert.equal(900, list().used)
    refused(ask("PUT", "/files/b", { body = ("x"):rep(101) }), 507, "quota")
    refused(ask("PUT", "/files/b", { body = { ("x"):rep(100), "x" } }), 507, "quota")
    put("d", ("x"):rep(100))
    client:close()
    running(0)
    assert.equal(700, list().used)
    local two = form { { 'name="f"; filename="1"', ("x"):rep(600) }, { 'name="f"; filename="2"', ("x"):rep(400) } }
    local headers = { ["Content-Type"] = "multipart/form-data; boundary=xyz" }
    local lines = lines_of(ask("POST", "/files", { body = { two }, headers = headers, as = "eve" }).body)
    assert.same({ 600, 400 }, { lines[1][2].size, lines[2][2].size }) -- of a form without a length
    put("e", { ("x"):rep(300) })
    refused(ask("PUT", "/files/f", { body = "x" }), 507, "quota")
    assert.equal("f", put("f", "x", { as = "ben" }).fileName)
  end)

  it("is room that what was deleted gives up, the oldest first", function()
    local first, second = put("a", ("x"):rep(500)), put("b", ("x"):rep(500))
    ask("DELETE", "/files/" .. first.fileId)
    test.clock.advance(1)
    ask("DELETE", "/files/" .. second.fileId)
    put("c", ("x"):rep(400))
    refused(ask("POST", "/files/" .. first.fileId .. "/restore"), 404, "missing")
    assert.equal(200, ask("POST", "/files/" .. second.fileId .. "/restore").status)
    assert.equal("b, c", names())
    assert.equal(2, #stored())
  end)

  it("is refused with a status where the disk is full or broken, and nothing is left", function()
    for code, status in pairs { ENOSPC = 507, EIO = 500 } do
      test.fault("file_write", code)
      refused(ask("PUT", "/files/a", { body = "x" }), status, code == "ENOSPC" and "disk" or "io")
      test.fault_reset()
    end
    assert.is_truthy(test.log.take("cannot be written", "error")[1].text:find("EIO", 1, true))
    assert.same({}, stored())
    assert.equal(0, list().used)
  end)
end)

describe("an upload whose store fails", function()
  before_each(uploading.begin)
  after_each(support.remove_folders)

  for step, what in ipairs { "begins", "gets its place" } do
    it("when it " .. what .. " is refused, and leaves nothing", function()
      token "ann"
      test.fault("store_write", "EIO", step - 1)
      local answer = ask("PUT", "/files/a", { body = "x" })
      refused(answer, 503, "store")
      assert.is_truthy(answer.json().message:find("(i/o error)", 1, true))
      test.fault_reset()
      test.log.take()
      assert.same({}, stored())
      assert.same({ 0, "" }, { list().used, names() })
    end)
  end

  it("cannot be found, which is not that there is none", function()
    local id = put("a", "x").fileId
    test.fault("store_read", "EIO", 0, 2)
    refused(ask("GET", "/files/" .. id), 503, "store")
    refused(ask("DELETE", "/uploads/" .. id), 503, "store")
    assert.equal("x", ask("GET", "/files/" .. id).body)
  end)

  it("when it ends is kept, and its room comes back when the store does", function()
    token "ann"
    test.fault("store_write", "EIO", 2)
    assert.equal("a", put("a", "x").fileName)
    assert.is_truthy(test.eventually(function() return test.log.take("cannot be stored", "warn")[1] end))
    assert.equal(1, #list().running)
    test.clock.advance(1)
    running(0)
    test.log.take()
  end)
end)

describe("an upload on its way", function()
  before_each(uploading.begin)
  after_each(support.remove_folders)

  local function events_of(path, as, id)
    local headers = { Authorization = "Bearer " .. token(as or "ben") }
    return uploading.server:sse(path, { headers = headers, last_event_id = id })
  end

  -- The next event of that name, as { name, data }.
  local function await(events, name)
    local event
    repeat event = assert(events:next()) until event.event == name
    return json.decode(event.data), event
  end

  it("is told in lines to who sends it, while it is sent", function()
    local client = open_put("a.txt", 200, ("x"):rep(100))
    running(1)
    client:send(("x"):rep(10))
    arrived(110)
    local head = client:receive("\n\n", 5)
    assert.is_truthy(head:find("HTTP/1.1 200", 1, true))
    assert.is_truthy(head:lower():find "upload%-id: %x+")
    assert.is_truthy(head:lower():find("x-accel-buffering: no", 1, true))
    assert.same({ "data", { stage = "receiving", progress = 55, message = "a.txt: 110 bytes of 200 bytes" } },
      lines_of(head)[1])
    client:send(("x"):rep(90))
    assert.is_truthy(client:receive("result: [^\n]*\n\n", 5))
    client:close()
  end)

  for _, line in ipairs { "X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1" } do
    it("is told in lines when all of it is there to who sends it by a proxy: " .. line, function()
      uploading.begin { UPLOAD_SECRET = ("s"):rep(32) }
      local client = open_put("a.txt", 200, ("x"):rep(100), line)
      running(1)
      client:send(("x"):rep(10))
      arrived(110)
      client:send(("x"):rep(90))
      local answer = client:receive("result: [^\n]*\n\n", 5)
      assert.is_nil(answer:find("receiving", 1, true), answer)
      client:close()
    end)
  end

  it("whose links are asked for by a proxy has its scheme and its name in them", function()
    uploading.begin { UPLOAD_SECRET = ("s"):rep(32) }
    local path = "/files/" .. put("a.txt", "x").fileId .. "/share"
    local answer = ask("POST", path, { body = '{"seconds": 60}', headers = { ["Content-Type"] = "application/json",
      ["X-Forwarded-Proto"] = "https", ["X-Forwarded-Host"] = "a.example:8443" } })
    assert.matches("^https://a%.example:8443/s/", answer.json().link)
  end)

  it("is told to its end, whatever its name, to who reads nothing", function()
    local name = "x" .. ("\195\164"):rep(120) .. ".txt"
    local client = open_put(name:gsub("[\128-\255]", function(c) return ("%%%02X"):format(c:byte()) end), 10000, "")
    running(1)
    for i = 1, 99 do
      client:send(("x"):rep(100))
      arrived(100 * i)
    end
    client:send(("x"):rep(100))
    local answer = client:receive("result: [^\n]*\n\n", 5)
    for i = 1, 99 do
      local line = ('data: {"message":"x%s…: %s of 9.8 KB","progress":%d,'):format(("\195\164"):rep(19),
        100 * i < 1024 and 100 * i .. " bytes" or ("%.1f KB"):format(100 * i / 1024), i)
      assert.is_truthy(answer:find(line, 1, true), line)
    end
    client:close()
  end)

  it("is seen by others as it moves, at most 10 times a second, and to its end", function()
    local events = events_of "/events"
    assert.equal("weir.hello", events:next().event)
    assert.same({}, await(events, "upload.listed").files)
    local client = open_put("a.txt?tag=t1", 1000, "x")
    local begun = await(events, "upload.begun")
    assert.same({ "ann", "a.txt", 1000, "t1" }, { begun.owner, begun.name, begun.total, begun.tag })
    local one = events_of("/uploads/" .. begun.id)
    for i = 1, 8 do
      client:send(("x"):rep(100))
      arrived(1 + 100 * i, 0.05)
    end
    client:send(("x"):rep(199))
    local told = 0
    local event
    repeat
      event = assert(events:next())
      if event.event == "upload.progress" then told = told + 1 end
    until event.event == "upload.ended"
    assert.is_true(told >= 8 and told <= 9, told) -- each once, and the last one maybe
    local ended = json.decode(event.data)
    assert.same({ begun.id, "done", "a.txt" }, { ended.id, ended.state, ended.files[1].fileName })
    local last
    repeat
      event = one:next()
      if event and event.event == "upload.ended" then last = json.decode(event.data) end
    until not event or event.event == "weir.end"
    assert.equal("done", last.state)
    client:close()
  end)

  it("is in the list with how far it is, and nothing is lost between list and stream", function()
    local client = open_put("a.txt", 200, ("x"):rep(100))
    local id = running(1).id
    client:send(("x"):rep(20))
    arrived(120)
    assert.equal(60, list("ben").running[1].progress.progress)
    local position = list("ben").position
    client:send(("x"):rep(80))
    running(0)
    local events = events_of("/events", "ben", position)
    local added = await(events, "file.added")
    assert.equal("a.txt", added.name)
    assert.equal(id, await(events, "upload.ended").id)
    client:close()
  end)

  it("can be cancelled by its owner, from anywhere, and leaves nothing", function()
    local client = open_put("a.txt", 200, ("x"):rep(100))
    local id = running(1).id
    local events = events_of "/events"
    await(events, "upload.listed")
    refused(ask("DELETE", "/uploads/" .. id, { as = "ben" }), 403, "owner")
    assert.equal(204, ask("DELETE", "/uploads/" .. id).status)
    local ended = await(events, "upload.ended")
    assert.same({ id, "cancelled", "cancelled" }, { ended.id, ended.state, ended.error.errorCode })
    assert.is_truthy(client:receive("errorCode", 5):find("409", 1, true))
    assert.same({}, stored())
    assert.equal(0, list().used)
    refused(ask("DELETE", "/uploads/" .. id), 404, "missing")
    client:close()
  end)

  it("that has begun to answer is cancelled with a line", function()
    local client = open_put("a.txt", 200, ("x"):rep(100))
    local id = running(1).id
    arrived(100)
    client:receive("\n\n", 5)
    ask("DELETE", "/uploads/" .. id)
    assert.same({ "error", { message = "the upload was cancelled", errorCode = "cancelled" } },
      lines_of(client:receive("error: [^\n]*\n\n", 5):match "error:.*")[1])
    client:close()
  end)

  it("whose client goes away is told as failed", function()
    local events = events_of "/events"
    await(events, "upload.listed")
    for _, leave in ipairs { "close", "reset", "shutdown" } do
      local client = open_put("a.txt", 200, ("x"):rep(100))
      await(events, "upload.begun")
      client[leave](client)
      local ended = await(events, "upload.ended")
      assert.same({ "failed", "closed" }, { ended.state, ended.error.errorCode })
      assert.same({}, stored())
      client:close()
    end
    assert.equal(0, list().used)
  end)

  it("whose client stops sending is told as failed after progress_timeout", function()
    local client = open_put("a.txt", 200, ("x"):rep(100))
    running(1)
    local events = events_of "/events"
    await(events, "upload.listed")
    test.clock.advance(weir.limits().progress_timeout + 1)
    local ended = await(events, "upload.ended")
    assert.same({ "failed", "timeout" }, { ended.state, ended.error.errorCode })
    client:close()
  end)

  it("is one of at most 20 of an owner", function()
    local clients = {}
    for i = 1, 20 do clients[i] = open_put("f" .. i, 10, "x") end
    running(20)
    refused(ask("PUT", "/files/one", { body = "x" }), 429, "busy")
    assert.equal("two", put("two", "x", { as = "ben" }).fileName)
    for _, client in ipairs(clients) do client:close() end
    running(0)
  end)
end)
