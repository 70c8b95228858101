-- weir.shared: dictionaries of all workers: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- A dictionary that the spec leaves empty: what it stores is noted and removed.
local names = 0
local used = {}

local function fresh()
  names = names + 1
  local shared = weir.shared("spec " .. names)
  used[#used + 1] = shared
  return shared
end

local function empty(keys)
  for _, shared in ipairs(used) do
    for _, key in ipairs(keys) do shared:delete(key) end
  end
  used = {}
end

describe("weir.shared", function()
  after_each(function()
    empty { "k", "n", "a", "b", "c" }
    support.remove_folders()
  end)

  it("gives back strings, numbers and booleans", function()
    local shared = fresh()
    assert.is_nil(shared:get "k")
    for _, value in ipairs { "text", "", "a\0b\255", ("x"):rep(2 ^ 20), 0, -1.5, 2 ^ 53, 1 / 0, true, false } do
      assert.is_true(shared:set("k", value))
      assert.is_true(shared:get "k" == value)
      assert.equal(type(value), type(shared:get "k"))
    end
    assert.same({ 1, nil }, { select("#", shared:get "nothing"), shared:get "nothing" })
  end)

  it("takes keys of 1 to 1024 bytes of any kind", function()
    local shared = fresh()
    for _, key in ipairs { "a", "\0", "a\0", ("k"):rep(1024) } do
      shared:set(key, key)
    end
    for _, key in ipairs { "a", "\0", "a\0", ("k"):rep(1024) } do
      assert.equal(key, shared:get(key))
      assert.is_true(shared:delete(key))
    end
  end)

  it("is one dictionary for each name", function()
    local shared, other = fresh(), fresh()
    shared:set("k", 1)
    assert.is_nil(other:get "k")
    local name = "spec " .. names - 1
    assert.equal(shared, weir.shared(name))
    assert.equal("weir.shared", getmetatable(shared))
  end)

  it("keeps entries when nobody holds the dictionary", function()
    weir.shared("held by nobody"):set("k", "kept")
    collectgarbage()
    collectgarbage()
    local shared = weir.shared "held by nobody"
    assert.equal("kept", shared:get "k")
    shared:delete "k"
  end)

  it("is the same for another Lua state", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      local shared = weir.shared "between states"
      app:get("/", function()
        shared:set("b", shared:get "a" .. " and back")
      end)
      return app
    ]]
    local shared = weir.shared "between states"
    shared:set("a", "there")
    assert.equal(204, server:get("/").status)
    assert.equal("there and back", shared:get "b")
    shared:delete "a"
    shared:delete "b"
  end)

  it("add stores only where nothing is", function()
    local shared = fresh()
    assert.is_true(shared:add("k", false))
    assert.same({ n = 2, nil, "exists" }, { n = select("#", shared:add("k", 1)), shared:add("k", 1) })
    assert.is_false(shared:get "k")
    shared:delete "k"
    assert.is_true(shared:add("k", 1))
  end)

  it("incr counts from 0", function()
    local shared = fresh()
    assert.equal(1, shared:incr "n")
    assert.equal(3, shared:incr("n", 2))
    assert.equal(2.5, shared:incr("n", -0.5))
    assert.equal(2.5, shared:get "n")
    assert.equal(-4, shared:incr("b", -4))
  end)

  it("delete says whether there was one", function()
    local shared = fresh()
    shared:set("k", false)
    assert.is_true(shared:delete "k")
    assert.is_nil(shared:get "k")
    assert.is_false(shared:delete "k")
  end)

  it("forgets an entry when its time is over", function()
    local shared = fresh()
    test.clock.freeze()
    shared:set("a", "text", 10)
    shared:add("b", true, 2.5)
    shared:incr("n", 1, 10)
    shared:set("k", 1)
    test.clock.advance(2.25)
    assert.is_true(shared:get "b")
    test.clock.advance(0.25)
    assert.is_nil(shared:get "b")
    assert.is_true(shared:add("b", "again"))
    test.clock.advance(7)
    assert.equal("text", shared:get "a")
    assert.equal(2, shared:incr("n", 1, 10)) -- keeps the time it began with
    test.clock.advance(0.5)
    assert.is_nil(shared:get "a")
    assert.is_nil(shared:get "n")
    assert.equal(1, shared:incr "n")
    test.clock.advance(1e6)
    assert.equal(1, shared:get "n")
    assert.equal(1, shared:get "k")
    assert.equal("again", shared:get "b")
  end)

  it("set sets the time anew, or takes it away", function()
    local shared = fresh()
    test.clock.freeze()
    shared:set("a", 1, 1)
    shared:set("a", 2)
    shared:set("b", 1, 1)
    shared:set("b", 2, 3)
    test.clock.advance(2)
    assert.equal(2, shared:get "a")
    assert.equal(2, shared:get "b")
    test.clock.advance(1)
    assert.is_nil(shared:get "b")
  end)

  it("takes any time that is a number of seconds", function()
    local shared = fresh()
    test.clock.freeze()
    shared:set("a", 1, 1e-12) -- the least there is
    shared:set("b", 1, 1e300)
    assert.equal(1, shared:get "a")
    test.clock.advance(1e-9)
    assert.is_nil(shared:get "a")
    test.clock.advance(1e6)
    assert.equal(1, shared:get "b")
  end)

  local long_key, long_value = ("k"):rep(1025), ("x"):rep(2 ^ 20 + 1)
  local mistakes = {
    { "a name that is none", "weir.shared: argument 1 (name) must be a string of 1 to 255 bytes, got nil",
      function() weir.shared() end },
    { "an empty name", "argument 1 (name)", function() weir.shared "" end },
    { "a name too long", "argument 1 (name)", function() weir.shared(("n"):rep(256)) end },
    { "get without a key", "shared:get: argument 1 (key) must be a string of 1 to 1024 bytes, got nil",
      function(shared) shared:get() end },
    { "a number as key", "got 1", function(shared) shared:get(1) end },
    { "an empty key", "shared:set: argument 1 (key)", function(shared) shared:set("", 1) end },
    { "a key too long", "shared:add: argument 1 (key)", function(shared) shared:add(long_key, 1) end },
    { "incr with a key too long", "shared:incr: argument 1 (key)", function(shared) shared:incr(long_key) end },
    { "delete with a key too long", "shared:delete: argument 1 (key)", function(shared) shared:delete(long_key) end },
    { "set to nil", "use delete to remove", function(shared) shared:set("k", nil) end },
    { "set to a table", "weir.json.encode", function(shared) shared:set("k", {}) end },
    { "add of a function", "shared:add: argument 2 (value)", function(shared) shared:add("k", print) end },
    { "a value too long", "at most 1 MiB", function(shared) shared:set("k", long_value) end },
    { "a time of 0", "shared:set: argument 3 (ttl) must be more than 0; leave it out",
      function(shared) shared:set("k", 1, 0) end },
    { "a time below 0", "shared:add: argument 3 (ttl)", function(shared) shared:add("k", 1, -1) end },
    { "a time that is none", "shared:incr: argument 3 (ttl)", function(shared) shared:incr("k", 1, "10") end },
    { "a time without end", "argument 3 (ttl)", function(shared) shared:set("k", 1, 1 / 0) end },
    { "incr by a string", "shared:incr: argument 2 (by) must be a finite number",
      function(shared) shared:incr("k", "1") end },
    { "incr by infinity", "argument 2 (by)", function(shared) shared:incr("k", 1 / 0) end },
    { "incr by no number", "argument 2 (by)", function(shared) shared:incr("k", 0 / 0) end },
    { "incr of a string", 'what is stored under "a" is not a number; delete it first',
      function(shared) shared:set("a", "1") shared:incr "a" end },
    { "incr of a boolean", "is not a number", function(shared) shared:set("a", true) shared:incr "a" end },
  }
  for _, case in ipairs(mistakes) do
    local name, message, mistake = unpack(case)
    it("raises for " .. name .. ", at the line that made it", function()
      local shared = fresh()
      local ok, err = pcall(mistake, shared)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
      assert.matches("shared_spec.lua:%d+: ", err)
      assert.is_nil(shared:get "k")
    end)
  end

  it("raises for another object's methods", function()
    local shared = fresh()
    assert.has_error(function() shared.get({}, "k") end)
    assert.has_error(function() shared.set(io.stdout, "k", 1) end)
  end)
