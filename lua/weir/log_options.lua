-- log_options: what the looks at logs have in common of their options, as scripts give it and as the core takes it. Who
-- is blamed is whoever called the function that calls one of these.

local core = require "weir.core"
local check = require "weir.check"

local log_options = {}

--- Seconds since 1970 of an option that is a number or a text; nil: it is not given.
function log_options.time(name, what, value)
  if value == nil or type(value) == "number" then return value end
  local seconds = type(value) == "string" and core.logs_time(value)
  if not seconds then check.bad(name, what, value, "seconds since 1970, or a time as ISO 8601 has it", 3) end
  return seconds
end

--- Whether lines are wanted as they are, and not as JSON.
function log_options.text(name, options)
  local format = options.format
  if format ~= nil and format ~= "json" and format ~= "text" then
    check.bad(name, "format", format, '"json" or "text"', 3)
  end
  return format == "text"
end

--- The most bytes of a line that come in one piece.
function log_options.max_line(name, options)
  local max_line = check.size(name, "max_line", options.max_line or "64KB", 3)
  if max_line == 0 then check.bad(name, "max_line", max_line, "1 byte or more", 3) end
  return max_line
end

--- The keys of files as a list; nil: all.
function log_options.only(name, only)
  if only == nil then return nil end
  if type(only) == "string" then only = { only } end
  if type(only) ~= "table" then check.bad(name, "only", only, "a list of keys", 3) end
  for _, key in ipairs(only) do check.string(name, "a key in only", key, 3) end
  return only
end

return log_options
