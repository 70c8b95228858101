---@meta weir.fs

-- What the system refuses is nil, a code like "ENOENT", and a message.

---@class weir.fs
local fs = {}

---@param path string relative ones start at the app's folder
---@param limit? weir.Size ("16MB")
---@return string? data
---@return string? code "EFBIG" beyond the limit
---@return string? message
function fs.read(path, limit) end

---At most the first bytes of a file.
---@param path string
---@param n weir.Size "1MB" at most
---@return string? data
---@return string? code
---@return string? message
function fs.head(path, n) end

---The folder that `stream:save` and `part:save` write to by default.
---@return string? path nil: there is no `--data`
function fs.uploads() end

---The digest of a whole file, as bytes, read in pieces.
---@param path string
---@param algorithm weir.Digest
---@return string? bytes
---@return string? code
---@return string? message
function fs.hash(path, algorithm) end

---A name that a file may have, whatever was sent.
---@param name string
---@return string name
function fs.safe_name(name) end

---Makes a file, or replaces its content.
---@param path string
---@param data string
---@return true? ok
---@return string? code
---@return string? message
function fs.write(path, data) end

---Adds to a file's end, making it if there is none.
---@param path string
---@param data string
---@return true? ok
---@return string? code
---@return string? message
function fs.append(path, data) end

---The names in a folder.
---@param path string
---@return string[]? names
---@return string? code
---@return string? message
function fs.list(path) end

---@class weir.Stat
---@field size integer bytes
---@field mtime number Unix seconds of the last change
---@field type "file"|"folder"|"other"

---@param path string
---@return weir.Stat? stat
---@return string? code
---@return string? message
function fs.stat(path) end

---@class weir.Space
---@field total integer bytes of the file system
---@field free integer bytes that a process without privileges may still use

---How much room there is on the file system of a file or folder.
---@param path string
---@return weir.Space? space
---@return string? code
---@return string? message
function fs.space(path) end

---@param from string
---@param to string
---@return true? ok
---@return string? code
---@return string? message
function fs.rename(from, to) end

---Removes a file or an empty folder.
---@param path string
---@return true? ok
---@return string? code
---@return string? message
function fs.remove(path) end

---@param path string
---@return true? ok
---@return string? code
---@return string? message
function fs.mkdir(path) end
