-- The row `hello`: the shortest handler there is.
local weir = require "weir"
local app = weir.app()

app:get("/", function() return "Hello, World!\n" end)

return app
