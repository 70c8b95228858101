-- What uploads of weir.tus survive: connections that die, requests that meet, servers that are killed. Across workers
-- and processes too.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local tus = require "spec.tus_support"

-- A text in which each place can be told from the others.
local function text(n)
  local lines = {}
  for i = 1, n / 16 do lines[i] = ("%015d\n"):format(i) end
  return table.concat(lines)
end

describe("a PATCH that breaks off", function()
  after_each(support.remove_folders)

  for _, how in ipairs { "close", "reset", "shutdown" } do
    it("leaves what had arrived: " .. how, function()
      tus.begin()
      local path = tus.create(100)
      local client = tus.begin_patch(path, 0, 100)
      client:send "hello "
      tus.await_stored(path, 6)
      client:send "world"
      if how == "reset" then tus.await_stored(path, 11) end -- it destroys what is on its way
      client[how](client)
      test.eventually(function() return (tus.offset(path)) == 11 end)
      assert.equal("hello world", tus.stored(path))
      client:close()
    end)
  end

  it("is synced before it is told", function()
    tus.begin()
    local path, client = tus.halfway()
    test.fault("file_sync", "EIO")
    client:close()
    test.eventually(function() return tus.head(path).headers["upload-offset"] == "0" end)
    assert.equal("", tus.stored(path))
    assert.truthy(test.log.take("error", "error")[1])
  end)

  it("is synced before a wrong offset is told, too", function()
    tus.begin()
    local path = tus.create(100)
    support.write_file(tus.folder .. "/" .. tus.id(path), "hello") -- as a process leaves it that is killed
    test.fault("file_sync", "EIO")
    assert.equal(500, tus.patch(path, 0, "x").status)
    assert.truthy(test.log.take("error", "error")[1])
    assert.matches("is 5, not 0", tus.patch(path, 0, "x").body)
  end)

  it("with a checksum leaves nothing", function()
    tus.begin()
    local path = tus.create(100)
    tus.patch(path, 0, "abc")
    local sum = "sha1 " .. weir.base64.encode(weir.hash("sha1", "hello world"))
    local client = tus.begin_patch(path, 3, 11, { ["Upload-Checksum"] = sum })
    client:send "hello "
    tus.await_stored(path, 9)
    client:close()
    test.eventually(function() return #tus.stored(path) == 3 end)
    assert.equal(3, (tus.offset(path)))
    assert.equal(204, tus.patch(path, 3, "hello world", { ["Upload-Checksum"] = sum }).status)
  end)

  it("by standing still is told, and keeps what came", function()
    tus.begin_file("", 'require "weir".limits { progress_timeout = 0.2 }')
    local path = tus.create(100)
    local client = tus.begin_patch(path, 0, 100)
    client:send "hello"
    local answer = client:receive_response()
    assert.equal(408, answer.status)
    assert.equal("5", answer.headers["upload-offset"])
    assert.equal(5, (tus.offset(path)))
    client:close()
  end)
end)

describe("a request that finds another one at its upload", function()
  after_each(support.remove_folders)

  it("takes it over at once", function()
    tus.begin()
    local path, old = tus.halfway()
    local offset, answer = tus.offset(path)
    assert.equal(200, answer.status)
    assert.equal(5, offset)
    answer = old:receive_response()
    assert.equal(409, answer.status)
    assert.equal("5", answer.headers["upload-offset"])
    assert.matches("another request goes on", answer.body)
    assert.equal(204, tus.patch(path, 5, " world").status)
    assert.equal("hello world", tus.stored(path))
    old:close()
  end)

  it("loses nothing of two PATCHes", function()
    tus.begin()
    local path, old = tus.halfway()
    local answer = tus.patch(path, 0, "HELLO")
    assert.equal(409, answer.status)
    assert.matches("is 5, not 0", answer.body)
    assert.equal(409, old:receive_response().status)
    assert.equal("hello", tus.stored(path))
    old:close()
  end)

  it("ends it by DELETE, too", function()
    tus.begin()
    local path, old = tus.halfway()
    assert.equal(204, tus.ask("DELETE", path).status)
    assert.equal(409, old:receive_response().status)
    assert.same({}, weir.fs.list(tus.folder))
    old:close()
  end)

  it("is not kept waiting by one to an upload that is complete", function()
    tus.begin()
    local path = tus.create(3)
    tus.patch(path, 0, "abc")
    local old = tus.server:connect()
    old:send("PATCH " .. path .. " HTTP/1.1\r\nHost: here\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 3\r\n"
      .. "Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    test.settle()
    assert.equal(3, (tus.offset(path)))
    old:send "0\r\n\r\n"
    assert.equal(204, old:receive_response().status)
    old:close()
  end)

  it("is told the offset though a newer one has the upload", function()
    local gate, waits = weir.channel(), false
    tus.begin({
      owner = function(stream)
        if stream.headers["x-slow"] then
          waits = true
          gate:recv()
        end
      end,
    })
    local path = tus.create(100)
    local answer
    local task = weir.spawn(function() answer = tus.head(path, { ["X-Slow"] = "1" }) end)
    test.eventually(function() return waits end)
    local newer = tus.begin_patch(path, 0, 100)
    newer:send "hello"
    tus.await_stored(path, 5)
    gate:send(true)
    task:join()
    assert.equal(200, answer.status)
    assert.equal("5", answer.headers["upload-offset"])
    assert.equal(409, newer:receive_response().status)
    newer:close()
  end)

  it("waits for the end of an upload that the app is at", function()
    local gate, calls = weir.channel(), 0
    tus.begin {
      on_complete = function()
        calls = calls + 1
        gate:recv()
      end,
    }
    local path = tus.create(3)
    local old = tus.begin_patch(path, 0, 3)
    old:send "abc"
    test.eventually(function() return calls == 1 end)
    local task = weir.spawn(function() return (tus.offset(path)) end)
    gate:send(true)
    assert.equal(3, task:join())
    assert.equal(204, old:receive_response().status)
    assert.equal(1, calls)
    old:close()
  end)

  it("does not stop what the app does at the end when its client leaves", function()
    local begun, done, fails = false, false, true
    tus.begin {
      on_complete = function(_, stream)
        if fails then weir.fail(503) end
        begun = true
        while not stream.closed do weir.sleep(0.001) end
        done = true
      end,
    }
    local path = tus.create(3)
    assert.equal(503, tus.patch(path, 0, "abc").status)
    fails = false
    local client = tus.server:connect()
    client:send("HEAD " .. path .. " HTTP/1.1\r\nHost: here\r\nTus-Resumable: 1.0.0\r\n\r\n")
    test.eventually(function() return begun end)
    client:reset()
    test.eventually(function() return done end)
    assert.equal(3, (tus.offset(path)))
  end)

  it("gives up where it does not end", function()
    local gate = weir.channel()
    tus.begin { on_complete = function() gate:recv() end }
    local path = tus.create(3)
    local old = tus.begin_patch(path, 0, 3)
    old:send "abc"
    tus.await_stored(path, 3)
    test.clock.freeze()
    local answer
    local task = weir.spawn(function() answer = tus.head(path) end)
    for _ = 1, 30 do test.clock.advance(1) end
    test.clock.thaw()
    task:join()
    assert.equal(423, answer.status)
    gate:send(true)
    assert.equal(204, old:receive_response().status)
    old:close()
  end)

  it("asks other workers #workers", function()
    tus.spawn(support.folder(), 2)
    local same, other = 0, 0
    test.eventually(function()
      local path, old = tus.halfway()
      local offset, answer = tus.offset(path)
      assert.equal(5, offset)
      local ended = old:receive_response()
      assert.equal(409, ended.status)
      if ended.headers["x-worker"] == answer.headers["x-worker"] then same = same + 1 else other = other + 1 end
      assert.equal(204, tus.patch(path, 5, ("x"):rep(95)).status)
      old:close()
      return same > 2 and other > 2
    end, 30)
    tus.server:stop()
  end)

  it("is not waited for by an upload of its own #workers", function()
    -- Two tabs that both send all, take each other over again and again, and come to the same end.
    local folder, body = support.folder(), text(400000)
    tus.spawn(folder, 2)
    local path = tus.create(#body)
    local function tab(piece)
      local turns = 0
      while true do
        local offset, answer = tus.offset(path)
        assert(answer.status == 200, "HEAD is never refused")
        if offset == #body then return turns end
        answer = tus.patch(path, offset, body:sub(offset + 1, offset + piece))
        assert(answer.status == 204 or answer.status == 409, answer.status)
        turns = turns + 1
      end
    end
    local one, two = weir.spawn(tab, 3000), weir.spawn(tab, 7000)
    assert.truthy(one:join())
    assert.truthy(two:join())
    assert.equal(weir.hash("sha1", body), weir.hash("sha1", tus.stored(path)))
    tus.server:stop()
  end)
end)

describe("a server that is killed #workers", function()
  after_each(support.remove_folders)

  local function again(folder, more)
    tus.server:stop("KILL")
    tus.spawn(folder, 2, more)
  end

  it("has what it has answered, and what had arrived", function()
    local folder = support.folder()
    tus.spawn(folder, 2)
    local path = tus.create(100, { ["Upload-Metadata"] = "filename d29ybGQ=" })
    assert.equal(204, tus.patch(path, 0, "hello ").status)
    local client = tus.begin_patch(path, 6, 94)
    client:send "world"
    tus.await_stored(path, 11)
    again(folder)
    local offset, answer = tus.offset(path)
    assert.equal(11, offset)
    assert.equal("100", answer.headers["upload-length"])
    assert.equal("filename d29ybGQ=", answer.headers["upload-metadata"])
    assert.equal(204, tus.patch(path, 11, ("x"):rep(89)).status)
    client:close()
    tus.server:stop()
  end)

  it("has taken back what was not checked yet", function()
    local folder = support.folder()
    tus.spawn(folder, 2)
    local path = tus.create(100)
    tus.patch(path, 0, "abc")
    local sum = "sha1 " .. weir.base64.encode(weir.hash("sha1", "hello world"))
    local client = tus.begin_patch(path, 3, 11, { ["Upload-Checksum"] = sum })
    client:send "hello "
    tus.await_stored(path, 9)
    again(folder)
    assert.equal(3, (tus.offset(path)))
    assert.equal("abc", tus.stored(path))
    assert.equal(204, tus.patch(path, 3, "hello world", { ["Upload-Checksum"] = sum }).status)
    assert.equal(14, (tus.offset(path)))
    client:close()
    tus.server:stop()
  end)

  it("in the hook calls it again", function()
    local folder = support.folder()
    local marks = support.folder()
    local hook = ([[on_complete = function(upload)
      weir.fs.append(%q, "x")
      if #weir.fs.read(%q) == 1 then weir.sleep(60) end
      weir.fs.rename(upload.path, %q)
    end]]):format(marks .. "/calls", marks .. "/calls", marks .. "/moved")
    tus.spawn(folder, 2, hook)
    local path = tus.create(3)
    local client = tus.begin_patch(path, 0, 3)
    client:send "abc"
    test.eventually(function() return support.read_file(marks .. "/calls") == "x" end)
    again(folder, hook)
    assert.equal(3, (tus.offset(path)))
    assert.equal("abc", support.read_file(marks .. "/moved"))
    assert.equal("xx", support.read_file(marks .. "/calls"))
    again(folder, hook)
    assert.equal(3, (tus.offset(path)))
    assert.equal("xx", support.read_file(marks .. "/calls"))
    client:close()
    tus.server:stop()
  end)

  it("at any moment loses no byte that it has told of", function()
    local folder, body = support.folder(), text(3000000)
    tus.spawn(folder, 2)
    local path = tus.create(#body)
    local told, kills = 0, 0
    while told < #body do
      local client = tus.begin_patch(path, told, #body - told)
      local wanted = math.min(told + 250000 + 70001 * (kills % 3), #body)
      client:send(body:sub(told + 1, wanted + 200000)) -- the last of it may arrive, or not
      tus.await_stored(path, wanted)
      again(folder)
      kills = kills + 1
      client:close()
      local offset = tus.offset(path)
      assert.is_true(offset >= wanted and offset >= told)
      told = offset
    end
    assert.is_true(kills > 5)
    assert.equal(weir.hash("sha1", body), weir.hash("sha1", tus.stored(path)))
    tus.server:stop()
  end)

  it("locks nobody out whom another process has shut out", function()
    -- The lock is the kernel's: as long as one process has the upload, the other does not touch it.
    local folder = support.folder()
    local first = tus.spawn(folder, 1)
    local path, client = tus.halfway()
    tus.spawn(folder, 1)
    local answer
    local task = weir.spawn(function() answer = tus.head(path) end)
    weir.sleep(0)
    first:stop("KILL")
    task:join()
    assert.equal(200, answer.status)
    assert.equal("5", answer.headers["upload-offset"])
    client:close()
    tus.server:stop()
  end)
end)

describe("a server that ends", function()
  after_each(support.remove_folders)

  it("keeps what it has received #workers", function()
    local folder = support.folder()
    tus.spawn(folder, 2)
    local path, client = tus.halfway()
    assert.equal(0, (tus.server:stop("TERM", 30)))
    tus.spawn(folder, 2)
    assert.equal(5, (tus.offset(path)))
    client:close()
    tus.server:stop()
  end)
end)
