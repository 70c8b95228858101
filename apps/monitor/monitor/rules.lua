-- rules: which figures are watched, and from where on they are told of.
--
-- A rule is { figure, above or below, clear, hold, rest, level, text } by its name: beyond `above` for `hold` seconds
-- it is raised, within `clear` for `rest` seconds it is over. What is given goes over the defaults, rule by rule and
-- field by field; false in the place of a rule takes it away.

local figures = require "monitor.figures"

local rules = {}

local HOLD, REST, LONGEST = 10, 10, 86400 -- seconds

local MB = 1024 ^ 2

local defaults = {
  cpu = { figure = "cpu", above = 0.9, clear = 0.8, hold = 60, level = "warn", text = "The processors are busy" },
  memory = { figure = "memory", above = 0.9, clear = 0.85, hold = 30, level = "warn", text = "Memory runs short" },
  ["memory full"] = { figure = "memory", above = 0.97, clear = 0.95, level = "critical", text = "Memory is used up" },
  disk = { figure = "disk", above = 0.85, clear = 0.83, level = "warn", text = "A disk is nearly full" },
  ["disk full"] = { figure = "disk", above = 0.95, clear = 0.93, level = "critical", text = "A disk is full" },
  loop = { figure = "turn_p99", above = 0.1, clear = 0.05, level = "warn", text = "The event loop lags" },
  worker = { figure = "worker_cpu", above = 0.9, clear = 0.7, hold = 20, level = "warn", text = "A worker is busy" },
  stuck = { figure = "busy", above = 2, clear = 1, hold = 0, level = "critical", text = "A worker is inside a call" },
  stops = { figure = "stops", above = 0, hold = 0, level = "warn", text = "Tasks are ended by the limits for Lua" },
  ["lua memory"] = { figure = "lua_share", above = 0.8, clear = 0.7, level = "warn", text = "Lua takes much memory" },
  refused = { figure = "refused", above = 0, hold = 0, rest = 30, level = "warn", text = "Connections are refused" },
  errors = { figure = "errors", above = 1, clear = 0.5, hold = 5, level = "warn", text = "Requests fail with 5xx" },
  latency = { figure = "latency_p99", above = 1, clear = 0.5, level = "info", text = "Answers are late" },
  backlog = { figure = "backlog", above = MB / 2, clear = MB / 8, hold = 5, level = "warn", text = "A client stalls" },
  store = { figure = "store_stopped", above = 0, hold = 0, level = "critical", text = "The store has stopped" },
  reload = { figure = "reloads_failed", above = 0, hold = 0, level = "warn", text = "A reload has failed" },
}

-- ---- checking -------------------------------------------------------------------------------------------------------

local levels = { info = true, warn = true, critical = true }
local known = {}
for _, name in ipairs(figures.names) do known[name] = true end

local function is_number(value) return type(value) == "number" and value == value and math.abs(value) < 1e18 end
local function is_time(value) return is_number(value) and value >= 0 and value <= LONGEST end

local fields = {
  figure = { function(value) return known[value] end, "one of " .. table.concat(figures.names, ", ") },
  above = { is_number, "a number" },
  below = { is_number, "a number" },
  clear = { is_number, "a number" },
  hold = { is_time, "seconds, at most a day" },
  rest = { is_time, "seconds, at most a day" },
  level = { function(value) return levels[value] end, '"info", "warn" or "critical"' },
  text = { function(value) return type(value) == "string" and #value > 0 and #value <= 200 end, "1 to 200 bytes" },
}

local function fail(name, field, wanted)
  error(("monitor: the rules: %s%s must be %s"):format(name, field and "." .. field or "", wanted), 0)
end

local function check(name, rule)
  for field, value in pairs(rule) do
    local kind = fields[field]
    if not kind then fail(name, tostring(field), "left out: there is no such field") end
    if not kind[1](value) then fail(name, field, kind[2]) end
  end
  if not rule.figure then fail(name, "figure", fields.figure[2]) end
  if (rule.above == nil) == (rule.below == nil) then fail(name, nil, "above a number or below one, and not both") end
end

-- Where it is over: no threshold of its own is the one that raises it.
local function check_clear(rule)
  local threshold = rule.above or rule.below
  local is_beyond = rule.above and rule.clear > threshold or rule.below and rule.clear < threshold
  if is_beyond then fail(rule.name, "clear", "within the threshold, " .. threshold) end
end

local function complete(name, rule)
  local whole = {
    name = name, level = "warn", text = name, hold = HOLD, rest = REST, clear = rule.above or rule.below,
  }
  for field, value in pairs(rule) do whole[field] = value end
  check_clear(whole)
  return whole
end

-- ---- all ------------------------------------------------------------------------------------------------------------

-- A threshold of another kind, or of another figure, leaves nothing of the default's.
local function over(default, given)
  local rule = {}
  local is_other = given.figure or given.below or not default
  for field, value in pairs(is_other and {} or default) do rule[field] = value end
  if given.above and not given.clear then rule.clear = nil end
  for field, value in pairs(given) do rule[field] = value end
  return rule
end

--- The rules, in the order of their names: the defaults, with what is given, a table by names, over them. Raises what
--- is wrong.
function rules.of(given)
  if given ~= nil and type(given) ~= "table" then fail("they", nil, "a table of rules by their names") end
  local all, list = {}, {}
  for name, rule in pairs(defaults) do all[name] = rule end
  for name, rule in pairs(given or {}) do
    if type(name) ~= "string" or #name == 0 or #name > 40 then fail(tostring(name), nil, "a name of 1 to 40 bytes") end
    if rule ~= false and type(rule) ~= "table" then fail(name, nil, "a table of fields, or false") end
    if not rule and not defaults[name] then fail(name, nil, "one of those that come with it, or a table of fields") end
    all[name] = rule and over(defaults[name], rule) or nil
  end
  for name, rule in pairs(all) do
    check(name, rule)
    list[#list + 1] = complete(name, rule)
  end
  table.sort(list, function(one, other) return one.name < other.name end)
  return list
end

return rules
