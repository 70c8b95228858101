-- files: what is kept: shelves in weir.store, bytes in a folder, and what is told of both.
--
--   bytes:  <folder>/<name>/<key>/<id>           the id is ours, and nothing of it the client's
--           <folder>/, or tus/ in that of --data     those of uploads that go on, until they are whole (resuming.lua)
--   record: store <name>, "owner/<key>"          a shelf (shelf.lua); the id of a file begins with the key of its owner
--   told:   topic <name>/list                    upload.begun, upload.paused, upload.resumed, upload.ended,
--                                                file.added, file.deleted, file.restored
--           topic <name>/run/<id>                upload.progress; ends with the upload, with upload.ended
--
-- Bytes come before their record and go after it, so a crash leaves bytes that no record names: they are swept once,
-- when the process begins, before any request. A shelf stays until then, empty or not, so that it is known whose they
-- are. An upload is in its shelf while it runs, with its process: what another process has left there broke off. One
-- that goes on stays, as long as weir.tus has its bytes. Its file has the upload's id, and its record goes before its
-- bytes, for those are safe: where a crash comes between the two they are moved when the process begins.

local weir = require "weir"
local shelf = require "upload.shelf"

local files = {}

local SWEEP = 30 -- seconds
local KEY = 24 -- letters of an owner's key
local REMEMBER = 7 * 86400 -- seconds, in which an upload that has expired is told of
local AGAIN = 1 -- seconds, after which a store that has failed is asked again

local settings -- what files.use was given
local secret -- what files.secret has read

local function store() return weir.store(settings.name) end

local function fail(problem)
  weir.fail(problem.status, { message = problem.message, errorCode = problem.code, upload = problem.upload })
end

local function fail_store(why)
  fail { status = 503, code = "store", message = ("the server cannot keep that now (%s); try again"):format(why) }
end

-- ---- names ----------------------------------------------------------------------------------------------------------

--- A secret of the store, made when it is asked for first, and the same ever after.
function files.secret()
  if secret then return secret end
  local made, _, why = store():update("secret", function(old) return old or weir.hex.encode(weir.random(32)) end)
  if not made then fail_store(why) end
  secret = made
  return secret
end

-- An owner's, in this store and no other, the same for as long as there are files.
local function key_of(sub) return weir.hex.encode(weir.hmac("sha256", files.secret(), sub)):sub(1, KEY) end

local RANDOM = 16 -- letters behind the key

--- An id for a file or an upload of an owner, which nobody can guess.
function files.new_id(sub) return key_of(sub) .. weir.hex.encode(weir.random(RANDOM / 2)) end

--- The id of an upload that weir.tus knows by another one.
function files.id_of_tus(sub, id) return key_of(sub) .. id:sub(-RANDOM) end

local function row_of_id(id) return "owner/" .. id:sub(1, KEY) end

local function is_id(text) return #text == 40 and text:find "^%x+$" ~= nil end

function files.list_topic() return settings.name .. "/list" end

function files.run_topic(id) return ("%s/run/%s"):format(settings.name, id) end

--- All uploads that run.
function files.runs() return weir.prefix(settings.name .. "/run/") end

local function stop_topic(id) return ("%s/stop/%s"):format(settings.name, id) end

--- Asks who receives an upload, in any worker, to stop: `why` is "cancelled" or "paused".
function files.stop(id, why) weir.publish(stop_topic(id), why) end

--- Waits until that is asked, behind the position `since`: why.
function files.await_stop(id, since)
  for event in weir.subscribe(stop_topic(id), { after = since }):events() do
    if event.event ~= "weir.gap" then return event.data end
  end
end

-- ---- settings -------------------------------------------------------------------------------------------------------

--- Says where and how much: { name, folder, quota, limit (bytes), count (files), running (uploads), undo, expires
--- (seconds) }.
--- At the top of an app, once.
function files.use(given)
  if settings then error("upload: an app has one place for files; another one is an app of its own", 4) end
  settings = given
  weir.topics { [given.name .. "/*"] = { history = { count = 1000, age = "10m" } } }
end

