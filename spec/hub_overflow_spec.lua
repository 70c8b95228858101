-- Streams that fall behind: the overflow policies. lua/REFERENCE.md.
--
-- Every event is "<number> ...", from 1 on, so what arrives can be compared with what was published. A client with
-- a small receive buffer that asks for nothing stalls its stream once the kernel's buffers are full.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

local FILL, FILL_SIZE = 200, 32768 -- more than the kernel keeps for a socket (4 MB)

-- A topic that keeps everything, or what `history` says.
local function roomy(history)
  local topic = hub.topic()
  hub.configure { [topic] = { history = history or { count = 100000, bytes = "128MB" } } }
  return topic
end

-- A server whose streams subscribe to `topics` with these options, and the list of the reasons of their ends.
local function serve(topics, options, subscribe_options)
  local reasons = {}
  local server = support.serve(function(app)
    app:get("/", function(stream)
      stream:on_close(function(reason) reasons[#reasons + 1] = reason end)
      stream:sse(options):subscribe(topics, subscribe_options)
    end)
  end)
  return server, reasons
end

local function stalling(server, id)
  return assert(server:sse("/", { rcvbuf = 4096, last_event_id = id }))
end

-- Numbers the events of a topic.
local function numbered(topic)
  local last = 0
  local publisher = {}
  function publisher.one(text, key, options)
    last = last + 1
    return weir.publish(topic, { data = last .. " " .. (text or ""), key = key }, options)
  end
  function publisher.many(count)
    for _ = 1, count do assert(publisher.one()) end
  end
  -- Enough to stall who does not read; who reads keeps up.
  function publisher.fill()
    for _ = 1, FILL do
      assert(publisher.one(("x"):rep(FILL_SIZE)))
      test.settle()
    end
  end
  function publisher.last() return last end
  return publisher
end

-- Reads up to the event with that number, or up to the gap that ends in it: {numbers, gaps}. What is missing between
-- two numbers must have been told by a gap between them, with the exact count.
local function read_to(events, final)
  local got = { numbers = {}, gaps = {} }
  local expected = 1
  while expected <= final do
    local event, why = events:next()
    if not event then error(("%s instead of %d of %d"):format(why, expected, final), 2) end
    if event.event == "weir.gap" then
      local gap = hub.gap(event)
      got.gaps[#got.gaps + 1] = gap
      assert.equal("number", type(gap.lost), "a live stream's losses are known")
      assert.is_true(gap.lost > 0)
      expected = expected + gap.lost
    else
      local number = tonumber(event.data:match "^%d+")
      assert.equal(expected, number)
      got.numbers[#got.numbers + 1] = number
      expected = expected + 1
    end
  end
  assert.equal(final + 1, expected)
  return got
end

local function lost(got)
  local sum = 0
  for _, gap in ipairs(got.gaps) do sum = sum + gap.lost end
  return sum
end

describe("without a policy", function()
  it("retention by count is the limit: a gap 'trimmed' with the exact count", function()
    local topic = roomy { count = 10, bytes = "128MB" }
    local server, reasons = serve(topic)
    local gaps, losses = hub.growth "gaps", hub.growth "lost"
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    publish.many(50)
    local got = read_to(events, publish.last())
    assert.is_true(#got.gaps >= 1)
    for _, gap in ipairs(got.gaps) do assert.equal("trimmed", gap.reason) end
    assert.equal(publish.last(), got.numbers[#got.numbers])
    assert.equal(#got.gaps, gaps())
    assert.equal(lost(got), losses())
    assert.same({}, reasons)
    publish.one()
    assert.equal(publish.last(), tonumber(events:next().data:match "^%d+"))
  end)

  it("retention by bytes is, too", function()
    local topic = roomy { count = 100000, bytes = "256KB" }
    local publish = numbered(topic)
    local events = stalling((serve(topic)))
    publish.fill()
    publish.many(10)
    local got = read_to(events, publish.last())
    assert.is_true(lost(got) > 0)
    for _, gap in ipairs(got.gaps) do assert.equal("trimmed", gap.reason) end
  end)

  it("retention by age is, too", function()
    local topic = roomy { count = 100000, bytes = "128MB", age = 10 }
    local publish = numbered(topic)
    local server = serve(topic, { write_timeout = 3600, heartbeat = false })
    local events = stalling(server)
    publish.fill()
    hub.freeze()
    test.clock.advance(60)
    publish.many(10)
    test.eventually(function() return #weir.history(topic, { limit = 1000 }) == 10 end)
    test.clock.thaw()
    local got = read_to(events, publish.last())
    assert.is_true(lost(got) > 0)
    for _, gap in ipairs(got.gaps) do assert.equal("trimmed", gap.reason) end
  end)

  it("nothing is lost while the topic keeps it", function()
    local topic = roomy()
    local publish = numbered(topic)
    local events = stalling((serve(topic)))
    publish.fill()
    publish.many(2000)
    assert.same({}, read_to(events, publish.last()).gaps)
  end)

  it("a stalled stream counts its loss over several topics", function()
    local prefix = hub.topic ""
    hub.configure { [prefix .. "*"] = { history = { count = 10, bytes = "128MB" } } }
    local server = serve(weir.prefix(prefix))
    local events = stalling(server)
    local total = 0
    local function publish(text)
      total = total + 1
      weir.publish(prefix .. total % 4, { data = total .. " " .. text })
    end
    for _ = 1, FILL do
      publish(("x"):rep(FILL_SIZE))
      test.settle()
    end
    for _ = 1, 400 do publish "" end
    local got, sum, position = 0, 0, nil
    repeat
      local event = assert(events:next())
      if position then assert.is_false(hub.before(event.id, position)) end
      position = event.id
      local number
      if event.event == "weir.gap" then
        local gap = hub.gap(event)
        assert.equal("trimmed", gap.reason)
        sum = sum + assert(gap.lost)
      else
        got, number = got + 1, tonumber(event.data:match "^%d+")
      end
    until number == total
    assert.equal(total, got + sum)
    assert.is_true(sum > 0)
  end)
end)

describe("disconnect", function()
  it("ends a stream that is over its limit, with 'overflow', and not as if it were complete", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "disconnect", limit = { events = 20 } })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    test.eventually(function() return reasons[1] end)
    assert.same({ "overflow" }, reasons)
    local expected, event, why = 1, events:next()
    while event do
      if event.event ~= "weir.gap" then
        assert.equal(expected, tonumber(event.data:match "^%d+"))
        expected = expected + 1
      end
      event, why = events:next()
    end
    assert.is_true(why == "closed" or why == "reset", why)
    assert.is_falsy(events.complete)
    assert.is_true(expected <= FILL)
  end)

  it("by bytes", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "disconnect", limit = { bytes = "256KB" } })
    local publish = numbered(topic)
    stalling(server)
    publish.fill()
    test.eventually(function() return reasons[1] end)
    assert.same({ "overflow" }, reasons)
  end)

  it("who comes back resumes where it was", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "disconnect", limit = { events = 20 } })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.one()
    local position, number = events:next().id, 1
    publish.fill()
    test.eventually(function() return reasons[1] end)
    for event in function() return (events:next()) end do
      if event.event ~= "weir.gap" then position, number = event.id, tonumber(event.data:match "^%d+") end
    end
    local again = server:sse("/", { last_event_id = position })
    for expected = number + 1, publish.last() do
      assert.equal(expected, tonumber(again:next().data:match "^%d+"))
    end
  end)
end)

describe("drop_oldest", function()
  it("goes on with the newest, after a gap 'overflow' with the exact count", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "drop_oldest", limit = { events = 5 } })
    local gaps, losses, dropped = hub.growth "gaps", hub.growth "lost", hub.growth "dropped"
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    publish.many(100)
    local got = read_to(events, publish.last())
    assert.is_true(#got.gaps >= 1)
    for _, gap in ipairs(got.gaps) do assert.equal("overflow", gap.reason) end
    local last = publish.last()
    assert.equal(last, got.numbers[#got.numbers])
    assert.equal(last - 4, got.numbers[#got.numbers - 4])
    assert.is_true(got.numbers[#got.numbers - 5] < last - 5, "more than the limit was kept")
    assert.equal(#got.gaps, gaps())
    assert.equal(lost(got), math.max(losses(), dropped()))
    assert.same({}, reasons)
    publish.one()
    assert.equal(publish.last(), tonumber(events:next().data:match "^%d+"))
  end)

  it("by bytes keeps at most so many", function()
    local topic = roomy()
    local server = serve(topic, { overflow = "drop_oldest", limit = { bytes = "100KB" } })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    for _ = 1, 50 do publish.one(("y"):rep(10240)) end
    local got = read_to(events, publish.last())
    assert.is_true(lost(got) > 0)
    local kept, numbers = 1, got.numbers
    while numbers[#numbers - kept] == numbers[#numbers] - kept do kept = kept + 1 end
    assert.is_true(kept >= 5 and kept <= 10, "kept " .. kept)
  end)

  it("has a position that resumes without telling the gap again", function()
    local topic = roomy()
    local server = serve(topic, { overflow = "drop_oldest", limit = { events = 5 } })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local gap
    repeat
      local event = assert(events:next())
      gap = event.event == "weir.gap" and hub.gap(event)
    until gap
    events:close()
    local again = server:sse("/", { last_event_id = gap.id })
    for number = publish.last() - 4, publish.last() do
      assert.equal(number, tonumber(again:next().data:match "^%d+"))
    end
  end)
end)

describe("drop_newest", function()
  it("delivers up to the limit, then a gap 'overflow', then what comes after it", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "drop_newest", limit = { events = 5 } })
    local gaps, losses, dropped = hub.growth "gaps", hub.growth "lost", hub.growth "dropped"
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    publish.many(100)
    local got = read_to(events, publish.last())
    assert.equal(1, #got.gaps)
    assert.equal("overflow", got.gaps[1].reason)
    for i, number in ipairs(got.numbers) do assert.equal(i, number) end
    assert.equal(1, gaps())
    assert.equal(lost(got), math.max(losses(), dropped()))
    publish.one()
    assert.equal(publish.last(), tonumber(events:next().data:match "^%d+"))
    assert.same({}, reasons)
  end)

  it("by bytes", function()
    local topic = roomy()
    local server = serve(topic, { overflow = "drop_newest", limit = { bytes = "100KB" } })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local got = read_to(events, publish.last())
    assert.is_true(lost(got) > 0)
    for i, number in ipairs(got.numbers) do assert.equal(i, number) end
  end)
end)

describe("conflate", function()
  it("delivers only the newest of each key to who is behind", function()
    local topic = roomy()
    local server, reasons = serve(topic, { overflow = "conflate" })
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local newest, position = {}, 0
    for round = 1, 100 do
      for _, key in ipairs { "a", "b", "c" } do
        weir.publish(topic, { event = key, data = tostring(round), key = key })
      end
    end
    weir.publish(topic, { event = "end", data = "" })
    repeat
      local event = assert(events:next())
      assert.not_equal("weir.gap", event.event)
      if #event.event == 1 then
        assert.is_nil(newest[event.event], "two of " .. event.event)
        newest[event.event] = event.data
      elseif event.event == "message" then
        position = position + 1
        assert.equal(position, tonumber(event.data:match "^%d+"))
      end
    until event.event == "end"
    assert.same({ a = "100", b = "100", c = "100" }, newest)
    assert.equal(FILL, position)
    assert.same({}, reasons)
  end)

  it("misses nothing when only superseded events were trimmed", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 10 } } }
    local server = serve(topic, { overflow = "conflate" })
    local events = server:sse "/"
    for i = 1, 50 do weir.publish(topic, { data = tostring(i), key = "a" }) end
    assert.equal("50", events:next().data)
    weir.publish(topic, { data = "lost", key = "b" })
    for i = 51, 100 do weir.publish(topic, { data = tostring(i), key = "a" }) end
    local gap = events:next()
    assert.equal("weir.gap", gap.event)
    assert.equal("100", events:next().data)
  end)

  it("delivers all events without a key, live and in a replay", function()
    local topic = roomy()
    local publish = numbered(topic)
    for i = 1, 20 do publish.one(nil, i % 2 == 0 and "k" or nil) end
    local events = serve(topic, { overflow = "conflate" }, { after = "earliest" }):sse "/"
    local got = {}
    for i = 1, 11 do got[i] = events:next().data:match "^%d+" end
    assert.equal("1 3 5 7 9 11 13 15 17 19 20", table.concat(got, " "))
  end)

  it("delivers each to who keeps up", function()
    local topic = roomy()
    local events = serve(topic, { overflow = "conflate" }):sse "/"
    for i = 1, 20 do
      weir.publish(topic, { data = tostring(i), key = "k" })
      assert.equal(tostring(i), events:next().data)
    end
  end)

  it("delivers only the newest of each key in a replay, too", function()
    local topic = roomy()
    local first = weir.publish(topic, { data = "a1", key = "a" })
    for _, name in ipairs { "b1", "a2", "b2", "b3" } do
      weir.publish(topic, { data = name, key = name:sub(1, 1) })
    end
    weir.publish(topic, "no key")
    weir.publish(topic, { data = "a3", key = "a" })
    weir.publish(topic, "none either")
    local options = { overflow = "conflate" }
    local events = serve(topic, options, { after = "earliest" }):sse "/"
    local resumed = serve(topic, options):sse("/", { last_event_id = first })
    local plain = serve(topic, nil, { after = "earliest" }):sse "/"
    for _, each in ipairs { events, resumed } do
      for _, expected in ipairs { "b3", "no key", "a3", "none either" } do
        assert.equal(expected, each:next().data)
      end
    end
    for _, expected in ipairs { "a1", "b1", "a2", "b2", "b3", "no key", "a3", "none either" } do
      assert.equal(expected, plain:next().data)
    end
  end)

  it("keeps keys of different topics apart", function()
    local one, two = roomy(), roomy()
    weir.publish(one, { data = "one", key = "k" })
    weir.publish(two, { data = "two", key = "k" })
    local events = serve({ one, two }, { overflow = "conflate" }, { after = "earliest" }):sse "/"
    assert.equal("one two", hub.data(events, 2))
  end)

  it("still has the topic's retention as its limit", function()
    local topic = roomy { count = 10, bytes = "128MB" }
    local publish = numbered(topic)
    local events = stalling((serve(topic, { overflow = "conflate" })))
    publish.fill()
    publish.many(10)
    local got = read_to(events, publish.last())
    assert.equal("trimmed", got.gaps[1].reason)
  end)
end)

describe("block", function()
  local options = { overflow = "block", limit = { events = 5 } }

  it("lets a publisher that waits append when the stream has caught up", function()
    local topic = roomy()
    local server, reasons = serve(topic, options)
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local published, id, why = hub.growth "published", nil, nil
    local waiting = weir.spawn(function() id, why = publish.one("waited", nil, { wait = 30 }) end)
    test.settle()
    assert.equal(0, published())
    assert.is_nil(id)
    local got = read_to(events, FILL)
    assert.same({}, got.gaps)
    waiting:join()
    assert.is_truthy(id, why)
    assert.equal(id, events:next().id)
    assert.same({}, reasons)
  end)

  it("lets a publisher that is cancelled meanwhile complete, whose next wait tells it", function()
    local topic = roomy()
    local server = serve(topic, options)
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local id, err
    local task = weir.spawn(function()
      id = publish.one("waited", nil, { wait = 30 })
      err = select(2, pcall(weir.sleep, 0))
    end)
    test.settle()
    task:cancel()
    test.settle()
    assert.is_nil(id)
    read_to(events, FILL)
    task:join()
    assert.equal(events:next().id, id)
    assert.equal(weir.cancelled, err)
  end)

  it("disconnects the stream when the publisher has waited enough", function()
    local topic = roomy()
    local server, reasons = serve(topic, options)
    local publish = numbered(topic)
    stalling(server)
    publish.fill()
    local other = serve(topic):sse "/"
    local id = publish.one("waited", nil, { wait = 0.05 })
    assert.matches("^%d+%-%d+$", id)
    test.eventually(function() return reasons[1] end)
    assert.same({ "overflow" }, reasons)
    assert.equal(id, other:next().id)
  end)

  it("does not hold up a publisher that does not wait, nor lose what it appends", function()
    local topic = roomy()
    local server, reasons = serve(topic, options)
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    publish.many(50)
    assert.same({}, read_to(events, publish.last()).gaps)
    assert.same({}, reasons)
  end)

  it("does not hold up a publisher when all keep up", function()
    local topic = roomy()
    local events = serve(topic, options):sse "/"
    for i = 1, 20 do
      local id, streams = weir.publish(topic, tostring(i), { wait = 30 })
      assert.equal(1, streams)
      assert.equal(id, events:next().id)
    end
  end)

  it("lets the publisher go when the stream leaves", function()
    local topic = roomy()
    local server, reasons = serve(topic, options)
    local publish = numbered(topic)
    local events = stalling(server)
    publish.fill()
    local id
    local waiting = weir.spawn(function() id = publish.one("waited", nil, { wait = 30 }) end)
    test.settle()
    events:reset()
    waiting:join()
    assert.is_truthy(id)
    test.eventually(function() return reasons[1] end)
    assert.same({ "client" }, reasons)
  end)
end)

describe("write_timeout", function()
  it("ends a subscribed stream when nothing moves", function()
    local topic = roomy()
    local server, reasons = serve(topic, { write_timeout = 5, heartbeat = false })
    local publish = numbered(topic)
    stalling(server)
    publish.fill()
    test.clock.freeze()
    test.clock.advance(4)
    assert.same({}, reasons)
    test.clock.advance(4)
    test.eventually(function() return reasons[1] end)
    assert.same({ "timeout" }, reasons)
  end)

  it("is 30 seconds, and leaves who reads slowly", function()
    local topic = roomy()
    local server, reasons = serve(topic)
    local publish = numbered(topic)
    local slow = stalling(server)
    publish.fill()
    test.clock.freeze()
    for _ = 1, 8 do
      test.clock.advance(10)
      for _ = 1, 40 do
        if not slow:next(0.05) then break end
      end
    end
    assert.same({}, reasons)
    publish.fill()
    for _ = 1, 5 do test.clock.advance(10) end
    test.eventually(function() return reasons[1] end)
    assert.same({ "timeout" }, reasons)
  end)

  it("does not end a stream that is silent and up to date", function()
    local topic = roomy()
    local server, reasons = serve(topic, { write_timeout = 2, heartbeat = false })
    test.clock.freeze()
    local events = server:sse "/"
    test.clock.advance(600)
    assert.same({}, reasons)
    weir.publish(topic, "x")
    assert.equal("x", events:next().data)
  end)
end)

describe("a limit", function()
  for _, overflow in ipairs { "disconnect", "drop_oldest", "drop_newest", "block" } do
    it("is not for the replay: " .. overflow, function()
      local topic = roomy()
      hub.publish(topic, 200)
      local server, reasons = serve(topic, { overflow = overflow, limit = { events = 5 } }, { after = "earliest" })
      local events = server:sse "/"
      for i = 1, 200 do assert.equal(tostring(i), events:next().data) end
      weir.publish(topic, "live")
      assert.equal("live", events:next().data)
      assert.same({}, reasons)
    end)

    it("is not passed by a burst of just so many: " .. overflow, function()
      local topic = roomy()
      local server, reasons = serve(topic, { overflow = overflow, limit = { events = 50 } })
      local events = server:sse "/"
      for round = 1, 5 do
        hub.publish(topic, 50, round * 50)
        for i = 0, 49 do assert.equal(tostring(round * 50 + i), events:next().data) end
      end
      assert.same({}, reasons)
    end)
  end

  local bad = {
    { "limit that is no table", { overflow = "drop_oldest", limit = 5 } },
    { "limit of something else", { overflow = "drop_oldest", limit = { evnts = 5 } } },
    { "limit of no events", { overflow = "drop_oldest", limit = { events = 0 } } },
    { "limit of a negative number of events", { overflow = "drop_oldest", limit = { events = -1 } } },
    { "limit of bytes that are none", { overflow = "drop_oldest", limit = { bytes = "many" } } },
    { "overflow policy that is none", { overflow = "drop", limit = { events = 5 } } },
  }
  for _, case in ipairs(bad) do
    it("raises: a " .. case[1], function()
      local ok
      local server = support.serve(function(app)
        app:get("/", function(stream) ok = pcall(stream.sse, stream, case[2]) end)
      end)
      server:get "/"
      assert.is_false(ok)
    end)
  end
end)

describe("others do not notice a stalled stream", function()
  for _, overflow in ipairs { "none", "disconnect", "drop_oldest", "drop_newest", "conflate", "block" } do
    it("with " .. overflow, function()
      local topic = roomy()
      local limit = overflow ~= "none" and overflow ~= "conflate" and { events = 5 } or nil
      local server = serve(topic, { overflow = overflow ~= "none" and overflow or nil, limit = limit })
      local publish = numbered(topic)
      local reading = serve(topic):sse "/"
      for _ = 1, 3 do stalling(server) end
      local got
      local reader = weir.spawn(function() got = read_to(reading, FILL + 500) end)
      publish.fill()
      publish.many(500)
      reader:join()
      assert.same({}, got.gaps)
    end)
  end
end)

describe("a client that is stopped", function()
  after_each(support.remove_folders)

  -- A curl that writes what it gets to a file.
  local function curl(url, folder)
    local file = folder .. "/out"
    os.execute(("curl -sN '%s' >%s 2>/dev/null </dev/null & echo $! >%s/pid"):format(url, file, folder))
    local pid = support.read_file(folder .. "/pid"):match "%d+"
    return {
      text = function() return support.read_file(file) or "" end,
      signal = function(name) os.execute("kill -" .. name .. " " .. pid) end,
    }
  end

  it("finds the newest and a gap with the exact count when it goes on #workers", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.topics { t = { history = { count = 100000, bytes = "128MB" } } }
      local app = weir.app()
      local n = 0
      app:get("/", function(stream)
        stream:sse({ overflow = "drop_oldest", limit = { events = 5 } }):subscribe("t")
      end)
      app:get("/streams", function() return weir.presence("t") end)
      app:post("/", function(stream)
        local from, size = tonumber(stream.query.from), tonumber(stream.query.size)
        for i = from, from + 9 do weir.publish("t", i .. " " .. ("x"):rep(size)) end
      end)
      return app
    ]]), "--workers", 2 }
    local client = curl(server.url .. "/", support.folder())
    test.eventually(function() return server:get("/streams").json().streams == 1 end, 5)
    local function publish(from, size)
      assert.equal(204, server:post("/?from=" .. from .. "&size=" .. size).status)
    end
    publish(1, 1)
    test.eventually(function() return client.text():find("data: ?10 ") end, 5)
    client.signal "STOP"
    -- What the kernel keeps for the two sockets can be 10 MB.
    for from = 11, 991, 10 do publish(from, 32768) end
    client.signal "CONT"
    local ended = pcall(test.eventually, function() return client.text():find("data: ?1000 ") end, 10)
    client.signal "KILL"
    assert.is_true(ended, "the newest did not come")
    local expected, gaps = 1, 0
    for field, value in client.text():gmatch "\n(%w+): ?([^\n]*)" do
      if field == "data" then
        local number, missing = value:match "^(%d+) ", value:match '"lost":(%d+)'
        if missing then expected, gaps = expected + tonumber(missing), gaps + 1 end
        if number then
          assert.equal(expected, tonumber(number))
          expected = expected + 1
        end
      end
    end
    assert.equal(1001, expected)
    assert.is_true(gaps > 0, "nothing was lost: the kernel took it all")
    server:stop()
  end)
end)
