-- The row `durable`: publishes that return when they are on the disk.
local weir = require "weir"
local app = weir.app()

weir.topics { ["d/*"] = { durable = true } }

local function publish(event)
  local id, why = weir.publish("d/t", event)
  if not id then weir.fail(503, why) end
end

app:post("/publish", function(stream)
  publish(stream:body())
  return "committed\n"
end)

-- So many events by so many publishers, each of which waits for its own: microseconds per event.
app:get("/run", function(stream)
  local left = tonumber(stream.query.events)
  local event = ("x"):rep(100)
  local publishers, began = {}, weir.now()
  for i = 1, tonumber(stream.query.publishers) do
    publishers[i] = function()
      while left > 0 do
        left = left - 1
        publish(event)
      end
    end
  end
  weir.all(publishers)
  return ("%.4f\n"):format((weir.now() - began) * 1e6 / tonumber(stream.query.events))
end)

return app
