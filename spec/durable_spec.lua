-- Durable topics through real processes: lua/REFERENCE.md, core/README.md: what was acknowledged is
-- there again, once, however the server ended; what failed never was.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

local app_text = [[
local weir = require "weir"
local app = weir.app()

weir.topics { ["d/*"] = { history = { count = 100000, age = "24h", bytes = "100MB" }, durable = true } }

app:post("/publish/*topic", function(stream)
  local query = stream.query
  local id, why = weir.publish(stream.params.topic, { data = stream:body(), event = query.event, key = query.key })
  return { id = id, why = why }
end)

-- The numbers `from` .. `from + count - 1`, by so many publishers; each is told when it is acknowledged.
app:post("/many/*topic", function(stream)
  local sse, tasks, left = stream:sse { heartbeat = false }, {}, tonumber(stream.query.count)
  local number = tonumber(stream.query.from)
  for i = 1, 8 do
    tasks[i] = function()
      while left > 0 do
        local mine = number
        left, number = left - 1, number + 1
        if weir.publish(stream.params.topic, tostring(mine)) then sse:send(tostring(mine)) end
      end
    end
  end
  weir.all(tasks)
end)

-- Long events, with one of seven keys each, every tenth without.
app:post("/keyed/*topic", function(stream)
  local tasks, number, count = {}, 0, tonumber(stream.query.count)
  local function publish_them()
    while number < count do
      number = number + 1
      local key = number % 10 ~= 0 and "k" .. number % 7 or nil
      assert(weir.publish(stream.params.topic, { data = number .. (" "):rep(500), key = key }))
    end
  end
  for i = 1, 50 do tasks[i] = publish_them end
  weir.all(tasks)
end)

local function chosen(query)
  local topics = {}
  for topic in (query.topics or ""):gmatch "[^,]+" do topics[#topics + 1] = topic end
  if query.prefix then topics[#topics + 1] = weir.prefix(query.prefix) end
  return topics
end

app:get("/events", function(stream)
  stream:sse { hello = stream.query.hello == "1", overflow = stream.query.overflow }:subscribe(chosen(stream.query),
    { after = stream.query.after, last = tonumber(stream.query.last) })
end)

app:get("/task", function(stream)
  local sub = weir.subscribe(chosen(stream.query), { after = stream.query.after })
  local list = weir.json.array {}
  for i = 1, tonumber(stream.query.count) do
    local event, why = sub:next(5)
    list[i] = event or { why = why }
    if not event then break end
  end
  return list
end)

app:get("/history/*topic", function(stream)
  local query = stream.query
  local list, more = weir.history(stream.params.topic,
    { after = query.after, before = query.before, limit = tonumber(query.limit) })
  return { list = weir.json.array(list), more = more }
end)

app:post("/unsync", function() require "weir.test".fault("store_sync", "EIO") end)

app:post("/set/:key", function(stream)
  local done, why = weir.store("s"):set(stream.params.key, "v")
  return { done = done, why = why }
end)

app:get("/get/:key", function(stream) return { value = weir.store("s"):get(stream.params.key) } end)

app:get("/stopped", function() return tostring(weir.stats().store_stopped) end)

app:get("/pid", function() return (weir.fs.read("/proc/self/stat"):match "^%d+") end)

return app
]]

local app_path, data

local function serve(...)
  return test.spawn { "serve", app_path, "--data", data, "--workers", 2, ... }
end

-- Ends it so that it cannot say anything, and starts it again.
local function again(server)
  server:stop "KILL"
  return serve()
end

local function publish(server, topic, text, query)
  local answer = server:post("/publish/" .. topic .. (query or ""), { body = text }).json()
  return assert(answer.id, answer.why)
end

local function publish_numbers(server, topic, first, last)
  local ids = {}
  for i = first, last do ids[i] = publish(server, topic, tostring(i)) end
  return ids
end

local function read_history(server, path)
  local answer = server:get("/history/" .. path).json()
  local all = {}
  for i, event in ipairs(answer.list) do all[i] = event.data end
  return table.concat(all, " ") .. (answer.more and " ..." or "")
end

describe("a durable topic #workers", function()
  before_each(function()
    app_path = support.app_file(app_text)
    data = support.folder()
  end)
  after_each(function()
    test.cleanup()
    support.remove_folders()
  end)

  it("is resumed exactly after the server was killed", function()
    local server = serve()
    for i = 1, 40 do publish(server, i % 3 == 0 and "d/a" or "d/b", tostring(i)) end
    local events = server:sse "/events?topics=d/a,d/b&after=earliest"
    assert.equal("1 2 3 4 5 6 7", hub.data(events, 7))
    local last = events.last_event_id
    server = again(server)
    for i = 41, 45 do publish(server, i % 2 == 0 and "d/a" or "d/b", tostring(i)) end
    local expected = {}
    for i = 8, 46 do expected[#expected + 1] = tostring(i) end
    for _, choice in ipairs { "topics=d/a,d/b", "prefix=d/", "prefix=d/&topics=d/a" } do
      local resumed = assert(server:sse("/events?hello=1&" .. choice, { last_event_id = last }))
      assert.is_true(weir.json.decode(resumed:next(5).data).resumed)
      assert.equal(table.concat(expected, " ", 1, 38), hub.data(resumed, 38))
      if choice == "topics=d/a,d/b" then events = resumed end
    end
    publish(server, "d/a", "46")
    assert.equal("46", hub.data(events, 1))
  end)

  it("gives ids that grow over a restart", function()
    local server = serve()
    local before = publish(server, "d/a", "1")
    server = again(server)
    assert.is_true(hub.before(before, publish(server, "d/a", "2")))
  end)

  it("has its history on both sides of a restart", function()
    local server = serve()
    local ids = publish_numbers(server, "d/a", 1, 6)
    server = again(server)
    for i, id in pairs(publish_numbers(server, "d/a", 7, 10)) do ids[i] = id end
    for _, case in ipairs {
      { "", "1 2 3 4 5 6 7 8 9 10" }, { "?limit=3", "8 9 10 ..." }, { "?limit=6", "5 6 7 8 9 10 ..." },
      { "?limit=10", "1 2 3 4 5 6 7 8 9 10" }, { "?after=" .. ids[4] .. "&limit=4", "5 6 7 8 ..." },
      { "?after=" .. ids[4] .. "&limit=6", "5 6 7 8 9 10" }, { "?after=" .. ids[8], "9 10" },
      { "?before=" .. ids[8] .. "&limit=4", "4 5 6 7 ..." }, { "?before=" .. ids[3], "1 2" },
      { "?after=" .. ids[2] .. "&before=" .. ids[9], "3 4 5 6 7 8" }, { "?before=" .. ids[1], "" },
      { "?before=0-0", "" }, { "?after=" .. ids[10], "" },
    } do
      assert.equal(case[2], read_history(server, "d/a" .. case[1]), case[1])
    end
  end)

  it("keeps event names, keys and every byte of the data", function()
    local server = serve()
    local text = "one\ntwo\n\n{\"ü\": \"\\u0000\"}"
    local id = publish(server, "d/a", text, "?event=price&key=k%20%C3%BC")
    publish(server, "d/a", "plain")
    server = again(server)
    local event = server:sse("/events?topics=d/a&after=earliest"):next(5)
    assert.same({ "price", text, id }, { event.event, event.data, event.id })
    for _, path in ipairs { "/task?topics=d/a&after=earliest&count=2", "/history/d/a" } do
      local list = server:get(path).json()
      list = list.list or list
      assert.same({ "price", text, id, "k ü" }, { list[1].event, list[1].data, list[1].id, list[1].key })
      assert.same({ "plain", nil }, { list[2].data, list[2].key })
    end
  end)

  it("is read by a task from the store, and goes on live", function()
    local server = serve()
    local ids = publish_numbers(server, "d/a", 1, 4)
    server = again(server)
    publish_numbers(server, "d/a", 5, 6)
    local reading = weir.spawn(function()
      return server:get("/task?topics=d/a&count=6&after=" .. ids[1], { timeout = 10 }).json()
    end)
    publish(server, "d/a", "7")
    local list, all = reading:join(), {}
    for i, event in ipairs(list) do
      all[i] = event.data
      assert.equal("d/a", event.topic)
    end
    assert.equal("2 3 4 5 6 7", table.concat(all, " "))
    assert.equal(ids[2], list[1].id)
  end)

  it("is begun with its newest events, of each topic, that lie on both sides of a restart", function()
    local server = serve()
    for i = 1, 9 do publish(server, i % 3 == 0 and "d/a" or "d/b", tostring(i)) end
    server = again(server)
    publish(server, "d/b", "10")
    for n, expected in pairs { "9 10", "6 8 9 10", "3 6 7 8 9 10" } do
      local count = select(2, expected:gsub("%d+", ""))
      for _, choice in ipairs { "topics=d/a,d/b", "prefix=d/" } do
        local events = server:sse(("/events?last=%d&%s"):format(n, choice))
        assert.equal(expected, hub.data(events, count), choice)
        events:close()
      end
    end
    local events = server:sse "/events?last=1&prefix=d/"
    assert.equal("9 10", hub.data(events, 2))
    publish(server, "d/a", "live")
    assert.equal("live", hub.data(events, 1))
  end)

  it("gives who conflates the newest of each key, over all that is in the file", function()
    local server = serve()
    server:post "/keyed/d/a?count=1000"
    server = again(server)
    local expected = {}
    for i = 1, 1000 do
      if i % 10 == 0 or i > 993 then expected[#expected + 1] = tostring(i) end
    end
    expected[#expected + 1] = "live"
    -- The newest with the key of 1000, which has none, is 993.
    table.insert(expected, 100, "993")
    local events, got = server:sse "/events?topics=d/a&after=earliest&overflow=conflate", {}
    publish(server, "d/a", "live")
    repeat
      local event = assert(events:next())
      got[#got + 1] = event.data:match "%w+"
    until event.data == "live"
    assert.equal(table.concat(expected, " "), table.concat(got, " "))
  end)

  it("is in memory only without --data, and says so to who comes back", function()
    local server = test.spawn { "serve", app_path, "--workers", 2 }
    local events = server:sse "/events?topics=d/a"
    local id = publish(server, "d/a", "1")
    publish(server, "d/a", "2")
    assert.equal("1 2", hub.data(events, 2))
    assert.equal("1 2", read_history(server, "d/a"))
    server:stop "KILL"
    server = test.spawn { "serve", app_path, "--workers", 2 }
    events = server:sse("/events?topics=d/a", { last_event_id = id })
    assert.equal("gap:restart", hub.data(events, 1))
    publish(server, "d/a", "3")
    assert.equal("3", hub.data(events, 1))
  end)

  for _, signal in ipairs { "TERM", "KILL" } do
    it("has all that was acknowledged, once, when SIG" .. signal .. " came between", function()
      local server = serve()
      local acknowledged, number = {}, 0
      local events = server:sse("/many/d/a?from=1&count=1000000", { method = "POST" })
      for event in function() return events:next(10) end do
        acknowledged[event.data] = event.event == "message"
        number = number + 1
        if number == 100 then server:signal(signal) end
      end
      local code = server:wait(12) -- the drain's 10 s and what ends it
      if signal == "TERM" then assert.equal(0, code) end
      server = serve()
      local seen, after, more = {}, "0-0", true
      while more do
        local page = assert(server:get("/history/d/a?limit=1000&after=" .. after)).json()
        for _, event in ipairs(page.list) do
          assert.is_nil(seen[event.data])
          seen[event.data], after = true, event.id
        end
        more = page.more
      end
      for data_of in pairs(acknowledged) do
        if tonumber(data_of) then assert.is_true(seen[data_of], data_of) end
      end
      assert.is_true(number >= 100)
    end)
  end

  it("writes nothing more once the disk could not sync, until the restart, and says so", function()
    local server = serve()
    local first = publish(server, "d/a", "1")
    assert.is_true(server:post("/set/a").json().done)
    assert.equal("0", server:get("/stopped").body)
    local events = server:sse "/events?topics=d/a,m/a"
    server:post("/unsync")
    for _ = 1, 3 do
      assert.same({ why = "io" }, server:post("/publish/d/a", { body = "lost" }).json())
      assert.same({ why = "io" }, server:post("/set/b").json())
    end
    assert.equal("1", server:get("/stopped").body)
    publish(server, "m/a", "memory")
    assert.equal("memory", hub.data(events, 1))
    assert.equal("1", read_history(server, "d/a"))
    assert.equal("v", server:get("/get/a").json().value)
    server:stop "TERM"
    local _, lines = server:stderr():gsub("could not be synced", "")
    assert.equal(1, lines)
    server = serve()
    assert.equal("0", server:get("/stopped").body)
    publish(server, "d/a", "2")
    assert.equal("1 2", read_history(server, "d/a"))
    assert.equal("2", hub.data(server:sse("/events?topics=d/a", { last_event_id = first }), 1))
  end)

  it("tells what it lost before it was born anew, and after a rule has shrunk it", function()
    local server = serve()
    local seen = publish(server, "d/a", "seen")
    publish_numbers(server, "d/a", 1, 9)
    local other = publish(server, "d/b", "other")
    server:stop "TERM"
    support.write_file(app_path, (app_text:gsub("count = 100000", "count = 3")))
    server = serve()
    test.eventually(function() return read_history(server, "d/a") == "7 8 9" end)
    assert.equal("gap:trimmed 7 8 9", hub.data(server:sse("/events?topics=d/a", { last_event_id = seen }), 4))
    server:stop "TERM"
    support.write_file(app_path, (app_text:gsub("24h", "1s")))
    server = serve()
    test.eventually(function() return read_history(server, "d/a") == "" end, 10)
    publish(server, "d/a", "kept")
    server = again(server)
    for _, choice in ipairs { "topics=d/a", "prefix=d/", "topics=d/c,d/a" } do
      local events = server:sse("/events?hello=1&" .. choice, { last_event_id = seen })
      assert.is_false(weir.json.decode(events:next(5).data).resumed)
      assert.equal("gap:", hub.data(events, 1):sub(1, 4))
    end
    local events = server:sse("/events?hello=1&topics=d/c", { last_event_id = other })
    assert.is_true(weir.json.decode(events:next(5).data).resumed)
  end)

  -- A limit on the size of files is a full disk that needs no disk: the log cannot grow.
  it("says io while nothing can be written, and goes on by itself when there is room", function()
    local server = serve()
    local pid = server:get("/pid").body
    local function limit(bytes)
      return os.execute(("prlimit --pid %s --fsize=%s: 2>/dev/null"):format(pid, bytes)) == 0
    end
    if not limit(300000) then
      pending "prlimit cannot set the size of files"
      return
    end
    local events = server:sse "/events?topics=d/a,m/a"
    local text, last = ("x"):rep(50000)
    local expected, failed = {}, 0
    for i = 1, 40 do
      local answer = server:post("/publish/d/a", { body = i .. text }).json()
      if answer.id then
        expected[#expected + 1], last = i .. text, answer.id
      else
        assert.equal("io", answer.why)
        failed = failed + 1
      end
      if failed == 3 then break end
    end
    assert.equal(3, failed)
    assert.is_true(#expected > 0)
    publish(server, "m/a", "memory") -- the server goes on
    expected[#expected + 1] = "memory"
    assert.is_true(limit "unlimited")
    assert.is_true(hub.before(last, publish(server, "d/a", "room")))
    expected[#expected + 1] = "room"
    for i, wanted in ipairs(expected) do
      local event, why = events:next(5)
      assert.equal(wanted, event and event.data or why, "event " .. i)
    end
    test.eventually(function()
      return server:stderr():find "cannot be written" and server:stderr():find "the store writes again"
    end)
    server = again(server)
    table.remove(expected, #expected - 1)
    assert.equal(table.concat(expected, " "), read_history(server, "d/a"))
  end)
end)
