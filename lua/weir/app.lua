-- app: what an app file returns, and how a request passes through it.
--
-- While the file loads an app is a list of *entries* in the order they were added: routes, middleware, static folders
-- and mounted apps. `compile` walks it once, gives everything to a router of the core, and seals the app. From then on
-- the core finds the handler and the middleware of a request and calls `run` in the request's task, so nothing here is
-- looked up twice, and a request without middleware allocates nothing.
--
--   app:mount("/api", child)    the child's entries are walked in the mount's place, with "/api" before their paths
--
-- What a handler returns becomes the answer in `reply`. What it raises comes to `failed`, in a task of its own.

local core = require "weir.core"
local check = require "weir.check"
local error_page = require "weir.error_page"
local json = require "weir.json"

local app = {}

local App = { __name = "weir.app" }
App.__index = App

-- ---- while the file loads -------------------------------------------------------------------------------------------

--- A new app without routes.
function app.new(...)
  if select("#", ...) > 0 then check.bad("weir.app", "argument 1", (...), "nothing: there is no such argument") end
  return setmetatable({ entries = {}, sealed = false }, App)
end

-- Adds an entry, with the place in the script that asked for it: two calls up.
local function add(self, name, entry)
  if getmetatable(self) ~= App then
    error(("app:%s: called without an app; write app:%s(...), with a colon"):format(name, name), 3)
  end
  if self.sealed then
    error(("app:%s: the app is already serving; add everything while its file loads"):format(name), 3)
  end
  local caller = debug.getinfo(3, "Sl")
  entry.kind, entry.where = name, ("%s:%d"):format(caller.short_src, caller.currentline)
  self.entries[#self.entries + 1] = entry
end

local function check_path(name, what, value)
  if type(value) ~= "string" or value:sub(1, 1) ~= "/" then
    check.bad("app:" .. name, what, value, 'a string that begins with "/"', 3)
  end
end

-- Whether a route can be added; its mistakes are told all at once by `weir check`. An app that is none is `add`'s.
local function is_route(self, name, at, pattern, count, ...)
  if getmetatable(self) ~= App then return true end
  local text
  if type(pattern) ~= "string" or pattern:sub(1, 1) ~= "/" then
    text = check.expected("app:" .. name, ("argument %d (pattern)"):format(at), pattern,
      'a string that begins with "/"')
  end
  for i = 1, text and 0 or math.max(count, 1) do
    local fn = select(i, ...)
    if type(fn) ~= "function" then
      local what = ("argument %d (%s)"):format(at + i, i < count and "middleware" or "handler")
      text = check.expected("app:" .. name, what, fn, "a function")
      if fn == nil then text = text .. "; is its name right, and defined above this line?" end
      break
    end
  end
  if text then check.mistake(text, 3) end
  return not text
end

-- The handlers of routes that have middleware of their own, by what runs both: messages name the handler.
local wrapped_handlers = setmetatable({}, { __mode = "k" })

-- One function of a route's middleware and its handler, which is the last.
local function handler_of(...)
  local count = select("#", ...)
  if count == 1 then return (...) end
  local list = { ... }
  local handler = table.remove(list)
  local function wrapper(stream) return app.call(stream, handler, list, 1) end
  wrapped_handlers[wrapper] = handler
  return wrapper
end

-- Refuses what stands behind the last argument that a function takes.
local function nothing_more(name, expected, count, value)
  if count > expected then
    check.bad("app:" .. name, ("argument %d"):format(expected + 1), value, "nothing: there is no such argument", 3)
  end
end

for _, verb in ipairs { "get", "post", "put", "patch", "delete", "head", "options", "query" } do
  local method = verb:upper()
  --- Answers that method on the paths that match `pattern` with what the last function, the handler, returns; those
  --- before it are middleware of this route.
  App[verb] = function(self, pattern, ...)
    if not is_route(self, verb, 1, pattern, select("#", ...), ...) then return end
    add(self, verb, { method = method, pattern = pattern, handler = handler_of(...) })
  end
end

--- The same for any method, written as in a request: "REPORT".
function App:route(method, pattern, ...)
  check.string("app:route", "argument 1 (method)", method)
  if not is_route(self, "route", 2, pattern, select("#", ...), ...) then return end
  add(self, "route", { method = method, pattern = pattern, handler = handler_of(...) })
end

--- Calls fn(stream, next) before the handlers of all paths below a prefix, or of all.
function App:use(prefix, fn, ...)
  nothing_more("use", 2, 2 + select("#", ...), (...))
  if fn == nil then prefix, fn = "/", prefix end
  check_path("use", "the prefix", prefix)
  if getmetatable(fn) == App then check.bad("app:use", "the middleware", fn, "a function (an app is for app:mount)") end
  check.callable("app:use", "the middleware", fn)
  add(self, "use", { prefix = prefix, handler = fn })
end

--- Serves the files of a folder below a prefix.
function App:static(prefix, folder, options, ...)
  nothing_more("static", 3, 3 + select("#", ...), (...))
  check_path("static", "argument 1 (prefix)", prefix)
  check.path("app:static", "argument 2 (folder)", folder)
  options = check.options("app:static", options, { "max_age", "hidden" })
  if options.max_age ~= nil then check.seconds("app:static", "max_age", options.max_age) end
  if options.hidden ~= nil then check.boolean("app:static", "hidden", options.hidden) end
  add(self, "static", { prefix = prefix, folder = folder, options = options })
end

--- Puts another app's routes, middleware, error handler and start functions below a prefix.
function App:mount(prefix, child, ...)
  nothing_more("mount", 2, 2 + select("#", ...), (...))
  check_path("mount", "argument 1 (prefix)", prefix)
  if getmetatable(child) ~= App then check.bad("app:mount", "argument 2 (app)", child, "an app, from weir.app()") end
  add(self, "mount", { prefix = prefix, child = child })
end

--- Calls fn(stream, err, traceback) when a handler raised; what it returns is the answer.
function App:on_error(fn, ...)
  nothing_more("on_error", 1, 1 + select("#", ...), (...))
  check.callable("app:on_error", "argument 1 (fn)", fn)
  add(self, "on_error", { handler = fn })
end

--- Calls fn(stream) where neither a route nor a file is; what it returns is the answer, its status 404.
function App:not_found(fn, ...)
  nothing_more("not_found", 1, 1 + select("#", ...), (...))
  check.callable("app:not_found", "argument 1 (fn)", fn)
  add(self, "not_found", { handler = fn })
end

--- Calls fn when the app starts, in one worker, or with `each_worker` in all.
function App:on_start(fn, options, ...)
  nothing_more("on_start", 2, 2 + select("#", ...), (...))
  check.callable("app:on_start", "argument 1 (fn)", fn)
  options = check.options("app:on_start", options, { "each_worker" })
  if options.each_worker ~= nil then check.boolean("app:on_start", "each_worker", options.each_worker) end
  add(self, "on_start", { fn = fn, each_worker = options.each_worker or false })
end

--- For apps of the library: answers a method at the prefix that the app is mounted at, without a slash behind it.
function app.at_mount(self, method, handler)
  add(self, "at_mount", { method = method, handler = handler })
end

-- ---- compiling ------------------------------------------------------------------------------------------------------

-- "/api/" and "/users" are "/api/users"; a trailing slash of the path stays.
local function join(base, path)
  return (base:gsub("/$", "")) .. path
end

-- Calls visit(entry, base) for every entry of an app and of those mounted in it, in their order. `above` are the apps
-- that are being walked, so that one that holds itself is found.
local function walk(self, visit, base, above)
  above[self] = true
  for _, entry in ipairs(self.entries) do
    if entry.kind ~= "mount" then
      visit(entry, base)
    elseif above[entry.child] then
      error(entry.where .. ": app:mount: the app is mounted in itself", 0)
    else
      walk(entry.child, visit, join(base, entry.prefix):gsub("/$", ""), above)
    end
  end
  above[self] = nil
  self.sealed = true
end

-- What each kind of entry gives to the router; by tail calls, so that its errors come without a line of this file.
local compile_entry = {
  use = function(entry, base, router)
    return router:use(join(base, entry.prefix), entry.handler)
  end,
  static = function(entry, base, router)
    return router:static(join(base, entry.prefix), entry.folder, entry.options, base)
  end,
  at_mount = function(entry, base, router)
    if base ~= "" then return router:route(entry.method, base, entry.handler, base) end
  end,
  on_start = function() end, -- see app.starts
  on_error = function() end, -- see compile_on_errors
  not_found = function() end, -- see compile_not_founds
}

local function compile_route(entry, base, router)
  return router:route(entry.method, join(base, entry.pattern), entry.handler, base)
end

-- The functions that apps set by `app[kind]`, one each: a list of { base =, fn = }, those of apps around others first.
local function collect(self, kind)
  local list, seen = {}, {}
  walk(self, function(entry, base)
    if entry.kind ~= kind then return end
    if seen[base] then error(("%s: app:%s: the app has one already"):format(entry.where, kind), 0) end
    seen[base] = true
    list[#list + 1] = { base = base, fn = entry.handler }
  end, "", {})
  table.sort(list, function(one, other) return #one.base < #other.base end)
  return list
end

local ON_ERROR = "weir.on_error" -- the field of a stream that names the error handler of the mounted app it is in

-- The error handlers of mounted apps are noted on the streams below their prefixes by middleware before any other, the
-- inner ones after the outer ones. So the router decides what is below a prefix, as for everything else.
local function compile_on_errors(self, router)
  self.own_on_error = nil
  for _, found in ipairs(collect(self, "on_error")) do
    if found.base == "" then
      self.own_on_error = found.fn
    else
      router:use(found.base, function(stream, next)
        stream[ON_ERROR] = found.fn
        return next()
      end)
    end
  end
end

-- What answers in place of a handler: the core, which knows files and methods, and `fn` where that finds nothing.
local function compile_not_founds(self, router)
  for _, found in ipairs(collect(self, "not_found")) do
    local function wrapper(stream)
      local answered, why = check(stream:_plain())
      if answered or why == "closed" then return nil end
      stream:status(404) -- unless it sets another
      return found.fn(stream)
    end
    wrapped_handlers[wrapper] = found.fn
    router:missing(found.base, wrapper)
  end
end

--- For the core: the router of an app. Raises with the line of the script on what a router refuses.
function app.compile(self)
  local router = core.router()
  compile_on_errors(self, router)
  compile_not_founds(self, router)
  walk(self, function(entry, base)
    local ok, err = pcall(compile_entry[entry.kind] or compile_route, entry, base, router)
    if ok then return end
    local text = entry.where .. ": " .. tostring(err)
    if not core.mistake(text) then error(text, 0) end
  end, "", {})
  return router
end

--- For the core: the functions that the app starts with, mounted ones' too, as { fn =, each_worker = }.
function app.starts(self)
  local list = {}
  walk(self, function(entry)
    if entry.kind == "on_start" then list[#list + 1] = { fn = entry.fn, each_worker = entry.each_worker } end
  end, "", {})
  return list
end

-- ---- answering ------------------------------------------------------------------------------------------------------

-- A mistake of the handler, or of middleware before it, told with the handler's place in the script.
local function refuse(stream, handler, wrapped, what)
  wrapped = wrapped or wrapped_handlers[handler] ~= nil
  local source = debug.getinfo(wrapped_handlers[handler] or handler, "S")
  error(("%s:%d: the handler of %s %s%s returned %s"):format(source.short_src, source.linedefined, stream.method,
    stream.path, wrapped and " or its middleware" or "", what), 0)
end

local respond = core.stream_methods._respond

local function reply(stream, handler, value, wrapped)
  local kind = type(value)
  if kind == "nil" then return end -- the core finishes the stream
  if kind == "string" then
    respond(stream, "text/plain; charset=utf-8", value)
  elseif kind == "table" or value == json.null then
    local ok, text = pcall(json.encode, value)
    if not ok then refuse(stream, handler, wrapped, "a table that is no JSON: " .. text) end
    respond(stream, "application/json", text)
  else
    refuse(stream, handler, wrapped, check.show(value) .. "; return a string, a table, or nothing")
  end
end

-- Calls the middleware from `list[i]` on, then the handler. Middleware that returns nothing passes on what next()
-- returned, so that `next()` without `return` loses no answer.
function app.call(stream, handler, list, i)
  local middleware = list[i]
  if not middleware then return (handler(stream)) end
  local called, passed = false, nil
  local value = middleware(stream, function()
    if called then error("next() was called twice by one middleware; the handler runs once for a request", 2) end
    called = true
    passed = app.call(stream, handler, list, i + 1)
    return passed
  end)
  if value == nil then return passed end
  return value
end

--- For the core: runs a request's handler, and answers. It lies below each handler that waits, so it needs few slots of
--- the stack: the arguments of a function with `...` stand there twice.
function app.run(stream, handler)
  local value = handler(stream)
  return reply(stream, handler, value)
end

--- The same for a request that has middleware.
function app.run_through(stream, handler, ...)
  local value = app.call(stream, handler, { ... }, 1)
  return reply(stream, handler, value, true)
end

-- The function that a frame of this file was about to call: the only one of its kind that has these names.
local function called_at(co, level)
  local found
  for i = 1, math.huge do
    local name, value = debug.getlocal(co, level, i)
    if not name then return found end
    if name == "handler" and not found or name == "middleware" and value then found = value end
  end
end

local NEAR = 20 -- levels: who refuses an argument stands close to who gave it, and each level is sought from the first

--- For the core: the error of a request's task, whose coroutine is `co`. A function that ends in a tail call, such as
--- `return stream:html(7)`, has no frame any more, so the error has the line of this file that called it. In its place
--- stands the line where that function begins, and it says so.
function app.place(err, co)
  if type(err) ~= "string" then return err end
  local line, what = err:match "^weir/app%.lua:(%d+): (.*)$"
  if not line or what:find "^stack overflow" then return err end -- then nothing has room on that stack
  for level = 0, NEAR do
    local at = debug.getinfo(co, level, "Sl")
    if not at then break end
    if at.short_src == "weir/app.lua" and at.currentline == tonumber(line) then
      local fn = called_at(co, level)
      if not fn then return what end
      at = debug.getinfo(wrapped_handlers[fn] or fn, "S")
      return ("%s:%d: %s (in a call that the function of this line returns)"):format(at.short_src, at.linedefined, what)
    end
  end
  return err
end

-- The answer that weir.fail asked for. Header fields that the handler had set are gone already.
local function answer_failure(stream, failure)
  local kind, body = "text/plain; charset=utf-8", failure.body
  if type(body) == "table" then
    kind, body = "application/json", json.encode(body)
  elseif body == nil then
    body = ("%d %s\n"):format(failure.status, core.reason(failure.status))
  end
  stream:status(failure.status)
  respond(stream, kind, body)
end

-- xpcall's handler: keeps the traceback of an error that has a message.
local function with_traceback(err)
  return type(err) == "string" and debug.traceback(err, 2) or err
end

--- For the core: answers in place of a task that raised `err` before its answer had begun. What is still unanswered
--- afterwards gets the core's answer with that status, 500, or 503 when a limit was reached.
function app.failed(self, stream, err, traceback, status)
  if getmetatable(err) == core.failure then return answer_failure(stream, err) end
  local on_error = stream[ON_ERROR] or self.own_on_error
  if not on_error then
    if core.watching() then return error_page(stream, err, traceback, status) end
    return
  end
  stream:status(status) -- unless it sets another
  local ok, value = xpcall(on_error, with_traceback, stream, err, traceback)
  if ok then return reply(stream, on_error, value) end
  if getmetatable(value) == core.failure then return answer_failure(stream, value) end
  error(value, 0)
end

return app
