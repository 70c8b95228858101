-- Runs before all specs: sets the modes that the environment asks for, and after each spec fails it when it left
-- something behind: a task, a stream, a connection, a handle, a registry reference, or an error in the log.

local busted = require "busted"
local core = require "weir.core"
-- Loaded here they survive busted's isolation of the files: there is one weir in a Lua state.
require "weir"
local test = require "weir.test"

local patience = 10 -- seconds for what is still closing

if os.getenv "WEIR_TEST_GC" == "aggressive" then core.test_mode { gc = "aggressive" } end
if os.getenv "WEIR_TEST_JIT" == "off" then core.test_mode { jit = false } end

local running = "?"
local before

local function full_name(element)
  local names = { element.name }
  local parent = busted.parent(element)
  while parent and parent.descriptor ~= "file" do
    if parent.name then table.insert(names, 1, parent.name) end
    parent = busted.parent(parent)
  end
  return table.concat(names, " ")
end

busted.subscribe({ "test", "start" }, function(element)
  running = full_name(element)
  return nil, true
end)

-- "2 tasks, 1 connection" more than before, or nil.
local function left_behind()
  local left = {}
  for name, count in pairs(test.counters()) do
    local more = count - (before[name] or 0)
    if more > 0 then left[#left + 1] = more .. " " .. name end
  end
  table.sort(left)
  return left[1] and table.concat(left, ", ")
end

-- The second collection frees what the finalizers of the first let go.
local function collect()
  collectgarbage()
  collectgarbage()
end

local function assert_nothing_left()
  if not left_behind() then return end
  collect()
  if pcall(test.eventually, function() return not left_behind() end, patience) then return end
  jit.flush() -- a trace keeps the closure that it was recorded for, and so all that this one holds
  collect()
  if left_behind() then error("left behind by '" .. running .. "': " .. left_behind(), 0) end
end

local function assert_no_errors(lines)
  local errors = {}
  for _, line in ipairs(lines) do
    if line.level == "error" then errors[#errors + 1] = line.text end
  end
  if errors[1] then error("unexpected in the log of '" .. running .. "':\n" .. table.concat(errors, "\n"), 0) end
end

busted.before_each(function()
  before = test.counters()
  test.log.start()
end)

busted.after_each(function()
  core.fault_reset()
  test.cleanup()
  test.clock.thaw()
  local lines = test.log.stop()
  assert_nothing_left()
  assert_no_errors(lines)
end)
