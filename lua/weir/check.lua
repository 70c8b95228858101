-- check: what the library asks of its arguments, and how it says what is wrong with them.
--
-- Two kinds of failure meet here. A blocking C function answers `err, results...`: `check(core.sleep(1))` raises the
-- error or returns the results. And a caller's mistake raises at the caller's own line, with a message that always has
-- the same parts: the function, the argument, what it must be, what came, and, where it is not plain, the remedy.
--
--   app.lua:7: weir.sleep: argument 1 (seconds) must be a number, 0 or more, got nil
--
-- `level` is always the one `error` would take in the function that calls the check: 2 blames its caller.
-- A mistake that a script need not stop at, such as an unknown option, goes through `check.mistake`: it raises too, but
-- `weir check` collects these and lets the script go on, so that it can tell several at once.
-- This module knows nothing of tasks or streams.

local core = require "weir.core"
local nearest = require "weir.nearest"

local check = {}

--- The results of a blocking C function, whose first one is an error or nil. `check(...)` is the same. An error that is
--- a message is about the script's own mistake; in `return check(core.f())` level 2 is whoever made it.
function check.results(err, ...)
  if err ~= nil then error(err, 2) end
  return ...
end

setmetatable(check, { __call = function(_, ...) return check.results(...) end })

local huge = math.huge

--- A value as a message shows it: strings and numbers themselves, else the type.
function check.show(value)
  local kind = type(value)
  if kind == "string" then
    if #value > 40 then value = value:sub(1, 37) .. "..." end
    return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("%c", "?"))
  elseif kind == "number" then
    return ("%.14g"):format(value)
  elseif kind == "nil" or kind == "boolean" then
    return tostring(value)
  end
  return "a " .. kind
end

--- Raises a mistake, unless `weir check` collects them: then the caller goes on without what is wrong.
function check.mistake(message, level)
  level = (level or 2) + 1
  local at = debug.getinfo(level, "Sl")
  local where = at and at.currentline > 0 and ("%s:%d: "):format(at.short_src, at.currentline) or ""
  if not core.mistake(where .. message) then error(message, level) end
end

--- That `name`'s argument `what` must be `expected`, as a message.
function check.expected(name, what, value, expected)
  return ("%s: %s must be %s, got %s"):format(name, what, expected, check.show(value))
end

--- Raises that `name`'s argument `what` must be `expected`.
function check.bad(name, what, value, expected, level)
  error(check.expected(name, what, value, expected), (level or 2) + 1)
end

--- A function.
function check.callable(name, what, value, level)
  if type(value) ~= "function" then check.bad(name, what, value, "a function", (level or 2) + 1) end
end

--- A string.
function check.string(name, what, value, level)
  if type(value) ~= "string" then check.bad(name, what, value, "a string", (level or 2) + 1) end
end

--- True or false.
function check.boolean(name, what, value, level)
  if type(value) ~= "boolean" then check.bad(name, what, value, "true or false", (level or 2) + 1) end
end

--- A file's path.
function check.path(name, what, value, level)
  if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
    check.bad(name, what, value, "a path: a string, not empty, without NUL", (level or 2) + 1)
  end
end

--- A span of time in seconds, fractions allowed.
function check.seconds(name, what, value, level)
  if type(value) ~= "number" or not (value >= 0 and value < huge) then
    check.bad(name, what, value, "a number of seconds, 0 or more", (level or 2) + 1)
  end
end

--- A whole number of at least `least`.
function check.integer(name, what, value, least, level)
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value >= 2 ^ 53 then
    check.bad(name, what, value, ("a whole number, %d or more"):format(least), (level or 2) + 1)
  end
end

local SPANS = { [""] = 1, ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

--- A span of time above 0, from a number of seconds or from "24h". Returns the seconds.
function check.span(name, what, value, level)
  local seconds = value
  if type(value) == "string" then
    local digits, unit = value:match("^(%d+%.?%d*)(%a*)$")
    local factor = digits and SPANS[unit]
    seconds = factor and tonumber(digits) * factor
  end
  if type(seconds) ~= "number" or not (seconds > 0 and seconds < 1e12) then
    local expected = 'a span of time: seconds, or a string like "90s", "15m", "24h", "7d"'
    check.bad(name, what, value, expected, (level or 2) + 1)
  end
  return seconds
end

local UNITS = { [""] = 1, KB = 1024, MB = 1024 ^ 2, GB = 1024 ^ 3 }

-- A number of bytes from a number or from "64KB" (1 KB is 1024 bytes), as the core reads limits; else nil.
local function bytes(value)
  if type(value) == "string" then
    local digits, unit = value:match("^(%d+)(%a*)$")
    local factor = digits and UNITS[unit:upper()]
    value = factor and tonumber(digits) * factor
  end
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value >= 2 ^ 53 then return nil end
  return value
end

--- A size, as a number of bytes. Returns that number.
function check.size(name, what, value, level)
  local size = bytes(value)
  if not size then
    check.bad(name, what, value, 'a size: bytes as a whole number, or a string like "64KB"', (level or 2) + 1)
  end
  return size
end

--- The names in a table that are not in the list `known` are mistakes. `kind` is what the message calls them.
function check.names(name, kind, given, known, level)
  for key in pairs(given) do
    local found = false
    for _, candidate in ipairs(known) do found = found or candidate == key end
    if not found then
      local near = nearest(key, known)
      local hint = near and ("; did you mean %s?"):format(near) or ""
      check.mistake(("%s: unknown %s %s; known are: %s%s"):format(name, kind, check.show(key),
        table.concat(known, ", "), hint), (level or 2) + 1)
    end
  end
end

--- A table of options, none of which is unknown. `known` is the list of their names, for the message too.
--- Returns the table, an empty one for nil.
function check.options(name, options, known, level)
  if options == nil then return {} end
  level = (level or 2) + 1
  if type(options) ~= "table" then check.bad(name, "the options", options, "a table", level) end
  check.names(name, "option", options, known, level)
  return options
end

return check
