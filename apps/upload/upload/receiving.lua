-- receiving: a request that brings files, to its end.
--
--   begin: room is taken --> receive, file by file: save, process, place --> done
--                              |--what is wrong with it--> failed
--                              |--DELETE /uploads/:id, by any worker--> cancelled
--                              `--the client is gone--> failed
--
-- However it ends, a deferred function takes away what has not got its place, gives back the room and tells it. So the
-- outcome is what it is until something better is known: the connection broke off.

local weir = require "weir"
local files = require "upload.files"
local names = require "upload.names"
local processing = require "upload.processing"
local progress = require "upload.progress"

local receiving = {}

local function failure(status, code, message)
  return { status = status, body = { message = message, errorCode = code } }
end

local function fail(...)
  local made = failure(...)
  weir.fail(made.status, made.body)
end

-- ---- a file ---------------------------------------------------------------------------------------------------------

-- What save says, as a failure; what is not here is the system's.
local UNSAVED = {
  limit = 413, closed = 400, timeout = 408, malformed = 400,
  ENOSPC = { 507, "disk", "the server's disk is full" }, EDQUOT = { 507, "disk", "the server's disk is full" },
}

local function fail_unsaved(code, message, most)
  if code == "limit" and most < files.limit() then
    fail(507, "quota", ("it is longer than the %.0f bytes that are left for it"):format(most))
  end
  local known = UNSAVED[code]
  if type(known) == "table" then fail(known[1], known[2], known[3]) end
  if known then fail(known, code, message) end
  weir.log.error("upload: a file cannot be written", { code = code, why = message })
  fail(500, "io", "the server cannot write the file")
end

-- Saves what `source`, a stream or a part, has, and gives it its place under a name.
local function take(upload, source, name, collision)
  local id, said = files.new_id(upload.sub), upload.said
  local most = files.most(upload.id)
  upload.unplaced[id] = true
  local size, digest, message = source:save((files.below(id)), {
    root = files.root(), hash = "sha256", limit = most, on_progress = function() said:received(name) end,
  })
  if not size then fail_unsaved(digest, message, most) end
  if source == upload.stream then said:all_is_here() end
  local file = { name = name, size = size, sha256 = digest }
  local function say(stage, part, text) said:processed(stage, name, part, text) end
  processing.run(files.path(id), file, say, upload.process)
  local placed = files.place(upload.sub, upload.id, id, file, collision)
  upload.unplaced[id] = nil
  if placed.skipped then files.forget(id) end
  local result = {
    fileId = placed.id, fileName = placed.file.name, size = size, sha256 = digest, skipped = placed.skipped,
    replaced = placed.replaced,
  }
  upload.results[#upload.results + 1] = result
  said:result(result)
end

-- ---- a request ------------------------------------------------------------------------------------------------------

local function finish(upload)
  for id in pairs(upload.unplaced) do files.forget(id) end
  if #upload.results > 0 then upload.outcome.files = upload.results end
  if upload.begun then files.finish(upload.sub, upload.id, upload.outcome) end
end

-- Nil when all has come; else what was wrong, a failure.
local function receive_all(upload, work)
  local ok, winner = pcall(weir.race, {
    function()
      work(upload)
      upload.complete = true
    end,
    function() files.await_stop(upload.id, upload.since) end,
    function() upload.said:run() end,
  })
  if upload.complete then return nil end
  if ok and winner == 2 then return failure(409, "cancelled", "the upload was cancelled") end
  if type(winner) == "table" and winner.status then
    if type(winner.body) == "table" then return winner end
    local code = winner.status == 413 and "limit" or winner.status == 408 and "timeout" or "malformed"
    return failure(winner.status, code, winner.body) -- of a form, which the core has read
  end
  if winner == weir.cancelled then error(winner, 0) end
  local stream = upload.stream
  local request, why = stream.method .. " " .. stream.path, tostring(winner)
  weir.log.error(("%s: the upload failed: %s"):format(request, why), { id = upload.id })
  return failure(500, "internal", "the server failed")
end

-- Receives what `work(upload)` takes of the request.
local function receive(stream, run, process, work)
  local sub = stream.claims.sub
  local upload = {
    id = files.new_id(sub), stream = stream, sub = sub, run = run, process = process, since = weir.position(),
    unplaced = {}, results = {},
    outcome = { state = "failed", error = { message = "the connection broke off", errorCode = "closed" } },
  }
  stream:header("Upload-Id", upload.id)
  weir.defer(function() finish(upload) end)
  files.begin(upload)
  upload.said = progress.new(stream, upload.id, stream.content_length)
  local failed = receive_all(upload, work)
  if not failed then
    upload.outcome = { state = "done" }
    upload.said:finish()
    return
  end
  upload.outcome = { state = failed.body.errorCode == "cancelled" and "cancelled" or "failed", error = failed.body }
  upload.said:fail(failed)
end

--- PUT /files/*path?collision=&tag=, for `curl -T`. `process` is the app's hook, or nil.
function receiving.put(stream, process)
  local name, collision = names.path(stream.params.path, true), names.collision(stream.query.collision)
  local size = stream.content_length
  if size and size > files.limit() then
    fail(413, "limit", ("a file may have %.0f bytes, and this one has %.0f"):format(files.limit(), size))
  end
  local run = { name = name, size = size, tag = names.tag(stream.query.tag) }
  receive(stream, run, process, function(upload) take(upload, stream, name, collision) end)
end

-- Each file of a form. A field "collision" holds for the files behind it.
local function take_form(upload, stream, collision)
  for part in stream:parts { field_bytes = "1KB" } do
    if part.filename then
      take(upload, part, names.path(part.filename), collision)
    elseif part.name == "collision" then
      collision = names.collision(part:body())
    end
  end
  if #upload.results == 0 then fail(400, "empty", "the form has no file") end
end

--- POST /files?collision=&tag=, for `curl -F` and forms.
function receiving.post(stream, process)
  local collision = names.collision(stream.query.collision)
  local run = { name = "a form", size = stream.content_length, tag = names.tag(stream.query.tag) }
  receive(stream, run, process, function(upload) take_form(upload, stream, collision) end)
end

return receiving