local function root() return settings.folder or weir.fs.uploads() end

local function check_root()
  if root() then return end
  fail { status = 503, code = "folder", message = "this server keeps no files: start it with --data DIR" }
end

--- The path of a file's bytes below `root`, and that. Fails with 503 where the server has no folder.
function files.below(id)
  check_root()
  return ("%s/%s/%s"):format(settings.name, id:sub(1, KEY), id), root()
end

--- The whole path.
function files.path(id)
  local path, folder = files.below(id)
  return folder .. "/" .. path
end

--- The root as stream:save and weir.tus want it: nil for the uploads of --data, which they make.
function files.root() return settings.folder end

--- Whether there is a place for files.
function files.have_root() return root() ~= nil end

-- The path of what goes on: where weir.tus keeps it, with that root.
local function tus_path(run)
  return ("%s/%s"):format(settings.folder or weir.fs.uploads() .. "/tus", run.tus)
end

--- How long a file may be.
function files.limit() return settings.limit end

-- This process, which all workers and all generations of the app are in.
local function process()
  local shared = weir.shared(settings.name)
  shared:add("process", weir.uuid())
  return shared:get "process"
end

-- ---- telling --------------------------------------------------------------------------------------------------------

--- A file as all are told of it.
function files.shown(id, file, sub)
  return {
    id = id, owner = sub, name = file.name, size = file.size, sha256 = file.sha256, type = file.type,
    preview = file.preview, at = file.at,
  }
end

local function shown_run(id, run, sub)
  return {
    id = id, owner = sub, name = run.name, total = run.total, tag = run.tag, at = run.at, tus = run.tus,
    fingerprint = run.fingerprint, paused = run.paused, expired = run.expired,
  }
end

local function tell(event, data)
  weir.publish(files.list_topic(), { event = event, data = data })
end

local function tell_deleted(sub, id)
  tell("file.deleted", { id = id, owner = sub, till = weir.now() + settings.undo })
end

-- ---- changing -------------------------------------------------------------------------------------------------------

-- Whatever becomes of the task that has made them superfluous.
local function remove(ids)
  if #ids == 0 then return end
  weir.background(function()
    for _, id in ipairs(ids) do weir.fs.remove(files.path(id)) end
  end)
end

-- Bytes and record of an upload that goes on, or what is left of them.
local function remove_tus(run)
  weir.background(function()
    for _, ending in ipairs { ".json", "" } do weir.fs.remove(tus_path(run) .. ending) end
  end)
end

-- A copy of the shelf of an id, an empty one where there is none.
local function get(id)
  if not is_id(id) then return shelf.new() end
  local self, code, why = store():get(row_of_id(id))
  if code then fail_store(why) end
  return self or shelf.new()
end

-- Changes a shelf in one step: what `change(shelf)` returns. Fails as that or the store does.
local function update(key, sub, change)
  local made, more
  local _, code, why = store():update(key, function(self)
    self = self or sub and shelf.new(sub)
    if not self then
      made, more = nil, { status = 404, code = "missing", message = "there is no such file" }
      return nil
    end
    made, more = change(self)
    return self
  end)
  if code then fail_store(why) end
  if made == nil and more then fail(more) end
  return made, more
end

--- Begins the upload { id, sub, run = { name, size (nil: nobody knows), tag, tus, fingerprint, collision } }, which is
--- `begun` from then on. Fails where there is no room, and where one of that fingerprint goes on.
function files.begin(upload)
  check_root()
  local sub, run, id = upload.sub, upload.run, upload.id
  run.at, run.process, run.total = weir.now(), not run.tus and process() or nil, run.size
  local _, gone = update(row_of_id(id), sub, function(self) return shelf.reserve(self, id, run, settings) end)
  upload.begun = true
  remove(gone)
  tell("upload.begun", shown_run(id, run, sub))
end

--- How long the next file of the upload may be. One whose length nobody knows takes its room file by file.
function files.most(id)
  local run = get(id).running[id]
  if not run then return 0 end -- its end could not be stored
  if not run.total then
    local gone
    run, gone = update(row_of_id(id), nil, function(self) return shelf.widen(self, id, settings) end)
    remove(gone)
  end
  return math.min(run.size, settings.limit)
