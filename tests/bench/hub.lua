-- The rows of the hub: an event stream of a topic, and a publish of one event for each line of the body.
local weir = require "weir"
local app = weir.app()

-- What the deaf of the row `stalled-p99` have chosen, nil: nothing.
local overflow = os.getenv "OVERFLOW"
local choice = { overflow = overflow, limit = overflow ~= "conflate" and { events = 100 } or nil }
local key = overflow == "conflate" and "key" or nil
local options = overflow == "block" and { wait = 0.1 } or nil

app:get("/events", function(stream)
  local deaf = overflow and stream.query.deaf
  stream:sse(deaf and choice or nil):subscribe(stream.query.topic)
end)

app:post("/publish", function(stream)
  local topic, body, from, streams = stream.query.topic, stream:body(), 1, nil
  while from <= #body do
    local to = body:find("\n", from, true) or #body + 1 -- a pattern costs more than the publish
    local line = body:sub(from, to - 1)
    streams = select(2, weir.publish(topic, key and { data = line, key = key } or line, options))
    from = to + 1
  end
  return ("%d\n"):format(streams)
end)

app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected\n"
end)

return app
