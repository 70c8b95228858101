-- The app of tus.test.mjs: uploads to the folder that the environment names, and how often each was complete.

local weir = require "weir"
local app = weir.app()
local root = assert(os.getenv "TUS_ROOT", "TUS_ROOT is not in the environment")

app:use("/", weir.cors { origins = "*", tus = true })
app:mount("/files", weir.tus {
  root = root,
  max_size = os.getenv "TUS_MOST",
  on_create = function(upload)
    if upload.metadata.filename == "refused" then weir.fail(422, "not that one") end
  end,
  on_complete = function(upload)
    weir.fs.append(root .. "/done", upload.id .. " " .. (upload.metadata.filename or "") .. "\n")
  end,
})

return app
