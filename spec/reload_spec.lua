-- Reloading: lua/REFERENCE.md (--watch, SIGHUP), core/README.md "Generations". Servers are processes of their own.

local test = require "weir.test"
local support = require "spec.support"

-- An app that answers its generation; `extra` comes before its return, `top` at its top.
local function app_text(generation, extra, top)
  return ([[
    local weir = require "weir"
    %s
    local app = weir.app()
    local generation = "%s"
    local dict = weir.shared("spec")
    app:get("/", function() return generation end)
    app:get("/stats", function() return weir.stats() end)
    app:get("/held", function(stream)
      local sse = stream:sse { heartbeat = false }
      sse:send("began on " .. generation)
      while not dict:get("go") do weir.sleep(0.01) end
      sse:send("ended on " .. generation)
    end)
    app:get("/topic", function(stream) stream:sse { heartbeat = false }:subscribe("news") end)
    app:get("/kept", function(stream)
      stream:on_close(function(reason) weir.log.info("kept on " .. generation .. " closed: " .. reason) end)
      stream:sse { heartbeat = false }:subscribe("news")
    end)
    app:post("/publish", function(stream)
      local _, streams = weir.publish("news", stream:body())
      return { streams = streams }
    end)
    app:post("/go", function() dict:set("go", true) end)
    %s
    return app
  ]]):format(top or "", generation, extra or "")
end

local servers = {}

