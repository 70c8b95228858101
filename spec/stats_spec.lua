-- What the process counts: each number of weir.stats is moved by what it counts. The list of what moves them must have
-- all that there are, so a new one needs a line here.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local test = require "weir.test"
  local app = weir.app()
  weir.limits {
    body_bytes = 1000, event_bytes = 1000, target_bytes = 1000, head_bytes = 5000, head_timeout = 0.2, cpu_time = 0.1,
    lua_memory = "32MB", high_mark = 2000, low_mark = 1000, shared_memory = 30000, streams_per_sub = 1,
  }
  weir.topics { ["few/*"] = { history = { count = 2 } }, ["kept/*"] = { durable = true } }
  local secret = ("s"):rep(32)
  app:get("/stats", function() return weir.stats() end)
  app:get("/", function() return "hello" end)
  app:get("/endless", function(stream) stream:sse() weir.sleep(3600) end)
  app:get("/forever", function() weir.sleep(3600) end)
  app:get("/crash", function(stream) stream:write "a" error "crash" end)
  app:get("/spin", function() while true do end end)
  app:get("/hog", function() local t = {} for i = 1, 1e9 do t[i] = i end end)
  app:get("/late", function(stream)
    stream:sse { write_timeout = 0.1 }
    for _ = 1, 1e4 do stream:write(("x"):rep(1e4)) end
  end)
  app:get("/drops", function(stream)
    stream:write_policy "drop_newest"
    for _ = 1, 1000 do stream:write(("x"):rep(10000)) end
    stream:finish()
  end)
  app:get("/gives-up", function(stream)
    stream:write_policy "disconnect"
    for _ = 1, 1000 do stream:write(("x"):rep(10000)) end
  end)
  app:get("/spawns", function()
    for _ = 1, 1000 do weir.spawn(function() weir.sleep(0) end) end
    return weir.stats()
  end)
  app:post("/body", function(stream) return tostring(#stream:body()) end)
  app:post("/event", function() return { weir.publish("t", ("x"):rep(2000)) } end)
  app:post("/fill", function()
    for i = 1, 1000 do weir.shared "d":set(tostring(i), ("x"):rep(100)) end
  end)
  app:post("/shared", function() weir.shared "d":set("a", 1) end)
  app:post("/publish/*topic", function(stream)
    for _ = 1, tonumber(stream.query.n or 1) do weir.publish(stream.params.topic, ("x"):rep(900)) end
  end)
  app:post("/invalid", function() weir.publish("t", "\255") end)
  app:get("/topic/*topic", function(stream)
    local overflow = stream.query.overflow
    stream:sse { overflow = overflow, limit = overflow and { events = 2 } }
      :subscribe(stream.params.topic, { after = stream.query.after })
  end)
  local function claimed(claims) return function(stream, next) stream.claims = claims return next() end end
  app:get("/mine", claimed { sub = "me" }, function(stream) stream:sse() weir.sleep(3600) end)
  app:get("/expires", claimed { sub = "it", exp = weir.now() }, function(stream) stream:sse() weir.sleep(3600) end)
  app:get("/guarded", weir.jwt { secret = secret, claims = { role = "admin" }, from = { "bearer", "query" } },
    function() return "in" end)
  app:get("/token", function(stream)
    return (weir.jwt.sign({ role = stream.query.role, exp = tonumber(stream.query.exp) }, { secret = secret }))
  end)
  app:post("/close/:reason", function(stream) weir.streams { sub = "me" }:close(stream.params.reason) end)
  app:post("/unsync", function()
    test.fault("store_sync", "EIO")
    weir.publish("kept/a", "x")
  end)
  app:post("/tail", function(stream)
    local tail = weir.tail(stream:body(), { lines = 100 })
    weir.background(function() for _ in tail do end end)
    weir.background(function()
      for _ in weir.tail(stream:body(), { lines = 1, after = "nonsense" }) do end
    end)
  end)
  app:post("/logs", function(stream)
    local path = stream:body()
    weir.background(function() for _ in weir.logs { sources = { path } }:follow() do end end)
  end)
  return app
]]

local path, server

local function start(text, ...)
  path = support.app_file(text or app_text)
  server = test.spawn { "serve", path, "--workers", 1, "--data", support.folder(), ... }
  return server
end

-- Nil while it lets nobody in.
local function stats()
  local response = server:get "/stats"
  return response and response.status == 200 and response.json() or nil
end

-- A client that has asked and does not read the answer.
local function ask(target, fields)
  local client = server:connect()
  client:send("GET " .. target .. " HTTP/1.1\r\nHost: a\r\n" .. (fields or "") .. "\r\n")
  return client
end

-- One connection more than `most`. All are closed: who is turned away counts until it has gone.
local function turn_away(most, status)
  local clients = {}
  for i = 1, most do
    clients[i] = ask "/"
    assert.is_truthy(clients[i]:receive("hello", 20))
  end
  clients[most + 1] = server:connect()
  assert.is_truthy(clients[most + 1]:receive(status, 20))
  for _, client in ipairs(clients) do client:close() end
end

local function token(query)
  return { headers = { Authorization = "Bearer " .. server:get("/token" .. query).body } }
end

-- A stream of a topic that does not read, while more comes than the kernel takes for it.
local function fall_behind(query, topic)
  ask("/topic/" .. (topic or "t") .. query):receive "\r\n\r\n"
  for _ = 1, 20 do server:post("/publish/" .. (topic or "t") .. "?n=1000") end
