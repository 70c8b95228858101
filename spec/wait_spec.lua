-- Structured waiting: what is cancelled is over, and has taken nothing: "Waiting for several" in lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- A channel of that room that holds the values.
local function channel_with(room, ...)
  local channel = weir.channel(room)
  for _, value in ipairs { ... } do channel:send(value) end
  return channel
end

local function receiver(channel)
  return function() return channel:recv() end
end

describe("what loses a race", function()
  it("has taken nothing from its channel", function()
    local a, b = channel_with(1, 1), channel_with(1, 2)
    assert.same({ 1, 1 }, { weir.race { receiver(a), receiver(b) } })
    assert.equal(2, b:recv(0))
  end)

  it("has taken nothing when it waited and both values came at once", function()
    local a, b = weir.channel(1), weir.channel(1)
    weir.spawn(function()
      a:send(1)
      b:send(2)
    end)
    local index, value = weir.race { receiver(a), receiver(b) }
    assert.equal(3 - value, ({ b, a })[index]:recv(0))
  end)

  it("has taken nothing when it had slept as long as the winner", function()
    local a, b = channel_with(1, 1), channel_with(1, 2)
    test.clock.freeze()
    local race = weir.spawn(function()
      return weir.race {
        function()
          weir.sleep(1)
          return a:recv()
        end,
        function()
          weir.sleep(1)
          return b:recv()
        end,
      }
    end)
    test.settle()
    test.clock.advance(1)
    local index, value = race:join()
    assert.equal(index, value)
    assert.equal(3 - value, ({ b, a })[index]:recv(0))
  end)

  it("has taken nothing in a timeout of its own", function()
    local a, b = weir.channel(1), weir.channel(1)
    weir.spawn(function()
      a:send(1)
      b:send(2)
    end)
    local function patient(channel)
      return function() return weir.timeout(5, receiver(channel)) end
    end
    local index, value = weir.race { patient(a), patient(b) }
    assert.equal(3 - value, ({ b, a })[index]:recv(0))
  end)

  it("has taken no event of a subscription", function()
    local a, b = weir.subscribe "race/a", weir.subscribe "race/b"
    weir.publish("race/a", "1")
    weir.publish("race/b", "2")
    local index, event = weir.race {
      function() return a:next() end,
      function() return b:next() end,
    }
    local left = ({ b, a })[index]:next(0)
    assert.equal("12", index == 1 and event.data .. left.data or left.data .. event.data)
  end)

  it("has sent nothing to a channel that nobody receives from", function()
    local channel = weir.channel(0)
    weir.race { function() return channel:send("lost") end, function() return "won" end }
    assert.same({ nil, "timeout" }, { channel:recv(0) })
  end)
end)

