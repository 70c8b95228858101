-- weir: the module that an app requires. It puts the parts together; each part says in its own file what it is.

local core = require "weir.core"
local bytes = require "weir.bytes"
local channel = require "weir.channel"
local check = require "weir.check"
local hub = require "weir.hub"
local task = require "weir.task"

require "weir.stream" -- adds its methods to the core's streams

local weir = {
  app = require("weir.app").new,
  sleep = task.sleep,
  spawn = task.spawn,
  background = task.background,
  all = task.all,
  race = task.race,
  timeout = task.timeout,
  every = task.every,
  defer = task.defer,
  channel = channel.new,
  select = channel.select,
  publish = hub.publish,
  close = hub.close,
  subscribe = hub.subscribe,
  prefix = hub.prefix,
  topic = hub.topic,
  topics = hub.topics,
  history = hub.history,
  position = hub.position,
  presence = hub.presence,
  streams = hub.streams,
  tail = require "weir.tail",
  logs = require "weir.logs",
  tus = require "weir.tus",
  shared = require "weir.shared",
  fs = require "weir.fs",
  store = require "weir.store",
  fail = require "weir.fail",
  limit = require "weir.limit",
  cors = require "weir.cors",
  trust_proxies = require "weir.proxies",
  json = require "weir.json",
  random = bytes.random,
  uuid = bytes.uuid,
  hash = bytes.hash,
  hmac = bytes.hmac,
  equal = bytes.equal,
  hex = bytes.hex,
  base64 = bytes.base64,
  base64url = bytes.base64url,
  html = bytes.html,
  jwt = require "weir.jwt",
  ticket = require("weir.ticket").new,
  log = require "weir.log",
  now = core.now,
  stats = core.stats,
  cancelled = core.cancelled,
  version = core.version,
}

--- With a table sets limits (while the app file loads); without one returns those in force.
function weir.limits(limits)
  if limits == nil then return core.limits() end
  if type(limits) ~= "table" then check.bad("weir.limits", "argument 1", limits, "a table of names and values") end
  check.names("weir.limits", "limit", limits, core.limit_names())
  return core.set_limits(limits)
end

--- All that the process counts, in Prometheus' text format: what `GET /metrics` of `--admin` answers.
function weir.metrics()
  return check(core.metrics())
end

-- weir.test is for specs only: it is loaded when somebody asks for it.
return setmetatable(weir, {
  __index = function(_, name)
    if name == "test" then
      weir.test = require "weir.test"
      return weir.test
    end
    return nil
  end,
})
