-- What the specs of weir.tus share: an app that mounts it at /files, and a client that says what is meant.

local assert = require "luassert"
local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local tus = {} -- .folder and .server are those of `begin`

local BODY = "application/offset+octet-stream"

--- Serves uploads of a new folder in this state: `hooks` are options of weir.tus, `define(app)` adds what is before it.
function tus.begin(hooks, define)
  tus.folder = support.folder()
  tus.hooks = { root = tus.folder }
  for name, value in pairs(hooks or {}) do tus.hooks[name] = value end
  tus.server = support.serve(function(app)
    if define then define(app) end
    app:mount("/files", weir.tus(tus.hooks))
  end)
  test.settle() -- it has been swept
  return tus.server
end

--- The text of an app that keeps its uploads in `folder`; `more` are further options as text.
function tus.app_text(folder, more)
  return ([[
    local weir = require "weir"
    local app = weir.app()
    local worker = weir.uuid()
    app:use(function(stream, next)
      stream:_lasting("X-Worker", worker)
      return next()
    end)
    app:mount("/files", weir.tus { root = %q, %s })
    return app
  ]]):format(folder, more or "")
end

--- Serves them from a file, in a Lua state of its own; `top` is text for the top of it.
function tus.begin_file(more, top)
  tus.folder = support.folder()
  tus.server = support.serve_text((top or "") .. tus.app_text(tus.folder, more))
  return tus.server
end

--- Serves them by a process of its own, with so many workers.
function tus.spawn(folder, workers, more, options)
  local _, app = support.app_file(tus.app_text(folder, more))
  local args = { "serve", app, "--workers", workers }
  for name, value in pairs(options or {}) do args[name] = value end
  tus.folder, tus.server = folder, test.spawn(args)
  return tus.server
end

local function with(headers, more)
  local all = { ["Tus-Resumable"] = "1.0.0" }
  for name, value in pairs(headers) do all[name] = value end
  for name, value in pairs(more or {}) do all[name] = value or nil end
  return all
end

--- A request in the name of tus.
function tus.ask(method, path, headers, body)
  return tus.server:request(method, path, { headers = with({}, headers), body = body })
end

--- Makes an upload: its path, and the answer.
function tus.create(size, headers, body)
  local fields = { ["Upload-Length"] = size and ("%d"):format(size), ["Upload-Defer-Length"] = not size and "1" or nil }
  if body then fields["Content-Type"] = BODY end
  local answer = tus.ask("POST", "/files", with(fields, headers), body)
  return answer.headers.location, answer
end

function tus.patch(path, offset, body, headers)
  local fields = { ["Upload-Offset"] = ("%d"):format(offset), ["Content-Type"] = BODY }
  return tus.ask("PATCH", path, with(fields, headers), body)
end

function tus.head(path, headers) return tus.ask("HEAD", path, headers) end

--- The offset that the server tells.
function tus.offset(path)
  local answer = tus.head(path)
  return tonumber(answer.headers["upload-offset"]), answer
end

function tus.id(path) return path:match "[^/]+$" end

--- What lies on the disk for an upload.
function tus.stored(path) return support.read_file(tus.folder .. "/" .. tus.id(path)) end

--- A PATCH of which so much more is to come, on a connection of its own.
function tus.begin_patch(path, offset, length, headers)
  local lines = {
    "PATCH " .. path .. " HTTP/1.1", "Host: here", "Tus-Resumable: 1.0.0", "Content-Type: " .. BODY,
    ("Upload-Offset: %d"):format(offset), ("Content-Length: %d"):format(length),
  }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  local client = tus.server:connect()
  client:send(table.concat(lines, "\r\n") .. "\r\n\r\n")
  return client
end

--- Waits until so much of an upload is in its file.
function tus.await_stored(path, bytes)
  test.eventually(function() return #(tus.stored(path) or "") >= bytes end)
end

--- An answer that refuses, of tus: with that status, and a text that matches.
function tus.refused(answer, status, message)
  assert.equal(status, answer.status, answer.body)
  assert.equal("1.0.0", answer.headers["tus-resumable"])
  if message then assert.matches(message, answer.body) end
end

--- A value of Upload-Checksum.
function tus.checksum(algorithm, text)
  return algorithm .. " " .. weir.base64.encode(weir.hash(algorithm, text))
end

--- The names in the folder of uploads.
function tus.names() return weir.fs.list(tus.folder) end

--- As if it had been left alone for so long.
function tus.age(path, seconds)
  os.execute(("touch -d '%d seconds ago' %s/%s"):format(seconds, tus.folder, tus.id(path)))
end

--- An upload of 100 bytes, and the client of a PATCH to it that has sent "hello" and stands still.
function tus.halfway()
  local path = tus.create(100)
  local client = tus.begin_patch(path, 0, 100)
  client:send "hello"
  tus.await_stored(path, 5)
  return path, client
end

return tus
