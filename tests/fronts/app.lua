-- What the stories behind a front ask for.

local weir = require "weir"
local app = weir.app()

weir.trust_proxies { "127.0.0.1" }

-- What the app sees of who asks, and of the server.
app:get("/seen", function(stream)
  local stats = weir.stats()
  return { address = stream.remote_addr, scheme = stream.scheme, host = stream.host, host_field = stream.headers.host,
    request_id = stream.request_id, connections = stats.connections_total, subscribers = stats.subscribers,
    streams = stats.streams }
end)

app:get("/events/:topic", function(stream)
  stream:sse { heartbeat = tonumber(stream.query.heartbeat) or false }:subscribe(stream.params.topic)
end)

app:post("/events/:topic", function(stream)
  return weir.publish(stream.params.topic, stream:body())
end)

-- The answer is what is published next.
app:get("/late/:topic", function(stream)
  return weir.subscribe(stream.params.topic):next().data
end)

-- An answer that goes on.
app:get("/begun", function(stream)
  stream:write("some")
  weir.subscribe("never"):next()
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
