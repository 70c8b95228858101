-- Coming back: ids, resume, floors, gaps. lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

-- An event stream of `server` after `id`, which is sent as the header or as the query parameter.
local ways = {
  ["the header"] = function(server, id) return server:sse("/", { last_event_id = id }) end,
  ["the query parameter"] = function(server, id) return server:sse("/?last_event_id=" .. id) end,
  ["the query parameter's other name"] = function(server, id) return server:sse("/?lastEventId=" .. id) end,
  ["the query parameter behind an empty header"] = function(server, id)
    return server:sse("/?last_event_id=" .. id, { last_event_id = "" })
  end,
}

-- What is published after the connection comes next, so nothing else was there.
local function ends_with(events, topic, text)
  weir.publish(topic, text or "live")
  assert.equal(text or "live", hub.data(events, 1))
end

local function gap(events)
  return hub.gap(events:next())
end

-- A reconnect with the gap's id is told no gap again.
local function not_told_again(server, id, topic)
  local events = ways["the header"](server, id)
  ends_with(events, topic, "after the gap")
  events:close()
end

for way, connect in pairs(ways) do
  describe("resume by " .. way, function()
    it("gives all that was missed, then what is new", function()
      local topic = hub.topic()
      local ids = hub.publish(topic, 5)
      local events = connect(hub.serve(topic), ids[2])
      assert.equal("3 4 5", hub.data(events, 3))
      ends_with(events, topic)
    end)

    it("does not double the last one", function()
      local topic = hub.topic()
      local ids = hub.publish(topic, 3)
      local events = connect(hub.serve(topic), ids[3])
      ends_with(events, topic)
    end)

    it("gives what is replayed the ids it was published with", function()
      local topic = hub.topic()
      local ids = hub.publish(topic, 4)
      local events = connect(hub.serve(topic), ids[1])
      for i = 2, 4 do assert.equal(ids[i], events:next().id) end
    end)

    it("is in the order of ids over several topics", function()
      local one, two, other = hub.topic "1", hub.topic "2", hub.topic "3"
      local ids = {}
      for i = 1, 30 do
        ids[i] = weir.publish(i % 3 == 0 and one or two, tostring(i))
        weir.publish(other, "not subscribed")
      end
      local events = connect(hub.serve({ one, two }), ids[10])
      for i = 11, 30 do assert.same({ tostring(i), ids[i] }, { (events:next() or {}).data, ids[i] }) end
      ends_with(events, one)
    end)

    it("is in the order of ids over a prefix, and topics made later join", function()
      local prefix = hub.topic ""
      local ids = {}
      for i = 1, 30 do ids[i] = weir.publish(prefix .. i % 7, tostring(i)) end
      local events = connect(hub.serve(weir.prefix(prefix)), ids[20])
      for i = 21, 30 do assert.equal(tostring(i), events:next().data) end
      ends_with(events, prefix .. "made later")
    end)

    it("delivers a topic once that is under a prefix and named", function()
      local prefix = hub.topic ""
      local ids = {}
      for i = 1, 6 do ids[i] = weir.publish(prefix .. i % 2, tostring(i)) end
      local events = connect(hub.serve({ weir.prefix(prefix), prefix .. "0" }), ids[2])
      assert.equal("3 4 5 6", hub.data(events, 4))
      ends_with(events, prefix .. "0")
    end)

    it("takes an id of another topic as the position it is", function()
      local topic, other = hub.topic(), hub.topic "other"
      hub.publish(topic, 2)
      local between = weir.publish(other, "x")
      hub.publish(topic, 2, 3)
      local events = connect(hub.serve(topic), between)
      assert.equal("3 4", hub.data(events, 2))
      ends_with(events, topic)
    end)
  end)
end

