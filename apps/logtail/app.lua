-- logtail: the lines of a growing file on a page, as they are written.
--
--   WEIR_LOG=/var/log/syslog weir serve apps/logtail

local weir = require "weir"

local path = os.getenv "WEIR_LOG"
local lines = 200 -- so many of those already written come first
local heartbeat = 5 -- seconds; the page takes three of them without a byte for a dead connection

local app = weir.app()

-- A connection opens with `start`; after it each line is a message. There are no ids yet: who connects again gets the
-- newest lines again, and knows from `start` to forget those it had.
app:get("/lines", function(stream)
  local sse = stream:sse { hello = true, heartbeat = heartbeat, heartbeat_event = "heartbeat" }
  if (path or "") == "" then
    sse:send { event = "setup", data = "set WEIR_LOG to the absolute path of a file, and start weir again" }
    return
  end
  sse:send { event = "start", data = { path = path, lines = lines } }
  for line in weir.tail(path, { lines = lines }) do
    if not sse:send(line) then break end
  end
end)

app:static("/", "public")

return app
