-- Runaways of every kind, at limits drawn at random, several at a time, in several apps of one process: it lives, each
-- of them is ended, all other streams go on, and every app answers again.
--
-- RUNAWAYS=500 says how many at least, SECONDS=600 for how long at least, SEED=n draws the same ones again.

local weir = require "weir"
local test = require "weir.test"
local kinds = require "spec.runaways"
local support = require "spec.support"

local wanted = tonumber(os.getenv "RUNAWAYS" or 500)
local seconds = tonumber(os.getenv "SECONDS" or 600)
local seed = tonumber(os.getenv "SEED") or math.random(2 ^ 31)
local patience = 120
local workers, wild, at_once = 2, 4, 3
local tick = 0.05

-- From 1 to n. A generator of its own, for others draw from math.random.
local drawn = seed
local function draw(n)
  drawn = (drawn * 69069 + 1) % 2 ^ 32
  return math.floor(drawn / 2 ^ 32 * n) + 1
end

---- the apps ----

-- One that leads the others through: streams that a coroutine holds, and some that a topic does.
local calm = [[
  local weir = require "weir"
  %s
  local app = weir.app()
  app:get("/", function() return "ok" end)
  app:post("/tick/:n", function(stream) weir.publish(%q, stream.params.n) end)
  app:get("/held", function(stream)
    local sse, n = stream:sse(), 0
    sse:send(tostring(app))
    repeat
      n = n + 1
      weir.sleep(%g)
    until not sse:send(tostring(n))
  end)
  app:get("/told", function(stream)
    local sse = stream:sse()
    sse:send(tostring(app))
    sse:subscribe(%q)
  end)
]]

-- What is not in the guard's specs as the body of a handler of its own.
local others = {
  ["a pattern for ever"] = 'while true do (("a"):rep(450)):find(".-.-.-b") end',
  ["a function that defers itself"] = "local function f() weir.defer(f) end f() while true do end",
  ["a deferred function"] = 'weir.defer(function() local t = {} while true do t[#t + 1] = {} end end) error "mine"',
  ["an on_close function"] = 'stream:on_close(function() while true do end end) error "mine"',
  ["a child"] = "weir.spawn(function() local t = {} while true do t = { t } end end):join() while true do end",
  ["one step of compiled code"] = [[
    local s
    for _ = 1, 3 do
      sizes[300] = 2e9
      for i = 1, 300 do s = ("x"):rep(sizes[i]) end
    end
    while true do end]],
  ["what is kept, in coroutines that are kept"] = [[
    local function fill()
      collectgarbage "stop"
      local i, t = 0, {}
      while true do
        i = i + 1
        t[i] = { "some " .. i, function() return i end }
      end
    end
    kept = coroutine.create(function() fill() end)
    weir.defer(function() kept = nil end)
    coroutine.resume(kept)
    fill()]],
}

