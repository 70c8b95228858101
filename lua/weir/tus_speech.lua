-- tus_speech: the two protocols that resumable uploads are spoken in, and what each calls the same things.
--
--                     tus 1.0.0                              draft-ietf-httpbis-resumable-upload
--   a request says    Tus-Resumable: 1.0.0                   Upload-Draft-Interop-Version: 5 (-03), 6 (-04, -05)
--   the whole length  Upload-Length, Upload-Defer-Length: 1  Upload-Length, or a body's with Upload-Complete: ?1
--   the end           all of it has come                     the same, or a body with Upload-Complete: ?1 has
--   a body is         application/offset+octet-stream        application/partial-upload (6; in a POST anything)
--   the URL is told   201                                    104 before the body, and 201
--   only here         checksums, concatenation               problems as JSON (RFC 9457)
--
-- An upload is no protocol's: what was begun in one can go on in the other. Each is a table of functions that read a
-- request or write an answer; what is done with an upload is in weir.tus, and knows neither.

local fail = require "weir.fail"
local fields = require "weir.tus_fields"

local speech = {}

local VERSION = "1.0.0"
local DRAFTS = "6, 5"
local FIELD = "weir.tus" -- of a stream: the protocol of its request
local BODY, DRAFT_BODY = "application/offset+octet-stream", "application/partial-upload"

-- The value, or 400 with what is wrong with it.
local function good(value, why)
  if value == nil then fail(400, why) end
  return value
end

local function number(n) return ("%.0f"):format(n) end

local function whole_field(stream, name)
  local text = stream.headers[name:lower()]
  if text == nil then return nil end
  return good(fields.whole(name, text))
end

-- What was sent as metadata, once it is known to be right; the draft's clients send it, too.
local function metadata_of(stream)
  local text = stream.headers["upload-metadata"]
  good(fields.metadata(text))
  return text
end

local function show_size(stream, record)
  if record.size then stream:header("Upload-Length", number(record.size)) end
end

-- ---- tus 1.0.0 ------------------------------------------------------------------------------------------------------

local tus = {}

local function check_body(stream)
  local kind = fields.media_type(stream.headers["content-type"])
  if kind ~= BODY then
    fail(415, ("expected a body of type %s, got %s"):format(BODY, kind == "" and "no Content-Type" or kind))
  end
end

local function checksum_of(stream)
  local text = stream.headers["upload-checksum"]
  return text and good(fields.checksum(text)) or nil
end

-- The length that a POST must tell, or put off.
local function size_of(stream, urls)
  local size, put_off = whole_field(stream, "Upload-Length"), stream.headers["upload-defer-length"]
  if urls then
    if size or put_off then fail(400, "a final upload is as long as its parts: leave out Upload-Length") end
    return nil
  end
  if put_off and put_off ~= "1" then fail(400, "Upload-Defer-Length must be 1") end
  if size and put_off then fail(400, "Upload-Length and Upload-Defer-Length: one of them") end
  if not size and not put_off then fail(400, "Upload-Length or Upload-Defer-Length: 1 is missing") end
  return size
end

-- What is to be made: { record, urls of parts, checksum, has_body }.
function tus.plan(stream)
  local concat = stream.headers["upload-concat"]
  local parts = concat and good(fields.concat(concat))
  local urls = type(parts) == "table" and parts or nil
  local record = { size = size_of(stream, urls), metadata = metadata_of(stream), concat = concat }
  local has_body = fields.media_type(stream.headers["content-type"]) == BODY
  if not has_body and (stream.content_length or 0) > 0 then check_body(stream) end
  if urls and has_body and stream.content_length ~= 0 then fail(400, "a final upload has no bytes of its own") end
  return { record = record, urls = urls, checksum = checksum_of(stream), has_body = has_body and not urls }
end

-- What comes: { offset, size, checksum }.
function tus.chunk(stream)
  check_body(stream)
  local offset = whole_field(stream, "Upload-Offset")
  if not offset then fail(400, "Upload-Offset is missing") end
  return { offset = offset, size = whole_field(stream, "Upload-Length"), checksum = checksum_of(stream) }
end

function tus.tell_created(stream, upload, plan)
  stream:status(201)
  if plan.has_body then stream:header("Upload-Offset", number(upload.offset)) end
end

function tus.tell_state(stream, upload)
  local record = upload.record
  stream:status(200)
  stream:header("Upload-Offset", number(upload.offset))
  show_size(stream, record)
  if not record.size then stream:header("Upload-Defer-Length", "1") end
  if record.metadata then stream:header("Upload-Metadata", record.metadata) end
  if record.concat then stream:header("Upload-Concat", record.concat) end
end

function tus.tell_appended(stream, upload)
  stream:status(204)
  stream:header("Upload-Offset", number(upload.offset))
end

