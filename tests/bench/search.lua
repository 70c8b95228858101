-- search: finds lines of the log SEARCH_LOG by the rule that SEARCH_KIND and SEARCH_FOR say, when `weir check` starts
-- it, twice: the first reads what the second finds in memory. Prints the milliseconds of CPU, of all threads, and on
-- the wall.

local weir = require "weir"

local kind, text, want = os.getenv "SEARCH_KIND", os.getenv "SEARCH_FOR", tonumber(os.getenv "SEARCH_WANT")
local logs = weir.logs { sources = { os.getenv "SEARCH_LOG" } }

local function search()
  local found = 0
  for event in logs:search { lines = 1000, include = { { [kind] = text, case = true } } } do
    if event.event == "lines" then found = found + 1 + select(2, event.data:gsub("\n", "")) end
  end
  assert(found == want, found .. " lines were found")
end

local function measure()
  search()
  local cpu, wall = os.clock(), weir.now()
  search()
  io.write(("%.3f %.3f\n"):format((os.clock() - cpu) * 1e3, (weir.now() - wall) * 1e3))
  io.flush()
end

local app = weir.app()
app:on_start(measure)
return app
