-- __NAME__: a small app to start from.
--
-- `weir serve --watch .` shows it on http://127.0.0.1:8080, `weir spec` tests it. Each worker of the server has a Lua
-- state of its own: what a request leaves in a variable, the next one may not find.

local weir = require "weir"
local app = weir.app()

-- A table is answered as JSON.
app:get("/hello/:name", function(stream)
  return { hello = stream.params.name }
end)

-- A stream of events: the time each second, for as long as the client stays.
app:get("/time", function(stream)
  local sse = stream:sse()
  while sse:send { event = "tick", data = os.date "%H:%M:%S" } do weir.sleep(1) end
end)

-- All else is a file.
app:static("/", "public")

return app
