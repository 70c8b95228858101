-- traceback: what is logged of an error that Weir's own Lua has caught.

local core = require "weir.core"

-- In place of a message, for an error that is none: what it is, and where it was raised; what runs in between is C, or
-- Weir's.
local function raised(err, level)
  local at
  repeat
    level = level + 1
    at = debug.getinfo(level, "Sl")
  until not at or (at.currentline > 0 and not at.short_src:find "^weir/")
  local where = at and ("%s:%d: "):format(at.short_src, at.currentline) or ""
  if getmetatable(err) == core.failure then
    return ("%sweir.fail(%d) cannot be answered: this task is no request's"):format(where, err.status)
  end
  return where .. "the error is no string but a value of type " .. type(err)
end

--- For a function that xpcall calls with an error: its text, or else where it was raised, and the traceback.
return function(err)
  if type(err) ~= "string" then err = raised(err, 3) end
  local text = debug.traceback(err, 3) -- no tail call, which would take this function's place
  return text
end
