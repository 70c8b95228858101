-- Streams and topics come and go by the hundred thousand, and nothing of them stays: every counter of weir.stats that
-- says what there is comes back to its start, and memory grows no more after the first third. STREAMS=200000 says how
-- many; twenty share a topic, and a topic is gone a second after its last event.

local weir = require "weir"
local test = require "weir.test"

local per_topic = 20
local at_once = 8
local topics = math.max(3 * at_once, math.ceil(tonumber(os.getenv "STREAMS" or 1200000) / per_topic))
local most_growth = 1.05
local settled_from = 60000 -- topics: a third of them is where the memory grows no more

-- What only counts; whatever else weir.stats has says what there is now. lua_memory is looked at as memory.
local only_counts = {
  connections_total = true, requests = true, bytes_sent = true, writes_dropped = true, utf8_replaced = true,
  bad_requests = true, lua_memory = true, published = true, delivered = true, gaps = true, lost = true,
  dropped = true, disconnected = true, limited = true, reloads = true, reloads_failed = true, streams_expelled = true,
}

local function gauges(server)
  local now = server:get("/stats").json()
  for name in pairs(only_counts) do now[name] = nil end
  return now
end

local function differences(now, start)
  local found = {}
  for name, value in pairs(now) do
    if value ~= start[name] then found[#found + 1] = ("%s %s, was %s"):format(name, value, start[name]) end
  end
  table.sort(found)
  return table.concat(found, "; ")
end

-- Of those who leave some close, some reset, and some go before they have what was published.
local function leave(number, stream)
  if number % 4 == 0 then stream:close() else stream:reset() end
end

-- One topic's life: its streams come, get an event, leave.
local function live(server, topic)
  local streams = {}
  for i = 1, per_topic do
    local path = (i % 5 == 0 and "/watched?topic=" or "/events?topic=") .. topic
    streams[i] = assert(server:sse(path, { timeout = 30 }))
  end
  leave(1, table.remove(streams))
  local answer = assert(server:post("/publish?topic=" .. topic, { body = "event of " .. topic, timeout = 30 }))
  assert.equal(200, answer.status)
  for i, stream in ipairs(streams) do
    local event = assert(stream:next(30))
    assert.equal("event of " .. topic, event.data)
    leave(i, stream)
  end
end

local function live_all(server, first, last)
  local lives, topic = {}, first - 1
  for i = 1, at_once do
    lives[i] = function()
      while topic < last do
        topic = topic + 1
        live(server, topic)
      end
    end
  end
  weir.all(lives)
end

-- Waits until all is as at the start; the memory that is in use then. A worker collects its garbage when it is asked,
-- and gives memory back after some hundred tasks and once a second; which worker is asked is chance. So it is asked
-- until nothing more comes back.
local function rest(server, start)
  local left
  local settled = pcall(test.eventually, function()
    left = differences(gauges(server), start)
    return left == ""
  end, 60)
  assert(settled, "still there: " .. tostring(left))
  local least, since = math.huge, 0
  repeat
    for _ = 1, 1000 do assert.equal(200, server:get("/collect").status) end
    local bytes = server:get("/memory").json().bytes
    since = bytes < least and 0 or since + 1
    least = math.min(least, bytes)
  until since == 3
  return least
end

describe("a server whose streams and topics come and go", function()
  it("keeps nothing of them", function()
    local server = test.spawn { "serve", "tests/soak/churn.lua", "--workers", 2 }
    local start = gauges(server)
    local third = math.floor(topics / 3)
    live_all(server, 1, third)
    local before = rest(server, start)
    live_all(server, third + 1, topics)
    local after = rest(server, start)
    print(("%d streams of %d topics: %.2f MiB after a third, %.2f MiB at the end"):format(topics * per_topic, topics,
      before / 2 ^ 20, after / 2 ^ 20))
    if topics >= settled_from then
      assert.is_true(after <= most_growth * before, ("memory grew from %d to %d bytes"):format(before, after))
    end
    server:stop()
  end)
end)
