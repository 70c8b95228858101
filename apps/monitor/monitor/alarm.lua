-- alarm: whether a figure has been beyond its threshold for so long that somebody should know.
--
--   calm --beyond `above` for `hold`--> raised --within `clear` for `rest`--> calm
--
-- Between `clear` and `above` it stays what it is, and so it does where the figure is not known: a value that comes and
-- goes around its threshold tells once. Pure: its times are those that it is given.

local alarm = {}

--- One that is calm. `rule` is as rules.lua gives it.
function alarm.new(rule)
  return { rule = rule }
end

--- One that was raised before, since a time, with that worst value.
function alarm.raised(rule, since, worst)
  return { rule = rule, is_raised = true, since = since, worst = worst }
end

local function is_beyond(rule, value, threshold)
  if rule.below then return value < threshold end
  return value > threshold
end

local function worse(rule, one, other)
  if one == nil then return other end
  return rule.below and math.min(one, other) or math.max(one, other)
end

-- From when on it has been so: since then, unless the clock was put back behind that.
local function begun(since, at)
  return since and math.min(since, at) or at
end

local function told(self, state, value, at)
  local rule = self.rule
  return {
    rule = rule.name, level = rule.level, text = rule.text, figure = rule.figure, limit = rule.below or rule.above,
    state = state, value = value, worst = self.worst, since = self.since, at = at,
  }
end

local function watch(self, value, at)
  local rule = self.rule
  if not is_beyond(rule, value, rule.below or rule.above) then
    self.since, self.worst = nil, nil
    return nil
  end
  self.since, self.worst = begun(self.since, at), worse(rule, self.worst, value)
  if at - self.since < rule.hold then return nil end
  self.is_raised = true
  return told(self, "raised", value, at)
end

local function await_end(self, value, at)
  local rule = self.rule
  self.worst = worse(rule, self.worst, value)
  if is_beyond(rule, value, rule.clear) then
    self.within = nil
    return nil
  end
  self.within = begun(self.within, at)
  if at - self.within < rule.rest then return nil end
  local over = told(self, "over", value, at)
  self.is_raised, self.since, self.worst, self.within = false, nil, nil, nil
  return over
end

--- Takes what the figure is at a time, nil where that is not known: what is to be told, if anything.
function alarm.take(self, value, at)
  if value == nil then return nil end
  if self.is_raised then return await_end(self, value, at) end
  return watch(self, value, at)
end

--- What is so now, of one that is raised.
function alarm.standing(self, value, at)
  return told(self, "raised", value, at)
end

return alarm
