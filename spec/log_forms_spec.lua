-- The forms of the log and of the access log, as text and with --log json: what a line says, that it is whole, and that
-- nobody waits for whoever takes it: a reader that rests, a disk that is full, a file that was rotated.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  weir.limits { cpu_time = 30 }
  app:get("/", function() return "well" end)
  app:get("/log", function(stream)
    for i = 1, tonumber(stream.query.n) do weir.log.warn(("line %06d "):format(i) .. ("x"):rep(1000)) end
    return "logged"
  end)
  app:get("/fields", function()
    weir.log.warn("slow\n\27[2J", { ms = 320.5, user = 'Ann "L"', ok = true, no = false, inf = 1/0, bad = "\255",
      list = {}, [3] = "three" })
    weir.log.info("none", {})
    weir.log.info(("y"):rep(65536) .. "zz")
    weir.log.info("much", { text = ("x"):rep(65536) })
  end)
  app:get("/error", function() error "on purpose" end)
  app:get("/dropped", function() return tostring(weir.stats().log_dropped) end)
  app:get("/two", function(stream)
    local sse = stream:sse()
    sse:send "one"
    sse:send "two"
  end)
  app:get("/pieces", function(stream) stream:write "a" stream:write "b" end)
  app:get("/topic", function(stream) stream:sse():subscribe("topic", { after = "earliest" }) end)
  app:post("/topic", function(stream) return (weir.publish("topic", stream:body())) end)
  return app
]]

local function spawn(...)
  return test.spawn { "serve", (support.app_file(app_text)), "--workers", 1, ... }
end

