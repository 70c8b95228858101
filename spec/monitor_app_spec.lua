-- apps/monitor as others see it: what it tells each second and to whom, alerts over reloads and restarts, who may see and
-- who may close, and that the dashboard for Grafana asks for what there is.

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

  it("goes on for who comes back, without holes and without what it had", function()
    local server = monitoring.serve()
    local events, last = assert(server:sse "/monitor/events"), nil
    pass(0.1)
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
end)

describe("an alert", function()
  local rule = [[rules = { cpu = { above = 0.5, clear = 0.4, hold = 2, rest = 2, text = "Busy" } }]]

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
    monitoring.serve "rules = { cpu = false }"
    pass(0.9)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ 2, "cpu", "over" }, { #told, told[2].data.rule, told[2].data.state })
    monitoring.server:close()
  end)

  it("comes of requests that fail", function()
    local server = monitoring.serve [[rules = { errors = { above = 1, hold = 0 } }]]
    for _ = 1, 3 do assert.equal(500, server:get("/fails").status) end
    pass(0)
    local told = weir.history("monitor/alerts", { decode = true })
    assert.same({ "errors", "raised", 3 }, { told[1].data.rule, told[1].data.state, told[1].data.value })
  end)
end)

describe("who may see the monitor", function()
  local paths = { "/monitor/events", "/monitor/alerts" }

  local function statuses(server, headers, path)
    local answer = server:get(path, { headers = headers, timeout = 0.5 })
    if answer then return answer.status end
    local events = server:sse(path, { headers = headers })
    return events and 200
  end

  it("is this machine, and nobody who only seems to be", function()
    local server = monitoring.serve()
    local here = server.address
    for _, case in ipairs {
      { 200, {} }, { 200, { Host = "localhost" } }, { 200, { Host = "LOCALHOST:8080" } }, { 200, { Host = "[::1]:80" } },
      { 200, { Host = "192.168.1.5:8080" } }, { 200, { Origin = "http://" .. here } },
      { 200, { ["Sec-Fetch-Site"] = "same-origin" } }, { 200, { ["Sec-Fetch-Site"] = "none" } },
      { 403, { Host = "evil.example" } }, { 403, { Host = "127.0.0.1.evil.example" } }, { 403, { Host = "localhost.:80" } },
      { 403, { Host = "0x7f.1" } }, { 403, { Host = "2130706433" } }, { 403, { Host = "127.0.0.1.:80" } },
      { 403, { Host = "256.0.0.1" } }, { 403, { Host = "" } },
      { 403, { Origin = "http://evil.example" } }, { 403, { Origin = "null" } }, { 403, { Origin = "" } },
      { 403, { Origin = "http://" .. here .. ".evil.example" } }, { 403, { Origin = "http://127.0.0.1:1" } },
      { 403, { ["Sec-Fetch-Site"] = "cross-site" } }, { 403, { ["Sec-Fetch-Site"] = "same-site" } },
      { 403, { ["X-Forwarded-For"] = "127.0.0.1" } }, { 403, { ["X-Forwarded-Host"] = "localhost" } },
      { 403, { ["X-Forwarded-Anything"] = "" } }, { 403, { Forwarded = "for=127.0.0.1" } }, { 403, { Via = "1.1 proxy" } },
      { 403, { ["X-Real-IP"] = "127.0.0.1" } },
    } do
      local says = json.encode(case[2])
      local answer = server:post("/monitor/streams/999999/close", { headers = case[2] })
      assert.equal(case[1] == 200 and 404 or 403, answer.status, says)
      if case[1] == 403 then
        for _, path in ipairs(paths) do assert.equal(403, server:get(path, { headers = case[2] }).status, says) end
      else
        assert.is_table(server:sse("/monitor/events", { headers = case[2] }), says)
      end
    end
  end)

  it("is not who asks by HTTP/1.0, as nginx does unless told otherwise", function()
    local server = monitoring.serve()
    local client = server:connect()
    client:send "GET /monitor/events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    assert.equal(403, client:receive_head().status)
  end)

  it("is not who a trusted proxy brings, from wherever that is", function()
    local server = test.start(support.write_file(monitoring.folder .. "/behind.lua",
      'require "weir".trust_proxies { "127.0.0.1" }\n' .. assert(support.read_file(monitoring.app()))))
    for _, client in ipairs { "127.0.0.1", "203.0.113.9" } do
      local headers = { ["X-Forwarded-For"] = client, ["X-Forwarded-Host"] = "localhost" }
      assert.equal(403, server:get("/monitor/alerts", { headers = headers }).status, client)
    end
  end)

  describe("where there is a secret", function()
    local SECRET = "a secret of this spec that has enough bytes"

    local function with(claim, secret)
      local token = weir.jwt.sign({ sub = "ann", monitor = claim }, { secret = secret or SECRET, exp = 600 })
      return { headers = { Authorization = "Bearer " .. token } }
    end

    it("is who has a token that says so, from wherever", function()
      local server = monitoring.serve(("secret = %q"):format(SECRET))
      for _, path in ipairs(paths) do
        assert.equal(401, server:get(path).status)
        assert.equal(401, server:get(path, with("view", ("x"):rep(32))).status)
        for _, claim in ipairs { "", "admin", "VIEW", true, 1, { "view" } } do
          assert.equal(403, server:get(path, with(claim)).status, json.encode(claim))
        end
        for _, claim in ipairs { "view", "close" } do
          local options = with(claim)
          options.headers["X-Forwarded-For"], options.headers.Host = "203.0.113.9", "weir.example"
          assert.is_table(server:sse(path, options))
        end
      end
    end)

    it("may close by another right than by the one to see", function()
      local server = monitoring.serve(("secret = %q"):format(SECRET))
      local live = assert(server:sse "/live")
      local path = ("/monitor/streams/%d/close"):format(json.decode(live:next().data).stream)
      assert.equal(401, server:post(path).status)
      assert.equal(403, server:post(path, with "view").status)
      assert.is_false(next_of(assert(server:sse("/monitor/events", with "view")), "setup").may_close)
      assert.is_true(next_of(assert(server:sse("/monitor/events", with "close")), "setup").may_close)
      assert.equal(204, server:post(path, with "close").status)
      assert.same({ nil, "closed" }, { live:next() })
    end)
  end)

  it("gets the page under the same rule, and no frame of others", function()
    local server = test.start { "apps/monitor/app.lua", env = { MONITOR_SECRET = false, MONITOR_RULES = false } }
    assert.equal(403, server:get("/", { headers = { Host = "evil.example" } }).status)
    local page = server:get "/"
    assert.equal("default-src 'self'; frame-ancestors 'none'", page.headers["content-security-policy"])
    local found = 0
    for name in page.body:gmatch '[ef]="([%w]+%.%a+)"' do
      assert.equal(200, server:get("/" .. name).status, name)
      found = found + 1
    end
    assert.equal(2, found)
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
    local server = monitoring.serve [[rules = { backlog = { above = 500000, hold = 1 } }]]
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

describe("closing a stream", function()
  it("ends it for its client, and tells who did it", function()
    local server = monitoring.serve()
    local live = assert(server:sse "/live")
    local id = json.decode(live:next().data).stream
    assert.equal(204, server:post("/monitor/streams/" .. id .. "/close").status)
    assert.same({ nil, "closed" }, { live:next() })
    assert.matches("stream=" .. id, test.log.take("a stream was closed", "info")[1].text, 1, true)
    assert.equal(404, server:post("/monitor/streams/" .. id .. "/close").status)
  end)

  it("takes the number of a stream, and nothing else", function()
    local server = monitoring.serve()
    for _, id in ipairs { "0", "-1", "01", "1.5", "1e3", "0x1", "x", "%2A", "1%00", "1%0A", "nan", "inf", ("9"):rep(16),
      "1%2F2", "%F0%9F%92%A9" } do
      local status = server:post("/monitor/streams/" .. id .. "/close").status
      assert.is_true(status == 400 or status == 404 and id == "1%2F2", id .. " " .. status)
    end
    assert.equal(404, server:post("/monitor/streams/" .. ("9"):rep(15) .. "/close").status)
    assert.equal(405, server:get("/monitor/streams/1/close").status)
    assert.same({}, test.log.take("", "error"))
  end)
end)

describe("the options", function()
  for what, case in pairs {
    ["an option that there is not"] = { 'mutes = {}', 'there is no option "mutes"' },
    ["rules that are wrong"] = { 'rules = { cpu = { above = "x" } }', "cpu.above must be a number" },
  } do
    it("are refused at the start: " .. what, function()
      local ok, err = pcall(test.start, monitoring.app(case[1]))
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end

  for what, case in pairs {
    ["a short secret"] = { { MONITOR_SECRET = "short" }, "MONITOR_SECRET must have 32 bytes or more" },
    ["a file that is not there"] = { { MONITOR_RULES = "/no/such/file" }, "MONITOR_RULES: /no/such/file" },
    ["a file that is no JSON"] = { { MONITOR_RULES = "README.md" }, "MONITOR_RULES: README.md: " },
  } do
    it("of the environment, too: " .. what, function()
      local ok, err = pcall(test.start, { "apps/monitor/app.lua", env = case[1] })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end
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
    local path = monitoring.app 'proc = "/proc", rules = { streams = { figure = "streams", above = 0, hold = 0 } }'
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
    local path = monitoring.app 'proc = "/proc", rules = { streams = { figure = "streams", above = -1, hold = 0 } }'
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
    local server = test.spawn { "serve", "apps/monitor", "--workers", 2, env = { MONITOR_SECRET = "", MONITOR_RULES = "" } }
    next_of(assert(server:sse "/events"), "figures")
    assert.equal(1, support.assert_examples("apps/monitor/README.md", "By curl", "", server))
    assert.equal(0, (server:stop()))
  end)

  it("has rules that are right", function()
    package.path = "apps/monitor/?.lua;" .. package.path
    local text = support.read_file "apps/monitor/README.md"
    local example = json.decode(text:match "```json\n({ \"cpu\".-})\n```")
    assert.is_table(require "monitor.rules".of(example))
    for _, name in ipairs(require "monitor.figures".names) do assert.is_truthy(text:find("`" .. name .. "`", 1, true), name) end
  end)
end)

describe("a disk that has failed #once", function()
  it("is told by it, though no alert can be kept", function()
    local server = test.spawn { "serve", monitoring.app 'proc = "/proc"', "--workers", 1, "--data",
      monitoring.folder .. "/data" }
    local events = assert(server:sse "/monitor/events")
    server:post "/unsync"
    local told = next_of(events, "alert")
    assert.same({ "store", "critical", "raised" }, { told.rule, told.level, told.state })
    assert.equal("store", next_of(events, "figures").alerts[1].rule)
    assert.equal(0, (server:stop()))
  end)
end)

-- ---- Grafana --------------------------------------------------------------------------------------------------------

-- The metrics of a text by name, each with the set of its labels.
local function labels_of(text)
  local metrics = {}
  for name, labels in text:gmatch "\n([%w_]+)({[^\n]*)" do
    metrics[name] = metrics[name] or {}
    for label in labels:gmatch '([%w_]+)="' do metrics[name][label] = true end
  end
  for name in text:gmatch "\n([%w_]+) " do metrics[name] = metrics[name] or {} end
  return metrics
end

describe("the dashboard for Grafana #workers #once", function()
  local dashboard = json.decode(assert(support.read_file "apps/monitor/grafana.json"))

  local function queries()
    local list = {}
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets) do list[#list + 1] = { target.expr, target.legendFormat } end
    end
    return list
  end

  local function metrics()
    local server = test.spawn { "serve", monitoring.app(), "--workers", 2, "--admin", "127.0.0.1:0" }
    local port = test.eventually(function() return server:stderr():match "admin: listening on http://127%.0%.0%.1:(%d+)" end)
    server:get "/fails"
    local client = test.connect(tonumber(port))
    client:send "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    local text = client:receive_response().body
    assert.equal(0, (server:stop()))
    return labels_of("\n" .. text)
  end

  it("asks for metrics and labels that there are", function()
    local there, asked = metrics(), 0
    for _, query in ipairs(queries()) do
      local expr, legend = query[1], query[2]
      for name, matchers in expr:gmatch "([%w_]+){([^}]*)}" do
        asked = asked + 1
        assert.is_table(there[name], name)
        local own = matchers:gsub('job="$job", instance=~"$instance",? ?', "")
        for label in own:gmatch "([%w_]+)[=!]" do assert.is_true(there[name][label], name .. " " .. label) end
        for list in expr:gmatch "by %(([^)]*)%)" do
          for label in list:gmatch "[%w_]+" do assert.is_true(there[name][label], name .. " " .. label) end
        end
        for label in legend:gmatch "{{([%w_]+)}}" do assert.is_true(there[name][label], name .. " " .. label) end
      end
      local _, mentioned = expr:gsub("weir_[%w_]+", "")
      local _, with_server = expr:gsub('weir_[%w_]+{job="$job", instance=~"$instance"', "")
      assert.equal(mentioned, with_server, expr)
    end
    assert.is_true(asked > 30)
  end)

  it("asks in Prometheus' language", function()
    local lines = { "groups:", "- name: dashboard", "  rules:" }
    for i, query in ipairs(queries()) do
      lines[#lines + 1] = "  - record: query:" .. i
      lines[#lines + 1] = "    expr: " .. json.encode((query[1]:gsub("%$__rate_interval", "1m")))
    end
    local file = support.write_file(monitoring.folder .. "/rules.yml", table.concat(lines, "\n") .. "\n")
    assert.equal(0, os.execute("promtool check rules " .. file .. " >/dev/null"))
  end)

  it("is of no machine in particular", function()
    assert.is_nil(dashboard.id)
    local text = support.read_file "apps/monitor/grafana.json"
    for uid in text:gmatch '"type": "prometheus", "uid": "([^"]*)"' do assert.equal("${datasource}", uid) end
    local ids = {}
    for _, panel in ipairs(dashboard.panels) do
      assert.equal("${datasource}", panel.datasource.uid)
      assert.is_nil(ids[panel.id])
      ids[panel.id] = true
      local place = panel.gridPos
      assert.is_true(place.x + place.w <= 24)
    end
  end)
end)