describe("the client's last id", function()
  it("in the header beats that of the query parameter", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 4)
    local events = hub.serve(topic):sse("/?last_event_id=" .. ids[1], { last_event_id = ids[3] })
    assert.equal("4", hub.data(events, 1))
    ends_with(events, topic)
  end)

  it("beats 'after'", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 4)
    for _, after in ipairs { ids[1], "earliest" } do
      local events = hub.serve(topic, nil, { after = after }):sse("/", { last_event_id = ids[3] })
      assert.equal("4", hub.data(events, 1))
      events:close()
    end
    local events = hub.serve(topic, nil, { after = ids[3] }):sse("/", { last_event_id = ids[1] })
    assert.equal("2 3 4", hub.data(events, 3))
  end)

  it("is not looked at with resume = false", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 4)
    ends_with(hub.serve(topic, nil, { resume = false }):sse("/", { last_event_id = ids[1] }), topic)
    local events = hub.serve(topic, nil, { resume = false, after = ids[3] }):sse("/", { last_event_id = ids[1] })
    assert.equal("4 live", hub.data(events, 2))
  end)

  it("is not looked at, however bad, with resume = false", function()
    local topic = hub.topic()
    ends_with(hub.serve(topic, nil, { resume = false }):sse("/", { last_event_id = "nonsense" }), topic)
  end)

  it("does not reach back before not_before", function()
    local topic, other = hub.topic(), hub.topic "other"
    local ids = hub.publish(topic, 2)
    local joined = weir.publish(other, "x")
    hub.publish(topic, 2, 3)
    local server = hub.serve(topic, nil, { not_before = joined, after = "earliest" })
    for _, last in ipairs { ids[1], false } do
      local events = server:sse("/", { last_event_id = last or nil })
      local event
      repeat event = assert(events:next()) until event.event ~= "weir.gap"
      assert.equal("3", event.data)
      assert.equal("4", hub.data(events, 1))
      events:close()
    end
  end)

  it("may be later than not_before", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 4)
    local events = hub.serve(topic, nil, { not_before = ids[1] }):sse("/", { last_event_id = ids[3] })
    assert.equal("4", hub.data(events, 1))
    ends_with(events, topic)
  end)
end)

describe("after", function()
  it("an id gives what came later", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 4)
    local events = hub.serve(topic, nil, { after = ids[2] }):sse "/"
    assert.equal("3 4", hub.data(events, 2))
    ends_with(events, topic)
  end)

  it("'earliest' gives all that is there, without a gap", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 3 } } }
    hub.publish(topic, 2)
    local server = hub.serve(topic, nil, { after = "earliest" })
    assert.equal("1 2", hub.data(server:sse "/", 2))
    hub.publish(topic, 3, 3)
    local events = server:sse "/"
    assert.equal("3 4 5", hub.data(events, 3))
    ends_with(events, topic)
  end)

  it("'earliest' of a topic that is none yet starts with its first", function()
    local topic = hub.topic()
    ends_with(hub.serve(topic, nil, { after = "earliest" }):sse "/", topic)
  end)

  it("'earliest' over a list is in the order of ids", function()
    local one, two = hub.topic "1", hub.topic "2"
    for i = 1, 9 do weir.publish(i % 2 == 0 and one or two, tostring(i)) end
    local events = hub.serve({ one, two }, nil, { after = "earliest" }):sse "/"
    assert.equal("1 2 3 4 5 6 7 8 9", hub.data(events, 9))
  end)
end)

