-- Resumable uploads to the uploads of --data.
local weir = require "weir"
local app = weir.app()

app:mount("/files", weir.tus {})

return app
