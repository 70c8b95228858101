-- An HTTP/1.1 and SSE client's half of the codec, for tests. It shares nothing with the server's, so that a mistake
-- made there is not made here as well, and it is strict: what RFC 9112 does not allow in a response raises.
-- It does no I/O: a reader is given a function that fetches more bytes.

local http = {}

local function fail(...)
  error("weir.test: malformed response: " .. string.format(...), 0)
end

-- Bytes that have arrived and are not used yet.
local reader = {}
reader.__index = reader

-- `fetch(deadline)` gives bytes, or nil and "closed", "reset" or "timeout".
function http.reader(fetch)
  return setmetatable({ fetch = fetch, buffer = "" }, reader)
end

function reader:more(deadline)
  local bytes, err = self.fetch(deadline)
  if not bytes then return nil, err end
  self.buffer = self.buffer .. bytes
  return true
end

function reader:take(n)
  local bytes = self.buffer:sub(1, n)
  self.buffer = self.buffer:sub(n + 1)
  return bytes
end

function reader:exactly(n, deadline)
  while #self.buffer < n do
    local ok, err = self:more(deadline)
    if not ok then return nil, err end
  end
  return self:take(n)
end

-- A line without its CRLF.
function reader:line(deadline)
  while true do
    local at = self.buffer:find("\r\n", 1, true)
    if at then return self:take(at + 1):sub(1, -3) end
    local ok, err = self:more(deadline)
    if not ok then return nil, err end
  end
end

