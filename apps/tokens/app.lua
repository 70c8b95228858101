-- tokens: an answer that comes word by word, in two ways: in a stream that is over when its client leaves, and in a run
-- that goes on without one, is read by whoever knows its id, from any place, and is stopped on demand.

local weir, model = require "weir", require "model"
local app = weir.app()
local alive = weir.shared "tokens/alive" -- the topics of runs that go on, in any worker of this process

weir.topics { ["tokens/*"] = { history = { count = 2000, age = "1h", bytes = "64KB" }, durable = true } }

-- The first who says so is right: what is closed takes no other end.
local function finish(topic, reason)
  weir.close(topic, { event = "finished", data = { reason = reason } })
end

-- The topic of the run that is asked for. One that has no end, and does not go on, was cut off by a restart.
local function find(stream)
  local topic = weir.topic("tokens", stream.params.id)
  local kept, _, closed = weir.history(topic, { limit = 1 })
  if #kept == 0 and not closed then weir.fail(404, "no such run: it never was, or is forgotten\n") end
  if not closed and not alive:get(topic) then finish(topic, "interrupted") end
  return topic
end

-- Bound to its request: when the client leaves, whatever waits here raises weir.cancelled, before the first token too.
app:post("/answer", function(stream)
  local prompt, sse = model.enter(stream:body(2000)), stream:sse { retry = false }
  sse:send { event = "begun", data = { prompt = prompt } } -- and with it the head: from here on the client can leave
  local reason = model.answer(prompt, function(token) return sse:send(token) end)
  sse:send { event = "finished", data = { reason = reason } }
end)

-- Detached: the task goes on, though its client may be gone before it has its answer. It is over with its work, or with
-- its topic, which somebody else may close: what is first cancels the other, so that no failure leaves either behind.
app:post("/runs", function(stream)
  local prompt, id = model.enter(stream:body(2000)), weir.uuid()
  local topic = weir.topic("tokens", id)
  stream:detach()
  weir.defer(function() finish(topic, "interrupted"); alive:delete(topic) end)
  alive:set(topic, true)
  local begun = weir.publish(topic, { event = "begun", data = { prompt = prompt } })
  if not begun then weir.fail(503, "the run cannot be kept: the disk is full, or has failed\n") end
  stream:json { id = id }
  local function work() finish(topic, model.answer(prompt, function(token) return weir.publish(topic, token) end)) end
  weir.race { work, function() for _ in weir.subscribe(topic):events() do end end }
end)

app:get("/runs/:id", function(stream)
  local topic = find(stream)
  stream:sse({ hello = true }):subscribe(topic, { after = "earliest" })
end)

app:delete("/runs/:id", function(stream) finish(find(stream), "stopped") end)
app:get("/busy", model.busy)
app:static("/", "public")

return app
