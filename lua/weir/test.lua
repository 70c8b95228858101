-- weir.test: an app under test, in this loop or in a process of its own, and the clients to try it with.
-- It works inside `weir spec`, where the body of a spec is a task and may wait. All that it opened and that is still
-- open is closed by `test.cleanup()`, so that a spec that failed half way does not disturb the next one.

local core = require "weir.core"
local check = require("weir.check").results
local check_names = require("weir.check").names
local check_options = require("weir.check").options
local check_value = require("weir.check").bad
local check_seconds = require("weir.check").seconds
local clients = require "weir.test_client"

local test = {
  clock = clients.clock,
  settle = clients.settle,
  eventually = clients.eventually,
  cleanup = function() clients.cleanup() end,
}

local deadline_of, track = clients.deadline_of, clients.track

function test.connect(port, options)
  check_options("weir.test.connect", options, { "rcvbuf" })
  return clients.connect(port, options)
end

---- servers ----

local server = clients.methods
local server_meta = { __index = server }

local function compiled(app)
  local module = require "weir.app"
  return module.compile(app), module.starts(app)
end

-- What a table holds beside a list.
local function named(options)
  local rest = {}
  for key, value in pairs(options) do
    if type(key) ~= "number" then rest[key] = value end
  end
  return rest
end

-- The path of { path, env = { NAME = "value", OTHER = false } } and the environment.
local function check_start(options)
  local env = options.env or {}
  check_names("weir.test.start", "option", named(options), { "env" }, 3)
  if type(options[1]) ~= "string" then check_value("weir.test.start", "item 1 (path)", options[1], "a path", 3) end
  for name, value in pairs(env) do
    if type(name) ~= "string" or (type(value) ~= "string" and type(value) ~= "number" and value ~= false) then
      check_value("weir.test.start", ("env.%s"):format(name), value, "a string, or false for none", 3)
    end
  end
  return options[1], env
end

-- Serves an app, or the app at a path in a Lua state of its own, from this loop on a free port; a table of the path and
-- `env` says what os.getenv finds there.
function test.start(app)
  local handle
  local path, env = app, nil
  if type(app) == "table" and getmetatable(app) == nil then path, env = check_start(app) end
  if type(path) == "string" then
    local err
    err, handle = core.listen(nil, nil, path, env)
    if err then error(err, 2) end
  else
    local router, starts = compiled(app)
    for _, start in ipairs(starts) do
      local ok, err = check(core.join(core.spawn(start.fn)))
      if not ok then error(err, 0) end
    end
    handle = check(core.listen(router, app))
  end
  local port = handle:port()
  local address = "127.0.0.1:" .. port
  local self = { handle = handle, port = port, address = address, url = "http://" .. address }
  return track(setmetatable(self, server_meta))
end

-- Stops, and waits until all its connections are gone.
function server:close()
  if not clients.forget(self) then return end
  if self.process then
    self:stop("KILL")
  else
    check(self.handle:close())
  end
end

local signals = { HUP = 1, INT = 2, QUIT = 3, KILL = 9, USR1 = 10, USR2 = 12, TERM = 15 }

local function check_spawn(name, options)
  if type(options) ~= "table" then check_value(name, "argument 1", options, "a list of arguments", 3) end
  check_names(name, "option", named(options), { "env", "cwd", "shell", "timeout" }, 3)
  if options.timeout ~= nil then check_seconds(name, "timeout", options.timeout, 3) end
end

