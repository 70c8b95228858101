-- What the stories behind a front ask for.

local weir = require "weir"
local app = weir.app()

app:get("/events/:topic", function(stream) stream:sse():subscribe(stream.params.topic) end)

app:post("/events/:topic", function(stream)
  return weir.publish(stream.params.topic, stream:body())
end)

-- A stream that ends well before long, of all that the topic has.
app:get("/short/:topic", function(stream)
  local sse = stream:sse { retry = 1 }:subscribe(stream.params.topic, { after = "earliest" })
  weir.sleep(0.03)
  sse:close()
end)

-- Tells by the topic, and in its answer, how much has arrived.
app:post("/upload/:topic", function(stream)
  local sse, bytes = stream:sse(), 0
  for chunk in stream:chunks() do
    bytes = bytes + #chunk
    weir.publish(stream.params.topic, tostring(bytes))
    sse:send(tostring(bytes))
  end
  sse:send("all")
end)

return app
