-- The app under the row slow: something quick, something to send slowly, something to read slowly.
local weir = require "weir"
local app = weir.app()

local piece = ("x"):rep(64 * 1024)

app:get("/", function() return "hello" end)
app:get("/large", function(stream)
  for _ = 1, 64 do stream:write(piece) end
end)
app:post("/form", function(stream) return tostring(#stream:body()) end)
app:get("/connections", function() return tostring(weir.stats().connections) end)

return app