local function start_process(options)
  local pid = assert(io.open("/proc/self/stat")):read("*n")
  local args = { "/proc/" .. pid .. "/exe" } -- a shell, too, is to find it there
  if options.shell then args = { "/bin/sh", "-c", options.shell, args[1] } end
  for _, value in ipairs(options) do args[#args + 1] = tostring(value) end
  return check(core.process(args, { env = options.env, cwd = options.cwd }))
end

local function finish_process(process, timeout)
  local code, signal = check(core.process_wait(process, timeout or 15))
  if not code and signal == "timeout" then return nil, signal end
  return code, signal
end

-- Runs this program to its end: {code, signal, stdout, stderr}.
function test.run(options)
  check_spawn("weir.test.run", options)
  local process = start_process(options)
  local lines, deadline = {}, deadline_of(options.timeout, "weir.test.run")
  while true do
    local line, err = check(core.process_line(process, math.max(0, deadline - core.now())))
    if err == "timeout" then
      core.process_kill(process, signals.KILL)
      check(core.process_wait(process))
      error("weir.test.run: still running after " .. (options.timeout or 15) .. " s: " .. table.concat(options, " "), 2)
    end
    if not line then break end
    lines[#lines + 1] = line .. "\n"
  end
  local code, signal = finish_process(process)
  return { code = code, signal = signal, stdout = table.concat(lines), stderr = core.process_stderr(process) }
end

local function await_listening(self, timeout)
  local deadline = deadline_of(timeout, "weir.test.spawn")
  while true do
    local line, err = check(core.process_line(self.process, math.max(0, deadline - core.now())))
    if not line then
      local said = core.process_stderr(self.process)
      self:close()
      error("weir.test.spawn: " .. (err == "timeout" and "not listening yet" or "ended before it listened") ..
        ": " .. said, 0)
    end
    local url, port = line:match("^weir: listening on (http://.-:(%d+))/?$")
    if url then return url, tonumber(port) end
  end
end

-- Starts this program in a process of its own: {"serve", path, ..., env = {}, cwd = "..."}; waits until it listens,
-- on a free port unless the arguments say where.
function test.spawn(options)
  check_spawn("weir.test.spawn", options)
  local args = { env = options.env, cwd = options.cwd, shell = options.shell }
  local listens = false
  for i, value in ipairs(options) do
    args[i] = value
    listens = listens or tostring(value):find("^%-%-listen") ~= nil
  end
  if not listens then
    args[#args + 1] = "--listen"
    args[#args + 1] = "127.0.0.1:0"
  end
  local self = track(setmetatable({ process = start_process(args) }, server_meta))
  self.url, self.port = await_listening(self, options.timeout or 10)
  self.address = self.url:match("//(.*)$")
  return self
end

-- Sends a signal by name, without "SIG", to a process of its own.
function server:signal(name)
  core.process_kill(self.process, signals[name] or error("weir.test: no signal " .. tostring(name), 2))
end

-- All that the process has written to standard error.
function server:stderr()
  return core.process_stderr(self.process)
end

-- Waits for the process's end: exit code, signal number | nil, "timeout".
function server:wait(timeout)
  local code, signal = finish_process(self.process, timeout)
  if code or signal ~= "timeout" then clients.forget(self) end
  return code, signal
end

-- Ends the process with a signal (TERM): exit code, standard error. Raises when it goes on after `timeout` s (15). One
-- that is killed ends as soon as the disk lets it: that may take longer.
function server:stop(signal, timeout)
  self:signal(signal or "TERM")
  local code, other = self:wait(timeout or (signal == "KILL" and 60 or 15))
  if not code and other == "timeout" then
    self:signal("KILL")
    self:wait()
    error("weir.test: the process did not end on " .. (signal or "TERM") .. ": " .. self:stderr(), 2)
  end
  return code, self:stderr()
end

---- without a socket ----

-- Gives the app a request {method, path, headers, body} without a connection: the response.
function test.simulate(app, request)
  check_options("weir.test.simulate", request, { "method", "path", "headers", "body" })
  local router = compiled(app)
  local response = check(core.simulate(router, app, {
    method = request.method or "GET",
    target = request.path or "/",
    headers = request.headers or {},
    body = request.body,
  }))
  local headers = {}
  for _, field in ipairs(response.headers) do
    local name, value = field[1]:lower(), field[2]
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  response.fields, response.headers = response.headers, headers
  response.json = clients.decode_json(response)
  return response
end

---- seeing inside ----

-- What lives in this loop and Lua state: {tasks, streams, connections, handles, refs}.
test.counters = core.counters

local errors = {
  ENOENT = 2, EINTR = 4, EIO = 5, EAGAIN = 11, ENOMEM = 12, EACCES = 13, ENFILE = 23, EMFILE = 24, ENOSPC = 28,
  EPIPE = 32, EOPNOTSUPP = 95, ECONNABORTED = 103, ECONNRESET = 104,
}

-- Passing the point `name` the next `skip` times succeeds, then fails `times` times with the error of that name.
function test.fault(name, err, skip, times)
  core.fault(name, errors[err] or error("weir.test.fault: no error " .. tostring(err), 2), skip or 0, times or 1)
end

test.fault_reset = core.fault_reset

local log = {}
test.log = log

local captured

-- From here on log lines are kept instead of written.
function log.start()
  if captured then core.log_capture(false) end
  captured = {}
  core.log_capture(true)
end

local function lines_for(name)
  if not captured then error(name .. ": nothing is captured: call weir.test.log.start() before", 3) end
  for _, line in ipairs(core.log_capture(false)) do captured[#captured + 1] = line end
  core.log_capture(true)
  return captured
end

-- All lines kept and not taken yet: a list of {level, text}.
function log.lines()
  local lines = lines_for "weir.test.log.lines"
  return lines
end

local LEVELS = { debug = true, info = true, warn = true, error = true }

-- Removes and returns the lines that match a pattern (all), of one level if given.
function log.take(pattern, level)
  local taken, left = {}, {}
  if level ~= nil and not LEVELS[level] then
    check_value("weir.test.log.take", "argument 2 (level)", level, '"debug", "info", "warn" or "error"')
  end
  for _, line in ipairs(lines_for "weir.test.log.take") do
    local matches = line.text:find(pattern or "") and (not level or line.level == level)
    table.insert(matches and taken or left, line)
  end
  captured = left
  return taken
end

-- Log lines are written again; returns those that were not taken.
function log.stop()
  local lines = lines_for "weir.test.log.stop"
  core.log_capture(false)
  captured = nil
  return lines
end

return test
