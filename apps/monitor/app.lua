-- monitor: the dashboard of monitor/init.lua with its page.
--
--   weir serve apps/monitor                                       for this machine only
--   MONITOR_SECRET=... weir serve apps/monitor --data DIR         for who has a token; alerts survive restarts

local weir = require "weir"
local monitor = require "monitor"

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local secret = variable "MONITOR_SECRET"
if secret and #secret < 32 then error("MONITOR_SECRET must have 32 bytes or more", 0) end

-- While the app's file runs nothing can wait, so this is not weir.fs.read.
local function read_rules(path)
  local file, why = io.open(path, "rb")
  if not file then error("MONITOR_RULES: " .. why, 0) end
  local text, rules, wrong
  text, wrong = file:read "*a"
  if text then rules, wrong = weir.json.decode(text) end
  file:close()
  if rules == nil then error(("MONITOR_RULES: %s: %s"):format(path, wrong), 0) end
  return rules
end

local function paths(text)
  local list = {}
  for path in text:gmatch "[^:]+" do list[#list + 1] = path end
  return list
end

local rules, disks = variable "MONITOR_RULES", variable "MONITOR_DISKS"

local app = weir.app()
app:use(function(stream, next) -- no other site's page shows this one in a frame and has its buttons clicked
  stream:header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
  return next()
end)
app:mount("/", monitor {
  secret = secret,
  key = variable "MONITOR_KEY", jwks = variable "MONITOR_JWKS", alg = variable "MONITOR_ALG",
  rules = rules and read_rules(rules),
  disks = disks and paths(disks),
})
app:static("/", "public")

return app
