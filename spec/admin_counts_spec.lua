-- What /metrics says when two hundred clients of all kinds have come and gone, and apps were reloaded meanwhile: gauges
-- are what they were, what only grows has grown, and sums agree.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  app:get("/", function() return "hello" end)
  app:post("/", function(stream) return stream:body() end)
  app:get("/fails", function() error "on purpose" end)
  app:get("/large", function() return ("x"):rep(1e7) end)
  app:get("/pieces", function(stream) stream:write "a" weir.sleep(3600) end)
  app:get("/topics", function(stream) stream:sse():subscribe { "t", weir.prefix "user/" } end)
  app:get("/background", function() weir.background(function() weir.sleep(0) end) end)
  return app
]]

local HEAD = " HTTP/1.1\r\nHost: a\r\n"

-- What a client sends, whether it reads something of the answer, and how it leaves.
local kinds = {
  { "GET /" .. HEAD .. "\r\n", true, "close" },
  { "HEAD /" .. HEAD .. "\r\n", true, "close" },
  { "GET /nothing" .. HEAD .. "\r\n", true, "reset" },
  { "BREW /" .. HEAD .. "\r\n", true, "close" },
  { "GET /fails" .. HEAD .. "\r\n", true, "close" },
  { "GET /topics" .. HEAD .. "\r\n", true, "close" },
  { "GET /topics" .. HEAD .. "\r\n", true, "reset" },
  { "GET /topics" .. HEAD .. "\r\n", false, "close" },
  { "GET /pieces" .. HEAD .. "\r\n", true, "reset" },
  { "GET /large" .. HEAD .. "\r\n", true, "reset" },
  { "GET /large" .. HEAD .. "\r\n", true, "close" },
  { "GET /background" .. HEAD .. "\r\n", true, "close" },
  { "POST /" .. HEAD .. "Content-Length: 10\r\n\r\n12345", false, "close" },
  { "POST /" .. HEAD .. "Content-Length: 10\r\n\r\n12345", false, "reset" },
  { "POST /" .. HEAD .. "Transfer-Encoding: chunked\r\n\r\nx", true, "close" },
  { ("GET /" .. HEAD .. "\r\n"):rep(20), true, "close" },
  { ("GET /" .. HEAD .. "\r\n"):rep(20), false, "reset" },
  { "GET /" .. HEAD, false, "close" },
  { "NO REQUEST\r\n\r\n", true, "close" },
  { "", false, "close" },
  { "", false, "reset" },
}

local function visit(server, kind)
  local client = server:connect { rcvbuf = 2048 }
  client:send(kind[1])
  if kind[2] then client:receive "\n" end
  client[kind[3]](client)
end

-- All samples by name and labels, and what kind each metric is.
local function samples(port)
  local client = test.connect(port)
  client:send "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
  local text = client:receive_response().body
  client:close()
  local values, types = {}, {}
  for line in text:gmatch "[^\n]+" do
    local name, kind = line:match "^# TYPE (%S+) (%S+)"
    if name then
      types[name] = kind
    elseif line:sub(1, 1) ~= "#" then
      local sample, value = line:match "^(.*) (%S+)$"
      values[sample] = tonumber(value)
    end
  end
  return values, types
end

local function metric_of(sample, types)
  local name = sample:match "^[^{]*"
  return types[name] and name or name:gsub("_[a-z]+$", "")
end

-- What goes up and down by itself.
local moving = { process_resident_memory_bytes = true, weir_lua_memory_bytes = true, weir_worker_busy_seconds = true }

-- Those gauges that differ, as a text.
local function moved(before, after, types)
  local list = {}
  for sample, value in pairs(after) do
    local name = metric_of(sample, types)
    local was = before[sample] or 0
    if types[name] == "gauge" and not moving[name] and value ~= was then
      list[#list + 1] = ("%s: %d, was %d"):format(sample, value, was)
    end
  end
  return table.concat(list, "\n")
end

local function sum(values, pattern)
  local total = 0
  for sample, value in pairs(values) do
    if sample:find(pattern) then total = total + value end
  end
  return total
end

-- Each row of buckets grows up to its count.
local function assert_histograms(values)
  local counted = 0
  for sample, count in pairs(values) do
    local name, labels = sample:match "^(.*_seconds)_count(.*)$"
    if name then
      labels = labels == "" and "{" or labels:sub(1, -2) .. ","
      local last = 0
      for bound in ("0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 30 +Inf"):gmatch "%S+" do
        local bucket = values[name .. "_bucket" .. labels .. 'le="' .. bound .. '"}']
        assert.is_true(bucket >= last, sample)
        last = bucket
      end
      assert.equal(count, last, sample)
      counted = counted + 1
    end
  end
  assert.is_true(counted > 5)
end

describe("what /metrics counts #once #workers", function()
  after_each(support.remove_folders)

  it("is as before when all have left, but for what only grows", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2, "--admin", "127.0.0.1:0" }
    local port = tonumber(test.eventually(function() return server:stderr():match "admin: .-:(%d+)\n" end))
    local before, types = samples(port)
    local reloads = 0
    for i = 1, 200 do
      visit(server, kinds[i % #kinds + 1])
      if i % 50 == 0 then
        server:signal "HUP"
        reloads = reloads + 1
        test.eventually(function() return samples(port)[ [[weir_reloads_total{result="done"}]] ] == reloads end)
      end
    end
    local after, why
    local ok = pcall(test.eventually, function()
      after = samples(port)
      why = moved(before, after, types)
      return why == "" and after.weir_connections_accepted_total == 200
    end)
    assert.is_true(ok, why .. "; accepted: " .. after.weir_connections_accepted_total)
    for sample, value in pairs(before) do
      if types[metric_of(sample, types)] ~= "gauge" then assert.is_true(after[sample] >= value, sample) end
    end
    local requests = after.weir_requests_total
    assert.is_true(requests >= 200)
    assert.equal(requests, sum(after, "^weir_streams_closed_total{"))
    assert.equal(requests, sum(after, "^weir_route_latency_seconds_count{"))
    assert_histograms(after)
    assert.equal(0, (server:stop()))
  end)
end)
