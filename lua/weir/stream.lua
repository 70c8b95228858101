-- stream: the part of a stream's methods that is made of others: whole bodies, and answers in one call.
--
-- The core owns the stream and its framing; it has the properties and the methods that move bytes. What is here is
-- added to its methods table and needs no state of its own.
--
-- A body that never becomes whole (the client left, or stopped sending) is never taken for a whole one: `read` says so,
-- everything else fails with 400 or 408.

local core = require "weir.core"
local broken = require "weir.broken"
local check = require "weir.check"
local fail = require "weir.fail"
local json = require "weir.json"
local log = require "weir.log"
local parts = require "weir.parts"
local sse = require "weir.sse"

local stream = core.stream_methods

-- stream.text("x"), with a dot: told first, or some other argument would be blamed for it.
local function check_self(self, name)
  if type(self) ~= "userdata" then
    error(("stream.%s: called without the stream; write stream:%s(...), with a colon"):format(name, name), 3)
  end
end

-- ---- the request's body ---------------------------------------------------------------------------------------------

local function fail_incomplete(why)
  fail(broken[why][1], broken[why][2])
end

-- The bodies that were read whole, while their streams are there: who asks again gets the same.
local bodies = setmetatable({}, { __mode = "k" })

-- What reads in pieces would find nothing, and take that for an empty body.
local function refuse_whole(self, name)
  if bodies[self] then
    error(("stream:%s: the body has been read by body, json_body or form; call that again"):format(name), 3)
  end
end

-- The next bytes, or nil at the body's proper end.
local function next_chunk(self)
  local chunk, why = check(self:_read())
  if chunk then return chunk end
  if why then fail_incomplete(why) end
  return nil
end

--- Up to n bytes of the body: the bytes, nil at its end, or nil and "closed" or "timeout".
function stream:read(n)
  check_self(self, "read")
  if n ~= nil then check.integer("stream:read", "argument 1 (n)", n, 1) end
  return check(self:_read(n))
end

--- Iterates over the body in pieces as they arrive.
function stream:chunks()
  check_self(self, "chunks")
  refuse_whole(self, "chunks")
  return next_chunk, self
end

local function fail_too_long(limit)
  fail(413, ("the request body is longer than %d bytes"):format(limit))
end

--- The whole body, each time it is asked for. Fails with 413 when it is longer than `limit` (the limit body_bytes), if
--- possible before reading it.
function stream:body(limit)
  check_self(self, "body")
  if limit == nil then
    limit = core.body_bytes()
  else
    limit = check.size("stream:body", "argument 1 (limit)", limit)
  end
  local body = bodies[self]
  if body == nil then
    if (self.content_length or 0) > limit then fail_too_long(limit) end
    local why
    body, why = check(self:_body(limit))
    if why == "limit" then fail_too_long(limit) end
    if not body then fail_incomplete(why) end
    bodies[self] = body
  end
  if #body > limit then fail_too_long(limit) end
  return body
end

-- The media type of the request, in lower case and without parameters.
local function media_type(self)
  return (self.headers["content-type"] or ""):match("^%s*([^;%s]*)"):lower()
end

local function fail_type(expected, kind)
  fail(415, ("expected a body of type %s, got %s"):format(expected, kind == "" and "no Content-Type" or kind))
end

--- The value of a JSON body. Fails with 415 for another media type and with 400 for what is not JSON.
function stream:json_body()
  check_self(self, "json_body")
  local kind = media_type(self)
  if kind ~= "application/json" and not kind:find("^[%w.-]+/[%w.-]+%+json$") then
    fail_type("application/json", kind)
  end
  local body = self:body()
  if body == "" then fail(400, "expected JSON, got an empty body") end
  local value, err = json.decode(body)
  if err then fail(400, "the body is not JSON: " .. err) end
  return value
end

local function form_decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"

local function urlencoded_fields(body)
  local fields = {}
  for pair in body:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = form_decode(name)
    if fields[name] == nil then fields[name] = form_decode(value) end
  end
  return fields
end

--- The fields of an urlencoded form or a small multipart one, name to first value; a file's is its bytes. Fails with
--- 415 for another media type, with 400 for a malformed form.
function stream:form()
  check_self(self, "form")
  local kind = media_type(self)
  if kind == FORM then return urlencoded_fields(self:body()) end
  if kind ~= MULTIPART then fail_type(FORM .. " or " .. MULTIPART, kind) end
  local fields, wrong = parts.fields(self.headers["content-type"], self:body())
  if wrong then fail(400, wrong) end
  return fields
