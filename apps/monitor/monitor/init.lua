-- monitor: what the server and its machine are at, as an app to serve or to mount.
--
--   app:mount("/monitor", require "monitor" { secret = os.getenv "MONITOR_SECRET" })
--
--   sampler.lua --once a second--> topics --> GET events: the page, and any other client
--   access.lua: who may ask --> POST streams/ID/close: streams.lua
--
-- Here are the routes, and what the options may be.

local weir = require "weir"
local access = require "monitor.access"
local rules = require "monitor.rules"
local sampler = require "monitor.sampler"
local streams = require "monitor.streams"

-- ---- asking ---------------------------------------------------------------------------------------------------------

-- What a page has to know first; then what is kept, and what comes. Of the list of streams only the newest matters,
-- whatever the client has seen.
local function show(list, may_close)
  return function(stream)
    local sse = stream:sse { hello = true }
    sse:send { event = "setup", data = { may_close = may_close(stream), rules = weir.json.array(list) } }
    sse:subscribe({ sampler.figures, sampler.alerts }, { after = "earliest" })
    sse:subscribe(sampler.streams, { last = 1, resume = false })
  end
end

local function show_alerts(stream)
  stream:sse({ hello = true }):subscribe(sampler.alerts, { after = "earliest" })
end

-- ---- the app --------------------------------------------------------------------------------------------------------

local known = { proc = true, disks = true, rules = true }
for _, name in ipairs(access.keys) do known[name] = true end

local function check_options(options)
  if type(options) ~= "table" then error("monitor: options must be a table, such as { secret = ... }", 3) end
  for option in pairs(options) do
    if not known[option] then error(("monitor: there is no option %q"):format(tostring(option)), 3) end
  end
end

--- The app. `options` are those of weir.jwt by which tokens are known (secret, key, jwks, alg, issuer, audience,
--- leeway), without which only this machine gets in; `rules`, which go over the defaults; `disks`, paths whose file
--- systems are watched ({ "/" }); and `proc`, the folder that stands for /proc.
return function(options)
  check_options(options)
  local guards, list = access.guards(options), rules.of(options.rules)
  local app = weir.app()
  app:use(guards.all)
  app:get("/events", guards.view, show(list, guards.may_close))
  app:get("/alerts", guards.view, show_alerts)
  app:post("/streams/:id/close", guards.close, streams.close)
  app:on_start(function()
    sampler.start { proc = options.proc or "/proc", disks = options.disks or { "/" }, rules = list }
  end)
  return app
end
