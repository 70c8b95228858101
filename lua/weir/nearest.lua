-- nearest: which of the names that are known somebody may have meant.
--
-- The distance is the number of letters to add, leave out, replace or swap with their neighbour. A third of the name
-- may be wrong, and two letters at most: beyond that a guess misleads.

local MOST = 2

-- The least number of edits between two strings, by rows of the usual table; `before` is the row above the last.
local function distance(one, other)
  local before, last = nil, {}
  for j = 0, #other do last[j] = j end
  for i = 1, #one do
    local row = { [0] = i }
    for j = 1, #other do
      local same = one:byte(i) == other:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if before and j > 1 and one:byte(i) == other:byte(j - 1) and one:byte(i - 1) == other:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last = last, row
  end
  return last[#other]
end

--- The name in `known` that is nearest to `given`, the first of several; nil when none is near.
return function(given, known)
  if type(given) ~= "string" or #given > 40 then return nil end
  local found, least = nil, math.min(MOST, math.floor(#given / 3)) + 1
  for _, name in ipairs(known) do
    local edits = distance(given:lower(), name)
    if edits < least then found, least = name, edits end
  end
  return found
end
