-- Http11Probe's cases (tests/vectors/http11probe, whose SOURCE.md says what the data means): what a server is sent, on
-- a connection for each, and which answers the RFCs allow. All are played beside each other, then judged.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local PLAYERS = 16
local WAIT = 10 -- seconds, after which no answer is none; only what Weir rightly waits for takes them

local data = assert(weir.json.decode(support.read_file "tests/vectors/http11probe/cases.json"))

-- ---- the app that Http11Probe asks for ------------------------------------------------------------------------------

local function list(fields, format)
  local lines = {}
  for name, value in pairs(fields) do lines[#lines + 1] = format:format(name, value) end
  return table.concat(lines)
end

local function serve(folder)
  support.write_file(folder .. "/ok.txt", "OK")
  return support.serve(function(app)
    local function echo(stream) return list(stream.headers, "%s: %s\n") end
    app:get("/", function(stream) return stream:file("ok.txt", { root = folder }) end)
    app:post("/", function(stream) return stream:body() end)
    app:get("/echo", echo)
    app:post("/echo", echo)
    app:get("/cookie", function(stream) return list(stream.cookies, "%s=%s\n") end)
    app:get("/*path", function() return "OK" end)
  end)
end

-- ---- playing --------------------------------------------------------------------------------------------------------

-- The code points 0 to 255 are bytes.
local function latin1(text)
  return (text:gsub("([\194\195])([\128-\191])", function(lead, byte)
    return string.char(lead:byte() % 4 * 64 + byte:byte() % 64)
  end))
end

local function repeated(text, times)
  if not text:find("%d", 1, true) then return text:rep(times) end
  local pieces = {}
  for i = 0, times - 1 do pieces[#pieces + 1] = (text:gsub("%%d", tostring(i))) end
  return table.concat(pieces)
end

-- The bytes of a step; a second one may use what the answer to the first said.
local function bytes_of(parts, first)
  local pieces = {}
  for i, part in ipairs(type(parts) == "string" and { parts } or parts) do
    pieces[i] = latin1(type(part) == "table" and repeated(part[1], part[2]) or part)
  end
  local bytes = table.concat(pieces)
  if not first then return bytes end
  local etag = first.fields.etag or '"no-etag"'
  local values = {
    ["{etag}"] = etag,
    ["{etag:bare}"] = etag:gsub("^W/", ""):gsub('"', ""),
    ["{etag:weak}"] = "W/" .. etag:gsub("^W/", ""),
    ["{last-modified}"] = first.fields["last-modified"] or "Thu, 01 Jan 2099 00:00:00 GMT",
  }
  return (bytes:gsub("{[%a:-]+}", values))
end

-- What one step brought: the bytes, and whether the connection was open, closed, timed out, or the step skipped.
local function answer(raw, state)
  local result = { raw = raw, state = state, fields = {}, body = raw:match "\r\n\r\n(.*)" or "" }
  local status, head = raw:match "^%S+ (%d+)[^\n]*\n(.*)"
  if not status then return result end
  result.status = tonumber(status)
  for line in head:gmatch "([^\n]*)\n" do
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    if not name then break end
    name = name:lower()
    result.fields[name] = result.fields[name] and result.fields[name] .. ", " .. value or value
  end
  return result
end

-- Up to the end of a head, and what else comes: to the end that the head announces, or what is there soon after.
local function receive(client)
  local head, why, partial = client:receive("\r\n\r\n", WAIT)
  if not head then return answer(partial, why == "timeout" and "timeout" or "closed") end
  local closes = head:lower():find("\r\nconnection: close\r\n", 1, true)
  local rest, ending = client:receive_all(closes and 10 or 0.1)
  return answer(head .. rest, ending == "timeout" and "open" or "closed")
end

local function play(server, case)
  local answers = {}
  local client = server:connect()
  for i, parts in ipairs(case.send) do
    if i > 1 and answers[i - 1].state ~= "open" then
      answers[i] = answer("", "skipped")
    else
      client:send(bytes_of(parts, answers[1])) -- what was said before it closed can still be read
      answers[i] = receive(client)
    end
  end
  client:close()
  return answers
end

-- ---- judging --------------------------------------------------------------------------------------------------------

-- A body without its chunked framing and without the line ends behind it.
local function content(step)
  if not (step.fields["transfer-encoding"] or ""):find "chunked" then return (step.body:gsub("[\r\n]+$", "")) end
  local pieces, rest = {}, step.body
  while true do
    local size, after = rest:match "^(%x+)[^\r]*\r\n(.*)"
    size = tonumber(size or 0, 16)
    if size == 0 then return table.concat(pieces) end
    pieces[#pieces + 1], rest = after:sub(1, size), after:sub(size + 3)
  end
end

local function has_line(body, value)
  local exact = value:sub(1, 1) == "="
  value = exact and value:sub(2) or value:lower()
  for line in body:gmatch "[^\r\n]+" do
    line = line:gsub("^([^:]*):%s*(.-)%s*$", "%1: %2")
    if (exact and line or line:lower()) == value then return true end
  end
  return false
end

local by_name = {
  none = function(step) return step.status == nil end,
  empty = function(step) return step.body == "" end,
  twice = function(step) return select(2, step.raw:gsub("HTTP/%d%.%d %d%d%d", "")) >= 2 end,
  ["imf-date"] = function(step)
    return (step.fields.date or ""):find "^%u%l%l, %d%d %u%l%l %d%d%d%d %d%d:%d%d:%d%d GMT$" ~= nil
  end,
}
for _, state in ipairs { "open", "closed", "timeout", "skipped" } do
  by_name[state] = function(step) return step.state == state end
end

local by_key = {
  has = function(step, name) return step.fields[name:lower()] ~= nil end,
  echo = function(step, value) return content(step) == value or content(step) == "OK" end,
  text = function(step, value) return step.body:lower():find(value:lower(), 1, true) ~= nil end,
  line = function(step, value) return has_line(step.body, value) end,
}

-- "400 505", "2xx", "200-205"
local function has_status(step, wanted)
  for range in wanted:gmatch "%S+" do
    local low, high = range:gsub("xx", "00"):match "^(%d+)%-?(%d*)$"
    low, high = tonumber(low), tonumber(high) or tonumber(low) + (range:find "xx" and 99 or 0)
    if step.status and step.status >= low and step.status <= high then return true end
  end
  return false
end

local function holds(condition, answers)
  local nth, rest = condition:match "^(%d):(.*)"
  local step = answers[tonumber(nth or 1)]
  condition = rest or condition
  if condition:sub(1, 1) == "!" then return not holds((nth or "1") .. ":" .. condition:sub(2), answers) end
  local key, value = condition:match "^(%a+)=(.*)"
  if key then return by_key[key](step, latin1(value)) end
  if by_name[condition] then return by_name[condition](step) end
  return has_status(step, condition)
end

local function verdict(rules, answers)
  for _, rule in ipairs(rules) do
    local all = true
    for i = 2, #rule do all = all and holds(rule[i], answers) end
    if all then return rule[1] end
  end
  error "rules without an end"
end

-- ---------------------------------------------------------------------------------------------------------------------

describe("Http11Probe's case", function()
  local played = {}

  setup(function()
    test.log.start() -- of what is refused there is a line each
    local server = serve(support.folder())
    local at, tasks = 0, {}
    local function take_cases()
      while at < #data.cases do
        at = at + 1
        local case = data.cases[at]
        played[case.id] = play(server, case)
      end
    end
    for i = 1, PLAYERS do tasks[i] = weir.background(take_cases) end
    for _, task in ipairs(tasks) do assert.is_nil(select(2, task:join())) end
    test.log.stop()
  end)

  teardown(support.remove_folders)

  it("are 215, of which 161 count", function()
    local scored = 0
    for _, case in ipairs(data.cases) do scored = scored + (case.scored and 1 or 0) end
    assert.equal(215, #data.cases)
    assert.equal(161, scored)
  end)

  for _, case in ipairs(data.cases) do
    if case.scored then
      it(case.id .. " holds", function()
        local expect, got = (case.amended or case).expect, {}
        local rules = type(expect) == "string" and data.expectations[expect] or expect
        for i, step in ipairs(played[case.id]) do
          got[i] = (step.status or "no answer") .. " " .. step.state
        end
        local result = verdict(rules, played[case.id])
        assert.is_true(result == "pass" or result == "warn", ("%s: %s; got %s"):format(result,
          type(expect) == "string" and expect or weir.json.encode(expect), table.concat(got, "; ")))
      end)
    end
  end
end)
