-- The files of apps/upload: what becomes of them when they have come, and what the app may be told.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local uploading = require "spec.upload_support"
local json = weir.json

local token, ask, post_json, put = uploading.token, uploading.ask, uploading.post_json, uploading.put
local list, names, stored, refused = uploading.list, uploading.names, uploading.stored, uploading.refused
local open_put, running, SHA_OF_ABC = uploading.open_put, uploading.running, uploading.SHA_OF_ABC

describe("a file", function()
  before_each(uploading.begin)
  after_each(support.remove_folders)

  it("is sent with ranges, and as nothing that runs", function()
    local id = put("dir/page.html", "<script>alert(1)</script>").fileId
    local answer = ask("GET", "/files/" .. id, { headers = { Range = "bytes=1-6" } })
    assert.same({ 206, "script" }, { answer.status, answer.body })
    assert.equal("text/plain", answer.headers["content-type"]:match "^[^;]*")
    assert.is_truthy(answer.headers["content-disposition"]:find('attachment; filename="page.html"', 1, true))
    assert.equal("sandbox; default-src 'none'", answer.headers["content-security-policy"])
    assert.equal("nosniff", answer.headers["x-content-type-options"])
    assert.equal(401, uploading.server:get("/files/" .. id).status)
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
    local deleted = list().deleted[1]
    assert.same({ id, "a.txt" }, { deleted.id, deleted.name })
    assert.near(weir.now() + 300, deleted.till, 1)
    assert.same({}, list("ben").deleted)
    refused(ask("GET", "/files/" .. id), 404, "missing")
    refused(ask("DELETE", "/files/" .. id), 404, "missing")
    assert.equal("a.txt", put("a.txt", "y").fileName)
    refused(ask("POST", "/files/" .. id .. "/restore", { as = "ben" }), 403, "owner")
    assert.equal("a (2).txt", ask("POST", "/files/" .. id .. "/restore").json().name)
    refused(ask("POST", "/files/" .. id .. "/restore"), 404, "missing")
    test.clock.advance(5) -- not when it is swept
    ask("DELETE", "/files/" .. id)
    test.clock.advance(299)
    assert.equal(id, list().deleted[1].id)
    test.clock.advance(1) -- it is there until it is swept
    assert.equal(2, #stored())
    assert.same({}, list().deleted)
    refused(ask("POST", "/files/" .. id .. "/restore"), 404, "missing")
    test.clock.advance(30)
    test.eventually(function() return #stored() == 1 end)
    refused(ask("POST", "/files/" .. id .. "/restore"), 404, "missing")
  end)

  it("is shared by a link that expires, or ends with the file", function()
    local id = put("a.txt", "shared").fileId
    local answer = post_json("/files/" .. id .. "/share", { seconds = 60 })
    local path = answer.json().link:match "^http://[^/]+(/s/.*)$"
    assert.same({ 200, "shared" }, { uploading.server:get(path).status, uploading.server:get(path).body })
    assert.equal(404, uploading.server:get(path .. "x").status)
    local longer = path:gsub("%-(%d+)%-", function(at) return ("-%.0f-"):format(at + 9) end)
    assert.equal(404, uploading.server:get(longer).status)
    assert.equal(404, uploading.server:get("/s/x").status)
    test.clock.advance(59)
    assert.equal(200, uploading.server:get(path).status)
    test.clock.advance(2)
    assert.equal(404, uploading.server:get(path).status)
    uploading.use(uploading.server, uploading.folder) -- the tokens have ended
    path = post_json("/files/" .. id .. "/share", { seconds = 60 }).json().link:match "(/s/.*)$"
    ask("DELETE", "/files/" .. id)
    assert.equal(404, uploading.server:get(path).status)
    local most = post_json("/files/" .. put("m", "x").fileId .. "/share", { seconds = 30 * 86400 })
    assert.equal(200, most.status)
    for _, seconds in ipairs { 0, -1, 30 * 86400 + 1, "60" } do
      refused(post_json("/files/" .. put("b", "x").fileId .. "/share", { seconds = seconds }), 400, "seconds")
    end
    refused(post_json("/files/" .. put("b", "x").fileId .. "/share", 5), 400, "seconds")
  end)
end)

describe("what an app may say", function()
  after_each(support.remove_folders)

  local function mount(options)
    local folder, here = support.folder(), os.getenv "PWD"
    test.clock.freeze()
    uploading.use(test.start((support.app_file(([[
      package.path = "%s/apps/upload/?.lua;%s/apps/upload/?/init.lua;" .. package.path
      local weir = require "weir"
      local app = weir.app()
      local secret = ("s"):rep(32)
      app:post("/demo/token", function(stream)
        local name = stream:body()
        local role = name == "ben" and "guest" or "clerk"
        return weir.jwt.sign({ sub = name, upload = "write", role = role }, { secret = secret })
      end)
      app:mount("/docs", require "upload" { secret = secret, folder = "%s", %s })
      return app]]):format(here, here, folder, options)))), folder)
  end

  it("is who uploads", function()
    mount 'writers = { role = "clerk" }'
    assert.equal(403, ask("PUT", "/docs/files/a", { body = "x", as = "ben" }).status)
    assert.equal(200, ask("PUT", "/docs/files/a", { body = "x" }).status)
    local id = ask("GET", "/docs/files", { as = "ben" }).json().files[1].id
    local link = post_json("/docs/files/" .. id .. "/share", { seconds = 5 }, "ben").json().link
    assert.is_truthy(link:find("/docs/s/", 1, true))
  end)

  it("is who uploads, and what names nobody is nobody: it is given nothing", function()
    mount ""
    local id = json.decode(ask("PUT", "/docs/files/a", { body = "x" }).body:match "result: (.-)\n").fileId
    for _, route in ipairs {
      "GET /files", "GET /files/" .. id, "GET /files/" .. id .. "/preview", "POST /files/" .. id .. "/share",
      "GET /events", "GET /uploads/" .. id, "POST /ticket", "PUT /files/a", "POST /files", "DELETE /files/" .. id,
      "POST /files/" .. id .. "/restore", "DELETE /uploads/" .. id,
    } do
      local method, path = route:match "^(%u+) (.*)$"
      refused(ask(method, "/docs" .. path, { as = "" }), 403, "sub")
    end
  end)

  it("is what is done to a file that has come, which can refuse it", function()
    mount [[process = function(file, report)
      report(0.5, "looking")
      local bytes = require "weir".fs.read(file.path)
      if bytes:find "virus" then return false, "there is a virus in " .. file.name end
      if bytes:find "worm" then return false, { 5 } end
    end]]
    local answer = ask("PUT", "/docs/files/bad", { body = "virus" })
    refused(answer, 422, "rejected")
    assert.equal("there is a virus in bad", answer.json().message)
    refused(ask("PUT", "/docs/files/bad", { body = "worm" }), 422, "rejected")
    assert.same({}, stored())
    assert.equal(200, ask("PUT", "/docs/files/good", { body = "x" }).status)
  end)

  it("is how many files an owner has, those on their way and those that can be restored among them", function()
    mount "count = 3"
    local function put_one(name) return ask("PUT", "/docs/files/" .. name, { body = "x" }) end
    local id = json.decode(put_one("a").body:match "result: (.-)\n").fileId
    ask("DELETE", "/docs/files/" .. id)
    for _, name in ipairs { "b", "c", "d" } do assert.equal(200, put_one(name).status) end
    refused(put_one "e", 507, "quota")
    refused(ask("POST", "/docs/files/" .. id .. "/restore"), 404, "missing") -- it gave way
    assert.equal(3, #stored())
    local body = {}
    for i = 1, 4 do body[i] = { ('name="f"; filename="%d"'):format(i), "x" } end
    local answer = uploading.post(body, "/docs/files", "ben")
    local lines = uploading.lines_of(answer.body)
    assert.same({ "result", "result", "result", "error", nil },
      { lines[1][1], lines[2][1], lines[3][1], lines[4][1], lines[5] })
    assert.equal("quota", lines[4][2].errorCode)
    assert.equal(6, #stored())
  end)

  it("is what is wrong, and is told as the server's failure", function()
    mount "process = function() error('no luck', 0) end"
    local sub = weir.subscribe(weir.prefix "upload/")
    refused(ask("PUT", "/docs/files/a", { body = "x" }), 500, "internal")
    assert.is_truthy(test.log.take("no luck", "error")[1])
    local event
    repeat event = assert(sub:next(1)) until event.event == "upload.ended"
    assert.equal("internal", json.decode(event.data).error.errorCode)
    assert.same({}, stored())
  end)

  it("is work that can be cancelled", function()
    mount [[process = function(file, report)
      report(0.25, "thinking")
      require "weir".sleep(1000)
    end]]
    local client = test.connect(uploading.server.port)
    client:send("PUT /docs/files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n")
    client:send("Authorization: Bearer " .. token "ann" .. "\r\n\r\nabc")
    local run = test.eventually(function() return ask("GET", "/docs/files").json().running[1] end)
    test.eventually(function() return #stored() == 1 end)
    assert.equal(204, ask("DELETE", "/docs/uploads/" .. run.id).status)
    assert.is_truthy(client:receive("cancelled", 5))
    test.eventually(function() return #ask("GET", "/docs/files").json().running == 0 end)
    assert.same({}, stored())
    client:close()
  end)

  it("does not keep what is skipped: it is off the disk at once, and not at the end of the form", function()
    mount 'process = function(file) require "weir".publish("processed", file.name) end'
    local processed = weir.subscribe "processed"
    assert.equal(200, ask("PUT", "/docs/files/a", { body = "x" }).status)
    assert(processed:next(1))
    local head = '--xyz\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    local client = test.connect(uploading.server.port)
    client:send(("POST /docs/files?collision=skip HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
      .. "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: 100000\r\n\r\n"):format(token "ann"))
    client:send(head .. "of a form\r\n" .. head .. "more")
    test.eventually(function() return processed:next(0) end)
    test.eventually(function() return #stored() == 1 end)
    assert.equal(1, #ask("GET", "/docs/files").json().running)
    client:close()
    test.eventually(function() return #ask("GET", "/docs/files").json().running == 0 end)
    processed:close()
  end)

  it("is done to what goes on, too, before it gets its place", function()
    mount [[process = function(file, report)
      report(0.5, "looking")
      if file.type == "application/zip" then return false, "no archives" end
    end]]
    local function send(body)
      local headers = { ["Tus-Resumable"] = "1.0.0", ["Upload-Length"] = ("%d"):format(#body),
        ["Upload-Metadata"] = "filename " .. weir.base64.encode "a",
        ["Content-Type"] = "application/offset+octet-stream" }
      return ask("POST", "/docs/tus", { body = body, headers = headers })
    end
    local answer = send "abc"
    assert.equal(201, answer.status)
    assert.matches("^/docs/tus/%x+$", answer.headers.location)
    refused(send "PK\3\4", 422, "rejected")
    assert.equal(1, #ask("GET", "/docs/files").json().files)
    assert.same({ 3, 0 }, { ask("GET", "/docs/files").json().used, #ask("GET", "/docs/files").json().running })
    test.eventually(function() return #weir.fs.list(uploading.folder) == 2 end) -- the files' folder, and one record
  end)

  it("may cancel an upload while its file gets its place: then it has it", function()
    mount [[count = 2 })
      local shelf = require "upload.shelf"
      local place = shelf.place
      function shelf.place(self, run, id, file, ...)
        if file.name == "c" then weir.publish("upload/stop/" .. run, "cancelled") end
        return place(self, run, id, file, ...)
      end
      weir.topics({ ["x/*"] = {}]]
    local gone = json.decode(ask("PUT", "/docs/files/a", { body = "x" }).body:match "result: (.-)\n").fileId
    ask("DELETE", "/docs/files/" .. gone) -- it gives way to c
    uploading.post({ { 'name="f"; filename="b"', "b" }, { 'name="f"; filename="c"', "c" } }, "/docs/files")
    test.eventually(function() return #ask("GET", "/docs/files").json().running == 0 end)
    local all = ask("GET", "/docs/files").json().files
    assert.equal(2, #all)
    for _, file in ipairs(all) do assert.equal(file.name, ask("GET", "/docs/files/" .. file.id).body) end
    test.eventually(function() return #stored() == 2 end)
  end)

  it("bounds events: what they cannot hold is left out, and told so", function()
    mount "}) weir.limits({ event_bytes = '2KB'"
    local parts, events = {}, weir.subscribe(weir.prefix "upload/")
    for i = 1, 20 do parts[i] = { ('name="f"; filename="%s%d"'):format(("n"):rep(100), i), "x" } end
    assert.equal(200, uploading.post(parts, "/docs/files").status)
    local event
    repeat event = assert(events:next(1)) until event.event == "upload.ended"
    assert.same({ "done" }, { json.decode(event.data).state, json.decode(event.data).files })
    local told = uploading.server:sse("/docs/events", { headers = { Authorization = "Bearer " .. token "ann" } })
    repeat event = assert(told:next(1)) until event.event == "upload.listed"
    local listed = json.decode(event.data)
    assert.same({ true, event.id }, { listed.partial, listed.position })
    assert.is_nil(listed.files)
    told:close()
    events:close()
  end)

  it("is said once", function()
    local ok, err = pcall(mount, [[}) app:mount("/more", require "upload" { secret = secret, name = "more"]])
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("an app has one place for files", 1, true), tostring(err))
  end)

  it("is checked", function()
    local wrong = {
      ["colour = 1"] = 'there is no option "colour"', ['quota = "1XB"'] = "quota must be",
      ["limit = 0"] = "limit must be",
      ["name = '../x'"] = "name must be a word", ["count = 1001"] = "count must be a whole number from 1 to 1000",
      ["quota = 1.5"] = "quota must be a whole number", ['count = "5"'] = "count must be",
      ["process = 'x'"] = "process must be a function", ["folder = ''"] = "folder must be the path",
      ["expires = '1w'"] = 'expires must be .*, or a time such as "7d"',
    }
    for options, text in pairs(wrong) do
      local ok, err = pcall(mount, options)
      assert.is_false(ok)
      assert.matches(text, tostring(err))
    end
  end)
end)

describe("the files", function()
  after_each(support.remove_folders)

  local function serve(data)
    uploading.use(test.spawn { "serve", "apps/upload", "--workers", 2, "--data", data }, data .. "/uploads")
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
    uploading.server:stop "KILL"
    client:close()
    local shelves = uploading.folder .. "/upload/"
    local owner, other = shelves .. kept.fileId:sub(1, 24), shelves .. "another's"
    os.remove(owner .. "/" .. lost)
    support.write_file(owner .. "/" .. kept.fileId:sub(1, 24) .. ("0"):rep(16), "no record")
    support.write_file(owner .. "/not ours", "")
    assert(weir.fs.mkdir(other))
    support.write_file(other .. "/" .. ("a"):rep(40), "of another store")
    support.write_file(uploading.folder .. "/of another app", "")
    serve(data)
    assert.equal("kept.txt, lost.txt", names()) -- its bytes may be there again
    assert.is_truthy(uploading.server:stderr():find("the bytes of files are not in their folder", 1, true))
    assert.equal(404, ask("GET", "/files/" .. lost).status)
    assert.equal(204, ask("DELETE", "/files/" .. lost).status)
    assert.equal(SHA_OF_ABC, list().files[1].sha256)
    assert.equal("abc", ask("GET", "/files/" .. kept.fileId).body)
    assert.same({}, list().running)
    assert.equal(3, list().used)
    local there = { kept.fileId, "not ours", undone, ("a"):rep(40) }
    table.sort(there)
    assert.same(there, stored())
    assert.is_truthy(support.read_file(uploading.folder .. "/of another app"))
    assert.equal(200, ask("POST", "/files/" .. undone .. "/restore").status)
    local headers = { Authorization = "Bearer " .. token "ann" }
    local events = uploading.server:sse("/events", { headers = headers, last_event_id = "1-0" })
    assert.equal("weir.hello", events:next().event)
    assert.equal("weir.gap", events:next().event)
    uploading.server:stop()
  end)

  it("survive a start that does not find their folder #workers", function()
    local data = support.folder()
    serve(data)
    local kept = put("kept.txt", "abc")
    uploading.server:stop()
    os.rename(data .. "/uploads", data .. "/away")
    serve(data)
    assert.equal("kept.txt", names())
    assert.equal(404, ask("GET", "/files/" .. kept.fileId).status)
    uploading.server:stop()
    os.execute(("rm -rf %s/uploads && mv %s/away %s/uploads"):format(data, data, data))
    serve(data)
    assert.equal("abc", ask("GET", "/files/" .. kept.fileId).body)
    uploading.server:stop()
  end)

  it("survive a start without what is known of them #workers", function()
    local data, folder = support.folder(), support.folder()
    local text = support.read_file "apps/upload/app.lua"
    support.write_file(data .. "/app.lua", (text:gsub('os.getenv "UPLOAD_FOLDER"', ("%q"):format(folder))))
    os.execute(("ln -s $PWD/apps/upload/upload $PWD/apps/upload/public %s"):format(data))
    local function serve_folder(...) uploading.use(test.spawn { "serve", data .. "/app.lua", ... }, folder) end
    serve_folder("--data", data)
    local kept = put("kept.txt", "abc")
    uploading.server:stop()
    serve_folder()
    assert.equal("", names())
    uploading.server:stop()
    serve_folder("--data", data)
    assert.equal("abc", ask("GET", "/files/" .. kept.fileId).body)
    uploading.server:stop()
  end)

  it("survive a reload, and so do those on their way #workers", function()
    serve(support.folder())
    local client = open_put("a.txt", 4, "ab")
    running(1)
    uploading.server:signal "HUP"
    test.eventually(function() return uploading.server:stderr():find "reload" end)
    client:send "cd"
    assert.is_truthy(client:receive("result: ", 5))
    assert.equal("a.txt", names())
    client:close()
    uploading.server:stop()
  end)

  it("of an owner who has none left are swept, too #workers", function()
    local data = support.folder()
    serve(data)
    local client = open_put("a.txt", 4, "ab")
    local id = running(1).id
    client:close()
    running(0)
    local left = id:sub(1, 24) .. ("0"):rep(16)
    support.write_file(("%s/upload/%s/%s"):format(uploading.folder, id:sub(1, 24), left), "of one that was killed")
    assert.same({ left }, stored())
    uploading.server:stop()
    serve(data)
    assert.same({}, stored())
    uploading.server:stop()
  end)

  it("need a folder", function()
    uploading.use(test.start "apps/upload/app.lua")
    refused(ask("PUT", "/files/a", { body = "x" }), 503, "folder")
    assert.same({}, list().files)
    local gone = { "apps/upload/app.lua", env = { UPLOAD_FOLDER = support.folder() .. "/gone" } }
    assert.error_matches(function() test.start(gone) end, "there is no folder .*gone; make it")
  end)

  it("of the demo are for this machine", function()
    uploading.begin()
    for _, field in ipairs { "Forwarded", "Via", "X-Real-IP", "X-Forwarded-For" } do
      assert.equal(403, uploading.server:get("/files", { headers = { [field] = "x" } }).status)
    end
    assert.equal(403, uploading.server:get("/files", { headers = { Host = "example.org" } }).status)
    assert.equal(400, uploading.server:post("/demo/token", { body = "-x" }).status)
    assert.is_true(uploading.server:get("/demo").json().open)
    uploading.use(test.start { "apps/upload/app.lua", env = { UPLOAD_SECRET = ("s"):rep(32) } })
    assert.is_false(uploading.server:get("/demo").json().open)
    local short = { "apps/upload/app.lua", env = { UPLOAD_SECRET = "short" } }
    assert.error_matches(function() test.start(short) end, "32 bytes")
  end)
end)

describe("the README of the files", function()
  after_each(support.remove_folders)

  it("says what curl gets #workers", function()
    local secret = ("s"):rep(32)
    local spawned = test.spawn { "serve", "apps/upload", "--workers", 2, "--data", support.folder(),
      env = { UPLOAD_SECRET = secret } }
    local before = "export UPLOAD_SECRET=" .. secret
    assert.equal(5, support.assert_examples("apps/upload/README.md", "By curl", before, spawned))
  end)
end)
