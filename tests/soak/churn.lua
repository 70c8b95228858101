-- The app under churn_spec.lua: topics that are soon forgotten, and a look at what is left.
local weir = require "weir"
local app = weir.app()

weir.topics { ["soak/*"] = { history = { count = 10, age = "1s" } } }

app:get("/events", function(stream)
  stream:sse():subscribe("soak/" .. stream.query.topic)
end)

-- Subscribed with what keeps a reference to the generation, and with a task that goes on.
app:get("/watched", function(stream)
  stream:on_close(function() weir.sleep(0) end)
  stream:sse():subscribe("soak/" .. stream.query.topic)
  weir.sleep(3600)
end)

app:post("/publish", function(stream)
  local id, streams = weir.publish("soak/" .. stream.query.topic, stream:body())
  return { id = id, streams = streams }
end)

app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected"
end)

app:get("/stats", function() return weir.stats() end)

-- Bytes of anonymous memory of the process. Closed here: io.lines, left early, keeps its file until it is collected.
app:get("/memory", function()
  local file = assert(io.open "/proc/self/smaps_rollup")
  local text = file:read "*a"
  file:close()
  return { bytes = tonumber(text:match "Pss_Anon:%s+(%d+) kB") * 1024 }
end)

return app
