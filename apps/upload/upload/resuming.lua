-- resuming: uploads that go on, of long files: what weir.tus (tus 1.0) asks of this app.
--
--   POST   --on_create-->   room is taken            one of that fingerprint goes on: 409, with its id
--   PATCH  --on_progress--> all are told             paused or cancelled meanwhile: 409, what came stays
--          --on_complete--> hashed, processed, placed --> done
--                             `--refused, or another hash than the client's--> failed: nothing of it stays
--   DELETE, or its time is over --on_terminate--> the room is given back
--
-- What is kept of an upload is in its owner's shelf, as of any other: its room, its name, what is to become of a name
-- that is taken. How much has come only its bytes say, which are weir.tus's until they are whole. Each hook may be
-- called again after a crash, or by two requests at once: what decides is one step of the shelf, and who comes second
-- finds it done.
--
-- The hash is that of the file as it lies there when all has come, in however many pieces, from however many machines.
-- A client that has hashed the file on its side says so with the last piece, in the field Upload-Sha256; so what has
-- become another file on the way, or between two days, gets no place.

local weir = require "weir"
local files = require "upload.files"
local names = require "upload.names"
local processing = require "upload.processing"
local progress = require "upload.progress"

local resuming = {}

local app_name -- that of the place for files

local INTERVAL = 0.1 -- seconds between two tellings
local PATIENCE = 1 -- seconds, after which an upload of which nothing comes any more is told to wait
local MADE, TAG, TOLD = "upload.made", "upload.tag", "upload.told" -- fields of a stream

local function failure(status, code, message)
  return { status = status, body = { message = message, errorCode = code } }
end

local function fail(...)
  local made = failure(...)
  weir.fail(made.status, made.body)
end

-- Whose it is there: two apps of one server may have one folder, and know people by different tokens.
local function owner_of(stream) return ("%s %s"):format(app_name, stream.claims.sub) end

-- The sub that has an upload, nil where it is another app's; and its id here.
local function known(upload)
  local name, sub = upload.owner:match "^(%S+) (.*)$"
  if name == app_name then return sub, files.id_of_tus(sub, upload.id) end
end

-- ---- begun ----------------------------------------------------------------------------------------------------------

local function fingerprint_of(sent)
  if sent ~= nil and not (#sent <= 64 and sent:find "^%w+$") then
    fail(400, "fingerprint", "fingerprint must be a word of letters and digits, of 1 to 64")
  end
  return sent
end

local function create(upload, stream)
  if upload.kind ~= "single" then fail(400, "parts", "a file comes in one upload here, not in several to be joined") end
  local said = upload.metadata
  local sub, id = known(upload)
  local run = {
    name = names.path(said.filename or said.name or ""), size = upload.size, tag = names.tag(said.tag),
    collision = names.collision(said.collision), fingerprint = fingerprint_of(said.fingerprint), tus = upload.id,
  }
  local made = { sub = sub, id = id, run = run, path = upload.path }
  files.begin(made)
  stream:header("Upload-Id", made.id)
  stream[MADE] = made
end

-- An upload of which nobody was told has no right to its room.
local function check_made(made)
  if not made or weir.fs.stat(made.path .. ".json") then return end
  local error = { message = "it could not be begun", errorCode = "closed" }
  files.finish(made.sub, made.id, { state = "failed", error = error })
end

-- ---- on its way -----------------------------------------------------------------------------------------------------

local function tell(upload, told, stage)
  local state = progress.state(told.run_id, stage, told.name, upload.offset, upload.size)
  state.tag = told.tag
  told.id = progress.publish(state)
  told.at = weir.now()
end

local function receive(upload, stream)
  local told = stream[TOLD]
  if not told then -- the first piece
    local _, id = known(upload)
    local run = files.unfinished(id)
    if not run then fail(409, "cancelled", "the upload is over") end
    told = { run_id = id, name = run.name, total = upload.size, most = run.size, tag = stream[TAG] }
    stream[TOLD] = told
  end
  if upload.offset > told.most then
    fail(507, "quota", ("it is longer than the %.0f bytes that are left for it"):format(told.most))
  end
  if not told.at or weir.now() - told.at >= INTERVAL then tell(upload, told, "receiving") end
end

-- When nothing comes any more, nobody having told anything since.
local function tell_waiting(told)
  weir.sleep(PATIENCE)
  local last = weir.history(files.run_topic(told.run_id), { limit = 1 })
  if not last or not last[1] or last[1].id ~= told.id then return end
  local run = files.unfinished(told.run_id)
  local received, expires
  if run then received, expires = files.arrived(run) end
  if not received then return end
  local state = progress.state(told.run_id, "waiting", told.name, received, told.total)
  state.expires = expires
  progress.publish(state)
end

-- ---- whole ----------------------------------------------------------------------------------------------------------

-- The file as it is to be placed. Fails where it must not be.
local function examine(upload, run, process, sha256)
  local _, id = known(upload)
  local function say(stage, part, message)
    local state = progress.state(id, stage, run.name, upload.size, upload.size)
    state.progress = part and math.floor(math.max(0, math.min(part, 1)) * 100)
    state.message = message or names.last(run.name)
    progress.publish(state)
  end
  say "checking"
  local digest, _, why = weir.fs.hash(upload.path, "sha256")
  if not digest then error("upload: " .. why, 0) end
  local file = { name = run.name, size = upload.size, sha256 = weir.hex.encode(digest) }
  if sha256 and sha256:lower() ~= file.sha256 then
    fail(460, "checksum", "what has come is not the file that was to be sent: its SHA-256 is another one; "
      .. "upload it anew")
  end
  processing.run(upload.path, file, say, process)
  return file
end

local REFUSES = { [460] = true, [422] = true }

-- Places it; what is refused for good is given up.
local function place(upload, run, process, sha256)
  local sub, id = known(upload)
  local ok, file = pcall(examine, upload, run, process, sha256)
  if not ok then
    if type(file) == "table" and REFUSES[file.status] then files.give_up(sub, id, run, file) end
    error(file, 0)
  end
  local placed = files.place(sub, id, id, file, run.collision, upload.path)
  files.settle(sub, id, run, placed)
end

local function complete(upload, stream, process)
  local since = weir.position()
  local sub, id = known(upload)
  local run, placed = files.unfinished(id)
  if not run then
    if placed then return end
    fail(409, "cancelled", "the upload is over")
  end
  if placed then return files.settle(sub, id, run, { id = id, file = placed }) end
  if upload.size > run.size then
    fail(507, "quota", ("it has %.0f bytes, and %.0f were left for it"):format(upload.size, run.size))
  end
  local first = weir.race {
    function() place(upload, run, process, stream.headers["upload-sha256"]) end,
    function() repeat until files.await_stop(id, since) == "cancelled" end,
  }
  if first == 2 then fail(409, "cancelled", "the upload was cancelled") end
end

-- ---- over -----------------------------------------------------------------------------------------------------------

-- `stream` is nil where nobody asked for it: its time is over.
local function terminate(upload, stream)
  local sub, id = known(upload)
  local run, placed
  if sub then run, placed = files.unfinished(id) end
  if not run then return end
  if placed then -- its bytes are the file's, and must not go
    files.settle(sub, id, run, { id = id, file = placed })
    fail(404, "missing", "the upload is over: its file has its place")
  end
  if not stream then return files.expire(sub, id) end
  files.finish(sub, id, {
    state = "cancelled", error = { message = "the upload was cancelled", errorCode = "cancelled" },
  })
end

-- ---- requests -------------------------------------------------------------------------------------------------------

-- A PATCH, until somebody asks it to stop: what has come by then stays.
local function patch(stream, next, id)
  stream[TAG] = names.tag(stream.headers["upload-tag"])
  local since = weir.position()
  local run = files.unfinished(id)
  if run and run.paused then fail(409, "paused", "the upload is paused: have it resumed first") end
  weir.defer(function()
    local told = stream[TOLD]
    if told and files.unfinished(id) then weir.background(tell_waiting, told) end
  end)
  local first, value = weir.race { next, function() return files.await_stop(id, since) end }
  if first == 1 then return value end
  fail(409, value, ("the upload was %s"):format(value))
end

--- Middleware before that app, for who is signed in.
function resuming.watch(stream, next)
  local method = (stream.headers["x-http-method-override"] or stream.method):upper()
  local tus = stream.path:match "/([^/]+)$"
  if method == "PATCH" and tus then return patch(stream, next, files.id_of_tus(stream.claims.sub, tus)) end
  if method == "POST" then
    weir.defer(function() weir.background(check_made, stream[MADE]) end)
  end
  return next()
end

--- The app to mount, for settings { name, limit, expires } and the app's hook.
function resuming.app(settings, process)
  app_name = settings.name
  return weir.tus {
    root = files.root(), max_size = settings.limit, expires = settings.expires, owner = owner_of,
    on_create = create, on_progress = receive, on_terminate = terminate,
    on_complete = function(upload, stream) complete(upload, stream, process) end,
  }
end

return resuming
