-- saving: how bytes that a client sends become a file: stream:save, and what else has bytes.
--
-- A source is a table:
--
--   stream   whose status is set when it fails
--   what     "the request body", for messages
--   total    how many bytes it will be, nil when nobody knows
--   fill     function(writer): waits for bytes and has them moved to the writer, in C: how many; nil at the proper end;
--            nil and "closed", "timeout" or another code, and a message, when there is none. What it raises ends the
--            saving, too.
--
-- While a piece is written the next one comes into the stream's own buffer, up to its limit.

local core = require "weir.core"
local below = require "weir.below"
local broken = require "weir.broken"
local bytes = require "weir.bytes"
local check = require "weir.check"

local saving = {}

-- How much is gathered before it is written: with less at a time the threads that read and write would wake each other
-- too often. Of a client that sends little, each piece is taken as it comes.
local PIECE, LITTLE = 384 * 1024, 16 * 1024

--- How much to gather for the next piece, behind one of `n` bytes.
function saving.want(n)
  return n < LITTLE and 1 or PIECE
end

-- nil, a code and a message, for who saves; and the status, unless an answer has begun: what is lost is no success.
local function unsaved(source, code, message, limit)
  local entry = broken[code]
  pcall(source.stream.status, source.stream, entry and entry[1] or below.status(code))
  return nil, code, message or (entry[2]:format(source.what, limit))
end

-- All of the source: its length and its digest if there is one, or nil, a code and a message.
local function copy(source, writer, limit, on_progress)
  local size = 0
  while true do
    local n, why, text = source.fill(writer)
    if why then return nil, why, text end
    if not n then break end
    size = size + n
    if size > limit then return nil, "limit" end
    local ok, code, message = check(core.writer_write(writer))
    if not ok then return nil, code, message end
    if on_progress then on_progress(size, source.total) end
  end
  local ok, digest, message = check(core.writer_commit(writer))
  if not ok then return nil, digest, message end
  return size, digest and bytes.hex.encode(digest)
end

local function check_options(name, given)
  local options = check.options(name, given, { "root", "on_progress", "limit", "hash" }, 3)
  local limit, hash = math.huge, options.hash
  if options.limit ~= nil then limit = check.size(name, "limit", options.limit, 3) end
  if options.on_progress ~= nil then check.callable(name, "on_progress", options.on_progress, 3) end
  if options.root ~= nil then check.path(name, "root", options.root, 3) end
  if hash ~= nil and not (type(hash) == "string" and core.hash(hash, "")) then
    check.bad(name, "hash", hash, 'the name of a digest that weir.hash has, like "sha256"', 3)
  end
  return options, limit
end

--- Writes a source to a file below a root, by default the uploads of `--data`; it appears under its name when it is
--- complete and on the disk. Its length, and with `hash` its digest in hex; or nil, a code and a message: the
--- system's, like "ENOSPC"; "limit" when it is longer than `limit`, "closed" when it breaks off, "timeout" when nothing
--- more comes. Each sets a status: 413, 400 and 408, 404 for what the root does not let through or have, 507 for a full
--- disk, else 500 or 503. To be called as the last thing of `name`, so that what is wrong with the arguments is its
--- caller's.
function saving.save(name, source, path, given)
  check.string(name, "argument 1 (path)", path)
  local options, limit = check_options(name, given)
  local root = options.root
  local relative, code, message = below.path(name, path, root, "the uploads of --data")
  local default = root == nil and core.uploads()
  if relative and not root and not default then
    error(name .. ": without --data there is no folder for uploads; start with weir serve --data DIR, or write "
      .. '{ root = "folder" }', 2)
  end
  if (source.total or 0) > limit then return unsaved(source, "limit", nil, limit) end
  local writer
  if relative then writer, code, message = check(core.writer(relative, root or default, not root, options.hash)) end
  if not writer then return unsaved(source, code, message) end
  local ok, size, why, text = pcall(copy, source, writer, limit, options.on_progress)
  if not ok or not size then core.writer_abort(writer) end
  if not ok then error(size, 0) end
  if not size then return unsaved(source, why, text, limit) end
  return size, why
end

return saving
