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

-- What came of appending: { id, at, reached }; or nil and why not.
local function outcome(id, at, reached)
  if not at then return nil, { status = 503, error = ("it cannot be kept now (%s)"):format(reached) } end
  return { id = id, at = at, reached = reached }
end

-- With a `digest` the same one again changes nothing.
local function put(sub, item, digest)
  item.id, item.once, item.broadcast = id_of(sub, item.key, digest), digest, not sub or nil
  return outcome(item.id, mailbox.append(sub, "notification.item.put", item))
end

--- Puts a notification into a user's box, or, nil, that of all: { id, at, reached }; or nil and { field, error }.
function publishing.put(sub, given, digest)
  local item, problem = notification.check(given, mailbox.bounds().age)
  if not item then return nil, problem end
  return put(sub, item, digest)
end

local name = fields.line(64)
local choice_kind = fields.object { key = name, id = name }

--- Takes back what has a `key` or an `id`, of a user, or, nil, of all.
function publishing.withdraw(sub, choice)
  local problem = fields.check(choice_kind, choice)
  if not problem and (choice.key == nil) == (choice.id == nil) then
    problem = fields.problem("key", "there, or id, and not both")
  end
  if problem then return nil, problem end
  local id = choice.id or id_of(sub, choice.key)
  return outcome(id, mailbox.append(sub, "notification.item.withdrawn", { id = id, broadcast = not sub or nil }))
end

-- The user whom the path names; what is for all names none.
local function whose(stream)
  local sub = stream.params.sub
  if sub and not mailbox.is_name(sub) then weir.fail(400, fields.problem("sub", "a name of 1 to 200 bytes")) end
  return sub
end

local function check(made, problem)
  if made then return made end
  weir.fail(problem.status or 400, { field = problem.field, error = problem.error })
end

--- POST /users/:sub, /broadcast.
function publishing.answer_put(stream)
  local given, sub = stream:json_body(), whose(stream)
  local scope = ("%s\0%s"):format(stream.claims.sub or "", stream.path)
  local made, refusal = once.run(stream, scope, stream:body(), function(digest)
    return check(publishing.put(sub, given, digest))
  end)
  if not made and refusal.status == 409 then
    stream:status(409)
    stream:header("Retry-After", "1")
    return { field = refusal.field, error = refusal.error }
  end
  stream:status(201)
  return check(made, refusal)
end

--- DELETE /users/:sub, /broadcast, with ?key= or ?id=.
function publishing.answer_withdraw(stream)
  local asked = {}
  for field, value in pairs(stream.query) do asked[field] = value end
  return check(publishing.withdraw(whose(stream), asked))
end

--- GET /presence, /presence/:sub: whose pages are open.
function publishing.show_presence(stream)
  local sub = whose(stream)
  local present = weir.presence(mailbox.topic(sub))
  return sub and { streams = present.streams } or present
end

return publishing
