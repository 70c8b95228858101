-- logtail: the lines of a growing file, on a page and for curl, as they are written.
--
--   WEIR_LOG=/var/log/syslog weir serve apps/logtail

local weir = require "weir"

local path = os.getenv "WEIR_LOG"
local lines = 200 -- so many of those already written come first
local heartbeat = 5 -- seconds; the page takes three of them without a byte for a dead connection

local app = weir.app()

-- Events for the page. A connection opens with `start`; after it each line is a message, whose id is its place in the
-- file. Who comes back with one gets what came after it, and `start` says so.
local function events(stream)
  local sse = stream:sse { hello = true, heartbeat = heartbeat, heartbeat_event = "heartbeat" }
  if (path or "") == "" then
    sse:send { event = "setup", data = "set WEIR_LOG to the absolute path of a file, and start weir again" }
    return
  end
  local after = sse.last_event_id or stream.query.after
  sse:send { event = "start", data = { path = path, lines = lines, resumed = after ~= nil } }
  for line, id, gap in weir.tail(path, { lines = lines, after = after }) do
    if gap then sse:send { event = "gap", data = gap } end
    if not sse:send { id = id, data = line } then break end
  end
end

-- The same for programs: text, or a JSON object on each line.
local function text(stream, kind, format)
  if (path or "") == "" then weir.fail(404, "WEIR_LOG is not set") end
  stream:header("Content-Type", kind)
  for line, id, gap in weir.tail(path, { lines = lines, after = stream.query.after }) do
    if not stream:write(format(line, id, gap) .. "\n") then break end
  end
end

local function as_text(line, _, gap)
  return gap and ("-- %s lines are missing --\n%s"):format(gap.lines or "some", line) or line
end

local function as_json(line, id, gap)
  return weir.json.encode { id = id, line = line, gap = gap }
end

app:get("/lines", function(stream)
  stream:header("Vary", "Accept")
  local accept = stream.headers.accept or ""
  if accept:find("application/x-ndjson", 1, true) then return text(stream, "application/x-ndjson", as_json) end
  if accept:find("text/plain", 1, true) then return text(stream, "text/plain; charset=utf-8", as_text) end
  events(stream)
end)

app:static("/", "public")

return app