describe("last", function()
  after_each(support.remove_folders)

  it("gives so many of the newest, then what is new", function()
    local topic = hub.topic()
    hub.publish(topic, 5)
    for n, expected in pairs { [1] = "5", [2] = "4 5", [5] = "1 2 3 4 5", [1e6] = "1 2 3 4 5" } do
      local events = hub.serve(topic, nil, { last = n }):sse "/"
      assert.equal(expected, hub.data(events, math.min(n, 5)))
      ends_with(events, topic, "live")
      events:close()
      -- The next round has the same five.
      topic = hub.topic()
      hub.publish(topic, 5)
    end
  end)

  it("gives so many of each topic, in the order of ids", function()
    local prefix = hub.topic ""
    for i = 1, 12 do weir.publish(prefix .. i % 3, tostring(i)) end
    for i = 13, 16 do weir.publish(prefix .. "0", tostring(i)) end
    local list = { prefix .. "0", prefix .. "1", prefix .. "2" }
    for _, choice in ipairs { list, weir.prefix(prefix), { weir.prefix(prefix), prefix .. "1" } } do
      assert.equal("10 11 16", hub.data(hub.serve(choice, nil, { last = 1 }):sse "/", 3))
      assert.equal("7 8 10 11 15 16", hub.data(hub.serve(choice, nil, { last = 2 }):sse "/", 6))
    end
  end)

  it("has topics that are made later from their beginning", function()
    local prefix = hub.topic ""
    hub.publish(prefix .. "a", 3)
    local events = hub.serve(weir.prefix(prefix), nil, { last = 1 }):sse "/"
    assert.equal("3", hub.data(events, 1))
    hub.publish(prefix .. "b", 3, 4)
    hub.publish(prefix .. "a", 2, 7)
    assert.equal("4 5 6 7 8", hub.data(events, 5))
  end)

  it("of a topic without events is what comes", function()
    local topic = hub.topic()
    ends_with(hub.serve(topic, nil, { last = 3 }):sse "/", topic)
  end)

  it("is no gap, whatever was trimmed before", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 3 } } }
    hub.publish(topic, 9)
    for n, expected in pairs { [2] = "8 9", [3] = "7 8 9", [9] = "7 8 9" } do
      assert.equal(expected, hub.data(hub.serve(topic, nil, { last = n }):sse "/", math.min(n, 3)))
    end
  end)

  it("gives way to the client's last id, unless resume is false", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 5)
    for way, connect in pairs(ways) do
      assert.equal("3 4 5", hub.data(connect(hub.serve(topic, nil, { last = 1 }), ids[2]), 3), way)
      local events = connect(hub.serve(topic, nil, { last = 1, resume = false }), ids[2])
      assert.equal("5", hub.data(events, 1), way)
      events:close()
    end
    local events = hub.serve(topic, nil, { last = 3 }):sse("/", { last_event_id = ids[5] })
    ends_with(events, topic)
  end)

  it("does not reach back before not_before", function()
    local topic = hub.topic()
    local ids = hub.publish(topic, 5)
    assert.equal("4 5", hub.data(hub.serve(topic, nil, { last = 4, not_before = ids[4] }):sse "/", 2))
    assert.equal("5", hub.data(hub.serve(topic, nil, { last = 1, not_before = ids[3] }):sse "/", 1))
  end)

  it("is no lag under any policy", function()
    for _, overflow in ipairs { "disconnect", "drop_oldest", "drop_newest", "block", "conflate" } do
      local topic = hub.topic()
      hub.publish(topic, 8)
      local server = hub.serve(topic, { overflow = overflow, limit = { events = 1 } }, { last = 6 })
      local events = server:sse "/"
      assert.equal("3 4 5 6 7 8", hub.data(events, 6), overflow)
      ends_with(events, topic)
    end
  end)

  it("counts what a newer one of the same key supersedes, which conflation leaves out", function()
    local topic = hub.topic()
    for i, key in ipairs { "a", "b", "a", "b", "b" } do weir.publish(topic, { data = tostring(i), key = key }) end
    local events = hub.serve(topic, { overflow = "conflate" }, { last = 4 }):sse "/"
    assert.equal("3 5", hub.data(events, 2))
    ends_with(events, topic)
  end)

  it("of a closed topic is its last events, then the end", function()
    local topic = hub.topic()
    hub.publish(topic, 4)
    weir.close(topic, "5")
    local events = hub.serve(topic, nil, { last = 2 }):sse "/"
    assert.equal("4 5", hub.data(events, 2))
    assert.equal("weir.end", events:next().event)
    assert.is_nil(events:next())
    local sub = weir.subscribe(topic, { last = 1 })
    assert.equal("5", sub:next(1).data)
    assert.same({ nil, "closed" }, { sub:next(1) })
  end)

  it("is there for tasks", function()
    local prefix = hub.topic ""
    for i = 1, 6 do weir.publish(prefix .. i % 2, tostring(i)) end
    local sub = weir.subscribe(weir.prefix(prefix), { last = 1 })
    assert.equal("5 6", hub.data(sub, 2))
    weir.publish(prefix .. "0", "7")
    assert.equal("7", hub.data(sub, 1))
    sub:close()
  end)

  it("is a whole number from 1 on, and stands alone", function()
    local function task(options) return function() weir.subscribe("t", options) end end
    for _, wrong in ipairs { 0, -1, 1.5, "3", true, 0 / 0, 1 / 0 } do
      assert.error_matches(task { last = wrong }, "weir.subscribe: last must be a whole number, 1 or more")
    end
    assert.error_matches(task { last = 1, after = "earliest" },
      "weir.subscribe: last and after are two places to begin at")
    local failure
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local sse = stream:sse()
        local _, first = pcall(sse.subscribe, sse, "t", { last = 0 })
        local _, second = pcall(sse.subscribe, sse, "t", { last = 1, after = "earliest" })
        failure = first .. "\n" .. second
      end)
    end)
    server:get "/"
    assert.matches("sse:subscribe: last must be a whole number, 1 or more, got 0\n" ..
      ".*sse:subscribe: last and after are two places to begin at; leave one of them out", failure)
  end)