-- What each line of a text that ends with one says.
local function objects(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = weir.json.decode(line) end
  return list
end

local function find(list, key, value)
  for _, object in ipairs(list) do
    if object[key] == value then return object end
  end
end

-- The lines of a file once there are so many.
local function await_lines(path, n)
  local text
  test.eventually(function()
    text = support.read_file(path) or ""
    return select(2, text:gsub("\n", "\n")) >= n
  end, 5)
  return text
end

describe("the log as JSON", function()
  after_each(support.remove_folders)

  it("is an object a line, from the first on", function()
    local server = spawn("--log", "json")
    server:get "/error"
    server:get "/fields"
    local client = server:connect()
    client:send "BAD\r\n\r\n"
    client:close()
    test.eventually(function() return server:stderr():find("400 Bad Request", 1, true) end, 5)
    local code, stderr = server:stop()
    assert.equal(0, code)
    local list = objects(stderr)
    for _, object in ipairs(list) do
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", object.time)
      assert.is_string(object.message)
      assert.is_truthy(({ info = true, warn = true, error = true })[object.level])
    end
    local failed = find(list, "level", "error")
    assert.matches("^GET /error: .*on purpose\nstack traceback:\n\t", failed.message)
    assert.matches("^%x+%-%d+$", failed.request_id)
  end)

  it("has a script's fields beside the message", function()
    local server = spawn("--log", "json")
    server:get "/fields"
    local _, stderr = server:stop()
    local list = objects(stderr)
    local slow = find(list, "message", "slow\n\27[2J")
    assert.equal("warn", slow.level)
    assert.matches("^table: ", slow.fields.list)
    slow.fields.list = nil
    assert.same({ ms = 320.5, user = 'Ann "L"', ok = true, no = false, inf = "inf", bad = "\239\191\189",
      ["3"] = "three" }, slow.fields)
    assert.is_nil(find(list, "message", "none").fields)
  end)

  it("says how much it has left out", function()
    local server = spawn("--log", "json")
    server:get "/fields"
    local _, stderr = server:stop()
    local list = objects(stderr)
    assert.equal(2, find(list, "message", ("y"):rep(65536)).missing_bytes)
    assert.same({ missing_bytes = 65536 + #'{"text":""}' }, find(list, "message", "much").fields)
  end)

  it("is chosen by name", function()
    local run = test.run { "serve", (support.app_file(app_text)), "--log", "xml" }
    assert.equal(2, run.code)
    assert.matches("--log xml: expected text or json", run.stderr, 1, true)
  end)
end)

describe("the access log", function()
  after_each(support.remove_folders)

  -- {text, objects} of what a server has logged of these requests, in each form.
  local function logged(ask, lines)
    local texts = {}
    for _, form in ipairs { "text", "json" } do
      local path = support.folder() .. "/access.log"
      local server = spawn("--log", form, "--access-log", path)
      ask(server)
      texts[form] = await_lines(path, lines)
      assert.equal(0, (server:stop()))
    end
    return texts.text, objects(texts.json)
  end

  it("has one line for a plain request", function()
    local text, list = logged(function(server) server:get("/?a=1", { headers = { ["user-agent"] = "u" } }) end, 1)
    assert.matches('^127%.0%.0%.1 %- %- %[.-%] "GET /%?a=1 HTTP/1%.1" 200 4 "%-" "u" %d+%.%d%d%d done %-\n$', text)
    assert.equal(1, #list)
    local object = list[1]
    assert.matches("^%x+%-%d+$", object.request_id)
    assert.equal(object.stream, tonumber(object.request_id:match "%d+$"))
    assert.matches("^%d+%-%d+%-%d+T[%d:%.]+Z$", object.time)
    assert.is_true(object.seconds >= 0)
    object.request_id, object.stream, object.time, object.seconds = nil, nil, nil, nil
    assert.same({ access = "request", client = "127.0.0.1", method = "GET", target = "/?a=1", version = "1.1",
      status = 200, bytes = 4, reason = "done", user_agent = "u" }, object)
  end)

  it("tells when a stream begins and how it ends", function()
    local text, list = logged(function(server)
      local events = server:sse "/two"
      assert.equal("one", events:next(5).data)
      assert.equal("two", events:next(5).data)
      assert.is_nil((events:next(5)))
    end, 2)
    local id = text:match '^[^\n]- 200 0 "%-" "[^"]*" %d+%.%d+ begun (%S+)\n'
    assert.is_string(id, text)
    assert.matches(' 200 %d+ "%-" "[^"]*" %d+%.%d+ done ' .. id:gsub("%-", "%%-") .. ' events=2 dropped=0\n$', text)
    assert.equal(2, #list)
    assert.same({ "begun", "ended" }, { list[1].access, list[2].access })
    assert.equal(list[1].request_id, list[2].request_id)
    assert.same({ "done", 2, 0 }, { list[2].reason, list[2].events, list[2].dropped })
    assert.is_nil(list[1].reason)
    assert.is_nil(list[1].events)
  end)

  it("counts what a topic has sent, and what of it was lost", function()
    local _, list = logged(function(server)
      local first = server:post("/topic", { body = "x" }).body
      for _ = 1, 1010 do server:post("/topic", { body = "x" }) end -- ten more than are kept
      local events = server:sse("/topic", { last_event_id = first })
      local gap = events:next(5)
      assert.same({ "weir.gap", 10 }, { gap.event, weir.json.decode(gap.data).lost })
      for _ = 1, 1000 do assert.is_table((events:next(5))) end
      events:close()
    end, 1013)
    local ended = find(list, "access", "ended")
    assert.same({ "client", 1000, 10 }, { ended.reason, ended.events, ended.dropped })
  end)

  it("calls every answer a stream whose end nobody knew", function()
    local _, list = logged(function(server) assert.equal("ab", server:get("/pieces").body) end, 2)
    assert.same({ "begun", "ended", 0 }, { list[1].access, list[2].access, list[2].events })
  end)
end)

describe("at the end of the server #workers", function()
  after_each(support.remove_folders)

  it("each request that was answered has its line, and each stream that began its second", function()
    local path = support.folder() .. "/access.log"
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2, "--log", "json",
      "--access-log", path }
    local answered, clients, streams = 0, {}, {}
    for i = 1, 10 do streams[i] = server:sse "/topic" end
    for i = 1, 5 do
      clients[i] = weir.spawn(function()
        local client = server:connect()
        while client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n" and client:receive_response() do
          answered = answered + 1
        end
        client:close()
      end)
    end
    test.eventually(function() return answered > 500 end)
    server:signal "TERM"
    assert.equal(0, (server:wait(10)))
    for _, client in ipairs(clients) do client:join() end
    local count = { request = 0, begun = 0, ended = 0 }
    for _, object in ipairs(objects(support.read_file(path))) do
      count[object.access] = count[object.access] + 1
      if object.access == "ended" then assert.equal("drain", object.reason) end
    end
    assert.same({ request = answered, begun = #streams, ended = #streams }, count)
  end)
end)

for _, form in ipairs { "text", "json" } do
  describe("with --log " .. form .. ", nobody waits", function()
    after_each(support.remove_folders)

    -- The number that such a line names, and how many lines of the app there are.
    local function read_until_dropped(pipe)
      local seen = 0
      for line in pipe:lines() do
        if form == "json" then line = weir.json.decode(line).message end
        if line:find("line %d+ x+") then seen = seen + 1 end
        local dropped = line:match "standard error: (%d+) lines were dropped"
        if dropped then return seen, tonumber(dropped) end
      end
    end

    it("for a log whose reader rests, which is told what it has missed", function()
      local path, pipe = support.resting_pipe()
      local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1, "--log", form,
        shell = 'exec "$0" "$@" 2>' .. path }
      assert.equal("logged", server:get("/log?n=3000", { timeout = 20 }).body)
      support.all_answer(server)
      local seen, dropped = read_until_dropped(pipe)
      assert.equal(3000, seen + dropped)
      assert.is_true(dropped > 0)
      assert.equal(tostring(dropped), server:get("/dropped").body)
      server:stop()
      pipe:close()
    end)

    it("for an access log that is a FIFO whose reader rests", function()
      local path, pipe = support.resting_pipe()
      local server = spawn("--log", form, "--access-log", path)
      local client = server:connect()
      for _ = 1, 1500 do -- more than the FIFO and the mebibyte that may wait
        client:send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " .. ("a"):rep(630) .. "\r\n\r\n")
        assert.equal("well", client:receive_response().body)
      end
      support.all_answer(server)
      pipe:read "*l"
      server:signal "TERM"
      assert.equal(0, (server:wait(10)))
      pipe:close()
    end)

    it("for a full disk, and lines go on when there is room", function()
      local folder = support.folder()
      local path, link = folder .. "/access.log", folder .. "/link"
      assert(os.execute("ln -s /dev/full '" .. link .. "'") == 0)
      local server = spawn("--log", form, "--access-log", link)
      support.all_answer(server)
      test.eventually(function() return server:stderr():find("No space left on device", 1, true) end, 5)
      support.all_answer(server)
      assert(os.execute(("ln -s '%s' '%s.new' && mv -T '%s.new' '%s'"):format(path, link, link, link)) == 0)
      await_lines(path, 40) -- nothing was lost: there was room for it in memory
      test.eventually(function() return server:stderr():find("writing again", 1, true) end, 5)
      assert.equal(1, select(2, server:stderr():gsub("No space left on device", "")))
      assert.equal(0, (server:stop()))
    end)

    it("for files that are rotated again and again: each line is whole in one of them", function()
      local path = support.folder() .. "/access.log"
      local server = spawn("--log", form, "--access-log", path)
      local client = server:connect()
      for i = 1, 2000 do
        client:send(("GET /?n=%d HTTP/1.1\r\nHost: a\r\n\r\n"):format(i))
        assert.equal("well", client:receive_response().body)
        if i % 100 == 0 and os.rename(path, path .. "." .. i) and i % 200 == 0 then server:signal "USR2" end
      end
      assert.equal(0, (server:stop()))
      local seen, files = {}, 0
      for i = 100, 2100, 100 do
        local text = support.read_file(i > 2000 and path or path .. "." .. i)
        files = files + (text and 1 or 0)
        for line in (text or ""):gmatch "([^\n]*)\n?" do
          local target = line:match '"GET (%S+) HTTP/1.1" 200 '
          if form == "json" and line ~= "" then target = weir.json.decode(line).target end
          local n = target and tonumber(target:match "n=(%d+)$")
          assert.equal(line == "", n == nil, line)
          if n then seen[n] = (seen[n] or 0) + 1 end
        end
      end
      assert.is_true(files > 1)
      for i = 1, 2000 do assert.equal(1, seen[i], i) end
    end)

    it("for a file that was renamed, removed or is to be opened anew", function()
      local path = support.folder() .. "/access.log"
      local server = spawn("--log", form, "--access-log", path)
      server:get "/?one"
      await_lines(path, 1)
      assert(os.rename(path, path .. ".1"))
      server:get "/?two"
      assert.is_truthy(await_lines(path, 1):find("?two", 1, true))
      assert.is_nil(support.read_file(path .. ".1"):find("?two", 1, true))
      assert(os.remove(path))
      server:get "/?three"
      assert.is_truthy(await_lines(path, 1):find("?three", 1, true))
      assert(os.rename(path, path .. ".2"))
      server:signal "USR2"
      test.eventually(function() return support.read_file(path) end, 5)
      assert.equal(0, (server:stop()))
    end)
  end)
end
