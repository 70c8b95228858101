-- weir.tus: resumable uploads as clients see them, request by request. What is refused, and why, is in
-- spec/tus_refused_spec.lua, what happens to connections and processes in spec/tus_survives_spec.lua.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local tus = require "spec.tus_support"

local refused, names, age, checksum = tus.refused, tus.names, tus.age, tus.checksum

describe("weir.tus", function()
  after_each(support.remove_folders)

  it("says what it can do", function()
    tus.begin { max_size = "1KB" }
    for _, path in ipairs { "/files", "/files/", "/files/x" } do
      local answer = tus.server:options(path)
      assert.equal(204, answer.status)
      assert.equal("1.0.0", answer.headers["tus-version"])
      assert.equal("1.0.0", answer.headers["tus-resumable"])
      assert.equal("1024", answer.headers["tus-max-size"])
      assert.equal("creation,creation-with-upload,creation-defer-length,checksum,termination,concatenation,expiration",
        answer.headers["tus-extension"])
      assert.equal("sha1,sha256,sha384,sha512,md5", answer.headers["tus-checksum-algorithm"])
    end
  end)

  it("keeps an upload that comes in pieces", function()
    tus.begin()
    local path, answer = tus.create(11, { ["Upload-Metadata"] = "filename d29ybGQudHh0,private" })
    assert.equal(201, answer.status)
    assert.matches("^/files/%x+$", path)
    assert.matches("GMT$", answer.headers["upload-expires"])
    assert.is_nil(answer.headers["upload-offset"])

    answer = tus.head(path)
    assert.equal(200, answer.status)
    assert.equal("0", answer.headers["upload-offset"])
    assert.equal("11", answer.headers["upload-length"])
    assert.equal("no-store", answer.headers["cache-control"])
    assert.equal("filename d29ybGQudHh0,private", answer.headers["upload-metadata"])
    assert.is_nil(answer.headers["upload-defer-length"])

    answer = tus.patch(path, 0, "hello ")
    assert.equal(204, answer.status)
    assert.equal("6", answer.headers["upload-offset"])
    assert.matches("GMT$", answer.headers["upload-expires"])
    assert.equal(6, (tus.offset(path)))

    answer = tus.patch(path, 6, "world")
    assert.equal(204, answer.status)
    assert.equal("11", answer.headers["upload-offset"])
    assert.is_nil(answer.headers["upload-expires"])
    assert.equal("hello world", tus.stored(path))

    answer = tus.head(path)
    assert.equal("11", answer.headers["upload-offset"])
    assert.is_nil(answer.headers["upload-expires"])
  end)

  it("answers at its prefix, with and without a slash", function()
    tus.begin()
    assert.equal(201, tus.ask("POST", "/files", { ["Upload-Length"] = "1" }).status)
    assert.equal(201, tus.ask("POST", "/files/", { ["Upload-Length"] = "1" }).status)
    local answer = tus.server:get "/files/x"
    assert.equal(405, answer.status)
  end)

  it("can be the whole app", function()
    local folder = support.folder()
    local app = weir.tus { root = folder }
    local headers = { ["Tus-Resumable"] = "1.0.0", ["Upload-Length"] = "3" }
    local answer = test.simulate(app, { method = "POST", path = "/", headers = headers })
    assert.equal(201, answer.status)
    headers = { ["Tus-Resumable"] = "1.0.0", ["Upload-Offset"] = "0",
      ["Content-Type"] = "application/offset+octet-stream" }
    local path = answer.headers.location
    answer = test.simulate(app, { method = "PATCH", path = path, headers = headers, body = "abc" })
    assert.equal(204, answer.status)
    assert.equal("abc", support.read_file(folder .. path))
  end)

  it("is complete at once when it is empty", function()
    local completed = {}
    tus.begin { on_complete = function(upload) completed[#completed + 1] = upload.size end }
    local path, answer = tus.create(0)
    assert.equal(201, answer.status)
    assert.is_nil(answer.headers["upload-expires"])
    assert.equal(0, (tus.offset(path)))
    assert.same({ 0 }, completed)
    assert.equal("", tus.stored(path))
  end)

  it("takes bytes with the creation", function()
    tus.begin()
    local path, answer = tus.create(11, nil, "hello ")
    assert.equal(201, answer.status)
    assert.equal("6", answer.headers["upload-offset"])
    assert.equal("hello ", tus.stored(path))
    assert.equal(204, tus.patch(path, 6, "world").status)
    path, answer = tus.create(5, { ["Upload-Checksum"] = checksum("sha1", "whole") }, "whole")
    assert.equal("5", answer.headers["upload-offset"])
    assert.equal("whole", tus.stored(path))
  end)

  it("keeps nothing of a creation that fails with its bytes", function()
    tus.begin()
    local _, answer = tus.create(5, { ["Upload-Checksum"] = checksum("sha1", "other") }, "whole")
    refused(answer, 460)
    _, answer = tus.create(3, nil, { "too", " long" })
    refused(answer, 413)
    _, answer = tus.create(3, nil, "too long")
    refused(answer, 413)
    answer = tus.ask("POST", "/files", { ["Upload-Length"] = "3", ["Content-Type"] = "text/plain" }, "abc")
    refused(answer, 415)
    test.eventually(function() return #names() == 0 end)
  end)

  it("takes the length later", function()
    tus.begin { max_size = 20 }
    local path, answer = tus.create(nil)
    assert.equal(201, answer.status)
    answer = tus.head(path)
    assert.equal("1", answer.headers["upload-defer-length"])
    assert.is_nil(answer.headers["upload-length"])
    assert.equal(204, tus.patch(path, 0, "hello ").status)
    refused(tus.patch(path, 6, "", { ["Upload-Length"] = "21" }), 413)
    refused(tus.patch(path, 6, "", { ["Upload-Length"] = "5" }), 400)
    assert.equal(204, tus.patch(path, 6, "", { ["Upload-Length"] = "11" }).status)
    refused(tus.patch(path, 6, "", { ["Upload-Length"] = "12" }), 400)
    assert.equal("11", tus.head(path).headers["upload-length"])
    answer = tus.patch(path, 6, "world", { ["Upload-Length"] = "11" })
    assert.equal(204, answer.status)
    assert.is_nil(answer.headers["upload-expires"])
    path = tus.create(nil)
    refused(tus.patch(path, 0, ("x"):rep(21)), 413)
    assert.equal(0, (tus.offset(path)))
  end)

  it("honours X-HTTP-Method-Override", function()
    tus.begin()
    local path = tus.create(3)
    local answer = tus.ask("POST", path, {
      ["X-HTTP-Method-Override"] = "PATCH", ["Upload-Offset"] = "0",
      ["Content-Type"] = "application/offset+octet-stream",
    }, "abc")
    assert.equal(204, answer.status)
    assert.equal("abc", tus.stored(path))
    local refusal = tus.ask("POST", path)
    refused(refusal, 405)
    assert.equal("HEAD, PATCH, DELETE, OPTIONS", refusal.headers.allow)
    refused(tus.ask("POST", "/files", { ["X-HTTP-Method-Override"] = "PATCH" }), 405)
    assert.equal(200, tus.head(path, { ["X-HTTP-Method-Override"] = "DELETE" }).status) -- of POST alone
    assert.equal(204, tus.ask("POST", path, { ["X-HTTP-Method-Override"] = "DELETE" }).status)
    assert.same({}, names())
  end)

  it("ends uploads", function()
    local ended = {}
    tus.begin { on_terminate = function(upload) ended[#ended + 1] = upload.id end }
    local path = tus.create(3)
    tus.patch(path, 0, "a")
    assert.equal(204, tus.ask("DELETE", path).status)
    assert.same({ tus.id(path) }, ended)
    assert.same({}, names())
    refused(tus.head(path), 404)
    refused(tus.patch(path, 1, "b"), 404)
    refused(tus.ask("DELETE", path), 404)
  end)
end)

describe("hooks of weir.tus", function()
  after_each(support.remove_folders)

  it("see what happens", function()
    local seen = {}
    local function note(name)
      return function(upload, stream)
        seen[#seen + 1] = ("%s %s %s/%s %s %s"):format(name, upload.kind, upload.offset, upload.size,
          upload.metadata.filename, stream.method)
      end
    end
    tus.begin {
      on_create = note "create", on_progress = note "progress", on_complete = note "complete",
      on_terminate = note "terminate",
    }
    local path = tus.create(6, { ["Upload-Metadata"] = "filename d29ybGQ=" })
    tus.patch(path, 0, "abc")
    tus.patch(path, 3, "def")
    tus.ask("DELETE", path)
    assert.same({
      "create single 0/6 world POST", "progress single 3/6 world PATCH", "progress single 6/6 world PATCH",
      "complete single 6/6 world PATCH", "terminate single 6/6 world DELETE",
    }, seen)
  end)

  it("may refuse an upload", function()
    tus.begin {
      on_create = function(upload)
        if not upload.metadata.filename then weir.fail(422, "what is its name?") end
      end,
    }
    local _, answer = tus.create(6)
    refused(answer, 422, "what is its name%?")
    assert.same({}, names())
    _, answer = tus.create(6, { ["Upload-Metadata"] = "filename d29ybGQ=" })
    assert.equal(201, answer.status)
  end)

  it("may stop an upload on its way", function()
    tus.begin { on_progress = function() weir.fail(403, "enough") end }
    local path = tus.create(6)
    refused(tus.patch(path, 0, "abc"), 403, "enough")
    assert.equal(3, (tus.offset(path)))
  end)

  it("may move a complete upload away", function()
    local folder
    tus.begin { on_complete = function(upload) assert(weir.fs.rename(upload.path, folder .. "/it")) end }
    folder = support.folder()
    local path = tus.create(3)
    assert.equal(204, tus.patch(path, 0, "abc").status)
    assert.equal("abc", support.read_file(folder .. "/it"))
    local offset, answer = tus.offset(path)
    assert.equal(3, offset)
    assert.equal("3", answer.headers["upload-length"])
    assert.equal(204, tus.patch(path, 3, "").status)
    refused(tus.patch(path, 3, "d"), 413)
    assert.equal(204, tus.ask("DELETE", path).status)
    assert.equal("abc", support.read_file(folder .. "/it"))
    refused(tus.head(path), 404)
  end)

  it("may link a complete upload, which stays when that is ended", function()
    local ours = support.folder()
    tus.begin()
    local path = tus.create(5, nil, "hello")
    assert.equal(0, os.execute(("ln '%s/%s' '%s/film'"):format(tus.folder, tus.id(path), ours)))
    assert.equal(204, tus.ask("DELETE", path).status)
    assert.same({}, names())
    assert.equal("hello", support.read_file(ours .. "/film"))
  end)

  it("may move an upload away while it is ended", function()
    local ours = support.folder()
    tus.begin { on_terminate = function(upload) weir.fs.rename(upload.path, ours .. "/film") end }
    local path = tus.create(5, nil, "hello")
    assert.equal(204, tus.ask("DELETE", path).status)
    assert.same({}, names())
    assert.equal("hello", support.read_file(ours .. "/film"))
  end)

  it("are called again when the end of an upload failed", function()
    local fails, calls = true, 0
    tus.begin {
      on_complete = function()
        calls = calls + 1
        if fails then weir.fail(503, "not now") end
      end,
    }
    local path = tus.create(3)
    refused(tus.patch(path, 0, "abc"), 503, "not now")
    refused(tus.head(path), 503)
    fails = false
    assert.equal(3, (tus.offset(path)))
    assert.equal(3, (tus.offset(path)))
    assert.equal(3, calls)
  end)
end)

describe("whose an upload is", function()
  after_each(support.remove_folders)

  local function begin(foreign)
    tus.begin { owner = function(stream) return stream.headers["x-who"] end, foreign = foreign }
  end

  for _, foreign in ipairs { 404, 403 } do
    it(("is asked at each request: %d"):format(foreign), function()
      begin(foreign ~= 404 and foreign or nil)
      local ann, bob = { ["X-Who"] = "ann" }, { ["X-Who"] = "bob" }
      local path = tus.create(3, { ["X-Who"] = "ann" })
      assert.equal(204, tus.patch(path, 0, "a", ann).status)
      for _, who in ipairs { bob, {} } do
        refused(tus.head(path, who), foreign)
        refused(tus.patch(path, 1, "b", who), foreign)
        refused(tus.ask("DELETE", path, who), foreign)
      end
      assert.equal("1", tus.head(path, ann).headers["upload-offset"])
    end)
  end

  it("holds for the parts of a final upload", function()
    begin()
    local path = tus.create(1, { ["X-Who"] = "ann", ["Upload-Concat"] = "partial" }, "a")
    local answer = tus.ask("POST", "/files", { ["X-Who"] = "bob", ["Upload-Concat"] = "final;" .. path })
    refused(answer, 400, "there is no upload")
  end)

  it("is told in UTF-8, which records have", function()
    begin()
    refused(tus.ask("POST", "/files", { ["X-Who"] = "\255", ["Upload-Length"] = "1" }), 500)
    assert.equal(1, #test.log.take("owner must return UTF%-8", "error"))
  end)

  it("does not let strangers end a request", function()
    begin()
    local path = tus.create(6, { ["X-Who"] = "ann" })
    local client = tus.begin_patch(path, 0, 6, { ["X-Who"] = "ann" })
    client:send "abc"
    tus.await_stored(path, 3)
    refused(tus.head(path, { ["X-Who"] = "bob" }), 404)
    client:send "def"
    assert.equal(204, client:receive_response().status)
  end)
end)

describe("checksums of weir.tus", function()
  after_each(support.remove_folders)

  for _, algorithm in ipairs { "sha1", "sha256", "sha384", "sha512", "md5" } do
    it("are made with " .. algorithm, function()
      tus.begin()
      local path = tus.create(6)
      local answer = tus.patch(path, 0, "abc", { ["Upload-Checksum"] = checksum(algorithm, "abc") })
      assert.equal(204, answer.status)
      assert.equal("3", answer.headers["upload-offset"])
      refused(tus.patch(path, 3, "xyz", { ["Upload-Checksum"] = checksum(algorithm, "def") }), 460)
      assert.equal(3, (tus.offset(path)))
      assert.equal("abc", tus.stored(path))
      assert.equal(204, tus.patch(path, 3, "def", { ["Upload-Checksum"] = checksum(algorithm, "def") }).status)
      assert.equal("abcdef", tus.stored(path))
    end)
  end

  it("take back what is larger than a piece", function()
    tus.begin()
    local body = ("0123456789abcdef"):rep(128 * 1024)
    local path = tus.create(2 * #body)
    assert.equal(204, tus.patch(path, 0, body, { ["Upload-Checksum"] = checksum("sha1", body) }).status)
    refused(tus.patch(path, #body, body, { ["Upload-Checksum"] = checksum("sha1", "x") }), 460)
    assert.equal(#body, (tus.offset(path)))
    assert.equal(#body, #tus.stored(path))
  end)

  it("that cannot be are told", function()
    tus.begin()
    local path = tus.create(6)
    for value, message in pairs {
      ["crc32 AAAAAA=="] = "crc32 is none of sha1", ["sha1"] = "must be the name", ["sha1 %%%"] = "must be the name",
      ["sha1 AAAA"] = "no checksum of sha1", ["SHA1 " .. checksum("sha1", "abc"):sub(6)] = "must be the name",
    } do
      refused(tus.patch(path, 0, "abc", { ["Upload-Checksum"] = value }), 400, message)
    end
    assert.equal(0, (tus.offset(path)))
  end)
end)

describe("concatenation", function()
  after_each(support.remove_folders)

  it("makes one upload of several", function()
    local seen = {}
    tus.begin { on_complete = function(upload) seen[#seen + 1] = upload.kind .. " " .. upload.size end }
    local one = tus.create(5, { ["Upload-Concat"] = "partial" })
    local two = tus.create(6, { ["Upload-Concat"] = "partial" })
    local three = tus.create(5, { ["Upload-Concat"] = "partial" }, "again")
    assert.equal("partial", tus.head(one).headers["upload-concat"])
    tus.patch(two, 0, " world")
    tus.patch(one, 0, "hello")
    assert.same({}, seen)
    local value = ("final;%s http://elsewhere%s %s"):format(one, two, tus.id(three))
    local answer = tus.ask("POST", "/files", { ["Upload-Concat"] = value, ["Upload-Metadata"] = "filename d29ybGQ=" })
    assert.equal(201, answer.status, answer.body)
    local path = answer.headers.location
    assert.equal("hello worldagain", tus.stored(path))
    assert.same({ "final 16" }, seen)
    answer = tus.head(path)
    assert.equal("16", answer.headers["upload-offset"])
    assert.equal("16", answer.headers["upload-length"])
    assert.equal(value, answer.headers["upload-concat"])
    assert.equal("filename d29ybGQ=", answer.headers["upload-metadata"])
    refused(tus.patch(path, 16, ""), 403)
    assert.equal("hello", tus.stored(one))
  end)

  it("of what is not there is told, and makes nothing", function()
    tus.begin { max_size = 8 }
    local single = tus.create(1, nil, "x")
    local short = tus.create(5, { ["Upload-Concat"] = "partial" }, "hell")
    local whole = tus.create(5, { ["Upload-Concat"] = "partial" }, "hello")
    local second = tus.create(5, { ["Upload-Concat"] = "partial" }, "world")
    local missing = "/files/" .. tus.id(whole):reverse():gsub("^%x%x%x%x%x%x%x%x", "ffffffff")
    local before = #names()
    for value, expected in pairs {
      ["final;" .. missing] = { 400, "there is no upload" },
      ["final;/other/" .. tus.id(whole)] = { 400, "no upload of" },
      ["final;" .. whole .. " /files/../etc/passwd"] = { 400, "no upload of" }, ["final;"] = { 400, "of no uploads" },
      ["final;" .. single] = { 400, "not begun as a partial" }, ["final;" .. short] = { 409, "not complete yet" },
      ["both"] = { 400, "must be" }, ["final;\255" .. whole] = { 400, "must be" },
      ["final;" .. whole .. " " .. whole] = { 400, "is there twice" },
      ["final;" .. whole .. " " .. second] = { 413, "at most 8" },
    } do
      refused(tus.ask("POST", "/files", { ["Upload-Concat"] = value, ["Upload-Length"] = not value:find "^final"
        and "1" or nil }), unpack(expected))
    end
    refused(tus.ask("POST", "/files", { ["Upload-Concat"] = "final;" .. whole, ["Upload-Length"] = "5" }), 400)
    local cut = tus.create(4, { ["Upload-Concat"] = "partial" }, "hell")
    support.write_file(tus.folder .. "/" .. tus.id(cut), "he")
    refused(tus.ask("POST", "/files", { ["Upload-Concat"] = "final;" .. cut }), 400, "are not there any more")
    os.remove(tus.folder .. "/" .. tus.id(cut))
    refused(tus.ask("POST", "/files", { ["Upload-Concat"] = "final;" .. cut }), 400, "are not there any more")
    os.remove(tus.folder .. "/" .. tus.id(cut) .. ".json")
    assert.equal(before, #names())
    assert.equal("hello", tus.stored(whole))
  end)

  it("of what goes meanwhile is told", function()
    tus.begin()
    local part = tus.create(5, { ["Upload-Concat"] = "partial" }, "hello")
    support.write_file(tus.folder .. "/" .. tus.id(part), "he") -- one that is removed is cut first
    local before = #names()
    refused(tus.ask("POST", "/files", { ["Upload-Concat"] = "final;" .. part }), 400, "are not there any more")
    assert.equal(before, #names())
  end)
end)

describe("expiry", function()
  after_each(support.remove_folders)

  it("ends what was left alone", function()
    tus.begin { expires = "1h" }
    local path, complete = tus.create(6), tus.create(3, nil, "abc")
    tus.patch(path, 0, "abc")
    age(complete, 4000)
    age(path, 3500)
    assert.equal(3, (tus.offset(path)))
    age(path, 3700)
    refused(tus.head(path), 410, "")
    refused(tus.patch(path, 3, "def"), 410, "begin a new one")
    assert.equal(3, (tus.offset(complete)))
  end)

  it("comes a day after the last byte, unless it is told otherwise", function()
    tus.begin()
    local path = tus.create(6, nil, "abc")
    age(path, 24 * 3600 - 60)
    assert.equal(3, (tus.offset(path)))
    age(path, 24 * 3600 + 60)
    refused(tus.head(path), 410, "")
  end)

  it("is told of an upload that is long gone", function()
    tus.begin { expires = "1h" }
    local id = ("%08x"):format(os.time() - 3700) .. ("0"):rep(32)
    refused(tus.head("/files/" .. id), 410)
    id = ("%08x"):format(os.time() - 3500) .. ("0"):rep(32)
    refused(tus.head("/files/" .. id), 404)
  end)

  it("is swept, with what a crash has left", function()
    local ended = {}
    local function on_terminate(upload, stream) ended[#ended + 1] = upload.id .. tostring(stream) end
    tus.begin { expires = "1h", on_terminate = on_terminate }
    local old, young = tus.create(6), tus.create(6)
    local part = tus.create(3, { ["Upload-Concat"] = "partial" }, "abc")
    local complete = tus.create(3, nil, "abc")
    local busy = tus.create(6)
    local client = tus.begin_patch(busy, 0, 6)
    client:send "abc"
    tus.await_stored(busy, 3)
    for _, path in ipairs { old, part, complete, busy } do age(path, 4000) end
    local left = ("%08x"):format(os.time()) .. ("a"):rep(32)
    local record = ("%08x"):format(os.time()) .. ("b"):rep(32)
    support.write_file(tus.folder .. "/" .. left, "bytes")
    support.write_file(tus.folder .. "/" .. record .. ".json", '{"version":1,"size":3}')
    support.write_file(tus.folder .. "/other", "not ours")

    local again = test.start((function()
      local app = weir.app()
      app:mount("/files", weir.tus(tus.hooks))
      return app
    end)())
    local function has(path) return support.read_file(tus.folder .. "/" .. tus.id(path)) ~= nil end
    test.eventually(function() return #names() == 7 end)
    assert.truthy(has(young) and has(complete) and has(busy))
    table.sort(ended)
    local expected = { tus.id(old) .. "nil", tus.id(part) .. "nil" }
    table.sort(expected)
    assert.same(expected, ended)
    again:close()
    client:send "def"
    assert.equal(204, client:receive_response().status)
  end)

  it("is swept in a folder of more names than are looked at at once", function()
    tus.begin()
    local path = tus.create(3)
    age(path, 90000)
    assert.equal(0, os.execute(("cd '%s' && seq 20001 | xargs touch"):format(tus.folder)))
    local again = test.start(weir.tus(tus.hooks))
    test.eventually(function() return not tus.stored(path) end)
    again:close()
  end)

  it("goes on when the app's hook fails", function()
    tus.begin { expires = "1h" }
    local path, other = tus.create(6, nil, "abc"), tus.create(6, nil, "abcd")
    age(path, 4000)
    age(other, 4000)
    local seen = {}
    tus.hooks.on_terminate = function(upload)
      seen[#seen + 1] = upload.offset
      error("oh no", 0)
    end
    local app = weir.app()
    app:mount("/files", weir.tus(tus.hooks))
    test.start(app)
    test.eventually(function() return #names() == 0 end)
    table.sort(seen)
    assert.same({ 3, 4 }, seen)
    assert.equal(2, #test.log.take("on_terminate of %x+: oh no", "error"))
  end)

  it("can be left out", function()
    tus.begin { expires = false }
    local path, answer = tus.create(6)
    assert.is_nil(answer.headers["upload-expires"])
    age(path, 1e6)
    assert.equal(0, (tus.offset(path)))
    assert.is_nil(tus.server:options("/files").headers["tus-extension"]:find "expiration")
  end)

  it("is done again and again by one worker of the process", function()
    local folder = support.folder()
    tus.spawn(folder, 2, "expires = 1")
    local path = tus.create(6)
    tus.patch(path, 0, "abc")
    test.eventually(function() return #weir.fs.list(folder) == 0 end)
    refused(tus.head(path), 410)
  end)
end)

describe("the options of weir.tus", function()
  it("are looked at", function()
    for _, case in ipairs {
      { { rot = "x" }, "unknown option \"rot\"" }, { { max_size = "x" }, "max_size must be a size" },
      { { expires = "soon" }, "expires must be a span of time" }, { { expires = 0 }, "expires must be" },
      { { owner = "ann" }, "owner must be a function" }, { { on_create = 1 }, "on_create must be a function" },
      { { foreign = 401 }, "foreign must be 403 or 404" }, { { root = "" }, "root must be a path" },
    } do
      local ok, err = pcall(function()
        local app = weir.tus(case[1])
        return app
      end)
      assert.is_false(ok)
      assert.matches("tus_spec.lua:%d+: weir.tus: " .. case[2]:gsub("[%(%)]", "%%%0"), err)
    end
  end)

  it("name a folder that is there", function()
    local app = weir.app()
    app:mount("/files", weir.tus { root = "/no/such/folder" })
    assert.error_matches(function() test.start(app) end, "there is no folder /no/such/folder; make it")
  end)

  it("may leave it to --data", function()
    local _, app = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      app:mount("/files", weir.tus {})
      return app
    ]]
    local data = support.folder()
    tus.server = test.spawn { "serve", app, "--workers", 1, "--data", data }
    local path = tus.create(3, nil, "abc")
    assert.equal("abc", support.read_file(data .. "/uploads/tus/" .. tus.id(path)))
    tus.server:stop()
    tus.server = test.run { "serve", app, "--workers", 1, "--listen", "127.0.0.1:0" }
    assert.matches("no folder for uploads; start with %-%-data", tus.server.stderr)
    support.remove_folders()
  end)
end)

describe("weir.tus behind middleware", function()
  after_each(support.remove_folders)

  it("lets in whom the app lets in", function()
    local secret = ("s"):rep(32)
    tus.begin({ owner = function(stream) return stream.claims.sub end }, function(app)
      app:use("/files", weir.cors { origins = { "https://a.example" }, tus = true })
      app:use("/files", weir.jwt { secret = secret })
    end)
    local _, answer = tus.create(3)
    assert.equal(401, answer.status)
    local ann = { Authorization = "Bearer " .. weir.jwt.sign({ sub = "ann" }, { secret = secret }),
      Origin = "https://a.example" }
    local path
    path, answer = tus.create(3, ann)
    assert.equal(201, answer.status)
    assert.equal("https://a.example", answer.headers["access-control-allow-origin"])
    assert.matches("Location, Upload%-Offset", answer.headers["access-control-expose-headers"])
    assert.equal(204, tus.patch(path, 0, "abc", ann).status)

    answer = tus.server:options(path, { headers = {
      Origin = "https://a.example", ["Access-Control-Request-Method"] = "PATCH",
    } })
    assert.equal(204, answer.status)
    assert.matches("PATCH", answer.headers["access-control-allow-methods"])
    assert.matches("Content%-Type.*Upload%-Offset", answer.headers["access-control-allow-headers"])
  end)

  it("can be at a prefix that no URL has in its letters", function()
    tus.folder = support.folder()
    tus.server = support.serve(function(app) app:mount("/Größe x", weir.tus { root = tus.folder }) end)
    local answer = tus.ask("POST", "/Gr%C3%B6%C3%9Fe%20x", { ["Upload-Length"] = "3", ["Upload-Concat"] = "partial" })
    assert.matches("^/Gr%%C3%%B6%%C3%%9Fe%%20x/%x+$", answer.headers.location)
    assert.equal(204, tus.patch(answer.headers.location, 0, "abc").status)
    answer = tus.ask("POST", "/Gr%C3%B6%C3%9Fe%20x", { ["Upload-Concat"] = "final;" .. answer.headers.location })
    assert.equal(201, answer.status, answer.body)
    assert.equal("abc", tus.stored(answer.headers.location))
  end)

  it("is limited as any route", function()
    tus.begin(nil, function(app) app:use("/files", weir.limit { rate = 0.001, burst = 1 }) end)
    local _, answer = tus.create(3)
    assert.equal(201, answer.status)
    _, answer = tus.create(3)
    assert.equal(429, answer.status)
  end)
end)

describe("an upload that nobody sends", function()
  after_each(support.remove_folders)

  it("costs no descriptor and no memory", function()
    tus.begin()
    local function cost()
      collectgarbage()
      collectgarbage()
      return #weir.fs.list "/proc/self/fd", collectgarbage "count"
    end
    for _ = 1, 20 do tus.create(10, nil, "abc") end
    local descriptors, memory = cost()
    for _ = 1, 100 do tus.create(10, nil, "abc") end
    test.eventually(function() return (cost()) <= descriptors end)
    local _, now = cost()
    assert.is_true(now - memory < 100, ("%d KiB more"):format(now - memory))
  end)
end)
