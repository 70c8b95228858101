-- notify: an inbox for each user, as an app to serve or to mount.
--
--   app:mount("/notify", require "notify" { secret = os.getenv "NOTIFY_SECRET" })
--   require("notify").publish("ann", { title = "The build is done" })
--
--   publishing.lua --checked by notification.lua--> mailbox.lua: a log, which comes to a box (box.lua)
--   changes.lua    --checked by fields.lua-------->     `--what a user sees of it: inbox.lua
--   listening.lua: what other apps of the server tell becomes notifications
--
-- Here is who may ask for what.

local weir = require "weir"
local changes = require "notify.changes"
local listening = require "notify.listening"
local mailbox = require "notify.mailbox"
local once = require "notify.once"
local publishing = require "notify.publishing"

local notify = {}

-- ---- from Lua -------------------------------------------------------------------------------------------------------

local function told(what, made, problem)
  if made then return made.id, made.reached end
  if problem.status then return nil, problem.error end
  error(("notify.%s: %s"):format(what, problem.error), 3)
end

local function check_sub(what, sub)
  if not mailbox.is_name(sub) then error(("notify.%s: the user must be a text of 1 to 200 bytes"):format(what), 3) end
end

--- Puts a notification into a user's inbox: its id, and how many streams it reached; or nil and why it cannot be kept
--- now. A wrong one raises.
function notify.publish(sub, given)
  check_sub("publish", sub)
  return told("publish", publishing.put(sub, given))
end

--- Puts a notification into everybody's inbox.
function notify.broadcast(given)
  return told("broadcast", publishing.put(nil, given))
end

--- Takes back what was published to a user, by its `key` or `id`.
function notify.withdraw(sub, choice)
  check_sub("withdraw", sub)
  return told("withdraw", publishing.withdraw(sub, choice))
end

--- The same of what was published to all.
function notify.withdraw_broadcast(choice)
  return told("withdraw_broadcast", publishing.withdraw(nil, choice))
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
  if not mailbox.is_name(stream.claims.sub) then
    weir.fail(403, { error = "the token names nobody: its sub must be a text of 1 to 200 bytes" })
  end
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

local known = { publishers = true, listen = true, name = true, count = true, bytes = true, age = true }
for _, name in ipairs(jwt_options) do known[name] = true end

-- A box is one value of the store, which takes 1 MiB.
local numbers = { count = { 1, 400, 200 }, bytes = { 8192, 262144, 131072 }, age = { 1, 1e9, 30 * 86400 } }

local function check_options(options)
  if type(options) ~= "table" then error("notify: options must be a table, such as { secret = ... }", 3) end
  for option in pairs(options) do
    if not known[option] then error(("notify: there is no option %q"):format(tostring(option)), 3) end
  end
  listening.check(options.listen)
  local name, kept = options.name or "notify", {}
  if type(name) ~= "string" or name == "" or #name > 40 or name:find "[%c*]" then
    error("notify: name must be a text of 1 to 40 bytes, without *", 3)
  end
  for field, range in pairs(numbers) do
    kept[field] = options[field] or range[3]
    if type(kept[field]) ~= "number" or not (kept[field] >= range[1] and kept[field] <= range[2]) then
      error(("notify: %s must be a number from %.0f to %.0f"):format(field, range[1], range[2]), 3)
    end
  end
  kept.name = name
  return kept
end

--- The app. `options` are those of weir.jwt by which tokens are known (secret, key, jwks, alg, issuer, audience,
--- leeway); `publishers`, the claims of who may publish ({ notify = "publish" }); `listen`, topics of other apps, each
--- with a function that makes notifications of their events; `name`, the beginning of its topics ("notify"); and what
--- an inbox keeps: `count` (200) notifications, `bytes` (131072) and `age`, in seconds (30 days).
local function make(_, options)
  mailbox.use(check_options(options))
  local app = weir.app()
  add_publishers(app, options)
  add_users(app, options)
  app:on_start(function()
    if options.listen then listening.start(options.listen) end
    weir.every(3600, function()
      mailbox.sweep()
      once.sweep()
    end)
  end)
  return app
end

return setmetatable(notify, { __call = make })
