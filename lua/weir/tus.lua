-- tus: uploads that go on: an app to mount that speaks tus 1.0.0 and the IETF's draft of it (tus_speech.lua).
--
--   app:mount("/files", weir.tus { root = "/srv/uploads", max_size = "10GB", on_complete = function(upload) ... end })
--
--   POST    /files        on_create  --> an id, a file, a record          201, Location
--   HEAD    /files/<id>   takes over --> the offset, on the disk          200
--   PATCH   /files/<id>   takes over --> bytes, on_progress, synced       204, the new offset
--   DELETE  /files/<id>   takes over --> on_terminate                     204
--
--   tus_fields.lua     header fields             tus_files.lua      files, locks, what is swept
--   tus_speech.lua     what the two protocols    tus_receiving.lua  a body that comes to its end,
--                      call the same things                         breaks off, or is taken over
--
-- Here is what an upload goes through, whatever its protocol. A request *opens* an upload: from there to the end of its
-- task nobody else has it, and `upload.offset` is how long its file is. What is answered is on the disk, for the answer
-- is what a client relies on when it comes back: bytes are synced before the offset is told, the record before the URL.
--
-- An upload is complete when all of its bytes are there and on_complete has returned. If the process ends in between,
-- the next request for the upload calls it again, so it may be called twice for one upload. But one whose file it has
-- taken away is complete: there is nothing any more that it could be called with.

local check = require "weir.check"
local core = require "weir.core"
local App = require "weir.app"
local Files = require "weir.tus_files"
local fail = require "weir.fail"
local fields = require "weir.tus_fields"
local json = require "weir.json"
local receiving = require "weir.tus_receiving"
local speech = require "weir.tus_speech"
local task = require "weir.task"

local SWEEPS = 4 -- in the time that an upload lives, but
local RARELY, OFTEN = 600, 1 -- seconds between two, at most and at least

-- ---- what hooks are given -------------------------------------------------------------------------------------------

-- An upload as the app sees it.
local function shown(self, upload)
  local record = upload.record
  local kind = record.concat == "partial" and "partial" or record.concat and "final" or "single"
  return {
    id = upload.id, size = record.size, offset = upload.offset, metadata = fields.metadata(record.metadata) or {},
    kind = kind, owner = record.owner, path = upload.id and self.files:path(upload.id),
  }
end

local function call(self, hook, upload, stream)
  if self[hook] then self[hook](shown(self, upload), stream) end
end

-- ---- whose it is ----------------------------------------------------------------------------------------------------

local function owner_of(self, stream)
  if not self.owner then return nil end
  local owner = self.owner(stream)
  if owner ~= nil and type(owner) ~= "string" and type(owner) ~= "number" then
    error("weir.tus: owner must return a string, or nil for nobody, got " .. check.show(owner), 0)
  end
  owner = owner and tostring(owner)
  if owner and json.decode(json.encode { owner })[1] ~= owner then -- a record is JSON
    error("weir.tus: owner must return UTF-8; encode what is none, with weir.hex", 0)
  end
  return owner
end

-- The record of an upload that is not somebody else's.
local function admit(self, stream, id)
  local record = self.files:read(id)
  if self.owner and record.owner ~= owner_of(self, stream) then
    fail(self.foreign, self.foreign == 404 and "there is no such upload" or "this upload is somebody else's")
  end
  return record
end

-- ---- opening --------------------------------------------------------------------------------------------------------

-- Gives the upload to whoever comes next; at the latest when the task ends.
local function close(upload)
  if upload.appender then core.writer_abort(upload.appender) end
end

-- Bytes whose checksum nobody has come to look at.
local function mend(self, upload)
  local record = upload.record
  if not record.checking then return end
  if upload.offset > record.checking then
    local ok, code, message = check(core.appender_cut(upload.appender, record.checking))
    if not ok then Files.fail_system(code, message) end
    upload.offset = record.checking
  end
  record.checking = nil
  self.files:write(upload.id, record)
end

