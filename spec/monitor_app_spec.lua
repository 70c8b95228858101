-- What apps/monitor tells: figures each second, alerts over reloads and restarts, clients that stall; by one worker.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local monitoring = require "spec.monitor_support"
local json = weir.json

local next_of, pass = monitoring.next, monitoring.pass

before_each(monitoring.begin)
after_each(support.remove_folders)

describe("the monitor", function()
  it("tells the figures of each second, to who comes later too", function()
    local server = monitoring.serve()
    pass(0.75)
    pass(0.25)
    local events = assert(server:sse "/monitor/events")
    assert.is_true(next_of(events, "setup").may_close)
    local first, second = next_of(events, "figures"), next_of(events, "figures")
    assert.same({ 0.75, 0.25 }, { first.cpu, second.cpu })
    assert.is_near(1, second.at - first.at, 0.01)
    pass(0.5)
    local third = next_of(events, "figures")
    assert.equal(0.5, third.cpu)
    assert.equal(1, third.streams)
    assert.equal(0, third.store_stopped)
  end)

  it("tells a page first what it needs to know", function()
    local server = monitoring.serve()
    local events = assert(server:sse "/monitor/events")
    assert.equal("weir.hello", assert(events:next()).event)
    assert.equal('{"may_close":true,"rules":[]}', assert(events:next()).data)
    server:close()
    server = monitoring.serve [[rules = only { mine = { figure = "streams", below = 1 } }]]
    local rule = next_of(assert(server:sse "/monitor/events"), "setup").rules[1]
    assert.same({ "mine", "streams", 1, 1, 10 }, { rule.name, rule.figure, rule.below, rule.clear, rule.hold })
  end)

  it("goes on for who comes back, without holes and without what it had", function()
    local server = monitoring.serve()
    local events = assert(server:sse "/monitor/events")
    pass(0.1)
    local last
    repeat last = assert(events:next()) until last.event == "figures"
    events:close()
    pass(0.2)
    pass(0.3)
    events = assert(server:sse("/monitor/events", { last_event_id = last.id }))
    assert.same({ 0.2, 0.3 }, { next_of(events, "figures").cpu, next_of(events, "figures").cpu })
  end)

  it("keeps ten minutes", function()
    local server = monitoring.serve()
    pass(0.5, 610)
    local count = 0
    for _, event in ipairs((weir.history("monitor/figures", { limit = 1000 }))) do
      count = count + (event.event == "figures" and 1 or 0)
    end
    assert.equal(600, count)
    server:close()
  end)

  it("tells nothing of a machine that it cannot read, and all else", function()
    test.clock.freeze()
    local server = test.start(monitoring.app())
    test.clock.advance(2)
    local seen = next_of(assert(server:sse "/monitor/events"), "figures")
    assert.is_nil(seen.cpu)
    assert.is_number(seen.connections)
    assert.same({}, test.log.take("", "error"))
  end)

  it("tells how full the fullest of its disks is, of those that are there", function()
    local function disk_of(paths)
      test.clock.freeze()
      local server = test.start { "apps/monitor/app.lua", env = { MONITOR_DISKS = paths, MONITOR_SECRET = false } }
      test.clock.advance(2)
      server:close()
      return weir.history("monitor/figures", { limit = 1, decode = true })[1].data.disk
    end
    local space = assert(weir.fs.space "/")
    assert.is_near(1 - space.free / space.total, disk_of "/no/such/disk:/", 0.05)
    assert.is_number(disk_of(false))
    assert.is_nil(disk_of "/no/such/disk")
  end)

  it("goes on without a disk that does not answer any more, which is soon unknown", function()
    local path = monitoring.app [[disks = { "hangs", "/" }]]
    support.write_file(path, [[
      local weir = require "weir"
      local looks = 0
      function weir.fs.space(disk)
        if disk == "/" then return { total = 100, free = 50 } end
        looks = looks + 1
        if looks > 2 then weir.sleep(1e6) end
        return { total = 100, free = 10 }
      end
    ]] .. assert(support.read_file(path)))
    test.clock.freeze()
    test.start(path)
    pass(0.5, 10)
    local seen = {}
    for i, event in ipairs((weir.history("monitor/figures", { decode = true }))) do seen[i] = event.data.disk end
    assert.same({ 9, 0.9, 0.5 }, { #seen, seen[1], seen[#seen] })
  end)

  it("lists the streams, those of strangers as text", function()
    local server = monitoring.serve()
    local live = assert(server:sse "/live?sub=%3Cb%3E")
    local events = assert(server:sse "/monitor/events")
    pass(0)
    local list
    repeat list = next_of(events, "streams") until list.total == 2
    local found
    for _, stream in ipairs(list.streams) do found = stream.path == "/live" and stream or found end
    assert.equal("<b>", found.sub)
    assert.same({ "news" }, found.topics)
    live:close()
  end)

  it("lists those of strangers whose names are no text", function()
    local server = monitoring.serve()
    local live = assert(server:sse("/live?sub=" .. ("%80"):rep(300)))
    local events = assert(server:sse "/monitor/events")
    pass(0)
    local list
    repeat list = next_of(events, "streams") until list.total == 2
    local found
    for _, stream in ipairs(list.streams) do found = stream.path == "/live" and stream or found end
    assert.matches("^\239\191\189.*…$", found.sub)
    live:close()
  end)
end)

describe("an alert", function()
  local rule = [[rules = only { cpu = { above = 0.5, clear = 0.4, hold = 2, rest = 2, text = "Busy" } }]]

  it("is told when it begins and when it is over, and the figures say what is raised", function()
    local server = monitoring.serve(rule)
    local alerts = assert(server:sse "/monitor/alerts")
    local events = assert(server:sse "/monitor/events")
    pass(0.9, 3)
    local raised = next_of(alerts, "alert")
    assert.same({ "cpu", "warn", "Busy", "cpu", 0.5, "raised", 0.9 },
      { raised.rule, raised.level, raised.text, raised.figure, raised.limit, raised.state, raised.value })
    assert.is_near(2, raised.at - raised.since, 0.01)
    local figures
    repeat figures = next_of(events, "figures") until #figures.alerts > 0
    assert.same({ "cpu", "raised", 0.9 }, { figures.alerts[1].rule, figures.alerts[1].state, figures.alerts[1].value })
    pass(0.45, 5)
    pass(0.1, 3)
    local over = next_of(alerts, "alert")
    assert.same({ "over", 0.1, 0.9, raised.since }, { over.state, over.value, over.worst, over.since })
    repeat figures = next_of(events, "figures") until figures.cpu == 0.1 and #figures.alerts == 0
  end)

  it("is told though nobody watches, and once", function()
    local server = monitoring.serve(rule)
    pass(0.9, 20)
    assert.equal(1, #weir.history "monitor/alerts")
    assert.equal("raised", next_of(assert(server:sse "/monitor/alerts"), "alert").state)
  end)

  it("is still raised for a server that starts anew, and over when it is", function()
    monitoring.serve(rule):close()
    monitoring.serve(rule)
    pass(0.9, 3)
    local since = json.decode(weir.history("monitor/alerts")[1].data).since
    monitoring.server:close()
    local server = monitoring.serve(rule)
    pass(0.9, 3)
    assert.equal(1, #weir.history "monitor/alerts")
    pass(0.1, 3)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ 2, "over", since }, { #told, told[2].data.state, told[2].data.since })
    server:close()
  end)

  it("of a rule that is gone is over", function()
    monitoring.serve(rule)
    pass(0.9, 3)
    monitoring.server:close()
    monitoring.serve "rules = only {}"
    pass(0.9)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ 2, "cpu", "over" }, { #told, told[2].data.rule, told[2].data.state })
    monitoring.server:close()
  end)

  it("comes of requests that fail", function()
    local server = monitoring.serve [[rules = only { errors = { above = 1, hold = 0 } }]]
    for _ = 1, 3 do assert.equal(500, server:get("/fails").status) end
    pass(0)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ "errors", "raised", 3 }, { told[1].data.rule, told[1].data.state, told[1].data.value })
  end)
end)

describe("a client that stalls", function()
  -- Publishes until the list, which is sorted, begins with a stream that has so many bytes to get.
  local function flood(events, least)
    for _ = 1, 100 do
      for _ = 1, 20 do weir.publish("news", ("x"):rep(50000)) end
      pass(0)
      local first = next_of(events, "streams").streams[1]
      if first and first.backlog > least then return first end
    end
  end

  it("is first in the list, raises an alert, and is closed", function()
    local server = monitoring.serve [[rules = only { backlog = { above = 500000, hold = 1 } }]]
    local events = assert(server:sse "/monitor/events")
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET /live?sub=sam HTTP/1.1\r\nHost: here\r\n\r\n"
    test.eventually(function() return weir.presence("news").streams == 1 end)
    local first = assert(flood(events, 500000))
    assert.same({ "sam", "/live", "GET" }, { first.sub, first.path, first.method })
    assert.is_true(first.behind > 0)
    pass(0, 2)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ "backlog", "raised" }, { told[1].data.rule, told[1].data.state })
    assert.equal(204, server:post("/monitor/streams/" .. first.id .. "/close").status)
    local _, why = client:receive("nothing like it$", 5)
    assert.is_true(why == "closed" or why == "reset", why)
    pass(0, 12)
    assert.equal("over", weir.history("monitor/alerts", { decode = true })[2].data.state)
  end)

  it("is told of whatever its names are, in an event that can be sent", function()
    local server = monitoring.serve()
    local clients = {}
    for i = 1, 21 do clients[i] = assert(server:sse("/named?sub=%C3%A9&" .. ("x"):rep(7000))) end
    local events = assert(server:sse "/monitor/events")
    pass(0)
    local list = next_of(events, "streams")
    assert.equal(20, #list.streams)
    local named
    for _, stream in ipairs(list.streams) do named = stream.route == "/named" and stream or named end
    assert.equal(("é"):rep(100) .. "…", named.sub)
    assert.same({ 4, 300 }, { #named.topics, named.topics_count })
    assert.equal("1" .. ("é"):rep(99) .. "…", named.topics[1])
    for _, client in ipairs(clients) do client:close() end
  end)
end)

-- ---- processes ------------------------------------------------------------------------------------------------------

-- That so many figures took about as long as they should: two samplers would have told them in half of the time.
local function assert_one_sampler(events)
  local first, last = next_of(events, "figures").at, nil
  for _ = 1, 5 do last = next_of(events, "figures").at end
  assert.is_true(last - first > 3.5, last - first)
end

describe("one worker of several #workers #once", function()
  it("looks, and so it is after a reload, which goes on with what is raised", function()
    local path = monitoring.app 'rules = only { streams = { figure = "streams", above = 0, hold = 0 } }'
    local server = test.spawn { "serve", path, "--workers", 2 }
    local events = assert(server:sse "/monitor/events")
    assert_one_sampler(events)
    server:signal "HUP"
    test.eventually(function() return server:get("/monitor/none").status == 404 and server:stderr():find "reload" end)
    assert_one_sampler(assert(server:sse "/monitor/events"))
    local told = assert(server:sse "/monitor/alerts")
    assert.equal("raised", next_of(told, "alert").state)
    assert.same({ nil, "timeout" }, { told:next(1) })
    assert.equal(0, (server:stop()))
  end)

  it("keeps alerts over a crash, with a folder for data", function()
    local path = monitoring.app 'rules = only { streams = { figure = "streams", above = -1, hold = 0 } }'
    local arguments = { "serve", path, "--workers", 2, "--data", monitoring.folder .. "/data" }
    local server = test.spawn(arguments)
    local raised = next_of(assert(server:sse "/monitor/alerts"), "alert")
    server:stop "KILL"
    server = test.spawn(arguments)
    assert.same(raised, next_of(assert(server:sse "/monitor/alerts"), "alert"))
    local figures = next_of(assert(server:sse "/monitor/events"), "figures")
    assert.equal(raised.since, figures.alerts[1].since)
    assert.equal(0, (server:stop()))
  end)
end)

describe("the README #workers #once", function()
  it("shows what curl gets", function()
    local env = { MONITOR_SECRET = "", MONITOR_RULES = "" }
    local server = test.spawn { "serve", "apps/monitor", "--workers", 2, env = env }
    next_of(assert(server:sse "/events"), "figures")
    assert.equal(1, support.assert_examples("apps/monitor/README.md", "By curl", "", server))
    assert.equal(0, (server:stop()))
  end)

  it("has rules that are right", function()
    package.path = "apps/monitor/?.lua;" .. package.path
    local text = support.read_file "apps/monitor/README.md"
    local example = json.decode(text:match "```json\n({ \"cpu\".-})\n```")
    assert.is_table(require "monitor.rules".of(example))
    for _, name in ipairs(require "monitor.figures".names) do
      assert.is_truthy(text:find("`" .. name .. "`", 1, true), name)
    end
  end)
end)

describe("a disk that has failed #once", function()
  it("is told by it, though no alert can be kept", function()
    local server = test.spawn { "serve", monitoring.app 'rules = only { store = {} }', "--workers", 1, "--data",
      monitoring.folder .. "/data" }
    local events = assert(server:sse "/monitor/events")
    server:post "/unsync"
    local told = next_of(events, "alert")
    assert.same({ "store", "critical", "raised" }, { told.rule, told.level, told.state })
    assert.equal("store", next_of(events, "figures").alerts[1].rule)
    assert.equal(0, (server:stop()))
  end)
end)