end)

describe("the limit shared_memory", function()
  after_each(support.remove_folders)

  it("is 64 MiB, and weir.stats tells what is in use", function()
    assert.equal(64 * 2 ^ 20, weir.limits().shared_memory)
    local shared = weir.shared "stats"
    local before = weir.stats().shared_memory
    shared:set("k", ("x"):rep(10000))
    local more = weir.stats().shared_memory - before
    assert.is_true(more > 10000 and more < 10300, more)
    shared:delete "k"
    assert.equal(before, weir.stats().shared_memory)
  end)

  -- The limit is the process's, so the app is in one of its own.
  it("refuses what does not fit any more, and nothing else", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.limits { shared_memory = "64KB" }
      local app = weir.app()
      local shared = weir.shared "full"
      app:get("/", function()
        local said = {}
        local function say(what, value, why) said[what] = tostring(value) .. " " .. tostring(why) end
        say("counter", shared:incr "counter")
        say("large", shared:set("large", ("x"):rep(64 * 1024)))
        local n = 0
        while shared:set("k" .. n, ("x"):rep(1000)) do n = n + 1 end
        said.n = n
        while shared:add("small" .. n, true) do n = n + 1 end
        said.memory = weir.stats().shared_memory
        say("set", shared:set("one more", true))
        say("add", shared:add("one more", true))
        say("incr", shared:incr "one more")
        say("get", shared:get "one more")
        say("add to what is there", shared:add("k0", 1))
        say("count on", shared:incr "counter")
        say("replace", shared:set("k0", ("y"):rep(1000)))
        say("grow", shared:set("k1", ("y"):rep(2000)))
        say("kept", shared:get "k1" == ("x"):rep(1000))
        say("delete", shared:delete "k1")
        say("again", shared:set("one more", true))
        return said
      end)
      return app
    ]]), "--workers", 1 }
    local said = server:get("/"):json()
    assert.is_true(said.n > 40 and said.n < 65, said.n)
    assert.is_true(said.memory > 64 * 1024 - 200 and said.memory <= 64 * 1024, said.memory)
    said.n, said.memory = nil, nil
    assert.same({
      counter = "1 nil", large = "nil limit", set = "nil limit", add = "nil limit", incr = "nil limit", get = "nil nil",
      ["add to what is there"] = "nil exists", ["count on"] = "2 nil", replace = "true nil", grow = "nil limit",
      kept = "true nil", delete = "true nil", again = "true nil",
    }, said)
    server:stop()
  end)

  it("holds when on_start functions run", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.limits { shared_memory = 0 }
      local app = weir.app()
      local why
      app:on_start(function() why = select(2, weir.shared("early"):set("k", 1)) end)
      app:get("/", function() return why end)
      return app
    ]]), "--workers", 1 }
    assert.equal("limit", server:get("/").body)
    server:stop()
  end)