-- The upload { id, record, ticket, appender, offset, changed }, which nobody else has until the task ends. One that the
-- app has taken away when it was complete has no appender. `chunk`: what is to come; nil: nothing, and it is soon over.
local function open(self, stream, id, chunk)
  admit(self, stream, id) -- before anybody is disturbed
  local upload = { id = id, ticket = stream.id }
  local algorithm = chunk and chunk.checksum and chunk.checksum.algorithm
  local appender, size, changed = self.files:open(id, upload.ticket, algorithm, not chunk)
  upload.appender = appender
  task.defer(function() close(upload) end)
  upload.record = self.files:read(id) -- once more, for whoever had it may have changed it
  local record = upload.record
  if record.complete or not appender and record.ending then
    upload.offset, upload.complete = record.size, true
    return upload
  end
  if not appender then self.files:fail_missing(id) end
  if self.files:has_expired(changed) then fail(410, "this upload has expired; begin a new one") end
  upload.offset, upload.changed = size, changed
  mend(self, upload)
  return upload
end

-- ---- the end of an upload -------------------------------------------------------------------------------------------

-- What has come is on the disk when this returns; the digest, if one was made.
local function sync(upload)
  local ok, digest, message = check(core.writer_commit(upload.appender))
  if not ok then Files.fail_system(digest, message) end
  return digest
end

local function is_whole(upload) return upload.record.size ~= nil and upload.offset >= upload.record.size end

-- Of an upload whose bytes are all there, and synced. What on_complete has begun is done, client or no client.
local function complete(self, stream, upload)
  local record = upload.record
  stream:detach()
  if record.concat ~= "partial" and self.on_complete then
    if not record.ending then
      record.ending = true
      self.files:write(upload.id, record)
    end
    call(self, "on_complete", upload, stream)
  end
  record.complete, record.ending = core.now(), nil
  self.files:write(upload.id, record)
  upload.complete = true
end

-- ---- bytes ----------------------------------------------------------------------------------------------------------

local function fail_size(limit, whose)
  fail(413, ("%s has at most %.0f bytes"):format(whose or "an upload", limit))
end

-- The whole length that the request tells, if it does: it is kept, and cannot change.
local function learn_size(self, upload, size)
  local record = upload.record
  if size == nil or size == record.size then return end
  if record.size then fail(400, ("the length of this upload is %.0f bytes, and stays"):format(record.size)) end
  if size > self.max_size then fail_size(self.max_size) end
  if size < upload.offset then fail(400, ("%.0f bytes of this upload have come already"):format(upload.offset)) end
  record.size = size
  self.files:write(upload.id, record)
end

-- Takes the bytes of a request back; where that cannot be, whoever opens the upload next does it.
local function discard(self, upload, from)
  local ok = check(core.appender_cut(upload.appender, from))
  if not ok then return end
  upload.offset, upload.record.checking = from, nil
  self.files:write(upload.id, upload.record)
end

local STATUS = { closed = 400, timeout = 408, limit = 413, taken = 409 }

-- Answers for bytes that did not all come.
local function fail_body(stream, upload, code, message)
  local status = STATUS[code]
  if not status then Files.fail_system(code, message) end
  if stream.closed then fail(status, message) end -- nobody is there
  stream:_lasting("Upload-Offset", ("%.0f"):format(upload.offset))
  if code == "limit" then message = "the body goes beyond the end of the upload" end
  fail(status, message)
end

-- The body of a request comes to the end of the upload. `chunk` may have a checksum; `ends`: with it the upload does.
local function append(self, stream, upload, chunk)
  local record, from = upload.record, upload.offset
  local most = record.size or self.max_size
  if from + (stream.content_length or 0) > most then fail_size(most, record.size and "this upload") end
  if chunk.checksum then
    record.checking = from
    self.files:write(upload.id, record)
  end
  local progress = self.on_progress and function() call(self, "on_progress", upload, stream) end
  local code, message = receiving.receive(stream, upload, most, progress)
  local digest = sync(upload)
  if chunk.checksum and (code or digest ~= chunk.checksum.digest) then
    discard(self, upload, from)
    if not code then fail(460, "the checksum of these bytes is another one; they were not kept") end
  elseif chunk.checksum then
    record.checking = nil
    self.files:write(upload.id, record)
  end
  if code then fail_body(stream, upload, code, message) end
  if chunk.ends then learn_size(self, upload, upload.offset) end
  if is_whole(upload) then complete(self, stream, upload) end
end

-- ---- requests -------------------------------------------------------------------------------------------------------

local function show_expiry(self, stream, upload)
  if upload.complete or self.files.age == math.huge then return end
  stream:header("Upload-Expires", fields.date((upload.changed or core.now()) + self.files.age))
end

