-- clock: the same ticks sent in three ways. The shortest whole example of each.

local weir = require "weir"
local app = weir.app()

-- Iterates over the seconds, each when it begins: { unix = 1767225600, time = "00:00:00" }.
local function ticks()
  local second = 0
  return function()
    local now = weir.now()
    second = math.max(second + 1, math.ceil(now))
    weir.sleep(second - now)
    return { unix = second, time = os.date("!%H:%M:%S", second) }
  end
end

-- Server-sent events: what weir.js reads, and EventSource; both connect again by themselves.
app:get("/sse", function(stream)
  local sse = stream:sse { hello = true }
  for tick in ticks() do sse:send { event = "tick", data = tick } end
end)

-- Text, a chunk for each line: what `curl -N` shows.
app:get("/text", function(stream)
  stream:header("Content-Type", "text/plain; charset=utf-8")
  for tick in ticks() do stream:write(tick.time .. "\n") end
end)

-- Newline-delimited JSON: a value on each line.
app:get("/ndjson", function(stream)
  stream:header("Content-Type", "application/x-ndjson")
  for tick in ticks() do stream:write(weir.json.encode(tick) .. "\n") end
end)

app:static("/", "public")

return app
