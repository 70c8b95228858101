-- publishing: how notifications come into boxes, by HTTP and from Lua.

local weir = require "weir"
local fields = require "notify.fields"
local mailbox = require "notify.mailbox"
local notification = require "notify.notification"
local once = require "notify.once"

local publishing = {}

-- One with a key is updated in place, so its id comes from the key. Ids of what is for all are others.
local function id_of(sub, key, digest)
  return (sub and "u" or "b") .. (key and once.digest("key", key) or digest or weir.hex.encode(weir.random(12)))
end

local function answer(id, at, reached)
  return { id = id, at = at, reached = reached }
end

local function check(given)
  return notification.check(given, mailbox.bounds().age)
end

-- With a `digest` the same one again changes nothing.
local function put(sub, item, digest)
  item.id, item.once, item.broadcast = id_of(sub, item.key, digest), digest, not sub or nil
  return answer(item.id, mailbox.append(sub, "notification.item.put", item))
end

--- Puts a notification into a user's box, or, nil, that of all: { id, at, reached }; or nil and { field, error }.
function publishing.put(sub, given)
  local item, problem = check(given)
  if not item then return nil, problem end
  return put(sub, item)
end

--- Takes back what has that `key` or `id`.
function publishing.withdraw(sub, choice)
  local id = choice.id or id_of(sub, choice.key)
  return answer(id, mailbox.append(sub, "notification.item.withdrawn", { id = id, broadcast = not sub or nil }))
end

-- The user whom the path names; what is for all names none.
local function whose(stream) return stream.params.sub end

--- POST /users/:sub, /broadcast.
function publishing.answer_put(stream)
  local item, problem = check(stream:json_body())
  if not item then weir.fail(400, problem) end
  local scope = ("%s\0%s"):format(stream.claims.sub or "", stream.path)
  local made, refusal = once.run(stream, scope, stream:body(), function(digest)
    return put(whose(stream), item, digest)
  end)
  stream:status(made and 201 or refusal.status)
  if refusal and refusal.status == 409 then stream:header("Retry-After", "1") end
  return made or { field = refusal.field, error = refusal.error }
end

local name = fields.line(64)
local choice = fields.object { key = name, id = name }

--- DELETE /users/:sub, /broadcast, with ?key= or ?id=.
function publishing.answer_withdraw(stream)
  local problem = fields.check(choice, stream.query)
  local given = { key = stream.query.key, id = stream.query.id }
  if not problem and (given.key == nil) == (given.id == nil) then
    problem = fields.problem("key", "there, or id, and not both")
  end
  if problem then weir.fail(400, problem) end
  return publishing.withdraw(whose(stream), given)
end

--- GET /presence, /presence/:sub: whose pages are open.
function publishing.show_presence(stream)
  local present = weir.presence(mailbox.topic(whose(stream)))
  return whose(stream) and { streams = present.streams } or present
end

return publishing
