-- The rows of the hub: an event stream of a topic, and a publish of one event for each line of the body.
local weir = require "weir"
local app = weir.app()

-- What the deaf of the row `stalled-p99` have chosen, nil: nothing.
local overflow = os.getenv "OVERFLOW"
local choice = { overflow = overflow, limit = overflow ~= "conflate" and { events = 100 } or nil }
local key = overflow == "conflate" and "key" or nil
local wait = overflow == "block" and 0.1 or 0

app:get("/events", function(stream)
  local deaf = overflow and stream.query.deaf
  stream:sse(deaf and choice or nil):subscribe(stream.query.topic)
end)

app:post("/publish", function(stream)
  local streams
  for line in stream:body():gmatch("[^\n]+") do
    local event = key and { data = line, key = key } or line
    streams = select(2, weir.publish(stream.query.topic, event, { wait = wait }))
  end
  return ("%d\n"):format(streams)
end)

app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected\n"
end)

return app
