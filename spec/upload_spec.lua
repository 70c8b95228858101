-- The files of apps/upload: how they come, what is told meanwhile, and what becomes of them. What clients that vanish, that
-- do not read and that are killed do is in tests/js/upload.test.mjs, the page is in tests/browser.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

local server, folder, tokens

local function token(name)
  tokens[name] = tokens[name] or server:post("/demo/token", { body = name }).body
  return tokens[name]
end

local function ask(method, path, options)
  options = options or {}
  local headers = { Authorization = "Bearer " .. token(options.as or "ann") }
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  return server:request(method, path, { headers = headers, body = options.body })
end

local function post_json(path, value, as)
  return ask("POST", path, { body = json.encode(value), headers = { ["Content-Type"] = "application/json" }, as = as })
end

-- The lines of an answer: { { "data" | "error" | "result", value }, ... }.
local function lines_of(body)
  local lines = {}
  for name, text in body:gmatch "(%w+): ([^\n]*)\n\n" do lines[#lines + 1] = { name, json.decode(text) } end
  return lines
end

local function put(path, body, options)
  options = options or {}
  options.body = body
  local answer = ask("PUT", "/files/" .. path, options)
  assert.equal(200, answer.status, answer.body)
  assert.equal("text/event-stream", answer.headers["content-type"])
  local lines = lines_of(answer.body)
  assert.equal("result", lines[#lines][1], answer.body)
  return lines[#lines][2]
end

local function list(as)
  local answer = ask("GET", "/files", { as = as })
  assert.equal(200, answer.status, answer.body)
  return answer.json()
end

local function names(as)
  local all = {}
  for _, file in ipairs(list(as).files) do all[#all + 1] = file.name end
  table.sort(all)
  return table.concat(all, ", ")
end

-- What lies in the folder: the ids, sorted.
local function stored() return weir.fs.list(folder .. "/upload") or {} end

local function refused(answer, status, code)
  assert.equal(status, answer.status, answer.body)
  assert.equal(code, answer.json().errorCode, answer.body)
  assert.is_string(answer.json().message)
end

local function form(parts)
  local text = {}
  for _, part in ipairs(parts) do
    text[#text + 1] = "--xyz\r\nContent-Disposition: form-data; " .. part[1] .. "\r\n\r\n" .. part[2] .. "\r\n"
  end
  return table.concat(text) .. "--xyz--\r\n"
end

local function post(parts, query, options)
  options = options or {}
  options.body = type(parts) == "string" and parts or form(parts)
  options.headers = { ["Content-Type"] = "multipart/form-data; boundary=xyz" }
  return ask("POST", "/files" .. (query or ""), options)
end

local function begin(env)
  tokens, folder = {}, support.folder()
  env = env or {}
  env.UPLOAD_FOLDER = folder
  test.clock.freeze()
  server = test.start { "apps/upload/app.lua", env = env }
end

-- A request whose body has not ended: to be sent on, and closed.
local function open_put(path, length, first, as)
  local client = test.connect(server.port)
  client:send(("PUT /files/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n"):format(path,
    token(as or "ann"), length and "Content-Length: " .. length or "Transfer-Encoding: chunked"))
  if first then client:send(first) end
  return client
end

local function running(n)
  return test.eventually(function()
    local now = list().running
    return #now == n and (n == 0 or now[1])
  end)
end

-- Lets time pass until the one upload has told that so much is there.
local function arrived(bytes, step)
  test.eventually(function()
    test.clock.advance(step or 0.1)
    local progress = list().running[1].progress
    return progress and progress.received == bytes
  end)
end

local function after() support.remove_folders() end

local SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" -- FIPS 180-2

describe("an upload", function()
  before_each(begin)
  after_each(after)

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

  it("has a name of at most 8 segments and 500 bytes", function()
    assert.equal("1/2/3/4/5/6/7/8", put("1/2/3/4/5/6/7/8", "x").fileName)
    refused(ask("PUT", "/files/1/2/3/4/5/6/7/8/9", { body = "x" }), 400, "name")
    local long = ("a"):rep(250)
    assert.equal(500, #put(long .. "/" .. ("b"):rep(249), "x").fileName)
    refused(ask("PUT", "/files/" .. long .. "/" .. ("b"):rep(250), { body = "x" }), 400, "name")
    refused(ask("PUT", "/files/", { body = "x" }), 400, "name")
  end)

  it("whose name is taken is kept beside it, or replaces it, or is skipped", function()
    local first = put("a.txt", "1")
    assert.equal("a (2).txt", put("a.txt", "2").fileName)
    assert.equal("a (3).txt", put("a.txt", "3", {}).fileName)
    assert.equal("b/c (2)", (put("b/c", "") and put("b/c", "")).fileName)
    assert.equal("a.txt", put("a.txt", "x", { as = "ben" }).fileName) -- each owner has names of their own
    local skipped = put("a.txt?collision=skip", "no")
    assert.same({ first.fileId, true }, { skipped.fileId, skipped.skipped })
    assert.equal("1", ask("GET", "/files/" .. first.fileId).body)
    local replacing = put("a.txt?collision=replace", "new")
    assert.same({ "a.txt", first.fileId }, { replacing.fileName, replacing.replaced })
    refused(ask("GET", "/files/" .. first.fileId), 404, "missing")
    assert.equal(200, ask("POST", "/files/" .. first.fileId .. "/restore").status)
    assert.equal("a (2).txt, a (3).txt, a (4).txt, a.txt, a.txt, b/c (2), b/c", (names():gsub("b/c, b/c %(2%)",
      "b/c (2), b/c")))
    refused(ask("PUT", "/files/a.txt?collision=ask", { body = "" }), 400, "collision")
    assert.equal("a.txt", lines_of(post({ { 'name="collision"', "skip" }, { 'name="f"; filename="a.txt"', "z" } },
      "").body)[1][2].fileName)
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

  it("needs the claim, and a name", function()
    local answer = server:put("/files/a.txt", { body = "x" })
    assert.equal(401, answer.status)
    refused(ask("DELETE", "/uploads/" .. ("0"):rep(40)), 404, "missing")
    refused(ask("PUT", "/files/a.txt?tag=a%20b", { body = "x" }), 400, "tag")
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

  it("keeps what was complete in a form that breaks later", function()
    local answer = post(form { { 'name="a"; filename="whole"', "abc" }, { 'name="b"; filename="half"', "abc" } }:sub(1, -9))
    local lines = lines_of(answer.body)
    assert.same({ "result", "error" }, { lines[1][1], lines[2][1] })
    assert.equal("malformed", lines[2][2].errorCode)
    assert.equal("whole", names())
    assert.equal(1, #stored())
  end)
end)

describe("what an upload may take", function()
  before_each(function() begin { UPLOAD_QUOTA = "1000", UPLOAD_LIMIT = "600" } end)
  after_each(after)

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
    put("e", { ("x"):rep(300) })
    refused(ask("PUT", "/files/f", { body = "x" }), 507, "quota")
    assert.equal("", put("f", "", { as = "ben" }).fileName:sub(2))
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

describe("an upload on its way", function()
  before_each(begin)
  after_each(after)

  local function events_of(path, as, id)
    return server:sse(path, { headers = { Authorization = "Bearer " .. token(as or "ben") }, last_event_id = id })
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

describe("a file", function()
  before_each(begin)
  after_each(after)

  it("is sent with ranges, and as nothing that runs", function()
    local id = put("dir/page.html", "<script>alert(1)</script>").fileId
    local answer = ask("GET", "/files/" .. id, { headers = { Range = "bytes=1-6" } })
    assert.same({ 206, "script" }, { answer.status, answer.body })
    assert.equal("text/plain", answer.headers["content-type"]:match "^[^;]*")
    assert.is_truthy(answer.headers["content-disposition"]:find('attachment; filename="page.html"', 1, true))
    assert.equal("sandbox; default-src 'none'", answer.headers["content-security-policy"])
    assert.equal("nosniff", answer.headers["x-content-type-options"])
    assert.equal(401, server:get("/files/" .. id).status)
    refused(ask("GET", "/files/" .. ("0"):rep(40)), 404, "missing")
    refused(ask("GET", "/files/..%2Fx"), 404, "missing")
  end)

  it("is what its first bytes say", function()
    local kinds = {
      ["\137PNG\r\n\26\nrest"] = { "image/png", "image" }, ["\255\216\255\224"] = { "image/jpeg", "image" },
      ["GIF89a"] = { "image/gif", "image" }, ["RIFF\1\0\0\0WEBPVP8 "] = { "image/webp", "image" },
      ["%PDF-1.7"] = { "application/pdf" }, ["PK\3\4"] = { "application/zip" }, [""] = { "application/octet-stream" },
      ["text\twith\r\nlines, \195\169"] = { "text/plain", "text" }, ["\195\40"] = { "application/octet-stream" },
      ["nul\0"] = { "application/octet-stream" }, ["<svg xmlns=x onload=alert(1)>"] = { "text/plain", "text" },
    }
    for bytes, kind in pairs(kinds) do
      local id = put("x.jpg", bytes).fileId
      local preview = ask("GET", "/files/" .. id .. "/preview")
      local file
      for _, one in ipairs(list().files) do file = one.id == id and one or file end
      assert.same(kind, { file.type, file.preview })
      if not kind[2] then
        refused(preview, 404, "preview")
      else
        assert.equal(bytes, preview.body)
        assert.equal(kind[1], preview.headers["content-type"]:match "^[^;]*")
        assert.equal("sandbox; default-src 'none'", preview.headers["content-security-policy"])
      end
    end
  end)

  it("of much text is previewed up to its last whole letter", function()
    local id = put("x.txt", ("\195\169"):rep(50000) .. "a").fileId
    assert.equal(65536, #ask("GET", "/files/" .. id .. "/preview").body)
    id = put("y.txt", "a" .. ("\195\169"):rep(50000)).fileId
    assert.equal(65535, #ask("GET", "/files/" .. id .. "/preview").body)
  end)

  it("is deleted by its owner, can be restored for a while, and then is gone", function()
    local id = put("a.txt", "x").fileId
    refused(ask("DELETE", "/files/" .. id, { as = "ben" }), 403, "owner")
    assert.equal(204, ask("DELETE", "/files/" .. id).status)
    assert.equal("", names())
    refused(ask("GET", "/files/" .. id), 404, "missing")
    refused(ask("DELETE", "/files/" .. id), 404, "missing")
    assert.equal("a.txt", put("a.txt", "y").fileName)
    refused(ask("POST", "/files/" .. id .. "/restore", { as = "ben" }), 403, "owner")
    assert.equal("a (2).txt", ask("POST", "/files/" .. id .. "/restore").json().name)
    refused(ask("POST", "/files/" .. id .. "/restore"), 404, "missing")
    ask("DELETE", "/files/" .. id)
    test.clock.advance(299)
    assert.equal(2, #stored())
    test.clock.advance(31)
    test.eventually(function() return #stored() == 1 end)
    refused(ask("POST", "/files/" .. id .. "/restore"), 404, "missing")
  end)

  it("is shared by a link that expires, or ends with the file", function()
    local id = put("a.txt", "shared").fileId
    local answer = post_json("/files/" .. id .. "/share", { seconds = 60 })
    local path = answer.json().link:match "^http://[^/]+(/s/.*)$"
    assert.same({ 200, "shared" }, { server:get(path).status, server:get(path).body })
    assert.equal(404, server:get(path .. "x").status)
    assert.equal(404, server:get((path:gsub("%-(%d+)%-", function(at) return ("-%.0f-"):format(at + 9) end))).status)
    assert.equal(404, server:get("/s/x").status)
    test.clock.advance(59)
    assert.equal(200, server:get(path).status)
    test.clock.advance(2)
    assert.equal(404, server:get(path).status)
    tokens = {}
    path = post_json("/files/" .. id .. "/share", { seconds = 60 }).json().link:match "(/s/.*)$"
    ask("DELETE", "/files/" .. id)
    assert.equal(404, server:get(path).status)
    for _, seconds in ipairs { 0, -1, 30 * 86400 + 1, "60" } do
      refused(post_json("/files/" .. put("b", "x").fileId .. "/share", { seconds = seconds }), 400, "seconds")
    end
  end)
end)

describe("what an app may say", function()
  after_each(after)

  local function mount(options)
    tokens, folder = {}, support.folder()
    test.clock.freeze()
    server = test.start((support.app_file(([[
      package.path = "%s/apps/upload/?.lua;%s/apps/upload/?/init.lua;" .. package.path
      local weir = require "weir"
      local app = weir.app()
      local secret = ("s"):rep(32)
      app:post("/demo/token", function(stream)
        local name = stream:body()
        return weir.jwt.sign({ sub = name, upload = "write", role = name == "ben" and "guest" or "clerk" }, { secret = secret })
      end)
      app:mount("/docs", require "upload" { secret = secret, folder = "%s", %s })
      return app]]):format(os.getenv "PWD", os.getenv "PWD", folder, options))))
  end

  it("is who uploads", function()
    mount 'writers = { role = "clerk" }'
    assert.equal(403, ask("PUT", "/docs/files/a", { body = "x", as = "ben" }).status)
    assert.equal(200, ask("PUT", "/docs/files/a", { body = "x" }).status)
    local id = ask("GET", "/docs/files", { as = "ben" }).json().files[1].id
    local link = post_json("/docs/files/" .. id .. "/share", { seconds = 5 }, "ben").json().link
    assert.is_truthy(link:find("/docs/s/", 1, true))
  end)

  it("is what is done to a file that has come, which can refuse it", function()
    mount [[process = function(file, report)
      report(0.5, "looking")
      local bytes = require "weir".fs.read(file.path)
      if bytes:find "virus" then return false, "there is a virus in " .. file.name end
    end]]
    local answer = ask("PUT", "/docs/files/bad", { body = "virus" })
    refused(answer, 422, "rejected")
    assert.equal("there is a virus in bad", answer.json().message)
    assert.same({}, stored())
    assert.equal(200, ask("PUT", "/docs/files/good", { body = "x" }).status)
  end)

  it("is work that can be cancelled", function()
    mount [[process = function(file, report)
      report(0.25, "thinking")
      require "weir".sleep(1000)
    end]]
    local client = test.connect(server.port)
    client:send(("PUT /docs/files/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 3\r\n\r\nabc")
      :format(token "ann"))
    local run = test.eventually(function() return ask("GET", "/docs/files").json().running[1] end)
    test.eventually(function() return #stored() == 1 end)
    assert.equal(204, ask("DELETE", "/docs/uploads/" .. run.id).status)
    assert.is_truthy(client:receive("cancelled", 5))
    test.eventually(function() return #ask("GET", "/docs/files").json().running == 0 end)
    assert.same({}, stored())
    client:close()
  end)

  it("is checked", function()
    local wrong = {
      ["colour = 1"] = "there is no option \"colour\"", ['quota = "1XB"'] = "quota must be", ["limit = 0"] = "limit must be",
      ["name = '../x'"] = "name must be a word", ["count = 1001"] = "count must be a number from 1 to 1000",
    }
    for options, text in pairs(wrong) do
      local ok, err = pcall(mount, options)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    end
  end)
end)

describe("the files", function()
  after_each(after)

  local function serve(data)
    server = test.spawn { "serve", "apps/upload", "--workers", 2, "--data", data }
    tokens, folder = {}, data .. "/uploads"
  end

  it("are there after a restart, and nothing else is #workers", function()
    local data = support.folder()
    serve(data)
    local kept = put("kept.txt", "abc")
    local lost = put("lost.txt", "gone").fileId
    local undone = put("deleted.txt", "x").fileId
    ask("DELETE", "/files/" .. undone)
    local client = open_put("half.txt", 100, "x")
    running(1)
    server:stop "KILL"
    client:close()
    os.remove(folder .. "/upload/" .. lost)
    support.write_file(folder .. "/upload/" .. ("a"):rep(40), "no record")
    support.write_file(folder .. "/upload/not ours", "")
    support.write_file(folder .. "/of another app", "")
    serve(data)
    assert.equal("kept.txt", names())
    assert.equal(SHA_OF_ABC, list().files[1].sha256)
    assert.equal("abc", ask("GET", "/files/" .. kept.fileId).body)
    assert.same({}, list().running)
    assert.equal(3, list().used)
    local there = { kept.fileId, "not ours", undone }
    table.sort(there)
    assert.same(there, stored())
    assert.is_truthy(support.read_file(folder .. "/of another app"))
    assert.equal(200, ask("POST", "/files/" .. undone .. "/restore").status)
    local events = server:sse("/events", { headers = { Authorization = "Bearer " .. token "ann" }, last_event_id = "1-0" })
    assert.equal("weir.hello", events:next().event)
    assert.equal("weir.gap", events:next().event)
    server:stop()
  end)

  it("survive a reload, and so do those on their way #workers", function()
    serve(support.folder())
    local client = open_put("a.txt", 4, "ab")
    running(1)
    server:signal "HUP"
    test.eventually(function() return server:stderr():find "reload" end)
    client:send "cd"
    assert.is_truthy(client:receive("result: ", 5))
    assert.equal("a.txt", names())
    client:close()
    server:stop()
  end)

  it("need a folder", function()
    server = test.start "apps/upload/app.lua"
    tokens = {}
    refused(ask("PUT", "/files/a", { body = "x" }), 503, "folder")
    assert.same({}, list().files)
  end)

  it("of the demo are for this machine", function()
    begin()
    for _, field in ipairs { "Forwarded", "Via", "X-Real-IP", "X-Forwarded-For" } do
      assert.equal(403, server:get("/files", { headers = { [field] = "x" } }).status)
    end
    assert.equal(403, server:get("/files", { headers = { Host = "example.org" } }).status)
    assert.equal(400, server:post("/demo/token", { body = "-x" }).status)
    assert.is_true(server:get("/demo").json().open)
    server = test.start { "apps/upload/app.lua", env = { UPLOAD_SECRET = ("s"):rep(32) } }
    assert.is_false(server:get("/demo").json().open)
    assert.error_matches(function() test.start { "apps/upload/app.lua", env = { UPLOAD_SECRET = "short" } } end, "32 bytes")
  end)
end)