function tus.tell_conflict(_, upload, chunk)
  fail(409, ("the offset of this upload is %.0f, not %.0f"):format(upload.offset, chunk.offset))
end

function tus.tell_full()
  fail(413, "this upload is complete: there is no room for more bytes")
end

-- ---- the draft ------------------------------------------------------------------------------------------------------

local draft = {}

local PROBLEMS = "https://iana.org/assignments/http-problem-types#"

local function fail_problem(stream, upload, status, problem)
  problem.type = PROBLEMS .. problem.type
  stream:_lasting("Content-Type", "application/problem+json")
  stream:_lasting("Upload-Offset", number(upload.offset))
  fail(status, problem)
end

local function complete_field(stream)
  local text = stream.headers["upload-complete"]
  if not text then fail(400, "Upload-Complete is missing") end
  return good(fields.boolean("Upload-Complete", text))
end

-- The whole length, as far as the request tells it.
local function told_size(stream, offset, ends)
  local size = whole_field(stream, "Upload-Length")
  local sum = ends and stream.content_length and offset + stream.content_length
  if size and sum and size ~= sum then
    fail(400, "Upload-Length is another length than that of the body with which the upload ends")
  end
  return size or sum or nil
end

function draft.plan(stream)
  local ends = complete_field(stream)
  local record = { size = told_size(stream, 0, ends), metadata = metadata_of(stream) }
  return { record = record, has_body = true, ends = ends }
end

function draft.chunk(stream)
  local kind = fields.media_type(stream.headers["content-type"])
  if stream.headers["upload-draft-interop-version"] == "6" and kind ~= DRAFT_BODY then
    fail(415, "expected a body of type " .. DRAFT_BODY)
  end
  local offset, ends = whole_field(stream, "Upload-Offset"), complete_field(stream)
  if not offset then fail(400, "Upload-Offset is missing") end
  return { offset = offset, size = told_size(stream, offset, ends), ends = ends }
end

local function show_limits(stream, self)
  if self.limits then stream:header("Upload-Limit", self.limits) end
end

local function show_offset(stream, upload)
  stream:header("Upload-Offset", number(upload.offset))
  stream:header("Upload-Complete", upload.complete and "?1" or "?0")
end

-- Before the body, so that who is cut off in it knows where to go on.
function draft.announce(stream, location, self)
  stream:_resumable {
    Location = location, ["Upload-Draft-Interop-Version"] = stream.headers["upload-draft-interop-version"],
    ["Upload-Limit"] = self.limits or {},
  }
end

function draft.tell_created(stream, upload, _, self)
  stream:status(201)
  show_offset(stream, upload)
  show_limits(stream, self)
end

function draft.tell_state(stream, upload, self)
  stream:status(204)
  show_offset(stream, upload)
  show_size(stream, upload.record)
  show_limits(stream, self)
end

function draft.tell_appended(stream, upload)
  stream:status(201)
  show_offset(stream, upload)
end

function draft.tell_conflict(stream, upload, chunk)
  fail_problem(stream, upload, 409, {
    type = "mismatching-upload-offset", title = "the offset of the request is not that of the upload",
    ["expected-offset"] = upload.offset, ["provided-offset"] = chunk.offset,
  })
end

function draft.tell_full(stream, upload)
  fail_problem(stream, upload, 400, { type = "completed-upload", title = "the upload is complete" })
end

-- ---- which ----------------------------------------------------------------------------------------------------------

--- Finds out in which protocol a request speaks; fails with 412 where it is none of ours.
function speech.find(stream)
  local version, interop = stream.headers["tus-resumable"], stream.headers["upload-draft-interop-version"]
  if interop and not version and (interop == "5" or interop == "6") then
    stream:_lasting("Upload-Draft-Interop-Version", interop)
    stream[FIELD] = draft
    return
  end
  stream:_lasting("Tus-Resumable", VERSION)
  if version == VERSION then
    stream[FIELD] = tus
    return
  end
  stream:_lasting("Tus-Version", VERSION)
  stream:_lasting("Upload-Draft-Interop-Version", DRAFTS)
  fail(412, version and ("this server speaks tus %s, not %s"):format(VERSION, version)
    or ("which protocol? send Tus-Resumable: %s"):format(VERSION))
end

--- The protocol that was found.
function speech.of(stream) return stream[FIELD] end

--- Answers OPTIONS: what there is.
function speech.tell_abilities(stream, self)
  stream:status(204)
  stream:header("Tus-Resumable", VERSION)
  stream:header("Tus-Version", VERSION)
  stream:header("Tus-Extension", self.extensions)
  stream:header("Tus-Checksum-Algorithm", table.concat(fields.ALGORITHMS, ","))
  if self.max_size < math.huge then stream:header("Tus-Max-Size", number(self.max_size)) end
  stream:header("Upload-Draft-Interop-Version", DRAFTS)
  show_limits(stream, self)
end

return speech