end

--- Iterates over the parts of a multipart form as they arrive. Fails with 415 for another media type, with 400 for a
--- malformed form or one that breaks off, with 408 and 413.
function stream:parts(limits)
  check_self(self, "parts")
  refuse_whole(self, "parts")
  local kind = media_type(self)
  if kind ~= MULTIPART then fail_type(MULTIPART, kind) end
  return parts.iterate(self, self.headers["content-type"], limits)
end

-- What the system says of a file, as a status; 500 for all else.
local FILE_STATUS = {
  ENOENT = 404, ENOTDIR = 404, EISDIR = 404, EACCES = 404, ELOOP = 404, ENAMETOOLONG = 404, EINVAL = 404, EPERM = 404,
  EFTYPE = 404, EMFILE = 503, ENFILE = 503, ENOMEM = 503, ENOSPC = 507,
}

-- What a body was that could not be saved.
local UNSAVED = {
  limit = { 413, "the request body is longer than %d bytes" }, timeout = broken.timeout, closed = broken.closed,
}

-- nil, a code and a message, for who saves; and the status, unless an answer has begun: what is lost is no success.
local function unsaved(self, code, message, ...)
  local entry = UNSAVED[code]
  pcall(self.status, self, entry and entry[1] or FILE_STATUS[code] or 500)
  return nil, code, message or (entry[2]:format(...))
end

-- Writes all of the body: its length, or nil, a code and a message.
local function copy_body(self, writer, limit, on_progress)
  local size, total = 0, self.content_length
  while true do
    local chunk, why = check(self:_read())
    if why then return nil, why end
    if not chunk then break end
    size = size + #chunk
    if size > limit then return nil, "limit" end
    local ok, code, message = check(core.writer_write(writer, chunk))
    if not ok then return nil, code, message end
    if on_progress then on_progress(size, total) end
  end
  local ok, code, message = check(core.writer_commit(writer))
  if not ok then return nil, code, message end
  return size
end

-- ---- files below a root --------------------------------------------------------------------------------------------
--
-- A path often holds what a client sent, so it stays below a root whatever it is. That is looked at twice: here by its
-- names, in net/file by what was opened, links and all.

local told = {} -- by name; once, for what a client sends must not fill the log

-- The path relative to the root, or nil, a code and why not.
local function below_root(name, path, root, default, hidden)
  if path:sub(1, 1) == "/" then
    if root ~= "/" then
      local text = ('%s: the path "%.99s" is absolute, and paths are relative to a root, by default %s; write { root = '
        .. '"folder" } and what is below it, or { root = "/" } where any file is meant'):format(name, path, default)
      if not told[name] then log.warn(text) end
      told[name] = true
      return nil, "EACCES", text
    end
    path = path:sub(2)
  end
  for segment in (path .. "/"):gmatch "([^/]*)/" do
    if segment == "" or segment == "." or segment == ".." or (not hidden and segment:sub(1, 1) == ".") then
      return nil, "EACCES", ('%s: in "%s" is a name that is empty or begins with a dot'):format(name, path)
    end
  end
  return path
end

--- Writes the body to a file below a root, by default the uploads of `--data`; it appears under its name when it is
--- complete: its length, or nil, a code and a message: of the system's, like "ENOSPC"; "limit" when it is longer than
--- `limit`, "closed" when it breaks off, "timeout" when nothing more comes. Each sets a status: 413, 400 and 408, 404
--- for what the root does not let through or have, 507 for a full disk, else 500 or 503. `on_progress(bytes, total)` is
--- called after each piece.
function stream:save(path, options)
  check_self(self, "save")
  refuse_whole(self, "save")
  check.path("stream:save", "argument 1 (path)", path)
  options = check.options("stream:save", options, { "root", "on_progress", "limit" })
  local on_progress, root, limit = options.on_progress, options.root, math.huge
  if options.limit ~= nil then limit = check.size("stream:save", "limit", options.limit) end
  if on_progress ~= nil then check.callable("stream:save", "on_progress", on_progress) end
  if root ~= nil then check.path("stream:save", "root", root) end
  local below, code, message = below_root("stream:save", path, root, "the uploads of --data")
  local default = root == nil and core.uploads()
  if below and not root and not default then
    error("stream:save: without --data there is no folder for uploads; start with weir serve --data DIR, or write "
      .. '{ root = "folder" }', 2)
  end
  if (self.content_length or 0) > limit then return unsaved(self, "limit", nil, limit) end
  local writer
  if below then writer, code, message = check(core.writer(below, root or default, not root)) end
  if not writer then return unsaved(self, code, message) end
  local ok, size
  ok, size, code, message = pcall(copy_body, self, writer, limit, on_progress)
  if not ok or not size then core.writer_abort(writer) end
  if not ok then error(size, 0) end
  if not size then return unsaved(self, code, message, limit) end
  return size
