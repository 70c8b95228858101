-- weir serve never waits for whoever reads what it writes: the log, the access log, what scripts print.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  weir.limits { cpu_time = 30 }
  app:get("/", function() return "well" end)
  app:get("/events", function(stream) stream:sse { heartbeat = 1, heartbeat_event = "beat" } weir.sleep(3600) end)
  app:get("/log", function(stream)
    for i = 1, tonumber(stream.query.n) do weir.log.warn(("line %06d "):format(i) .. ("x"):rep(1000)) end
    return "logged"
  end)
  app:get("/say", function(stream)
    local out = ({ print = print, write = function(s) io.write(s, "\n") end,
      stderr = function(s) io.stderr:write(s, "\n") end })[stream.query.by]
    for i = 1, tonumber(stream.query.n) do out(("line %06d "):format(i) .. ("x"):rep(1000)) end
    return "said"
  end)
  app:get("/huge", function() weir.log.warn(("x"):rep(3e6)) print(("x"):rep(3e6)) return "said" end)
  app:get("/error", function() error "on purpose" end)
  app:get("/run", function() return tostring(os.execute("true")) end)
  app:get("/spin", function() return tostring((("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b")) end)
  return app
]]

-- What its shell does with the program's descriptors, and before it starts it.
local function spawn(redirect, before, ...)
  local shell = (before or "") .. 'exec "$0" "$@" ' .. redirect
  return test.spawn { "serve", (support.app_file(app_text)), shell = shell, ... }
end

