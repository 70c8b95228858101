-- tus_files: where resumable uploads lie: two files of a folder for each, and nothing anywhere else.
--
--   <root>/<id>        what has arrived; its length is the offset
--   <root>/<id>.json   the record: what was said when it began, written whole and synced
--
--   record: version  1
--           size     of the whole; nil: not known yet
--           metadata as it was sent         concat  as it was sent: "partial", "final;..."
--           owner    as the app named it    created, complete: Unix time
--           ending   true: on_complete has been called, and may have moved the file
--           checking while bytes come whose checksum is not known to be right: the offset before them
--
-- The offset is no number that is written somewhere, so it cannot disagree with the bytes: what a request that broke
-- off has left, what a process that was killed has left, is as long as it is. Only bytes with a checksum count all or
-- not at all. `checking` says so before the first of them is written, and whoever opens the upload next cuts it back,
-- if that was not the request itself.
--
-- Who works on an upload has its file open and locked (core/net/file_appender.c). A request that finds it locked asks
-- the one that has it to end, by a topic that all workers see, and tries again until it does: see weir.tus_receiving.
-- A lock of a process that is no more is no lock. An upload that nobody works on has no descriptor and no memory.
--
-- Files come before their record and go after it, so a crash leaves bytes without a record, which nobody can ask for:
-- the sweep takes them, as it takes what has expired. An upload expires so long after its last byte came as the file
-- says when that was: nothing is written for it, and a restart changes nothing. An id begins with the time at which it
-- was made; so of one that is not there it can be told whether it may have expired, and 410 needs no list of the dead.

local bytes = require "weir.bytes"
local check = require "weir.check"
local core = require "weir.core"
local fail = require "weir.fail"
local fs = require "weir.fs"
local hub = require "weir.hub"
local json = require "weir.json"
local log = require "weir.log"
local below = require "weir.below"

local Files = {}
Files.__index = Files

local VERSION = 1
local RECORD_MOST = 1024 * 1024 -- bytes; what it holds came in header fields
local ID = "^%x%x%x%x%x%x%x%x" .. ("%x"):rep(32) .. "$"
local FIRST, LONGEST, PATIENCE = 0.002, 0.05, 20 -- seconds between tries for a lock, and how long in all
local POLITE = 1 -- seconds for which a request that is soon over lets a newer one have the upload
local NEWEST = 2 ^ 53 -- than any ticket
local PAGE = 20000 -- names of the folder that are looked at at once
local SLICE = 64 * 1024 * 1024 -- bytes that are copied at once

--- Where requests that want an upload tell the one that has it.
function Files.topic(id) return "weir.tus/" .. id end

--- A place for uploads: below `root`, by default in the uploads of --data; unfinished ones stay `age` seconds, or as
--- long as anybody wants.
function Files.new(root, age)
  hub.topics { [Files.topic "*"] = { history = { count = 10, age = "5s" } } }
  return setmetatable({ given = root, age = age or math.huge }, Files)
end

--- The folder, and whether it is ours to make; nil where the server keeps no files.
function Files:find_root()
  local given = self.given
  if given then return given:sub(1, 1) == "/" and given or core.app_folder() .. "/" .. given, false end
  local uploads = fs.uploads()
  return uploads and uploads .. "/tus", true
end

--- The same for requests: fails with 503.
function Files:root()
  local root, ours = self:find_root()
  if not root then fail(503, "this server keeps no files") end
  return root, ours
end

--- Where the bytes of an upload lie.
function Files:path(id) return (self:root()) .. "/" .. id end

-- ---- ids ------------------------------------------------------------------------------------------------------------

function Files.new_id()
  return ("%08x"):format(math.floor(core.now())) .. bytes.hex.encode(core.random(16))
end

--- Whether a text may be an id: nothing else is ever part of a path.
function Files.is_id(text)
  return #text == 40 and text:find(ID) ~= nil and not text:find "%u"
end

-- Fails for an upload that is not there: with 410 if it may have expired, else with 404.
function Files:fail_missing(id)
  if Files.is_id(id) and tonumber(id:sub(1, 8), 16) + self.age < core.now() then
    fail(410, "this upload has expired, or was ended; begin a new one")
  end
  fail(404, "there is no such upload")
end

-- What the system says, logged with the path, told without it.
local function fail_system(code, message)
  local status = below.status(code)
  if status == 404 then status = 500 end
  if status ~= 507 then log.error("weir.tus: " .. message) end
  fail(status, status == 507 and "the disk is full" or "the upload cannot be kept now: " .. code)
end
Files.fail_system = fail_system

-- ---- records --------------------------------------------------------------------------------------------------------

local function record_name(id) return id .. ".json" end

-- The record, or nil and a code.
local function read(self, id)
  local text, code, message = check(core.fs_get(self:path(record_name(id)), RECORD_MOST))
  if not text then return nil, code, message end
  local record, err = json.decode(text)
  if err or type(record) ~= "table" or record.version ~= VERSION then
    return nil, "EBADMSG", ("%s is no record of this version"):format(self:path(record_name(id)))
  end
  return record
end

--- The record of an upload. Fails with 404 or 410 where there is none.
function Files:read(id)
  if not Files.is_id(id) then self:fail_missing(id) end
  local record, code, message = read(self, id)
  if record then return record end
  if code == "ENOENT" then self:fail_missing(id) end
  fail_system(code, message)
end

--- Writes it: it is on the disk when this returns.
function Files:write(id, record)
  record.version = VERSION
  local ok, code, message = check(core.fs_put(self:root(), record_name(id), json.encode(record)))
  if not ok then fail_system(code, message) end
end

-- ---- the bytes ------------------------------------------------------------------------------------------------------

