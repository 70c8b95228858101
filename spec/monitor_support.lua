-- What the specs of apps/monitor share: the app beside others, with a folder that stands for /proc.

local assert = require "luassert"
local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

local monitoring = {} -- .folder, .server are those of `serve`

-- An app that has the monitor at /monitor, and streams of its own. OPTIONS are those of the monitor, in Lua, in which
-- `only` leaves out all rules but those it is given.
local app_text = [[
  package.path = "PLACE/apps/monitor/?.lua;PLACE/apps/monitor/?/init.lua;" .. package.path
  local weir = require "weir"
  local app = weir.app()
  local function only(given) -- these rules: the others may be raised by the machine that runs the specs
    for _, rule in ipairs(require "monitor.rules".of()) do given[rule.name] = given[rule.name] or false end
    return given
  end
  local options = { OPTIONS }
  options.rules = options.rules or only {}
  app:mount("/monitor", require "monitor"(options))
  app:get("/live", function(stream)
    stream.claims = { sub = stream.query.sub or "ann" }
    stream:sse { hello = true }:subscribe "news"
  end)
  app:post("/news", function(stream) return weir.publish("news", stream:body()) end)
  app:get("/named", function(stream)
    stream.claims = { sub = stream.query.sub:rep(5000) }
    local topics = {}
    for i = 1, 300 do topics[i] = i .. ("é"):rep(120) end
    stream:sse():subscribe(topics)
  end)
  app:post("/unsync", function()
    require "weir.test".fault("store_sync", "EIO")
    weir.store("any"):set("key", 1)
  end)
  app:get("/fails", function() weir.fail(500) end)
  return app
]]

--- The path of such an app, in a folder where `proc` stands for /proc.
function monitoring.app(options)
  local place, given = os.getenv "PWD", ("proc = %q, %s"):format(monitoring.folder .. "/proc", options or "")
  local text = app_text:gsub("PLACE", function() return place end):gsub("OPTIONS", function() return given end)
  return (support.write_file(monitoring.folder .. "/app.lua", text))
end

function monitoring.begin()
  monitoring.folder = support.folder()
  os.execute("mkdir " .. monitoring.folder .. "/proc")
end

local busy, ticks = 0, 0

--- A second passes in which the processors are busy by that share.
function monitoring.pass(share, seconds)
  for _ = 1, seconds or 1 do
    busy, ticks = busy + share * 1000, ticks + 1000
    support.write_file(monitoring.folder .. "/proc/stat", ("cpu  %d 0 0 %d 0 0 0 0 0 0\n"):format(busy, ticks - busy))
    test.clock.advance(1)
  end
end

--- Serves it from this loop, whose clock stands still.
function monitoring.serve(options)
  test.clock.freeze()
  monitoring.server = test.start(monitoring.app(options))
  monitoring.pass(0) -- the first reading has nothing to be compared with
  return monitoring.server
end

--- The data of the next event of that name.
function monitoring.next(events, name)
  while true do
    local event = assert(events:next())
    if event.event == name then return json.decode(event.data) end
  end
end

return monitoring
