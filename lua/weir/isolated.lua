-- isolated: pcall, but in a task of its own.
--
-- What exceeds cpu_time or lua_memory ends its task at once, past every pcall. So whatever of Weir's own must go on
-- after a function of the script, come what may, calls it so.

local core = require "weir.core"

local function outcome(err, ...)
  if err ~= nil then return false, err end
  return ...
end

--- Waits for fn(...): true and its results, or false, the error, and what the task tells of its end. A task that is
--- cancelled meanwhile cancels it, and gets false and weir.cancelled when it is over.
return function(fn, ...)
  return outcome(core.call(nil, fn, ...))
end
