-- What weir serve finds when it starts: descriptors, limits, signals, data, and when it lets clients in.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  weir.topics { ["t*"] = { durable = true } }
  app:get("/", function() return "well" end)
  app:get("/publish", function() for i = 1, 500 do assert(weir.publish("t" .. i, ("x"):rep(100))) end return "done" end)
  app:get("/file", function()
    local file = assert(io.open("/proc/self/stat"))
    local line = file:read "*l"
    file:close()
    return line
  end)
  local function masks(text) -- without those of the C library itself, from 32 on
    return text:match "SigBlk:%s*%x*(%x%x%x%x%x%x%x)\n" .. " " .. text:match "SigIgn:%s*%x*(%x%x%x%x%x%x%x)\n"
  end
  app:get("/popen", function()
    local process = io.popen "grep Sig /proc/self/status"
    local text = process:read "*a"
    process:close()
    return masks(text)
  end)
  app:get("/execute", function()
    local path = os.tmpname()
    os.execute("grep Sig /proc/self/status >" .. path)
    local file = io.open(path)
    local text = file:read "*a"
    file:close()
    os.remove(path)
    return masks(text)
  end)
  app:get("/yes", function() return tostring(os.execute "yes 2>&1 | head -n 1 >/dev/null") end)
  return app
]]

-- An app that is loading until the file `go` is there; it makes the file `loading`.
local slow_text = [[
  local folder = %q
  io.open(folder .. "/loading", "w"):close()
  while not io.open(folder .. "/go") do os.execute "sleep 0.02" end
  local app = require("weir").app()
  app:get("/", function() return "well" end)
  return app
]]

local function slow_app()
  local _, folder = support.app_file ""
  return support.write_file(folder .. "/app.lua", slow_text:format(folder)), folder
end

-- Starts the program without waiting until it listens, on a port that is free.
local function start(app, during, ...)
  local port = test.spawn({ "serve", (support.app_file(app_text)), "--workers", 1 })
  local address = port.address
  port:stop()
  local folder = app:match "^(.*)/"
  local shell = ('("$0" "$@" & echo $! >%s/pid; while [ ! -e %s/loading ]; do sleep 0.02; done; %s; wait)')
    :format(folder, folder, during:gsub("FOLDER", folder):gsub("PORT", (address:match ":(%d+)$")))
  return test.spawn { "serve", app, "--listen", address, shell = shell, timeout = 20, ... }, folder
end

local function pid_of(folder) return support.read_file(folder .. "/pid"):match "%d+" end

