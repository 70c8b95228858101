-- stocks: a thousand prices for readers that do not keep up, by conflation and by dropping the oldest.

local weir = require "weir"
local app = weir.app()

-- 25 s of changes: enough that all symbols are among them, and that a pause of 10 s is nowhere near the end.
weir.topics { stocks = { history = { count = 10000, bytes = "64MB" } } }

local symbols, prices, changes = {}, {}, 0
for i = 1, 1000 do
  local n = i * 331 -- no common factor with 26: no name comes twice
  symbols[i] = string.char(65 + n / 676 % 26, 65 + n / 26 % 26, 65 + n % 26)
  prices[i] = math.random(20, 200)
end

local padding = ("."):rep(4000) -- buffers on the way hold megabytes: with small events they would hide the effect

local function change()
  changes = changes + 1
  local i = changes <= #symbols and changes or math.random(#symbols) -- each once, then any
  prices[i] = prices[i] * (1 + (math.random() - 0.5) / 50)
  local data = { symbol = symbols[i], price = prices[i], time = weir.now(), padding = padding }
  weir.publish("stocks", { key = symbols[i], data = data })
end

app:on_start(function() -- in one worker; the topic is that of all
  weir.every(0.05, function() for _ = 1, 20 do change() end end)
end)

app:get("/conflate", function(stream)
  stream:sse({ overflow = "conflate" }):subscribe("stocks", { after = "earliest" })
end)

app:get("/drop_oldest", function(stream)
  stream:sse({ overflow = "drop_oldest", limit = { events = 100 } }):subscribe "stocks"
end)

app:static("/", "public")

return app
