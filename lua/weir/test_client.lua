-- The clients of weir.test, and the clock they wait by: raw connections, requests, event streams. It knows a server
-- only as a port and an address.

local core = require "weir.core"
local checks = require "weir.check"
local check, check_options, show = checks.results, checks.options, checks.show
local http = require "weir.test_http"
local cjson = require "weir.cjson"

local client_side = {}

local default_timeout = 15

-- What is open, in the order of opening: [object] = number.
local open, opened = {}, 0

-- Notes that `object` is to be closed by `cleanup`; `forget` that it was.
function client_side.track(object)
  opened = opened + 1
  open[object] = opened
  return object
end

function client_side.forget(object)
  local was = open[object] ~= nil
  open[object] = nil
  return was
end

-- How many have been opened so far.
function client_side.mark() return opened end

-- Closes all that is open, the newest first, or what was opened since `mark`, and forgets what topics and dictionaries
-- keep and what was stored.
function client_side.cleanup(mark)
  local objects = {}
  for object, number in pairs(open) do
    if number > (mark or 0) then objects[#objects + 1] = object end
  end
  table.sort(objects, function(a, b) return open[a] > open[b] end)
  for _, object in ipairs(objects) do object:close() end
  if core.clear() then check(core.store_clear("", "")) end
end

---- time ----

local clock = { frozen = false }
client_side.clock = clock

function clock.freeze()
  core.clock_freeze()
  clock.frozen = true
end

function clock.thaw()
  core.clock_thaw()
  clock.frozen = false
end

-- One turn of the loop, also of one that sleeps because its clock stands still.
local function turn()
  if clock.frozen then core.clock_advance(0) end
  check(core.sleep(0))
end

-- A patience of `seconds` that also ends while the clock is frozen: then by the processor's time, for who waits like
-- that turns the loop without resting.
local function patience(seconds)
  local clock_now = clock.frozen and os.clock or core.now
  local deadline = clock_now() + seconds
  return function() return clock_now() > deadline end
end

-- Lets what is ready run, what has arrived be read, and what other threads do without regard to the clock (files, the
-- store) come to its end: a few turns of the loop.
function client_side.settle()
  local over, quiet = patience(5), 0
  while quiet < 4 do
    turn()
    quiet = core.elsewhere() > 0 and not over() and 0 or quiet + 1
  end
end

-- Moves the frozen clock in slices of a second at most, so that what a timer sets anew comes in its time.
function clock.advance(seconds)
  checks.seconds("weir.test.clock.advance", "argument 1 (seconds)", seconds)
  if not clock.frozen then error("weir.test.clock.advance: the clock runs: freeze() it before", 2) end
  local left = seconds
  local slice = math.max(1, seconds / 1000)
  client_side.settle()
  while left > 0 do
    core.clock_advance(math.min(slice, left))
    left = left - slice
    client_side.settle()
  end
end

-- Waits until `condition()` is true and returns what it gave; raises after `timeout` seconds (10).
function client_side.eventually(condition, timeout)
  checks.callable("weir.test.eventually", "argument 1 (condition)", condition)
  timeout = timeout or 10
  checks.seconds("weir.test.eventually", "timeout", timeout)
  local over = patience(timeout)
  while true do
    local value = condition()
    if value then return value end
    if over() then error("weir.test.eventually: still not so after " .. timeout .. " s", 2) end
    if clock.frozen then turn() else check(core.sleep(0.002)) end
  end
end

---- raw connections ----

-- While the clock stands still no timeout of the loop ends: the reading task is cancelled from outside.
local function receive_frozen(socket, timeout)
  local bytes, err
  local reading = core.spawn(function()
    bytes, err = check(core.socket_recv(socket, 3600))
  end)
  local over = patience(timeout)
  repeat
    turn()
    if bytes or err then return bytes, err end
  until over()
  core.cancel(reading)
  check(core.join(reading))
  return nil, "timeout"
end

local function receive_bytes(socket, deadline)
  local timeout = math.max(0, deadline - core.now())
  if clock.frozen then return receive_frozen(socket, timeout) end
  return check(core.socket_recv(socket, timeout))
end

local raw = {}
raw.__index = raw

-- A connection to a port of this machine. `rcvbuf`: bytes of the kernel's receive buffer; a small one makes a client
-- that does not receive stall its server soon. Nothing is read from the kernel unless a receive asks for it.
function client_side.connect(port, options)
  local socket, err = check(core.connect(port, options or {}))
  if not socket then return nil, err end
  local client = setmetatable({ socket = socket }, raw)
  client.source = http.reader(function(deadline)
    if client.is_closed then return nil, "closed" end
    return receive_bytes(client.socket, deadline)
  end)
  return client_side.track(client)
end

-- When `timeout` seconds (15) are over, for function `name` of the script's caller.
local function deadline_of(timeout, name)
  timeout = timeout or default_timeout
  checks.seconds(name, "timeout", timeout, 3)
  return core.now() + timeout
end
client_side.deadline_of = deadline_of

-- true | nil, "closed"
function raw:send(bytes)
  return check(core.socket_send(self.socket, bytes))
end

-- What comes next: n bytes, or all up to the end of the first match of a pattern, or whatever is there.
-- nil, "closed"|"reset"|"timeout", what has come instead.
function raw:receive(wanted, timeout)
  local deadline, source = deadline_of(timeout, "client:receive"), self.source
  while true do
    local last
    if type(wanted) == "number" then
      last = #source.buffer >= wanted and wanted
    elseif wanted then
      last = select(2, source.buffer:find(wanted))
    else
      last = source.buffer ~= "" and #source.buffer
    end
    if last then return source:take(last) end
    local ok, err = source:more(deadline)
    if not ok then return nil, err, source:take(#source.buffer) end
  end
end

-- All up to the end: bytes, "closed"|"reset"|"timeout".
function raw:receive_all(timeout)
  local deadline, source, err = deadline_of(timeout, "client:receive_all"), self.source, nil
  local pieces = { source:take(#source.buffer) }
  while not err do
    local ok
    ok, err = source:more(deadline)
    if ok then pieces[#pieces + 1] = source:take(#source.buffer) end
  end
  return table.concat(pieces), err
end

-- What becomes the `json` of a response.
local function decode_json(response)
  return function()
    local ok, value = pcall(cjson.decode, response.body)
    if ok then return value end
    error(("the answer is not JSON but %d, %s, %s: %s"):format(response.status,
      response.headers["content-type"] or "of no type", show(response.body), value), 2)
  end
end
client_side.decode_json = decode_json

-- The next response; `method` is what was asked, for HEAD has no body. nil, why, the response so far.
function raw:receive_response(options)
  options = check_options("client:receive_response", options, { "method", "timeout" })
  local deadline = deadline_of(options.timeout, "client:receive_response")
  local response, err, partial = http.read_response(self.source, options.method or "GET", deadline)
  local any = response or partial
  if any then any.json = decode_json(any) end
  return response, err, partial
end

-- Only the head of the next response, for one whose body does not end.
function raw:receive_head(options)
  options = check_options("client:receive_head", options, { "method", "timeout" })
  return http.read_head(self.source, options.method or "GET", deadline_of(options.timeout, "client:receive_head"))
end

-- The next piece of the body of a response whose head was received: bytes | nil at the end | nil, why.
function raw:receive_piece(head, timeout)
  return http.read_piece(head, self.source, deadline_of(timeout, "client:receive_piece"))
end

-- Says that no more is sent; receiving goes on.
function raw:shutdown()
  core.socket_shutdown(self.socket)
end

local function close_with(closing)
  return function(self)
    if self.is_closed then return end
    self.is_closed = true
    client_side.forget(self)
    closing(self.socket)
  end
end

raw.close = close_with(function(socket) core.socket_close(socket) end)
-- Closes with a TCP reset.
raw.reset = close_with(function(socket) core.socket_reset(socket) end)

---- requests ----

-- The methods of a server that send requests; it has `port` and `address`.
local server = {}
client_side.methods = server

function server:connect(options)
  check_options("server:connect", options, { "rcvbuf" })
  return client_side.connect(self.port, options)
end

local REQUEST_OPTIONS = { "headers", "body", "timeout", "rcvbuf" }
local SSE_OPTIONS = { "headers", "body", "method", "last_event_id", "timeout", "rcvbuf" }

-- What a request is made of, as the caller of function `name` wrote it. Returns the options.
local function check_request(name, method, path, options, known)
  checks.string(name, "the method", method, 3)
  checks.string(name, "the path", path, 3)
  options = check_options(name, options, known, 3)
  if options.headers ~= nil and type(options.headers) ~= "table" then
    checks.bad(name, "headers", options.headers, "a table of names and values", 3)
  end
  local body = options.body
  if type(body) ~= "string" and body ~= nil and (type(body) ~= "table" or next(body) ~= nil and body[1] == nil) then
    checks.bad(name, "body", body, "a string, or a list of strings, sent as chunks; weir.json.encode makes JSON", 3)
  end
  if options.timeout ~= nil then checks.seconds(name, "timeout", options.timeout, 3) end
  return options
end

-- One request on a connection of its own. nil, "closed"|"reset"|"timeout", what came, when the response breaks off.
function server:request(method, path, options)
  options = check_request("server:request", method, path, options, REQUEST_OPTIONS)
  local client, err = client_side.connect(self.port, options)
  if not client then return nil, err end
  for _, piece in ipairs(http.request(method, path, self.address, options)) do
    if not client:send(piece) then break end -- a server that answers early may not read the rest
  end
  local response, problem, partial = client:receive_response { method = method, timeout = options.timeout }
  client:close()
  return response, problem, partial
end

for _, method in ipairs { "get", "head", "post", "put", "patch", "delete", "options", "query" } do
  server[method] = function(self, path, options)
    if type(self) ~= "table" then error(("server.%s: call it as server:%s(path)"):format(method, method), 2) end
    return self:request(method:upper(), path, options)
  end
end

---- server-sent events ----

local sse = {}
sse.__index = sse

-- An event stream that is being read. nil, "status N", the response, when the answer is none.
function server:sse(path, options)
  options = check_request("server:sse", options and options.method or "GET", path, options, SSE_OPTIONS)
  local client, err = client_side.connect(self.port, options)
  if not client then return nil, err end
  local headers = { ["Accept"] = "text/event-stream", ["Last-Event-ID"] = options.last_event_id }
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  local method = options.method or "GET"
  local request = http.request(method, path, self.address, { headers = headers, body = options.body })
  for _, piece in ipairs(request) do client:send(piece) end
  local head, problem = client:receive_head { method = method, timeout = options.timeout }
  if not head then
    client:close()
    return nil, problem
  end
  local stream = setmetatable({ client = client, head = head, decoder = http.sse_decoder() }, sse)
  stream.status, stream.headers = head.status, head.headers
  if head.status == 200 and (head.headers["content-type"] or ""):find("^text/event%-stream") then return stream end
  local body = {}
  for piece in function() return client:receive_piece(head, options.timeout) end do body[#body + 1] = piece end
  client:close()
  head.body = table.concat(body)
  head.json = decode_json(head)
  return nil, "status " .. head.status, head
end

local function read_events(self, name, timeout)
  local deadline = deadline_of(timeout, name == "events" and "events:next" or "events:next_comment")
  local queue = self.decoder[name]
  while #queue == 0 do
    if self.ended then return nil, self.ended end
    local piece, err = http.read_piece(self.head, self.client.source, deadline)
    if err == "timeout" then return nil, err end
    if not piece then
      self.ended = err == "reset" and "reset" or "closed"
      self.complete = err == nil
    else
      self.decoder:feed(piece)
      self.retry, self.last_event_id = self.decoder.retry, self.decoder.last_event_id
    end
  end
  return table.remove(queue, 1)
end

-- The next event {event, id, data, retry} | nil, "timeout"|"closed"|"reset". An event without a name is "message".
function sse:next(timeout)
  return read_events(self, "events", timeout)
end

-- The next comment's text. Events that come before it are kept for `next`, and the other way round.
function sse:next_comment(timeout)
  return read_events(self, "comments", timeout)
end

function sse:close() self.client:close() end

function sse:reset() self.client:reset() end

return client_side