end

-- Gives bytes that lie elsewhere the place of those of a file.
local function move(from, id)
  local to = files.path(id)
  weir.fs.mkdir((to:gsub("/[^/]*$", "")))
  local ok, _, message = weir.fs.rename(from, to)
  if not ok and not weir.fs.stat(to) then error("upload: " .. message, 0) end -- else somebody has been quicker
end

--- Puts a file that has come under its name: { id, file, skipped, replaced }, see shelf.place. Its bytes are in their
--- place, or at the path `from`.
function files.place(sub, run, id, file, collision, from)
  file.at = weir.now()
  local placed = update(row_of_id(id), sub, function(self)
    local copy = {}
    for field, value in pairs(file) do copy[field] = value end
    return shelf.place(self, run, id, copy, collision, settings)
  end)
  remove(placed.gone)
  if placed.skipped then return placed end
  if from then move(from, id) end
  if placed.replaced then tell_deleted(sub, placed.replaced) end
  tell("file.added", files.shown(id, placed.file, sub))
  return placed
end

-- Gives back the room of an upload: whether that is settled. Where the process ends the next one does it.
local function release(sub, id)
  local ok, why = pcall(update, row_of_id(id), sub, function(self) return shelf.release(self, id) end)
  return ok or why == weir.cancelled
end

--- Ends an upload, whatever the disk says: `outcome` is { state = "done" | "failed" | "cancelled", error, files }.
function files.finish(sub, id, outcome)
  if not release(sub, id) then
    weir.log.warn("upload: the end of an upload cannot be stored; it is tried again", { id = id })
    weir.background(function()
      repeat weir.sleep(AGAIN) until release(sub, id)
    end)
  end
  outcome.id, outcome.owner = id, sub
  local _, why = weir.close(files.run_topic(id), { event = "upload.ended", data = outcome })
  if why == "limit" then -- an event has bounds, a form has many files; each was told by itself
    outcome.files = nil
    weir.close(files.run_topic(id), { event = "upload.ended", data = outcome })
  end
  tell("upload.ended", outcome)
end

--- An upload that goes on, and its file if that has its place already; nothing of what is neither.
function files.unfinished(id)
  local self = get(id)
  local run = self.running[id]
  return run and run.tus and not run.expired and run or nil, self.files[id]
end

--- Ends one that has got its place, { id, file, skipped, replaced }. Its bytes may still be where
--- they came, if a process ended in between.
function files.settle(sub, id, run, placed)
  local file = placed.file
  if placed.skipped then
    weir.fs.remove(tus_path(run))
  elseif weir.fs.stat(tus_path(run)) then
    move(tus_path(run), id)
    tell("file.added", files.shown(id, file, sub))
  end
  local result = {
    fileId = placed.id, fileName = file.name, size = file.size, sha256 = file.sha256, skipped = placed.skipped,
    replaced = placed.replaced,
  }
  files.finish(sub, id, { state = "done", files = { result } })
end

--- Ends an upload as its owner wishes. What comes in one request does so by itself.
function files.cancel(sub, id)
  local run = update(row_of_id(id), nil, function(self) return shelf.cancel(self, id) end)
  files.stop(id, "cancelled")
  if not run.tus then return end
  local why = { message = "the upload was cancelled", errorCode = "cancelled" }
  files.finish(sub, id, { state = "cancelled", error = why })
  remove_tus(run)
end

--- Ends one that has failed for good.
function files.give_up(sub, id, run, failure)
  files.finish(sub, id, { state = "failed", error = failure.body })
  remove_tus(run)
end

--- Has an upload stand still, or go on: whoever sends it is told, and refused as long as it is paused.
function files.pause(sub, id, paused)
  update(row_of_id(id), nil, function(self) return shelf.pause(self, id, paused) end)
  if paused then files.stop(id, "paused") end
  tell(paused and "upload.paused" or "upload.resumed", { id = id, owner = sub })
end

