---@meta weir.test

-- For specs that `weir spec` runs, where the body of a spec is a task and may wait.

---@class weir.test
local test = {}

---Serves an app, or the app at a path in a Lua state of its own, from this loop on a free port; a table of the path and
---`env` says what os.getenv finds there, false for nothing.
---@param app weir.App|string|weir.test.StartOptions
---@return weir.test.Server
function test.start(app) end

---@class weir.test.StartOptions: { [1]: string } the path
---@field env? table<string, string|number|false>

---Starts this program in a process of its own, on a free port, and waits until it listens.
---@param options weir.test.SpawnOptions the arguments as a list: { "serve", path, ... }
---@return weir.test.Server
function test.spawn(options) end

---Runs this program to its end; raises when that does not come within `timeout`.
---@param options weir.test.SpawnOptions the arguments as a list
---@return weir.test.Run
function test.run(options) end

---@class weir.test.Run
---@field code? integer nil: a signal ended it
---@field signal? integer
---@field stdout string
---@field stderr string

---@class weir.test.SpawnOptions: { [integer]: string|number }
---@field env? table<string, string>
---@field cwd? string
---@field shell? string what /bin/sh does instead, with the program as $0 and its arguments as $@
---@field timeout? number seconds until it must listen (10), or have ended (15)

---Gives the app a request without a connection.
---@param app weir.App
---@param request weir.test.Request
---@return weir.test.Response
function test.simulate(app, request) end

---@class weir.test.Request
---@field method? string ("GET")
---@field path? string ("/")
---@field headers? table<string, string>
---@field body? string

---@class weir.test.Response
---@field status integer
---@field headers table<string, string> by lower-case names, repeats joined
---@field fields { [1]: string, [2]: string }[] the header fields as they came
---@field body string
---@field json fun(): any the body as a value; raises when it is no JSON
---@field version string "1.1"
---@field reason string "OK"
---@field framing "chunked"|"length"|"close"|"none" how the end of the body is told
---@field pieces string[] the body as it came
---@field informational weir.test.Response[] the 1xx before it

---A connection to a port of this machine that reads only what it is told to.
---@param port integer
---@param options? weir.test.ConnectOptions
---@return weir.test.Client? client
---@return string? why
function test.connect(port, options) end

---@class weir.test.ConnectOptions
---@field rcvbuf? integer bytes that the kernel takes for it

---Waits until condition() is true and returns what it gave; raises after so many seconds.
---@generic T
---@param condition fun(): T
---@param timeout? number seconds (10)
---@return T
function test.eventually(condition, timeout) end

---Closes all that is open.
function test.cleanup() end

---Lets finish what needs no time: what is ready, files, the store.
function test.settle() end

---Has a system call fail: the point of that name, behind `skip` times that it succeeds, so many `times`.
---@param name string such as "store_commit"
---@param err string such as "ENOSPC"
---@param skip? integer (0)
---@param times? integer (1)
function test.fault(name, err, skip, times) end

---No call fails any more.
function test.fault_reset() end

---What lives in this loop and this Lua state.
---@return { [string]: integer } counters tasks, streams, connections, subscribers, handles, refs
function test.counters() end

---@class weir.test.Server
---@field url string
---@field port integer
---@field address string
local Server = {}

