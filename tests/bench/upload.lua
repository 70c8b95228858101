-- Saves each body below the uploads of --data, under the name that is its path: /hash/NAME with its SHA-256, of
-- /form/NAME the file in it.
local weir = require "weir"
local app = weir.app()

app:post("/:name", function(stream)
  return assert(stream:save(stream.params.name)) and "ok"
end)

app:post("/hash/:name", function(stream)
  local _, digest = assert(stream:save(stream.params.name, { hash = "sha256" }))
  return digest
end)

app:post("/form/:name", function(stream)
  for part in stream:parts() do assert(part:save(stream.params.name)) end
  return "ok"
end)

return app
