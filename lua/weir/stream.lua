-- stream: the part of a stream's methods that is made of others: whole bodies, and answers in one call.
--
-- The core owns the stream and its framing; it has the properties and the methods that move bytes. What is here is
-- added to its methods table and needs no state of its own.
--
-- A body that never becomes whole (the client left, or stopped sending) is never taken for a whole one: `read` says so,
-- everything else fails with 400 or 408.

local core = require "weir.core"
local below = require "weir.below"
local broken = require "weir.broken"
local check = require "weir.check"
local fail = require "weir.fail"
local encoded = require "weir.encoded"
local json = require "weir.json"
local parts = require "weir.parts"
local saving = require "weir.saving"
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
  fail(broken[why][1], broken[why][2]:format "the request body")
end

-- The bodies that were read whole, while their streams are there: who asks again gets the same.
local bodies = setmetatable({}, { __mode = "k" })

-- By what the bodies were taken that were read to their end in pieces, or that a file gets.
local taken = setmetatable({}, { __mode = "k" })

-- Who came next would find nothing, and take that for an empty body.
local function refuse_taken(self, name)
  if bodies[self] then
    error(("stream:%s: the body has been read by body, json_body or form; call that again"):format(name), 3)
  elseif taken[self] then
    error(("stream:%s: the body has been taken by %s already; take it once"):format(name, taken[self]), 3)
  end
end

-- The next bytes, or nil at the body's proper end.
local function next_chunk(self)
  local chunk, why = check(self:_read())
  if chunk then return chunk end
  if why then fail_incomplete(why) end
  taken[self] = "chunks"
  return nil
end

--- Up to n bytes of the body: the bytes, nil at its end, or nil and "closed" or "timeout".
function stream:read(n)
  check_self(self, "read")
  if n ~= nil then check.integer("stream:read", "argument 1 (n)", n, 1) end
  local chunk, why = check(self:_read(n))
  if not chunk and not why then taken[self] = taken[self] or "read" end
  return chunk, why
end

--- Iterates over the body in pieces as they arrive.
function stream:chunks()
  check_self(self, "chunks")
  refuse_taken(self, "chunks")
  return next_chunk, self
end

local function fail_too_long(limit)
  core.count_too_long()
  fail(413, broken.limit[2]:format("the request body", limit))
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
  refuse_taken(self, "parts")
  local kind = media_type(self)
  if kind ~= MULTIPART then fail_type(MULTIPART, kind) end
  return parts.iterate(self, self.headers["content-type"], limits)
end

-- The body as a source of weir.saving's, whose from its first byte on it is: until then save may be tried again.
local function body_source(self)
  local want, mine = 1, false
  return {
    stream = self,
    what = "the request body",
    total = self.content_length,
    fill = function(writer)
      if not mine then refuse_taken(self, "save") end
      taken[self], mine = "save", true
      local n, why = check(self:_gather(want))
      if not n then return nil, why end
      want = saving.want(n)
      return self:_move(writer)
    end,
  }
end

--- Writes the body to a file below a root, by default the uploads of `--data`; it appears under its name when it is
--- complete and on the disk: its length and, with `hash`, its digest in hex; or nil, a code and a message, and a status
--- is set: see weir.saving. `on_progress(bytes, total)` is called after each piece.
function stream:save(path, options)
  check_self(self, "save")
  refuse_taken(self, "save")
  return saving.save("stream:save", body_source(self), path, options)
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
  options = check.options("stream:cookie", options, COOKIE_OPTIONS)
  if options.max_age ~= nil then check.integer("stream:cookie", "max_age", options.max_age, 0) end
  return self:_cookie(name, value, options)
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
  return self:_respond("application/json", encoded("stream:json", value, 2))
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
  check.string("stream:file", "argument 1 (path)", path)
  options = check.options("stream:file", options, FILE_OPTIONS)
  for _, option in ipairs { "root", "type", "download" } do
    if options[option] ~= nil then check.string("stream:file", option, options[option]) end
  end
  if options.max_age ~= nil then check.seconds("stream:file", "max_age", options.max_age) end
  if options.hidden ~= nil then check.boolean("stream:file", "hidden", options.hidden) end
  local ok
  local name, code, message = below.path("stream:file", path, options.root, '"public"', options.hidden)
  if name then
    ok, code, message = check(self:_file(name, options))
    if ok then return end
    message = ("%s/%s: %s"):format(options.root or "public", name, message)
  end
  self:status(below.status(code))
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
