-- cors: middleware that lets pages of other origins read an app's answers (the Fetch standard, section 3.2).
--
--   a page of https://a.example --GET, Origin: https://a.example--> Access-Control-Allow-Origin: https://a.example
--                               --OPTIONS, asking for PUT---------> 204, what is allowed: a preflight
--
-- Nothing is sent to origins that are not named, and nothing at all without this middleware. What it sets is lasting:
-- answers to errors have it too, since a page could not read them otherwise. Answers that depend on the origin say so
-- with Vary, whether or not the request named one. A preflight is answered here and goes no further.

local check = require "weir.check"
local tus_fields = require "weir.tus_fields"

local METHODS = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }
local ORIGINS = 'a list of origins like "https://a.example", or "*"'
local HEADERS = { "Authorization", "Content-Type", "Last-Event-ID" }

-- A string, or a list of them that are tokens, as a list in a field.
local function tokens(what, value, default)
  if value == nil then value = default end
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" then check.bad("weir.cors", what, value, "a list of names", 4) end
  for _, name in ipairs(value) do
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
      check.bad("weir.cors", "a name in " .. what, name, "a string like those in HTTP, without spaces", 4)
    end
  end
  return table.concat(value, ", ")
end

-- A list in a field, and behind it more names.
local function with(list, names)
  if not names then return list end
  return (list == "" and "" or list .. ", ") .. table.concat(names, ", ")
end

-- The origins as a set; true: any.
local function origins_of(value)
  if value == "*" then return true end
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" or #value == 0 then
    check.bad("weir.cors", "origins", value, ORIGINS, 4)
  end
  local set = {}
  for _, origin in ipairs(value) do
    if origin == "*" then return true end
    if type(origin) ~= "string" or not (origin == "null" or origin:find "^%l[%l%d+.-]*://[^/%s%u?#]+$") then
      check.bad("weir.cors", "an origin", origin,
        'as browsers send it, lower case: scheme, host and port, "https://a.example:8443", without a slash behind', 4)
    end
    set[origin] = true
  end
  return set
end

-- nil where `weir check` goes on without origins.
local function settings_of(options)
  options = check.options("weir.cors", options,
    { "origins", "methods", "headers", "credentials", "expose", "max_age", "tus" }, 3)
  if options.origins == nil then
    check.mistake(check.expected("weir.cors", "origins", nil, ORIGINS), 3)
    return nil
  end
  local credentials, max_age = options.credentials, options.max_age
  if credentials ~= nil then check.boolean("weir.cors", "credentials", credentials, 3) end
  if max_age ~= nil then check.seconds("weir.cors", "max_age", max_age, 3) end
  if options.tus ~= nil then check.boolean("weir.cors", "tus", options.tus, 3) end
  local settings = {
    origins = origins_of(options.origins),
    credentials = credentials,
    methods = tokens("methods", options.methods, METHODS),
    headers = with(tokens("headers", options.headers, HEADERS), options.tus and tus_fields.REQUEST),
    expose = with(tokens("expose", options.expose, {}), options.tus and tus_fields.ANSWER),
    max_age = ("%.0f"):format(max_age or 600),
  }
  if settings.origins == true and credentials then
    error('weir.cors: origins = "*" with credentials would let every page act for its visitors; name the origins', 3)
  end
  if settings.origins ~= true and settings.origins.null and credentials then
    error('weir.cors: the origin "null" with credentials: every page can have that origin in a frame; leave it out', 3)
  end
  return settings
end

local function answer_preflight(stream, settings)
  stream:_lasting("Access-Control-Allow-Methods", settings.methods)
  if settings.headers ~= "" then stream:_lasting("Access-Control-Allow-Headers", settings.headers) end
  stream:_lasting("Access-Control-Max-Age", settings.max_age)
  stream:status(204)
  stream:finish()
end

--- Middleware that lets pages of the named `origins` read what the app answers.
return function(options)
  local settings = settings_of(options)
  if not settings then return function(_, next) return next() end end
  local any = settings.origins == true

  return function(stream, next)
    local origin = stream.headers.origin
    if not any then stream:_lasting("Vary", "Origin") end
    if not origin or not (any or settings.origins[origin]) then return next() end
    stream:_lasting("Access-Control-Allow-Origin", any and "*" or origin)
    if settings.credentials then stream:_lasting("Access-Control-Allow-Credentials", "true") end
    if stream.method == "OPTIONS" and stream.headers["access-control-request-method"] then
      return answer_preflight(stream, settings)
    end
    if settings.expose ~= "" then stream:_lasting("Access-Control-Expose-Headers", settings.expose) end
    return next()
  end
end
