-- encoded: a value that a function was given, as JSON: what JSON cannot say is a mistake of who gave it.

local json = require "weir.json"

--- The JSON of a value. What cannot be is raised in the name of the function `name`, at `level`, as `error` counts from
--- who calls this; 0: at nobody's line.
return function(name, value, level)
  local ok, text = pcall(json.encode, value)
  if not ok then error(name .. ": " .. tostring(text), level > 0 and level + 1 or 0) end
  return text
end
