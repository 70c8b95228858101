-- The page of apps/logtail on a log that is made up, for what a real one cannot do on demand: thousands of lines a
-- second for as long as it is told, gaps, slow filters, sources that come and go. It says the events of apps/logtail.
--
-- Line n of the log is line(n), whenever it is asked for, so a page can be held against it. Of two sources
-- (MOCK_SOURCES=2) one has the odd lines and the other the even ones. A filter is the texts that lines contain.
--
--   POST write?lines=N             N more at once          POST gap?lines=N   what comes next is skipped, and told
--   POST rate?per=N&seconds=N      N more in each second   POST lose?lines=N  the same, and nobody has them
--   POST source?key=K&state=S      a source's state        POST slow          the filter was slow

local weir = require "weir"
local json = weir.json

local BATCH, BEGIN = 250, 1764500000
local keys = tonumber(os.getenv "MOCK_SOURCES") == 2 and { "0000000a", "0000000b" } or { "0000000a" }
local sources = {}
for i, key in ipairs(keys) do
  sources[i] = { key = key, path = ("/var/log/made-up-%d.log"):format(i), labels = json.array {}, state = "found" }
end
if keys[2] then sources[1].labels, sources[2].labels = { service = "shop", host = "web1" }, { service = "mail" } end

local written = tonumber(os.getenv "MOCK_LINES") or 0
local pace -- { from, per, seconds, start }: what is written by itself
local told = {} -- events for all who follow, in their order

local function write()
  if not pace then return end
  local passed = math.min(weir.now() - pace.start, pace.seconds)
  written = pace.from + math.floor(passed * pace.per)
  if passed == pace.seconds then pace = nil end
end

-- ---- lines ----------------------------------------------------------------------------------------------------------

local function text(n)
  if n % 97 == 0 then return "error", ("ERROR line %d. the disk is full: cannot write part %d"):format(n, n % 13) end
  if n % 31 == 0 then return "warn", ("\27[33mWARN\27[0m line %d. retrying after %d ms"):format(n, n % 900) end
  if n % 5 ~= 0 then
    return "info", ("INFO line %d. GET /articles/%d took %d ms"):format(n, n * 7 % 1000, n * 13 % 300)
  end
  return "info", json.encode { level = "info", msg = ("line %d."):format(n), status = n % 35 == 0 and 404 or 200,
    user = { id = n % 7 }, path = ("/articles/%d"):format(n * 7 % 1000) }
end

local function key_of(n) return keys[n % #keys + 1] end

local function line(n)
  local level, said = text(n)
  return { id = ("%s~%d"):format(key_of(n), n), t = BEGIN + n / 100, level = level, line = said }
end

local function wanted(stream, n)
  local one = line(n)
  local only = stream:query_all "only"
  for _, part in ipairs(stream:query_all "text") do
    if not one.line:find(part, 1, true) then return nil end
  end
  if #only > 0 and not table.concat(only, " "):find(key_of(n), 1, true) then return nil end
  return one
end

local function number_of(id) return tonumber((id or ""):match "~(%d+)$") end

-- An event of lines, whose id is that of the last.
local function event(records)
  local parts = {}
  for i, record in ipairs(records) do parts[i] = json.encode(record) end
  return { event = "lines", data = table.concat(parts, "\n"), id = records[#records].id }
end

-- ---- what the page asks for -----------------------------------------------------------------------------------------

local function tell_sources(sse)
  for _, source in ipairs(sources) do sse:send { event = "source", data = source } end
end

-- All from `n` on, as far as it is written; where it goes on.
local function send_lines(sse, stream, n)
  while n <= written do
    local records = {}
    while n <= written and #records < BATCH do
      records[#records + 1] = wanted(stream, n)
      n = n + 1
    end
    if #records > 0 then sse:send(event(records)) end
    weir.sleep(0)
  end
  return n
end

local function send_told(sse, seen, n)
  for i = seen + 1, #told do
    local one = told[i]
    sse:send { event = one.event, data = one.data }
    n = math.max(n, one.behind or 0)
  end
  return #told, n
end

local app = weir.app()

app:get("/lines", function(stream)
  local sse = stream:sse { hello = true, heartbeat = 5, heartbeat_event = "heartbeat" }
  tell_sources(sse)
  local after = number_of(stream.headers["last-event-id"])
  local n = after and after + 1 or math.max(1, written - (tonumber(stream.query.lines) or 200) + 1)
  local seen = #told
  while true do
    write()
    seen, n = send_told(sse, seen, n)
    n = send_lines(sse, stream, n)
    weir.sleep(0.02)
  end
end)

-- From the end backward: batches come newest first, each with its oldest line first.
app:get("/search", function(stream)
  local sse = stream:sse { hello = true }
  tell_sources(sse)
  local left, n, records = tonumber(stream.query.lines) or 1000, number_of(stream.query.before) or written, {}
  while n > 0 and left > 0 do
    local one = wanted(stream, n)
    if one then
      table.insert(records, 1, one)
      left = left - 1
    end
    n = n - 1
    if #records == BATCH or (#records > 0 and (n == 0 or left == 0)) then
      sse:send(event(records))
      records = {}
    end
  end
  sse:send { event = "progress", data = { bytes = written - n, of = written } }
  sse:send { event = "end", data = n > 0 and { older = line(n).id } or json.array {} }
end)

app:get("/read", function(stream)
  local sse = stream:sse { hello = true }
  tell_sources(sse)
  local left, n, records = tonumber(stream.query.lines) or 1000, (number_of(stream.query.after) or 0) + 1, {}
  local last = math.min(number_of(stream.query.upto) or written, written)
  while n <= last and left > 0 do
    local one = wanted(stream, n)
    if one then
      records[#records + 1] = one
      left = left - 1
    end
    n = n + 1
  end
  if #records > 0 then sse:send(event(records)) end
  sse:send { event = "end", data = n <= last and { newer = line(n - 1).id } or json.array {} }
end)

app:get("/sources", function() return json.array(sources) end)

-- ---- what a test asks for -------------------------------------------------------------------------------------------

app:post("/write", function(stream)
  written = written + tonumber(stream.query.lines)
  return { written = written }
end)

app:post("/rate", function(stream)
  local per, seconds = tonumber(stream.query.per), tonumber(stream.query.seconds)
  pace = { from = written, per = per, seconds = seconds, start = weir.now() }
  return { from = written, to = written + per * seconds }
end)

-- The newest line of a source up to n.
local function newest(key, n)
  while key_of(n) ~= key do n = n - 1 end
  return line(n).id
end

local function skip(stream, place)
  local lines = tonumber(stream.query.lines)
  for i, key in ipairs(keys) do
    local data = { source = key, lines = 0 }
    for n = written + 1, written + lines do data.lines = data.lines + (key_of(n) == key and 1 or 0) end
    if place then data.from, data.to = newest(key, written), newest(key, written + lines) end
    told[#told + 1] = { event = "gap", data = data, behind = i == #keys and written + lines + 1 or 0 }
  end
  written = written + lines
end

app:post("/gap", function(stream) skip(stream, true) end)
app:post("/lose", function(stream) skip(stream, false) end)

app:post("/slow", function() told[#told + 1] = { event = "slow", data = { ms = 7.1, lines = 512 } } end)

app:post("/source", function(stream)
  for _, source in ipairs(sources) do
    if source.key == stream.query.key then
      source.state, source.why = stream.query.state, stream.query.why
      told[#told + 1] = { event = "source", data = source }
    end
  end
end)

app:static("/", "../../../apps/logtail/public")

return app
