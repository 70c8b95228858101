-- task: running several things at once, and waiting for them.
--
-- A task is a coroutine that the C scheduler resumes. `spawn` makes a child: it is cancelled when its parent ends, and
-- that is over when its children are. all, race and timeout are each one call of the core, which runs the functions in
-- children of the task that called and answers when all of these are over: `true, results...` or `false, error`.

local core = require "weir.core"
local check = require "weir.check"
local isolated = require "weir.isolated"
local traceback = require "weir.traceback"

local task = {}

-- ---- one task -------------------------------------------------------------------------------------------------------

--- Suspends the task for so many seconds.
function task.sleep(seconds)
  check.seconds("weir.sleep", "argument 1 (seconds)", seconds)
  return check(core.sleep(seconds))
end

--- Runs fn(...) as a child of the current task, which cancels it when it ends.
function task.spawn(fn, ...)
  check.callable("weir.spawn", "argument 1 (fn)", fn)
  return core.spawn(fn, ...)
end

--- Runs fn(...) as a task that belongs to the app and not to who started it.
function task.background(fn, ...)
  check.callable("weir.background", "argument 1 (fn)", fn)
  return core.background(fn, ...)
end

--- Runs fn when the current task ends, however it ends; the last one first.
function task.defer(fn)
  check.callable("weir.defer", "argument 1 (fn)", fn)
  return core.defer(fn)
end

local function joined(ok, ...)
  if ok then return ... end
  return nil, (...)
end

--- Waits for the task's end: its results, or nil and its error; nil, "timeout" after so many seconds.
function core.task_methods.join(self, timeout)
  if timeout ~= nil then check.seconds("task:join", "argument 1 (timeout)", timeout) end
  return joined(check(core.join(self, timeout)))
end

--- Raises weir.cancelled in the task's blocking call, and in every later one.
function core.task_methods.cancel(self)
  core.cancel(self)
end

-- ---- several at once ------------------------------------------------------------------------------------------------

-- A list of at least one function, or (empty_ok) of none.
local function check_functions(name, fns, level)
  if type(fns) ~= "table" then check.bad(name, "argument 1", fns, "a list of functions", level + 1) end
  local count = 0
  for _ in pairs(fns) do count = count + 1 end
  for i = 1, math.max(count, #fns) do
    check.callable(name, ("item %d of the list"):format(i), fns[i], level + 1)
  end
  return count
end

-- What the core has answered: the results, or the error.
local function settle(ok, ...)
  if ok == false then error((...), 0) end
  return ...
end

--- Runs all functions at once and returns the list of their first results, in the list's order.
--- The first error cancels the others and is raised.
function task.all(fns)
  if check_functions("weir.all", fns, 2) == 0 then return {} end
  return settle(check(core.all(fns)))
end

--- Runs all functions at once; the first to finish wins, the others are cancelled.
--- Returns the winner's index and its results, or raises its error.
function task.race(fns)
  if check_functions("weir.race", fns, 2) == 0 then
    error("weir.race: the list is empty, so nothing could ever win; give it at least one function", 2)
  end
  return settle(check(core.race(fns)))
end

local function settle_in_time(ok, ...)
  if ok == nil then return nil, ... end
  return settle(ok, ...)
end

--- Runs fn(...) for at most so many seconds: its results, or nil, "timeout". Raises fn's error.
function task.timeout(seconds, fn, ...)
  check.seconds("weir.timeout", "argument 1 (seconds)", seconds)
  check.callable("weir.timeout", "argument 2 (fn)", fn)
  return settle_in_time(check(core.call(seconds, fn, ...)))
end

-- ---- every ----------------------------------------------------------------------------------------------------------

local function run_logged(fn, name)
  xpcall(fn, function(err)
    if err == core.cancelled then return end
    core.log("error", name .. ": " .. traceback(err))
  end)
end

-- The rhythm is kept against the clock: what fn took is not added, a tick that was missed is skipped. When the clock
-- was set back, the rhythm starts anew from there. Less than a millisecond, the clock's grain, is no time to wait.
local function keep_rhythm(period, fn, name)
  local next_tick = core.now() + period
  while true do
    local left = next_tick - core.now()
    if left > period then next_tick, left = next_tick - left + period, period end
    if left >= 0.001 then
      check(core.sleep(left))
    else
      -- A task of its own, so that what the tick defers and spawns ends with it.
      local ok, err, told = isolated(run_logged, fn, name)
      if err == core.cancelled then error(err, 0) end
      if not ok then core.log("error", name .. ": " .. told) end
      local late = math.max(core.now() - next_tick, 0)
      next_tick = next_tick + period * (math.floor(late / period) + 1)
    end
  end
end

-- Background tasks of an app file start when it has taken over; by then the worker knows which it is.
local function keep_rhythm_in_one(period, fn, name)
  if core.first_worker() then keep_rhythm(period, fn, name) end
end

--- Calls fn every so many seconds in a background task, the first time after that span; at the top of an app file in
--- each worker, or with `one_worker` in one. Calls never overlap; an error is logged and the next call comes all the
--- same. Returns the task.
function task.every(seconds, fn, options)
  check.seconds("weir.every", "argument 1 (seconds)", seconds)
  if seconds < 0.001 then check.bad("weir.every", "argument 1 (seconds)", seconds, "0.001 or more") end
  check.callable("weir.every", "argument 2 (fn)", fn)
  options = check.options("weir.every", options, { "one_worker" })
  local caller = debug.getinfo(2, "Sl")
  local name = ("weir.every of %s:%d"):format(caller.short_src, caller.currentline)
  if not options.one_worker then return core.background(keep_rhythm, seconds, fn, name) end
  check.boolean("weir.every", "one_worker", options.one_worker)
  if not core.loading() then
    error("weir.every: one_worker is for the top of an app file, which runs in each worker; a handler runs in one", 2)
  end
  return core.background(keep_rhythm_in_one, seconds, fn, name)
end

return task
