-- defers: runs what a task has deferred, the last one first. Each may wait, and an error in one does not keep
-- the others from running: each is taken off the list before it runs, and should the guard end the task,
-- the core calls again with what is left.

local core = require "weir.core"
local traceback = require "weir.traceback"

local function report(err)
  if err == core.cancelled then return err end
  core.log("error", "weir.defer: " .. traceback(err))
  return err
end

return function(list)
  for i = #list, 1, -1 do
    local fn = list[i]
    list[i] = nil
    xpcall(fn, report)
  end
end
