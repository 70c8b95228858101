-- The admin endpoint: who may ask, and what is seen from there, whatever the workers are at: README.md.

local test = require "weir.test"
local support = require "spec.support"
local json = require "weir".json

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  weir.limits { cpu_time = 100, drain_timeout = 2 }
  weir.topics { ["kept/*"] = { durable = true } }
  app:get("/", function() return "hello" end)
  app:get("/rooms/:id", function(stream) return stream.params.id end)
  app:post("/rooms/:id", function(stream) return stream:body() end)
  app:get("/odd\255\"\\\n\195\169", function() return "odd" end)
  app:get("/large", function() return ("x"):rep(3e7) end)
  app:get("/fails", function() error "fails" end)
  app:get("/waits", function() weir.sleep(3600) end)
  app:get("/lines", function(stream) stream:write "a" weir.sleep(3600) end)
  app:get("/sends/:bytes", function(stream)
    stream:write(("a"):rep(tonumber(stream.params.bytes)))
    weir.sleep(3600)
  end)
  app:get("/topics", function(stream)
    stream.claims = { sub = stream.query.sub or "nobody" }
    stream:sse():subscribe { "t", weir.prefix "user/" }
  end)
  app:post("/publish", function() for _ = 1, 1000 do weir.publish("t", ("x"):rep(1000)) end end)
  app:post("/unsync", function()
    require "weir.test".fault("store_sync", "EIO")
    weir.publish("kept/a", "x")
  end)
  app:get("/nap", function(stream)
    local file = stream.query["until"]
    os.execute(file and "until [ -e " .. file .. " ]; do sleep 0.05; done" or "sleep 60")
    return "rested"
  end)
  app:get("/leak", function()
    for _ = 1, 20 do weir.background(function() weir.channel(1):recv() end) end
  end)
  app:get("/many", function()
    for _ = 1, 10100 do weir.background(function() weir.sleep(3600) end) end
  end)
  app:get("/lists", function(stream)
    local list = {}
    for i = 1, 25 do list[i] = "topic-" .. i end
    stream:sse():subscribe(list)
  end)
  app:on_start(function() weir.shared("at start"):set("metrics", weir.metrics()) end)
  app:get("/at-start", function() return weir.shared("at start"):get "metrics" end)
  app:get("/metrics", function() return weir.metrics() end)
  app:get("/measures", function()
    weir.background(function() while true do weir.metrics() end end)
  end)
  app:get("/hot", function(stream)
    local sum = 0
    for i = 1, 5e8 do sum = sum + i % 7 end
    return tostring(sum)
  end)
  app:get("/loops", function()
    weir.background(function()
      while true do
        for i = 1, 1e6 do last = i % 7 end
        weir.sleep(0)
      end
    end)
  end)
  return app
]]

-- "app.lua:7", the line of the app that has that text.
local function line_of(text)
  local _, lines = app_text:sub(1, assert(app_text:find(text, 1, true))):gsub("\n", "")
  return "app.lua:" .. lines + 1
end

-- A server and the port of its admin endpoint.
local function serve(...)
  local server = test.spawn { "serve", (support.app_file(app_text)), "--admin", "127.0.0.1:0", ... }
  local function port() return server:stderr():match "admin: listening on http://127%.0%.0%.1:(%d+)" end
  return server, tonumber(test.eventually(port))
end

-- An answer of the endpoint: its status, its body and its head.
local function ask(port, target, options)
  options = options or {}
  local client = test.connect(port)
  client:send(("%s %s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n"):format(options.method or "GET", target,
    options.host or "Host: 127.0.0.1\r\n", options.fields or ""))
  local response = client:receive_response()
  client:close()
  return response and response.status, response and response.body, response
end