end)

describe("a gap", function()
  after_each(support.remove_folders)

  it("is none for who holds the last id that was trimmed", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 3 } } }
    local ids = hub.publish(topic, 10)
    local events = hub.serve(topic):sse("/", { last_event_id = ids[7] })
    assert.equal("8 9 10", hub.data(events, 3))
    ends_with(events, topic)
  end)

  it("'trimmed' by count: then what is left", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 3 } } }
    local ids = hub.publish(topic, 10)
    for last = 1, 6 do
      local server = hub.serve(topic)
      local events = server:sse("/", { last_event_id = ids[last] })
      local told = gap(events)
      assert.equal("trimmed", told.reason)
      assert.is_true(told.lost == nil or told.lost == 7 - last, tostring(told.lost))
      assert.is_false(hub.before(told.id, ids[7]))
      assert.is_true(hub.before(told.id, ids[8]))
      assert.equal("8 9 10", hub.data(events, 3))
      events:close()
      local again = server:sse("/", { last_event_id = told.id })
      assert.equal("8 9 10", hub.data(again, 3))
      again:close()
    end
  end)

  it("'trimmed' by bytes", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { bytes = "50KB" } } }
    local first = weir.publish(topic, "first")
    for _ = 1, 20 do weir.publish(topic, ("x"):rep(10240)) end
    local last = weir.publish(topic, "last")
    local server = hub.serve(topic)
    local events = server:sse("/", { last_event_id = first })
    local told = gap(events)
    assert.equal("trimmed", told.reason)
    local position = told.id
    while position ~= last do
      local event = assert(events:next())
      assert.is_true(hub.before(position, event.id))
      position = event.id
    end
    events:close()
    not_told_again(server, last, topic)
  end)

  it("'trimmed' by age", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 10 } } }
    local server = hub.serve(topic)
    hub.freeze()
    local ids = hub.publish(topic, 3)
    test.clock.advance(8)
    weir.publish(topic, "young")
    test.clock.advance(8)
    test.eventually(function() return #weir.history(topic) == 1 end)
    local events = server:sse("/", { last_event_id = ids[1] })
    local told = gap(events)
    assert.equal("trimmed", told.reason)
    assert.equal("young", hub.data(events, 1))
    events:close()
    local again = server:sse("/", { last_event_id = told.id })
    assert.equal("young", hub.data(again, 1))
    ends_with(again, topic)
  end)

  it("of a prefix is told once and the rest is in order", function()
    local prefix = hub.topic ""
    hub.configure { [prefix .. "*"] = { history = { count = 2 } } }
    local ids = {}
    for i = 1, 20 do ids[i] = weir.publish(prefix .. i % 2, tostring(i)) end
    local server = hub.serve(weir.prefix(prefix))
    local events = server:sse("/", { last_event_id = ids[1] })
    assert.equal("trimmed", gap(events).reason)
    local event, rest
    repeat
      event = assert(events:next())
      if event.event ~= "weir.gap" then rest = (rest and rest .. " " or "") .. event.data end
    until event.data == "20"
    assert.equal("17 18 19 20", rest)
    events:close()
    not_told_again(server, ids[20], prefix .. "0")
  end)

  it("is told although another topic of the stream lost nothing", function()
    local small, large = hub.topic "small", hub.topic "large"
    hub.configure { [small] = { history = { count = 1 } } }
    local start = weir.publish(large, "start")
    hub.publish(small, 5)
    hub.publish(large, 3, 6)
    local events = hub.serve({ small, large }):sse("/", { last_event_id = start })
    assert.equal("trimmed", gap(events).reason)
    assert.equal("5 6 7 8", hub.data(events, 4))
  end)

  it("is not told by what comes before it in another topic", function()
    local small, large = hub.topic "small", hub.topic "large"
    hub.configure { [small] = { history = { count = 1 } } }
    local start = weir.publish(large, "start")
    hub.publish(large, 3)
    hub.publish(small, 5, 4)
    local server = hub.serve({ small, large })
    local events = server:sse("/", { last_event_id = start })
    local position, all = start, {}
    repeat
      local event = assert(events:next())
      assert.is_false(hub.before(event.id, position), "the ids go back")
      position = event.id
      all[#all + 1] = event.event == "weir.gap" and "gap" or event.data
      -- Whoever is cut off here and comes back has lost nothing of the other topic.
      if event.event == "weir.gap" then
        local again = server:sse("/", { last_event_id = position })
        local rest = {}
        repeat
          rest[#rest + 1] = (again:next() or {}).data
        until rest[#rest] == "8" or #rest > 8
        again:close()
        assert.equal(rest[#rest], "8")
        assert.equal(4, #rest + #all - 1, table.concat(all, " ") .. " | " .. table.concat(rest, " "))
      end
    until event.data == "8"
    table.sort(all)
    assert.same({ "1", "2", "3", "8", "gap" }, all)
    events:close()
  end)

  it("'expired' of a topic that had gone and was made anew", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 5 } } }
    local server = hub.serve(topic)
    hub.freeze()
    local topics = hub.growth "topics"
    local ids = hub.publish(topic, 3)
    assert.equal(1, topics())
    for _ = 1, 20 do test.clock.advance(60) end
    test.eventually(function() return topics() <= 0 end)
    weir.publish(topic, "anew")
    local events = server:sse("/", { last_event_id = ids[1] })
    local told = gap(events)
    assert.equal("expired", told.reason)
    assert.is_nil(told.lost)
    assert.equal("anew", hub.data(events, 1))
    events:close()
    local again = server:sse("/", { last_event_id = told.id })
    assert.equal("anew", hub.data(again, 1))
  end)

  it("is none for who holds the last id of a topic that has gone", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { age = 5 } } }
    local server = hub.serve(topic)
    hub.freeze()
    local topics = hub.growth "topics"
    local ids = hub.publish(topic, 3)
    for _ = 1, 20 do test.clock.advance(60) end
    test.eventually(function() return topics() <= 0 end)
    ends_with(server:sse("/", { last_event_id = ids[3] }), topic)
  end)

  local process_app = [[
    local weir = require "weir"
    local app = weir.app()
    app:get("/", function(stream) stream:sse():subscribe(stream.query.topic or "t") end)
    app:post("/", function(stream) return { id = weir.publish(stream.query.topic or "t", stream:body()) } end)
    return app
  ]]

  it("'restart' after the server was killed, then what is new", function()
    local path = support.app_file(process_app)
    local server = test.spawn { "serve", path, "--workers", 1 }
    local first = server:post("/", { body = "1" }).json().id
    server:post("/", { body = "2" })
    server:stop "KILL"
    server = test.spawn { "serve", path, "--workers", 1 }
    local events = server:sse("/", { last_event_id = first })
    local told = gap(events)
    assert.equal("restart", told.reason)
    assert.is_nil(told.lost)
    assert.is_true(hub.before(first, told.id))
    local id = server:post("/", { body = "3" }).json().id
    assert.is_true(hub.before(told.id, id))
    assert.equal("3", hub.data(events, 1))
    events:close()
    local again = server:sse("/", { last_event_id = told.id })
    assert.equal("3", hub.data(again, 1))
    server:post("/", { body = "4" })
    assert.equal("4", hub.data(again, 1))
    again:close()
    server:stop()
  end)

  -- As they were written once, and as people write them.
  local written = {
    { "without zeroes", function(id) return ("%d-%d"):format(hub.parts(id)) end },
    { "with one more", function(id) return "0" .. id end },
  }
  for _, case in ipairs(written) do
    local what, rewrite = case[1], case[2]
    for how, come in pairs(ways) do
      it("takes an id " .. what .. " from " .. how, function()
        local topic = hub.topic()
        local ids = hub.publish(topic, 3)
        local events = come(hub.serve(topic), rewrite(ids[1]))
        assert.equal("2 3", hub.data(events, 2))
        ends_with(events, topic)
      end)
    end
  end

  local unknown = {
    { "no id at all", "nonsense" },
    { "half an id", "1234" },
    { "without a sequence", "1234-" },
    { "without milliseconds", "-1" },
    { "only a dash", "-" },
    { "three numbers", "1-2-3" },
    { "with a sign", "+1-1" },
    { "in hexadecimal", "0x10-1" },
    { "with a fraction", "1.5-1" },
    { "with letters behind", "1-1x" },
    { "beyond 64 bits", "99999999999999999999999-1" },
    { "with a sequence beyond 64 bits", "1-99999999999999999999999" },
    { "the largest of 64 bits", "18446744073709551615-18446744073709551615" },
    { "of 4,000 digits", ("9"):rep(4000) .. "-1" },
    { "not ASCII", "\195\159" },
    { "an hour in the future", function() return ("%.0f-0"):format((weir.now() + 3600) * 1000) end },
  }
  for _, case in ipairs(unknown) do
    local what, id = case[1], case[2]
    it("'unknown' for an id that is " .. what, function()
      local topic = hub.topic()
      hub.publish(topic, 2)
      local server = hub.serve(topic)
      local events = server:sse("/", { last_event_id = type(id) == "function" and id() or id })
      local told = gap(events)
      assert.equal("unknown", told.reason)
      assert.is_nil(told.lost)
      local live = weir.publish(topic, "live")
      assert.is_true(hub.before(told.id, live), told.id .. " before " .. live)
      assert.equal("live", hub.data(events, 1))
      events:close()
      local again = server:sse("/", { last_event_id = told.id })
      local event
      repeat event = assert(again:next()) until event.id == live
      again:close()
      assert.not_equal("weir.gap", event.event)
    end)
  end

  it("'unknown' is told once: its id is known", function()
    local topic = hub.topic()
    hub.publish(topic, 2)
    local server = hub.serve(topic)
    local events = server:sse("/", { last_event_id = "nonsense" })
    local told = gap(events)
    events:close()
    not_told_again(server, told.id, topic)
  end)

  it("an empty id is no crash, and live events come", function()
    local topic = hub.topic()
    hub.publish(topic, 2)
    for _, events in ipairs {
      hub.serve(topic):sse("/?last_event_id="),
      hub.serve(topic):sse("/", { headers = { ["Last-Event-ID"] = "" } }),
    } do
      weir.publish(topic, "live")
      local event = assert(events:next())
      if event.event == "weir.gap" then
        assert.equal("unknown", hub.gap(event).reason)
        event = assert(events:next())
      end
      assert.equal("live", event.data)
      events:close()
    end
  end)

  it("is counted in weir.stats", function()
    local topic, gaps = hub.topic(), hub.growth "gaps"
    local events = hub.serve(topic):sse("/", { last_event_id = "nonsense" })
    gap(events)
    assert.equal(1, gaps())
  end)

  it("is not resumed, says weir.hello", function()
    local topic = hub.topic()
    hub.publish(topic, 2)
    local events = hub.serve(topic, { hello = true }):sse("/", { last_event_id = "nonsense" })
    local hello = events:next()
    assert.equal("weir.hello", hello.event)
    assert.is_false(weir.json.decode(hello.data).resumed)
    assert.equal("unknown", gap(events).reason)
  end)
end)

