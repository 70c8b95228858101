-- log: lines from scripts in the server's log.
--
--   weir.log.warn("slow query", { ms = 320, user = "Ann Lee" })
--   2026-11-20T12:34:56.789Z warn  slow query ms=320 user="Ann Lee"
--
-- The core writes it, drops what is below the level, and escapes control characters, so that nothing a peer sent can
-- forge a line. Here the fields become text: sorted by name, quoted where a reader could not tell their end; and line
-- ends are escaped, which the core leaves in for the sake of tracebacks.

local core = require "weir.core"
local check = require "weir.check"

local log = {}

local LINE_ENDS = { ["\r"] = "\\r", ["\n"] = "\\n" }

local function shown(value)
  local text = tostring(value)
  if text ~= "" and not text:find('[%s%c="\\]') then return text end
  return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

local function fields_text(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = tostring(name) end
  table.sort(names)
  local by_name = {}
  for name, value in pairs(fields) do by_name[tostring(name)] = value end
  for i, name in ipairs(names) do names[i] = " " .. name .. "=" .. shown(by_name[name]) end
  return table.concat(names)
end

for _, level in ipairs { "debug", "info", "warn", "error" } do
  --- Writes one line: the message, then the fields as name=value.
  log[level] = function(message, fields)
    message = tostring(message)
    if fields ~= nil then
      if type(fields) ~= "table" then
        check.bad("weir.log." .. level, "argument 2 (fields)", fields, "a table of names and values")
      end
      message = message .. fields_text(fields)
    end
    core.log(level, (message:gsub("[\r\n]", LINE_ENDS)))
  end
end

return log