-- The value of a line of /metrics.
local function metric(port, name)
  local _, text = ask(port, "/metrics")
  for line in text:gmatch "[^\n]+" do
    if line:sub(1, #name + 1) == name .. " " then return tonumber(line:sub(#name + 2)) end
  end
end

local function send(server, target)
  local client = server:connect()
  client:send("GET " .. target .. " HTTP/1.1\r\nHost: a\r\n\r\n")
  return client
end

local function streams(port, query)
  local _, body = ask(port, "/streams" .. (query or ""))
  return json.decode(body)
end

-- What it says that does not come to serve.
local function run_refused(...)
  return test.run { "serve", (support.app_file(app_text)), "--listen", "127.0.0.1:0", ... }
end

describe("who may ask the admin endpoint #once #workers", function()
  after_each(support.remove_folders)

  it("is who names it by an address, and no page of another site", function()
    local server, port = serve("--workers", 1)
    for host, status in pairs {
      ["127.0.0.1"] = 200, ["127.0.0.1:9090"] = 200, ["[::1]:9090"] = 200,
      ["[::1]"] = 200, ["localhost"] = 200, ["LOCALHOST:1"] = 200,
      ["evil.example"] = 403, ["127.0.0.1.evil.example"] = 403, ["localhost.evil.example:9090"] = 403, [""] = 403,
      ["0x7f.1"] = 403, ["2130706433"] = 403, ["127.0.0.1.:9090"] = 403, ["localhost.:9090"] = 403,
    } do
      assert.equal(status, (ask(port, "/healthz", { host = "Host: " .. host .. "\r\n" })), host)
    end
    for fields, status in pairs {
      ["Origin: http://127.0.0.1\r\n"] = 200, ["Origin: https://127.0.0.1\r\n"] = 200,
      ["Origin: http://evil.example\r\n"] = 403, ["Origin: http://127.0.0.1.evil.example\r\n"] = 403,
      ["Origin: http://127.0.0.1:81\r\n"] = 403, ["Origin: null\r\n"] = 403, ["Origin: \r\n"] = 403,
      ["Sec-Fetch-Site: none\r\n"] = 200, ["Sec-Fetch-Site: same-origin\r\n"] = 200,
      ["Sec-Fetch-Site: cross-site\r\n"] = 403, ["Sec-Fetch-Site: same-site\r\n"] = 403,
      ["Origin: http://127.0.0.1\r\nOrigin: http://evil.example\r\n"] = 403,
      ["Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"] = 403,
    } do
      assert.equal(status, (ask(port, "/healthz", { fields = fields })), fields)
    end
    assert.equal(403, (ask(port, "/streams?id=1", { method = "POST", fields = "Origin: http://evil.example\r\n" })))
    test.eventually(function() return server:stderr():find("admin: 127.0.0.1: 403: ", 1, true) end)
    assert.equal(0, (server:stop()))
  end)

  it("is who has the token, by whatever name", function()
    local file = support.write_file(support.folder() .. "/token", ("t"):rep(16) .. "\n")
    local server, port = serve("--workers", 1, "--admin-token", file)
    local refused, _, response = ask(port, "/metrics")
    assert.equal(401, refused)
    assert.matches("^Bearer ", response.headers["www-authenticate"])
    for authorization, wanted in pairs {
      [("Bearer %s"):format(("t"):rep(16))] = 200, [("bearer  %s"):format(("t"):rep(16))] = 200,
      [("Bearer %s"):format(("t"):rep(15))] = 401, [("Bearer %sx"):format(("t"):rep(16))] = 401,
      [("Basic %s"):format(("t"):rep(16))] = 401, ["Bearer"] = 401, [""] = 401,
    } do
      local fields = "Authorization: " .. authorization .. "\r\n"
      local status = ask(port, "/healthz", { fields = fields, host = "Host: metrics.example\r\n" })
      assert.equal(wanted, status, authorization)
    end
    assert.equal(0, (server:stop()))
  end)

  for _, token in ipairs { ("t"):rep(15), ("t"):rep(256), ("t"):rep(16) .. "\nx", ("t "):rep(16), "" } do
    it("is told of a token that is none: " .. #token .. " bytes", function()
      local file = support.write_file(support.folder() .. "/token", token)
      local run = run_refused("--admin", "127.0.0.1:0", "--admin-token", file)
      assert.equal(1, run.code)
      assert.is_truthy(run.stderr:find(file .. ": expected one line", 1, true), run.stderr)
    end)
  end

  for what, case in pairs {
    ["an address that others reach"] = { { "--admin", "0.0.0.0:0" }, 1, "give --admin-token FILE" },
    ["a token without an address"] = { { "--admin-token", "f" }, 2, "give --admin HOST:PORT" },
    ["an address that is none"] = { { "--admin", "9090" }, 2, "expected HOST:PORT" },
    ["a token that is no file"] = { { "--admin", "127.0.0.1:0", "--admin-token", "/dev/null" }, 1,
      "/dev/null: it is a device, a pipe or a socket, no file" },
    ["a token that is not there"] = { { "--admin", "127.0.0.1:0", "--admin-token", "/no/such" }, 1, "No such file" },
  } do
    it("is not " .. what, function()
      local run = run_refused(unpack(case[1]))
      assert.equal(case[2], run.code)
      assert.is_truthy(run.stderr:find(case[3], 1, true), run.stderr)
    end)
  end

  it("is not another endpoint's: an address in use is an error", function()
    local server, port = serve("--workers", 1)
    local run = run_refused("--admin", "127.0.0.1:" .. port)
    assert.equal(1, run.code)
    assert.is_truthy(run.stderr:find("another with --admin", 1, true), run.stderr)
    assert.equal(0, (server:stop()))
  end)

  it("asks for what is there, by methods that are", function()
    local server, port = serve("--workers", 1)
    local _, index = ask(port, "/")
    for line in index:gmatch "[^\n]+" do
      local path = line:match "^/%a*"
      assert.equal(200, (ask(port, path .. (path == "/profile" and "?seconds=1" or ""))), path)
    end
    assert.equal(404, (ask(port, "/nope")))
    assert.equal(405, (ask(port, "/metrics", { method = "POST" })))
    assert.equal(405, (ask(port, "/streams", { method = "DELETE" })))
    for _, query in ipairs {
      "/streams?limit=0", "/streams?limit=10001", "/streams?sort=size", "/streams?what=1", "/streams?id=1",
      "/profile?seconds=0", "/profile?seconds=61", "/profile?worker=1", "/profile?what=1",
    } do
      assert.equal(400, (ask(port, query)), query)
    end
    assert.equal(400, (ask(port, "/streams", { method = "POST" })))
    assert.equal(200, (ask(port, "/streams?limit=10000")))
    assert.equal(414, (ask(port, "/" .. ("x"):rep(8192))))
    assert.equal(0, metric(port, [[weir_limits_reached_total{limit="target_bytes"}]])) -- of those who are served
    assert.equal(0, (server:stop()))
  end)
end)

describe("/metrics #once #workers", function()
  after_each(support.remove_folders)

  it("counts by route, and strangers make no series", function()
    local server, port = serve("--workers", 2)
    local function latency(labels) return metric(port, "weir_route_latency_seconds_count{" .. labels .. "}") end
    for i = 1, 10 do server:get("/rooms/" .. i) end
    for i = 1, 5 do server:post("/rooms/" .. i, { body = "x" }) end
    server:get "/fails"
    test.eventually(function() return latency [[route="/rooms/:id",method="GET",status="2xx"]] == 10 end)
    test.eventually(function() return latency [[route="/rooms/:id",method="POST",status="2xx"]] == 5 end)
    test.eventually(function() return latency [[route="/fails",method="GET",status="5xx"]] == 1 end)
    local function lines()
      local _, text = ask(port, "/metrics")
      return select(2, text:gsub("\n", ""))
    end
    server:get "/nothing/here"
    server:request("PROPFIND", "/nothing")
    test.eventually(function() return latency [[route="none",method="other",status="4xx"]] == 1 end)
    local before = lines()
    for i = 1, 50 do
      server:get("/nothing/" .. i)
      server:get("/rooms/new-" .. i)
      server:request("X" .. i, "/nothing")
    end
    assert.equal(before + 17, lines()) -- 501 of methods that nobody knows: a histogram
    assert.equal(0, (server:stop()))
  end)

  it("tells what streams are at", function()
    local server, port = serve("--workers", 2)
    local function open(route, kind)
      return metric(port, ([[weir_route_streams{route="%s",kind="%s"}]]):format(route, kind))
    end
    local clients = {}
    for _, path in ipairs { "/waits", "/lines", "/topics", "/topics" } do clients[#clients + 1] = send(server, path) end
    test.eventually(function()
      return open("/waits", "waiting") == 1 and open("/lines", "stream") == 1 and open("/topics", "sse") == 2
    end)
    for _, client in ipairs(clients) do client:close() end
    test.eventually(function() return open("/lines", "stream") == 0 and open("/topics", "sse") == 0 end)
    assert.equal(1, open("/waits", "waiting")) -- its answer is still tried
    assert.equal(0, (server:stop()))
  end)

  it("is what promtool and Prometheus' own parser take", function()
    local server, port = serve("--workers", 2, "--data", support.folder())
    server:get "/"
    server:get "/fails"
    server:post "/unsync"
    assert.equal("odd", server:get("/odd%FF%22%5C%0A%C3%A9").body)
    local text
    test.eventually(function() -- an answer is counted at the end of the turn, when it is out
      text = select(2, ask(port, "/metrics"))
      return text:find([[{route="/odd\\xff\"\\\né",kind="waiting"} 0]] .. "\n", 1, true)
    end)
    local file = support.write_file(support.folder() .. "/metrics", text)
    local pipe = io.popen("promtool check metrics <" .. file .. " 2>&1; echo $?")
    assert.equal("0\n", pipe:read "*a")
    pipe:close()
    pipe = io.popen("/usr/bin/python3 -c '" .. [[
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
for family in parse(open(sys.argv[1]).read()):
    assert family.name.startswith(("weir_", "process_")) and family.documentation and family.type != "unknown", family
    for sample in family.samples:
        print(sample.name, sorted(sample.labels.items()), sample.value)
]] .. "' " .. file .. " 2>&1; echo $?")
    local parsed = pipe:read "*a"
    pipe:close()
    assert.matches("\n0\n$", parsed)
    local samples = select(2, text:gsub("\n[^#\n]", ""))
    assert.equal(samples, select(2, parsed:gsub("\n", "")) - 1)
    assert.equal(0, (server:stop()))
  end)

  it("is what weir.metrics gives an app, but for workers before they serve", function()
    local server, port = serve("--workers", 2)
    -- all but the numbers
    local function shape(text) return (text:gsub(" [%d.]+\n", " N\n")) end
    server:get "/metrics" -- the next one counts this
    local text = server:get("/metrics").body
    assert.equal(shape(select(2, ask(port, "/metrics"))), shape(text))
    assert.matches('\nweir_worker_busy_seconds{worker="1"} [%d.]+\n', text)
    local at_start = server:get("/at-start").body
    assert.matches("\nweir_requests_total 0\n", at_start)
    assert.is_nil(at_start:find("weir_worker_", 1, true))
    assert.equal(0, (server:stop()))
  end)

  it("is made while workers come and go", function()
    local server, port = serve("--workers", 4)
    for _ = 1, 8 do server:get "/measures" end -- the kernel chooses who
    test.eventually(function() return ask(port, "/metrics") == 200 end)
    assert.equal(0, (server:stop()))
  end)

  it("tells what the process takes", function()
    local server, port = serve("--workers", 1)
    assert.is_true(metric(port, "process_resident_memory_bytes") > 1e6)
    assert.is_true(metric(port, "process_cpu_seconds_total") > 0)
    assert.equal(0, (server:stop()))
  end)

  it("counts on to the end: a worker that has ended goes back to no zero", function()
    local server, port = serve("--workers", 2)
    local client = send(server, "/lines") -- one of them drains until the timeout
    client:receive "a"
    local last = { ["0"] = 0, ["1"] = 0 }
    server:signal "TERM"
    test.eventually(function()
      local called, status, text = pcall(ask, port, "/metrics")
      if not called or not status then return true end
      for worker, seconds in text:gmatch [[weir_worker_cpu_seconds_total{worker="(%d)"} ([%d.]+)]] do
        assert.is_true(tonumber(seconds) >= last[worker], worker .. ": " .. seconds)
        last[worker] = tonumber(seconds)
      end
    end, 20)
    assert.is_true(last["0"] > 0 and last["1"] > 0)
    assert.equal(0, (server:wait(10)))
  end)

  it("is there for a reader that does not read, and for many", function()
    local server, port = serve("--workers", 1)
    local slow = {}
    for i = 1, 20 do
      slow[i] = test.connect(port, { rcvbuf = 2048 })
      slow[i]:send(("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"):rep(50))
    end
    for _ = 1, 50 do assert.equal(200, (ask(port, "/metrics"))) end
    local idle = {}
    for i = 1, 200 do -- the oldest of them make room
      idle[i] = test.connect(port)
      if i % 2 == 0 then idle[i]:send "GET /metrics HTTP/1.1\r\nHost: localhost\r\n" end
      if i % 50 == 0 then assert.equal(200, (ask(port, "/healthz"))) end
    end
    local profile = test.connect(port)
    profile:send "GET /profile?seconds=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for i = 201, 300 do idle[i] = test.connect(port) end
    assert.equal(200, profile:receive_response().status)
    for i = 21, 64 do
      slow[i] = test.connect(port, { rcvbuf = 2048 })
      slow[i]:send(("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"):rep(50))
    end
    for i = 21, 64 do slow[i]:receive "HTTP" end -- whose answers wait: they make room, too
    for _ = 1, 100 do assert.equal(200, (ask(port, "/metrics"))) end
    local go = support.folder() .. "/go"
    local stuck = send(server, "/nap?until=" .. go)
    test.eventually(function() return ask(port, "/healthz") == 503 end)
    test.eventually(function() -- while all of them wait for the worker, which is a second
      for i = 1, 64 do
        slow[i] = test.connect(port)
        slow[i]:send "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\nGET /streams HTTP/1.1\r\nHost: [::1]\r\n\r\n"
        if slow[i]:receive_response().status == 503 then return true end
      end
      return ask(port, "/metrics") == 503
    end)
    support.write_file(go, "")
    assert.equal(200, stuck:receive_response().status)
    test.eventually(function() return ask(port, "/metrics") == 200 end)
    assert.equal(0, metric(port, [[weir_limits_reached_total{limit="connections"}]])) -- of those who are served
    assert.equal("hello", server:get("/").body)
    assert.equal(0, (server:stop()))
  end)
end)

describe("health #once #workers", function()
  after_each(support.remove_folders)

  it("is told when clients and idle operators have all descriptors", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1, "--admin", "127.0.0.1:0",
      shell = 'ulimit -n 100; exec "$0" "$@"' }
    local port = tonumber(test.eventually(function() return server:stderr():match "admin: .-:(%d+)\n" end))
    local clients, idle = {}, {}
    for i = 1, 150 do clients[i] = send(server, "/lines") end
    for i = 1, 100 do idle[i] = test.connect(port) end
    assert.equal(200, (ask(port, "/healthz")))
    assert.is_true(metric(port, "process_resident_memory_bytes") > 0) -- a file is open for it
    assert.is_nil(server:stderr():find("too many open files", 1, true))
    for _, client in ipairs(clients) do client:close() end
    for _, client in ipairs(idle) do client:close() end
    assert.equal(0, (server:stop()))
  end)

  it("is told while every worker is inside a C call", function()
    local server, port = serve("--workers", 2)
    assert.equal(200, (ask(port, "/healthz")))
    local stuck = {}
    test.eventually(function() -- until both are, for the kernel chooses
      stuck[#stuck + 1] = send(server, "/nap")
      local _, text = ask(port, "/healthz")
      return text:find "worker 0 has not replied" and text:find "worker 1 has not replied"
    end, 20)
    local status, text = ask(port, "/healthz")
    assert.equal(503, status)
    assert.matches("worker 0 has not replied for [%d.]+ s: it runs GET /nap\n", text)
    assert.is_true(metric(port, [[weir_worker_busy_seconds{worker="1"}]]) >= 1)
    assert.matches("worker 1 does not reply: it runs GET /nap", select(2, ask(port, "/tasks")), 1, true)
    assert.same({ "worker 0 does not reply: it runs GET /nap", "worker 1 does not reply: it runs GET /nap" },
      streams(port).silent)
    assert.equal(503, (ask(port, "/profile?seconds=1&worker=0")))
    server:stop "KILL"
  end)

  it("is not readiness: starting and draining are not ready", function()
    local folder = support.folder()
    local path = support.app_file([[
      local weir = require "weir"
      local app = weir.app()
      app:on_start(function() while not weir.fs.stat "]] .. folder .. [[/go" do weir.sleep(0.01) end end)
      app:get("/lines", function(stream) stream:write "a" weir.sleep(3600) end)
      return app
    ]])
    local other = support.serve_text(app_text)
    local port, server = other.port, nil
    other:close()
    local weir = require "weir"
    local task = weir.spawn(function()
      server = test.spawn { "serve", path, "--workers", 1, "--admin", "127.0.0.1:" .. port }
    end)
    test.eventually(function()
      local called, status, text = pcall(ask, port, "/readyz")
      return called and status == 503 and text == "the apps are starting\n"
    end)
    assert.equal(503, (ask(port, "/streams")))
    assert.equal(200, (ask(port, "/healthz")))
    assert.equal(200, (ask(port, "/metrics")))
    support.write_file(folder .. "/go", "")
    task:join()
    test.eventually(function() return ask(port, "/readyz") == 200 end)
    local client = send(server, "/lines")
    client:receive "a"
    server:signal "TERM"
    test.eventually(function()
      local status, text = ask(port, "/readyz")
      return status == 503 and text == "the server is draining\n"
    end)
    client:close()
    assert.equal(0, (server:wait(10)))
  end)

  it("is not readiness: a store that has failed is not ready", function()
    local server, port = serve("--workers", 1, "--data", support.folder())
    assert.equal(200, (ask(port, "/readyz")))
    server:post "/unsync"
    test.eventually(function() return ask(port, "/readyz") == 503 end)
    assert.matches("the store has failed", select(2, ask(port, "/readyz")))
    assert.equal(0, (server:stop()))
  end)
end)

describe("/streams #once #workers", function()
  after_each(support.remove_folders)

  it("shows who is connected, the one that does not read first, and closes it", function()
    local server, port = serve("--workers", 2)
    local reader = server:sse "/topics?sub=reader"
    local stalled = test.connect(server.port, { rcvbuf = 2048 })
    stalled:send "GET /topics?sub=stalled HTTP/1.1\r\nHost: a\r\n\r\n"
    test.eventually(function() return streams(port).count == 2 end)
    local read = require("weir").spawn(function() while reader:next() do end end)
    server:post "/publish"
    local list
    test.eventually(function()
      list = streams(port)
      return #list.streams == 2 and list.streams[2].backlog == 0
    end)
    local first = list.streams[1]
    assert.equal("stalled", first.sub)
    assert.equal("/topics", first.route)
    assert.equal("GET", first.method)
    assert.equal("sse", first.kind)
    assert.equal("127.0.0.1", first.client)
    assert.same({ "t", "user/*" }, first.topics)
    assert.is_true(first.behind > 0 and first.behind < 1000)
    assert.is_true(first.backlog > 100000)
    assert.matches("^%d+%-%d+$", first.position)
    assert.equal("reader", streams(port, "?sort=sent").streams[1].sub)
    assert.equal(1, #streams(port, "?limit=1").streams)
    local oldest = streams(port, "?sort=age").streams
    assert.is_true(oldest[1].age >= oldest[2].age)
    local status, body = ask(port, "/streams?id=" .. first.id, { method = "POST" })
    assert.equal(200, status)
    assert.equal(1, json.decode(body).closed)
    assert.equal(404, (ask(port, "/streams?id=" .. first.id, { method = "POST" })))
    list = streams(port)
    assert.equal(1, list.count)
    assert.equal("reader", list.streams[1].sub)
    reader:close()
    read:join()
    assert.equal(0, (server:stop()))
  end)
end)

describe("/streams of many #once #workers", function()
  after_each(support.remove_folders)

  it("lists the first ones of all workers, and counts all", function()
    local server, port = serve("--workers", 2)
    local function first(sort, limit)
      local list, values = streams(port, "?sort=" .. sort .. "&limit=" .. limit), {}
      assert.equal(30, list.count)
      for i, stream in ipairs(list.streams) do values[i] = stream[sort] end
      return values
    end
    for i = 1, 30 do -- neither in order nor against it
      local client = send(server, "/sends/" .. 100 * (i * 7 % 30 + 1))
      client:receive "aaa"
    end
    for _, sort in ipairs { "sent", "id" } do
      local all = first(sort, 30)
      assert.equal(30, #all)
      for i = 2, 30 do assert.is_true(all[i - 1] > all[i]) end
      for _, limit in ipairs { 1, 4, 29 } do
        assert.same({ unpack(all, 1, limit) }, first(sort, limit))
      end
    end
    assert.equal(30, #first("age", 10000))
    assert.equal(0, (server:stop()))
  end)
end)

describe("/streams of answers that are complete #once #workers", function()
  after_each(support.remove_folders)

  it("closes the one that nobody fetches", function()
    local server, port = serve("--workers", 1)
    local stalled = test.connect(server.port, { rcvbuf = 2048 })
    stalled:send "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
    local first
    test.eventually(function()
      first = streams(port).streams[1]
      return first and first.backlog > 1e6
    end)
    assert.equal("/large", first.route)
    server:signal "USR1"
    local what = ("stream %d: GET /large, finished, 0 bytes in, 30000000 out, "):format(first.id)
    test.eventually(function() return server:stderr():find(what, 1, true) end)
    assert.equal(200, (ask(port, "/streams?id=" .. first.id, { method = "POST" })))
    assert.equal(0, streams(port).count)
    stalled:close()
    assert.equal("hello", server:get("/").body)
    assert.equal(0, (server:stop()))
  end)
end)

describe("/streams of a worker that does not reply #once #workers", function()
  after_each(support.remove_folders)

  it("closes none later: that it is not closed has been said", function()
    local go = support.folder() .. "/go"
    local server, port = serve("--workers", 1)
    local events = server:sse "/topics"
    local id = streams(port).streams[1].id
    local stuck = send(server, "/nap?until=" .. go)
    test.eventually(function() return ask(port, "/healthz") == 503 end)
    local status, body = ask(port, "/streams?id=" .. id, { method = "POST" })
    assert.equal(503, status)
    local silent = { "worker 0 does not reply: it runs GET /nap" }
    assert.same({ closed = 0, silent = silent, streams = {} }, json.decode(body))
    support.write_file(go, "")
    assert.equal(200, stuck:receive_response().status)
    server:post "/publish"
    assert.equal(("x"):rep(1000), events:next().data)
    assert.equal(1, streams(port).count)
    events:close()
    assert.equal(0, (server:stop()))
  end)
end)

describe("/streams of many topics #once #workers", function()
  after_each(support.remove_folders)

  it("names some of them and counts all", function()
    local server, port = serve("--workers", 1)
    local client = server:sse "/lists"
    local stream = streams(port).streams[1]
    assert.equal(20, #stream.topics)
    assert.equal(25, stream.topics_count)
    client:close()
    assert.equal(0, (server:stop()))
  end)
end)

-- Not #workers: under TSan they take longer than the second for which it waits.
describe("/tasks of many #once", function()
  after_each(support.remove_folders)

  it("looks at ten thousand of a worker, and counts the rest", function()
    local server, port = serve("--workers", 1)
    server:get "/many"
    test.eventually(function() return metric(port, "weir_tasks_ready") == 0 end)
    local _, text = ask(port, "/tasks")
    assert.matches("^tasks: 10100\nplaces: 1\nnot looked at: 100\n\n10000 x task of /, ", text)
    assert.equal(0, (server:stop()))
  end)
end)

describe("/tasks #once #workers", function()
  after_each(support.remove_folders)

  it("shows where tasks wait that wait for ever, and metrics that there are more and more", function()
    local server, port = serve("--workers", 2)
    local before = metric(port, "weir_tasks")
    for _ = 1, 10 do server:get "/leak" end
    assert.equal(before + 200, metric(port, "weir_tasks"))
    send(server, "/waits")
    test.eventually(function() return metric(port, "weir_tasks") == before + 201 end)
    local _, text = ask(port, "/tasks")
    local first = text:match "\n\n(200 x .-)\n\n"
    assert.matches("^200 x task of /, generation 1, a task started at /%S+/" .. line_of "channel(1)"
      .. " by GET /leak: a channel or a subscription\n", first)
    assert.matches(line_of "channel(1)" .. ": in function", first, 1, true)
    assert.matches("\n1 x task of /, generation 1, GET /waits: weir.sleep\n", text)
    assert.equal(0, (server:stop()))
  end)
end)

-- Not #workers: TSan holds back the signals that are for samples.
describe("/profile #once", function()
  after_each(support.remove_folders)

  it("shows a hot loop, and what LuaJIT makes of it", function()
    local server, port = serve("--workers", 2)
    server:get "/loops"
    local status, text = ask(port, "/profile?seconds=1")
    assert.equal(200, status)
    local most, where = 0, nil
    for stack, samples in text:gmatch "([^\n]*) (%d+)\n" do
      if tonumber(samples) > most then most, where = tonumber(samples), stack end
    end
    assert.matches("^a background task;/[^;]*/" .. line_of "last = i" .. ";%[%a+%]$", where)
    assert.equal(0, (server:stop()))
  end)

  it("is one at a time", function()
    local server, port = serve("--workers", 1)
    local first = test.connect(port)
    first:send "GET /profile?seconds=2 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    test.eventually(function() return ask(port, "/profile?seconds=1") == 409 end)
    assert.equal(200, first:receive_response().status)
    test.eventually(function() return ask(port, "/profile?seconds=1") == 200 end)
    local second = test.connect(port)
    second:send "GET /profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    test.eventually(function() return ask(port, "/profile?seconds=1") == 409 end)
    second:reset() -- it ends with its client
    test.eventually(function() return ask(port, "/profile?seconds=1") == 200 end)
    assert.equal(0, (server:stop()))
  end)

  it("of a worker that does not reply keeps nobody from that of another", function()
    local go = support.folder() .. "/go"
    local server, port = serve("--workers", 2)
    local stuck = send(server, "/nap?until=" .. go)
    local held = tonumber(test.eventually(function() return select(2, ask(port, "/healthz")):match "worker (%d)" end))
    for _ = 1, 2 do
      local status, text = ask(port, "/profile?seconds=1&worker=" .. held)
      assert.equal(503, status)
      assert.equal("worker " .. held .. " does not reply: it runs GET /nap\n", text)
    end
    for _ = 1, 2 do assert.equal(200, (ask(port, "/profile?seconds=1&worker=" .. 1 - held))) end
    support.write_file(go, "")
    assert.equal(200, stuck:receive_response().status)
    assert.equal(200, (ask(port, "/profile?seconds=1&worker=" .. held)))
    assert.equal(0, (server:stop()))
  end)

  it("leaves the guard its tool: what runs away is stopped meanwhile", function()
    local path = support.folder()
    for _, name in ipairs { "one", "two" } do
      os.execute("mkdir " .. path .. "/" .. name)
      support.write_file(path .. "/" .. name .. "/app.lua", [[
        local weir = require "weir"
        local app = weir.app()
        weir.limits { cpu_time = 0.2 }
        app:get("/spin", function() while true do end end)
        return app
      ]])
    end
    local server = test.spawn { "serve", path, "--workers", 2, "--admin", "127.0.0.1:0" }
    local port = tonumber(test.eventually(function() return server:stderr():match "admin: .-:(%d+)\n" end))
    assert.equal(409, (ask(port, "/profile?seconds=1"))) -- which app?
    test.eventually(function() -- the last word counts
      return ask(port, "/profile?seconds=1&app=/longer&app=/two") == 200
    end)
    local profile = test.connect(port)
    profile:send "GET /profile?seconds=5&worker=0&app=/one HTTP/1.1\r\nHost: localhost\r\n\r\n"
    test.eventually(function() return ask(port, "/profile?seconds=1&app=/two") == 409 end)
    for _ = 1, 4 do -- in either worker, of the state that is sampled and of others
      assert.equal(503, server:get("/one/spin").status)
      assert.equal(503, server:get("/two/spin").status)
    end
    assert.equal(200, profile:receive_response().status)
    test.eventually(function() return ask(port, "/profile?seconds=1&app=/two") == 200 end)
    assert.equal(0, (server:stop()))
  end)
end)
