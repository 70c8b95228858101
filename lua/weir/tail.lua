-- tail: the lines of a file that grows, as an iterator that waits for the next one.
--
-- The following itself (rotation, truncation, a file that is not there yet) is the core's; it goes on until the tail is
-- closed, collected, or a task is cancelled that waits for a line.

local core = require "weir.core"
local check = require "weir.check"
local rules_of = require "weir.rules"

local OPTIONS = { "lines", "max_line", "after", "include", "exclude" }

local Tail = { __name = "weir.tail" }
Tail.__index = Tail

-- The table of what is missing, for most lines none.
local function with_gap(line, id, lost)
  if not lost then return line, id end
  return line, id, { lines = lost >= 0 and lost or nil }
end

--- The next line and its id, waiting for it; nil after close. A third value says that lines are missing before it.
function Tail:__call()
  if not self.follower then return nil end
  return with_gap(check(core.iterator_next(self.follower)))
end

--- Stops following the file.
function Tail:close()
  if not self.follower then return end
  core.iterator_close(self.follower)
  self.follower = nil
end

--- Follows a file: first its last `lines` lines (10), or what came after the line with the id `after`; then each new
--- one. A line longer than `max_line` ("64KB") comes in pieces. Of these lines those come for which all rules of
--- `include` and none of `exclude` hold.
return function(path, options)
  check.path("weir.tail", "argument 1 (path)", path)
  options = check.options("weir.tail", options, OPTIONS)
  local lines, max_line = options.lines or 10, options.max_line or "64KB"
  check.integer("weir.tail", "lines", lines, 0)
  max_line = check.size("weir.tail", "max_line", max_line)
  if max_line == 0 then check.bad("weir.tail", "max_line", max_line, "1 byte or more") end
  local after = options.after
  if after ~= nil and type(after) ~= "string" then check.bad("weir.tail", "after", after, "the id of a line") end
  local rules = rules_of("weir.tail", options)
  return setmetatable({ follower = core.tail(path, lines, max_line, after, rules) }, Tail)
end
