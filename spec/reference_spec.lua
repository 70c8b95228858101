-- Every example of lua/REFERENCE.md that is marked does what the text beside it says.
--
--   ```lua app   code with `weir`, `app` and `folder`; the ```http block behind it holds exchanges with that app:
--                lines after ">" are sent, lines after "<" must come back (of the header fields those that are named);
--                those of a multipart body end with CRLF
--                "lua app file": the same as an app's file, for what can only be said while that loads
--   ```lua run   code with `weir` and `folder`, run in a task; what it prints must be the ```text block behind it, and
--                what it logs the ```log block

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local reference = "lua/REFERENCE.md"

-- ---- taking the text apart ------------------------------------------------------------------------------------------

-- All fenced blocks: {info = "lua app", text, line = of its first line, heading = that it is under}.
local function read_blocks(text)
  local blocks, block, heading, number = {}, nil, "", 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local fence = line:match("^```(.*)$")
    if fence and block then
      block.text = table.concat(block.lines, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif fence then
      block = { info = fence, line = number + 1, heading = heading, lines = {} }
    elseif block then
      block.lines[#block.lines + 1] = line
    else
      heading = line:match("^#+ (.*)$") or heading
    end
  end
  return blocks
end

-- What stands after a ">" or "<": the first line, header fields, and after an empty line the body.
local function read_message(lines)
  local message = { first = table.remove(lines, 1), fields = {}, body = "" }
  while lines[1] and lines[1] ~= "" do
    local name, value = table.remove(lines, 1):match("^([^:]+): (.*)$")
    message.fields[#message.fields + 1] = { name, value }
  end
  table.remove(lines, 1)
  message.body = table.concat(lines, "\n")
  return message
end

local function read_exchanges(text)
  local exchanges, exchange = {}, nil
  for line in text:gmatch("([^\n]*)\n") do
    local sign, rest = line:match("^([<>]) ?(.*)$")
    if sign == ">" then
      exchange = exchange and #exchange["<"] == 0 and exchange or nil
      if not exchange then
        exchange = { [">"] = {}, ["<"] = {} }
        exchanges[#exchanges + 1] = exchange
      end
    end
    if sign then table.insert(exchange[sign], rest) else assert(line == "", "an http block with: " .. line) end
  end
  for i, lines in ipairs(exchanges) do
    exchanges[i] = { request = read_message(lines[">"]), response = read_message(lines["<"]) }
  end
  return exchanges
end

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
  local exchanges = read_exchanges(http.text)
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
  if expected.info == "log" then
    for _, line in ipairs(test.log.take()) do printed[#printed + 1] = line.level .. " " .. line.text .. "\n" end
  end
  assert.equal(expected.text, table.concat(printed))
end

describe("lua/REFERENCE.md", function()
  after_each(support.remove_folders)

  local blocks = read_blocks((assert(support.read_file(reference), "run the specs from the repository's folder")))
  local examples = 0
  for i, block in ipairs(blocks) do
    local after = blocks[i + 1] or { info = "nothing" }
    local name = ("line %d, %s"):format(block.line, block.heading)
    if block.info == "lua app" or block.info == "lua app file" then
      examples = examples + 1
      it(name, function()
        assert.equal("http", after.info, "what must follow it")
        run_app((block.info == "lua app" and serve or serve_file)(block), after)
      end)
    elseif block.info == "lua run" then
      examples = examples + 1
      it(name, function()
        assert.is_true(after.info == "text" or after.info == "log", "what must follow it")
        run_code(block, after)
      end)
    elseif block.info == "lua" then
      it(name .. ", compiles", function() assert(loadstring(block.text)) end)
    end
  end

  -- The program is where it will be installed, and a minimal machine has no kill.
  it("has units that systemd takes", function()
    local folder, paths = support.folder(), {}
    for _, block in ipairs(blocks) do
      if block.info == "ini" then
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
