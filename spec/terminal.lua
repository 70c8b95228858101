-- A reader's terminals, with which a document is gone through from its top to its end: what it says to type is typed as
-- it stands, in one folder, and what it shows must come. Of the text only ports are replaced, and "$!" by what it is.
--
-- A command that begins with `weir serve` or `curl -N`, or ends with "&", runs on in a terminal of its own, and what is
-- shown below it is how its output begins; ^C ends it. All others run to their end in one shell: variables and the
-- folder stay as they are left. "…" is anything. It does not know what documents are.

local test = require "weir.test"
local support = require "spec.support"

local terminal = {}
terminal.__index = terminal

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- The program under its name: it listens where it is told here, as if nobody else had port 8080.
local wrapper = [[
#!/bin/sh
[ "$1" = serve ] && set -- "$@" --listen 127.0.0.1:%d
exec '%s' "$@"
]]

-- What curl does where it writes to a terminal, and no proxy of this machine.
local curlrc = 'no-progress-meter\nno-buffer\nnoproxy = "*"\n'

function terminal.new()
  local own = support.folder()
  local self = setmetatable({ own = own, folder = support.folder(), running = {}, addresses = {} }, terminal)
  local port = support.free_port()
  self:stands_for("127.0.0.1:8080", "127.0.0.1:" .. port)
  self:stands_for("127.0.0.1:9090", "127.0.0.1:" .. support.free_port())
  assert(os.execute(("mkdir '%s/bin'"):format(own)) == 0)
  local program = output_of("readlink /proc/$PPID/exe"):gsub("%s", "")
  support.write_file(own .. "/bin/weir", wrapper:format(port, program))
  assert(os.execute(("chmod +x '%s/bin/weir'"):format(own)) == 0)
  support.write_file(own .. "/.curlrc", curlrc)
  support.write_file(own .. "/cwd", self.folder .. "\n")
  support.write_file(own .. "/variables", ("export PATH='%s/bin:%s' CURL_HOME='%s'\n"):format(own, os.getenv "PATH",
    own))
  return self
end

-- What a document calls so is there in truth.
function terminal:stands_for(address, real)
  self.addresses[#self.addresses + 1] = { address, real }
end

function terminal:trust(certificate)
  support.write_file(self.own .. "/.curlrc", curlrc .. ('cacert = "%s"\n'):format(certificate))
end

local function replace(text, old, new)
  return (text:gsub(old:gsub("%p", "%%%0"), (new:gsub("%%", "%%%%"))))
end

function terminal:as_typed(text)
  for _, address in ipairs(self.addresses) do text = replace(text, address[1], address[2]) end
  return self.background and replace(text, "$!", tostring(self.background.pid)) or text
end

function terminal:as_shown(text)
  for _, address in ipairs(self.addresses) do text = replace(text, address[2], address[1]) end
  return text
end

local function pattern_of(expected)
  return (expected:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("…", ".-"))
end

-- ---- what runs on ---------------------------------------------------------------------------------------------------

local function runs_on(text)
  return text:find "^weir serve" or text:find "^curl %-N" or text:find "&$"
end

function terminal:begin(text)
  self.count = (self.count or 0) + 1
  local path = ("%s/%d"):format(self.own, self.count)
  support.write_file(path .. ".sh", (". '%s/variables'\ncd \"$(cat '%s/cwd')\"\nexec %s\n"):format(self.own, self.own,
    self:as_typed(text):gsub("%s*&$", "")))
  os.execute(("CURL_HOME='%s' sh '%s.sh' >'%s.out' 2>&1 </dev/null & echo $! >'%s.pid'"):format(self.own, path, path,
    path))
  local job = { text = text, out = path .. ".out", pid = tonumber((support.read_file(path .. ".pid"))), seen = 0 }
  self.running[#self.running + 1] = job
  if text:find "&$" then self.background = job end
  if text:find "^weir serve" then self.server = job else self.stream = job end
  return job
end

-- Waits until that job has put out what is expected, at once behind what was seen of it, or with `anywhere` somewhere.
function terminal:await(job, expected, anywhere)
  local pattern = (anywhere and "" or "^") .. pattern_of(expected)
  local rest = ""
  local ok = pcall(test.eventually, function()
    rest = self:as_shown(support.read_file(job.out) or ""):sub(job.seen + 1)
    local _, last = rest:find(pattern)
    if last then job.seen = job.seen + last end
    return last
  end, 20)
  if not ok then error(("%s: wanted\n%s\ngot\n%s"):format(job.text, expected, rest), 0) end
end

-- What the newest stream, or the server, puts out next.
function terminal:goes_on(expected) self:await(self.stream, expected) end
function terminal:server_says(expected) self:await(self.server, expected, true) end

-- Whether a job still runs. Its number may be somebody else's by now, whose environment is another one.
function terminal:is_running(job)
  return (support.read_file(("/proc/%d/environ"):format(job.pid)) or ""):find(self.own, 1, true) ~= nil
end

function terminal:await_end(job)
  test.eventually(function() return not self:is_running(job) end, 20)
end

-- Ends a job as ^C does. What a shell starts in the background does not hear SIGINT.
function terminal:interrupt(job)
  if self:is_running(job) then os.execute("kill " .. job.pid) end
  self:await_end(job)
end

function terminal:close()
  for _, job in ipairs(self.running) do
    if self:is_running(job) then os.execute("kill -9 " .. job.pid) end
  end
  self.running = {}
end

-- ---- what runs to its end -------------------------------------------------------------------------------------------

function terminal:run(text)
  local script = support.write_file(self.own .. "/command.sh",
    ("set -a\n. '%s/variables'\ncd \"$(cat '%s/cwd')\"\n%s\nexport -p >'%s/variables'\npwd >'%s/cwd'\n"):format(
      self.own, self.own, self:as_typed(text), self.own, self.own))
  return self:as_shown(output_of(("timeout 60 sh '%s' 2>&1 </dev/null"):format(script)))
end

local function assert_output(text, expected, got)
  got = got:gsub("\n?$", "\n", 1)
  if got == "\n" then got = "" end
  if not got:find("^" .. pattern_of(expected) .. "$") then
    error(("%s: wanted\n%s\ngot\n%s"):format(text, expected, got), 0)
  end
end

-- ---- typing ---------------------------------------------------------------------------------------------------------

-- Types a command, {text, expected, interrupt}, and looks at what comes back.
function terminal:type(command)
  local job
  if not command.text then
    job = self.server
  elseif runs_on(command.text) then
    job = self:begin(command.text)
    self:await(job, command.expected, job == self.server)
  else
    assert_output(command.text, command.expected, self:run(command.text))
    if command.text == "kill $!" then self:await_end(self.background) end
  end
  if command.interrupt then self:interrupt(job) end
end

local function reloads(job)
  return select(2, support.read_file(job.out):gsub("was n?o?t? ?reloaded", ""))
end

-- Saves a file in the folder where the reader is, and waits for a server that watches it.
function terminal:save(name, edit)
  local path = support.read_file(self.own .. "/cwd"):gsub("\n", "") .. "/" .. name
  local before = support.read_file(path)
  local text = edit(before)
  local watching = self.server and self.server.text:find "--watch" and name == "app.lua" and before ~= text
  local count = watching and reloads(self.server)
  support.write_file(path .. ".new", text)
  assert(os.rename(path .. ".new", path))
  if watching then test.eventually(function() return reloads(self.server) > count end, 20) end
end

return terminal
