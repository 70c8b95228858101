-- notify: an inbox for each user, as an app to serve or to mount.
--
--   app:mount("/notify", require "notify" { secret = os.getenv "NOTIFY_SECRET" })
--   require("notify").publish("ann", { title = "The build is done" })
--
--   publishing.lua --checked by notification.lua--> mailbox.lua: a log, which comes to a box (box.lua)
--   changes.lua    --checked by fields.lua-------->     `--what a user sees of it: inbox.lua
--
-- Here is who may ask for what.

local weir = require "weir"
local changes = require "notify.changes"
local mailbox = require "notify.mailbox"
local publishing = require "notify.publishing"

local notify = {}

-- ---- from Lua -------------------------------------------------------------------------------------------------------

local function told(what, made, problem)
  if not made then error(("notify.%s: %s"):format(what, problem.error), 3) end
  return made.id, made.reached
end

--- Puts a notification into a user's inbox: its id, and how many streams it reached. A wrong one raises.
function notify.publish(sub, given)
  return told("publish", publishing.put(sub, given))
end

--- Puts a notification into everybody's inbox.
function notify.broadcast(given)
  return told("broadcast", publishing.put(nil, given))
end

--- Takes back what was published, by its `key` or `id`, from a user's inbox, or, nil, from everybody's.
function notify.withdraw(sub, choice)
  return told("withdraw", publishing.withdraw(sub, choice))
end

-- ---- the stream -----------------------------------------------------------------------------------------------------

-- Who comes without an id is told first what is there; and has an id from then on, whatever happens next.
local function follow(stream)
  local sse, sub = stream:sse { hello = true }, stream.claims.sub
  local counts, position
  if not sse.last_event_id then
    counts, position = changes.sum(sub)
    sse:send { event = "notification.inbox.summed", data = counts, id = position }
  end
  sse:subscribe({ mailbox.topic(sub), mailbox.topic() }, { after = position })
end

-- ---- who may --------------------------------------------------------------------------------------------------------

local function with_sub(stream, next)
  if type(stream.claims.sub) ~= "string" then weir.fail(403, { error = "the token names nobody: it has no sub" }) end
  return next()
end

local jwt_options = { "secret", "key", "jwks", "alg", "issuer", "audience", "leeway" }

-- The options of weir.jwt that were given, and others.
local function tokens(options, more)
  local all = more or {}
  for _, name in ipairs(jwt_options) do all[name] = options[name] end
  return all
end

local function add_publishers(app, options)
  local publishers = weir.jwt(tokens(options, { claims = options.publishers or { notify = "publish" } }))
  app:post("/users/:sub", publishers, publishing.answer_put)
  app:delete("/users/:sub", publishers, publishing.answer_withdraw)
  app:post("/broadcast", publishers, publishing.answer_put)
  app:delete("/broadcast", publishers, publishing.answer_withdraw)
  app:get("/presence", publishers, publishing.show_presence)
  app:get("/presence/:sub", publishers, publishing.show_presence)
end

local function add_users(app, options)
  local users = weir.jwt(tokens(options))
  app:get("/stream", weir.jwt(tokens(options, { from = { "bearer", "ticket" } })), with_sub, follow)
  app:get("/inbox", users, with_sub, changes.show)
  app:get("/box", users, with_sub, changes.show_box)
  app:post("/state", users, with_sub, changes.set_state)
  app:get("/preferences", users, with_sub, changes.show_preferences)
  app:put("/preferences", users, with_sub, changes.set_preferences)
  app:get("/export", users, with_sub, changes.export)
  app:delete("/data", users, with_sub, changes.delete)
  app:post("/ticket", users, with_sub, weir.ticket())
  app:post("/renew", weir.jwt.renewal(tokens(options)))
end

-- ---- the app --------------------------------------------------------------------------------------------------------

local known = { publishers = true, name = true, count = true, bytes = true, age = true }
for _, name in ipairs(jwt_options) do known[name] = true end

--- The app. `options` are those of weir.jwt by which tokens are known (secret, key, jwks, alg, issuer, audience,
--- leeway); `publishers`, the claims of who may publish ({ notify = "publish" }); `name`, the beginning of its topics
--- ("notify"); and what an inbox keeps: `count` (200) notifications, `bytes` (131072) and `age`, in seconds (30 days).
local function make(_, options)
  for option in pairs(options) do
    if not known[option] then error(("notify: there is no option %q"):format(tostring(option)), 2) end
  end
  mailbox.use {
    name = options.name or "notify", age = options.age or 30 * 86400, count = options.count or 200,
    bytes = options.bytes or 131072,
  }
  local app = weir.app()
  add_publishers(app, options)
  add_users(app, options)
  app:on_start(function() weir.every(3600, mailbox.sweep) end)
  return app
end

return setmetatable(notify, { __call = make })