describe("weir.race, timeout and all return when what they began is over", function()
  -- A function that notes its end, which takes a while, in `notes`, and sends that it has begun.
  local function slow_to_end(notes, name, begun)
    return function()
      weir.defer(function()
        weir.sleep(0.01)
        notes[#notes + 1] = name
      end)
      if begun then begun:send(true) end
      weir.sleep(60)
    end
  end

  it("race", function()
    local notes = {}
    weir.race { slow_to_end(notes, "deferred"), function() weir.sleep(0.001) end }
    assert.same({ "deferred" }, notes)
  end)

  it("timeout", function()
    local notes = {}
    assert.same({ nil, "timeout" }, { weir.timeout(0.005, slow_to_end(notes, "deferred")) })
    assert.same({ "deferred" }, notes)
  end)

  it("all, when it raises", function()
    local notes = {}
    assert.has_error(function()
      weir.all { slow_to_end(notes, "deferred"), function()
        weir.sleep(0.001)
        error("broken", 0)
      end }
    end, "broken")
    assert.same({ "deferred" }, notes)
  end)

  it("the winner's own defers too", function()
    local notes = {}
    weir.race { function()
      weir.defer(function()
        weir.sleep(0.01)
        notes[1] = "deferred"
      end)
    end }
    assert.same({ "deferred" }, notes)
  end)

  it("children of what they began too, before its defers", function()
    local notes, begun = {}, weir.channel()
    weir.race { receiver(begun), function()
      weir.defer(function() notes[#notes + 1] = "parent" end)
      weir.spawn(slow_to_end(notes, "child", begun))
      weir.sleep(60)
    end }
    assert.same({ "child", "parent" }, notes)
  end)

  it("nested in each other", function()
    local notes, begun = {}, weir.channel(3)
    local function slow(name) return slow_to_end(notes, name, begun) end
    weir.race {
      function() weir.all { function() weir.timeout(60, weir.race, { slow(1), slow(2) }) end, slow(3) } end,
      function() for _ = 1, 3 do begun:recv() end end,
    }
    table.sort(notes)
    assert.same({ 1, 2, 3 }, notes)
  end)

  it("when the task that waits for them is cancelled", function()
    local notes, caught = {}, nil
    local task = weir.spawn(function()
      local ok, err = pcall(weir.race, { slow_to_end(notes, "deferred") })
      caught = not ok and err
      notes[#notes + 1] = "raised"
    end)
    test.settle()
    task:cancel()
    task:join()
    assert.same({ "deferred", "raised" }, notes)
    assert.equal(weir.cancelled, caught)
  end)

  it("a thousand deep", function()
    local ended, deep = 0, weir.channel(1)
    local function nest(depth)
      weir.defer(function() ended = ended + 1 end)
      if depth > 0 then return weir.timeout(60, nest, depth - 1) end
      deep:send(true)
      weir.sleep(60)
    end
    weir.race { function() nest(999) end, receiver(deep) }
    assert.equal(1000, ended)
  end)

  it("what swallows its cancellation again and again", function()
    local ended = false
    assert.same({ nil, "timeout" }, { weir.timeout(0.005, function()
      weir.defer(function() ended = true end)
      while true do pcall(weir.sleep, 60) end
    end) })
    assert.is_true(ended)
    assert.equal(1, #test.log.take("swallowed weir.cancelled", "warn"))
  end)

  it("what swallows it once and returns is too late", function()
    assert.same({ nil, "timeout" }, { weir.timeout(0.005, function()
      pcall(weir.sleep, 60)
      return "late"
    end) })
  end)

  it("task:join too: a task is over when its children are", function()
    local notes, begun = {}, weir.channel()
    weir.spawn(function()
      weir.spawn(slow_to_end(notes, "child", begun))
      begun:recv()
    end):join()
    assert.same({ "child" }, notes)
  end)
end)

describe("errors of several", function()
  it("the first is raised, the others are logged", function()
    local function fail_after_cancellation(text)
      return function()
        pcall(weir.sleep, 60)
        error(text)
      end
    end
    local ok, err = pcall(weir.all, {
      fail_after_cancellation "the second", fail_after_cancellation "the third",
      function() error("the first", 0) end,
    })
    assert.is_false(ok)
    assert.equal("the first", err)
    assert.equal(1, #test.log.take("the second", "error"))
    assert.equal(1, #test.log.take("the third", "error"))
  end)
end)

describe("a change that has begun completes, and tells its result:", function()
  after_each(support.remove_folders)

  -- Cancels a task that does `fn` when it waits in it: what it has returned, and what the next wait raised.
  local function cancelled_in(fn)
    local results, err
    local task = weir.spawn(function()
      results = { fn() }
      err = select(2, pcall(weir.sleep, 0))
    end)
    weir.sleep(0)
    task:cancel()
    task:join()
    return results, err
  end

  it("weir.fs.write", function()
    local path = support.folder() .. "/file"
    local results, err = cancelled_in(function() return weir.fs.write(path, "whole") end)
    assert.same({ true }, results)
    assert.equal(weir.cancelled, err)
    assert.equal("whole", support.read_file(path))
  end)

  it("store:set, delete and update", function()
    local store = weir.store "wait"
    assert.same({ true }, (cancelled_in(function() return store:set("a", 1) end)))
    assert.equal(1, store:get "a")
    assert.same({ true }, (cancelled_in(function() return store:delete "a" end)))
    assert.is_nil(store:get "a")
  end)

  it("weir.timeout gives it, too late as it is", function()
    local path = support.folder() .. "/file"
    assert.equal("done", weir.timeout(0, function()
      return weir.fs.write(path, "x") and "done"
    end))
  end)

  it("a look at a file does not", function()
    local results = {}
    local task = weir.spawn(function() results[1] = weir.fs.stat "/" end)
    weir.spawn(task.cancel, task) -- once it has begun, and before it can be told
    assert.same({ nil, "cancelled" }, { task:join() })
    assert.same({}, results)
  end)
end)

describe("weir.timeout(0, fn)", function()
  it("does what can be done without waiting", function()
    local channel = channel_with(1, "here")
    assert.equal("here", weir.timeout(0, receiver(channel)))
    assert.same({ nil, "timeout" }, { weir.timeout(0, receiver(channel)) })
  end)

  it("begins it, however many others run", function()
    for _ = 1, 500 do weir.spawn(function() for _ = 1, 20 do weir.sleep(0) end end) end
    assert.equal("begun", weir.timeout(0, function() return "begun" end))
  end)
end)

describe("a wait that is over leaves nothing behind:", function()
  it("a subscription can be waited for again", function()
    local sub = weir.subscribe "again"
    for _ = 1, 3 do
      assert.same({ nil, "timeout" }, { weir.timeout(0.002, function() return sub:next() end) })
    end
    weir.publish("again", "kept")
    assert.equal("kept", sub:next(1).data)
  end)

  it("the second receiver gets the value for which the first was woken and cancelled", function()
    local channel, got = weir.channel(4), {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = weir.spawn(function()
        got[i] = channel:recv()
        return got[i]
      end)
    end
    test.settle()
    channel:send("value")
    tasks[1]:cancel()
    test.settle()
    assert.same({ nil, "value", nil }, { got[1], got[2], got[3] })
    tasks[3]:cancel()
  end)

  it("who takes a value without waiting is faster, and who was woken waits on", function()
    local channel = weir.channel(1)
    local task = weir.spawn(receiver(channel))
    test.settle()
    channel:send("first")
    assert.equal("first", channel:recv())
    channel:send("second")
    assert.equal("second", task:join(1))
  end)

  it("its deadline holds even then", function()
    local channel = weir.channel(1)
    test.clock.freeze()
    local task = weir.spawn(function() return channel:recv(1) end)
    test.settle()
    channel:send("first")
    assert.equal("first", channel:recv())
    test.clock.advance(1)
    assert.same({ nil, "timeout" }, { task:join() })
  end)
end)

describe("channel:send", function()
  it("that is told timeout is not delivered", function()
    local channel = weir.channel(0)
    assert.same({ nil, "timeout" }, { weir.timeout(0.002, function() return channel:send("lost") end) })
    assert.same({ nil, "timeout" }, { channel:send("lost", 0.002) })
    assert.same({ nil, "timeout" }, { channel:recv(0) })
  end)

  it("to one who waits and is cancelled before he takes it is not delivered", function()
    local channel = weir.channel(0)
    local waiting = weir.spawn(receiver(channel))
    test.settle()
    local sender = weir.spawn(function() return channel:send("x", 0.005) end)
    weir.spawn(function() waiting:cancel() end)
    assert.same({ nil, "timeout" }, { sender:join() })
    assert.same({ nil, "cancelled" }, { waiting:join() })
  end)

  it("that is cancelled after its value was taken returns true", function()
    local channel, said = weir.channel(0), nil
    local sender = weir.spawn(function()
      said = channel:send("taken")
      return said
    end)
    test.settle()
    assert.equal("taken", channel:recv(0))
    sender:cancel()
    assert.is_true(sender:join())
  end)

  it("without waiting hands over to one who waits, and to nobody else", function()
    local channel = weir.channel(0)
    assert.same({ nil, "timeout" }, { channel:send("x", 0) })
    local waiting = weir.spawn(receiver(channel))
    test.settle()
    assert.is_true(channel:send("handed", 0))
    assert.equal("handed", waiting:join())
    assert.same({ nil, "timeout" }, { channel:send("x", 0) })
  end)

  it("that waits is told closed, and not delivered", function()
    local channel = channel_with(1, "kept")
    local sender = weir.spawn(function() return channel:send("lost") end)
    test.settle()
    channel:close()
    assert.same({ nil, "closed" }, { sender:join() })
    assert.equal("kept", channel:recv())
    assert.same({ nil, "closed" }, { channel:recv() })
  end)

  it("is called with a colon", function()
    assert.error_matches(function() weir.channel(1).send("x") end, "channel:send%(")
  end)

  it("keeps the order through a ring that turns", function()
    local channel, n = weir.channel(3), 0
    weir.spawn(function() for i = 1, 100 do channel:send(i) end end)
    for i = 1, 100 do
      n = n + (channel:recv() == i and 1 or 0)
      if i % 7 == 0 then weir.sleep(0) end
    end
    assert.equal(100, n)
  end)
end)

describe("weir.select", function()
  it("takes from one only", function()
    local a, b = channel_with(1, "a"), channel_with(1, "b")
    local index, value = weir.select { a, b }
    assert.equal(({ "a", "b" })[index], value)
    assert.equal(({ "b", "a" })[index], ({ b, a })[index]:recv(0))
  end)

  it("asks first now one and now another", function()
    local seen = {}
    for _ = 1, 64 do seen[weir.select { channel_with(1, "a"), channel_with(1, "b") }] = true end
    assert.same({ true, true }, seen)
  end)

  it("waits for the first that has something: channels and subscriptions", function()
    local channel, sub = weir.channel(0), weir.subscribe "select"
    weir.spawn(function()
      weir.sleep(0.002)
      weir.publish("select", "event")
    end)
    local index, event = weir.select { channel, sub, timeout = 5 }
    assert.same({ 2, "event" }, { index, event.data })
    weir.spawn(function() channel:send("value") end)
    assert.same({ 1, "value" }, { weir.select { channel, sub } })
  end)

  it("is told timeout", function()
    assert.same({ nil, "timeout" }, { weir.select { weir.channel(0), timeout = 0.002 } })
    assert.same({ nil, "timeout" }, { weir.select { weir.channel(0), timeout = 0 } })
  end)

  it("tells of one that is closed when no other has a value", function()
    local a, b = weir.channel(1), channel_with(1, "b")
    a:close()
    assert.same({ 2, "b" }, { weir.select { a, b } })
    assert.same({ 1, nil, "closed" }, { weir.select { a, b } })
    local waiting = weir.spawn(function() return weir.select { weir.channel(0), b } end)
    test.settle()
    b:close()
    assert.same({ 2, nil, "closed" }, { waiting:join() })
  end)

  it("that is cancelled has taken nothing", function()
    local a = weir.channel(1)
    local waiting = weir.spawn(function() return weir.select { a, weir.channel(0) } end)
    test.settle()
    a:send("kept")
    waiting:cancel()
    waiting:join()
    assert.equal("kept", a:recv(0))
  end)

  for name, choices in pairs {
    ["nothing"] = {}, ["a string"] = { "x" }, ["a hole"] = { weir.channel(0), nil, weir.channel(0) },
    ["an unknown option"] = { weir.channel(0), timout = 1 },
  } do
    it("refuses " .. name, function()
      assert.error_matches(function() weir.select(choices) end, "weir.select")
    end)
  end
end)

describe("the body of a request", function()
  after_each(support.remove_folders)

  it("is whole after a read that lost a race", function()
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      app:post("/", function(stream)
        local won = weir.channel(1)
        weir.race { function() return stream:read() end, function() return "won" end }
        local early, why = weir.timeout(0.01, function() return stream:read() end)
        stream:early_hints { Link = "</go>" }
        local text = ""
        for chunk in stream:chunks() do text = text .. chunk end
        return tostring(early) .. " " .. tostring(why) .. " " .. text
      end)
      return app
    ]]
    local client = server:connect()
    client:send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    local head = client:receive "\r\n\r\n"
    assert.matches("103", head)
    client:send "whole"
    assert.matches("nil timeout whole", client:receive "whole")
  end)
end)