--- Makes the file of a new upload: its id and the appender, which nobody else has.
function Files:make(algorithm)
  local root, ours = self:root()
  for _ = 1, 10 do -- the sweep of another process may have come between
    local id = Files.new_id()
    local appender, code, message = check(core.appender(id, root, ours, algorithm, true))
    if appender then return id, appender end
    if code ~= "EAGAIN" and code ~= "EEXIST" and code ~= "ENOENT" or below.status(code) == 507 then
      fail_system(code, message)
    end
    if code == "ENOENT" and not fs.stat(root) then fail_system(code, message) end
  end
  fail(503, "the upload cannot be made now")
end

local function try(self, id, algorithm)
  return check(core.appender(id, (self:root()), false, algorithm, false))
end

--- The appender of an upload, its size and when that was last written, once no other request has it: those that came
--- before this one, number `ticket`, are asked to end. So are all, after a while, by one that is `brief`: it cannot
--- wait until a newer one has sent a whole file. nil and "ENOENT" where it has no file. Fails with 423 when one does
--- not end.
function Files:open(id, ticket, algorithm, brief)
  local since, wait = core.now(), FIRST
  while true do
    local appender, size, changed = try(self, id, algorithm)
    if appender then return appender, size, changed end
    local code, message = size, changed
    if code == "ENOENT" then return nil, code end
    if code ~= "EAGAIN" then fail_system(code, message) end
    local waited = core.now() - since
    if waited > PATIENCE then fail(423, "another request works on this upload, and does not end") end
    hub.publish(Files.topic(id), ("%.0f"):format(brief and waited > POLITE and NEWEST or ticket))
    check(core.sleep(wait))
    wait = math.min(2 * wait, LONGEST)
  end
end

--- Waits until a request that came later than number `ticket` wants the upload.
function Files.await_newer(id, ticket)
  local subscription = hub.subscribe(Files.topic(id))
  for event in subscription:events() do
    if (tonumber(event.data) or 0) > ticket then return end -- a gap is none: who wants it asks again
  end
end

--- Adds the whole files of other uploads, of known sizes: nil, or "ENOENT" or "EOF" and the id that is not there as
--- it should be.
function Files.join(appender, list)
  for _, one in ipairs(list) do
    local at = 0
    while at < one.size do
      local n = math.min(SLICE, one.size - at)
      local ok, code, message = check(core.appender_copy(appender, one.id, at, n))
      if not ok then
        if code == "ENOENT" or code == "EOF" then return code, one.id end
        fail_system(code, message)
      end
      at = at + n
    end
  end
end

-- ---- going ----------------------------------------------------------------------------------------------------------

--- Removes an upload, whose file is open if it has one. The name goes, and not the bytes: an app may have linked or
--- moved them to a place of its own. By a thread of the pool, for closing a large file takes long.
function Files:remove(id, appender)
  fs.remove(self:path(record_name(id)))
  if appender then check(core.appender_remove(appender)) end
end

--- Whether one that was last written then, and is not complete, is too old.
function Files:has_expired(changed) return changed + self.age < core.now() end

-- A complete one is the app's; its parts go when their time has come.
local function is_kept(record) return record.complete and record.concat ~= "partial" end

-- An upload whose file is open: whether it is to go. One that is just being made has no record, and is locked.
local function is_over(self, id, changed)
  local record, code = read(self, id)
  if not record then return code == "ENOENT" end
  return not is_kept(record) and self:has_expired(changed), record
end

-- One that has only a record: its file was moved by the app, which is remembered for a while; or it is half removed.
local function sweep_record(self, id)
  local record = read(self, id)
  if record and (record.ending or record.complete) then
    local since = fs.stat(self:path(record_name(id)))
    if not since or not self:has_expired(since.mtime) then return end
  end
  if record then fs.remove(self:path(record_name(id))) end
end

local function sweep_one(self, id, on_expired)
  local appender, size, changed = try(self, id)
  if not appender then
    if size == "ENOENT" then sweep_record(self, id) end -- else somebody is at it
    return
  end
  local over, record = is_over(self, id, changed)
  local told, why = true, nil
  if over and record then told, why = pcall(on_expired, id, record, size) end
  local cancelled = not told and why == core.cancelled
  if not told and not cancelled then log.error(("weir.tus: on_terminate of %s: %s"):format(id, tostring(why))) end
  if over and not cancelled then self:remove(id, appender) end
  core.writer_abort(appender)
  if cancelled then error(why, 0) end
end

-- What is to be looked at: without a look into each, for most are what they should be.
local function candidates(self, names)
  local list, has_record, has_file = {}, {}, {}
  for _, name in ipairs(names) do
    local id, ending = name:sub(1, 40), name:sub(41)
    if Files.is_id(id) and (ending == "" or ending == ".json") then
      (ending == "" and has_file or has_record)[id] = true
    end
  end
  for id in pairs(has_record) do
    if not has_file[id] then list[#list + 1] = id end
  end
  for id in pairs(has_file) do
    local known = has_record[id] and fs.stat(self:path(id))
    if not known or self:has_expired(known.mtime) then list[#list + 1] = id end
  end
  return list
end

-- Those that come behind the name `after`; none of a folder that is not made yet, or cannot be read.
local function page(root, after)
  local names, code, message = check(core.fs_list_after(root, after, PAGE))
  if not names and code ~= "ENOENT" then log.error("weir.tus: expired uploads cannot be looked for: " .. message) end
  return names or {}
end

--- Removes what has expired and what a crash has left; before that `on_expired(id, record, size)` is called for each of
--- the former.
function Files:sweep(on_expired)
  local root = self:root()
  local names = page(root, "")
  while #names > 0 do
    for _, id in ipairs(candidates(self, names)) do sweep_one(self, id, on_expired) end
    names = page(root, names[#names])
  end
end

return Files
