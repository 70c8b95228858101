-- log_search: finite looks at logs: what is there, from the end backward or from a place forward, as events.
--
-- The reading itself (backward in blocks, over rotated files, several logs merged by time) is the core's; nothing is
-- read before somebody asks for the next event.

local core = require "weir.core"
local check = require "weir.check"
local json = require "weir.json"
local log_options = require "weir.log_options"
local log_view = require "weir.log_view"
local rules_of = require "weir.rules"

local SHARED = { "since", "before", "lines", "include", "exclude", "only", "format", "max_line" }
local READ = { "after", "upto", unpack(SHARED) }

local FILES_MOST = 64 -- that one looks at

local function event_of(file, left_out)
  local told = { key = file.key, path = file.path, labels = file.labels, state = file.state, why = file.why }
  if left_out then told.state, told.why = "error", "more than 64 files" end
  return { event = "source", data = json.encode(told) }
end

-- The files that are asked for, as the core takes them, and an event for each.
local function files_of(logs, only)
  local wanted, files, events = {}, {}, {}
  for _, key in ipairs(only or {}) do wanted[key] = true end
  for _, file in ipairs(logs:sources()) do
    if not only or wanted[file.key] then
      local left_out = #files == FILES_MOST
      if not left_out then files[#files + 1] = { file.key, file.path } end
      events[#events + 1] = event_of(file, left_out)
    end
  end
  return files, events
end

-- An id, the caller's caller blamed for anything else.
local function id_of(name, what, value)
  if value ~= nil then check.string(name, what, value, 3) end
  return value
end

local log_search = {}

--- The newest `lines` (1000) that are wanted, the newest event first, and in each event the lines in their order. From
--- the end, or before the id or the time `before`; not further back than the time `since`.
function log_search.search(logs, options)
  local name = "logs:search"
  options = check.options(name, options, SHARED)
  local lines, before, from = options.lines or 1000, options.before, nil
  check.integer(name, "lines", lines, 1)
  if type(before) == "string" and before:find("~", 1, true) then before, from = nil, before end
  local only, max_line = log_options.only(name, options.only), log_options.max_line(name, options)
  local text, rules = log_options.text(name, options), rules_of(name, options)
  local since, till = log_options.time(name, "since", options.since), log_options.time(name, "before", before)
  local files, sources = files_of(logs, only)
  return log_view(core.log_search(files, true, text, lines, max_line, since, till, from, nil, rules, logs.redact),
    sources)
end

--- The oldest `lines` (100) that are wanted behind the id `after`, up to the id `upto`, between the times `since` and
--- `before`.
function log_search.read(logs, options)
  local name = "logs:read"
  options = check.options(name, options, READ)
  local lines = options.lines or 100
  check.integer(name, "lines", lines, 1)
  local after, upto = id_of(name, "after", options.after), id_of(name, "upto", options.upto)
  local only, max_line = log_options.only(name, options.only), log_options.max_line(name, options)
  local text, rules = log_options.text(name, options), rules_of(name, options)
  local since, till = log_options.time(name, "since", options.since), log_options.time(name, "before", options.before)
  local files, sources = files_of(logs, only)
  return log_view(core.log_search(files, false, text, lines, max_line, since, till, after, upto, rules, logs.redact),
    sources)
end

return log_search