end

local function reload(text)
  support.write_file(path, text)
  server:signal "HUP"
end

local function get(target, options) return function() server:get(target, options) end end
local function post(target, options) return function() server:post(target, options) end end
local function open(target) return function() server:sse(target) end end
local function limited(limits, run)
  return function()
    server:stop()
    start((app_text:gsub("body_bytes =", limits .. ", body_bytes =")))
    run()
  end
end

-- What moves each; those that belong together are moved by the first.
local moves = {
  connections = function() server:connect() end,
  connections_total = get "/",
  streams = function() ask "/forever" end,
  tasks = function() ask "/forever" end,
  requests = get "/",
  bad_requests = function() ask "/%zz" end,
  bytes_sent = get "/",
  bytes_received = post("/body", { body = "four" }),
  writes_dropped = function() ask "/drops" end,
  utf8_replaced = post "/invalid",
  closed_done = get "/",
  closed_client = function() server:sse("/topic/t"):close() end,
  closed_timeout = function() ask "/late" end,
  closed_overflow = function() ask "/gives-up" end,
  closed_expired = function() server:sse "/expires" end,
  closed_revoked = function() open "/mine"() server:post "/close/revoked" end,
  closed_cancelled = function() open "/mine"() server:post "/close/cancelled" end,
  closed_drain = function() open "/mine"() server:post "/close/drain" end,
  closed_error = get "/crash",
  limited = function() open "/mine"() server:get "/mine" end,
  reached_streams_per_sub = function() open "/mine"() server:get "/mine" end,
  reached_target_bytes = get("/" .. ("x"):rep(2000)),
  reached_head_bytes = get("/", { headers = { Long = ("x"):rep(6000) } }),
  reached_head_timeout = function() server:connect():send "GET" end,
  reached_body_bytes = post("/body", { body = ("x"):rep(2000) }),
  reached_event_bytes = post "/event",
  reached_shared_memory = post "/fill",
  reached_connections = limited("connections = 1", function() turn_away(1, "503") end),
  reached_connections_per_address = limited("connections_per_address = 2", function() turn_away(2, "429") end),
  reached_connection_rate = limited("connection_rate = 5", function() for _ = 1, 10 do server:connect() end end),
  cpu_stops = get "/spin",
  memory_stops = get "/hog",
  lua_memory_all = get "/hog",
  topics = post "/publish/new",
  subscribers = open "/topic/t",
  published = post "/publish/t",
  delivered = function() open "/topic/t"() server:post "/publish/t" end,
  gaps = function() fall_behind("", "few/t") end,
  lost = function() fall_behind("", "few/t") end,
  dropped = function() fall_behind "?overflow=drop_oldest" end,
  disconnected = function() fall_behind "?overflow=disconnect" end,
  hub_memory = post "/publish/t",
  shared_memory = post "/shared",
  store_stopped = post "/unsync",
  generations = function() open "/endless"() reload(app_text) end,
  reloads = function() reload(app_text) end,
  reloads_failed = function() reload "nonsense" end,
  streams_expelled = function()
    for i = 1, 5 do
      server:sse "/endless"
      reload(app_text)
      test.eventually(function() return stats().reloads == i end)
    end
  end,
  tokens_missing = get "/guarded",
  tokens_several = function() server:get("/guarded?access_token=a", token "?role=admin") end,
  tokens_invalid = get("/guarded", { headers = { Authorization = "Bearer a.b.c" } }),
  tokens_expired = function() server:get("/guarded", token "?role=admin&exp=1") end,
  tokens_forbidden = function() server:get("/guarded", token "?role=user") end,
  tail_files = function()
    server:post("/tail", { body = support.write_file(support.folder() .. "/a", "one\ntwo\n") })
  end,
  logs_viewers = function()
    server:post("/logs", { body = support.write_file(support.folder() .. "/a", "one\ntwo\n") })
  end,
}
for _, name in ipairs { "tail_viewers", "tail_read", "tail_gaps" } do moves[name] = moves.tail_files end
for _, name in ipairs { "logs_batches", "logs_bytes" } do moves[name] = moves.logs_viewers end

-- What is moved elsewhere, and by what.
local elsewhere = {
  lua_memory = "spec/lua_unit_spec.lua", -- of the state that asks
  log_dropped = "spec/log_forms_spec.lua",
  logs_skipped = "spec/logs_spec.lua",
  tail_lost = "spec/tail_spec.lua",
  tail_reread = "spec/tail_spec.lua",
  tasks_ready = "below",
}

describe("weir.stats #once", function()
  after_each(support.remove_folders)

  local names = {}
  for name in pairs(weir.stats()) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if not elsewhere[name] then
      it("counts " .. name, function()
        start()
        local before = stats()[name]
        assert(moves[name], "nothing here moves it")()
        local moved = pcall(test.eventually, function()
          local now = stats()
          return now and now[name] ~= before
        end)
        assert.is_true(moved, name .. " stays at " .. before)
        server:stop("KILL")
      end)
    end
  end

  it("counts tasks that are ready while they are", function()
    start()
    assert.is_true(server:get("/spawns").json().tasks_ready >= 1000)
    assert.equal(0, stats().tasks_ready)
    server:stop()
  end)
end)