describe("weir serve", function()
  after_each(support.remove_folders)

  local redirects = { ["<&-"] = { 0 }, [">&-"] = { 1 }, ["2>&-"] = { 2 }, ["<&- >&- 2>&-"] = { 0, 1, 2 } }
  for redirect, closed in pairs(redirects) do
    it("uses the number of no closed descriptor for something else: " .. redirect, function()
      local folder = support.folder()
      local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1,
        "--data", folder .. "/data", "--access-log", folder .. "/access.log",
        shell = ('"$0" "$@" --listen 127.0.0.1:0 %s & echo $! >%s/pid; exec "$0" serve "$2" --listen 127.0.0.1:0')
          :format(redirect, folder) }
      local pid = pid_of(folder)
      local links = test.eventually(function()
        local process = io.popen(("ls -l /proc/%s/fd"):format(pid))
        local text = process:read "*a"
        process:close()
        return text:find("access.log", 1, true) and text
      end, 10)
      os.execute("kill " .. pid)
      for _, fd in ipairs(closed) do
        assert.equal("/dev/null", links:match((" %d %%-> ([^\n]+)"):format(fd)))
      end
      server:stop()
    end)
  end

  it("tells the limit of descriptors that is too low for it, and what to do", function()
    local app = (support.app_file(app_text))
    for limit = 6, 30, 8 do
      local run = test.run { "serve", app, "--workers", 2, "--listen", "127.0.0.1:0",
        shell = ('ulimit -n %d; exec "$0" "$@"'):format(limit) }
      assert.equal(1, run.code)
      assert.matches("may open " .. limit .. " files %(ulimit %-n%); 2 workers need %d+ for", run.stderr)
      assert.matches("ulimit %-n 4096", run.stderr)
    end
  end)

  it("answers 503 to clients beyond a low limit of descriptors", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2,
      "--data", support.folder(), shell = 'ulimit -n 64; exec "$0" "$@"' }
    local clients, served = {}, 0
    for i = 1, 30 do
      local client = server:connect()
      client:send "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"
      local response = client:receive_response()
      if response.status ~= 503 then assert.equal(200, response.status, response.body .. server:stderr()) end
      if response.status == 200 then
        served = served + 1
      else
        assert.equal(503, response.status)
        assert.is_truthy(response.headers["retry-after"])
      end
      clients[i] = client
    end
    assert.is_true(served >= 8 and served < 30, served)
    for _, client in ipairs(clients) do client:close() end
    test.eventually(function()
      local response = server:get "/file"
      return response and response.status == 200
    end, 10)
    assert.is_nil(server:stderr():find("cannot accept", 1, true))
    server:stop()
  end)

  it("lets nobody connect before it can answer", function()
    local app = slow_app()
    local server, folder = start(app, [[
      curl -s -o /dev/null --max-time 2 http://127.0.0.1:PORT/; echo $? >FOLDER/curl; touch FOLDER/go]])
    assert.equal("well", server:get("/").body)
    assert.equal("7", support.read_file(folder .. "/curl"):match "%d+") -- refused
    os.execute("kill " .. pid_of(folder))
    assert.equal(0, (server:wait(10)))
  end)

  it("lets nobody connect whose data cannot be used", function()
    local folder = support.folder()
    support.write_file(folder .. "/weir.db", ("no database "):rep(1000))
    local run = test.run { "serve", (support.app_file(app_text)), "--listen", "127.0.0.1:0", "--data", folder,
      shell = ('strace -f -e trace=listen -o %s/trace "$0" "$@"'):format(folder) }
    assert.equal(1, run.code)
    assert.is_nil((support.read_file(folder .. "/trace") or ""):find "listen%(")
  end)

  it("keeps a signal that comes while it loads", function()
    for _, signal in ipairs { "TERM", "INT" } do
      local server = start(slow_app(), ("kill -%s $(cat FOLDER/pid); touch FOLDER/go"):format(signal))
      assert.same({ 0 }, { server:wait(10) }, signal .. server:stderr())
    end
  end)

  it("keeps a reload that is asked for while it loads", function()
    local signals = "kill -HUP $(cat FOLDER/pid); kill -USR2 $(cat FOLDER/pid)"
    local server, folder = start(slow_app(), signals .. "; touch FOLDER/go")
    test.eventually(function() return server:stderr():find("was reloaded", 1, true) end, 10)
    assert.equal("well", server:get("/").body)
    os.execute("kill " .. pid_of(folder))
    assert.equal(0, (server:wait(10)))
  end)

  it("ends at once on the second signal, while it loads too", function()
    local app, folder = slow_app()
    local run = test.run { "serve", app, "--listen", "127.0.0.1:0",
      shell = ('"$0" "$@" & while [ ! -e %s/loading ]; do sleep 0.02; done; '):format(folder) ..
        "kill -TERM $!; sleep 0.1; kill -TERM $!; wait $!" }
    assert.equal(1, run.code)
    assert.equal("", run.stdout)
  end)

  it("gives children the signals as they are by default", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1 }
    local none = "0000000 0000000"
    assert.equal(none, server:get("/popen").body)
    assert.equal(none, server:get("/execute").body)
    assert.equal("0", server:get("/yes").body)
    server:stop()
  end)

  it("says what is wrong with data that is damaged", function()
    local data, app = support.folder(), (support.app_file(app_text))
    local server = test.spawn { "serve", app, "--workers", 1, "--data", data }
    assert.equal("done", server:get("/publish").body)
    server:stop()
    local good = support.read_file(data .. "/weir.db")
    local wrong = { [good:sub(1, 4096) .. ("x"):rep(#good - 4096)] = "database disk image is malformed",
      [good:sub(1, 60) .. "\255\255\255\255" .. good:sub(65)] = "made by another version" }
    local first = good:find("CREATE TABLE topics", 1, true)
    wrong[good:sub(1, first - 1) .. "CREATE TABLE tepics" .. good:sub(first + 19)] = "weir%.db is damaged"
    for text, message in pairs(wrong) do
      support.write_file(data .. "/weir.db", text)
      local run = test.run { "serve", app, "--listen", "127.0.0.1:0", "--data", data }
      assert.equal(1, run.code)
      assert.matches(message, run.stderr)
      assert.is_nil(run.stderr:find("not an error", 1, true), run.stderr)
    end
  end)

  it("says that lua-cjson is missing, before it aborts", function()
    local run = test.run { "serve", (support.app_file(app_text)), "--workers", 1, "--listen", "127.0.0.1:0",
      env = { LUA_CPATH = "/nowhere/?.so" }, shell = 'ulimit -c 0; exec "$0" "$@"' }
    assert.not_equal(0, run.code)
    assert.matches("weir needs lua%-cjson: apt install lua%-cjson", run.stderr)
  end)

  it("takes no cjson.lua of the app's for its own", function()
    local path, folder = support.app_file [[
      local app = require("weir").app()
      app:get("/", function() return { whose = require("cjson").whose } end)
      return app
    ]]
    support.write_file(folder .. "/cjson.lua", 'return { whose = "the app\'s" }')
    local server = test.spawn { "serve", path, "--workers", 1 }
    assert.equal('{"whose":"the app\'s"}', server:get("/").body)
    server:stop()
  end)
end)
