-- answer: what weir.logs tells, on its way to a client.
--
--   { id, event, data } --> events        for a page: as it is
--                       |-> ndjson        a line is an object; what else is told is {"event": …, "data": …}
--                       `-> text          a line is a line; what is missing is said between two dashes
--
-- Live ones end when another configuration comes into force: who comes back goes on behind the last line that they had,
-- with what they may read from then on.

local weir = require "weir"
local configuration = require "logtail.configuration"

local answer = {}

local HEARTBEAT = 5 -- seconds; a page takes three of them without a byte for a dead connection

local formats = { events = "text/event-stream", ndjson = "application/x-ndjson", text = "text/plain; charset=utf-8" }

--- "events", "ndjson" or "text": what a request wants, by ?format=, else by what it accepts.
function answer.format(stream)
  local named, accept = stream.query.format, stream.headers.accept or ""
  if named and not formats[named] then weir.fail(400, "format must be events, ndjson or text\n") end
  if named then return named end
  if accept:find("application/x-ndjson", 1, true) then return "ndjson" end
  return accept:find("text/plain", 1, true) and "text" or "events"
end

-- ---- formats --------------------------------------------------------------------------------------------------------

local function as_ndjson(event)
  if event.event == "lines" then return event.data end
  return ('{"data":%s,"event":"%s"}'):format(event.data, event.event)
end

local function as_text(event)
  if event.event == "lines" then return event.data end
  local told = weir.json.decode(event.data)
  if event.event == "gap" then return ("-- %s lines are missing --"):format(told.lines or "some") end
  if event.event ~= "source" or told.state == "found" then return nil end
  return ("-- %s: %s --"):format(told.path, told.why or told.state)
end

-- ---- the configuration ----------------------------------------------------------------------------------------------

-- Returns when other settings than these are in force.
local function watch(settings, tell)
  local told
  while true do
    local turn, problem = configuration.turn(), configuration.problem()
    if configuration.current() ~= settings then return end
    if problem ~= told then tell(problem) end
    told = problem
    turn:recv()
  end
end

--- Runs `send` as long as a view's settings are in force. `tell` is called with what is wrong with those that should
--- have come, now and whenever that changes.
function answer.send_while(of, send, tell)
  weir.race { send, function() watch(of.settings, tell) end }
end

--- An event stream for a page.
function answer.stream(stream)
  return stream:sse { hello = true, heartbeat = HEARTBEAT, heartbeat_event = "heartbeat" }
end

-- ---- sending --------------------------------------------------------------------------------------------------------

--- What weir.logs gives for a question, `how` being "follow", "search" or "read": an iterator. What it has against that
--- is 400.
function answer.ask(of, how, asked, format)
  asked.format = format == "text" and "text" or "json"
  local ok, events = pcall(of.logs[how], of.logs, asked)
  if ok then return events end
  local why = configuration.reason(events)
  if not why then error(events, 0) end
  weir.fail(400, why:gsub("^before must", "until must") .. "\n") -- it is called so here
end

--- Begins an answer of ndjson or text.
function answer.begin(stream, format)
  stream:header("Content-Type", formats[format])
  stream:header("Cache-Control", "no-cache, no-transform")
  stream:flush()
end

--- Writes an event to it: false when nobody is there any more.
function answer.write(stream, event, format)
  local text = (format == "ndjson" and as_ndjson or as_text)(event)
  return not text or stream:write(text .. "\n") == true
end

-- An event has bounds, and what is redacted may become long: then that is missing.
local function send_event(sse, event)
  local sent, why = sse:send(event)
  if why ~= "limit" then return sent end
  local key, lines = event.data:match '^{"id":"(%x+)', select(2, event.data:gsub("\n", "")) + 1
  return sse:send { event = "gap", id = event.id, data = { source = key, lines = lines } }
end

local function send_events(stream, of, events, is_live)
  local sse = answer.stream(stream)
  local function send()
    for event in events do
      if not send_event(sse, event) then return end
    end
  end
  if not is_live then return send() end
  answer.send_while(of, send, function(problem)
    if of.is_whole then sse:send { event = "configuration", data = { error = problem or weir.json.null } } end
  end)
end

local function send_text(stream, of, events, is_live, format)
  answer.begin(stream, format)
  local function send()
    for event in events do
      if not answer.write(stream, event, format) then return end
    end
  end
  if not is_live then return send() end
  answer.send_while(of, send, function() end)
end

--- Answers a question in a format.
function answer.send(stream, of, how, asked, format)
  local events = answer.ask(of, how, asked, format)
  stream:header("Vary", "Accept")
  local send = format == "events" and send_events or send_text
  return send(stream, of, events, how == "follow", format)
end

return answer
