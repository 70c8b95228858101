-- Tasks, channels and where a call cannot block: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("weir.sleep", function()
  it("takes the time it says", function()
    test.clock.freeze()
    local woke = false
    local task = weir.spawn(function()
      weir.sleep(1.5)
      woke = true
    end)
    test.clock.advance(1.4)
    assert.is_false(woke)
    test.clock.advance(0.2)
    assert.is_true(woke)
    task:join()
  end)

  it("wakes sleepers in the order of their times", function()
    local order = {}
    local tasks = {}
    for _, ms in ipairs { 30, 10, 20 } do
      tasks[#tasks + 1] = weir.spawn(function()
        weir.sleep(ms / 1000)
        order[#order + 1] = ms
      end)
    end
    for _, task in ipairs(tasks) do task:join() end
    assert.same({ 10, 20, 30 }, order)
  end)

  for _, bad in ipairs { -1, 0 / 0, math.huge, "soon" } do
    it("raises for " .. tostring(bad), function()
      assert.error_matches(function() weir.sleep(bad) end, "sleep")
    end)
  end
end)

describe("weir.now", function()
  it("is Unix time with a fraction", function()
    local now = weir.now()
    assert.is_true(math.abs(now - os.time()) <= 2)
  end)

  it("moves with the clock of the tests", function()
    test.clock.freeze()
    local before = weir.now()
    test.clock.advance(10)
    assert.is_true(math.abs(weir.now() - before - 10) < 0.01)
  end)
end)

describe("weir.spawn", function()
  it("hands over arguments and results", function()
    local task = weir.spawn(function(...) return select("#", ...), ... end, 1, nil, "three")
    assert.same({ 3, 1, nil, "three" }, { task:join() })
  end)

  it("join twice gives the same", function()
    local task = weir.spawn(function() return 42 end)
    assert.equal(42, task:join())
    assert.equal(42, task:join())
  end)

  it("join gives nil and the error", function()
    local problem = { code = 7 }
    local task = weir.spawn(function() error(problem) end)
    local result, err = task:join()
    assert.is_nil(result)
    assert.equal(problem, err)
  end)

  it("join with a time gives nil, 'timeout', and the task goes on", function()
    local go = weir.channel(0)
    local task = weir.spawn(function() return go:recv() end)
    assert.same({ nil, "timeout" }, { task:join(0.005) })
    go:send("later")
    assert.equal("later", task:join())
  end)

  it("cancel ends it in its blocked call; join says so", function()
    local caught
    local task = weir.spawn(function()
      local _, err = pcall(weir.sleep, 60)
      caught = err
      error(err, 0)
    end)
    test.settle()
    task:cancel()
    local result, err = task:join()
    assert.is_nil(result)
    assert.equal("cancelled", tostring(err))
    assert.equal(weir.cancelled, caught)
  end)

  it("a child ends with its parent", function()
    local cleaned = false
    local parent = weir.spawn(function()
      weir.spawn(function()
        weir.defer(function() cleaned = true end)
        weir.sleep(60)
      end)
      weir.sleep(0)
    end)
    parent:join()
    test.eventually(function() return cleaned end)
  end)

  it("grandchildren end as well, when the parent is cancelled", function()
    local cleaned = 0
    local function nested(depth)
      weir.defer(function() cleaned = cleaned + 1 end)
      if depth > 0 then weir.spawn(nested, depth - 1) end
      weir.sleep(60)
    end
    local task = weir.spawn(nested, 3)
    test.settle()
    task:cancel()
    task:join()
    test.eventually(function() return cleaned == 4 end)
  end)
end)

describe("weir.background", function()
  it("gives the task, which can be waited for", function()
    assert.same({ 1, 2 }, { weir.background(function(...) return ... end, 1, 2):join() })
  end)

  after_each(support.remove_folders)

  it("outlives the request that began it", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      local ticks, go = 0, weir.channel(8)
      app:post("/begin", function()
        weir.background(function()
          while go:recv() do ticks = ticks + 1 end
        end)
        return "begun"
      end)
      app:post("/tick", function() go:send(true) end)
      app:get("/", function() return tostring(ticks) end)
      return app
    ]]
    assert.equal("begun", server:post("/begin").body)
    server:post("/tick")
    server:post("/tick")
    test.eventually(function() return server:get("/").body == "2" end)
  end)
