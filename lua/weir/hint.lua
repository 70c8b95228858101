-- hint: the remedy for errors that are Lua's own: "attempt to call method 'jsn' (a nil value)" says what and where, but
-- not that there is a stream:json. Only texts for people pass through here (log, page, `weir check`), never an error
-- that a script catches.

local core = require "weir.core"
local nearest = require "weir.nearest"

-- ---- what there is --------------------------------------------------------------------------------------------------

local METHODS = { -- of objects whose tables are not at hand
  sse = { "send", "comment", "subscribe", "unsubscribe", "flush", "close" },
  sub = { "next", "events", "close" },
  store = { "get", "set", "delete", "each", "update" },
}

-- A list of bare names, and the full name of each; of two with the same name the first counts.
local function new_catalog()
  local catalog = { names = {}, full = {} }
  function catalog.add(prefix, name)
    if type(name) ~= "string" or name:sub(1, 1) == "_" or catalog.full[name] then return end
    catalog.names[#catalog.names + 1] = name
    catalog.full[name] = prefix .. name
  end
  return catalog
end

local function add_keys(catalog, prefix, values, kind)
  local names = {}
  for name, value in pairs(values) do
    if type(name) == "string" and (not kind or type(value) == kind) then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do catalog.add(prefix, name) end
end

local function methods()
  local catalog = new_catalog()
  add_keys(catalog, "stream:", core.stream_methods, "function")
  add_keys(catalog, "app:", getmetatable(require("weir.app").new()).__index, "function")
  for _, object in ipairs { "sse", "sub", "store" } do
    for _, name in ipairs(METHODS[object]) do catalog.add(object .. ":", name) end
  end
  for _, object in ipairs { "task", "channel", "shared" } do
    add_keys(catalog, object .. ":", core[object .. "_methods"], "function")
  end
  return catalog
end

local function functions()
  local catalog, weir = new_catalog(), require "weir"
  add_keys(catalog, "weir.", weir)
  for _, part in ipairs { "fs", "json", "jwt", "log", "hex", "base64", "base64url" } do
    add_keys(catalog, ("weir.%s."):format(part), weir[part])
  end
  for _, library in ipairs { "string", "table", "math", "os", "io" } do
    add_keys(catalog, library .. ".", _G[library])
  end
  return catalog
end

local function properties()
  local catalog = new_catalog()
  catalog.add("stream.", "claims") -- the script's own, but named
  add_keys(catalog, "stream.", core.stream_properties)
  return catalog
end

local function globals()
  local catalog = new_catalog()
  add_keys(catalog, "", _G)
  for _, name in ipairs { "weir", "app", "stream" } do catalog.add("", name) end
  return catalog
end

-- ---- the remedy -----------------------------------------------------------------------------------------------------

local function meant(catalog, name)
  local found = nearest(name, catalog.names)
  return found and ("did you mean %s?"):format(catalog.full[found])
end

local function of_global(name)
  if name == "weir" then return 'begin the file with: local weir = require "weir"' end
  return meant(globals(), name) or "is its name right, and is it set above this line?"
end

-- What was attempted, on what kind of variable, of which name and type.
local function remedy(attempt, kind, name, what)
  if what == "function" and attempt == "index" then
    return ("it is a function; call it: %s(...)"):format(name)
  elseif what ~= "nil" then
    return nil
  elseif kind == "global" then
    return of_global(name)
  elseif kind == "method" then
    return meant(methods(), name)
  elseif kind == "field" and attempt == "call" then
    return meant(functions(), name)
  elseif kind == "field" then
    return meant(properties(), name)
  elseif name == "stream" then
    return "a handler gets its stream from the server; give the function itself to the route, without () behind it"
  end
end

--- The message, with a remedy behind its first line if there is one.
return function(message)
  local first, rest = message:match "^([^\n]*)(.*)$"
  local attempt, kind, name, what = first:match "attempt to (%a+) (%a+) '([%w_]+)' %(an? (%a+) value%)$"
  local text = attempt and remedy(attempt, kind, name, what)
  return text and ("%s; %s%s"):format(first, text, rest) or message
end
