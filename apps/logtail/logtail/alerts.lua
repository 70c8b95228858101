-- alerts: rules that follow the logs, in one worker of the process, and tell when they raise.
--
--   configuration --rules--> a task for each: logs:follow --lines--> rule.lua --> topic "logtail/raised"
--                            once a second, how they all stand --> topic "logtail/alerts" --> GET alerts
--
-- A rule whose text in the configuration is the same, and whose sources are, goes on over a change of that: it keeps
-- what it has counted. What was written while the server was down is not counted: an alert is news.

local weir = require "weir"
local answer = require "logtail.answer"
local configuration = require "logtail.configuration"
local rule = require "logtail.rule"
local sources = require "logtail.sources"
local view = require "logtail.view"

local alerts = {}

local BEHIND = "64MB" -- that a rule may be behind before it skips lines
local BRIEF = 120 -- bytes of a line in the list

--- Where `log.alert.raised` is told.
alerts.topic = "logtail/raised"
local standing = "logtail/alerts"

weir.topics {
  [alerts.topic] = { history = { count = 1000, age = "30d" }, durable = true },
  [standing] = { history = { count = 1 } },
}

-- In this worker, in the order of the configuration: { settings, same, rule, files, task, missed, told, problem }.
local running = {}

-- ---- raising --------------------------------------------------------------------------------------------------------

--- Tells of an alert; `file` is where its last line was. The same data, and its id, or nil and why.
function alerts.publish(told, file, page)
  told.source = file
  told.link = page and told.last and ("%s#id=%s"):format(page, told.last.id) or nil
  return told, weir.publish(alerts.topic, { event = "log.alert.raised", data = told })
end

local function raise(self, told)
  local file = self.files[told.last.id:match "^[^~]*"]
  local _, id, why = alerts.publish(told, file, configuration.current().page)
  self.told = told
  if not id then weir.log.error("logtail: an alert cannot be told", { rule = told.rule, why = why }) end
end

-- ---- following ------------------------------------------------------------------------------------------------------

local take = {}

function take.source(self, told)
  self.files[told.key] = { key = told.key, path = told.path, labels = told.labels }
end

function take.gap(self, told) self.missed = self.missed + (told.lines or 0) end

local function take_lines(self, data)
  local now = weir.now()
  for text in data:gmatch "[^\n]+" do
    local told = rule.add(self.rule, weir.json.decode(text), now)
    if told then raise(self, told) end
  end
end

local function follow(self, logs)
  local settings = self.settings
  local asked = { lines = 0, include = settings.include, exclude = settings.exclude, behind = BEHIND }
  for event in logs:follow(asked) do
    if event.event == "lines" then
      take_lines(self, event.data)
    elseif take[event.event] then
      take[event.event](self, weir.json.decode(event.data))
    end
  end
end

local function run(self, logs)
  local ok, err = pcall(follow, self, logs)
  if ok or err == weir.cancelled then return end
  self.problem = "it has failed; the log of the server says why"
  error(err, 0)
end

-- ---- the configuration ----------------------------------------------------------------------------------------------

local function begin(given, settings, same)
  local watched = sources.matching(given.sources, { settings.source })
  local self = { settings = settings, same = same, rule = rule.new(settings), files = {}, missed = 0 }
  self.task = weir.spawn(run, self, configuration.open(given, watched))
  return self
end

-- What makes a rule another one.
local function sameness(given, settings)
  local watched = sources.matching(given.sources, { settings.source })
  return weir.json.encode { settings, watched, weir.json.array(given.redact) }
end

local function apply(given)
  local before, now = {}, {}
  for _, old in ipairs(running) do before[old.settings.name] = old end
  for i, settings in ipairs(given.alerts) do
    local old, same = before[settings.name], sameness(given, settings)
    local goes_on = old and old.same == same
    now[i] = goes_on and old or begin(given, settings, same)
    if goes_on then before[settings.name] = nil end
  end
  for _, old in pairs(before) do old.task:cancel() end
  running = now
end

-- ---- how they stand -------------------------------------------------------------------------------------------------

local function state_of(self, now)
  if self.problem then return "failed" end
  if next(self.files) == nil then return "waiting" end
  return rule.is_cooling(self.rule, now) and "cooling" or "watching"
end

-- Of the last alert so much that a list of fifty fits into an event.
local function brief(told)
  if not told then return nil end
  local function line(of) return { id = of.id, t = of.t, line = rule.cut(of.line, BRIEF) } end
  return { at = told.at, matched = told.matched, link = told.link, first = line(told.first), last = line(told.last) }
end

local function stand(self, now)
  local settings = self.settings
  return {
    name = settings.name, source = settings.source, level = settings.level, text = settings.text,
    count = settings.count, window = settings.window_seconds, cooldown = settings.cooldown_seconds,
    state = state_of(self, now), why = self.problem, counted = rule.counted(self.rule, now),
    matched = self.rule.matched, raised = self.rule.raised, missed = self.missed, last = brief(self.told),
  }
end

local said -- how they all stood when that was told

local function tell()
  local now, list = weir.now(), {}
  for i, one in ipairs(running) do list[i] = stand(one, now) end
  local text = weir.json.encode(weir.json.array(list))
  if text ~= said then weir.publish(standing, text) end
  said = text
end

-- One task has all of them as its children.
local function watch()
  local applied
  while true do
    local turn, given = configuration.turn(), configuration.current()
    if given and given ~= applied then apply(given) end
    applied = given
    tell()
    turn:recv()
  end
end

--- To be called when the app starts, in one worker.
function alerts.start()
  weir.background(watch)
  weir.every(1, tell)
end

-- ---- asking ---------------------------------------------------------------------------------------------------------

-- Those of a list that watch nothing but what the viewer may read.
local function visible(list, of)
  local seen = {}
  for _, one in ipairs(list) do
    if view.covers(of, one.source) then seen[#seen + 1] = one end
  end
  return weir.json.array(seen)
end

--- GET alerts: how the rules stand, now and at each change.
function alerts.show(stream)
  local of = view.of(stream)
  local sse, last = answer.stream(stream), nil
  local sub = weir.subscribe(standing, { last = 1 })
  answer.send_while(of, function()
    for event in sub:events() do
      local text = weir.json.encode(visible(weir.json.decode(event.data), of))
      if text ~= last and not sse:send { event = "alerts", data = text } then return end
      last = text
    end
  end, function() end)
end

return alerts