end)

describe("weir.defer", function()
  local function order_of(ending)
    local order = {}
    local task = weir.spawn(function()
      for i = 1, 3 do weir.defer(function() order[#order + 1] = i end) end
      return ending()
    end)
    test.settle()
    task:cancel()
    task:join()
    return order
  end

  it("runs last in, first out, however the task ends", function()
    assert.same({ 3, 2, 1 }, order_of(function() end))
    assert.same({ 3, 2, 1 }, order_of(function() error "broken" end))
    assert.same({ 3, 2, 1 }, order_of(function() weir.sleep(60) end))
    test.log.take(nil, "error")
  end)

  it("one that raises does not keep the others", function()
    local ran = {}
    weir.spawn(function()
      weir.defer(function() ran[#ran + 1] = "first" end)
      weir.defer(function() error "broken defer" end)
      weir.defer(function() ran[#ran + 1] = "last" end)
    end):join()
    assert.same({ "last", "first" }, ran)
    assert.equal(1, #test.log.take("broken defer", "error"))
  end)

  it("runs before join returns", function()
    local cleaned = false
    weir.spawn(function() weir.defer(function() cleaned = true end) end):join()
    assert.is_true(cleaned)
  end)
end)

describe("weir.all", function()
  it("lists the first results in order", function()
    local results = weir.all {
      function()
        weir.sleep(0.01)
        return "slow", "ignored"
      end,
      function() return "fast" end,
    }
    assert.same({ "slow", "fast" }, results)
  end)

  it("of nothing is nothing", function()
    assert.same({}, weir.all {})
  end)

  it("raises the first error and cancels the rest", function()
    local cancelled = false
    local ok, err = pcall(weir.all, {
      function()
        weir.defer(function() cancelled = true end)
        weir.sleep(60)
      end,
      function() error({ code = 1 }) end,
    })
    assert.is_false(ok)
    assert.same({ code = 1 }, err)
    test.eventually(function() return cancelled end)
  end)
end)

describe("weir.race", function()
  it("gives the index and results of the first, cancels the rest", function()
    local cancelled = false
    local results = { weir.race {
      function()
        weir.defer(function() cancelled = true end)
        weir.sleep(60)
      end,
      function() return "won", 2 end,
    } }
    assert.same({ 2, "won", 2 }, results)
    test.eventually(function() return cancelled end)
  end)
end)

describe("weir.timeout", function()
  it("gives the results in time", function()
    assert.same({ 1, 2 }, { weir.timeout(5, function(...) return ... end, 1, 2) })
  end)

  it("gives nil, 'timeout' and cancels beyond it", function()
    local cancelled = false
    assert.same({ nil, "timeout" }, { weir.timeout(0.005, function()
      weir.defer(function() cancelled = true end)
      weir.sleep(60)
    end) })
    test.eventually(function() return cancelled end)
  end)

  it("raises what the function raises", function()
    local ok, err = pcall(weir.timeout, 5, function() error({ code = 2 }) end)
    assert.is_false(ok)
    assert.same({ code = 2 }, err)
  end)
end)

describe("weir.every", function()
  it("repeats, never overlaps, logs an error and goes on", function()
    test.clock.freeze()
    local running, most, runs = 0, 0, 0
    local task = weir.every(1, function()
      running = running + 1
      most = math.max(most, running)
      runs = runs + 1
      local number = runs
      weir.sleep(1.5)
      running = running - 1
      if number == 1 then error "once" end
    end)
    test.clock.advance(12)
    assert.is_true(runs >= 3, "runs: " .. runs)
    assert.equal(1, most)
    assert.equal(1, #test.log.take("once", "error"))
    task:cancel()
    task:join()
  end)
end)

describe("weir.channel", function()
  it("hands over in order; send waits when it is full", function()
    local channel, sent = weir.channel(2), 0
    local sender = weir.spawn(function()
      for i = 1, 5 do
        channel:send(i)
        sent = i
      end
      channel:close()
    end)
    test.settle()
    assert.equal(2, sent)
    local got = {}
    while true do
      local value = channel:recv()
      if value == nil then break end
      got[#got + 1] = value
    end
    assert.same({ 1, 2, 3, 4, 5 }, got)
    sender:join()
  end)

  it("without room hands over from hand to hand", function()
    local channel, sent = weir.channel(), false
    local sender = weir.spawn(function()
      channel:send("x")
      sent = true
    end)
    test.settle()
    assert.is_false(sent)
    assert.equal("x", channel:recv())
    sender:join()
    assert.is_true(sent)
  end)

  it("times out on both ends", function()
    local channel = weir.channel(1)
    assert.same({ nil, "timeout" }, { channel:recv(0.002) })
    channel:send(1)
    assert.same({ nil, "timeout" }, { channel:send(2, 0.002) })
    assert.equal(1, channel:recv())
  end)

  it("closed: what is in it comes out, then nil, 'closed'; send is closed", function()
    local channel = weir.channel(2)
    channel:send("left")
    channel:close()
    assert.equal("left", channel:recv())
    assert.same({ nil, "closed" }, { channel:recv() })
    assert.same({ nil, "closed" }, { channel:send("x") })
  end)

  it("close wakes who waits", function()
    local channel = weir.channel(0)
    local receiver = weir.spawn(function() return channel:recv() end)
    local waiting = weir.spawn(function() return weir.sleep(0) end)
    waiting:join()
    channel:close()
    assert.same({ nil, "closed" }, { receiver:join() })
  end)

  it("loses nothing when a receiver is cancelled", function()
    local channel = weir.channel(0)
    local receiver = weir.spawn(function() return channel:recv() end)
    test.settle()
    receiver:cancel()
    receiver:join()
    local sender = weir.spawn(function() return channel:send("kept") end)
    assert.equal("kept", channel:recv(1))
    assert.equal(true, sender:join())
  end)
end)

describe("weir.every at the top of an app", function()
  it("ends with its app while a call of it is about to begin", function()
    local path = support.app_file [[
      local weir = require "weir"
      weir.every(1, function() error "it was cancelled before it began" end)
      return weir.app()
    ]]
    test.clock.freeze()
    local server = test.start(path)
    local closed = false
    weir.spawn(function()
      weir.sleep(1) -- wakes in the turn of the call, after the task that makes it
      server:close() -- which went round in a list for ever
      closed = true
    end)
    test.clock.advance(1)
    test.eventually(function() return closed end)
  end)

  it("runs in each worker, with one_worker in one of the process #workers", function()
    local path = support.app_file [[
      local weir = require "weir"
      local app, dict = weir.app(), weir.shared "ticks"
      local function counter(name)
        local first = true
        return function()
          if first then dict:incr(name .. " workers") end
          first = false
          dict:incr(name)
        end
      end
      weir.every(0.002, counter "each")
      weir.every(0.002, counter "one", { one_worker = true })
      app:get("/", function()
        local counts = {}
        for _, name in ipairs { "each", "each workers", "one", "one workers" } do counts[name] = dict:get(name) or 0 end
        return counts
      end)
      return app]]
    local server = test.spawn { "serve", path, "--workers", 2 }
    local counts
    test.eventually(function()
      counts = server:get("/").json()
      return counts["each workers"] == 2 and counts.each >= 20 and counts.one >= 20
    end, 20)
    assert.equal(1, counts["one workers"])
    assert.equal(0, (server:stop()))
  end)
end)
