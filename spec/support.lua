-- What several specs need: apps made on the spot, folders that go away by themselves.

local assert = require "luassert" -- which is callable, too
local weir = require "weir"
local test = require "weir.test"

local support = {}

-- Serves the app that `define(app)` fills, in this state: what its handlers note in upvalues the spec can see.
function support.serve(define)
  local app = weir.app()
  define(app)
  return test.start(app)
end

-- Asks the app that `define(app)` fills without a socket.
function support.ask(define, method, path, options)
  local app = weir.app()
  define(app)
  options = options or {}
  return test.simulate(app, { method = method, path = path, headers = options.headers, body = options.body })
end

function support.write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

function support.append_file(path, text)
  local file = assert(io.open(path, "ab"))
  file:write(text)
  file:close()
end

function support.read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local folders = {}

-- A new empty folder; `remove_folders`, for after_each, removes all.
function support.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir '" .. path .. "'") == 0)
  folders[#folders + 1] = path
  return path
end

function support.remove_folders()
  for _, path in ipairs(folders) do os.execute("rm -rf '" .. path .. "'") end
  folders = {}
end

-- A folder with an app.lua of that text: the path of the file and of its folder.
function support.app_file(text)
  local folder = support.folder()
  return support.write_file(folder .. "/app.lua", text), folder
end

-- Serves an app of that text from a file, in a Lua state of its own.
function support.serve_text(text)
  return test.start((support.app_file(text)))
end

-- A port that a server of ours had just now.
function support.free_port()
  local server = support.serve(function() end)
  local port = server.port
  server:close()
  return port
end

local function output(command)
  local pipe = io.popen(command)
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- The blocks for the shell behind a heading, and what each prints.
local function examples(path, heading)
  local list = {}
  local text = support.read_file(path):match("## " .. heading .. "\n(.*)")
  for code, printed in text:gmatch "```sh\n(.-)```\n```text\n(.-)```" do list[#list + 1] = { code, printed } end
  return list
end

-- Runs a README's examples in one shell, in an empty folder, with `weir` and behind the lines `before`; what each
-- prints must be what stands below it, where "…" is anything. How many there are.
function support.assert_examples(path, heading, before, server)
  local weir_is = output("readlink /proc/$PPID/exe"):gsub("%s", "")
  local script = { "cd " .. support.folder(), before, ("weir() { '%s' \"$@\"; }"):format(weir_is) }
  local blocks = examples(path, heading)
  for _, block in ipairs(blocks) do
    script[#script + 1] = block[1]:gsub("127%.0%.0%.1:8080", server.address) .. "printf '\\f'"
  end
  local file, i = support.write_file(support.folder() .. "/script", table.concat(script, "\n")), 0
  for got in output("sh " .. file):gmatch "([^\f]*)\f" do
    i = i + 1
    local wanted = blocks[i][2]:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("…", ".-"):gsub("%s+", "%%s*")
    assert(got:find("^%s*" .. wanted .. "%s*$"), ("%s: wanted %s\ngot %s"):format(path, blocks[i][2], got))
  end
  assert(i == #blocks, path .. ": the shell ended in the middle")
  return i
end

-- A FIFO whose reader, the spec, rests: its path, and it, open.
function support.resting_pipe()
  local path = support.folder() .. "/pipe"
  assert(os.execute("mkfifo '" .. path .. "'") == 0)
  return path, assert(io.open(path, "r+"))
end

-- A server that says "well" at / does so twenty times, nothing keeping it.
function support.all_answer(server)
  for _ = 1, 20 do
    local response = server:get("/", { timeout = 20 })
    assert.is_table(response, "no answer")
    assert.equal("well", response.body)
  end
end

-- Waits until `count()` has stayed the same for 50 ms: what the kernel still takes from a writer whose client does not
-- read comes to its end by itself.
function support.standstill(count)
  local before, same = nil, 0
  while same < 5 do
    weir.sleep(0.01)
    local now = count()
    same = now == before and same + 1 or 0
    before = now
  end
  return before
end

-- The set of methods in an Allow field, sorted: "GET HEAD OPTIONS".
function support.allowed(response)
  local methods = {}
  for method in (response.headers.allow or ""):gmatch("[^,%s]+") do methods[#methods + 1] = method end
  table.sort(methods)
  return table.concat(methods, " ")
end

return support
