-- once: the header Idempotency-Key, by which a publisher may ask again when an answer was lost.
--
--   begun --published--> done: the answer is kept for a day, and given again
--     `--a crash--> begun, and old: whoever asks again goes on with it
--
-- What is published under a key has an id that comes from the key. So if it was published and not noted, it is put
-- again under the same id, which changes nothing.

local weir = require "weir"
local mailbox = require "notify.mailbox"

local once = {}

local KEY = 255 -- bytes
local KEPT = 24 * 3600
local PATIENCE = 30 -- seconds that an answer may take

local function store() return weir.store(mailbox.name() .. " once") end

local function refuse(status, message)
  return nil, { status = status, field = "Idempotency-Key", error = message }
end

--- A digest of texts, short enough for an id.
function once.digest(...)
  return weir.hex.encode(weir.hash("sha256", table.concat({ ... }, "\0"))):sub(1, 24)
end

local function answer_first(id, wanted, now, answer)
  local ok, given = pcall(answer, id)
  if not ok then
    store():delete(id)
    error(given, 0)
  end
  store():set(id, { text = wanted, begun = now, answer = given }, KEPT)
  return given
end

--- The answer to a request, a table that `answer(digest)` makes the first time; `digest` is nil without the header. Or
--- nil and { status, field, error }. `scope` tells requests apart that have the same key, `text` is what is asked.
function once.run(stream, scope, text, answer)
  local key = stream.headers["idempotency-key"]
  if not key then return answer(nil) end
  if key == "" or #key > KEY then return refuse(400, ("Idempotency-Key must have 1 to %d bytes"):format(KEY)) end
  local id, wanted, now, mine = once.digest(scope, key), once.digest(text), weir.now(), weir.uuid()
  local kept, why = store():update(id, function(old)
    local goes_on = not old or old.text == wanted and not old.answer and old.begun + PATIENCE <= now
    return goes_on and { text = wanted, begun = now, by = mine } or old
  end)
  if not kept then return refuse(503, "the server cannot keep the key now: " .. why) end
  if kept.text ~= wanted then return refuse(422, "this Idempotency-Key was used for something else") end
  if kept.answer then return kept.answer end
  if kept.by ~= mine then return refuse(409, "a request with this Idempotency-Key is being answered; ask again") end
  return answer_first(id, wanted, now, answer)
end

--- Takes away what was begun, and nobody has asked for again in a day.
function once.sweep()
  for id, kept in store():each() do
    if not kept.answer and kept.begun + KEPT < weir.now() then store():delete(id) end
  end
end

return once
