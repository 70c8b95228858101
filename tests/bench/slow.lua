-- The app under the row slow: something quick, something to send slowly, something to read slowly.
local weir = require "weir"
local app = weir.app()

local large = ("x"):rep(1024 * 1024)

app:get("/", function() return "hello" end)
app:get("/large", function() return large end)
app:post("/form", function(stream) return tostring(#stream:body()) end)
app:get("/connections", function() return tostring(weir.stats().connections) end)

return app
