-- fs: files without blocking the worker; the work is done by the core's threads while the task waits.
--
-- What the system refuses is a result: nil, a code like "ENOENT", a message. Relative paths start at the app's folder.

local bytes = require "weir.bytes"
local core = require "weir.core"
local check = require "weir.check"

local fs = {}

--- The whole content of a file; with a limit, nil, "EFBIG" when it is longer.
function fs.read(path, limit)
  check.path("weir.fs.read", "argument 1 (path)", path)
  if limit ~= nil then limit = check.size("weir.fs.read", "argument 2 (limit)", limit) end
  return check(core.fs_read(path, limit))
end

local HEAD = 1024 * 1024

--- At most the first n bytes of a file.
function fs.head(path, n)
  check.path("weir.fs.head", "argument 1 (path)", path)
  n = check.size("weir.fs.head", "argument 2 (n)", n)
  if n > HEAD then check.bad("weir.fs.head", "argument 2 (n)", n, "1MB at most") end
  return check(core.fs_head(path, n))
end

--- The digest of a whole file, as bytes.
function fs.hash(path, algorithm)
  check.path("weir.fs.hash", "argument 1 (path)", path)
  check.string("weir.fs.hash", "argument 2 (algorithm)", algorithm)
  if not core.hash(algorithm, "") then
    check.bad("weir.fs.hash", "argument 2 (algorithm)", algorithm, bytes.DIGESTS)
  end
  return check(core.fs_hash(path, algorithm))
end

--- The folder for what clients send: "uploads" in that of `--data`, nil without one.
fs.uploads = core.uploads

--- A name that a file may have, whatever was sent: see `filename` of a part.
function fs.safe_name(name)
  check.string("weir.fs.safe_name", "argument 1 (name)", name)
  return core.file_name(name)
end

--- Makes a file, or replaces its content.
function fs.write(path, data)
  check.path("weir.fs.write", "argument 1 (path)", path)
  check.string("weir.fs.write", "argument 2 (data)", data)
  return check(core.fs_write(path, data))
end

--- Adds to a file's end, making it if there is none.
function fs.append(path, data)
  check.path("weir.fs.append", "argument 1 (path)", path)
  check.string("weir.fs.append", "argument 2 (data)", data)
  return check(core.fs_append(path, data))
end

--- The names in a folder, sorted.
function fs.list(path)
  check.path("weir.fs.list", "argument 1 (path)", path)
  return check(core.fs_list(path))
end

--- What is known about a file: { size, mtime, type = "file" | "folder" | "other" }.
function fs.stat(path)
  check.path("weir.fs.stat", "argument 1 (path)", path)
  return check(core.fs_stat(path))
end

--- How much room there is where a path is: { total, free }, in bytes, `free` for who has no privileges.
function fs.space(path)
  check.path("weir.fs.space", "argument 1 (path)", path)
  return check(core.fs_space(path))
end

--- Gives a file another name, replacing what has that name.
function fs.rename(from, to)
  check.path("weir.fs.rename", "argument 1 (from)", from)
  check.path("weir.fs.rename", "argument 2 (to)", to)
  return check(core.fs_rename(from, to))
end

--- Removes a file or an empty folder.
function fs.remove(path)
  check.path("weir.fs.remove", "argument 1 (path)", path)
  return check(core.fs_remove(path))
end

--- Makes a folder.
function fs.mkdir(path)
  check.path("weir.fs.mkdir", "argument 1 (path)", path)
  return check(core.fs_mkdir(path))
end

return fs
