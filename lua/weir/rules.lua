-- rules: which lines of a log are wanted, as a script says it, made to what the core takes.

local check = require "weir.check"

local RULE = { "text", "level", "field", "is", "pattern", "case" }

-- A rule as the core takes it: { kind, exclude, cased, text, value }. Blames the caller of the function that was given
-- the options.
local function rule(name, what, given, exclude)
  if type(given) == "string" then given = { text = given } end
  if type(given) ~= "table" then check.bad(name, what, given, "a list of texts and tables", 5) end
  given = check.options(name, given, RULE, 5)
  local kind, text, named = nil, nil, 0
  for i, key in ipairs { "text", "level", "field", "pattern" } do
    if given[key] ~= nil then
      kind, text, named = i - 1, given[key], named + 1
      if type(text) ~= "string" then check.bad(name, key .. " in " .. what, text, "a string", 5) end
    end
  end
  if named ~= 1 then
    error(("%s: a rule in %s has one of text, level, field and pattern"):format(name, what), 5)
  end
  local value = given.is
  if given.field and type(value) ~= "string" then check.bad(name, "is in " .. what, value, "a string", 5) end
  if value and not given.field then check.bad(name, "is in " .. what, value, "beside field", 5) end
  if given.case ~= nil then check.boolean(name, "case in " .. what, given.case, 5) end
  return { kind, exclude, given.case == true, text, value }
end

local function add(rules, name, what, given, exclude)
  if given == nil then return rules end
  if type(given) ~= "table" or given[1] == nil and next(given) ~= nil then given = { given } end
  rules = rules or {}
  for _, one in ipairs(given) do rules[#rules + 1] = rule(name, what, one, exclude) end
  return rules
end

--- The rules in the options of the function `name`, whose caller is blamed; nil: there are none.
return function(name, options)
  local rules = add(nil, name, "include", options.include, false)
  rules = add(rules, name, "exclude", options.exclude, true)
  return rules
end
