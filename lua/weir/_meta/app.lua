---@meta weir.app

---@alias weir.Handler fun(stream: weir.Stream): string|table|userdata|nil userdata: weir.json.null
---@alias weir.Middleware fun(stream: weir.Stream, next: fun(): any): any

---@class weir.App
local App = {}

---@param pattern string "/users/:id", "/files/*rest"
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:get(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:post(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:put(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:patch(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:delete(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:head(pattern, ...) end

---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:options(pattern, ...) end

---HTTP QUERY (RFC 10008): a question in the request's body, safe to ask again.
---@param pattern string
---@param ... weir.Middleware|weir.Handler the handler, and before it what is its middleware alone
function App:query(pattern, ...) end

---A route for any method, written as in a request.
---@param method string
---@param pattern string
---@param ... weir.Middleware|weir.Handler
function App:route(method, pattern, ...) end

---Puts another app's routes, middleware, error handler and start functions below a prefix.
---@param prefix string
---@param app weir.App
function App:mount(prefix, app) end

---Serves the files of a folder below a prefix.
---@param prefix string
---@param folder string relative to the app's folder
---@param options? weir.StaticOptions
function App:static(prefix, folder, options) end

---@class weir.StaticOptions
---@field max_age? number seconds that a cache may keep a file
---@field hidden? boolean serve names that begin with a dot (false)

---Calls fn(stream, next) before the handlers of all paths below the prefix, or of all.
---@param prefix string
---@param fn weir.Middleware
---@overload fun(self: weir.App, fn: weir.Middleware)
function App:use(prefix, fn) end

---Calls fn when a handler raised an error; what it returns is the answer.
---@param fn fun(stream: weir.Stream, err: any, traceback: string): any
function App:on_error(fn) end

---Calls fn where neither a route nor a file is; what it returns is the answer, with 404 unless it sets another status.
---@param fn fun(stream: weir.Stream): any
function App:not_found(fn) end

---Calls fn when the app starts, in one worker.
---@param fn fun()
---@param options? weir.StartOptions
function App:on_start(fn, options) end

---@class weir.StartOptions
---@field each_worker? boolean in all workers (false)