end

-- ---- the answer -----------------------------------------------------------------------------------------------------
--
-- Tail calls of the core's methods, so that their errors name the line of the script and not one of this file.

local COOKIE_OPTIONS = { "path", "domain", "max_age", "secure", "http_only", "same_site" }

--- Sets a cookie.
function stream:cookie(name, value, options)
  check_self(self, "cookie")
  check.string("stream:cookie", "argument 1 (name)", name)
  if type(value) ~= "number" then check.string("stream:cookie", "argument 2 (value)", value) end
  return self:_cookie(name, value, check.options("stream:cookie", options, COOKIE_OPTIONS))
end

--- Answers with plain text.
function stream:text(text)
  check_self(self, "text")
  check.string("stream:text", "argument 1 (text)", text)
  return self:_respond("text/plain; charset=utf-8", text)
end

--- Answers with an HTML page.
function stream:html(html)
  check_self(self, "html")
  check.string("stream:html", "argument 1 (html)", html)
  return self:_respond("text/html; charset=utf-8", html)
end

--- Answers with a value as JSON.
function stream:json(value)
  check_self(self, "json")
  return self:_respond("application/json", json.encode(value))
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- Sends the client to another address: with 302, or 301, 303, 307 or 308.
function stream:redirect(url, code)
  check_self(self, "redirect")
  check.string("stream:redirect", "argument 1 (url)", url)
  if url == "" or url:find("%c") then
    check.bad("stream:redirect", "argument 1 (url)", url, "an address, not empty, without control characters")
  end
  code = code or 302
  if not REDIRECTS[code] then
    check.bad("stream:redirect", "argument 2 (code)", code, "301, 302, 303, 307 or 308")
  end
  self:status(code)
  self:header("Location", (url:gsub("[^\33-\126]", function(char) return ("%%%02X"):format(char:byte()) end)))
  return self:_respond(nil, "")
end

local FILE_OPTIONS = { "root", "type", "download", "max_age", "hidden" }
--- Answers with a file below a root, by default the app's folder "public"; conditional and range requests are taken
--- care of. When it cannot be read, sets the status 404 and returns nil, a code like "ENOENT" and a message: `return
--- stream:file(path)` does what one expects, and who wants to answer otherwise can. Names that begin with a dot are not
--- there, unless `hidden` is true.
function stream:file(path, options)
  check_self(self, "file")
  check.path("stream:file", "argument 1 (path)", path)
  options = check.options("stream:file", options, FILE_OPTIONS)
  for _, name in ipairs { "root", "type", "download" } do
    if options[name] ~= nil then check.string("stream:file", name, options[name]) end
  end
  if options.max_age ~= nil then check.seconds("stream:file", "max_age", options.max_age) end
  if options.hidden ~= nil then check.boolean("stream:file", "hidden", options.hidden) end
  local ok
  local below, code, message = below_root("stream:file", path, options.root, '"public"', options.hidden)
  if below then
    ok, code, message = check(self:_file(below, options))
    if ok then return end
    message = ("%s/%s: %s"):format(options.root or "public", below, message)
  end
  self:status(FILE_STATUS[code] or 500)
  return nil, code, message
end

--- Sends a part of the answer: true, nil and "closed", or false and "dropped" (see write_policy).
function stream:write(chunk)
  check_self(self, "write")
  check.string("stream:write", "argument 1 (chunk)", chunk)
  return check(self:_write(chunk))
end

--- Waits until the kernel has all that was written, and what was published to the stream's topics before: true, or nil
--- and "closed".
function stream:flush()
  check_self(self, "flush")
  return check(self:_flush())
end

--- Turns the answer into server-sent events.
function stream:sse(options)
  check_self(self, "sse")
  return sse.start(self, options)
end