--- An upload has gone with its time: remembered, so that whoever comes back to it hears why it is not there.
function files.expire(sub, id)
  local time = weir.now()
  if not update(row_of_id(id), sub, function(self) return shelf.expire_run(self, id, time) end) then return end
  local failed = { message = "it has expired: nothing of it came for too long; upload it anew", errorCode = "expired" }
  local outcome = { id = id, owner = sub, state = "failed", error = failed }
  weir.close(files.run_topic(id), { event = "upload.ended", data = outcome })
  tell("upload.ended", outcome)
end

--- Takes away bytes that no record names.
function files.forget(id) weir.fs.remove(files.path(id)) end

--- Deletes a file, which can be restored for a while.
function files.delete(sub, id)
  update(row_of_id(id), nil, function(self) return shelf.delete(self, id, weir.now()) end)
  tell_deleted(sub, id)
end

function files.restore(sub, id)
  local file = update(row_of_id(id), nil, function(self)
    return shelf.restore(self, id, weir.now() - settings.undo)
  end)
  local shown = files.shown(id, file, sub)
  tell("file.restored", shown)
  return shown
end

-- ---- reading --------------------------------------------------------------------------------------------------------

--- A file that is there, and its owner's sub. Fails with 404. With `deleted`, one that can be restored, too.
function files.find(id, deleted)
  local self = get(id)
  local file = self.files[id]
  if not file or file.deleted and not deleted then
    fail { status = 404, code = "missing", message = "there is no such file" }
  end
  return file, self.sub
end

--- Who sends the upload. Fails with 404.
function files.sender(id)
  local self = get(id)
  if not self.running[id] then
    fail { status = 404, code = "missing", message = "there is no such upload; it may be over" }
  end
  return self.sub
end

--- How much has come of an upload that goes on, and until when that is kept; nil where nothing is there any more.
function files.arrived(run)
  local stat = weir.fs.stat(tus_path(run))
  if stat then return stat.size, stat.mtime + settings.expires end
end

-- How far an upload is, as it told last; of one that goes on else as its bytes say.
local function progress(id, run)
  local last = weir.history(files.run_topic(id), { limit = 1, decode = true })
  local told = last and last[1] and last[1].data
  if not run.tus or run.expired then return told end
  local received, expires = files.arrived(run)
  told = told or { id = id, stage = "waiting", received = received or 0, total = run.total }
  told.expires = expires
  return told
end

