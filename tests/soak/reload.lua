-- The app under reload.c, which writes it anew for each reload: with another number, and now and then broken.
local weir = require "weir"
local app = weir.app()
local generation = 1 -- GENERATION
local shared = weir.shared("soak")

weir.topics { ["events"] = { history = { count = 1000 } }, ["ticks"] = { history = { count = 1000 } } }

app:get("/", function() return tostring(generation) end)
app:get("/stats", function() return weir.stats() end)
app:post("/publish", function(stream) return (weir.publish("events", stream:body())) end)
app:get("/subscribed", function(stream) stream:sse { heartbeat = false }:subscribe("events") end)
app:get("/ticks", function(stream) stream:sse { heartbeat = false }:subscribe("ticks") end)

app:get("/held", function(stream)
  local sse = stream:sse { heartbeat = false }
  local sub = weir.subscribe("events", { after = sse.last_event_id })
  sse:send { event = "generation", data = tostring(generation) }
  for event in sub:events() do sse:send { event = event.event, id = event.id, data = event.data } end
end)

-- One at a time: each tick is the one after the last that was noted, and it is noted a while after it was published,
-- also when the task ends. Whoever began before the one before has ended would tick the same again.
local function tick()
  local n
  local function note() shared:set("tick", n) end
  weir.defer(function()
    weir.sleep(0.01)
    if n then note() end
  end)
  while true do
    n = (shared:get("tick") or 0) + 1
    weir.publish("ticks", { event = tostring(generation), data = tostring(n) })
    weir.sleep(0.005)
    note()
    weir.sleep(0.005)
  end
end
app:on_start(function()
  weir.background(tick)
  -- BREAK
end)

return app
