-- streams: those that are furthest behind, and ending one.
--
-- A row is what an event can hold, however long the paths and names are that strangers have given.

local weir = require "weir"

local streams = {}

local LISTED = 20 -- streams
local TOPICS = 4 -- of each
local BYTES = 200 -- of a text

-- Cut between characters, of which none has more than four bytes: what is no text is cut anywhere.
local function brief(text)
  if type(text) ~= "string" or #text <= BYTES then return text end
  local size = BYTES
  while size > BYTES - 4 and text:find("^[\128-\191]", size + 1) do size = size - 1 end
  return text:sub(1, size) .. "…"
end

local function row(stream)
  local topics = {}
  for i = 1, math.min(#stream.topics, TOPICS) do topics[i] = brief(stream.topics[i]) end
  return {
    id = stream.id, method = stream.method, path = brief(stream.path), route = brief(stream.route), kind = stream.kind,
    sub = brief(stream.sub), address = stream.address, age = stream.age, sent = stream.sent,
    behind = stream.behind, backlog = stream.backlog,
    topics = weir.json.array(topics), topics_count = stream.topics_count,
  }
end

--- The streams that are furthest behind, as rows.
function streams.furthest()
  local rows = {}
  for i, stream in ipairs(weir.streams({}):list { sort = "backlog", limit = LISTED }) do rows[i] = row(stream) end
  return weir.json.array(rows)
end

--- POST streams/ID/close. The client sees its stream break off, and may come back.
function streams.close(stream)
  local id = stream.params.id
  if not id:find "^[1-9]%d*$" or #id > 15 then weir.fail(400, "the id of a stream is a number, as events has it\n") end
  if weir.streams({ id = tonumber(id) }):close "cancelled" == 0 then
    weir.fail(404, "there is no stream " .. id .. ": it has ended\n")
  end
  local who = stream.claims and stream.claims.sub or stream.remote_addr
  weir.log.info("monitor: a stream was closed", { stream = id, by = who })
  stream:status(204)
end

return streams
