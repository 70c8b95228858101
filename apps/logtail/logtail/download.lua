-- download: lines as a file, from one place to another, as many as there are.
--
-- It is read a page at a time, so that however long it is nothing of it is held.

local weir = require "weir"
local answer = require "logtail.answer"
local question = require "logtail.question"
local view = require "logtail.view"

local PAGE = 10000 -- lines

local endings = { text = "log", ndjson = "ndjson" }

-- Sends a page. Where the next one begins; nil: there is none, or nobody takes it.
local function send_page(stream, events, format)
  for event in events do
    if event.event == "end" then return weir.json.decode(event.data).newer end
    if event.event ~= "source" and not answer.write(stream, event, format) then return nil end
  end
end

--- GET download: all, or, with `lines`, so many.
return function(stream)
  local format, of = answer.format(stream), view.of(stream)
  if format == "events" then format = "text" end
  local asked = question.of(stream, "download", of)
  local is_all = asked.lines == nil
  if is_all then asked.lines = PAGE end
  local events = answer.ask(of, "read", asked, format)
  local name = os.date("!log-%Y%m%d-%H%M%S.", weir.now()) .. endings[format]
  stream:header("Content-Disposition", ('attachment; filename="%s"'):format(name))
  answer.begin(stream, format)
  repeat
    asked.after = send_page(stream, events, format)
    events = asked.after and answer.ask(of, "read", asked, format)
  until not is_all or not events
end
