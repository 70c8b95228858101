-- kinds: what may stand in a JSON value that somebody wrote by hand, and what is wrong with it.
--
-- A kind is a function of a value: nil, or what the value must be, and where in it (".path", "[2].name"). Lists and
-- objects are kinds made of others, so one look finds the first thing that is wrong, at any depth, and names its place.

local kinds = {}

--- A text of 1 to `most` bytes in one line, which fits `pattern` if there is one; `wanted` says what it must be.
function kinds.text(most, pattern, wanted)
  wanted = wanted or ("a text of 1 to %d bytes in one line"):format(most)
  return function(value)
    local good = type(value) == "string" and #value <= most and value:find "%S" and not value:find "%c"
      and value:find(pattern or "")
    return not good and wanted or nil
  end
end

--- A whole number.
function kinds.whole(least, most)
  local wanted = ("a whole number, %d to %d"):format(least, most)
  return function(value)
    local good = type(value) == "number" and value % 1 == 0 and value >= least and value <= most
    return not good and wanted or nil
  end
end

--- A value that is true or false.
function kinds.boolean(value)
  return type(value) ~= "boolean" and "true or false" or nil
end

--- One of these words.
function kinds.one_of(words)
  local wanted = "one of " .. table.concat(words, ", ")
  return function(value)
    for _, word in ipairs(words) do
      if value == word then return nil end
    end
    return wanted
  end
end

--- What one of several is; `wanted` says it of all.
function kinds.either(wanted, ...)
  local choices = { ... }
  return function(value)
    for _, kind in ipairs(choices) do
      if not kind(value) then return nil end
    end
    if type(value) == "table" then return choices[#choices](value) end -- the place within is worth more
    return wanted
  end
end

local function count(value)
  local n = 0
  for _ in pairs(value) do n = n + 1 end
  return n
end

--- Several of a kind.
function kinds.list(kind, least, most)
  local size = ("a list of %d to %d"):format(least, most)
  return function(value)
    if type(value) ~= "table" or count(value) ~= #value or #value < least or #value > most then return size end
    for i, one in ipairs(value) do
      local wanted, within = kind(one)
      if wanted then return wanted, ("[%d]%s"):format(i - 1, within or "") end
    end
  end
end

--- An object of at most so many pairs.
function kinds.map(key_kind, kind, most)
  local size = ("an object of at most %d"):format(most)
  return function(value)
    if type(value) ~= "table" or #value > 0 or count(value) > most then return size end
    for key, one in pairs(value) do
      local wanted = key_kind(key)
      if wanted then return "named by " .. wanted, "." .. key:sub(1, 40) end
      wanted = kind(one)
      if wanted then return wanted, "." .. key end
    end
  end
end

--- An object: `known` are the kinds of its fields, `needed` the names of those that must be there.
function kinds.object(known, needed)
  return function(value)
    if type(value) ~= "table" or #value > 0 then return "an object" end
    for _, name in ipairs(needed or {}) do
      if value[name] == nil then return "there", "." .. name end
    end
    for name, one in pairs(value) do
      if not known[name] then return "left out: there is no such field", "." .. name:sub(1, 40) end
      local wanted, within = known[name](one)
      if wanted then return wanted, "." .. name .. (within or "") end
    end
  end
end

--- What is wrong with a value of that kind, "sources[0].path must be …"; nil: nothing.
function kinds.check(kind, value, whole)
  local wanted, within = kind(value)
  return wanted and ("%s must be %s"):format(within and within:gsub("^%.", "") or whole, wanted) or nil
end

return kinds
