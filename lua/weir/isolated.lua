-- isolated: pcall, but in a task of its own.
--
-- What exceeds cpu_time or lua_memory ends its task at once, past every pcall. So whatever of Weir's own must go on
-- after a function of the script, come what may, calls it so.

local core = require "weir.core"

local function outcome(child, err, ok, ...)
  if err ~= nil then
    core.cancel(child)
    return false, err
  end
  if ok then return true, ... end
  return false, (...), core.traceback(child)
end

--- Waits for fn(...): true and its results, or false, the error, and what the task tells of its end. A task that is
--- cancelled meanwhile gets false and weir.cancelled.
return function(fn, ...)
  local child = core.spawn(fn, ...)
  return outcome(child, core.join(child))
end
