-- The row `held`: each stream is held by a coroutine of its own, which has read a header and sleeps.
local weir = require "weir"
local app = weir.app()

app:get("/", function(stream)
  if not stream.headers["user-agent"] then weir.fail(400) end
  local sse = stream:sse()
  sse:send { data = "hello" }
  while true do weir.sleep(3600) end
end)

-- What is garbage is no memory of a stream. Twice: what the first pass finalised the second frees.
app:get("/collect", function()
  collectgarbage()
  collectgarbage()
  return "collected\n"
end)

return app
