-- below: files below a root.
--
-- A path often holds what a client sent, so it stays below a root whatever it is. That is looked at twice: here by its
-- names, in the core by what was opened, links and all.

local log = require "weir.log"

local below = {}

local told = {} -- by name; once, for what a client sends must not fill the log

--- The path relative to the root, or nil, a code and why not. `name` is the function's, `default` what its root is
--- where the script says none.
function below.path(name, path, root, default, hidden)
  if path:sub(1, 1) == "/" then
    if root ~= "/" then
      local text = ('%s: the path "%.99s" is absolute, and paths are relative to a root, by default %s; write { root = '
        .. '"folder" } and what is below it, or { root = "/" } where any file is meant'):format(name, path, default)
      if not told[name] then log.warn(text) end
      told[name] = true
      return nil, "EACCES", text
    end
    path = path:sub(2)
  end
  if path:find("%z") then return nil, "EACCES", name .. ": the path holds NUL" end
  for segment in (path .. "/"):gmatch "([^/]*)/" do
    if segment == "" or segment == "." or segment == ".." or (not hidden and segment:sub(1, 1) == ".") then
      return nil, "EACCES", ('%s: in "%s" is a name that is empty or begins with a dot'):format(name, path)
    end
  end
  return path
end

local STATUS = {
  ENOENT = 404, ENOTDIR = 404, EISDIR = 404, EACCES = 404, ELOOP = 404, ENAMETOOLONG = 404, EINVAL = 404, EPERM = 404,
  EFTYPE = 404, EMFILE = 503, ENFILE = 503, ENOMEM = 503, ENOSPC = 507, EDQUOT = 507,
}

--- What the system says of a file, as the status of an answer.
function below.status(code)
  return STATUS[code] or 500
end

return below
