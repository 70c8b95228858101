-- model: stands for a language model, which works for so many at once, and for each only so long.
--
-- What it says is a recording: a line of recording.ndjson has a token, and the seconds that passed before it. How many
-- it works for is counted over all workers, and told as it changes. It knows nothing of streams.

local weir = require "weir"

local model = {}
local most, hourly, longest = 50, 5000, 120 -- at once; begun in an hour; seconds of one answer
local places = weir.shared "tokens/places"

local function change(by)
  local busy = places:incr("busy", by)
  weir.publish("tokens.busy", "") -- who is told looks for itself: two workers may tell in another order
  return busy
end

--- Takes a place for the running task, which gives it back however it ends. Returns the prompt; 400, or 503 when there
--- is none.
function model.enter(prompt)
  if not prompt:find "%S" then weir.fail(400, "the body is the prompt, and it is empty\n") end
  weir.defer(function() change(-1) end)
  if change(1) > most or places:incr("begun", 1, 3600) > hourly then weir.fail(503, "the model is busy\n") end
  return prompt
end

local function play(prompt, emit)
  local tokens, due = 0, weir.now()
  weir.defer(function() weir.log.info("the model rests", { prompt = #prompt, tokens = tokens }) end)
  for line in weir.fs.read("recording.ndjson"):gmatch "[^\n]+" do
    local token = weir.json.decode(line)
    due = due + token.after
    weir.sleep(math.max(0, due - weir.now()))
    if not emit(token.text) then return nil, "failed" end -- a run that was stopped has its reason
    tokens = tokens + 1
  end
end

--- Calls emit(token) for each token, until it returns nothing. Says why it ended: done, stopped, timeout or failed.
function model.answer(prompt, emit)
  local ok, err, why = pcall(weir.timeout, longest, play, prompt, emit)
  if err == weir.cancelled then error(err, 0) end -- nobody wants it any more
  if not ok then weir.log.error("the model failed: " .. tostring(err)) end
  return ok and (why or "done") or "failed"
end

--- A stream of how many it works for: now, and after each change.
function model.busy(stream)
  local sse, changes = stream:sse(), weir.subscribe "tokens.busy"
  repeat sse:send(tostring(places:get "busy" or 0)) until not changes:next()
end

return model
