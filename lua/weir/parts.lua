-- parts: a multipart form, read part by part as it arrives (RFC 7578).
--
--   for part in stream:parts() do      a part lives until the next step, which skips what is left of it
--     part.name, part:read()
--   end
--
-- The core keeps the bytes and finds the parts in them. A form that never becomes whole is never taken for a whole one:
-- `part:read` says so, everything else fails, with 400 for one that is malformed or breaks off, 408 and 413.

local core = require "weir.core"
local broken = require "weir.broken"
local check = require "weir.check"
local fail = require "weir.fail"
local saving = require "weir.saving"

local parts = {}

local LIMITS = { "parts", "head_bytes", "field_bytes", "file_bytes" }
local PARTS, HEAD_BYTES, MOST_HEAD_BYTES = 1000, 8 * 1024, 1024 * 1024

local Part = { __name = "weir.part" }
Part.__index = Part

-- What a part is called in messages.
local function shown(part)
  return ("the %s %s"):format(part.filename and "file" or "field", check.show(part.name))
end

-- A message for what the core says of `part`, or, without one, of a head.
local function message_of(reading, code, message)
  if code ~= "limit" then return message or broken[code][2]:format "the request body" end
  local part = reading.part
  return broken.limit[2]:format(shown(part), part.filename and reading.file or reading.field)
end

local function fail_broken(reading, code, message)
  fail(broken[code][1], message_of(reading, code, message))
end

-- ---- a part ---------------------------------------------------------------------------------------------------------

local function check_part(part, name)
  local reading = type(part) == "table" and part._reading
  if not reading then
    error(("part.%s: called without the part; write part:%s(...), with a colon"):format(name, name), 3)
  elseif reading.part ~= part then
    error(("part:%s: the form has gone on to the next part; read each within its step of the loop"):format(name), 3)
  end
  return reading
end

local function next_piece(part)
  local reading = check_part(part, "chunks")
  local piece, code, message = check(reading.stream:_part_read(65536))
  if code then fail_broken(reading, code, message) end
  return piece
end

--- Up to n bytes of the part: the bytes, nil at its end, or nil, a code ("closed", "timeout", "malformed", "limit") and
--- a message.
function Part:read(n)
  local reading = check_part(self, "read")
  if n ~= nil then check.integer("part:read", "argument 1 (n)", n, 1) end
  local piece, code, message = check(reading.stream:_part_read(n or 65536))
  if code then return nil, code, message_of(reading, code, message) end
  return piece
end

--- Iterates over the part in pieces as they arrive.
function Part:chunks()
  check_part(self, "chunks")
  return next_piece, self
end

--- What is left of the part as one string. Fails with 413 when that is longer than `limit` (the limit body_bytes).
function Part:body(limit)
  check_part(self, "body")
  limit = limit == nil and core.body_bytes() or check.size("part:body", "argument 1 (limit)", limit)
  local pieces, size = {}, 0
  for piece in next_piece, self do
    size = size + #piece
    if size > limit then fail(413, broken.limit[2]:format(shown(self), limit)) end
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

-- The part as a source of weir.saving's. What gathering says the parser says better.
local function part_source(part, reading)
  local want = 1
  return {
    stream = reading.stream,
    what = shown(part),
    fill = function(writer)
      while true do
        check(reading.stream:_part_gather(want))
        local n, code, message = reading.stream:_part_move(writer)
        if code then return nil, code, message_of(reading, code, message) end
        want = saving.want(n or 0)
        if n ~= 0 then return n end
      end
    end,
  }
end

--- Writes what is left of the part to a file, as stream:save does with a body: see weir.saving.
function Part:save(path, options)
  local reading = check_part(self, "save")
  return saving.save("part:save", part_source(self, reading), path, options)
end

-- ---- the form -------------------------------------------------------------------------------------------------------

local function next_part(reading)
  local part, code, message = check(reading.stream:_next_part())
  if code then fail_broken(reading, code, message) end
  reading.part = part
  if not part then return nil end
  part._reading = reading
  return setmetatable(part, Part)
end

local function limit_of(limits, name, default)
  if limits[name] == nil then return default end
  return check.size("stream:parts", name, limits[name])
end

--- An iterator over the parts of a stream's body, whose Content-Type is multipart/form-data. To be called as the last
--- thing of stream:parts, so that what is wrong with the limits is its caller's.
function parts.iterate(stream, content_type, limits)
  limits = check.options("stream:parts", limits, LIMITS)
  local count = limits.parts or PARTS
  check.integer("stream:parts", "parts", count, 0)
  local head = limit_of(limits, "head_bytes", HEAD_BYTES)
  if head > MOST_HEAD_BYTES then check.bad("stream:parts", "head_bytes", head, "1MB at most") end
  local reading = { stream = stream }
  reading.field = limit_of(limits, "field_bytes", core.body_bytes())
  reading.file = limit_of(limits, "file_bytes", math.huge)
  local wrong = stream:_parts(content_type, count, head, reading.field, reading.file)
  if wrong then fail(400, wrong) end
  return next_part, reading
end

--- The first value of each name of a form that is there as a whole, or nil and what is wrong with it.
function parts.fields(content_type, body)
  return core.form_fields(content_type, body, PARTS, HEAD_BYTES)
end

return parts