---One request on a connection of its own. (get, head, post and the others are short for it.)
---@param method string
---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial what came, when the response breaks off
function Server:request(method, path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:get(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:head(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:post(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:put(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:patch(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:delete(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:options(path, options) end

---@param path string
---@param options? weir.test.RequestOptions
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Server:query(path, options) end

---@class weir.test.RequestOptions
---@field headers? table<string, string>
---@field body? string|string[] a list is sent as chunks
---@field timeout? number seconds (15)
---@field rcvbuf? integer bytes that the kernel takes for the connection

---@class weir.test.SseOptions: weir.test.RequestOptions
---@field method? string ("GET")
---@field last_event_id? string

---Opens an event stream.
---@param path string
---@param options? weir.test.SseOptions
---@return weir.test.Events? events
---@return string? why "status 404"
---@return weir.test.Response? response
function Server:sse(path, options) end

---A raw connection to the server.
---@param options? weir.test.ConnectOptions
---@return weir.test.Client? client
---@return string? why
function Server:connect(options) end

---Stops the server and waits until its connections are gone.
function Server:close() end

---Sends a signal, by name without "SIG", to a process of its own.
---@param name string
function Server:signal(name) end

---Ends a process with a signal.
---@param signal? string ("TERM")
---@param timeout? number seconds (15)
---@return integer? code nil: the signal ended it
---@return string stderr
function Server:stop(signal, timeout) end

---Waits for the end of a process.
---@param timeout? number seconds (15)
---@return integer? code nil: a signal ended it, or the time is over
---@return integer|"timeout"|nil signal
function Server:wait(timeout) end

---What a process has written to standard error so far.
---@return string
function Server:stderr() end

---@class weir.test.Event
---@field event string
---@field data string
---@field id? string
---@field retry? integer milliseconds

---@class weir.test.Events
---@field status integer
---@field headers table<string, string> by lower-case names, repeats joined
---@field retry? integer milliseconds, the last that came
---@field last_event_id? string of the last event that was read
---@field complete? boolean at the end: whether it was a whole answer
local Events = {}

---The next event.
---@param timeout? number seconds (15)
---@return weir.test.Event? event
---@return "timeout"|"closed"|"reset"|nil why
function Events:next(timeout) end

---The next comment's text; events that come before it are kept for `next`.
---@param timeout? number seconds (15)
---@return string? text
---@return "timeout"|"closed"|"reset"|nil why
function Events:next_comment(timeout) end

---Leaves.
function Events:close() end

---Leaves with a TCP reset.
function Events:reset() end

---@class weir.test.Client
local Client = {}

---@param bytes string
---@return true? ok
---@return "closed"|nil why
function Client:send(bytes) end

---What comes next: n bytes, or all up to the end of a pattern's first match, or whatever is there.
---@param wanted? integer|string
---@param timeout? number seconds (15)
---@return string? bytes
---@return "closed"|"reset"|"timeout"|nil why
function Client:receive(wanted, timeout) end

---All up to the end.
---@param timeout? number seconds (15)
---@return string bytes
---@return "closed"|"reset"|"timeout" how it ended
function Client:receive_all(timeout) end

---The next response.
---@param options? { method?: string, timeout?: number } method: of the request, HEAD say ("GET"); timeout: seconds (15)
---@return weir.test.Response? response
---@return "closed"|"reset"|"timeout"|nil why
---@return weir.test.Response? partial
function Client:receive_response(options) end

---The head of the next response, for one whose body does not end.
---@param options? { method?: string, timeout?: number } as of receive_response
---@return weir.test.Response? head
---@return "closed"|"reset"|"timeout"|nil why
function Client:receive_head(options) end

---The next piece of the body behind such a head.
---@param head weir.test.Response
---@param timeout? number seconds (15)
---@return string? bytes nil: the end, or why
---@return "closed"|"reset"|"timeout"|nil why
function Client:receive_piece(head, timeout) end

---Says that no more is sent; receiving goes on.
function Client:shutdown() end

function Client:close() end

---Closes with a TCP reset.
function Client:reset() end

---@class weir.test.clock
test.clock = {}

---From here on time stands still in this loop.
function test.clock.freeze() end

---@param seconds number
function test.clock.advance(seconds) end

function test.clock.thaw() end

---@class weir.test.log
test.log = {}

---From here on log lines are kept instead of written.
function test.log.start() end

---Removes and returns the lines that match.
---@param pattern? string
---@param level? string
---@return { level: string, text: string }[]
function test.log.take(pattern, level) end

---All lines that are kept.
---@return { level: string, text: string }[]
function test.log.lines() end

---Log lines are written again; returns those that were not taken.
---@return { level: string, text: string }[]
function test.log.stop() end

return test
