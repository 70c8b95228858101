-- 60,000 connections are opened and dropped at every stage of a request, in waves, since clients and server have only
-- so many descriptors; nothing of them stays: no connection, stream, task or descriptor, and no memory that grows with
-- them. CONNECTIONS=60000 says how many.

local weir = require "weir"
local test = require "weir.test"

local per_wave = 1000
local waves = math.max(4, math.ceil(tonumber(os.getenv "CONNECTIONS" or 60000) / per_wave))
local most_growth = 1.10

-- What a client has sent when it goes; each by a close and by a reset.
local stages = {
  "",
  "GET /events HTT",
  "GET / HTTP/1.1\r\nHost: a\r\nX-Fill: " .. ("x"):rep(4000),
  "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" .. ("x"):rep(3000),
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /topic HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
  "nonsense\r\n\r\n",
}

local function wave(server, number)
  local clients = {}
  for i = 1, per_wave do
    local client = assert(server:connect())
    client:send(stages[i % #stages + 1])
    clients[i] = client
  end
  for i, client in ipairs(clients) do
    if (i + number) % 2 == 0 then client:close() else client:reset() end
  end
end

local function left(server)
  return server:get("/left").json()
end

-- What is there when nothing is: the connection that asks, and its request.
local function rest(server)
  local now
  test.eventually(function()
    now = left(server)
    return now.connections == 1
  end)
  return now
end

-- Waits until there is no more than at the start.
local function settle(server, start)
  assert(pcall(test.eventually, function()
    local now = left(server)
    for name, value in pairs(start) do
      if now[name] > value then return false end
    end
    return true
  end, 60), "still there: " .. weir.json.encode(left(server)))
end

-- The memory that is in use, once it sinks no more.
local function memory(server)
  local least, since = math.huge, 0
  repeat
    for _ = 1, 300 do assert.equal(200, server:get("/collect").status) end
    local bytes = server:get("/memory").json().bytes
    since = bytes < least and 0 or since + 1
    least = math.min(least, bytes)
  until since == 3
  return least
end

describe("a server whose clients drop their connections", function()
  it("keeps nothing of them", function()
    local server = test.spawn { "serve", "tests/soak/drop.lua", "--workers", 2 }
    for _ = 1, 50 do server:get "/" end
    local start = rest(server)
    local third = math.floor(waves / 3)
    local before
    for i = 1, waves do
      wave(server, i)
      settle(server, start)
      if i == third then before = memory(server) end
    end
    local after = memory(server)
    print(("%d connections: %.2f MiB after a third, %.2f MiB at the end; left at the end: %s"):format(waves * per_wave,
      before / 2 ^ 20, after / 2 ^ 20, weir.json.encode(left(server))))
    assert.is_true(after <= most_growth * before, ("memory grew from %d to %d bytes"):format(before, after))
    server:stop()
  end)
end)