local function head(self, stream, id)
  local upload = open(self, stream, id)
  if not upload.complete then
    sync(upload)
    if is_whole(upload) then complete(self, stream, upload) end
  end
  close(upload)
  if stream.closed then return end
  stream:header("Cache-Control", "no-store")
  show_expiry(self, stream, upload)
  return speech.of(stream).tell_state(stream, upload, self)
end

local function patch(self, stream, id)
  local speaks = speech.of(stream)
  local chunk = speaks.chunk(stream)
  local upload = open(self, stream, id, chunk)
  if upload.record.concat and upload.record.concat ~= "partial" then
    fail(403, "this upload is made of others, and cannot be changed")
  end
  if chunk.offset ~= upload.offset then
    if not upload.complete then sync(upload) end
    return speaks.tell_conflict(stream, upload, chunk)
  end
  if upload.complete then
    close(upload) -- now, for nobody could end the wait for a body that does not come
    if (stream.content_length or check(stream:_gather(1)) or 0) > 0 then speaks.tell_full(stream, upload) end
  else
    learn_size(self, upload, chunk.size)
    append(self, stream, upload, chunk)
    upload.changed = nil
  end
  close(upload)
  if stream.closed then return end -- its client has left behind its last byte
  show_expiry(self, stream, upload)
  return speaks.tell_appended(stream, upload, self)
end

local function delete(self, stream, id)
  local upload = open(self, stream, id)
  call(self, "on_terminate", upload, stream)
  self.files:remove(id, upload.appender)
  close(upload)
  stream:status(204)
end

-- ---- making ---------------------------------------------------------------------------------------------------------

-- What the URLs of uploads begin with: a path, which holds behind a proxy that has another name and scheme.
local function base_of(stream)
  return (stream.base:gsub("[^\33-\126]", function(char) return ("%%%02X"):format(char:byte()) end)) .. "/"
end

