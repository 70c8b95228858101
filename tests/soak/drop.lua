-- The app under drop_spec.lua: each way to keep a connection busy, and a look at what is left. The limits of one client
-- are on, so that what they count is seen to come back too.
local weir = require "weir"
local app = weir.app()

weir.limits { connections_per_address = 15000, connection_rate = 1000000, streams_per_sub = 15000 }

app:use(weir.limit { rate = 1000000 })
app:use(function(stream, next)
  stream.claims = { sub = "everyone" }
  return next()
end)

app:get("/", function() return "hello" end)
app:post("/body", function(stream) return tostring(#stream:body()) end)
app:get("/topic", function(stream) stream:sse():subscribe "topic" end)
app:get("/events", function(stream)
  local sse = stream:sse()
  while sse:send "tick" do weir.sleep(0.1) end
end)
app:get("/large", function(stream)
  for _ = 1, 100 do stream:write(("x"):rep(65536)) end
end)

app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected"
end)

-- What there is now. A connection may be closing, in the other worker say: descriptors that are none count apart.
app:get("/left", function()
  local count = 0
  for _ in pairs(weir.fs.list "/proc/self/fd") do count = count + 1 end
  local stats = weir.stats()
  return { connections = stats.connections, streams = stats.streams, tasks = stats.tasks,
    subscribers = stats.subscribers, descriptors = count - stats.connections }
end)

-- Bytes of anonymous memory of the process. Closed here: io.lines, left early, keeps its file until it is collected.
app:get("/memory", function()
  local file = assert(io.open "/proc/self/smaps_rollup")
  local text = file:read "*a"
  file:close()
  return { bytes = tonumber(text:match "Pss_Anon:%s+(%d+) kB") * 1024 }
end)

return app
