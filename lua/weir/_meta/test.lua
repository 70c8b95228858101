---@meta weir.test

-- Annotations of weir.test, for the Lua language server. The reference is lua/README.md.

---Servers under test, in this loop or in a process of their own, and clients to try them with. For specs that run
---in `weir spec`: a spec's body is a task and may wait.
local test = {}

---Serves an app, or the app at a path in a Lua state of its own, from this loop on a free port.
---@param app weir.App|string
---@return weir.test.Server
function test.start(app) end

---Starts this program in a process of its own and waits until it listens, on a free port unless the arguments say
---where: `test.spawn { "serve", "app.lua", "--workers", 2 }`. Fields: `env`, `cwd`, `timeout` (10 s).
---@param arguments table
---@return weir.test.Server
function test.spawn(arguments) end

---Runs this program to its end. Fields: `env`, `cwd`, `timeout` (15 s).
---@param arguments table
---@return { code: integer, signal: integer, stdout: string, stderr: string }
function test.run(arguments) end

---Gives an app a request without a connection.
---@param app weir.App
---@param request { method: string?, path: string?, headers: table<string, string>?, body: string? }
---@return weir.test.Response
function test.simulate(app, request) end

---A raw connection to a port of this machine.
---@param port integer
---@param options { rcvbuf: integer? }?
---@return weir.test.Client? client
---@return string? why
function test.connect(port, options) end

---Waits until `condition()` gives something true and returns it; raises after `timeout` seconds (2).
---@generic T
---@param condition fun(): T?
---@param timeout number?
---@return T
function test.eventually(condition, timeout) end

---Lets what is ready run and what has arrived be read.
function test.settle() end

---Closes all servers and clients that are still open. For `after_each`.
function test.cleanup() end

---What lives in this loop and Lua state: tasks, streams, connections, handles, refs.
---@return table<string, integer>
function test.counters() end

---Makes the point `name` fail with an errno name ("EMFILE"), after `skip` (0) passes, `times` (1) times.
---@param name string
---@param err string
---@param skip integer?
---@param times integer?
function test.fault(name, err, skip, times) end

---Disarms all faults.
function test.fault_reset() end

---@class weir.test.clock
test.clock = {}

---Stops the process's clock; what waits for a time waits for `advance`.
function test.clock.freeze() end

---Moves the stopped clock on; what is due meanwhile happens.
---@param seconds number
function test.clock.advance(seconds) end

---The real time again.
function test.clock.thaw() end

---@class weir.test.log
test.log = {}

---From here on log lines are kept instead of written.
function test.log.start() end

---The lines kept and not taken yet.
---@return { level: string, text: string }[]
function test.log.lines() end

---Removes and returns the lines that match a pattern (all), of one level if given.
---@param pattern string?
---@param level string?
---@return { level: string, text: string }[]
function test.log.take(pattern, level) end

---Log lines are written again; returns those not taken.
---@return { level: string, text: string }[]
function test.log.stop() end

---@class weir.test.Options
---@field headers table<string, string|string[]>?
---@field body string|string[]? a list is sent chunked, one chunk for each
---@field timeout number? seconds (5)

---@class weir.test.Response
---@field status integer
---@field reason string
---@field version string "1.0" or "1.1"
---@field headers table<string, string> lower-case names, repeats joined
---@field fields string[][] the list of {name, value} as sent
---@field body string
---@field pieces string[] the body as it was sent: chunks, if chunked
---@field trailers table<string, string>?
---@field informational weir.test.Response[] the 1xx before it
---@field json fun(): any the body decoded

---A server that was started. `url`, `address` ("127.0.0.1:PORT"), `port`.
---@class weir.test.Server
---@field url string
---@field address string
---@field port integer
local server = {}

---One request on a connection of its own. nil, "closed"|"reset"|"timeout", what has come, when the answer breaks off.
---@param method string
---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:request(method, path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:get(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:head(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:post(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:put(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:patch(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:delete(path, options) end

---@param path string
---@param options weir.test.Options?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function server:options(path, options) end

---An event stream. nil, "status N", the response, when the answer is none.
---@param path string
---@param options { headers: table?, last_event_id: string?, method: string?, body: string?, timeout: number? }?
---@return weir.test.Events? events
---@return string? why
---@return weir.test.Response? response
function server:sse(path, options) end

---A raw connection.
---@param options { rcvbuf: integer? }?
---@return weir.test.Client? client
---@return string? why
function server:connect(options) end

---Stops and waits until all connections are gone; kills a process.
function server:close() end

---Ends a process with a signal ("TERM"): its exit code and standard error. Raises when it goes on for `timeout` s (15).
---@param signal string?
---@param timeout number?
---@return integer code
---@return string stderr
function server:stop(signal, timeout) end

---Sends a signal to a process: "HUP", "INT", "TERM", "USR1", ...
---@param name string
function server:signal(name) end

---Waits for a process's end.
---@param timeout number?
---@return integer? code
---@return integer|"timeout" signal
function server:wait(timeout) end

---All that a process has written to standard error.
---@return string
function server:stderr() end

---@class weir.test.Event
---@field event string "message" when it has no name
---@field data string
---@field id string?
---@field retry integer?

---An event stream that is being read.
---@class weir.test.Events
---@field status integer
---@field headers table<string, string>
---@field last_event_id string? the last id received
---@field retry integer? the reconnection time received
---@field complete boolean? after the end: the body was ended as it should be
local events = {}

---@param timeout number? seconds (5)
---@return weir.test.Event? event
---@return "timeout"|"closed"|"reset"|nil why
function events:next(timeout) end

---The next comment's text; events that come before it are kept for `next`.
---@param timeout number? seconds (5)
---@return string? text
---@return "timeout"|"closed"|"reset"|nil why
function events:next_comment(timeout) end

function events:close() end

---Closes with a TCP reset.
function events:reset() end

---A raw connection. A client that stalls is one that does not receive.
---@class weir.test.Client
local client = {}

---@param bytes string
---@return true? sent
---@return "closed"? why
function client:send(bytes) end

---The same byte by byte, so that the server sees each by itself.
---@param bytes string
---@return true? sent
---@return "closed"? why
function client:send_slowly(bytes) end

---n bytes, or all up to the end of the first match of a pattern, or whatever is there.
---@param wanted integer|string|nil
---@param timeout number? seconds (5)
---@return string? bytes
---@return "closed"|"reset"|"timeout"|nil why
---@return string? partial
function client:receive(wanted, timeout) end

---All up to the end.
---@param timeout number? seconds (5)
---@return string bytes
---@return "closed"|"reset"|"timeout" why
function client:receive_all(timeout) end

---@param options { method: string?, timeout: number? }?
---@return weir.test.Response? response
---@return string? why
---@return weir.test.Response? partial
function client:receive_response(options) end

---Only the head of the next response, for one whose body does not end.
---@param options { method: string?, timeout: number? }?
---@return weir.test.Response? head
---@return string? why
function client:receive_head(options) end

---The next piece of the body of a response whose head was received; nil at its end.
---@param head weir.test.Response
---@param timeout number?
---@return string? bytes
---@return string? why
function client:receive_piece(head, timeout) end

---Says that no more is sent; receiving goes on.
function client:shutdown() end

function client:close() end

---Closes with a TCP reset.
function client:reset() end

return test
