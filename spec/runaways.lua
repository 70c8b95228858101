-- What runs away: the bodies of handlers that the guard ends. spec/guard_spec.lua looks at each by itself,
-- tests/soak/runaways_spec.lua at all of them together.

local runaways = {}

local TIME, MEMORY = "the limit cpu_time", "the limit lua_memory"

-- Each the body of a handler, and the limit that ends it, with the lua_memory that it wants for that. `once`: it takes
-- long with a collector that never rests.
runaways.loops = {
  ["a compiled loop"] = { "local i = 0 while true do i = i + 1 end", TIME },
  ["a loop that is not compiled"] = { "jit.off(true, true) local i = 0 while true do i = i + 1 end", TIME },
  ["a loop inside pcall inside a loop"] = {
    "local function f() local i = 0 while true do i = i + 1 end end while true do pcall(f) end", TIME },
  ["a loop of failing pcalls"] = { "while true do pcall(error) end", TIME },
  ["tail calls"] = { "local function f(n) return f(n + 1) end return f(0)", TIME },
  ["calls into the core"] = { "while true do weir.now() end", TIME },
  ["publishing for ever"] = { 'while true do weir.publish("t", "x") end', TIME },
  ["a coroutine that loops"] = { "coroutine.wrap(function() while true do end end)()", TIME },
  ["coroutines that resume each other"] = {
    "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end", TIME },
  ["an error handler that loops"] = { 'xpcall(function() error "x" end, function() while true do end end)', TIME },
  ["a loop whose error handler loops"] = {
    "local function f() while true do end end while true do xpcall(f, f) end", TIME },
  ["a metamethod that loops"] = {
    "return setmetatable({}, { __index = function() while true do end end }).field", TIME },
  ["a comparator of table.sort that loops"] = {
    "table.sort({ 3, 2, 1 }, function() while true do end end)", TIME },
  ["a callback of gsub that loops"] = { 'return (("x"):gsub("x", function() while true do end end))', TIME },
  ["the function of store:update"] = { 'weir.store("s"):update("k", function() while true do end end)', TIME },
  ["a string that doubles"] = { 'local s = "x" while true do s = s .. s end', MEMORY },
  ["a string.rep of a gigabyte"] = { 'local s = ("x"):rep(1e9) return s', MEMORY },
  ["many strings"] = { 'local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end', MEMORY },
  ["tables in a table"] = { "local t = {} while true do t[#t + 1] = {} end", MEMORY },
  ["nested tables"] = { "local t = {} while true do t = { t } end", MEMORY },
  ["tables that pcall tries to save"] = {
    "local t = {} local function f() while true do t[#t + 1] = {} end end while true do pcall(f) end", MEMORY },
  ["nested coroutines"] = { "local function f() coroutine.wrap(f)() end f()", MEMORY },
  ["suspended coroutines"] = {
    "local t = {} while true do t[#t + 1] = coroutine.wrap(coroutine.yield) t[#t]() end", MEMORY },
  ["coroutines that resume each other deeper and deeper"] = {
    "local function f() coroutine.resume(coroutine.create(f)) f() end f()", MEMORY, "48MB", once = true },
  ["iterators within iterators"] = {
    "local function f() for _ in coroutine.wrap(f) do end end f()", MEMORY, "48MB", once = true },
  ["coroutines that resume each other, made before"] = {
    [[local deepest = function() while true do end end
      for _ = 1, 1000 do
        local inner = deepest
        deepest = coroutine.wrap(function() inner() end)
      end
      deepest()]], TIME, "64MB" },
  ["kept strings, compiled"] = {
    [[collectgarbage "stop" local i, t = 0, {} while true do i = i + 1 t[i] = "some " .. i end]], MEMORY },
  ["numbers in a table, compiled"] = { "local i, t = 0, {} while true do i = i + 1 t[i] = i end", MEMORY },
  ["tasks for ever"] = { "while true do weir.spawn(function() end) end", MEMORY },
}

-- What a script does within itself, until the C stack would end; each returns its function.
runaways.recursions = {
  ["gsub"] = 'local function f() return (("x"):gsub("x", f)) end return f',
  ["sort"] = "local function f() table.sort({ 1, 2 }, f) end return f",
  ["load"] = "local function f() local ok, err = load(f) if not ok then error(err, 0) end end return f",
  ["format"] = [[
    local value = setmetatable({}, {})
    getmetatable(value).__tostring = function() return ("%s"):format(value) end
    return function() return tostring(value) end]],
  ["gsub in a coroutine in gsub"] = [[
    local n = 0
    local function f()
      n = n + 1
      if n % 500 == 0 then coroutine.wrap(f)() else ("x"):gsub("x", f) end
    end
    return f]],
  ["require"] = [[
    local n = 0
    table.insert(package.loaders, 1, function() n = n + 1 require("deeper" .. n) end)
    return function() require "deep" end]],
  ["a template that includes itself"] = [[
    local templates = { a = "<$b>", b = "<$a>" }
    local function render(name) return (templates[name]:gsub("%$(%w+)", render)) end
    return function() return render "a" end]],
}

return runaways