local names = {}
for name in pairs(kinds.loops) do names[#names + 1] = name end
for name in pairs(kinds.recursions) do names[#names + 1] = "recursion by " .. name end
for name in pairs(others) do names[#names + 1] = name end
table.sort(names)

local function body_of(name)
  local recursion = name:match "^recursion by (.*)"
  if recursion then return ("recursions[%q]() while true do end"):format(name) end
  return others[name] or kinds.loops[name][1]
end

-- Each kind is a route by its number; "?begun" answers a piece before it runs away.
local function wild_text()
  local parts = { "local kept, recursions, sizes = nil, {}, {} for i = 1, 300 do sizes[i] = 10 end" }
  for name, text in pairs(kinds.recursions) do
    parts[#parts + 1] = ("recursions[%q] = (function() %s end)()"):format("recursion by " .. name, text)
  end
  for number, name in ipairs(names) do
    parts[#parts + 1] = ([[app:get("/run/%d", function(stream)
      if stream.query.begun then stream:write("begun") stream:flush() end
      %s
    end)]]):format(number, body_of(name))
  end
  return table.concat(parts, "\n")
end

local function limits()
  return ("weir.limits { cpu_time = %.2f, lua_memory = %d }"):format(0.05 * 10 ^ (draw(1000) / 1000),
    5 * 2 ^ 20 * 20 ^ (draw(1000) / 1000))
end

local function write_apps()
  local folder, apps = support.folder(), {}
  for number = 0, wild do
    local name = number == 0 and "calm" or "wild" .. number
    local limit = number == 0 and "" or limits()
    apps[#apps + 1] = name
    print(name .. ": " .. limit)
    os.execute("mkdir " .. folder .. "/" .. name)
    support.write_file(folder .. "/" .. name .. "/app.lua",
      calm:format(limit, "of-" .. name, tick, "of-" .. name) .. (number == 0 and "" or wild_text()) .. "\nreturn app\n")
  end
  return folder, apps
end

---- the streams beside them ----

-- What went wrong in a task; the next that looks raises it.
local wrong
local function fail(...) wrong = wrong or (...):format(select(2, ...)) end

-- How often an app's generation has been replaced; that of any app if none is named. The log says it before the streams
-- end, and is read after.
local function replaced(server, app)
  local count, whose = 0, app and "/" .. app .. " " or ""
  for line in server:stderr():gmatch "[^\n]+" do
    local tells = line:find("a new generation takes its place", 1, true) and line:find(whose, 1, true)
    count = count + (tells and 1 or 0)
  end
  return count
end

-- Ticks whose request was made again: what ends a handler may do so between the publish and the answer.
local again = {}

-- Each tick follows the last one. The stream of a wild app that a coroutine holds may end with its app's Lua.
local function follow(server, clock)
  local event, err = clock.events:next(patience)
  while event and not clock.closed do
    local n = tonumber(event.data)
    local is_next, is_again = n == (clock.last or n - 1) + 1, n == clock.last and again[clock.app .. n]
    if event.event ~= "message" or not (is_next or is_again) then
      return fail("%s: %s %s after %s", clock.path, event.event, event.data, tostring(clock.last))
    end
    clock.last, clock.count = n, clock.count + 1
    event, err = clock.events:next(patience)
  end
  local function is_allowed()
    return clock.closed or not clock.steady and replaced(server, clock.app) > 0
  end
  if not pcall(test.eventually, is_allowed, patience / 4) then fail("%s: %s", clock.path, tostring(err)) end
  clock.ended = true
end

-- One clock in each worker.
local function open_clocks(server, app, kind, clocks)
  local path, steady = ("/%s/%s"):format(app, kind), kind == "told" or app == "calm"
  local found, count = {}, 0
  test.eventually(function()
    local events = assert(server:sse(path, { timeout = patience }))
    local id = events:next(patience).data
    if found[id] then return events:close() end
    found[id], count = true, count + 1
    local clock = { events = events, path = path, app = app, steady = steady, count = 0 }
    clocks[#clocks + 1] = clock
    weir.spawn(follow, server, clock)
    return count == workers
  end, patience)
end

local function publish(server, apps, state)
  local n = 0
  while not state.over do
    n = n + 1
    for _, app in ipairs(apps) do
      local path = ("/%s/tick/%d"):format(app, n)
      local ok = pcall(test.eventually, function()
        local answer = server:post(path, { timeout = patience })
        local is_told = answer and answer.status == 204
        if not is_told then again[app .. n] = true end
        return is_told
      end, patience)
      if not ok then return fail("%s is not answered any more", path) end
    end
    weir.sleep(tick)
  end
end

-- All that have not ended have ticked since.
local function await_ticks(clocks)
  for _, clock in ipairs(clocks) do
    local before = clock.count
    test.eventually(function() return wrong or clock.ended or clock.count > before end, patience)
  end
  if wrong then error(wrong, 0) end
end

---- the runaways ----

local function is_ended(name, answer, err, partial)
  if answer == nil then return partial ~= nil and partial.status == 200 and err ~= "timeout" end
  if answer.status == 503 then return true end
  local raises = name:find "^recursion" or name:find "coroutine" or name:find "iterators" or name:find "function"
  return answer.status == 500 and raises
end

local function run_away(server, apps, done)
  local app, number, begun = apps[1 + draw(wild)], draw(#names), draw(4) == 1
  local path = ("/%s/run/%d%s"):format(app, number, begun and "?begun=1" or "")
  local answer, err, partial = server:get(path, { timeout = patience })
  if not is_ended(names[number], answer, err, partial) then
    fail("%s, %s: %s", path, names[number], answer and answer.status or err)
  end
  test.eventually(function()
    local sane = server:get("/" .. app .. "/", { timeout = patience })
    return sane and sane.status == 200
  end, patience)
  done[names[number]] = (done[names[number]] or 0) + 1
  done.count = done.count + 1
end

describe("a server whose scripts run away", function()
  after_each(support.remove_folders)

  it("lives, and so does what runs beside them", function()
    print(("%d runaways and %d s; SEED=%d draws them again"):format(wanted, seconds, seed))
    local folder, apps = write_apps()
    local server = test.spawn { "serve", folder, "--workers", workers, timeout = patience }
    local clocks, state, done = {}, {}, { count = 0 }
    for _, app in ipairs(apps) do
      open_clocks(server, app, "told", clocks)
      open_clocks(server, app, "held", clocks)
    end
    local publisher = weir.spawn(publish, server, apps, state)
    local deadline = weir.now() + seconds
    local function runner()
      while not wrong and (done.count < wanted or weir.now() < deadline) do
        run_away(server, apps, done)
        await_ticks(clocks)
      end
    end
    local runners = {}
    for i = 1, at_once do runners[i] = runner end
    local ok, err = pcall(weir.all, runners)
    if not ok or wrong then
      print(server:stderr():sub(-4000))
      error(wrong or err, 0)
    end
    state.over = true
    publisher:join()
    local ended = 0
    for _, clock in ipairs(clocks) do
      clock.closed = true
      if clock.ended then ended = ended + 1 end
      clock.events:close()
    end
    local kinds_done = 0
    for _ in pairs(done) do kinds_done = kinds_done + 1 end
    print(("%d runaways of %d kinds of %d; %d generations replaced, %d held streams ended with them"):format(done.count,
      kinds_done - 1, #names, replaced(server), ended))
    assert.equal(0, (server:stop("TERM", patience)))
    assert.is_nil(server:stderr():match "Sanitizer[^\n]*")
  end)
end)
