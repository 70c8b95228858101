-- fields: what may stand in an object that somebody sent, and what is wrong with it.
--
-- A kind is a function of a value: nil, or what the value must be, and where in it ("[2].url"). Objects and lists are
-- kinds made of others, so one look finds the first field that is wrong, at any depth, and names it.

local fields = {}

-- ---- kinds ----------------------------------------------------------------------------------------------------------

local TURNS = "\226\128[\168-\174]" -- separators of lines, and what turns the direction of text (U+2028 to U+202E)

--- A text of one line, not just spaces.
function fields.line(most)
  local wanted = ("a text of 1 to %d bytes in one line"):format(most)
  return function(value)
    local good = type(value) == "string" and #value <= most and value:find "%S" and not value:find "%c"
      and not value:find(TURNS)
    return not good and wanted or nil
  end
end

--- A text that matches a pattern.
function fields.match(pattern, most, wanted)
  return function(value)
    local good = type(value) == "string" and #value <= most and value:find(pattern)
    return not good and wanted or nil
  end
end

--- A whole number.
function fields.whole(least, most)
  local wanted = ("a whole number, %.0f to %.0f"):format(least, most)
  return function(value)
    local good = type(value) == "number" and value % 1 == 0 and value >= least and value <= most
    return not good and wanted or nil
  end
end

--- A Unix time in seconds.
function fields.time(value)
  return not (type(value) == "number" and value > 0 and value < 1e11) and "a Unix time in seconds" or nil
end

--- True or false.
function fields.boolean(value)
  return type(value) ~= "boolean" and "true or false" or nil
end

--- A text, a number, true or false.
function fields.scalar(value)
  local kind = type(value)
  return kind ~= "string" and kind ~= "number" and kind ~= "boolean" and "a text, a number, true or false" or nil
end

--- One of these words.
function fields.one_of(words)
  local set, wanted = {}, "one of " .. table.concat(words, ", ")
  for _, word in ipairs(words) do set[word] = true end
  return function(value) return not set[value] and wanted or nil end
end

local function count(value)
  local n = 0
  for _ in pairs(value) do n = n + 1 end
  return n
end

--- Several of a kind.
function fields.list(kind, least, most)
  local size = ("a list of %d to %d"):format(least, most)
  return function(value)
    if type(value) ~= "table" or count(value) ~= #value or #value < least or #value > most then return size end
    for i, one in ipairs(value) do
      local wanted, within = kind(one)
      if wanted then return wanted, ("[%d]%s"):format(i - 1, within or "") end
    end
  end
end

--- Pairs of two kinds.
function fields.map(key_kind, kind, most)
  local size = ("an object of at most %d"):format(most)
  return function(value)
    if type(value) ~= "table" or count(value) > most then return size end
    for key, one in pairs(value) do
      local wanted = key_kind(key)
      if wanted then return "named by " .. wanted, ".(name)" end
      wanted = kind(one)
      if wanted then return wanted, "." .. key end
    end
  end
end

local ABSENT, UNKNOWN = "there", "left out, there is no such field"

--- An object: `known` are the kinds of its fields, `needed` the names of those that must be there.
function fields.object(known, needed)
  return function(value)
    if type(value) ~= "table" or #value > 0 then return "a JSON object" end
    for _, name in ipairs(needed or {}) do
      if value[name] == nil then return ABSENT, "." .. name end
    end
    for name, one in pairs(value) do
      if not known[name] then return UNKNOWN, "." .. tostring(name) end
      local wanted, within = known[name](one)
      if wanted then return wanted, "." .. name .. (within or "") end
    end
  end
end

--- An object whose fields go by what its `type` is.
function fields.variants(kinds)
  local names = {}
  for name in pairs(kinds) do names[#names + 1] = name end
  table.sort(names)
  local kind_of_type = fields.one_of(names)
  return function(value)
    if type(value) ~= "table" then return "a JSON object" end
    local wanted = kind_of_type(value.type)
    if wanted then return wanted, ".type" end
    return kinds[value.type](value)
  end
end

-- ---- what is wrong --------------------------------------------------------------------------------------------------

--- That `field` must be `wanted`, as an answer.
function fields.problem(field, wanted)
  return { field = field, error = ("%s must be %s"):format(field, wanted) }
end

--- What is wrong with a value of that kind, { field, error }; nil: nothing.
function fields.check(kind, value)
  local wanted, within = kind(value)
  if wanted then return fields.problem(within and within:gsub("^%.", "") or "the body", wanted) end
end

return fields