-- The id in the URL of one of our uploads, absolute or not.
local function id_of(stream, url)
  local path = url:gsub("^%a[%w+.-]*://[^/]*", ""):gsub("[?#].*$", "")
  local before = path:match "^.*/" or ""
  local id = path:sub(#before + 1)
  if not Files.is_id(id) or before ~= base_of(stream) and before ~= "" and before ~= "./" then
    fail(400, ("Upload-Concat: %s is no upload of this server"):format(check.show(url)))
  end
  return id
end

-- The parts of a final upload, as weir.tus_files joins them, and their size.
local function parts_of(self, stream, urls)
  local list, size, seen = {}, 0, {}
  for i, url in ipairs(urls) do
    local id = id_of(stream, url)
    if seen[id] then fail(400, ("Upload-Concat: %s is there twice"):format(check.show(url))) end -- a copy for 40 bytes
    seen[id] = true
    local ok, record = pcall(admit, self, stream, id)
    if not ok then
      local status = type(record) == "table" and record.status
      if status ~= 404 and status ~= 410 and status ~= 403 then error(record, 0) end
      fail(400, ("Upload-Concat: there is no upload %s"):format(check.show(url)))
    end
    if record.concat ~= "partial" then
      fail(400, ("Upload-Concat: %s was not begun as a partial upload"):format(check.show(url)))
    end
    if not record.complete then
      fail(409, ("Upload-Concat: %s is not complete yet"):format(check.show(url)))
    end
    list[i], size = { id = id, size = record.size }, size + record.size
  end
  return list, size
end

local function join(upload, parts)
  local code, id = Files.join(upload.appender, parts)
  if code then fail(400, ("Upload-Concat: the bytes of %s are not there any more"):format(id)) end
  for _, part in ipairs(parts) do upload.offset = upload.offset + part.size end
  sync(upload)
end

-- Makes the files of an upload. One that is not `kept` when the task ends was not to be: its client has no URL of it.
local function make(self, stream, plan)
  local upload = { record = plan.record, offset = 0, ticket = stream.id }
  upload.id, upload.appender = self.files:make(plan.checksum and plan.checksum.algorithm)
  task.defer(function() close(upload) end) -- the last one first
  task.defer(function()
    if not upload.kept then self.files:remove(upload.id, upload.appender) end
  end)
  call(self, "on_create", upload, stream) -- it knows the id, so what it takes down can be found again
  if plan.parts then join(upload, plan.parts) end
  self.files:write(upload.id, upload.record)
  return upload
end

local function post(self, stream)
  local speaks = speech.of(stream)
  local plan = speaks.plan(stream)
  local record = plan.record
  if plan.urls then plan.parts, record.size = parts_of(self, stream, plan.urls) end
  local most = math.min(record.size or self.max_size, self.max_size)
  if (record.size or 0) > most then fail_size(most) end
  if plan.has_body and (stream.content_length or 0) > most then fail_size(most) end
  record.created, record.owner = core.now(), owner_of(self, stream)
  local upload = make(self, stream, plan)
  local location = base_of(stream) .. upload.id
  if speaks.announce then
    speaks.announce(stream, location, self)
    upload.kept = true
  end
  if plan.has_body then
    append(self, stream, upload, plan)
  elseif is_whole(upload) then
    complete(self, stream, upload)
  end
  upload.kept = true
  close(upload)
  if stream.closed then return end
  stream:header("Location", location)
  show_expiry(self, stream, upload)
  return speaks.tell_created(stream, upload, plan, self)
end

-- ---- the app --------------------------------------------------------------------------------------------------------

local OPTIONS = {
  "root", "max_size", "expires", "owner", "foreign", "on_create", "on_progress", "on_complete", "on_terminate",
}

local function check_options(given)
  local options = check.options("weir.tus", given, OPTIONS, 3)
  local self = { foreign = 404, max_size = math.huge }
  for _, name in ipairs { "owner", "on_create", "on_progress", "on_complete", "on_terminate" } do
    if options[name] ~= nil then check.callable("weir.tus", name, options[name], 3) end
    self[name] = options[name]
  end
  if options.root ~= nil then check.path("weir.tus", "root", options.root, 3) end
  if options.max_size ~= nil then self.max_size = check.size("weir.tus", "max_size", options.max_size, 3) end
  if options.foreign ~= nil and options.foreign ~= 403 and options.foreign ~= 404 then
    check.bad("weir.tus", "foreign", options.foreign, "403 or 404", 3)
  end
  self.foreign = options.foreign or 404
  local expires = options.expires
  if expires == nil then expires = "24h" end
  local age = expires and check.span("weir.tus", "expires", expires, 3)
  self.files = Files.new(options.root, age)
  return self, age
end

-- Looks for what has expired, and what a crash has left: when the app starts, and then again and again, in one worker
-- of the process. Of an app that a spec makes only when it starts.
local function add_sweep(self, app, age)
  local function sweep()
    self.files:sweep(function(id, record, size)
      call(self, "on_terminate", { id = id, record = record, offset = size })
    end)
  end
  app:on_start(function()
    local root, ours = self.files:find_root()
    if not root then
      error('weir.tus: there is no folder for uploads; start with --data DIR, or write { root = "folder" }', 0)
    end
    if not ours and not check(core.fs_stat(root)) then
      error(("weir.tus: there is no folder %s; make it, or name another root"):format(root), 0)
    end
    task.background(sweep)
  end)
  if core.loading() then
    local period = age and math.max(OFTEN, math.min(RARELY, age / SWEEPS)) or RARELY
    task.every(period, sweep, { one_worker = true })
  end
end

local METHODS = { HEAD = head, PATCH = patch, DELETE = delete }

-- The method that a client means, which may be able to send POST alone.
local function method_of(stream)
  return (stream.method == "POST" and stream.headers["x-http-method-override"] or stream.method):upper()
end

local function fail_method(stream, allowed)
  stream:_lasting("Allow", allowed)
  fail(405)
end

--- An app to mount, for resumable uploads.
return function(given)
  local self, age = check_options(given)
  self.extensions = "creation,creation-with-upload,creation-defer-length,checksum,termination,concatenation"
    .. (age and ",expiration" or "")
  if self.max_size < math.huge then self.limits = ("max-size=%.0f"):format(self.max_size) end

  local app = App.new()
  local function collection(stream)
    speech.find(stream)
    if method_of(stream) ~= "POST" then fail_method(stream, "POST, OPTIONS") end
    return post(self, stream)
  end
  local function member(stream)
    speech.find(stream)
    local answer = METHODS[method_of(stream)]
    if not answer then fail_method(stream, "HEAD, PATCH, DELETE, OPTIONS") end
    return answer(self, stream, stream.params.id)
  end
  local function options(stream) return speech.tell_abilities(stream, self) end

  App.at_mount(app, "POST", collection)
  App.at_mount(app, "OPTIONS", options)
  app:post("/", collection)
  app:options("/", options)
  app:options("/:id", options)
  app:post("/:id", member)
  app:head("/:id", member)
  app:patch("/:id", member)
  app:delete("/:id", member)
  add_sweep(self, app, age)
  return app
end
