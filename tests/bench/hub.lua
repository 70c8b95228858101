-- The rows of the hub: an event stream of a topic, and a publish of one event for each line of the body.
local weir = require "weir"
local app = weir.app()

app:get("/events", function(stream)
  stream:sse():subscribe(stream.query.topic)
end)

app:post("/publish", function(stream)
  local streams
  for line in stream:body():gmatch("[^\n]+") do
    streams = select(2, weir.publish(stream.query.topic, line))
  end
  return ("%d\n"):format(streams)
end)

app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected\n"
end)

return app