-- Field lines up to the empty one: a map with lower-case names, repeats joined, and the list of {name, value}.
local function read_fields(source, deadline)
  local map, list = {}, {}
  while true do
    local line, err = source:line(deadline)
    if not line then return nil, err end
    if line == "" then return map, list end
    local name, value = line:match("^([!#$%%&'*+%-.^_`|~%w]+):[ \t]*(.-)[ \t]*$")
    if not name or value:find("[%z\r\n]") then fail("field line %q", line) end
    list[#list + 1] = { name, value }
    name = name:lower()
    map[name] = map[name] and map[name] .. ", " .. value or value
  end
end

-- How the body's end is known (RFC 9112 section 6.3).
local function framing(head, method)
  local coding, length = head.headers["transfer-encoding"], head.headers["content-length"]
  if coding and length then fail("Content-Length beside Transfer-Encoding") end
  if coding and coding ~= "chunked" then fail("Transfer-Encoding %q", coding) end
  if coding and head.version == "1.0" then fail("Transfer-Encoding in HTTP/1.0") end
  if length and not length:find("^%d+$") then fail("Content-Length %q", length) end
  local bodiless = head.status < 200 or head.status == 204
  if bodiless and (coding or length) then fail("a body announced with status %d", head.status) end
  if bodiless or head.status == 304 or method == "HEAD" then return "none" end
  if coding then return "chunked" end
  if length then return "length", tonumber(length) end
  return "close"
end

-- One head, a 1xx too: {version, status, reason, headers, fields, framing}.
function http.read_head(source, method, deadline)
  local line, err = source:line(deadline)
  if not line then return nil, err end
  local version, status, reason = line:match("^HTTP/(%d%.%d) (%d%d%d) ([^%c]*)$")
  if not version then fail("status line %q", line) end
  local headers, fields = read_fields(source, deadline)
  if not headers then return nil, fields end
  local head = { version = version, status = tonumber(status), reason = reason, headers = headers, fields = fields }
  head.framing, head._left = framing(head, method)
  return head
end

local function next_chunk(head, source, deadline)
  if head.ended then return nil end
  local line, err = source:line(deadline)
  if not line then return nil, err end
  local size = line:match("^(%x+)$") or line:match("^(%x+)[ \t]*;")
  if not size then fail("chunk size line %q", line) end
  size = tonumber(size, 16)
  if size == 0 then
    local trailers, problem = read_fields(source, deadline)
    if not trailers then return nil, problem end
    head.trailers, head.ended = trailers, true
    return nil
  end
  local data, problem = source:exactly(size + 2, deadline)
  if not data then return nil, problem end
  if data:sub(-2) ~= "\r\n" then fail("chunk of %d bytes not followed by CRLF", size) end
  return data:sub(1, -3)
end

local function next_of_length(head, source, deadline)
  if head._left == 0 then return nil end
  if source.buffer == "" then
    local ok, err = source:more(deadline)
    if not ok then return nil, err end
  end
  local bytes = source:take(head._left)
  head._left = head._left - #bytes
  return bytes
end

local function next_until_close(_, source, deadline)
  if source.buffer == "" then
    local ok, err = source:more(deadline)
    if not ok and err == "closed" then return nil end
    if not ok then return nil, err end
  end
  return source:take(#source.buffer)
end

local next_piece = {
  none = function() return nil end,
  chunked = next_chunk,
  length = next_of_length,
  close = next_until_close,
}

-- The next piece of the body (a whole chunk, if chunked): bytes | nil at the end | nil, "closed"|"reset"|"timeout".
function http.read_piece(head, source, deadline)
  return next_piece[head.framing](head, source, deadline)
end

-- A whole response; 1xx before it are in `informational`. Of one that broke off: nil, why, the response so far.
function http.read_response(source, method, deadline)
  local informational = {}
  local head, err
  repeat
    head, err = http.read_head(source, method, deadline)
    if not head then return nil, err end
    if head.status < 200 and head.status ~= 101 then informational[#informational + 1] = head end
  until head.status >= 200 or head.status == 101
  head.informational, head.pieces = informational, {}
  while true do
    local piece, problem = http.read_piece(head, source, deadline)
    if not piece then
      head.body = table.concat(head.pieces)
      if problem then return nil, problem, head end
      return head
    end
    head.pieces[#head.pieces + 1] = piece
  end
end

local function has_field(headers, name)
  for key in pairs(headers) do
    if type(key) == "string" and key:lower() == name then return true end
  end
  return false
end

-- Field lines of a map { name = value | list of values } or a list of {name, value}, sorted for maps.
local function field_lines(headers, out)
  local names = {}
  for name in pairs(headers) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = headers[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      out[#out + 1] = name .. ": " .. tostring(value) .. "\r\n"
    end
  end
  for _, pair in ipairs(headers) do out[#out + 1] = pair[1] .. ": " .. pair[2] .. "\r\n" end
end

function http.chunk(data)
  return string.format("%x\r\n%s\r\n", #data, data)
end

-- The pieces of a request, to be sent one after the other: the head (with a body that is a string), then each chunk.
function http.request(method, target, host, options)
  local headers, body = options.headers or {}, options.body
  local head = { method .. " " .. target .. " HTTP/1.1\r\n" }
  if not has_field(headers, "host") then head[2] = "Host: " .. host .. "\r\n" end
  field_lines(headers, head)
  if type(body) == "table" then
    head[#head + 1] = "Transfer-Encoding: chunked\r\n\r\n"
    local pieces = { table.concat(head) }
    for _, data in ipairs(body) do pieces[#pieces + 1] = http.chunk(data) end
    pieces[#pieces + 1] = "0\r\n\r\n"
    return pieces
  end
  if body and not has_field(headers, "content-length") then
    head[#head + 1] = "Content-Length: " .. #body .. "\r\n"
  end
  head[#head + 1] = "\r\n" .. (body or "")
  return { table.concat(head) }
end

-- The event stream's interpretation as the HTML standard has it (section 9.2.6). `events` and `comments` are queues.
local decoder = {}
decoder.__index = decoder

function http.sse_decoder()
  return setmetatable({ buffer = "", first = true, data = {}, events = {}, comments = {} }, decoder)
end

function decoder:dispatch()
  local event = self.event or { event = "message" }
  self.event = nil
  if #self.data == 0 then return end
  event.data = table.concat(self.data, "\n")
  self.data = {}
  self.events[#self.events + 1] = event
end

function decoder:field(name, value)
  self.event = self.event or { event = "message" }
  if name == "data" then
    self.data[#self.data + 1] = value
  elseif name == "event" then
    self.event.event = value ~= "" and value or "message"
  elseif name == "id" and not value:find("%z") then
    self.event.id, self.last_event_id = value, value
  elseif name == "retry" and value:find("^%d+$") then
    self.event.retry, self.retry = tonumber(value), tonumber(value)
  end
end

function decoder:line(line)
  if line == "" then return self:dispatch() end
  if line:sub(1, 1) == ":" then
    self.comments[#self.comments + 1] = (line:sub(2):gsub("^ ", ""))
    return
  end
  local name, value = line:match("^([^:]*): ?(.*)$")
  self:field(name or line, value or "")
end

-- Lines end with CR, LF or CRLF; a CR that ends the bytes so far waits for what follows it.
function decoder:feed(bytes)
  self.buffer = self.buffer .. bytes
  if self.first and #self.buffer >= 3 then
    self.buffer, self.first = self.buffer:gsub("^\239\187\191", ""), false
  end
  local from = 1
  while true do
    local at, ending = self.buffer:match("()(\r?\n?)", self.buffer:find("[\r\n]", from) or #self.buffer + 1)
    if ending == "" or (ending == "\r" and at == #self.buffer) then break end
    self:line(self.buffer:sub(from, at - 1))
    from = at + #ending
  end
  self.buffer = self.buffer:sub(from)
end

return http
