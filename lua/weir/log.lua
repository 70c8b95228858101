-- log: lines from scripts in the server's log.
--
--   weir.log.warn("slow query", { ms = 320, user = "Ann Lee" })
--   2026-11-20T12:34:56.789Z warn  slow query ms=320 user="Ann Lee"
--
-- The core writes it, drops what is below the level, and escapes control characters, so that nothing a peer sent can
-- forge a line. Where lines are text the fields become text here: sorted by name, quoted where a reader could not tell
-- their end; and line ends are escaped, which the core leaves in for the sake of tracebacks. Where lines are JSON the
-- fields are an object beside the message.

local core = require "weir.core"
local check = require "weir.check"

local log = {}

local LINE_ENDS = { ["\r"] = "\\r", ["\n"] = "\\n" }

local function shown(value)
  local text = tostring(value)
  if text ~= "" and not text:find('[%s%c="\\]') then return text end
  return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

-- The names as strings, sorted, and the values by them.
local function sorted(fields)
  local names, by_name = {}, {}
  for name, value in pairs(fields) do
    name = tostring(name)
    if by_name[name] == nil then names[#names + 1] = name end
    by_name[name] = value
  end
  table.sort(names)
  return names, by_name
end

local function fields_text(fields)
  local names, by_name = sorted(fields)
  for i, name in ipairs(names) do names[i] = " " .. name .. "=" .. shown(by_name[name]) end
  return table.concat(names)
end

local PLAIN = { number = true, boolean = true, string = true }

local function fields_list(fields)
  local names, by_name = sorted(fields)
  local list = {}
  for _, name in ipairs(names) do
    local value = by_name[name]
    if not PLAIN[type(value)] then value = tostring(value) end
    list[#list + 1] = name
    list[#list + 1] = value
  end
  return list
end

for _, level in ipairs { "debug", "info", "warn", "error" } do
  --- Writes one line: the message, then the fields as name=value.
  log[level] = function(message, fields)
    message = tostring(message)
    if fields ~= nil then
      if type(fields) ~= "table" then
        check.bad("weir.log." .. level, "argument 2 (fields)", fields, "a table of names and values")
      end
    end
    local told, json = core.log_form(level)
    if not told then return end
    if json then
      core.log(level, message, fields and fields_list(fields))
    else
      if fields then message = message .. fields_text(fields) end
      core.log(level, (message:gsub("[\r\n]", LINE_ENDS)))
    end
  end
end

return log
