-- The app of the exactness test: what the topics keep comes from the environment, what a stream subscribes to from its
-- query, and a POST publishes a row of numbered events and answers with their ids, each as soon as it is accepted.

local weir = require "weir"

weir.topics {
  ["exact/*"] = {
    history = { count = tonumber(os.getenv "EXACT_COUNT"), age = "24h", bytes = "200MB" },
    durable = os.getenv "EXACT_DURABLE" == "1",
  },
}

local app = weir.app()

-- The data of an event: tests/exact/ledger.c knows it as well.
local function data_of(topic, number)
  local length = (number * 7919 + topic * 104729) % 400
  if number % 101 == 0 then length = length + 6000 end
  local letter = string.char(97 + number % 26)
  return ("%d %d%s%s"):format(topic, number, number % 13 == 0 and "\n" or " ", letter:rep(length))
end

-- ?topics=0,3 subscribes to these two, &all=1 to the prefix of all.
app:get("/events", function(stream)
  local topics = {}
  for topic in (stream.query.topics or ""):gmatch "%d+" do topics[#topics + 1] = "exact/" .. topic end
  if stream.query.all then topics[#topics + 1] = weir.prefix "exact/" end
  stream:sse():subscribe(topics)
end)

-- An id after which everything comes.
app:post("/start", function(stream)
  stream:sse():send { data = "start", id = weir.publish("start", "") }
end)

app:post("/publish", function(stream)
  local topic, from, count = tonumber(stream.query.topic), tonumber(stream.query.from), tonumber(stream.query.count)
  local sse = stream:sse { heartbeat = false }
  for number = from, from + count - 1 do
    local id, why = weir.publish("exact/" .. topic, data_of(topic, number))
    if not id then
      sse:send { event = "refused", data = why }
      return
    end
    sse:send { id = id, data = topic .. " " .. number }
  end
end)

return app
