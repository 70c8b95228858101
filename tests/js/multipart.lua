-- The app of multipart.test.mjs: what the forms that it is sent have in them.

local weir = require "weir"
local app = weir.app()

app:post("/parts", function(stream)
  local list = weir.json.array {}
  for part in stream:parts { field_bytes = "10MB" } do
    list[#list + 1] = {
      name = weir.base64.encode(part.name), filename = part.filename, type = part.type,
      body = weir.base64.encode(part:body("10MB")),
    }
  end
  return list
end)

app:post("/form", function(stream)
  local fields = {}
  for name, value in pairs(stream:form()) do fields[weir.base64.encode(name)] = weir.base64.encode(value) end
  return fields
end)

return app
