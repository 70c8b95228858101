-- The app that the uploads of this folder go to: uploads to /files in the folder TUS_ROOT, and a line of JSON in the
-- file TUS_LEDGER for each that is created, complete or ended, with the number TUS_BOOT of this process.
--
-- What is complete and has "move" in its metadata is moved to the folder TUS_MOVED, as an app would.

local weir = require "weir"
local app = weir.app()

local function set(name) return (assert(os.getenv(name), name .. " is not in the environment")) end

local root, moved, ledger, boot = set "TUS_ROOT", set "TUS_MOVED", set "TUS_LEDGER", tonumber(set "TUS_BOOT")

local function note(what, upload, path)
  local line = weir.json.encode {
    what = what, boot = boot, id = upload.id, kind = upload.kind, size = upload.size, offset = upload.offset,
    metadata = upload.metadata, path = path,
  }
  assert(weir.fs.append(ledger, line .. "\n"))
end

-- It is called again where the process was killed in it, unless the file has gone: so that goes last.
local function keep(upload)
  local path = upload.metadata.move and moved .. "/" .. upload.id or upload.path
  note("complete", upload, path)
  if path ~= upload.path then assert(weir.fs.rename(upload.path, path)) end
end

app:use("/files", weir.cors { origins = { "https://app.example" }, tus = true })
app:mount("/files", weir.tus {
  root = root,
  max_size = "64MB",
  expires = "24h",
  on_create = function(upload)
    if upload.metadata.name == "refused" then weir.fail(403, "no such uploads here") end
    note("create", upload)
  end,
  on_complete = keep,
  on_terminate = function(upload) note("end", upload) end,
})

return app