describe("between replay and live", function()
  it("nothing is lost or doubled while a task publishes", function()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { count = 5000 } } }
    local start = weir.publish(topic, "0")
    local server = hub.serve(topic)
    local publishing = weir.spawn(function()
      for i = 1, 1000 do
        weir.publish(topic, tostring(i))
        if i % 5 == 0 then weir.sleep(0) end
      end
    end)
    local readers = {}
    for i = 1, 10 do
      readers[i] = function()
        local position, expected = start, 1
        while expected <= 1000 do
          local events = assert(server:sse("/", { last_event_id = position }))
          for _ = 1, 40 * i do
            if expected > 1000 then break end
            local event = assert(events:next())
            assert(event.data == tostring(expected), event.data .. " instead of " .. expected)
            position, expected = event.id, expected + 1
          end
          events:close()
        end
        return expected
      end
    end
    for _, expected in ipairs(weir.all(readers)) do assert.equal(1001, expected) end
    publishing:join()
  end)

  it("nothing is lost or doubled when another worker publishes #workers", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.topics { ["t/*"] = { history = { count = 20000 } } }
      local app = weir.app()
      app:get("/", function(stream) stream:sse():subscribe(weir.prefix "t/") end)
      app:post("/", function(stream)
        local from, count = tonumber(stream.query.from), tonumber(stream.query.count)
        local id
        for i = from, from + count - 1 do id = weir.publish("t/" .. i % 3, tostring(i)) end
        return { id = id }
      end)
      return app
    ]]), "--workers", 2 }
    local start = server:post("/?from=0&count=1").json().id
    local publishing = weir.spawn(function()
      for from = 1, 2000, 20 do assert(server:post("/?count=20&from=" .. from).status == 200) end
    end)
    local readers = {}
    for i = 1, 8 do
      readers[i] = function()
        local position, expected = start, 1
        while expected <= 2000 do
          local events = assert(server:sse("/", { last_event_id = position }))
          for _ = 1, 70 * i do
            if expected > 2000 then break end
            local event = assert(events:next())
            assert(event.data == tostring(expected), event.event .. " " .. event.data .. " instead of " .. expected)
            position, expected = event.id, expected + 1
          end
          events:close()
        end
        return expected
      end
    end
    for _, expected in ipairs(weir.all(readers)) do assert.equal(2001, expected) end
    publishing:join()
    assert.equal(0, (server:stop()))
  end)

  it("an event that was cut short comes whole after the reconnect", function()
    local topic = hub.topic()
    local start = weir.publish(topic, "0")
    local text = ("0123456789\n"):rep(40)
    weir.publish(topic, text)
    local server = hub.serve(topic)
    local whole = server:connect()
    whole:send("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: " .. start .. "\r\n\r\n")
    local length = #whole:receive("9\ndata: ?\nid: [%d-]+\n\n\r\n")
    whole:close()
    for cut = length, 1, -97 do
      local client = server:connect()
      client:send("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: " .. start .. "\r\n\r\n")
      client:receive(cut)
      if cut % 2 == 0 then client:close() else client:reset() end
      local events = server:sse("/", { last_event_id = start })
      assert.equal(text, events:next().data)
      events:close()
    end
  end)
end)
