-- What the documents say is so: every example of README.md, lua/README.md and lua/REFERENCE.md that is marked does what
-- stands beside it.
--
--   ```lua app   code with `weir`, `app` and `folder`; the ```http block behind it holds exchanges with that app:
--                lines after ">" are sent, lines after "<" must come back (of the header fields those that are named);
--                those of a multipart body end with CRLF
--                "lua app file": the same as an app's file, for what can only be said while that loads
--   ```lua run   code with `weir` and `folder`, run in a task; what it prints must be the ```text block behind it, and
--                what it logs the ```log block
--
-- The first two are gone through from the top to the end, as a reader does (spec/terminal.lua):
--
--   ```console   is typed behind "$ ", and what comes back
--   ```text stream, ```text server   what the newest stream, or the server's log, has next
--   ```lua FILE  is saved: of a file that is there the parts that define the same give way (document_blocks.grow)
--
-- What needs root there is not fenced: https://events.example is nginx with the configuration that is shipped.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local blocks = require "spec.document_blocks"
local terminal = require "spec.terminal"
local fronts = require "tests.fronts.front"

-- ---- running it -----------------------------------------------------------------------------------------------------

-- The block as a function. What it prints is gathered in `printed`.
local function load_block(block, folder, globals, printed)
  local chunk = assert(loadstring(block.text, "=README.md"))
  local env = { weir = weir, folder = folder, io = { write = function(text) printed[#printed + 1] = text end } }
  function env.print(...)
    local words = {}
    for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
    printed[#printed + 1] = table.concat(words, "\t") .. "\n"
  end
  for name, value in pairs(globals) do env[name] = value end
  return setfenv(chunk, setmetatable(env, { __index = _G }))
end

local function check_exchange(server, exchange)
  local method, target = exchange.request.first:match("^(%u+) (%S+)$")
  local headers = {}
  for _, field in ipairs(exchange.request.fields) do
    local name, value = field[1], field[2]
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  local body = exchange.request.body
  if (headers["Content-Type"] or ""):find "^multipart/" then body = body:gsub("\n", "\r\n") end
  local response = assert(server:request(method, target, { headers = headers, body = body ~= "" and body or nil }))
  local what = exchange.request.first
  assert.equal(tonumber(exchange.response.first), response.status, what)
  for _, field in ipairs(exchange.response.fields) do
    assert.equal(field[2], response.headers[field[1]:lower()], what .. ": " .. field[1])
  end
  assert.equal(exchange.response.body, (response.body:gsub("\n$", "")), what)
end

local function serve(block)
  local app = weir.app()
  load_block(block, support.folder(), { app = app }, {})()
  return test.start(app)
end

local function serve_file(block)
  return support.serve_text('local weir = require "weir"\nlocal app = weir.app()\n' .. block.text .. "return app\n")
end

local function run_app(server, http)
  local exchanges = blocks.exchanges(http.text)
  assert.is_true(#exchanges > 0)
  for _, exchange in ipairs(exchanges) do check_exchange(server, exchange) end
  test.log.take("no luck", "error") -- of the example for app:on_error
end

local function run_code(block, expected)
  local printed = {}
  local ok, err
  local chunk = load_block(block, support.folder(), {}, printed)
  weir.spawn(function() ok, err = xpcall(chunk, debug.traceback) end):join() -- a stack that is gone afterwards
  assert.is_true(ok, err)
  if expected.kind == "log" then
    for _, line in ipairs(test.log.take()) do printed[#printed + 1] = line.level .. " " .. line.text .. "\n" end
  end
  assert.equal(expected.text, table.concat(printed))
end

-- Whether a block is an example by itself, and what runs it.
local runners = {
  ["lua app"] = function(block, after)
    assert.equal("http", after.kind, "what must follow it")
    run_app(serve(block), after)
  end,
  ["lua app file"] = function(block, after)
    assert.equal("http", after.kind, "what must follow it")
    run_app(serve_file(block), after)
  end,
  ["lua run"] = function(block, after)
    assert.is_true(after.kind == "text" or after.kind == "log", "what must follow it")
    run_code(block, after)
  end,
  ["lua"] = function(block) assert(loadstring(block.text)) end,
}

describe("the reference", function()
  after_each(support.remove_folders)

  local list, examples = blocks.read "lua/REFERENCE.md", 0
  for i, block in ipairs(list) do
    local run = runners[block.kind]
    if run then
      examples = examples + 1
      local after = list[i + 1] or { kind = "nothing" }
      it(("line %d, %s"):format(block.line, block.heading), function() run(block, after) end)
    end
  end

  -- The program is where it will be installed, and a minimal machine has no kill.
  it("has units that systemd takes", function()
    local folder, paths = support.folder(), {}
    for _, block in ipairs(list) do
      if block.kind == "ini" then
        local name = assert(block.text:match "^# /etc/systemd/system/(%S+)\n")
        local path = folder .. "/" .. name
        support.write_file(path, (block.text:gsub("/usr/local/bin/weir", "/bin/true"):gsub("/bin/kill", "/bin/true")))
        paths[#paths + 1] = path
        for line in block.text:gmatch "[^\n]+" do assert.is_nil(line:match "^[^#]+#", line) end
      end
    end
    table.sort(paths)
    assert.same({ folder .. "/weir.service", folder .. "/weir.socket" }, paths)
    local pipe = assert(io.popen("systemd-analyze verify --man=no " .. table.concat(paths, " ") .. " 2>&1; echo $?"))
    local said = pipe:read "*a"
    pipe:close()
    assert.equal("0\n", said)
  end)

  it("has examples", function() assert.is_true(examples > 40, examples .. " examples") end)
end)

-- ---- going through it -----------------------------------------------------------------------------------------------

-- Where a part goes that defines nothing that is there: in front of this.
local last_parts = { ["app.lua"] = 'app:static("/"' }

local function save(at, name, text)
  at:save(name, function(before)
    local last = before and last_parts[name]
    return last and blocks.grow(before, text, last) or text
  end)
end

local function start_nginx(at)
  local front = fronts.start("nginx", fronts.shipped "weir", { port = assert(at.addresses[1][2]:match "%d+$") })
  at:trust(front.folder .. "/certificate.pem")
  at:stands_for("events.example", "127.0.0.1:" .. front.https.port)
end

local steps = {
  ["console"] = function(at, block)
    if block.text:find("events.example", 1, true) then start_nginx(at) end
    for _, command in ipairs(blocks.commands(block.text)) do at:type(command) end
  end,
  ["text stream"] = function(at, block) at:goes_on(block.text) end,
  ["text server"] = function(at, block) at:server_says(block.text) end,
}

-- What is done with a block, or nil where it is only read.
local function step(block)
  local name = block.kind:match "^%l+ ([%w_/]+%.%l+)$"
  if name then return function(at) save(at, name, block.text) end end
  return steps[block.kind]
end

for _, path in ipairs { "README.md", "lua/README.md" } do
  -- A chapter goes on where the one before it has ended; alone it goes through those before it, too.
  describe(path .. ", from the top to the end #once", function()
    local list, at, done = blocks.read(path), nil, 0

    setup(function() at = terminal.new() end)
    teardown(function()
      at:close()
      fronts.stop()
      support.remove_folders()
    end)

    local function go_to(last)
      while done < last do
        done = done + 1
        local run = step(list[done])
        if run then
          local ok, err = pcall(run, at, list[done])
          if not ok then error(("%s:%d: %s"):format(path, list[done].line, tostring(err)), 0) end
        end
      end
    end

    local active = {} -- chapters that have something to do
    for i, block in ipairs(list) do
      local next_block = list[i + 1]
      if step(block) then active[block.chapter] = true end
      local ends = not next_block or next_block.chapter ~= block.chapter
      if ends and active[block.chapter] then it(block.chapter, function() go_to(i) end) end
      local run = runners[block.kind]
      if run then it(("line %d"):format(block.line), function() run(block, next_block) end) end
    end
  end)
end
