-- fail: an error that is an answer. It passes through everything up to the task's end, where the core hands it to
-- `weir.app`, which sends it. It is not logged, being the client's mistake and not the script's.

local core = require "weir.core"
local check = require "weir.check"

core.failure.__tostring = function(failure)
  local body = failure.body
  if type(body) == "table" then body = "a table" end
  return body and ("weir.fail %d: %s"):format(failure.status, body) or ("weir.fail %d"):format(failure.status)
end

--- Ends the handler from any depth with this status and body: a message, or a table that becomes JSON.
return function(status, body)
  if type(status) ~= "number" or status % 1 ~= 0 or status < 400 or status > 599 then
    check.bad("weir.fail", "argument 1 (status)", status, "a status from 400 to 599")
  end
  if body ~= nil and type(body) ~= "string" and type(body) ~= "table" then
    check.bad("weir.fail", "argument 2 (body)", body, "a string or a table")
  end
  error(setmetatable({ status = status, body = body }, core.failure), 0)
end
