-- notify: the inbox of notify/init.lua with its two pages, for readers and for publishers.
--
-- With NOTIFY_SECRET in the environment tokens come from elsewhere (`weir token --secret-env NOTIFY_SECRET`). Without,
-- everybody on this machine may sign in under any name, and nobody else gets in at all, nor what came by a proxy.

local weir = require "weir"
local notify = require "notify"

local secret = os.getenv "NOTIFY_SECRET"
local is_demo = secret == nil
if secret and #secret < 32 then error("NOTIFY_SECRET must have 32 bytes or more", 0) end

-- Of this run, and of all workers: nobody can know it from the source.
if is_demo then
  local run = weir.shared "notify demo"
  run:add("secret", weir.hex.encode(weir.random(32)))
  secret = run:get "secret"
end

local app = weir.app()

-- What proxies add, one or the other.
local function came_by_proxy(stream)
  if stream.version == "1.0" then return true end
  for name in pairs(stream.headers) do
    if name:find "^x%-forwarded" or name == "forwarded" or name == "via" or name == "x-real-ip" then return true end
  end
  return false
end

local function is_here(stream)
  local from, host = stream.peer_addr, (stream.host or ""):gsub(":%d+$", "")
  return (from:find "^127%." or from == "::1") and not came_by_proxy(stream)
    and (host == "localhost" or host == "127.0.0.1" or host == "[::1]")
end

if is_demo then
  app:use(function(stream, next)
    if is_here(stream) then return next() end
    weir.fail(403, "This is the demo, for this machine only: start with NOTIFY_SECRET in the environment, and make "
      .. "tokens with `weir token --secret-env NOTIFY_SECRET`.\n")
  end)
  app:post("/demo/token", function(stream)
    local name = stream:body(64)
    if not name:find "^%w[%w_.-]*$" then weir.fail(400, "a name has letters, digits, \"_\", \".\" and \"-\"\n") end
    local claims = { sub = name, notify = stream.query.publish and "publish" or nil }
    return weir.jwt.sign(claims, { secret = secret, exp = 3600 })
  end)
end

local severities = { info = 2, warn = 3, error = 4, fatal = 5 }

-- What apps/logtail, in the same server, raises. It says nothing of the lines: who reads it may not read those.
local function of_alert(event)
  local alert = weir.json.decode(event.data)
  return {
    title = (alert.test and "Test: " or "") .. alert.text,
    text = ("%d lines within %d s"):format(alert.matched, alert.window),
    severity = severities[alert.level],
    tags = { "log" },
    link = alert.link,
    key = "log/" .. alert.rule,
    event = "log.alert.raised",
  }, alert.to
end

app:get("/demo", function() return { open = is_demo } end) -- for the page: which way in it offers
app:mount("/", notify { secret = secret, listen = { ["logtail/raised"] = of_alert } })
app:static("/", "public")

return app
