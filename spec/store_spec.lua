-- weir.store: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local names = 0

-- A store that no other spec has seen.
local function fresh()
  names = names + 1
  return weir.store("spec " .. names)
end

local function pairs_of(store, prefix)
  local list = {}
  for key, value in store:each(prefix) do list[#list + 1] = { key, value } end
  return list
end

describe("weir.store", function()
  for _, case in ipairs {
    { "a string", "text" }, { "an empty string", "" }, { "bytes", "\0\1\255\r\n" }, { "a whole number", 2 ^ 53 },
    { "a fraction", 0.1 }, { "a negative number", -1.5e-300 }, { "infinity", math.huge }, { "true", true },
    { "false", false }, { "a list", { 1, 2, { 3 } } }, { "an object", { a = { b = "c" }, d = false } },
    { "a list marked as one", weir.json.array {} },
  } do
    it("keeps " .. case[1], function()
      local store = fresh()
      assert.equal(true, (store:set("key", case[2])))
      assert.same(case[2], store:get("key"))
    end)
  end

  it("keeps numbers that are none", function()
    local store = fresh()
    store:set("nan", 0 / 0)
    local value = store:get("nan")
    assert.is_true(value ~= value)
  end)

  it("has nil for what was never set, was deleted, or belongs to another name", function()
    local store, other = fresh(), fresh()
    assert.is_nil((store:get("key")))
    store:set("key", 1)
    assert.is_nil((other:get("key")))
    assert.equal(1, weir.store(store.name):get("key"))
    assert.equal(true, (store:delete("key")))
    assert.equal(false, (store:delete("key")))
    assert.is_nil((store:get("key")))
  end)

  it("set replaces, its life too", function()
    local store = fresh()
    test.clock.freeze()
    store:set("key", 1, 10)
    store:set("key", 2)
    test.clock.advance(11)
    assert.equal(2, store:get("key"))
  end)

  it("a value with a ttl goes when its time has come", function()
    local store = fresh()
    test.clock.freeze()
    store:set("a", 1, 10)
    store:set("b", 2, 0.5)
    store:set("c", 3)
    test.clock.advance(0.499)
    assert.equal(2, store:get("b"))
    test.clock.advance(0.001)
    assert.is_nil((store:get("b")))
    assert.equal(false, (store:delete("b")))
    assert.same({ { "a", 1 }, { "c", 3 } }, pairs_of(store))
    assert.equal(7, store:update("b", function(value)
      assert.is_nil(value)
      return 7
    end))
    test.clock.advance(20)
    assert.same({ { "b", 7 }, { "c", 3 } }, pairs_of(store))
  end)

  -- ---- each ---------------------------------------------------------------------------------------------------------

  it("each goes through the keys with a prefix in order, over many pages", function()
    local store, expected = fresh(), {}
    local keys = { "user", "user/", "user/\255", "user0", "usr", "a", "\255", "\255\255" }
    for i = 1, 300 do keys[#keys + 1] = ("user/%03d"):format(i) end
    local tasks = {}
    for i, key in ipairs(keys) do tasks[i] = function() return store:set(key, i) end end
    weir.all(tasks)
    for i, key in ipairs(keys) do
      if key:sub(1, 5) == "user/" then expected[#expected + 1] = { key, i } end
    end
    table.sort(expected, function(a, b) return a[1] < b[1] end)
    assert.equal(302, #expected)
    assert.same(expected, pairs_of(store, "user/"))
    assert.equal(#keys, #pairs_of(store))
    assert.same({}, pairs_of(store, "nobody"))
    assert.same({ { "\255", 7 }, { "\255\255", 8 } }, pairs_of(store, "\255"))
  end)

  it("each gives large values in pages of their own", function()
    local store = fresh()
    for i = 1, 4 do store:set("key" .. i, ("x"):rep(200000) .. i) end
    local seen = pairs_of(store)
    assert.equal(4, #seen)
    for i = 1, 4 do assert.is_true(seen[i][2] == ("x"):rep(200000) .. i) end
  end)

  it("what is set and deleted while each runs is seen or not, and disturbs nothing", function()
    local store = fresh()
    for i = 1, 200 do store:set(("%03d"):format(i), i) end
    local seen = {}
    for key in store:each() do
      seen[#seen + 1] = key
      store:delete(key)
    end
    assert.equal(200, #seen)
    assert.same({}, pairs_of(store))
  end)

  -- ---- update -------------------------------------------------------------------------------------------------------

  it("update makes, replaces and deletes", function()
    local store = fresh()
    assert.equal(1, store:update("n", function(n) return (n or 0) + 1 end))
    assert.equal(2, store:update("n", function(n) return (n or 0) + 1 end))
    assert.equal(2, store:get("n"))
    assert.is_nil(store:update("n", function() return nil end))
    assert.is_nil((store:get("n")))
  end)

  it("update leaves the end of life where it was", function()
    local store = fresh()
    test.clock.freeze()
    store:set("n", 1, 10)
    store:update("n", function(n) return n + 1 end)
    test.clock.advance(9)
    assert.equal(2, store:get("n"))
    test.clock.advance(1)
    assert.is_nil((store:get("n")))
  end)

  it("updates of many tasks all count", function()
    local store, tasks = fresh(), {}
    for i = 1, 150 do
      tasks[i] = function() return store:update("n", function(n) return (n or 0) + 1 end) end
    end
    local results = weir.all(tasks)
    table.sort(results)
    for i = 1, 150 do assert.equal(i, results[i]) end
    assert.equal(150, store:get("n"))
  end)

  it("a task cancelled in update lets the next one go on", function()
    local store = fresh()
    local function add() return store:update("n", function(n) return (n or 0) + 1 end) end
    for _ = 1, 20 do
      local first, second = weir.spawn(add), weir.spawn(add)
      first:cancel()
      assert.is_number((second:join()))
    end
    local n = store:get("n")
    assert.is_true(n >= 20 and n <= 40)
  end)

  it("an error in the function of update is the caller's, and nothing is written", function()
    local store = fresh()
    store:set("n", 1)
    assert.has_error(function() store:update("n", function() error("mine", 0) end) end, "mine")
    assert.equal(1, store:get("n"))
    assert.equal(2, store:update("n", function(n) return n + 1 end))
  end)

  it("the function of update must not wait, and is told so", function()
    local store = fresh()
    for name, wait in pairs {
      sleep = function() weir.sleep(0) end,
      store = function() store:get("n") end,
    } do
      local ok, err = pcall(store.update, store, "n", wait)
      assert.is_false(ok, name)
      assert.matches("cannot wait inside .* the function of store:update", err)
    end
    assert.has_error(function() store:update("n", function() coroutine.yield() end) end)
    assert.is_nil((store:get("n")))
  end)

  -- ---- limits and mistakes ------------------------------------------------------------------------------------------

  it("takes keys of 1 to 1,024 bytes", function()
    local store = fresh()
    for _, length in ipairs { 1, 1024 } do
      assert.equal(true, (store:set(("k"):rep(length), length)))
      assert.equal(length, store:get(("k"):rep(length)))
    end
    for _, key in ipairs { "", ("k"):rep(1025), 7, false } do
      for _, method in ipairs { "get", "set", "delete", "update" } do
        local ok, err = pcall(store[method], store, key, print)
        assert.is_false(ok)
        assert.matches("store:" .. method .. ": argument 1 %(key%) must be a string of 1 to 1024 bytes", err)
      end
    end
  end)

  it("takes values of up to 1 MiB", function()
    local store = fresh()
    local most = ("v"):rep(1024 * 1024)
    assert.equal(true, (store:set("k", most)))
    assert.is_true(store:get("k") == most)
    assert.equal(#most + 1, #(most .. "v"))
    local ok, err = pcall(store.set, store, "k", most .. "v")
    assert.is_false(ok)
    assert.matches("takes 1048577 bytes, more than 1048576", err)
    ok, err = pcall(store.update, store, "k", function() return most .. "v" end)
    assert.is_false(ok)
    assert.matches("takes 1048577 bytes", err)
    assert.is_true(store:get("k") == most)
  end)

  it("raises for what it cannot keep", function()
    local store = fresh()
    for _, value in ipairs { print, io.stdout, { print }, { [1] = 1, a = 2 } } do
      assert.is_false((pcall(store.set, store, "k", value)))
    end
    local ok, err = pcall(store.set, store, "k", nil)
    assert.is_false(ok)
    assert.matches("store:delete removes", err)
    for _, ttl in ipairs { 0, -1, 0 / 0, math.huge, "1" } do
      assert.is_false((pcall(store.set, store, "k", 1, ttl)), tostring(ttl))
    end
    for _, name in ipairs { "", ("n"):rep(256), 7 } do assert.is_false((pcall(weir.store, name))) end
    assert.is_false((pcall(weir.store)))
    assert.is_table(weir.store(("n"):rep(255)))
    assert.is_nil((store:get("k")))
  end)

  -- ---- errors -------------------------------------------------------------------------------------------------------

  for _, case in ipairs { { "store_write", "EIO" }, { "store_write", "ENOSPC" }, { "store_commit", "ENOSPC" } } do
    it(("gives nil, \"io\" and a message for %s at %s, and is well again"):format(case[2], case[1]), function()
      local store = fresh()
      store:set("k", 1)
      for _, write in ipairs {
        function() return store:set("k", 2) end,
        function() return store:delete("k") end,
        function() return store:update("k", function() return 2 end) end,
      } do
        test.fault(case[1], case[2])
        local value, code, message = write()
        assert.is_nil(value)
        assert.equal("io", code)
        assert.equal("string", type(message))
        assert.equal(1, store:get("k"))
        assert.equal(true, (store:set("other", 1)))
      end
      assert.equal(3, #test.log.take("the store in memory cannot be written", "error"))
      assert.equal(3, #test.log.take("the store writes again", "info"))
    end)
  end

  it("says what cannot be read", function()
    local store = fresh()
    for _, read in ipairs { "get", "update" } do
      test.fault("store_read", "EIO")
      local value, code = store[read](store, "k", print)
      assert.is_nil(value)
      assert.equal("io", code)
    end
    test.fault("store_read", "EIO")
    local ok, err = pcall(function() for _ in store:each() do error("nothing is there") end end)
    assert.is_false(ok)
    assert.matches("store:each: io: ", err)
  end)

  it("a task cancelled in it ends at once", function()
    local store = fresh()
    for _ = 1, 50 do
      local writer = weir.spawn(function() return store:set("k", ("x"):rep(1000)) end)
      local reader = weir.spawn(function() return store:get("k") end)
      weir.sleep(0)
      writer:cancel()
      reader:cancel()
      local ok, err = writer:join()
      assert.is_true(ok or tostring(err) == "cancelled")
      reader:join()
    end
  end)
end)

-- ---- real processes -------------------------------------------------------------------------------------------------

local counter_text = [[
  local weir = require "weir"
  local app = weir.app()
  local store = weir.store("app")
  app:get("/get/:key", function(stream) return { value = store:get(stream.params.key) } end)
  app:post("/set/:key", function(stream) return assert(store:set(stream.params.key, stream:body())) and "set" end)
  app:post("/count", function()
    return tostring(assert(store:update("n", function(n) return (n or 0) + 1 end)))
  end)
  return app
]]

describe("weir serve --data", function()
  after_each(support.remove_folders)

  local function serve(data, ...)
    return test.spawn { "serve", (support.app_file(counter_text)), "--data", data, ... }
  end

  it("keeps what was stored over kill -9 and restarts", function()
    local data = support.folder() .. "/new"
    local server = serve(data, "--workers", 1)
    assert.equal("set", server:request("POST", "/set/k", { body = "v" }).body)
    server:stop("KILL")
    server = serve(data, "--workers", 1)
    assert.same({ value = "v" }, server:get("/get/k"):json())
    assert.equal("1", server:request("POST", "/count").body)
    assert.equal(0, (server:stop()))
    server = serve(data, "--workers", 1)
    assert.equal("2", server:request("POST", "/count").body)
    server:stop()
  end)

  it("counts once for each update of two workers #workers", function()
    local server = serve(support.folder(), "--workers", 2)
    local tasks, seen = {}, {}
    for i = 1, 16 do
      tasks[i] = function()
        for _ = 1, 10 do
          local response = server:request("POST", "/count")
          assert.equal(200, response.status)
          assert.is_nil(seen[response.body])
          seen[response.body] = true
        end
      end
    end
    weir.all(tasks)
    assert.same({ value = 160 }, server:get("/get/n"):json())
    server:stop()
  end)

  it("refuses a folder that another server uses, and one that cannot be, with 1", function()
    local data = support.folder()
    local server = serve(data, "--workers", 1)
    local app = (support.app_file(counter_text))
    local run = test.run { "serve", app, "--listen", "127.0.0.1:0", "--data", data }
    assert.equal(1, run.code)
    assert.equal(("weir: --data: %s is in use by another server; stop that one, or give this one a folder of its own\n")
      :format(data), run.stderr)
    for _ = 1, 2 do -- its lock file removed by hand, then the one that the second server made
      os.remove(data .. "/weir.lock")
      run = test.run { "serve", app, "--listen", "127.0.0.1:0", "--data", data }
      assert.equal(1, run.code)
      assert.matches("is in use by another server", run.stderr)
    end
    server:stop()
    run = test.run { "serve", app, "--listen", "127.0.0.1:0", "--data", data .. "/no/such" }
    assert.equal(1, run.code)
    assert.matches("no/such: No such file or directory; make the folder above it", run.stderr)
    support.write_file(data .. "/weir.db", "this was a letter to somebody, and no database at all")
    run = test.run { "serve", app, "--listen", "127.0.0.1:0", "--data", data }
    assert.equal(1, run.code)
    assert.matches("weir.db is damaged", run.stderr)
    assert.equal("this was a letter to somebody, and no database at all", support.read_file(data .. "/weir.db"))
    run = test.run { "serve", app, "--data=" }
    assert.equal(2, run.code)
  end)

  it("says once that without it all is in memory", function()
    local app = (support.app_file(counter_text))
    local server = test.spawn { "serve", app, "--workers", 2 }
    assert.equal("1", server:request("POST", "/count").body)
    server:stop()
    local _, times = server:stderr():gsub("memory only", "")
    assert.equal(1, times)
    server = serve(support.folder())
    server:stop()
    assert.is_nil(server:stderr():find("memory only"))
  end)
end)
