-- Good ends of streams: what was published before them is delivered first, whoever ends them, and what waits for the
-- same, flush. lua/REFERENCE.md, "Ends".
--
-- Events are "<number> ...", from 1 on, so what arrives can be compared with what was published.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

local BIG = ("x"):rep(8192)

local KEEP = { history = { count = 100000, bytes = "128MB" } }

-- A topic that keeps everything.
local function roomy()
  local topic = hub.topic()
  hub.configure { [topic] = KEEP }
  return topic
end

-- A server whose GET / is `handler`, and the list of the reasons of its streams' ends.
local function serve(handler)
  local reasons = {}
  local server = support.serve(function(app)
    app:get("/", function(stream)
      stream:on_close(function(reason) reasons[#reasons + 1] = reason end)
      handler(stream)
    end)
  end)
  return server, reasons
end

-- All numbers that come up to the end, "1 2 gap:trimmed:3 6", or up to `last`, and whether it is a good one.
local function all(events, last)
  local list = {}
  while not last or list[#list] ~= last do
    local event, why = events:next(10)
    if not event then
      assert.equal("closed", why)
      return table.concat(list, " "), events.complete
    end
    if event.event == "weir.gap" then
      list[#list + 1] = ("gap:%s:%s"):format(event.data:match '"reason":"(%a+)","lost":(%w+)')
    else
      list[#list + 1] = event.data:match "^%w+"
    end
  end
  return table.concat(list, " ")
end

local function count_to(last, first)
  local list = {}
  for i = first or 1, last do list[#list + 1] = tostring(i) end
  return table.concat(list, " ")
end

local ends = {
  ["sse:close()"] = function(_, sse) sse:close() end,
  ["stream:finish()"] = function(stream) stream:finish() end,
  ['weir.streams{}:close "done"'] = function(stream) weir.streams { id = stream.id }:close "done" end,
  ["sse:close() in a task of its own"] = function(_, sse) weir.spawn(function() sse:close() end):join() end,
}

describe("a good end", function()
  for what, finish in pairs(ends) do
    it("by " .. what .. " delivers first what was kept", function()
      local topic = hub.topic()
      hub.publish(topic, 20)
      local server, reasons = serve(function(stream)
        local sse = stream:sse():subscribe(topic, { after = "earliest" })
        finish(stream, sse)
        weir.publish(topic, "too late")
      end)
      local got, complete = all(server:sse "/")
      assert.equal(count_to(20), got)
      assert.is_true(complete)
      test.eventually(function() return reasons[1] end)
      assert.same({ "done" }, reasons)
    end)

    it("by " .. what .. " delivers first to a slow reader, behind what it was sent itself", function()
      local topic, ended = roomy(), weir.channel(1)
      local server = serve(function(stream)
        local sse = stream:sse():subscribe(topic)
        sse:send "own"
        for i = 1, 100 do weir.publish(topic, i .. " " .. BIG) end
        test.settle() -- the kernel takes no more
        sse:send "own too"
        finish(stream, sse)
        for i = 1, 100 do weir.publish(topic, "late" .. i .. BIG) end
        ended:send(true)
      end)
      local events = assert(server:sse("/", { rcvbuf = 4096 }))
      assert(ended:recv(10))
      local got, complete = all(events)
      assert.is_true(complete)
      local first, own = got:match "^own ([%d ]+) own ", got:match " own "
      assert.is_truthy(first and own, got)
      assert.equal("own " .. count_to(100), (got:gsub("(own .*) own", "%1")))
    end)
  end

  -- By id over all of them, whether they were known, named, or come by a prefix.
  it("delivers of several topics and prefixes in order", function()
    local base = hub.topic()
    local topics = { base .. "/a/1", base .. "/b/1", base .. "/b/2" }
    hub.configure { [base .. "*"] = KEEP }
    local server = serve(function(stream)
      local sse = stream:sse():subscribe({ topics[1], weir.prefix(base .. "/b/"), topics[3] })
      weir.sleep(0)
      for i = 1, 150 do weir.publish(topics[i % 3 + 1], i .. " " .. BIG) end
      sse:close()
      for i = 151, 200 do weir.publish(topics[i % 3 + 1], i .. " " .. BIG) end
    end)
    local got, complete = all(assert(server:sse("/", { rcvbuf = 4096 })))
    assert.equal(count_to(150), got)
    assert.is_true(complete)
  end)

  it("delivers in HTTP/1.0, and to a simulated client", function()
    local topic = hub.topic()
    hub.publish(topic, 3)
    local function define(app)
      app:get("/", function(stream) stream:sse { retry = false }:subscribe(topic, { after = "earliest" }):close() end)
    end
    local client = support.serve(define):connect()
    client:send "GET / HTTP/1.0\r\n\r\n"
    local head = client:receive_head()
    local text = {}
    for piece in function() return client:receive_piece(head, 5) end do text[#text + 1] = piece end
    for _, body in ipairs { table.concat(text), support.ask(define, "GET", "/").body } do
      assert.equal("data: 1 data: 2 data: 3", (body:gsub("id: [%d-]+\n\n", ""):gsub("\n", " "):gsub(" $", "")))
    end
  end)

  it("of HEAD is the head", function()
    local topic = hub.topic()
    hub.publish(topic, 3)
    local server = serve(function(stream) stream:sse():subscribe(topic, { after = "earliest" }):close() end)
    local response = server:head "/"
    assert.equal(200, response.status)
    assert.equal("", response.body)
  end)

  it("without anything to deliver is at once", function()
    local server = serve(function(stream) stream:sse():subscribe { hub.topic(), hub.topic() }:close() end)
    local got, complete = all(server:sse "/")
    assert.equal("", got)
    assert.is_true(complete)
  end)

  it("twice is one, and nothing can be sent after it", function()
    local topic, why = hub.topic(), nil
    hub.publish(topic, 3)
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic, { after = "earliest" })
      sse:close()
      sse:close()
      stream:finish()
      local _
      _, why = pcall(sse.send, sse, "x")
    end)
    assert.equal("1 2 3", (all(server:sse "/")))
    assert.matches("has been finished", why)
  end)

  it("by another is told to the handler's sends, as nil and closed", function()
    local topic, results = roomy(), {}
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 100 do weir.publish(topic, i .. " " .. BIG) end
      test.settle()
      assert.equal(1, weir.streams { id = stream.id }:close "done")
      results = { sse:send "x" }
      weir.streams { id = stream.id }:close "done"
    end)
    assert.equal(count_to(100), (all(assert(server:sse("/", { rcvbuf = 4096 })))))
    assert.same({ nil, "closed" }, results)
  end)

  it('"now" drops what is not on its way', function()
    local topic, flushed = hub.topic(), weir.channel(1)
    hub.publish(topic, 20)
    local server, reasons = serve(function(stream)
      local sse = stream:sse():subscribe(topic, { after = "earliest" })
      sse:send "own"
      weir.spawn(function() flushed:send { sse:flush() } end)
      weir.sleep(0)
      sse:close "now"
    end)
    local got, complete = all(server:sse "/")
    assert.equal("own", (got:gsub(" 1 .*", ""))) -- or what the turn had sent already
    assert.is_true(complete)
    test.eventually(function() return reasons[1] end)
    assert.same({ "done" }, reasons)
    assert(flushed:recv(5))
  end)

  it('"now" drops what a slow reader has not taken', function()
    local topic, flushed = roomy(), nil
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 100 do weir.publish(topic, i .. " " .. BIG) end
      test.settle()
      local flushing = weir.spawn(function() return sse:flush() end)
      weir.sleep(0)
      sse:close "now"
      flushed = { flushing:join() }
    end)
    local got, complete = all(assert(server:sse("/", { rcvbuf = 4096 })))
    assert.is_true(complete)
    assert.is_true(#got < #count_to(100))
    assert.equal(got, count_to(100):sub(1, #got))
    assert.same({ nil, "closed" }, flushed)
  end)

  it("is bounded by write_timeout", function()
    local topic = roomy()
    local server, reasons = serve(function(stream)
      local sse = stream:sse { write_timeout = 0.2 }:subscribe(topic)
      for i = 1, 200 do weir.publish(topic, i .. " " .. BIG) end
      sse:close()
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    test.eventually(function() return reasons[1] end)
    assert.same({ "timeout" }, reasons)
    events:close()
  end)

  it("ends when the client leaves meanwhile", function()
    local topic, ended = roomy(), weir.channel(1)
    local server, reasons = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 200 do weir.publish(topic, i .. " " .. BIG) end
      test.settle()
      sse:close()
      ended:send(true)
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    assert(ended:recv(5))
    events:close()
    test.eventually(function() return reasons[1] end)
    assert.same({ "client" }, reasons)
  end)

  it("of a token is at once", function()
    local topic = roomy()
    local server, reasons = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 200 do weir.publish(topic, i .. " " .. BIG) end
      test.settle()
      sse:close()
      weir.streams { id = stream.id }:close "revoked"
    end)
    local got, complete = all(assert(server:sse("/", { rcvbuf = 4096 })))
    test.eventually(function() return reasons[1] end)
    assert.same({ "revoked" }, reasons)
    assert.is_true(complete)
    assert.is_true(#got < #count_to(200))
  end)
end)

-- What each policy makes of a slow reader that has been ended: 100 events before the end, 100 after it.
describe("a good end behind a slow reader with", function()
  local function ended(options, key)
    local topic, done = roomy(), weir.channel(1)
    local server, reasons = serve(function(stream)
      local sse = stream:sse(options):subscribe(topic)
      for i = 1, 100 do
        weir.publish(topic, { data = i .. " " .. BIG, key = key and key(i) })
        test.settle()
      end
      sse:close()
      for i = 101, 200 do
        weir.publish(topic, { data = i .. " " .. BIG, key = key and key(i) }, { wait = 5 })
      end
      done:send(true)
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    assert(done:recv(20))
    local got, complete = all(events)
    return got, complete, reasons
  end

  -- Every number up to 100 once, or counted by a gap.
  local function adds_up(got)
    local expected = 1
    for word in got:gmatch "%S+" do
      local lost = word:match "^gap:overflow:(%d+)$"
      if lost then
        expected = expected + tonumber(lost)
      else
        assert.equal(tostring(expected), word)
        expected = expected + 1
      end
    end
    assert.equal(101, expected)
  end

  it("none delivers all", function()
    local got, complete = ended {}
    assert.equal(count_to(100), got)
    assert.is_true(complete)
  end)

  it("drop_oldest delivers the newest before the end, behind a gap that counts", function()
    local got, complete = ended { overflow = "drop_oldest", limit = { events = 5 } }
    adds_up(got)
    assert.matches(" gap:overflow:%d+ 96 97 98 99 100$", got)
    assert.is_true(complete)
  end)

  it("drop_newest delivers what it keeps, and a gap that counts", function()
    local got, complete = ended { overflow = "drop_newest", limit = { events = 5 } }
    adds_up(got)
    assert.matches(" gap:overflow:%d+$", got)
    assert.is_true(complete)
  end)

  it("conflate delivers the newest of each key before the end", function()
    local got, complete = ended({ overflow = "conflate" }, function(i) return "k" .. i % 2 end)
    assert.matches(" 99 100$", got)
    assert.is_true(complete)
    local before = 0
    for number in got:gmatch "%d+" do
      assert.is_true(tonumber(number) > before)
      before = tonumber(number)
    end
  end)

  it("conflate delivers what has no key, all of it", function()
    local got = ended({ overflow = "conflate" })
    assert.equal(count_to(100), got)
  end)

  it("block delivers all, and publishers do not wait for what it does not get", function()
    local got, complete, reasons = ended { overflow = "block", limit = { events = 1000 } }
    assert.equal(count_to(100), got)
    assert.is_true(complete)
    test.eventually(function() return reasons[1] end)
    assert.same({ "done" }, reasons)
  end)

  it("block lets go publishers that waited", function()
    local topic, released = roomy(), weir.channel(1)
    local server = serve(function(stream)
      local sse = stream:sse { overflow = "block", limit = { events = 5 } }:subscribe(topic)
      local i = 0
      repeat -- until it holds a publisher up
        i = i + 1
        local publishing = weir.spawn(function() return weir.publish(topic, i .. " " .. BIG, { wait = 3600 }) end)
        local published = publishing:join(0.2)
        if not published then
          sse:close()
          released:send(publishing:join(5))
        end
      until not published
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    assert.equal("string", type(released:recv(20)))
    local _, complete = all(events)
    assert.is_true(complete)
  end)

  it("disconnect still disconnects who is over the limit", function()
    local topic = roomy()
    local server, reasons = serve(function(stream)
      local sse = stream:sse { overflow = "disconnect", limit = { events = 5 } }:subscribe(topic)
      for i = 1, 100 do weir.publish(topic, i .. " " .. BIG) end
      weir.sleep(0) -- what is in the kernel now is less
      for i = 101, 110 do weir.publish(topic, i .. " " .. BIG) end
      sse:close()
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    test.eventually(function() return reasons[1] end)
    assert.same({ "overflow" }, reasons)
    events:close()
  end)
end)

describe("what is trimmed while a stream ends", function()
  it("is told, and what came after the end is not counted", function()
    local topic, done = hub.topic(), weir.channel(1)
    hub.configure { [topic] = { history = { count = 20, bytes = "128MB" } } }
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 100 do
        weir.publish(topic, i .. " " .. BIG)
        test.settle()
      end
      sse:close()
      for i = 101, 200 do weir.publish(topic, i .. " " .. BIG) end
      done:send(true)
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    assert(done:recv(10))
    local got, complete = all(events)
    assert.is_true(complete)
    local last = tonumber(got:match "(%d+) gap:trimmed:%S+$")
    assert.is_truthy(last and last < 100, got)
    assert.matches(":null$", got) -- of those trimmed some came after the end
  end)
end)

describe("flush", function()
  it("waits for what was published before it", function()
    local topic, result = roomy(), nil
    for i = 1, 300 do weir.publish(topic, i .. " " .. BIG) end
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic, { after = "earliest" })
      result = { sse:flush() }
      weir.sleep(3600)
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    for i = 1, 150 do assert.equal(tostring(i), events:next(5).data:match "^%d+") end
    assert.is_nil(result) -- 150 of 8 KiB are more than the kernel keeps
    for i = 151, 300 do assert.equal(tostring(i), events:next(5).data:match "^%d+") end
    test.eventually(function() return result end)
    assert.same({ true }, result)
  end)

  for _, names in ipairs { { "of one topic", 1 }, { "of several", 3 } } do
    local what, count = names[1], names[2]
    it("comes when all is with the kernel, " .. what, function()
      local topics, results = {}, {}
      for i = 1, count do topics[i] = hub.topic() end
      local server = serve(function(stream)
        local sse = stream:sse():subscribe(topics)
        results[1] = sse:flush() -- of nothing
        for i = 1, 30 do weir.publish(topics[i % count + 1], tostring(i)) end
        results[2] = stream:flush()
        sse:send "own"
        results[3] = sse:flush()
        weir.sleep(3600)
      end)
      local events = server:sse "/"
      assert.equal(count_to(30) .. " own", hub.data(events, 31))
      test.eventually(function() return results[3] end)
      assert.same({ true, true, true }, results)
    end)
  end

  it("says closed when the client leaves, in several tasks at once", function()
    local topic, results, waiting = roomy(), {}, weir.channel(1)
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 200 do weir.publish(topic, i .. " " .. BIG) end
      for i = 1, 2 do weir.background(function() results[i] = { sse:flush() } end) end
      weir.sleep(0)
      waiting:send(true)
    end)
    local events = assert(server:sse("/", { rcvbuf = 4096 }))
    assert(waiting:recv(5))
    events:close()
    test.eventually(function() return results[1] and results[2] end)
    assert.same({ { nil, "closed" }, { nil, "closed" } }, results)
  end)

  it("says true when the stream ends well meanwhile", function()
    local topic, result = roomy(), nil
    local server = serve(function(stream)
      local sse = stream:sse():subscribe(topic)
      for i = 1, 100 do weir.publish(topic, i .. " " .. BIG) end
      local flushing = weir.spawn(function() return sse:flush() end)
      weir.sleep(0)
      sse:close()
      result = { flushing:join() }
    end)
    assert.equal(count_to(100), (all(assert(server:sse("/", { rcvbuf = 4096 })))))
    test.eventually(function() return result end)
    assert.same({ true }, result)
  end)
end)

-- Through real processes: what only the store has, and what a signal ends.
describe("a good end of a process #workers", function()
  local app_text = [[
local weir = require "weir"
local app = weir.app()
weir.limits { drain_timeout = 60 } -- ten megabytes, to six clients one after the other
weir.topics { ["d/*"] = { history = { count = 100000, age = "24h", bytes = "100MB" }, durable = true },
  ["m/*"] = { history = { count = 100000, bytes = "100MB" } } }
app:post("/fill", function(stream)
  local tasks = {} -- each its own, so that they share commits
  for i = 1, 100 do
    tasks[i] = function() assert(weir.publish(stream.query.topic, i .. " " .. ("x"):rep(8192))) end
  end
  weir.all(tasks)
end)
app:get("/close", function(stream)
  stream:sse():subscribe({ "d/1", weir.prefix "d/" }, { after = "earliest" }):close()
end)
app:get("/flush", function(stream)
  local sse = stream:sse():subscribe("d/1", { after = "earliest" })
  if sse:flush() then sse:send "flushed" end
end)
app:get("/events", function(stream) stream:sse():subscribe { "m/1", "d/2" } end)
return app
]]
  local path, data
  before_each(function() path, data = support.app_file(app_text), support.folder() end)
  after_each(function()
    test.cleanup()
    support.remove_folders()
  end)

  it("delivers first what only the store has", function()
    local server = test.spawn { "serve", path, "--data", data, "--workers", 2 }
    server:post "/fill?topic=d/1"
    server:stop()
    server = test.spawn { "serve", path, "--data", data, "--workers", 2 }
    local got, complete = all(assert(server:sse("/close", { rcvbuf = 4096 })))
    assert.equal(count_to(100), got)
    assert.is_true(complete)
    assert.equal(count_to(100) .. " flushed", (all(assert(server:sse("/flush", { rcvbuf = 4096 })), "flushed")))
    assert.equal(0, (server:stop()))
  end)

  it("by SIGTERM delivers first what was published", function()
    local server = test.spawn { "serve", path, "--data", data, "--workers", 2 }
    local streams = {}
    for i = 1, 6 do streams[i] = assert(server:sse("/events", { rcvbuf = 4096 })) end
    server:post "/fill?topic=m/1"
    server:post "/fill?topic=d/2"
    server:signal "TERM"
    for _, events in ipairs(streams) do
      local got, complete = all(events)
      assert.equal(count_to(100) .. " " .. count_to(100), got)
      assert.is_true(complete)
      assert.is_true(events.retry >= 1000 and events.retry <= 6000)
    end
    assert.equal(0, (server:wait()))
  end)
end)
