-- logs: several logs looked at together: their lines merged by time, as events to be sent.
--
-- Files, merging, filters and what a line becomes are the core's, which makes some hundred lines one string; here
-- options are checked.

local core = require "weir.core"
local check = require "weir.check"
local json = require "weir.json"
local log_options = require "weir.log_options"
local log_search = require "weir.log_search"
local log_view = require "weir.log_view"
local rules_of = require "weir.rules"

local SOURCES_MOST = 64

local Logs = { __name = "weir.logs" }
Logs.__index = Logs

-- ---- what there is --------------------------------------------------------------------------------------------------

local function check_labels(labels)
  if type(labels) ~= "table" then check.bad("weir.logs", "labels", labels, "a table of names and texts", 5) end
  for name, value in pairs(labels) do
    if type(name) ~= "string" or type(value) ~= "string" then
      check.bad("weir.logs", "a label", type(name) == "string" and value or name, "a name and a text", 5)
    end
  end
  return labels
end

-- A source as the core takes it: { path, whether it is a glob, labels as JSON }.
local function source(given)
  if type(given) == "string" then given = { path = given } end
  if type(given) ~= "table" then check.bad("weir.logs", "sources", given, "a list of paths and tables", 4) end
  given = check.options("weir.logs: sources", given, { "path", "labels" }, 4)
  check.path("weir.logs", "path in sources", given.path, 4)
  local labels = given.labels ~= nil and next(check_labels(given.labels)) and json.encode(given.labels) or "{}"
  return { given.path, given.path:find "[*?%[]" ~= nil, labels }
end

-- A rule as the core takes it: the name of a preset, or { pattern, with }.
local function redaction(given)
  if type(given) == "string" then return given end
  if type(given) ~= "table" then check.bad("weir.logs", "redact", given, "a list of names and tables", 4) end
  given = check.options("weir.logs: redact", given, { "pattern", "with" }, 4)
  check.string("weir.logs", "pattern in redact", given.pattern, 4)
  local with = given.with
  if with == nil then with = "***" else check.string("weir.logs", "with in redact", with, 4) end
  return { given.pattern, with }
end

local function list(what, given, make)
  if given == nil then return {} end
  if type(given) ~= "table" then check.bad("weir.logs", what, given, "a list", 4) end
  local made = {}
  for i, one in ipairs(given) do made[i] = make(one) end
  return made
end

--- The files, after a look at the disk: a list of { key, path, labels, state, why }.
function Logs:sources()
  local files = check(core.logs_files(self.logs))
  for _, file in ipairs(files) do file.labels = json.decode(file.labels) end
  return files
end

-- ---- following ------------------------------------------------------------------------------------------------------

local OPTIONS = {
  "lines", "after", "since", "before", "include", "exclude", "only", "behind", "max_line", "format",
}

--- The last `lines` lines of all files together, then what is written to them: an iterator over events.
function Logs:follow(options)
  options = check.options("logs:follow", options, OPTIONS)
  local name = "logs:follow"
  local lines = options.lines or 10
  check.integer(name, "lines", lines, 0)
  local max_line = log_options.max_line(name, options)
  local behind = check.size(name, "behind", options.behind or "4MB")
  if options.after ~= nil then check.string(name, "after", options.after) end
  local rules, only = rules_of(name, options), log_options.only(name, options.only)
  local since = log_options.time(name, "since", options.since)
  local before, text = log_options.time(name, "before", options.before), log_options.text(name, options)
  local keys = only and (#only > 0 and table.concat(only, ",") or "none")
  return log_view(core.logs_follow(self.logs, lines, max_line, behind, text, options.after, since, before, keys, rules))
end

Logs.search, Logs.read = log_search.search, log_search.read

--- Some logs: paths, or globs, with labels; and what is taken out of their lines before anything sees them.
return function(options)
  options = check.options("weir.logs", options, { "sources", "redact" })
  local sources = options.sources
  if type(sources) == "string" or type(sources) == "table" and sources.path then sources = { sources } end
  sources = list("sources", sources, source)
  if #sources == 0 or #sources > SOURCES_MOST then
    check.bad("weir.logs", "sources", #sources, "a list of 1 to 64 paths")
  end
  local redact = list("redact", options.redact, redaction)
  return setmetatable({ logs = core.logs(sources, redact), redact = redact }, Logs)
end
