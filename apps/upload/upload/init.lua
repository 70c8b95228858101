-- upload: a place for files, whose uploads everybody who is signed in sees as they come; to serve or to mount.
--
--   app:mount("/files", require "upload" { secret = os.getenv "SECRET", quota = "10GB" })
--
--   PUT, POST --> receiving.lua --bytes--> the uploads folder     GET /events <-- topics
--   tus       --> resuming.lua --hooks of weir.tus, for long files
--                   | progress.lua --lines and events--> who sends, who watches
--                   | processing.lua: what has come, before it is kept
--                   `--> files.lua --> shelf.lua: names, room, what can be restored
--
-- Here is who may ask for what.

local weir = require "weir"
local files = require "upload.files"
local names = require "upload.names"
local processing = require "upload.processing"
local receiving = require "upload.receiving"
local resuming = require "upload.resuming"
local sharing = require "upload.sharing"

local PREVIEW = 64 * 1024 -- bytes of a text

local function fail(status, code, message)
  weir.fail(status, { message = message, errorCode = code })
end

-- ---- files ----------------------------------------------------------------------------------------------------------

-- Nothing of what others have sent runs in anybody's page.
local function guard(stream)
  stream:header("Content-Security-Policy", "sandbox; default-src 'none'")
  stream:header("Cache-Control", "private, no-cache")
end

local function download(stream, id)
  local file = files.find(id)
  local path, root = files.below(id)
  guard(stream)
  return stream:file(path, { root = root, type = file.type, download = names.last(file.name) })
end

local function show_preview(stream)
  local file = files.find(stream.params.id)
  local path, root = files.below(stream.params.id)
  if not file.preview then fail(404, "preview", "there is no preview of such a file") end
  guard(stream)
  if file.preview == "image" then return stream:file(path, { root = root, type = file.type }) end
  local head, code = weir.fs.head(files.path(stream.params.id), PREVIEW)
  if not head then fail(404, "missing", "the file cannot be read: " .. code) end
  return processing.text(head) or fail(404, "preview", "it is no text")
end

local function own(stream, deleted)
  local _, owner = files.find(stream.params.id, deleted)
  if owner ~= stream.claims.sub then fail(403, "owner", "the file is somebody else's") end
  return owner
end

-- The id of an upload of who asks, and that.
local function own_upload(stream)
  local id, sub = stream.params.id, stream.claims.sub
  if files.sender(id) ~= sub then fail(403, "owner", "the upload is somebody else's") end
  return sub, id
end

local function about(stream)
  local file, owner = files.find(stream.params.id)
  return files.shown(stream.params.id, file, owner)
end

local function share(stream)
  files.find(stream.params.id)
  local wanted = stream:json_body()
  local token, expires = sharing.token(stream.params.id, type(wanted) == "table" and wanted.seconds or nil)
  local path = ("%s/s/%s"):format(stream.base, token)
  local origin = stream.host ~= "" and ("%s://%s"):format(stream.scheme, stream.host) or ""
  return { link = origin .. path, expires = expires }
end

-- ---- streams --------------------------------------------------------------------------------------------------------

-- Who comes without an id is told first what is there; and has an id from then on.
local function follow(stream)
  local sse = stream:sse { hello = true, overflow = "conflate" }
  local position
  if not sse.last_event_id then
    local list = files.list(stream.claims.sub)
    position = list.position
    local sent, why = sse:send { event = "upload.listed", data = list, id = position }
    if not sent and why == "limit" then -- an event has bounds, the list has not
      sse:send { event = "upload.listed", data = { position = position, partial = true }, id = position }
    end
  end
  sse:subscribe({ files.list_topic(), files.runs() }, { after = position })
end

-- One upload, to its end.
local function follow_one(stream)
  files.sender(stream.params.id)
  stream:sse({ overflow = "conflate" }):subscribe(files.run_topic(stream.params.id), { last = 1 })
end

-- ---- the app --------------------------------------------------------------------------------------------------------

local jwt_options = { "secret", "key", "jwks", "alg", "issuer", "audience", "leeway" }

-- The options of weir.jwt that were given, and others.
local function tokens(options, more)
  local all = more or {}
  for _, name in ipairs(jwt_options) do all[name] = options[name] end
  return all
end

-- Who has a token, and a name in it.
local function signed_in(options, more)
  local jwt = weir.jwt(tokens(options, more))
  return function(stream, next)
    return jwt(stream, function()
      if not names.is_owner(stream.claims.sub) then
        fail(403, "sub", "the token names nobody: its sub must be a text of 1 to 200 bytes")
      end
      return next()
    end)
  end
end

local function add_readers(app, options)
  local readers = signed_in(options)
  app:get("/files", readers, function(stream) return files.list(stream.claims.sub) end)
  app:get("/files/:id", readers, function(stream) return download(stream, stream.params.id) end)
  app:get("/files/:id/about", readers, about)
  app:get("/files/:id/preview", readers, show_preview)
  app:post("/files/:id/share", readers, share)
  local watchers = signed_in(options, { from = { "bearer", "ticket" } })
  app:get("/events", watchers, follow)
  app:get("/uploads/:id", watchers, follow_one)
  app:post("/ticket", readers, weir.ticket())
  app:post("/renew", weir.jwt.renewal(tokens(options)))
end

local function add_writers(app, options)
  local writers = signed_in(options, { claims = options.writers or { upload = "write" } })
  app:put("/files/*path", writers, function(stream) return receiving.put(stream, options.process) end)
  app:post("/files", writers, function(stream) return receiving.post(stream, options.process) end)
  app:delete("/files/:id", writers, function(stream) files.delete(own(stream), stream.params.id) end)
  app:post("/files/:id/restore", writers, function(stream)
    return files.restore(own(stream, true), stream.params.id)
  end)
  app:delete("/uploads/:id", writers, function(stream) files.cancel(own_upload(stream)) end)
  for _, act in ipairs { "pause", "resume" } do
    app:post("/uploads/:id/" .. act, writers, function(stream)
      local sub, id = own_upload(stream)
      files.pause(sub, id, act == "pause")
    end)
  end
end

-- Uploads that go on; who only asks what there is needs no token.
local function add_resuming(app, options, kept)
  local writers = signed_in(options, { claims = options.writers or { upload = "write" } })
  local are_kept = files.have_root()
  app:use("/tus", function(stream, next)
    if stream.method == "OPTIONS" then return next() end
    return writers(stream, function()
      if not are_kept then fail(503, "folder", "this server keeps no files: start it with --data DIR") end
      return resuming.watch(stream, next)
    end)
  end)
  if are_kept then app:mount("/tus", resuming.app(kept, options.process)) end
end

-- ---- options --------------------------------------------------------------------------------------------------------

local units = { [""] = 1, B = 1, KB = 1024, MB = 1024 ^ 2, GB = 1024 ^ 3, TB = 1024 ^ 4 }

local sizes = { quota = true, limit = true }

local spans = { s = 1, m = 60, h = 3600, d = 86400 }

local function seconds_of(value)
  local number, unit = value:match "^(%d+)(%a)$"
  return number and spans[unit] and tonumber(number) * spans[unit]
end

local function number_of(field, value)
  if type(value) == "string" and field == "expires" then return seconds_of(value) end
  if type(value) ~= "string" or not sizes[field] then return value end
  local number, unit = value:match "^(%d+)(%a*)$"
  return number and units[unit] and tonumber(number) * units[unit]
end

local known = { writers = true, name = true, folder = true, process = true }
for _, name in ipairs(jwt_options) do known[name] = true end

-- A shelf is one value of the store, which takes 1 MiB: so many files.
local numbers = {
  quota = { 1, 2 ^ 52, 10 * 1024 ^ 3 }, limit = { 1, 2 ^ 52, 5 * 1024 ^ 3 }, count = { 1, 1000, 1000 },
  running = { 1, 100, 20 }, undo = { 0, 86400, 300 },
  expires = { 1, 365 * 86400, 7 * 86400 },
}

local function check_options(options)
  if type(options) ~= "table" then error("upload: options must be a table, such as { secret = ... }", 3) end
  for option in pairs(options) do
    if not known[option] and not numbers[option] then
      error(("upload: there is no option %q"):format(tostring(option)), 3)
    end
  end
  local kept = { name = options.name or "upload", folder = options.folder }
  if type(kept.name) ~= "string" or not kept.name:find "^%w[%w_-]*$" or #kept.name > 40 then
    error('upload: name must be a word of letters, digits, "_" and "-", of 1 to 40', 3)
  end
  if kept.folder ~= nil and (type(kept.folder) ~= "string" or kept.folder == "") then
    error("upload: folder must be the path of a folder", 3)
  end
  if options.process ~= nil and type(options.process) ~= "function" then
    error("upload: process must be a function", 3)
  end
  for field, range in pairs(numbers) do
    local given = options[field]
    kept[field] = given == nil and range[3] or number_of(field, given)
    local number = kept[field]
    if type(number) ~= "number" or not (number >= range[1] and number <= range[2]) or number % 1 ~= 0 then
      error(('upload: %s must be a whole number from %.0f to %.0f%s'):format(field, range[1], range[2],
        sizes[field] and ', or a size such as "5GB"' or field == "expires" and ', or a time such as "7d"' or ""), 3)
    end
  end
  return kept
end

--- The app. `options` are those of weir.jwt by which tokens are known (secret, key, jwks, alg, issuer, audience,
--- leeway); `writers`, the claims of who may upload ({ upload = "write" }); `quota` of an owner (10 GB), `limit` of a
--- file (5 GB), `count` of files (1000), `running` uploads at once (20), `undo` seconds (300), `expires`, how long what
--- goes on is kept behind its last byte ("7d"); `process(file, report)`;
--- `name`, the beginning of its topics, its store and its folder ("upload"); `folder`, where that is (the uploads of
--- --data).
return function(options)
  local kept = check_options(options)
  files.use(kept)
  local app = weir.app()
  add_readers(app, options)
  add_writers(app, options)
  add_resuming(app, options, kept)
  app:get("/s/:token", function(stream)
    local id = sharing.open(stream.params.token)
    if not id then fail(404, "link", "the link has expired, or is none") end
    return download(stream, id)
  end)
  app:on_start(files.start)
  return app
end