end)

describe("weir.shared of two workers", function()
  after_each(support.remove_folders)

  it("adds up what both count at the same time #workers", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local shared = weir.shared "counters"
      local me = tostring(app):match "%x+$"
      if shared:add("seen " .. me, true) then shared:incr "states" end
      app:get("/count", function()
        shared:incr("by " .. me)
        for i = 1, 1000 do
          shared:incr "all"
          if shared:add("once " .. i, me) then shared:incr "once" end
          if i % 100 == 0 then weir.sleep(0) end
        end
        return me
      end)
      app:get("/sums", function(stream)
        return { all = shared:get "all", once = shared:get "once", states = shared:get "states",
          by = shared:get("by " .. stream.query.me) }
      end)
      return app
    ]]), "--workers", 2 }
    local requests, workers = {}, {}
    for i = 1, 40 do
      requests[i] = function() return server:get("/count").body end
    end
    for _, me in ipairs(weir.all(requests)) do workers[me] = (workers[me] or 0) + 1 end
    local count = 0
    for me, answered in pairs(workers) do
      count = count + 1
      local sums = server:get("/sums?me=" .. me):json()
      assert.same({ all = 40000, once = 1000, states = 2, by = answered }, sums) -- whoever is asked
    end
    assert.equal(2, count)
    server:stop()
  end)
end)
