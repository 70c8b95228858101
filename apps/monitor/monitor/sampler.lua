-- sampler: looks once a second, in one worker of the process, and tells what it saw.
--
--   machine.lua, streams.lua, weir.stats, weir.metrics --> a reading --figures.lua--> topic "monitor/figures"
--   each rule's alarm.lua <-- figures                             `--> the streams furthest behind, "monitor/streams"
--         `--when it is raised, and when it is over--> topic "monitor/alerts"
--
-- The topics are all there is: who watches subscribes, and costs the sampler nothing; a page that opens gets what they
-- keep. What is raised is known from the topic of alerts, too, so that a reload or a restart goes on where it was.

local weir = require "weir"
local alarm = require "monitor.alarm"
local figures = require "monitor.figures"
local machine = require "monitor.machine"
local streams = require "monitor.streams"

local sampler = {}

local EVERY = 1 -- seconds
local FRESH = 3 -- seconds that a disk is believed to be as it was
local ALERTS = 200 -- that are kept

sampler.figures, sampler.alerts, sampler.streams = "monitor/figures", "monitor/alerts", "monitor/streams"

weir.topics {
  [sampler.figures] = { history = { count = 600, age = "10m", bytes = "4MB" } },
  [sampler.alerts] = { history = { count = ALERTS, age = "30d" }, durable = true },
  [sampler.streams] = { history = { count = 3 } }, -- only the last one counts: some slack, or a slow reader has gaps
}

-- ---- reading --------------------------------------------------------------------------------------------------------

-- Looks at each disk on its own: one that does not answer, on a network say, holds up nothing else, and is unknown soon
-- after.
local function look_at_disks(self, paths)
  self.disks = {}
  for i, path in ipairs(paths) do
    weir.every(EVERY, function() self.disks[i] = { space = machine.space(path), at = weir.now() } end)
  end
end

local function known_disks(self, at)
  local list = {}
  for _, disk in pairs(self.disks) do
    if math.abs(at - disk.at) < FRESH then list[#list + 1] = disk.space end
  end
  return list
end

-- All at once: where a worker is so busy that each wait lasts, it is still of one moment.
local function read(self, options)
  local now = { at = weir.now(), stats = weir.stats(), lua_limit = weir.limits().lua_memory }
  local seen = weir.all {
    function() return machine.read(options.proc) end,
    function() return figures.of_metrics(weir.metrics()) end,
    streams.furthest,
  }
  now.machine, now.server, now.streams = seen[1], seen[2], seen[3]
  now.disks = known_disks(self, now.at)
  now.backlog = now.streams[1] and now.streams[1].backlog or 0
  return now
end

-- ---- alerts ---------------------------------------------------------------------------------------------------------

-- Where the disk has failed, of which there is an alert too, who watches is told all the same.
local function publish(told)
  local event = { event = "alert", data = told }
  local id, why = weir.publish(sampler.alerts, event)
  if id then return end
  weir.publish(sampler.figures, event)
  weir.log.error("monitor: an alert cannot be kept", { rule = told.rule, state = told.state, why = why })
end

-- The last that was told of each rule: those that are raised.
local function standing()
  local raised = {}
  for _, event in ipairs((weir.history(sampler.alerts, { limit = ALERTS, decode = true }))) do
    local told = event.data
    raised[told.rule] = told.state == "raised" and told or nil
  end
  return raised
end

-- An alarm for each rule. What was raised by one that is there no more is over.
local function alarms_of(rules, at)
  local raised, list = standing(), {}
  for i, rule in ipairs(rules) do
    local told = raised[rule.name]
    list[i] = told and alarm.raised(rule, told.since, told.worst) or alarm.new(rule)
    raised[rule.name] = nil
  end
  for _, told in pairs(raised) do
    told.state, told.at, told.value = "over", at, nil
    publish(told)
  end
  return list
end

-- Tells of what has changed, and returns what is raised now.
local function watch(alarms, values, at)
  local raised = weir.json.array {}
  for _, one in ipairs(alarms) do
    local value = values[one.rule.figure]
    local told = alarm.take(one, value, at)
    if told then publish(told) end
    if one.is_raised then raised[#raised + 1] = alarm.standing(one, value, at) end
  end
  return raised
end

-- ---- each second ----------------------------------------------------------------------------------------------------

local function tell(self, before, now)
  local values = figures.between(before, now)
  self.alarms = self.alarms or alarms_of(self.rules, now.at)
  values.at, values.alerts = now.at, watch(self.alarms, values, now.at)
  weir.publish(sampler.figures, { event = "figures", data = values })
  weir.publish(sampler.streams, { event = "streams", data = {
    at = now.at, total = now.stats.streams, streams = now.streams,
  } })
end

--- To be called when the app starts, in one worker. `options` are { proc, disks, rules }.
function sampler.start(options)
  local self, before = { rules = options.rules }, nil
  look_at_disks(self, options.disks)
  weir.every(EVERY, function()
    local now = read(self, options)
    if before then tell(self, before, now) end
    before = now
  end)
end

return sampler
