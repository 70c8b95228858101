-- log_view: one look at logs, live or finite: an iterator over events as sse:send takes them.

local core = require "weir.core"
local check = require "weir.check"

local View = { __name = "weir.logs.view" }
View.__index = View

--- The next event, waiting for it; nil after the one called "end", and after close.
function View:__call()
  if self.first[1] then return table.remove(self.first, 1) end
  if not self.iterator then return nil end
  local name, data, id = check(core.iterator_next(self.iterator))
  if name == nil then return nil end
  if name == "end" then self:close() end
  return { event = name, data = data, id = id }
end

--- Stops looking.
function View:close()
  self.first = {}
  if self.iterator then core.iterator_close(self.iterator) end
  self.iterator = nil
end

--- Of an iterator of the core's; the events `first` come before its own.
return function(iterator, first)
  return setmetatable({ iterator = iterator, first = first or {} }, View)
end
