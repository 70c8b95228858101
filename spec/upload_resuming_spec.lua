-- Uploads to apps/upload that go on: what of them is this app's. That they go on is weir.tus's (spec/tus_*), what the
-- page does is in tests/browser.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local uploading = require "spec.upload_support"
local json = weir.json

local token, ask, put = uploading.token, uploading.ask, uploading.put
local list, names, stored, refused = uploading.list, uploading.names, uploading.stored, uploading.refused
local running, SHA_OF_ABC = uploading.running, uploading.SHA_OF_ABC

local BODY = "application/offset+octet-stream"

local function with(headers, more)
  headers["Tus-Resumable"] = "1.0.0"
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

local function metadata(fields)
  local all = {}
  for name, value in pairs(fields) do all[#all + 1] = name .. " " .. weir.base64.encode(value) end
  return table.concat(all, ",")
end

-- Begins an upload: its path, or nil and the answer. `fields` are its metadata.
local function create(size, fields, options)
  options = options or {}
  options.headers = with({
    ["Upload-Length"] = size and ("%d"):format(size), ["Upload-Defer-Length"] = not size and "1" or nil,
    ["Upload-Metadata"] = metadata(fields),
  }, options.headers)
  local answer = ask("POST", "/tus", options)
  return answer.status == 201 and answer.headers.location or nil, answer
end

local function patch(path, offset, body, more, as)
  local headers = with({ ["Upload-Offset"] = ("%d"):format(offset), ["Content-Type"] = BODY }, more)
  return ask("PATCH", path, { headers = headers, body = body, as = as })
end

local function head(path, as) return ask("HEAD", path, { headers = with {}, as = as }) end

local function terminate(path, as) return ask("DELETE", path, { headers = with {}, as = as }) end

-- Bytes and records of what goes on.
local function unfinished()
  local all = {}
  for _, name in ipairs(weir.fs.list(uploading.folder)) do
    if #name >= 40 then all[#all + 1] = name end
  end
  return all
end

-- A PATCH of which more is to come.
local function begin_patch(path, offset, length, first)
  local client = test.connect(uploading.server.port)
  client:send(("PATCH %s HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n"):format(path))
  client:send(("Content-Type: %s\r\n"):format(BODY))
  client:send(("Upload-Offset: %d\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n%s"):format(offset, length,
    token "ann", first))
  return client
end

local function watch(as)
  local headers = { Authorization = "Bearer " .. token(as or "ben") }
  local events = uploading.server:sse("/events", { headers = headers })
  return function(name)
    local event
    repeat event = assert(events:next()) until event.event == name
    return json.decode(event.data)
  end, events
end

describe("an upload that goes on", function()
  before_each(uploading.begin)
  after_each(support.remove_folders)

  it("becomes a file as any other, under its id", function()
    local await, events = watch()
    await "upload.listed"
    local path, answer = create(3, { filename = "letters/abc.txt", tag = "t1" })
    local id = answer.headers["upload-id"]
    local begun = await "upload.begun"
    assert.same({ id, "ann", "letters/abc.txt", 3, "t1", path:match "[^/]+$" },
      { begun.id, begun.owner, begun.name, begun.total, begun.tag, begun.tus })
    assert.equal(204, patch(path, 0, "a").status)
    assert.same({ 1, 3, "receiving" }, { list().running[1].progress.received, list().used,
      list().running[1].progress.stage })
    assert.equal(204, patch(path, 1, "bc", { ["Upload-Sha256"] = SHA_OF_ABC }).status)
    local file = await "file.added"
    assert.same({ id, "ann", "letters/abc.txt", 3, SHA_OF_ABC, "text/plain", "text" },
      { file.id, file.owner, file.name, file.size, file.sha256, file.type, file.preview })
    local ended = await "upload.ended"
    assert.same({ id, "done", { { fileId = id, fileName = "letters/abc.txt", size = 3, sha256 = SHA_OF_ABC } } },
      { ended.id, ended.state, ended.files })
    assert.same(file, ask("GET", "/files/" .. id .. "/about").json())
    assert.equal("abc", ask("GET", "/files/" .. id).body)
    assert.same({ id }, stored())
    assert.same({}, list().running)
    assert.equal(3, list().used)
    assert.equal("3", head(path).headers["upload-offset"])
    events:close()
  end)

  it("may be empty, and may come with its beginning", function()
    assert.is_string((create(0, { filename = "empty" })))
    local path, answer = create(3, { filename = "abc" }, { body = "ab", headers = { ["Content-Type"] = BODY } })
    assert.equal("2", answer.headers["upload-offset"])
    patch(path, 2, "c")
    assert.equal("abc, empty", names())
  end)

  it("has its room and its name from the beginning on, or is refused", function()
    uploading.begin { UPLOAD_QUOTA = "100B", UPLOAD_LIMIT = "80B" }
    local path = create(80, { filename = "a" })
    assert.equal(80, list().used)
    refused(select(2, create(21, { filename = "b" })), 507, "quota")
    refused(ask("PUT", "/files/b", { body = ("x"):rep(21) }), 507, "quota")
    put("b", ("x"):rep(20))
    assert.equal(413, select(2, create(81, { filename = "c" })).status)
    assert.equal(204, terminate(path).status)
    assert.equal(20, list().used)
    refused(select(2, create(1, {})), 400, "name")
    refused(select(2, create(1, { filename = "a", tag = "a b" })), 400, "tag")
    refused(select(2, create(1, { filename = "a", collision = "ask" })), 400, "collision")
    refused(select(2, create(1, { filename = "a", fingerprint = "#" })), 400, "fingerprint")
    refused(select(2, create(1, { filename = "a" }, { headers = { ["Upload-Concat"] = "partial" } })), 400, "parts")
    test.eventually(function() return #unfinished() == 0 end)
    assert.same({}, list().running)
  end)

  it("whose length is not known takes what is left, and no more", function()
    uploading.begin { UPLOAD_QUOTA = "100B" }
    put("b", ("x"):rep(90))
    local path = create(nil, { filename = "a" })
    assert.equal(204, patch(path, 0, ("x"):rep(10)).status)
    refused(patch(path, 10, "x"), 507, "quota")
    assert.equal(204, terminate(path).status)
    path = create(nil, { filename = "a" })
    patch(path, 0, "abc")
    assert.equal(204, patch(path, 3, "", { ["Upload-Length"] = "3" }).status)
    assert.equal("a, b", names())
  end)

  it("is begun once for each fingerprint: who begins it again hears where it is", function()
    local path, answer = create(3, { filename = "abc", fingerprint = "f1" })
    local _, again = create(3, { filename = "abc", fingerprint = "f1" })
    refused(again, 409, "exists")
    assert.same({ id = answer.headers["upload-id"], tus = path:match "[^/]+$" }, again.json().upload)
    assert.equal("f1", list().running[1].fingerprint)
    assert.is_string((create(3, { filename = "abc", fingerprint = "f2" })))
    assert.is_string((create(3, { filename = "abc", fingerprint = "f1" }, { as = "ben" }))) -- everybody has their own
    patch(path, 0, "abc")
    assert.is_string((create(3, { filename = "abc", fingerprint = "f1" })))
  end)

  it("is nobody else's", function()
    local path, answer = create(3, { filename = "abc" })
    local id = answer.headers["upload-id"]
    assert.equal(404, head(path, "ben").status)
    assert.equal(404, patch(path, 0, "abc", nil, "ben").status)
    assert.equal(404, terminate(path, "ben").status)
    for _, act in ipairs { "/pause", "/resume" } do
      refused(ask("POST", "/uploads/" .. id .. act, { as = "ben" }), 403, "owner")
    end
    refused(ask("DELETE", "/uploads/" .. id, { as = "ben" }), 403, "owner")
    assert.equal(401, uploading.server:request("HEAD", path, { headers = with {} }).status)
    assert.equal(204, uploading.server:request("OPTIONS", "/tus", {}).status)
    assert.equal("0", head(path).headers["upload-offset"])
  end)

  it("tells the word of who sends it", function()
    local await = watch()
    await "upload.listed"
    local path = create(10, { filename = "abc" })
    assert.equal(204, patch(path, 0, "abc", { ["Upload-Tag"] = "one-1" }).status)
    assert.equal("one-1", (await "upload.progress").tag)
    assert.equal(204, patch(path, 3, "def", { ["Upload-Tag"] = "two" }).status)
    assert.equal("two", (await "upload.progress").tag)
    assert.equal(204, patch(path, 6, "g").status)
    assert.is_nil((await "upload.progress").tag)
    refused(patch(path, 7, "h", { ["Upload-Tag"] = "no word" }), 400, "tag")
    assert.equal(204, patch(path, 7, "hij", { ["Upload-Tag"] = ("x"):rep(40) }).status)
    refused(patch(create(1, { filename = "b" }), 0, "b", { ["Upload-Tag"] = ("x"):rep(41) }), 400, "tag")
  end)

  it("stands still when it is paused, whoever sends it, and goes on when it is resumed", function()
    local await, events = watch()
    await "upload.listed"
    local path, answer = create(10, { filename = "abc" })
    local id = answer.headers["upload-id"]
    local client = begin_patch(path, 0, 10, "abc")
    assert.equal(3, (await "upload.progress").received)
    assert.equal(204, ask("POST", "/uploads/" .. id .. "/pause").status)
    assert.same({ id = id, owner = "ann" }, await "upload.paused")
    local stopped = client:receive_response()
    assert.equal(409, stopped.status)
    assert.equal("paused", json.decode(stopped.body).errorCode)
    client:close()
    assert.is_true(list().running[1].paused)
    refused(patch(path, 3, "defghij"), 409, "paused")
    assert.equal("3", head(path).headers["upload-offset"])
    assert.equal(204, ask("POST", "/uploads/" .. id .. "/resume").status)
    assert.same({ id = id, owner = "ann" }, await "upload.resumed")
    assert.is_nil(list().running[1].paused)
    assert.equal(204, patch(path, 3, "defghij").status)
    assert.equal("abcdefghij", ask("GET", "/files/" .. id).body)
    refused(ask("POST", "/uploads/" .. id .. "/pause"), 404, "missing")
    client = uploading.open_put("plain", 10, "x")
    refused(ask("POST", "/uploads/" .. running(1).id .. "/pause"), 409, "pause")
    client:close()
    events:close()
  end)

  it("is told to wait when nobody sends it any more", function()
    local path = create(10, { filename = "abc" })
    local client = begin_patch(path, 0, 10, "abc")
    uploading.arrived(3)
    client:close()
    test.eventually(function()
      test.clock.advance(0.2)
      return list().running[1].progress.stage == "waiting"
    end)
    assert.equal(3, list().running[1].progress.received)
  end)

  it("that is cancelled is gone, also while it comes", function()
    local path, answer = create(10, { filename = "abc" })
    local client = begin_patch(path, 0, 10, "abc")
    uploading.arrived(3)
    assert.equal(204, ask("DELETE", "/uploads/" .. answer.headers["upload-id"]).status)
    local stopped = client:receive_response()
    assert.equal(409, stopped.status)
    assert.equal("cancelled", json.decode(stopped.body).errorCode)
    client:close()
    test.eventually(function() return #unfinished() == 0 end)
    assert.same({ 0, 0 }, { #list().running, list().used })
    assert.equal(404, patch(path, 3, "defghij").status)
    assert.same({}, stored())
  end)

  it("that is another file than the client's gets no place", function()
    local await, events = watch()
    local path = create(3, { filename = "abc" })
    refused(patch(path, 0, "abd", { ["Upload-Sha256"] = SHA_OF_ABC }), 460, "checksum")
    assert.same({ "failed", "checksum" }, { (function(ended) return ended.state, ended.error.errorCode end)(
      await "upload.ended") })
    test.eventually(function() return #unfinished() == 0 end)
    assert.same({ "", 0 }, { names(), list().used })
    events:close()
  end)

  it("whose name is taken is kept beside it, or replaces it, or is skipped", function()
    local first = put("a", "first").fileId
    local function send(collision)
      local whole = { body = "abc", headers = { ["Content-Type"] = BODY } }
      return select(2, create(3, { filename = "a", collision = collision }, whole))
    end
    send()
    assert.equal("a, a (2)", names())
    local answer = send "skip"
    refused(ask("GET", "/files/" .. answer.headers["upload-id"] .. "/about"), 404, "missing")
    assert.equal("a, a (2)", names())
    send "replace"
    assert.equal("a, a (2)", names())
    assert.equal(first, list().deleted[1].id)
    assert.equal(3, #stored())
  end)

  it("whose time is over is told so until its owner has seen it", function()
    uploading.begin { UPLOAD_EXPIRES = "1h" }
    local path, answer = create(10, { filename = "abc", fingerprint = "f1" })
    local id = answer.headers["upload-id"]
    patch(path, 0, "abc")
    assert.is_true(list().running[1].progress.expires > weir.now())
    test.eventually(function()
      test.clock.advance(3601)
      uploading.use(uploading.server, uploading.folder) -- tokens have ended
      return list().running[1].expired
    end)
    assert.equal(410, head(path).status)
    assert.equal(0, list().used)
    test.eventually(function() return #unfinished() == 0 end)
    refused(ask("POST", "/uploads/" .. id .. "/resume"), 404, "missing")
    create(10, { filename = "abc", fingerprint = "f1" })
    local now = list().running
    assert.same({ 1, nil }, { #now, now[1].expired })
    test.eventually(function()
      test.clock.advance(3601)
      uploading.use(uploading.server, uploading.folder)
      return list().running[1].expired
    end)
    assert.equal(204, ask("DELETE", "/uploads/" .. list().running[1].id).status)
    assert.same({}, list().running)
  end)

  it("that cannot be begun leaves nothing", function()
    test.fault("file_write", "ENOSPC")
    local path, answer = create(10, { filename = "abc" })
    assert.is_nil(path)
    assert.equal(507, answer.status)
    test.eventually(function() return list().used == 0 and #list().running == 0 and #unfinished() == 0 end)
  end)
end)

describe("an upload that goes on, when a process ends,", function()
  after_each(support.remove_folders)

  local data

  local function serve()
    uploading.use(test.spawn { "serve", "apps/upload", "--workers", 2, "--data", data }, data .. "/uploads")
  end

  local function restart()
    uploading.server:stop "KILL"
    serve()
  end

  before_each(function()
    data = support.folder()
    serve()
  end)

  it("is where it was #workers", function()
    local path, answer = create(10, { filename = "abc", fingerprint = "f1" })
    local client = begin_patch(path, 0, 10, "abc")
    test.eventually(function() return list().running[1].progress.received == 3 end)
    restart()
    client:close()
    local run = list().running[1]
    assert.same({ answer.headers["upload-id"], "f1", 10, 3, "waiting" },
      { run.id, run.fingerprint, run.total, run.progress.received, run.progress.stage })
    assert.equal(10, list().used)
    assert.equal("3", head(path).headers["upload-offset"])
    assert.equal(204, patch(path, 3, "defghij").status)
    assert.equal("abcdefghij", ask("GET", "/files/" .. run.id).body)
    assert.same({}, list().running)
  end)

  -- One whose record has its place, and whose bytes have not; and what is in their way.
  local function stop_half_way()
    local path, answer = create(3, { filename = "abc" })
    local id = answer.headers["upload-id"]
    local folder = data .. "/uploads/upload"
    weir.fs.mkdir(folder)
    local block = folder .. "/" .. id:sub(1, 24)
    assert(weir.fs.write(block, ""))
    assert.equal(500, patch(path, 0, "abc").status)
    assert(weir.fs.remove(block))
    return path, id
  end

  local function is_whole(id)
    assert.equal("abc", ask("GET", "/files/" .. id).body)
    assert.same({ "abc", 3, 0 }, { names(), list().used, #list().running })
    assert.same({ id }, stored())
  end

  it("between its record and its bytes, is put in order when the next one begins #workers", function()
    local path, id = stop_half_way()
    restart()
    is_whole(id)
    assert.equal("3", head(path).headers["upload-offset"])
  end)

  it("and is ended then by its owner, has its place #workers", function()
    local path, id = stop_half_way()
    refused(ask("DELETE", "/uploads/" .. id), 404, "missing")
    refused(terminate(path), 404, "missing")
    is_whole(id)
  end)

  it("or only the request, is put in order by the next one #workers", function()
    local path, id = stop_half_way()
    assert.equal("3", head(path).headers["upload-offset"])
    is_whole(id)
  end)
end)
