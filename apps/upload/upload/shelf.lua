-- shelf: what one owner has here, as one value, so that every change of it is one step whatever else goes on.
--
--   reserve --> running --place--> files --delete--> deleted, and can be restored --after `undo` seconds--> gone
--                 |--release: failed, cancelled, or done--> gone
--                 `--expire_run: nothing came for long--> expired, which takes no room and is remembered for a while
--
--   { sub, files = { [id] = { name, size, sha256, type, preview, at, deleted } },
--     running = { [id] = { name, size, total, at, tag, process,
--                          tus, fingerprint, collision, paused, expired } } }
--
-- The last line is of uploads that go on (resuming.lua): `tus` is their id there, `expired` when they did.
--
-- A name is a path, "photos/sea.jpg"; no two files that are not deleted have the same one. What is running counts with
-- what it may become. What is deleted counts until its room is wanted.
--
-- `bounds` are { quota (bytes), limit (of a file), count (files, those on their way and those that can be restored
-- among them), running }.
--
-- Pure: no disk, no store, no clock. A function that changes something returns true or what it made, or nil and a
-- problem { status, code, message }; then nothing was changed.

local names = require "upload.names"

local shelf = {}

local NAME = 255 -- bytes that file systems take for one
local EXPIRED = 20 -- that are remembered

function shelf.new(sub)
  return { sub = sub, files = {}, running = {} }
end

local function problem(status, code, message, ...)
  return nil, { status = status, code = code, message = message:format(...) }
end

-- ---- how much -------------------------------------------------------------------------------------------------------

--- Bytes of files that are there, of uploads under way, and of what can be restored; how many files, uploads, and
--- files that can be restored.
function shelf.sums(self)
  local sums = { files = 0, running = 0, deleted = 0, file_count = 0, running_count = 0, deleted_count = 0 }
  for _, file in pairs(self.files) do
    local kind = file.deleted and "deleted" or "files"
    sums[kind] = sums[kind] + file.size
    local counter = file.deleted and "deleted_count" or "file_count"
    sums[counter] = sums[counter] + 1
  end
  for _, run in pairs(self.running) do
    if not run.expired then sums.running, sums.running_count = sums.running + run.size, sums.running_count + 1 end
  end
  return sums
end

-- The ids of what is deleted, the oldest first.
local function deleted_ids(self)
  local ids = {}
  for id, file in pairs(self.files) do
    if file.deleted then ids[#ids + 1] = id end
  end
  table.sort(ids, function(a, b)
    local first, second = self.files[a].deleted, self.files[b].deleted
    return first < second or first == second and a < b
  end)
  return ids
end

-- Gives up what is deleted until there are `size` bytes and `count` files more. The caller knows that there are.
local function make_room(self, size, count, bounds)
  local gone, sums = {}, shelf.sums(self)
  local bytes = sums.files + sums.running + sums.deleted + size - bounds.quota
  local files = sums.file_count + sums.running_count + sums.deleted_count + count - bounds.count
  for _, id in ipairs(deleted_ids(self)) do
    if bytes <= 0 and files <= 0 then break end
    bytes, files = bytes - self.files[id].size, files - 1
    self.files[id] = nil
    gone[#gone + 1] = id
  end
  return gone
end

--- Takes away what was deleted before `time`: the ids.
function shelf.expire(self, time)
  local gone = {}
  for _, id in ipairs(deleted_ids(self)) do
    if self.files[id].deleted > time then break end
    self.files[id] = nil
    gone[#gone + 1] = id
  end
  return gone
end

-- ---- on its way -----------------------------------------------------------------------------------------------------

-- The upload of a fingerprint that is on its way. One that has expired is forgotten: another takes its place.
local function find_run(self, fingerprint)
  for id, run in pairs(self.running) do
    if run.fingerprint == fingerprint then
      if not run.expired then return id, run end
      self.running[id] = nil
    end
  end
end

--- Begins an upload: `run` is { name, at, process, tag, size, tus, fingerprint, collision }, without `size` where
--- nobody knows it; then it takes what one file may have. True and the ids of what had to give way.
function shelf.reserve(self, id, run, bounds)
  if run.fingerprint then
    local other, kept = find_run(self, run.fingerprint)
    if other then
      return nil, {
        status = 409, code = "exists", message = "this upload has begun already; go on with it",
        upload = { id = other, tus = kept.tus },
      }
    end
  end
  local sums = shelf.sums(self)
  if sums.running_count >= bounds.running then
    return problem(429, "busy", "you have %d uploads on their way; wait until one is done, or cancel one",
      sums.running_count)
  end
  if sums.file_count + sums.running_count >= bounds.count then
    return problem(507, "quota", "you have %d files, and no room for more; delete some", sums.file_count)
  end
  local room = bounds.quota - sums.files - sums.running
  local size = run.size or math.min(bounds.limit, room)
  if size > room or room <= 0 then
    return problem(507, "quota", "it needs %.0f bytes, and %.0f of your %.0f are left", run.size or 1,
      math.max(room, 0), bounds.quota)
  end
  local gone = make_room(self, size, 1, bounds)
  local kept = {}
  for field, value in pairs(run) do kept[field] = value end
  kept.size, kept.total = size, run.size
  self.running[id] = kept
  return true, gone
end

--- Takes as much for the next file of an upload whose size nobody knows: the upload, and the ids of what had to give
--- way.
function shelf.widen(self, id, bounds)
  local run, sums = self.running[id], shelf.sums(self)
  if not run then return problem(409, "cancelled", "the upload is over") end
  local size = math.max(math.min(bounds.limit, bounds.quota - sums.files - sums.running + run.size), 0)
  local gone = make_room(self, size - run.size, 0, bounds)
  run.size = size
  return run, gone
end

--- Ends an upload as its owner wishes: it, or nil where it is over, or its file has its place. One that comes in one
--- request stays until that has ended.
function shelf.cancel(self, id)
  local run = self.running[id]
  if not run or run.tus and self.files[id] then
    return problem(404, "missing", "there is no such upload; it may be over")
  end
  if run.tus then self.running[id] = nil end
  return run
end

--- Says of an upload that goes on whether it is to stand still: it, or nil.
function shelf.pause(self, id, paused)
  local run = self.running[id]
  if not run or run.expired then return problem(404, "missing", "there is no such upload; it may be over") end
  if not run.tus then return problem(409, "pause", "this upload comes in one request, and cannot be paused") end
  run.paused = paused or nil
  return run
end

--- Gives back the room of an upload of which nothing came for long, and remembers that until somebody releases it:
--- whether it was on its way.
function shelf.expire_run(self, id, time)
  local run, expired = self.running[id], {}
  if not run or run.expired then return false end
  run.expired, run.size = time, 0
  for other, one in pairs(self.running) do
    if one.expired then expired[#expired + 1] = other end
  end
  table.sort(expired, function(a, b) return self.running[a].expired > self.running[b].expired end)
  for i = EXPIRED + 1, #expired do self.running[expired[i]] = nil end
  return true
end

--- Ends an upload: whether it was there.
function shelf.release(self, id)
  local was = self.running[id] ~= nil
  self.running[id] = nil
  return was
end

-- ---- names ----------------------------------------------------------------------------------------------------------

--- The id of the file that has a name.
function shelf.find(self, name)
  for id, file in pairs(self.files) do
    if file.name == name and not file.deleted then return id end
  end
end

-- "photos/sea.jpg" as "photos/sea (2).jpg", the first that is free.
local function free_name(self, name)
  local taken = {}
  for _, file in pairs(self.files) do
    if not file.deleted then taken[file.name] = true end
  end
  if not taken[name] then return name end
  local folder, last = name:match "^(.*/)([^/]*)$"
  last = last or name
  local stem, extension = last:match "^(.+)(%.[^.]*)$"
  local n = 2
  local function candidate()
    local number = (" (%d)%s"):format(n, extension or "")
    return (folder or "") .. names.cut(stem or last, NAME - #number) .. number
  end
  while taken[candidate()] do n = n + 1 end
  return candidate()
end

-- ---- files ----------------------------------------------------------------------------------------------------------

--- Makes a file { name, size, sha256, type, preview, at } of what the upload `run` brought. `collision` says what
--- becomes of a name that is taken: "keep" both, "replace" the old one, which can be restored, "skip" the new one.
--- { id, file, replaced, skipped, gone }: those of the old one where the new one is skipped; the id of the one that was
--- replaced; the ids of what had to give way.
function shelf.place(self, run, id, file, collision, bounds)
  local reserved = self.running[run]
  if not reserved or reserved.expired then return problem(409, "cancelled", "the upload is over") end
  local old = shelf.find(self, file.name)
  if old and collision == "skip" then return { id = old, file = self.files[old], skipped = true, gone = {} } end
  local sums = shelf.sums(self)
  if sums.file_count + sums.running_count > bounds.count then -- it takes the place of its upload
    return problem(507, "quota", "you have %d files, and no room for more; delete some", sums.file_count)
  end
  local placed = { id = id, file = file, gone = make_room(self, 0, 0, bounds) }
  if old and collision == "replace" then
    self.files[old].deleted, placed.replaced = file.at, old
  else
    file.name = free_name(self, file.name)
  end
  reserved.size = math.max(reserved.size - file.size, 0)
  self.files[id] = file
  return placed
end

--- Deletes a file: it, or nil.
function shelf.delete(self, id, time)
  local file = self.files[id]
  if not file or file.deleted then return problem(404, "missing", "there is no such file") end
  file.deleted = time
  return file
end

--- Brings back what was deleted after `since`, under a name that is free: the file, or nil. Its room was kept.
function shelf.restore(self, id, since)
  local file = self.files[id]
  if not file or not file.deleted or file.deleted <= since then
    return problem(404, "missing", "it is gone, or was not deleted")
  end
  file.name, file.deleted = free_name(self, file.name), nil
  return file
end

return shelf
