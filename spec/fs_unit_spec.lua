-- Files and tails from within: what becomes of a job whose task or app is gone, the writer below stream:save, whose
-- tail it is.

local weir = require "weir"
local core = require "weir.core"
local test = require "weir.test"
local check = require "weir.check"
local support = require "spec.support"
local fs = weir.fs

local folder
before_each(function() folder = support.folder() end)
after_each(support.remove_folders)

local function names() return table.concat(assert(fs.list(folder)), " ") end

describe("weir.fs", function()
  it("reads up to the limit, and refuses more", function()
    local path = support.write_file(folder .. "/file", "12345")
    assert.equal("12345", fs.read(path, 5))
    local data, code, message = fs.read(path, 4)
    assert.is_nil(data)
    assert.equal("EFBIG", code)
    assert.equal(path .. ": it is longer than 4 bytes; weir.fs.read(path, limit) takes another limit", message)
    assert.equal("EFBIG", select(2, fs.read(path, 0)))
  end)

  it("reads more than 16 MiB only when told so", function()
    local path = folder .. "/file"
    assert(fs.write(path, ("x"):rep(16 * 1024 ^ 2)))
    assert.equal(16 * 1024 ^ 2, #fs.read(path))
    assert(fs.append(path, "x"))
    assert.equal("EFBIG", select(2, fs.read(path)))
    assert.equal(16 * 1024 ^ 2 + 1, #fs.read(path, "17MB"))
    assert.equal(16 * 1024 ^ 2 + 1, #fs.read(path, "1000GB"))
  end)

  it("names both paths when renaming fails", function()
    local from, to = folder .. "/from", folder .. "/to"
    local ok, code, message = fs.rename(from, to)
    assert.is_nil(ok)
    assert.equal("ENOENT", code)
    assert.equal(from .. " to " .. to .. ": no such file or directory", message)
  end)

  it("lists in the order of bytes", function()
    for _, name in ipairs { "b", "a", "B", ".c", "a b" } do support.write_file(folder .. "/" .. name, "") end
    assert.same({ ".c", "B", "a", "a b", "b" }, fs.list(folder))
  end)

  it("keeps the old content when a write fails", function()
    local path = support.write_file(folder .. "/file", "old")
    test.fault("file_write", "ENOSPC")
    local ok, code = fs.write(path, "new")
    assert.is_nil(ok)
    assert.equal("ENOSPC", code)
    assert.equal("old", fs.read(path))
    assert.equal("file", names())
  end)

  it("ends a write whose task was cancelled", function()
    local path, data = folder .. "/file", ("x"):rep(1000000)
    local begun = false
    local task = weir.spawn(function()
      begun = true
      fs.write(path, data)
    end)
    test.eventually(function() return begun end)
    task:cancel()
    task:join()
    collectgarbage()
    test.eventually(function() return support.read_file(path) == data end)
    assert.equal("file", names())
  end)

  it("raises in a coroutine of the script's own", function()
    assert.error_matches(coroutine.wrap(function() fs.read(folder) end), "weir.fs.read: cannot wait inside a coroutine")
  end)

  it("outlives the app that asked", function()
    local path = support.app_file([[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function()
        for i = 1, 20 do
          weir.background(function()
            while true do assert(weir.fs.write("]] .. folder .. [[/" .. i, ("x"):rep(100000))) end
          end)
        end
        return "begun"
      end)
      return app
    ]])
    local server = test.start(path)
    assert.equal("begun", server:get("/").body)
    test.eventually(function() return #fs.list(folder) >= 20 end)
    server:close()
    test.eventually(function() return not names():find("tmp") end)
    for _, name in ipairs(fs.list(folder)) do assert.equal(100000, fs.stat(folder .. "/" .. name).size) end
  end)
end)

describe("a writer", function()
  local function open(name) return assert(check(core.writer(name, folder))) end
  local function write(writer, bytes)
    core.writer_put(writer, bytes)
    return check(core.writer_write(writer))
  end
  local function commit(writer) return check(core.writer_commit(writer)) end

  it("shows the file when it is committed", function()
    local writer = open "file"
    assert.equal(true, write(writer, "one "))
    assert.equal(true, write(writer, ""))
    assert.equal(true, write(writer, "two"))
    core.writer_put(writer, " three")
    assert.is_nil((fs.stat(folder .. "/file")))
    assert.equal(true, commit(writer))
    assert.equal("one two three", support.read_file(folder .. "/file"))
    assert.equal("file", names())
  end)

  it("leaves nothing when it is aborted, once or twice", function()
    local writer = open "file"
    write(writer, "text")
    core.writer_abort(writer)
    core.writer_abort(writer)
    test.eventually(function() return names() == "" end)
    assert.error_matches(function() write(writer, "more") end, "this writer is over")
  end)

  it("leaves nothing when it is forgotten", function()
    write(open "file", "text")
    collectgarbage()
    collectgarbage()
    test.eventually(function() return names() == "" end)
  end)

  it("tells the digest of what it has written", function()
    local writer = assert(check(core.writer("file", folder, false, "sha256")))
    write(writer, "ab")
    write(writer, "c")
    local ok, digest = commit(writer)
    assert.equal(true, ok)
    assert.equal(weir.hash("sha256", "abc"), digest)
  end)

  it("saves nothing that it cannot digest", function()
    local writer = assert(check(core.writer("file", folder, false, "sha256")))
    write(writer, "abc")
    test.fault("auth_digest", "ENOMEM")
    local ok, code = commit(writer)
    assert.is_nil(ok)
    assert.equal("EIO", code)
    core.writer_abort(writer)
    test.eventually(function() return names() == "" end)
    test.fault("auth_digest", "ENOMEM")
    assert.error_matches(function() core.writer("file", folder, false, "sha256") end, "the digest cannot be made")
  end)

  it("cannot be used after the commit", function()
    local writer = open "file"
    commit(writer)
    assert.error_matches(function() write(writer, "more") end, "this writer is over")
    assert.error_matches(function() commit(writer) end, "this writer is over")
    core.writer_abort(writer)
    assert.equal("file", names())
  end)

  it("is for one task at a time", function()
    local writer = open "file"
    local task = weir.spawn(write, writer, ("x"):rep(1000000))
    local other = weir.spawn(write, writer, "more") -- once the first has begun, and before it can be told
    assert.matches("another task", select(2, other:join()))
    assert.equal(true, task:join())
    commit(writer)
    assert.equal(1000000, #support.read_file(folder .. "/file"))
  end)

  it("aborted while it writes leaves nothing", function()
    local writer = open "file"
    local task = weir.spawn(write, writer, ("x"):rep(1000000))
    weir.sleep(0)
    core.writer_abort(writer)
    assert.equal(true, task:join())
    test.eventually(function() return names() == "" end)
  end)

  it("opened by a task that was cancelled leaves nothing", function()
    local task = weir.spawn(open, "file")
    weir.sleep(0)
    task:cancel()
    task:join()
    collectgarbage()
    test.eventually(function() return names() == "" end)
  end)

  it("tells what it cannot do", function()
    support.write_file(folder .. "/there", "")
    local writer, code, message = check(core.writer("there/file", folder))
    assert.is_nil(writer)
    assert.equal("ENOTDIR", code)
    assert.equal(folder .. "/there/file: not a directory", message)
    os.remove(folder .. "/there")
    writer = open "file"
    test.fault("file_write", "ENOSPC")
    local ok
    ok, code, message = write(writer, "text")
    assert.is_nil(ok)
    assert.equal("ENOSPC", code)
    assert.equal(folder .. "/file: no space left on device", message)
    core.writer_abort(writer)
    test.eventually(function() return names() == "" end)
  end)

  it("keeps what was there when the commit fails", function()
    local writer = open "file"
    write(writer, "text")
    assert(fs.mkdir(folder .. "/file"))
    local ok, code = commit(writer)
    assert.is_nil(ok)
    assert.equal("EISDIR", code)
    assert.equal("file", names())
    assert.equal("folder", fs.stat(folder .. "/file").type)
  end)
end)

describe("stream:save", function()
  it("takes a relative root from the app's folder, and replaces", function()
    local path, app_folder = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      app:post("/", function(stream) return tostring(stream:save("saved", { root = "." })) end)
      return app
    ]]
    support.write_file(app_folder .. "/saved", "something longer")
    assert.equal("4", test.start(path):post("/", { body = "text" }).body)
    assert.equal("text", support.read_file(app_folder .. "/saved"))
  end)
end)

describe("weir.tail", function()
  local path
  before_each(function() path = folder .. "/log" end)

  local function viewers() return weir.stats().tail_viewers end

  it("says which option is too large, and where", function()
    local function message(options) return select(2, pcall(function() weir.tail(path, options) end)) end
    assert.matches("fs_unit_spec.lua:%d+: weir.tail: lines must be 100000 at most$", message { lines = 100001 })
    assert.matches("fs_unit_spec.lua:%d+: weir.tail: max_line must be 1048576 at most$", message { max_line = "2MB" })
  end)

  it("gives its lines to one task at a time", function()
    local tail = weir.tail(path)
    local task = weir.spawn(function() return tail() end)
    weir.sleep(0)
    assert.error_matches(function() tail() end, "another task waits")
    support.write_file(path, "line\n")
    assert.equal("line", task:join())
    tail:close()
  end)

  it("wakes who waits when it is closed", function()
    local tail = weir.tail(path)
    local ended = false
    local task = weir.spawn(function()
      for _ in tail do error "there is no line" end
      ended = true
    end)
    weir.sleep(0)
    tail:close()
    task:join()
    assert.is_true(ended)
    assert.is_nil(tail())
    tail:close()
  end)

  it("ends with the task that made it", function()
    local before = viewers()
    local tail
    local task = weir.spawn(function()
      tail = weir.tail(path)
      tail()
    end)
    weir.sleep(0)
    assert.equal(before + 1, viewers())
    task:cancel()
    task:join()
    test.eventually(function() return viewers() == before end)
    assert.error_matches(function() tail() end, "the task that made it was cancelled")
  end)

  it("goes on when a task that was lent it is cancelled", function()
    local tail = weir.tail(path)
    assert.same({ nil, "timeout" }, { weir.timeout(0.05, function() return tail() end) })
    support.write_file(path, "line\n")
    assert.equal("line", weir.timeout(5, function() return tail() end))
    tail:close()
  end)

  it("goes when it is forgotten", function()
    local before = viewers()
    weir.tail(path)
    assert.equal(before + 1, viewers())
    collectgarbage()
    collectgarbage()
    test.eventually(function() return viewers() == before end)
  end)

  it("is kept while a task waits, whoever forgot it", function()
    local task = weir.spawn(function() return check(core.iterator_next(core.tail(path, 10, 100))) end)
    weir.sleep(0)
    collectgarbage()
    collectgarbage()
    support.write_file(path, "line\n")
    assert.equal("line", task:join())
  end)

  it("may be made while the app loads, with a path relative to its folder", function()
    local file, app_folder = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local tail = weir.tail "log"
      app:get("/", function() return tail() end)
      return app
    ]]
    support.write_file(app_folder .. "/log", "one\ntwo\n")
    local server = test.start(file)
    assert.equal("one", server:get("/").body)
    assert.equal("two", server:get("/").body)
  end)
end)
