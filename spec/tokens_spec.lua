-- apps/tokens: answers that end with their client, and runs that do not.
--
-- The model is a recording, so it is known when each token comes: with the clock stopped there are as many as time has
-- been let pass for, and what happens while it stands still happens at once.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

local recording = {} -- { text, at = seconds after the question }
local whole, length = "", 0 -- the text, and the seconds that it takes
for line in assert(support.read_file "apps/tokens/recording.ndjson"):gmatch "[^\n]+" do
  local token = json.decode(line)
  length = length + token.after
  whole = whole .. token.text
  recording[#recording + 1] = { text = token.text, at = length }
end

-- A moment at which exactly `n` tokens have come: half way between two.
local function moment(n)
  local before = n == 0 and 0 or recording[n].at
  return (before + recording[n + 1].at) / 2
end

local function text_of(n)
  local text = {}
  for i = 1, n do text[i] = recording[i].text end
  return table.concat(text)
end

local places = weir.shared "tokens/places"
local function busy() return places:get "busy" or 0 end

local function ask(server, prompt) return server:sse("/answer", { method = "POST", body = prompt or "hello" }) end
local function begin(server, prompt) return server:post("/runs", { body = prompt or "hello" }).json().id end

local function expect(events, name, data)
  local event = assert(events:next())
  assert.equal(name, event.event)
  if data then assert.same(data, json.decode(event.data)) end
  return event
end

-- The next tokens, so many or up to the next event of another name: their text, and that event or the last one.
local function tokens(events, count)
  local text = {}
  while true do
    local event = assert(events:next())
    if event.event == "message" then text[#text + 1] = event.data end
    if event.event ~= "message" or #text == count then return table.concat(text), event end
  end
end

-- A reader of a run, past what opens it.
local function read(server, id, last_event_id)
  local events = assert(server:sse("/runs/" .. id, { last_event_id = last_event_id }))
  expect(events, "weir.hello")
  if not last_event_id then expect(events, "begun") end
  return events
end

-- All that is left of a run: its text, the reason of its end, and the id to come back with.
local function to_the_end(events)
  local text, finished = tokens(events)
  assert.equal("finished", finished.event)
  local last = expect(events, "weir.end", { reason = "closed" })
  assert.same({ nil, "closed" }, { events:next() })
  return text, json.decode(finished.data).reason, last.id
end

describe("tokens", function()
  local server
  before_each(function() server = test.start "apps/tokens/app.lua" end)

  -- Behind it the clock stands still. Tasks of the server's own are there from the beginning.
  local function still()
    test.clock.freeze()
    return weir.stats().tasks
  end

  it("has 40 lines", function()
    local count = 0
    for line in assert(support.read_file "apps/tokens/app.lua"):gmatch "[^\n]+" do
      if line:find "%S" and not line:find "^%s*%-%-" then count = count + 1 end
      assert.is_true(#line <= 120)
    end
    assert.equal(40, count)
  end)

  describe("in a stream that ends with its client", function()
    it("come as they are made, then the end", function()
      still()
      local events = assert(ask(server, "what is a weir?"))
      expect(events, "begun", { prompt = "what is a weir?" })
      test.clock.advance(moment(7))
      assert.equal(text_of(7), (tokens(events, 7)))
      assert.same({ nil, "timeout" }, { events:next(0.05) })
      test.clock.advance(length)
      local rest, finished = tokens(events)
      assert.equal(whole, text_of(7) .. rest)
      assert.same({ "finished", { reason = "done" } }, { finished.event, json.decode(finished.data) })
      assert.same({ nil, "closed" }, { events:next() })
      assert.equal(0, busy())
    end)

    for _, case in ipairs { { "before the first token", 0 }, { "in the middle", 20 } } do
      for _, leave in ipairs { "close", "reset" } do
        it(("end at once when it leaves %s, by %s"):format(case[1], leave), function()
          local tasks = still()
          local events = assert(ask(server))
          expect(events, "begun")
          test.clock.advance(moment(case[2]))
          if case[2] > 0 then tokens(events, case[2]) end
          assert.equal(1, busy())
          assert.is_true(weir.stats().tasks > tasks)
          events[leave](events)
          test.eventually(function() return busy() == 0 and weir.stats().tasks == tasks end)
          local told = test.log.take "the model rests"
          assert.equal(1, #told)
          assert.matches("tokens=" .. case[2] .. "%f[%D]", told[1].text)
        end)
      end
    end

    for _, path in ipairs { "/answer", "/runs" } do
      it(("give each place back, wherever in %s and behind it a client leaves"):format(path), function()
        local tasks = still()
        local request = ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"):format(path)
        local highest = 0
        for at = 1, #request + 20 do
          for _, leave in ipairs { "close", "reset" } do
            local client = assert(server:connect())
            client:send(request:sub(1, at))
            if at >= #request then client:receive_head() end
            highest = math.max(highest, busy())
            if at > #request then test.clock.advance(moment(at - #request) / 20) end
            client[leave](client)
          end
        end
        assert.is_true(highest > 0)
        test.clock.advance(length + 1)
        test.eventually(function() return busy() == 0 and weir.stats().tasks == tasks end)
      end)
    end

    it("are counted for who looks", function()
      still()
      local looking = assert(server:sse "/busy")
      assert.equal("0", expect(looking, "message").data)
      local events = assert(ask(server))
      expect(events, "begun")
      assert.equal("1", expect(looking, "message").data)
      events:close()
      assert.equal("0", expect(looking, "message").data)
    end)
  end)

  describe("in a run", function()
    it("come to all who read it, whenever they come, and to who was cut off, once and in order", function()
      still()
      local id = begin(server, "hi")
      local early = assert(server:sse("/runs/" .. id))
      expect(early, "weir.hello")
      expect(early, "begun", { prompt = "hi" })
      local torn = read(server, id)
      test.clock.advance(moment(12))
      local seen, event = tokens(torn, 12)
      torn:reset()
      test.clock.advance(moment(30) - moment(12))
      local late = read(server, id)
      local again = read(server, id, event.id)
      test.clock.advance(length)
      local text, reason, last = to_the_end(early)
      assert.same({ whole, "done" }, { text, reason })
      assert.equal(whole, (to_the_end(late)))
      assert.equal(whole, seen .. to_the_end(again))
      local after = read(server, id)
      assert.same({ whole, "done", last }, { to_the_end(after) })
      assert.equal(204, server:get("/runs/" .. id, { headers = { ["Last-Event-ID"] = last } }).status)
      assert.equal(204, server:get("/runs/" .. id .. "?last_event_id=" .. last).status)
    end)

    it("go on without a reader", function()
      still()
      local id = begin(server)
      test.clock.advance(length + 1)
      test.eventually(function() return busy() == 0 end)
      assert.matches("tokens=" .. #recording .. "%f[%D]", test.log.take("the model rests")[1].text)
      local text, reason = to_the_end(read(server, id))
      assert.same({ whole, "done" }, { text, reason })
    end)

    for _, n in ipairs { 0, 9 } do
      it(("are stopped on demand, at once, behind %d tokens"):format(n), function()
        local tasks = still()
        local id = begin(server)
        local events = read(server, id)
        test.clock.advance(moment(n))
        local seen = n > 0 and tokens(events, n) or ""
        assert.equal(204, server:delete("/runs/" .. id).status)
        local rest, reason, last = to_the_end(events)
        local text = seen .. rest
        assert.same({ text_of(n), "stopped" }, { text, reason })
        test.eventually(function() return busy() == 0 and weir.stats().tasks == tasks end)
        assert.same({ text, "stopped", last }, { to_the_end(read(server, id)) })
        assert.equal(204, server:delete("/runs/" .. id).status)
        assert.equal(204, server:get("/runs/" .. id, { headers = { ["Last-Event-ID"] = last } }).status)
      end)
    end

    it("have names that nobody guesses", function()
      local one, other = begin(server), begin(server)
      assert.not_equal(one, other)
      for _, id in ipairs { one, other } do
        assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", id)
        assert.equal(204, server:delete("/runs/" .. id).status)
      end
    end)
  end)

  describe("refuse", function()
    it("a prompt that is empty or too long", function()
      for _, path in ipairs { "/answer", "/runs" } do
        local empty = server:post(path, { body = " \n" })
        assert.same({ 400, "the body is the prompt, and it is empty\n" }, { empty.status, empty.body })
        assert.equal(413, server:post(path, { body = ("x"):rep(2001) }).status)
      end
      assert.equal(0, busy())
      local events = assert(ask(server, ("x"):rep(2000)))
      expect(events, "begun", { prompt = ("x"):rep(2000) })
    end)

    it("no bytes, which come back as they can be shown", function()
      expect(assert(ask(server, "\255<b>\0")), "begun", { prompt = "\239\191\189<b>\0" })
    end)

    it("runs that never were, and make none", function()
      for _, id in ipairs { "nope", weir.uuid(), "%2A", "a%2Fb", ("x"):rep(250) } do
        assert.equal(404, server:get("/runs/" .. id).status, id)
        assert.equal(404, server:delete("/runs/" .. id).status, id)
        assert.equal(404, server:get("/runs/" .. id, { headers = { ["Last-Event-ID"] = "1-0" } }).status, id)
      end
      assert.same({}, weir.history(weir.topic("tokens", "nope")))
    end)

    it("more than 50 at once, and take another when one has left", function()
      still()
      local answers = {}
      for i = 1, 50 do answers[i] = assert(ask(server)) end
      for _, path in ipairs { "/answer", "/runs" } do
        local full = server:post(path, { body = "me too" })
        assert.same({ 503, "the model is busy\n" }, { full.status, full.body })
      end
      assert.equal(50, busy())
      answers[1]:close()
      test.eventually(function() return busy() == 49 end)
      expect(assert(ask(server)), "begun")
    end)

    it("more than 5,000 in an hour", function()
      places:set("begun", 4999, 3600)
      local last = assert(ask(server))
      expect(last, "begun")
      assert.equal(503, server:post("/runs", { body = "one more" }).status)
      last:close()
      test.eventually(function() return busy() == 0 end)
      assert.equal(503, server:post("/answer", { body = "one more" }).status)
    end)
  end)
end)

describe("tokens, when the server is started again,", function()
  after_each(support.remove_folders)

  local function serve(folder, ...)
    return test.spawn { "serve", "apps/tokens", "--workers", 2, ... and "--data", ... and folder .. "/data" }
  end

  for _, signal in ipairs { "KILL", "TERM" } do
    it(("tell a run that SIG%s cut off what came, and that it is over #workers"):format(signal), function()
      local folder = support.folder()
      local process = serve(folder, true)
      local id = begin(process)
      local events = read(process, id)
      local seen, event = tokens(events, 5)
      process:stop(signal)
      process = serve(folder, true)
      local again = read(process, id, event.id)
      local rest, reason, last = to_the_end(again)
      assert.equal("interrupted", reason)
      assert.equal(whole:sub(1, #seen + #rest), seen .. rest)
      assert.same({ seen .. rest, "interrupted", last }, { to_the_end(read(process, id)) })
      assert.equal(204, process:get("/runs/" .. id, { headers = { ["Last-Event-ID"] = last } }).status)
    end)
  end

  it("know no run of before without --data #workers", function()
    local process = serve(support.folder())
    local id = begin(process)
    local _, event = tokens(read(process, id), 3)
    process:stop "KILL"
    process = serve(support.folder())
    local gone, _, response = process:sse("/runs/" .. id, { last_event_id = event.id })
    assert.is_nil(gone)
    assert.equal(404, response.status)
  end)
end)

describe("tokens, on a disk that fails,", function()
  after_each(support.remove_folders)

  it("are over, give their places back, and are refused", function()
    local folder = support.folder()
    local app = assert(support.read_file "apps/tokens/app.lua"):gsub("\nreturn app", function()
      return [[

        app:post("/unsync", function()
          require "weir.test".fault("store_sync", "EIO")
          weir.store("any"):set("key", 1)
        end)
        return app]]
    end)
    support.write_file(folder .. "/app.lua", app)
    local parts = "apps/tokens/model.lua apps/tokens/recording.ndjson apps/tokens/public"
    assert(os.execute(("cp -r %s %s"):format(parts, folder)) == 0)
    local process = test.spawn { "serve", folder, "--data", folder .. "/data" }
    local looking = assert(process:sse "/busy")
    local id = begin(process)
    repeat until assert(looking:next(5)).data == "1"
    process:post "/unsync"
    repeat until assert(looking:next(5)).data == "0"
    local refused = process:post("/runs", { body = "one more" })
    assert.same({ 503, "the run cannot be kept: the disk is full, or has failed\n" }, { refused.status, refused.body })
    repeat until assert(looking:next(5)).data == "0"
    assert.equal(204, process:delete("/runs/" .. id).status)
    assert.equal(0, (process:stop()))
  end)
end)

-- What the README says of a real model: its model.lua beside an app.lua with the line that it names.
describe("tokens, of a program beside,", function()
  after_each(support.remove_folders)
  local headers, folder, server

  local function block(language)
    return assert(assert(support.read_file "apps/tokens/README.md"):match("\n```" .. language .. "\n(.-)```"))
  end

  before_each(function()
    local secret = weir.hex.encode(weir.random(32))
    headers = { Authorization = "Bearer " .. weir.jwt.sign({ sub = "model" }, { secret = secret, exp = 600 }) }
    folder = support.folder()
    local app, mounts = assert(support.read_file "apps/tokens/app.lua"):gsub("\nreturn app", function()
      return '\napp:mount("/work", model.work)\nreturn app'
    end)
    assert.equal(1, mounts)
    support.write_file(folder .. "/app.lua", app)
    support.write_file(folder .. "/model.lua", block "lua")
    assert(os.execute("mkdir " .. folder .. "/public") == 0)
    server = test.start { folder .. "/app.lua", env = { MODEL_SECRET = secret } }
  end)

  -- Begins a run: its reader, where its tokens go, and its id.
  local function begin_work()
    local work = weir.subscribe "work"
    local id = begin(server, "do it")
    local events = read(server, id)
    local job = json.decode(assert(work:next(5)).data)
    assert.equal("do it", job.prompt)
    return events, "/work/" .. job.id, id
  end

  it("are what ten lines of Python send, and what they send next", function()
    local program = block "python"
    assert.equal(10, select(2, program:gsub("\n", "")))
    local path = support.write_file(folder .. "/model.py", program)
    local token = headers.Authorization:match "%S+$"
    local command = "MODEL_TOKEN=%s python3 %s %s >%s/said 2>&1 &" -- it ends with its connection
    assert(os.execute(command:format(token, path, server.url, folder)) == 0)
    test.eventually(function() return weir.presence("work").streams == 1 end)
    local events = assert(ask(server, "bound to its client"))
    expect(events, "begun")
    assert.equal("bound to its client ", (tokens(events)))
    for _, words in ipairs { "one \195\182 two", ("x"):rep(1999), "<three>" } do
      local text, reason = to_the_end(read(server, begin(server, words)))
      assert.same({ words .. " ", "done" }, { text, reason })
    end
    assert.equal("", support.read_file(folder .. "/said"))
  end)

  it("come in pieces of any size, of whoever has a token", function()
    local events, path = begin_work()
    assert.equal(401, server:get("/work/").status)
    assert.equal(401, server:post(path, { body = '"x"\n' }).status)
    local pieces = { '"Hel', 'lo"\n"\\n"\n', '"w\195', '\182rld"\n' }
    assert.equal(204, server:post(path, { headers = headers, body = pieces }).status)
    local text, reason = to_the_end(events)
    assert.same({ "Hello\nw\195\182rld", "done" }, { text, reason })
  end)

  it("are refused when the run is over, and when they are none", function()
    local events, path, id = begin_work()
    assert.equal(400, server:post(path, { headers = headers, body = "{}\n" }).status)
    assert.equal(400, server:post(path, { headers = headers, body = "Hello\n" }).status)
    assert.equal(413, server:post(path, { headers = headers, body = '"' .. ("x"):rep(65536) }).status)
    local client = assert(server:connect())
    client:send("POST " .. path .. " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: "
      .. headers.Authorization .. "\r\n\r\n4\r\n\"a\"\n\r\n")
    assert.equal("a", expect(events, "message").data)
    assert.equal(204, server:delete("/runs/" .. id).status)
    local text, reason = to_the_end(events)
    assert.same({ "", "stopped" }, { text, reason })
    test.eventually(function() return select(2, weir.publish(path:sub(2), "late")) == "closed" end)
    client:send "4\r\n\"b\"\n\r\n"
    assert.equal(410, client:receive_response().status)
  end)
end)

describe("tokens, of two workers,", function()
  it("go on over a reload, and are stopped after it #workers", function()
    local process = test.spawn { "serve", "apps/tokens", "--workers", 2 }
    local id = begin(process)
    local events = read(process, id)
    local text = tokens(events, 3)
    process:signal "HUP"
    test.eventually(function() return process:stderr():find "generation 2" end)
    text = text .. tokens(events, 3)
    assert.equal(text_of(6), text)
    assert.equal(text, (tokens(read(process, id), 6)))
    assert.equal(204, process:delete("/runs/" .. id).status)
    local rest, reason = to_the_end(events)
    assert.same({ "stopped", text .. rest }, { reason, whole:sub(1, #text + #rest) })
  end)

  it("are the same at all of them, and so is the end #workers", function()
    local process = test.spawn { "serve", "apps/tokens", "--workers", 2 }
    local id, readers = begin(process), {}
    for i = 1, 8 do readers[i] = read(process, id) end
    for i = 1, 8 do tokens(readers[i], 4) end
    assert.equal(204, process:delete("/runs/" .. id).status)
    local ends = {}
    for i = 1, 8 do ends[i] = { to_the_end(readers[i]) } end
    for i = 2, 8 do assert.same(ends[1], ends[i]) end
    assert.equal("stopped", ends[1][2])
    assert.equal(text_of(4) .. ends[1][1], whole:sub(1, #text_of(4) + #ends[1][1]))
    for _ = 1, 8 do assert.equal(204, process:delete("/runs/" .. id).status) end
  end)
end)