--- All files and uploads, as `sub` sees them, and the place from which on the rest is told.
function files.list(sub)
  local position, all, running, deleted, used = weir.position(), {}, {}, {}, 0
  for _, self in store():each "owner/" do
    if self.sub == sub then
      local sums = shelf.sums(self)
      used = sums.files + sums.running
    end
    for id, file in pairs(self.files) do
      local shown = files.shown(id, file, self.sub)
      if not file.deleted then
        all[#all + 1] = shown
      elseif self.sub == sub and file.deleted + settings.undo > weir.now() then
        shown.till = file.deleted + settings.undo
        deleted[#deleted + 1] = shown
      end
    end
    for id, run in pairs(self.running) do
      local shown = shown_run(id, run, self.sub)
      shown.progress = progress(id, run)
      running[#running + 1] = shown
    end
  end
  local function newest(a, b) return a.at > b.at or a.at == b.at and a.id < b.id end
  table.sort(all, newest)
  table.sort(running, newest)
  table.sort(deleted, newest)
  return {
    files = weir.json.array(all), running = weir.json.array(running), deleted = weir.json.array(deleted),
    position = position,
    used = used, quota = settings.quota, limit = settings.limit, count = settings.count,
  }
end

-- ---- sweeping -------------------------------------------------------------------------------------------------------

-- What can be restored no longer.
local function sweep_deleted()
  local before = weir.now() - settings.undo
  for key, self in store():each "owner/" do
    if #shelf.expire(self, before) > 0 then -- a copy: looked at, so that only what changes is written
      local ok, gone = pcall(update, key, nil, function(now) return shelf.expire(now, before) end)
      if ok then remove(gone) end -- else another one has been quicker, or the store fails: it is looked at again
    end
  end
end

local function break_off(sub, id)
  files.finish(sub, id, {
    state = "failed", error = { message = "the server ended in the middle of it", errorCode = "restart" },
  })
end

-- Of an upload that goes on: where weir.tus knows nothing of it the process ended while it was made, or its time was
-- over meanwhile.
local function sweep_unfinished(sub, id, run, placed)
  if placed then
    files.settle(sub, id, run, { id = id, file = placed })
  elseif not run.expired and not weir.fs.stat(tus_path(run) .. ".json") then
    if run.at + settings.expires < weir.now() then files.expire(sub, id) else break_off(sub, id) end
  end
end

-- What another process has left on its way.
local function sweep_running()
  local mine = process()
  for _, self in store():each "owner/" do
    for id, run in pairs(self.running) do
      if run.tus then
        sweep_unfinished(self.sub, id, run, self.files[id])
      elseif run.process ~= mine then
        break_off(self.sub, id)
      end
    end
  end
end

-- Who has not come back in so long is not told any more that it has expired. One whose time is over may have gone
-- without a word: a process ended right then, or another app of the server has swept it. So may a request have ended
-- between a record and its bytes.
local function sweep_unsent()
  for key, self in store():each "owner/" do
    for id, run in pairs(self.running) do
      if run.expired and run.expired + REMEMBER < weir.now() then
        pcall(update, key, nil, function(now) return shelf.release(now, id) end)
      elseif run.tus and (self.files[id] or run.at + settings.expires < weir.now()) then
        pcall(sweep_unfinished, self.sub, id, run, self.files[id])
      end
    end
  end
end

-- The names in the folder of a shelf; nil when it cannot be read.
local function present_of(key)
  local folder = ("%s/%s/%s"):format(root(), settings.name, key)
  local names, code, message = weir.fs.list(folder)
  if names or code == "ENOENT" then return names or {} end
  weir.log.error("upload: the folder of an owner cannot be read", { folder = folder, why = message })
end

local function is_empty(self) return not next(self.files) and not next(self.running) end

-- Where the bytes of uploads that go on lie, by the end of their ids, which their files have, too.
local function tus_paths()
  local paths = {}
  for _, name in ipairs(weir.fs.list((tus_path { tus = "" })) or {}) do
    if is_id(name) then paths[name:sub(-RANDOM)] = tus_path { tus = name } end
  end
  return paths
end

-- Takes away what no record names of the bytes of a shelf, and an empty one: how many of its files have no bytes.
local function sweep_shelf(row, self, left)
  local names, present, gone = present_of(row:match "[^/]*$"), {}, 0
  if not names then return 0 end
  for _, id in ipairs(names) do
    present[id] = true
    if is_id(id) and not self.files[id] then files.forget(id) end
  end
  for id in pairs(self.files) do
    local from = not present[id] and left[id:sub(-RANDOM)]
    if from then move(from, id) elseif not present[id] then gone = gone + 1 end
  end
  if is_empty(self) then
    store():update(row, function(now) return now and not is_empty(now) and now or nil end)
  end
  return gone
end

-- A folder that is no owner's may be another store's. A record without bytes is told of and stays, for it may be the
-- disk that is not there yet: who forgot it would take the bytes for nobody's.
local function sweep_bytes()
  local gone, left = 0, tus_paths()
  for row, self in store():each "owner/" do gone = gone + sweep_shelf(row, self, left) end
  if gone > 0 then
    weir.log.error("upload: the bytes of files are not in their folder", { files = gone, folder = root() })
  end
end

--- To be called when the app starts, in one worker: once in a process what the one before has left is swept.
function files.start()
  files.secret()
  if settings.folder and not weir.fs.stat(settings.folder) then
    error(("upload: there is no folder %s; make it, or say another one"):format(settings.folder), 0)
  end
  if root() then
    if weir.shared(settings.name):add("swept", true) then
      sweep_bytes() -- while who has only begun is known
      sweep_running()
    end
    weir.every(SWEEP, sweep_deleted)
    weir.every(SWEEP, sweep_unsent)
  end
end

return files
