-- What a spec finds when it begins, and what the frozen clock waits for: `weir spec` in folders of its own.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- Runs `weir spec` on a file of that text, beside an app: {code, stdout, stderr}.
local function run_spec(text, app)
  local folder = support.folder()
  assert(os.execute(("mkdir '%s/spec'"):format(folder)) == 0)
  support.write_file(folder .. "/app.lua", app or "return require 'weir'.app()")
  support.write_file(folder .. "/spec/some_spec.lua",
    'local weir = require "weir"\nlocal test = require "weir.test"\n' .. text)
  return test.run { "spec", cwd = folder, timeout = 60 }
end

local function assert_green(run, count)
  assert.equal(0, run.code, run.stdout .. run.stderr)
  assert.matches(count .. " success", run.stdout)
end

describe("a spec", function()
  after_each(support.remove_folders)

  it("begins without what the one before it stored, published, counted and left running, though it failed", function()
    local run = run_spec([[
      local before
      for _, name in ipairs { "first", "second" } do
        it(name, function()
          assert.is_nil(weir.store("s"):get "k")
          assert.is_nil(weir.shared("s"):get "k")
          assert.same({}, (weir.history "t"))
          if before then assert.is_nil((before:get "/")) end
          assert(weir.store("s"):set("k", 1))
          assert(weir.shared("s"):set("k", 1))
          assert(weir.publish("t", "x"))
          before = test.start "app.lua"
          assert.equal(200, before:get("/").status)
          assert.equal(429, before:get("/").status)
          test.clock.freeze()
          error("on purpose, " .. name)
        end)
      end
    ]], [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", weir.limit { rate = 1/60, burst = 1 }, function() return "in" end)
      return app
    ]])
    assert.not_equal(0, run.code)
    for _, name in ipairs { "first", "second" } do assert.matches("on purpose, " .. name, run.stdout, 1, true) end
  end)

  it("keeps what setup opened, for all specs of its describe", function()
    assert_green(run_spec [[
      describe("both", function()
        local server
        setup(function() server = test.start "app.lua" end)
        teardown(test.cleanup)
        for i = 1, 2 do it("asks " .. i, function() assert.equal(404, server:get("/").status) end) end
      end)
    ]], 2)
  end)
end)

describe("test.start", function()
  after_each(support.remove_folders)

  it("says what os.getenv finds in the app, and nowhere else", function()
    local path = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local secret = assert(os.getenv "WEIR_SPEC_SECRET", "no secret")
      app:get("/", function() return { secret, os.getenv "HOME" or "homeless", os.getenv "PATH" } end)
      return app
    ]]
    local one = test.start { path, env = { WEIR_SPEC_SECRET = "first", HOME = false } }
    local two = test.start { path, env = { WEIR_SPEC_SECRET = 2 } }
    assert.same({ "first", "homeless", os.getenv "PATH" }, one:get("/").json())
    assert.same({ "2", os.getenv "HOME" or "homeless", os.getenv "PATH" }, two:get("/").json())
    assert.is_nil(os.getenv "WEIR_SPEC_SECRET")
    assert.error_matches(function() test.start(path) end, "no secret")
    assert.error_matches(function() test.start { path, enf = {} } end, "did you mean env?")
    assert.error_matches(function() test.start { path, env = { A = true } } end, "env.A must be a string, or false")
    assert.error_matches(function() test.start { env = {} } end, "item 1 %(path%) must be a path, got nil")
  end)
end)

describe("the frozen clock", function()
  it("waits for the store, files, metrics and durable topics before it moves", function()
    for _, work in ipairs {
      function() weir.store("clock"):set("k", 1) end,
      function() weir.fs.stat "." end,
      weir.metrics,
      function() for i = 1, 5 do weir.store("clock"):update("k", function() return i end) end end,
    } do
      test.clock.freeze()
      local woke = false
      weir.spawn(function()
        work()
        weir.sleep(10)
        work()
        weir.sleep(10)
        woke = true
      end)
      test.clock.advance(20)
      assert.is_true(woke)
      test.clock.thaw()
    end
  end)

  it("ends a wait that nothing can end, and says so", function()
    local stopped = "nothing can wake this task: weir.test.clock.freeze has stopped the time"
    test.clock.freeze()
    for _, wait in ipairs {
      function() return weir.channel():recv(1) end,
      function() return weir.all { function() weir.sleep(1) end } end,
    } do
      local ok, err = pcall(wait)
      assert.is_false(ok)
      assert.matches(stopped, err, 1, true)
    end
  end)
end)
