-- logtail: the lines of growing files, on a page and for curl, as they are written; who may see which; what rings.
--
--   WEIR_LOG=/var/log/syslog:/var/log/nginx/*.log weir serve apps/logtail
--   WEIR_LOGS=/etc/weir/logs.json LOGTAIL_SECRET=... weir serve apps/logtail
--
--   request --token--> view.lua: the sources that are theirs --question.lua--> weir.logs --answer.lua--> a stream
--   configuration.lua: what is in force --> alerts.lua: rules (rule.lua) that count --> topics

local weir = require "weir"
local alerts = require "logtail.alerts"
local answer = require "logtail.answer"
local configuration = require "logtail.configuration"
local download = require "logtail.download"
local question = require "logtail.question"
local trial = require "logtail.trial"
local view = require "logtail.view"

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local secret = variable "LOGTAIL_SECRET"
if secret and #secret < 32 then error("LOGTAIL_SECRET must have 32 bytes or more", 0) end
configuration.begin { paths = variable "WEIR_LOG", file = variable "WEIR_LOGS", secret = secret }

local app = weir.app()

-- ---- who may --------------------------------------------------------------------------------------------------------

local tokens = (configuration.current() or {}).tokens or {}
local has_tokens = secret or tokens.key or tokens.jwks

-- The options of weir.jwt for who may read anything, and comes in one of these ways.
local function bearers(from)
  return {
    secret = secret, key = tokens.key, jwks = tokens.jwks, alg = tokens.alg, issuer = tokens.issuer,
    audience = tokens.audience, leeway = tokens.leeway, claims = view.allows, from = from,
  }
end

local function anybody(_, next) return next() end

local readers = has_tokens and weir.jwt(bearers { "bearer", "ticket" }) or anybody

if has_tokens then
  app:post("/ticket", weir.jwt(bearers()), weir.ticket())
  app:post("/renew", weir.jwt.renewal(bearers()))
end

-- ---- lines ----------------------------------------------------------------------------------------------------------

-- The page is told how to begin; it asks for events.
local function tell_setup(stream)
  stream:sse { hello = true }:send { event = "setup",
    data = "set WEIR_LOG to the absolute path of a file, and start weir again" }
end

-- A route that answers with what weir.logs gives.
local function show(what, how)
  app:get("/" .. what, readers, function(stream)
    local format = answer.format(stream)
    if not configuration.current() and format == "events" then return tell_setup(stream) end
    local seen = view.of(stream)
    answer.send(stream, seen, how, question.of(stream, what, seen), format)
  end)
end

show("lines", "follow")
show("search", "search")
show("read", "read")

app:get("/download", readers, download)

app:get("/sources", readers, function(stream)
  return weir.json.array(view.of(stream).logs:sources())
end)

-- ---- alerts ---------------------------------------------------------------------------------------------------------

app:get("/alerts", readers, alerts.show)
app:post("/alerts/try", readers, weir.limit { rate = 1, burst = 5, key = trial.key }, trial.answer)
app:on_start(alerts.start)

app:static("/", "public")

return app