-- Reads the FIFO until a line matches; the lines.
local function read_until(pipe, pattern)
  local lines = {}
  repeat
    lines[#lines + 1] = pipe:read("*l")
  until lines[#lines]:find(pattern)
  return lines
end

local function bad_requests(server, n)
  for _ = 1, n do
    local client = server:connect()
    client:send "BAD\r\n\r\n"
    client:close()
  end
end

describe("a log whose reader rests", function()
  after_each(support.remove_folders)

  it("holds up nobody, whatever strangers send #workers", function()
    local path, pipe = support.resting_pipe()
    local server = spawn("2>" .. path, nil, "--workers", 2)
    bad_requests(server, 600)
    support.all_answer(server)
    for _ = 1, 4 do server:get("/log?n=500", { timeout = 20 }) end
    local events = server:sse "/events"
    assert.equal("beat", (events:next(5) or {}).event)
    support.all_answer(server)
    server:signal "USR1"
    server:signal "HUP"
    support.all_answer(server)
    assert.equal("beat", (events:next(5) or {}).event)
    server:signal "TERM"
    assert.equal(0, (server:wait(10)))
    pipe:close()
  end)

  it("says later how many lines it could not take", function()
    local path, pipe = support.resting_pipe()
    local server = spawn("2>" .. path, nil, "--workers", 1)
    assert.equal("logged", server:get("/log?n=3000", { timeout = 20 }).body)
    local lines = read_until(pipe, "lines were dropped")
    local seen, last = 0, 0
    for _, line in ipairs(lines) do
      local n, filling = line:match("warn  line (%d+) (x+) request_id=%x+%-%d+$")
      n = tonumber(n)
      if n then
        assert.equal(last + 1, n)
        assert.equal(1000, #filling)
        seen, last = seen + 1, n
      end
    end
    local dropped = tonumber(lines[#lines]:match("standard error: (%d+) lines were dropped"))
    assert.is_true(seen >= 950, seen) -- of fewer than 1,100 bytes each, a mebibyte
    assert.equal(3000, seen + dropped)
    assert.equal("logged", server:get("/log?n=1").body)
    read_until(pipe, "line 000001 x")
    server:stop()
    pipe:close()
  end)

  for _, by in ipairs { "print", "write", "stderr" } do
    it("does not hold up a script that uses " .. by, function()
      local path, pipe = support.resting_pipe()
      local server = spawn(by == "stderr" and "2>" .. path or "", nil, "--workers", 1) -- standard output rests
      assert.equal("said", server:get("/say?n=3000&by=" .. by, { timeout = 20 }).body)
      support.all_answer(server)
      server:stop()
      pipe:close()
    end)
  end

  it("is left behind by the second signal, and by a worker in a C call", function()
    local path, pipe = support.resting_pipe()
    local server = spawn("2>" .. path, nil, "--workers", 1)
    server:get("/log?n=500", { timeout = 20 })
    local stuck = server:connect()
    stuck:send "GET /spin HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.is_nil((server:get("/", { timeout = 0.3 })))
    server:signal "TERM"
    assert.same({ nil, "timeout" }, { server:wait(0.3) })
    server:signal "TERM"
    assert.equal(1, (server:wait(5)))
    pipe:close()
  end)

  it("still gets the line that tells where the server listens", function()
    local text = "for i = 1, 20000 do print(('x'):rep(1000)) end\n" .. app_text
    local server = test.spawn { "serve", (support.app_file(text)), "--workers", 2 }
    support.all_answer(server)
    server:stop()
  end)
end)

describe("a log", function()
  after_each(support.remove_folders)

  it("tells of strangers ten lines a second, then how many more #workers", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2 }
    bad_requests(server, 600)
    for _ = 1, 100 do server:get "/error" end
    local function total(line, sum)
      local text, count = server:stderr(), 0
      for _ in text:gmatch(line) do count = count + 1 end
      local told = count
      for more in text:gmatch(sum .. ": … and (%d+) more like it") do count = count + tonumber(more) end
      return count, told
    end
    test.eventually(function()
      return total("400 Bad Request", "refused requests") == 600 and
        total("on purpose request_id=[%x-]+\n", "errors of handlers") == 100
    end, 5)
    assert.is_true(select(2, total("400 Bad Request", "refused requests")) < 600)
    server:stop()
  end)

  it("whose reader is gone, or whose disk is full, holds up nobody", function()
    local path = support.resting_pipe()
    local reader = "sed -u /listening/q <" .. path .. " & " -- ends with the first line
    for redirect, before in pairs { ["2>/dev/full"] = "", ["2>&-"] = "", [">" .. path] = reader } do
      local server = spawn(redirect, before, "--workers", 1)
      for _ = 1, 20 do
        server:get("/log?n=100", { timeout = 20 })
        server:get("/say?n=100&by=print", { timeout = 20 })
      end
      support.all_answer(server)
      server:close()
    end
  end)

  it("cuts what is too long for a line", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1 }
    assert.equal("said", server:get("/huge").body)
    test.eventually(function() return server:stderr():find(" … and 2934464 bytes more\n", 1, true) end, 5)
    test.eventually(function() return server:stderr():find("standard output: 1 lines were dropped", 1, true) end, 5)
    server:stop()
  end)

  it("is whole when the server ends", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 1 }
    server:get("/log?n=500")
    local code, stderr = server:stop()
    assert.equal(0, code)
    assert.matches("line 000500 x", stderr)
  end)

  it("goes on while children are started #workers", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2 }
    for _ = 1, 20 do
      assert.equal("logged", server:get("/log?n=20", { timeout = 10 }).body)
      assert.equal("0", server:get("/run", { timeout = 10 }).body)
    end
    server:stop()
  end)
end)

describe("an access log", function()
  after_each(support.remove_folders)

  it("may be a FIFO whose reader rests #workers", function()
    local path, pipe = support.resting_pipe()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2, "--access-log", path }
    local agent = ("a"):rep(700)
    local client = server:connect()
    for _ = 1, 1500 do
      client:send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " .. agent .. "\r\n\r\n")
      assert.equal("well", client:receive_response().body)
    end
    assert.equal("done", pipe:read("*l"):match("(%w+) %-$"))
    server:signal "TERM"
    assert.equal(0, (server:wait(10)))
    pipe:close()
  end)

  it("may be standard output that nobody reads", function()
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2, "--access-log", "-" }
    local client = server:connect()
    for _ = 1, 500 do
      client:send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " .. ("a"):rep(700) .. "\r\n\r\n")
      assert.equal("well", client:receive_response().body)
    end
    server:signal "TERM"
    assert.equal(0, (server:wait(10)))
  end)

  it("is opened anew on SIGUSR2, and when it was renamed", function()
    local path = support.folder() .. "/access.log"
    local server = test.spawn { "serve", (support.app_file(app_text)), "--workers", 2, "--access-log", path }
    server:get "/?one"
    test.eventually(function() return (support.read_file(path) or ""):find("?one", 1, true) end, 5)
    assert(os.rename(path, path .. ".1"))
    server:signal "USR2"
    test.eventually(function() return support.read_file(path) end, 5)
    server:get "/?two"
    test.eventually(function() return support.read_file(path):find("?two", 1, true) end, 5)
    assert(os.rename(path, path .. ".2"))
    server:get "/?three"
    test.eventually(function() return (support.read_file(path) or ""):find("?three", 1, true) end, 5)
    assert.equal(0, (server:stop()))
  end)
end)