local function spawn(path, ...)
  local server = test.spawn { "serve", path, "--workers", 2, ... }
  servers[#servers + 1] = server
  return server
end

-- Each ends well, whatever its generations were doing, and has nothing to complain of.
local function stop_servers()
  local running = servers
  servers = {}
  for _, server in ipairs(running) do
    assert.equal(0, (server:stop()), server:stderr())
    assert.is_nil(server:stderr():find("Sanitizer", 1, true), server:stderr())
  end
end

local function write(path, ...)
  support.write_file(path, app_text(...))
end

-- Asks often enough to meet both workers: all answers are that.
local function assert_answers(server, expected, path)
  for _ = 1, 24 do assert.equal(expected, assert(server:get(path or "/")).body) end
end

-- The takeover is that of all workers at once: once one has answered so, all do.
local function await_answer(server, expected, path)
  test.eventually(function()
    local response = server:get(path or "/")
    return response and response.body == expected
  end, 10)
  assert_answers(server, expected, path)
end

local function await_log(server, pattern)
  return test.eventually(function() return server:stderr():match(pattern) end, 15)
end

local function stats(server) return server:get("/stats", { timeout = 60 }).json() end

local function await_failures(server, count)
  test.eventually(function() return stats(server).reloads_failed == count end, 15)
end

describe("a reload", function()
  after_each(function()
    stop_servers()
    support.remove_folders()
  end)

  describe("on SIGHUP", function()
    it("serves changed code in all workers #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      assert_answers(server, "one")
      write(path, "two")
      assert_answers(server, "one")
      server:signal "HUP"
      await_answer(server, "two")
      assert.equal(2, stats(server).generations)
    end)

    it("comes without a change as well #workers", function()
      local server = spawn((support.app_file(app_text "one")))
      for count = 1, 3 do
        server:signal "HUP"
        test.eventually(function() return stats(server).reloads == count end, 5)
      end
      assert_answers(server, "one")
    end)

    it("is remembered while another is under way #workers", function()
      local slow = 'app:on_start(function() weir.log.info("start of " .. generation) weir.sleep(0.3) end)'
      local path = support.app_file(app_text("one", slow))
      local server = spawn(path)
      write(path, "two", slow)
      server:signal "HUP"
      await_log(server, "start of two")
      write(path, "three", slow)
      server:signal "HUP"
      await_answer(server, "three")
      assert.equal(2, stats(server).reloads)
      await_log(server, "generation 2 answers")
    end)
  end)

  describe("that fails", function()
    local broken = {
      ["a syntax error"] = { "return return", "app.lua:1:" },
      ["a missing module"] = { "\nrequire 'not_there'", "app.lua:2:.-not_there" },
      ["an error at the top"] = { "\n\nerror 'at the top'", "app.lua:3: at the top" },
      ["no app"] = { "return 7", "app.lua.-must return its app" },
      ["an error in on_start"] = { app_text("bad", "app:on_start(function() error 'at the start' end)"),
        "app.lua:%d+: at the start" },
      ["an endless loop at the top"] = { "\nwhile true do end", "app.lua:2:" },
      ["an endless loop in on_start"] = { app_text("bad", "app:on_start(function() while true do end end)"),
        "app.lua:%d+:" },
      ["a wrong route"] = { app_text("bad", "app:get('/:a/:a', function() end)"), "app.lua:%d+:" },
    }
    for name, case in pairs(broken) do
      -- TSan holds back the signals that end a loop, so that is not tried under it.
      local tag = name:find "loop" and "" or " #workers"
      it("by " .. name .. " leaves the good one, and says where" .. tag, function()
        local path = support.app_file(app_text "one")
        local server = spawn(path)
        support.write_file(path, case[1])
        server:signal "HUP"
        await_failures(server, 1)
        await_log(server, "generation 1 goes on: .-" .. case[2])
        assert_answers(server, "one")
        write(path, "two")
        server:signal "HUP"
        await_answer(server, "two")
        test.eventually(function() return stats(server).generations == 2 end, 5)
      end)
    end

    it("by a pipe in place of the file leaves the good one, and one after it comes #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      os.execute("rm " .. path .. "; mkfifo " .. path)
      server:signal "HUP"
      await_failures(server, 1)
      await_log(server, "generation 1 goes on: .-app.lua: it is no regular file")
      assert_answers(server, "one")
      os.execute("rm " .. path)
      write(path, "two")
      server:signal "HUP"
      await_answer(server, "two")
    end)

    it("by an on_start that never returns leaves the good one, and one after it comes #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      write(path, "bad", [[
        app:on_start(function()
          weir.defer(function() weir.log.info "undone" end)
          weir.sleep(3600)
        end)
      ]])
      server:signal "HUP"
      await_log(server, "app:on_start did not return within 10 s")
      assert_answers(server, "one")
      await_log(server, "undone")
      write(path, "two")
      server:signal "HUP"
      await_answer(server, "two")
    end)

    local fails_once = 'if dict:incr("second") == 2 then error "in one worker" end'
    -- What runs in the worker that comes second fails; in the first all is well.
    for name, extra in pairs {
      ["while loading"] = fails_once,
      ["in on_start"] = "app:on_start(function() " .. fails_once .. " end, { each_worker = true })",
    } do
      it("in one worker " .. name .. " takes over in none, and nothing it began has run #workers", function()
        local path = support.app_file(app_text "one")
        local server = spawn(path)
        write(path, "bad", 'weir.background(function() weir.log.info("the bad one runs") end)\n' .. extra)
        server:signal "HUP"
        await_failures(server, 1)
        await_log(server, "app.lua:%d+: in one worker")
        assert_answers(server, "one")
        test.eventually(function() return stats(server).generations == 2 end, 5)
        server:signal "HUP" -- now in no worker
        await_answer(server, "bad")
        local _, runs = server:stderr():gsub("the bad one runs", "")
        assert.equal(2, runs)
      end)
    end

    it("keeps what topics and limits were #workers", function()
      local limited = 'weir.limits { body_bytes = %d } weir.topics { ["news"] = { history = { count = %d } } }'
      local count = 'app:get("/count", function() return tostring(#weir.history("news")) end)'
      local path = support.app_file(app_text("one", count, limited:format(10, 2)))
      local server = spawn(path)
      local function publish(n)
        for _ = 1, n do assert.equal(200, server:post("/publish", { body = "x" }).status) end
      end
      local function post(bytes) return server:post("/publish", { body = ("x"):rep(bytes) }).status end
      publish(5)
      assert_answers(server, "2", "/count")
      write(path, "bad", count .. " error 'bad'", limited:format(20, 4))
      server:signal "HUP"
      await_failures(server, 1)
      publish(5)
      assert_answers(server, "2", "/count")
      assert.equal(413, post(11))
      write(path, "two", count, limited:format(20, 4))
      server:signal "HUP"
      await_answer(server, "two")
      publish(5)
      assert_answers(server, "4", "/count")
      for _ = 1, 12 do
        assert.equal(200, post(20))
        assert.equal(413, post(21))
      end
    end)
  end)

  describe("of background tasks", function()
    -- Each notes that it runs, and needs a while to end.
    local ticker = [[
      weir.background(function()
        dict:incr("running " .. generation)
        weir.defer(function()
          weir.sleep(0.05)
          dict:incr("running " .. generation, -1)
          dict:incr("ended")
        end)
        for _, other in ipairs { "one", "two", "three" } do
          if other ~= generation and (dict:get("running " .. other) or 0) ~= 0 then weir.log.info("overlap") end
        end
        weir.spawn(function() weir.sleep(3600) end)
        dict:incr("began")
        weir.sleep(3600)
      end)
      app:get("/began", function() return tostring(dict:get("began")) end)
      app:get("/ended", function() return tostring(dict:get("ended")) end)
    ]]

    it("lets none start before the old ones have ended everywhere #workers", function()
      local path = support.app_file(app_text("one", ticker))
      local server = spawn(path)
      for i, generation in ipairs { "one", "two", "three" } do
        if i > 1 then
          write(path, generation, ticker)
          server:signal "HUP"
        end
        await_answer(server, tostring(i * 2), "/began")
      end
      assert.equal("4", server:get("/ended").body)
      assert.is_nil(server:stderr():find("overlap", 1, true))
    end)

    it("cancels at once what an older generation starts afterwards #workers", function()
      local late = [[
        app:get("/late", function(stream)
          local sse = stream:sse { heartbeat = false }
          sse:send "began"
          while not dict:get("go") do weir.sleep(0.01) end
          weir.topics { news = { history = { count = 1 } } }
          local _, why = weir.background(function() weir.log.info "late task runs" end):join()
          sse:send(why)
        end)
        app:get("/count", function() return tostring(#weir.history("news")) end)
      ]]
      local path = support.app_file(app_text("one", late))
      local server = spawn(path)
      local events = assert(server:sse "/late")
      assert.equal("began", events:next().data)
      write(path, "two", late)
      server:signal "HUP"
      await_answer(server, "two")
      server:post "/go"
      assert.equal("cancelled", events:next().data)
      assert.is_nil(server:stderr():find("late task runs", 1, true))
      for _ = 1, 3 do server:post("/publish", { body = "x" }) end
      assert_answers(server, "3", "/count") -- the rules of the newest hold
    end)
  end)

  describe("with live streams", function()
    it("lets subscribed ones live, without and with an on_close #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      local streams = {}
      for i = 1, 8 do streams[i] = assert(server:sse(i % 2 == 0 and "/topic" or "/kept")) end
      for i, generation in ipairs { "two", "three", "four" } do
        write(path, generation)
        server:signal "HUP"
        await_answer(server, generation)
        assert.equal(8, server:post("/publish", { body = "news of " .. i }).json().streams)
        for _, events in ipairs(streams) do assert.equal("news of " .. i, events:next().data) end
      end
      assert.equal(0, stats(server).streams_expelled)
      for _, events in ipairs(streams) do events:close() end
      test.eventually(function() return select(2, server:stderr():gsub("kept on one closed: client", "")) == 4 end, 5)
      test.eventually(function() return stats(server).generations == 2 end, 5)
    end)

    it("lets what has begun finish on the old code #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      local old = assert(server:sse "/held")
      assert.equal("began on one", old:next().data)
      write(path, "two")
      server:signal "HUP"
      await_answer(server, "two")
      local new = assert(server:sse "/held")
      assert.equal("began on two", new:next().data)
      server:post "/go"
      assert.equal("ended on one", old:next().data)
      assert.equal("ended on two", new:next().data)
      local _, why = old:next()
      assert.equal("closed", why)
      assert.is_true(old.complete)
      test.eventually(function() return stats(server).generations == 2 end, 5)
    end)

    it("answers a kept-alive connection's next request from the newest #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      local client = server:connect()
      local function ask()
        client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        return client:receive_response().body
      end
      assert.equal("one", ask())
      write(path, "two")
      server:signal "HUP"
      await_answer(server, "two")
      assert.equal("two", ask())
    end)

    it("ends those of the oldest of five generations, server-sent events with a retry #workers", function()
      local waits = [[
        app:get("/waits", function(stream)
          weir.log.info("waits on " .. generation)
          weir.defer(function() weir.log.info("waited on " .. generation) end)
          weir.sleep(3600)
        end)
        app:get("/chunks", function(stream)
          stream:write("first of " .. generation)
          stream:on_close(function(reason) weir.log.info("chunks of " .. generation .. " closed: " .. reason) end)
          weir.sleep(3600)
        end)
      ]]
      local path = support.app_file(app_text("1", waits))
      local server = spawn(path, "--workers", 1)
      local held, kept, topics = {}, {}, {}
      local waiting, chunks = server:connect(), server:connect()
      waiting:send "GET /waits HTTP/1.1\r\nHost: a\r\n\r\n"
      await_log(server, "waits on 1")
      chunks:send "GET /chunks HTTP/1.1\r\nHost: a\r\n\r\n"
      chunks:receive "first of 1"
      for i = 1, 5 do
        if i > 1 then
          write(path, i, waits)
          server:signal "HUP"
          await_answer(server, tostring(i))
        end
        held[i], kept[i] = assert(server:sse "/held"), assert(server:sse "/kept")
        topics[i] = assert(server:sse "/topic")
        assert.equal("began on " .. i, held[i]:next().data)
        test.eventually(function() return stats(server).streams_expelled == (i < 5 and 0 or 4) end, 5)
      end
      for _, events in ipairs { held[1], kept[1] } do
        local _, why = events:next()
        assert.equal("closed", why)
        assert.is_true(events.complete)
        assert.is_true(events.retry >= 1000 and events.retry <= 6000)
      end
      assert.same({ "", "closed" }, { waiting:receive_all() })
      await_log(server, "waited on 1")
      await_log(server, "chunks of 1 closed: cancelled")
      await_log(server, "kept on 1 closed: drain")
      await_log(server, "warn  generation 1 of the app .- ends with 4 streams: at most 4 generations live")
      test.eventually(function() return stats(server).generations == 4 end, 5)
      assert.equal(5 + 4, server:post("/publish", { body = "still" }).json().streams)
      for i = 1, 5 do assert.equal("still", topics[i]:next().data) end
      for i = 2, 5 do assert.equal("still", kept[i]:next().data) end
      server:post "/go"
      for i = 2, 5 do assert.equal("ended on " .. i, held[i]:next().data) end
    end)

    it("frees what nobody needs any more #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      local before = stats(server)
      for round = 1, 12 do
        local streams = {}
        for i = 1, 6 do streams[i] = assert(server:sse(i % 2 == 0 and "/held" or "/kept")) end
        write(path, "round " .. round)
        server:signal "HUP"
        await_answer(server, "round " .. round)
        for _, events in ipairs(streams) do events:close() end
      end
      test.eventually(function()
        local after = stats(server)
        for _, name in ipairs { "generations", "streams", "tasks", "subscribers" } do
          if after[name] > before[name] then return false end
        end
        return true
      end, 5)
      assert.equal(2, stats(server).generations)
    end)

    it("may be under way when the server stops #workers", function()
      local path = support.app_file(app_text "one")
      local server = spawn(path)
      local events = assert(server:sse "/held")
      write(path, "two", 'app:on_start(function() weir.log.info "starting" weir.sleep(3600) end)')
      server:signal "HUP"
      await_log(server, "starting")
      stop_servers()
      events:close()
    end)
  end)

  describe("in a folder of apps", function()
    local function folder_of(apps)
      local folder = support.folder()
      for name, text in pairs(apps) do
        os.execute("mkdir " .. folder .. "/" .. name)
        support.write_file(folder .. "/" .. name .. "/app.lua", text)
      end
      return folder
    end

    it("is of the changed one alone #workers", function()
      local folder = folder_of { first = app_text "one", second = app_text "one" }
      local server = spawn(folder, "--watch")
      write(folder .. "/second/app.lua", "two")
      await_answer(server, "two", "/second/")
      assert_answers(server, "one", "/first/")
      assert.equal(1, server:get("/first/stats").json().reloads)
    end)

    it("brings one to life that failed at the start #workers", function()
      local folder = folder_of { good = app_text "one", bad = "error 'bad'" }
      local server = spawn(folder)
      assert.equal(503, server:get("/bad/").status)
      server:signal "HUP"
      await_log(server, "the app bad was not reloaded, none answers yet: .-bad/app.lua:1:")
      assert.equal(503, server:get("/bad/").status)
      write(folder .. "/bad/app.lua", "two")
      server:signal "HUP"
      await_answer(server, "two", "/bad/")
      assert_answers(server, "one", "/good/")
    end)

    it("brings one to life that failed to start in one worker only #workers", function()
      local once = 'if dict:incr("second") == 2 then error "in one worker" end'
      local folder = folder_of { good = app_text "one", bad = app_text("one", once) }
      local server = spawn(folder)
      for _ = 1, 12 do assert.equal(503, server:get("/bad/").status) end
      server:signal "HUP"
      await_answer(server, "one", "/bad/")
    end)
  end)
end)

describe("weir serve --watch", function()
  after_each(function()
    stop_servers()
    support.remove_folders()
  end)

  -- A server that watches an app of `text`, and functions to change its files.
  local function watch(text)
    local path, folder = support.app_file(text)
    return spawn(path, "--watch"), path, folder
  end

  it("takes no value", function()
    local run = test.run { "serve", (support.app_file(app_text "one")), "--watch=yes" }
    assert.equal(2, run.code)
    assert.matches("%-%-watch takes no value", run.stderr)
  end)

  it("reloads when the app file is written #workers", function()
    local server, path = watch(app_text "one")
    for _, generation in ipairs { "two", "three", "four" } do
      write(path, generation)
      await_answer(server, generation)
    end
  end)

  it("reloads once for an editor that writes another file and renames it #workers", function()
    local server, path, folder = watch(app_text "one")
    for i = 1, 4 do
      write(folder .. "/.app.lua.swp" .. i, "edit " .. i)
      assert(os.rename(path, path .. "~"))
      assert(os.rename(folder .. "/.app.lua.swp" .. i, path))
      await_answer(server, "edit " .. i)
      assert.equal(i, stats(server).reloads)
    end
    assert.equal(0, stats(server).reloads_failed)
  end)

  it("reloads when a module is written that was required, also later, or opened #workers", function()
    local folder = support.folder()
    os.execute("mkdir " .. folder .. "/lib")
    local function module(name, value) support.write_file(folder .. "/" .. name, "return '" .. value .. "'") end
    local files = { "first.lua", "lib/second.lua", "third.lua", "fourth.lua" }
    for _, name in ipairs(files) do module(name, "one") end
    support.write_file(folder .. "/app.lua", ([[
      local weir = require "weir"
      local app = weir.app()
      local parts = { require "first", require "lib.second", dofile "%s/third.lua", "-" }
      app:get("/", function() return table.concat(parts, " ") end)
      app:get("/late", function()
        parts[4] = assert(loadfile "%s/fourth.lua")()
        return parts[4]
      end)
      app:get("/stats", function() return weir.stats() end)
      return app
    ]]):format(folder, folder))
    local server = spawn(folder, "--watch")
    local expected = { "one", "one", "one", "-" }
    assert_answers(server, table.concat(expected, " "))
    for i = 1, 3 do
      module(files[i], "two")
      expected[i] = "two"
      await_answer(server, table.concat(expected, " "))
    end
    assert_answers(server, "one", "/late")
    module(files[4], "two")
    await_answer(server, table.concat(expected, " "))
    assert_answers(server, "two", "/late")
    assert.equal(0, stats(server).reloads_failed)
  end)

  it("sees a missing module come, in a folder that comes with it #workers", function()
    local server, path, folder = watch(app_text "one")
    write(path, "two", nil, 'local word = require "words.hello"')
    await_failures(server, 1)
    os.execute("mkdir " .. folder .. "/words")
    support.write_file(folder .. "/words/hello.lua", "return 'hello'")
    await_answer(server, "two")
  end)

  it("sees a failed one mended where it failed #workers", function()
    local server, path, folder = watch(app_text "one")
    support.write_file(folder .. "/part.lua", "return return")
    write(path, "two", nil, 'require "part"')
    await_failures(server, 1)
    await_log(server, "part.lua:1:")
    assert_answers(server, "one")
    support.write_file(folder .. "/part.lua", "return 1")
    await_answer(server, "two")
  end)

  it("sees the app file be replaced by a folder, and come back #workers", function()
    local server, path = watch(app_text "one")
    os.execute("rm " .. path .. "; mkdir " .. path)
    await_failures(server, 1)
    assert_answers(server, "one")
    os.execute("rmdir " .. path)
    write(path, "two")
    await_answer(server, "two")
  end)

  it("sees the app's folder be replaced #workers", function()
    local server, path, folder = watch(app_text "one")
    os.execute("mv " .. folder .. " " .. folder .. ".old; mkdir " .. folder)
    write(path, "two")
    await_answer(server, "two")
    os.execute("rm -r " .. folder .. ".old")
    write(path, "three")
    await_answer(server, "three")
  end)

  describe("with open pages", function()
    local page_app = [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function(stream) stream:html "<!doctype html><title>%s</title>" end)
      app:get("/text", function() return "text" end)
      app:get("/written", function(stream)
        stream:header("Content-Type", "text/html")
        stream:write "<p>in pieces"
      end)
      app:get("/zipped", function(stream)
        stream:header("Content-Encoding", "gzip")
        stream:html "as it is"
      end)
      app:get("/file", function(stream) stream:file "index.html" end)
      app:get("/download", function(stream) stream:file("index.html", { download = "page.html" }) end)
      app:get("/stats", function() return weir.stats() end)
      app:static("/files", "public")
      return app
    ]]
    local line = '\n<script src="/.weir/reload.js" data%-app="(%d+)" data%-version="(%d+)"></script>\n'

    local function watch_pages(...)
      local path, folder = support.app_file(page_app:format "one")
      os.execute("mkdir -p " .. folder .. "/public/deep")
      support.write_file(folder .. "/public/index.html", "<p>index")
      support.write_file(folder .. "/public/index.html.gz", "not sent")
      support.write_file(folder .. "/public/empty.html", "")
      support.write_file(folder .. "/public/deep/style.css", "p {}")
      return spawn(path, ...), path, folder
    end

    -- The version that a page at that path carries; its body is `body` and that line.
    local function version_of(server, path, body, options)
      local response = assert(server:get(path, options))
      assert.equal(200, response.status)
      local found, app, version = response.body:match("^(.-)" .. line .. "$")
      assert.equal(body, found)
      assert.equal("0", app)
      return version, response
    end

    local function follow(server, app)
      local events = assert(server:sse "/.weir/reload")
      return function()
        while true do
          local of, data = assert(events:next(10)).data:match "^(%d+) (.*)$"
          if tonumber(of) == (app or 0) then return data end
        end
      end
    end

    it("puts a script line behind HTML answers, of the length they say #workers", function()
      local server = watch_pages "--watch"
      local version = version_of(server, "/", "<!doctype html><title>one</title>")
      local _, response = version_of(server, "/files/", "<p>index", {
        headers = { ["Accept-Encoding"] = "gzip", Range = "bytes=0-1" } })
      assert.equal("no-store", response.headers["cache-control"])
      assert.is_nil(response.headers.etag)
      assert.equal(version, (version_of(server, "/file", "<p>index")))
      assert.equal(version, (version_of(server, "/files/empty.html", "")))
      local length = #assert(server:get "/files/").body
      assert.equal(tostring(length), server:head("/files/").headers["content-length"])
      assert.equal(tostring(#server:get("/").body), server:head("/").headers["content-length"])
      assert.equal(version, follow(server)())
      local script = server:get "/.weir/reload.js"
      assert.equal("text/javascript; charset=utf-8", script.headers["content-type"])
      assert.matches("EventSource", script.body)
    end)

    it("leaves alone what is no page, or leaves in pieces #workers", function()
      local server = watch_pages "--watch"
      assert.equal("text", server:get("/text").body)
      assert.equal("<p>in pieces", server:get("/written").body)
      assert.equal("as it is", server:get("/zipped").body)
      assert.equal("p {}", server:get("/files/deep/style.css").body)
      assert.equal(206, server:get("/files/deep/style.css", { headers = { Range = "bytes=0-1" } }).status)
      assert.equal(404, server:get("/.weir/nothing").status)
      assert.equal(405, server:post("/.weir/reload").status)
    end)

    it("does nothing of this outside of watch mode #workers", function()
      local server = watch_pages()
      assert.equal("<!doctype html><title>one</title>", server:get("/").body)
      assert.equal("<p>index", server:get("/files/").body)
      assert.is_truthy(server:get("/files/").headers.etag)
      assert.equal(404, server:get("/.weir/reload.js").status)
      assert.equal(404, server:get("/.weir/reload").status)
    end)

    it("leaves alone what is no document: parts that scripts ask for, downloads, frames #workers", function()
      local server = watch_pages "--watch"
      local page = "text/html,application/xhtml+xml,*/*;q=0.8"
      local function has_line(path, headers) return server:get(path, { headers = headers }).body:find(line) ~= nil end
      for _, path in ipairs { "/", "/files/", "/file" } do
        assert.is_true(has_line(path, {}))
        assert.is_true(has_line(path, { Accept = page }))
        assert.is_true(has_line(path, { Accept = page, ["Sec-Fetch-Dest"] = "document" }))
        for _, headers in ipairs { { Accept = "*/*" }, { ["Sec-Fetch-Dest"] = "empty", Accept = page },
          { ["Sec-Fetch-Dest"] = "iframe" }, { ["HX-Request"] = "true", Accept = page },
          { ["X-Requested-With"] = "XMLHttpRequest", Accept = page } } do
          assert.is_false(has_line(path, headers))
        end
      end
      assert.is_false(has_line("/download", { ["Sec-Fetch-Dest"] = "document" }))
      assert.is_truthy(server:get("/files/", { headers = { Accept = "*/*" } }).headers.etag)
    end)

    it("tells of a reload, why one failed, and when it is mended #workers", function()
      local server, path = watch_pages "--watch"
      local next_state = follow(server)
      local first = next_state()
      assert.equal(version_of(server, "/", "<!doctype html><title>one</title>"), first)
      write(path, "two")
      local second = next_state()
      assert.is_true(tonumber(second) > tonumber(first))
      support.write_file(path, "return <b>")
      local told, why = next_state():match "^(%d+)\n(.*)$"
      assert.equal(second, told)
      assert.matches("app.lua:1: .-<", why)
      assert.equal(told .. "\n" .. why, follow(server)()) -- who comes later sees it too
      write(path, "two")
      assert.is_true(tonumber(next_state()) > tonumber(second))
    end)

    it("tells when a file that is served has changed #workers", function()
      local server, _, folder = watch_pages "--watch"
      local next_state = follow(server)
      local version = next_state()
      local function assert_newer()
        local newer = next_state()
        assert.is_true(tonumber(newer) > tonumber(version))
        version = newer
      end
      support.write_file(folder .. "/public/index.html", "<p>changed")
      assert_newer()
      assert.equal(version, (version_of(server, "/files/", "<p>changed")))
      support.write_file(folder .. "/public/deep/.style.css.swp", "")
      support.write_file(folder .. "/public/deep/style.css", "p { color: red }")
      assert_newer()
      assert.equal(0, stats(server).reloads)
    end)

    it("shows why an app does not start, and answers once it does #workers", function()
      local server, path = watch "error 'not <yet>'"
      local response = server:get "/"
      assert.equal(503, response.status)
      assert.equal("text/html; charset=utf-8", response.headers["content-type"])
      assert.matches(line .. "$", response.body)
      local next_state = follow(server)
      assert.matches("app.lua:1: not <yet>", next_state())
      write(path, "one")
      assert.matches("^%d+$", next_state())
      assert_answers(server, "one")
    end)

    it("tells each app of a folder apart #workers", function()
      local folder = support.folder()
      for _, name in ipairs { "first", "second" } do
        os.execute("mkdir " .. folder .. "/" .. name)
        support.write_file(folder .. "/" .. name .. "/app.lua", page_app:gsub('app:static[^\n]*', ""):format(name))
      end
      local server = spawn(folder, "--watch")
      assert.equal("0", (server:get("/first/").body:match(line)))
      assert.equal("1", (server:get("/second/").body:match(line)))
      assert.is_nil(server:get("/").body:match(line))
      local of_first, of_second = follow(server, 0), follow(server, 1)
      local first, second = of_first(), of_second()
      write(folder .. "/second/app.lua", "two")
      assert.is_true(tonumber(of_second()) > tonumber(second))
      write(folder .. "/first/app.lua", "two")
      assert.is_true(tonumber(of_first()) > tonumber(first))
    end)
  end)

  it("waits for an app that does not start #workers", function()
    local server, path = watch "error 'not yet'"
    assert.equal(503, server:get("/").status)
    await_log(server, "does not start: .-app.lua:1: not yet")
    write(path, "one")
    await_answer(server, "one")
  end)
end)
