-- Files off the loop: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local fs = weir.fs

describe("weir.fs", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(support.remove_folders)

  it("writes and reads what was written", function()
    local path = folder .. "/file"
    for _, data in ipairs { "text\n", "", "\0\255binary", ("x"):rep(300000) } do
      assert.equal(true, (fs.write(path, data)))
      assert.is_true(fs.read(path) == data)
      assert.is_true(support.read_file(path) == data)
    end
  end)

  it("reads the beginning", function()
    local path = folder .. "/file"
    assert(fs.write(path, ("x"):rep(2 * 1024 * 1024)))
    assert.equal("xxx", fs.head(path, 3))
    assert.equal("", fs.head(path, 0))
    assert.equal(1024 * 1024, #fs.head(path, "1MB"))
    assert.error_matches(function() fs.head(path, 1024 * 1024 + 1) end, "argument 2 %(n%) must be 1MB at most")
    assert.equal("ENOENT", (select(2, fs.head(folder .. "/missing", 1))))
  end)

  it("hashes all of a file, however long it is", function()
    local path = folder .. "/file"
    for _, size in ipairs { 0, 3, 256 * 1024, 8 * 1024 * 1024, 9 * 1024 * 1024 + 1 } do
      local data = ("weir "):rep(size / 5 + 1):sub(1, size)
      assert(fs.write(path, data))
      assert.equal(weir.hex.encode(weir.hash("sha256", data)), weir.hex.encode(assert(fs.hash(path, "sha256"))))
    end
    assert.equal("ENOENT", (select(2, fs.hash(folder .. "/missing", "md5"))))
    assert.equal("EISDIR", (select(2, fs.hash(folder, "sha1"))))
    local wrong = 'argument 2 %(algorithm%) must be "sha256", .*, got "crc"'
    assert.error_matches(function() fs.hash(path, "crc") end, wrong)
  end)

  it("makes a safe name of any", function()
    for sent, safe in pairs { ["a b.txt"] = "a b.txt", ["../x"] = "x", [".env"] = "env", ["a\0b"] = "a_b",
      [("n"):rep(300)] = ("n"):rep(255) } do
      assert.equal(safe, fs.safe_name(sent))
    end
    assert.error_matches(function() fs.safe_name(nil) end, "weir.fs.safe_name: argument 1 %(name%)")
  end)

  it("appends", function()
    local path = folder .. "/file"
    assert(fs.append(path, "one"))
    assert(fs.append(path, "two"))
    assert.equal("onetwo", fs.read(path))
  end)

  it("lists the names in a folder", function()
    assert(fs.write(folder .. "/b", ""))
    assert(fs.write(folder .. "/a", ""))
    assert(fs.mkdir(folder .. "/c"))
    local names = assert(fs.list(folder))
    table.sort(names)
    assert.same({ "a", "b", "c" }, names)
  end)

  it("lists 100,000 names, and refuses more #once", function()
    assert(os.execute(("cd '%s' && seq 100000 | xargs touch"):format(folder)) == 0)
    assert.equal(100000, #fs.list(folder))
    assert(fs.write(folder .. "/one more", ""))
    local names, code = fs.list(folder)
    assert.same({ nil, "EFBIG" }, { names, code })
  end)

  it("stat tells size, time and type", function()
    local path = folder .. "/file"
    assert(fs.write(path, "12345"))
    local stat = assert(fs.stat(path))
    assert.equal(5, stat.size)
    assert.equal("file", stat.type)
    assert.is_true(math.abs(stat.mtime - os.time()) < 10)
    assert.equal("folder", fs.stat(folder).type)
    assert.equal("other", fs.stat("/dev/null").type)
  end)

  it("space tells how much room a file system has, as df does", function()
    assert(fs.write(folder .. "/file", "x"))
    for _, path in ipairs { folder, folder .. "/file", "/proc" } do
      local function df()
        local pipe = io.popen(("df -B1 --output=size,avail '%s' | tail -n 1"):format(path))
        local total, free = pipe:read("*n", "*n")
        pipe:close()
        return { total = total, free = free }
      end
      -- others may write meanwhile
      test.eventually(function()
        local space, told = assert(fs.space(path)), df()
        return space.total == told.total and space.free == told.free
      end)
    end
    assert.equal(0, fs.space("/proc").total)
  end)

  it("says of what is no file that it is none, to whomever", function()
    assert(os.execute(("mkfifo '%s/pipe'"):format(folder)) == 0)
    for _, path in ipairs { "/dev/null", folder .. "/pipe" } do
      for _, results in ipairs { { fs.read(path) }, { fs.write(path, "x") }, { fs.append(path, "x") } } do
        assert.same({ nil, "EFTYPE", path .. ": it is a device, a pipe or a socket, no file" }, results)
      end
    end
    assert.equal("EISDIR", (select(2, fs.read(folder))))
  end)

  it("renames over what is there", function()
    assert(fs.write(folder .. "/a", "new"))
    assert(fs.write(folder .. "/b", "old"))
    assert(fs.rename(folder .. "/a", folder .. "/b"))
    assert.equal("new", fs.read(folder .. "/b"))
    assert.is_nil((fs.read(folder .. "/a")))
  end)

  it("removes files and empty folders", function()
    assert(fs.write(folder .. "/a", ""))
    assert(fs.mkdir(folder .. "/b"))
    assert(fs.remove(folder .. "/a"))
    assert(fs.remove(folder .. "/b"))
    assert.same({}, fs.list(folder))
  end)

  local failures = {
    { "read", "ENOENT", function() return fs.read(folder .. "/missing") end },
    { "write", "ENOENT", function() return fs.write(folder .. "/missing/file", "x") end },
    { "append", "ENOENT", function() return fs.append(folder .. "/missing/file", "x") end },
    { "list", "ENOENT", function() return fs.list(folder .. "/missing") end },
    { "stat", "ENOENT", function() return fs.stat(folder .. "/missing") end },
    { "space", "ENOENT", function() return fs.space(folder .. "/missing") end },
    { "space below a file", "ENOTDIR", function()
      assert(fs.write(folder .. "/file", ""))
      return fs.space(folder .. "/file/folder")
    end },
    { "rename", "ENOENT", function() return fs.rename(folder .. "/missing", folder .. "/x") end },
    { "remove", "ENOENT", function() return fs.remove(folder .. "/missing") end },
    { "mkdir below a file", "^E%u+$", function()
      assert(fs.write(folder .. "/file", ""))
      return fs.mkdir(folder .. "/file/folder")
    end },
    { "read of a folder", "EISDIR", function() return fs.read(folder) end },
  }
  for _, case in ipairs(failures) do
    it(case[1] .. " gives nil, " .. case[2] .. " and a message", function()
      local value, code, message = case[3]()
      assert.is_nil(value)
      assert.matches(case[2], code)
      assert.equal("string", type(message))
    end)
  end

  for _, name in ipairs { "read", "list", "stat", "space", "remove", "mkdir", "write", "append", "rename" } do
    it(name .. " raises for a path with NUL or none", function()
      assert.has_error(function() fs[name]("a\0b", "x") end)
      assert.has_error(function() fs[name](nil, "x") end)
    end)
  end

  it("other tasks run meanwhile", function()
    local turns, done = 0, false
    local counter = weir.spawn(function()
      while not done do
        turns = turns + 1
        weir.sleep(0)
      end
    end)
    for _ = 1, 20 do assert(fs.write(folder .. "/file", "x")) end
    done = true
    counter:join()
    assert.is_true(turns > 1)
  end)

  it("a task cancelled in it ends at once", function()
    local task = weir.spawn(function() return fs.write(folder .. "/file", ("x"):rep(1000000)) end)
    task:cancel()
    local ok, err = task:join()
    assert.is_nil(ok)
    assert.equal("cancelled", tostring(err))
  end)

  it("relative paths are relative to the app's folder, for whatever takes one", function()
    local path, app_folder = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local keys = { jwks = "keys.json" }
      app:get("/fs", function() return weir.fs.read "beside.txt" end)
      app:get("/tail", function() return (weir.tail "beside.txt"()) end)
      app:get("/logs", function() return weir.logs({ sources = "b*.txt" }):sources()[1].state end)
      app:get("/file", function(stream) return stream:file("beside.txt", { root = "." }) end)
      app:get("/jwks", function() return select(3, weir.jwt.verify("a.b.c", keys)) end)
      app:put("/saved", function(stream) stream:save("saved.txt", { root = "." }) end)
      app:static("/static", "static")
      app:mount("/tus", weir.tus { root = "static" })
      return app
    ]]
    support.write_file(app_folder .. "/beside.txt", "beside the app\n")
    local key = '{"kty":"oct","alg":"HS256","k":"' .. ("A"):rep(43) .. '"}'
    support.write_file(app_folder .. "/keys.json", '{"keys":[' .. key .. "]}")
    assert(os.execute("mkdir " .. app_folder .. "/static") == 0)
    support.write_file(app_folder .. "/static/a.txt", "a file")
    local server = test.start(path)
    for _, name in ipairs { "fs", "tail", "file" } do
      assert.matches("^beside the app\n?$", server:get("/" .. name).body)
    end
    assert.equal("found", server:get("/logs").body)
    assert.equal("invalid", server:get("/jwks").body)
    assert.equal("a file", server:get("/static/a.txt").body)
    assert.equal(204, server:put("/saved", { body = "saved" }).status)
    assert.equal("saved", support.read_file(app_folder .. "/saved.txt"))
    local headers = { ["Tus-Resumable"] = "1.0.0", ["Upload-Length"] = 1 }
    local upload = server:post("/tus", { headers = headers }).headers.location
    assert.equal("", support.read_file(app_folder .. "/static/" .. upload:match "[^/]+$"))
  end)
end)
