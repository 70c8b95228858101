-- exposition: what the text of weir.metrics says, as numbers.
--
--   # TYPE name histogram
--   name_bucket{route="/a",le="0.01"} 7       all series of a metric stand behind its TYPE, up to the next comment
--
-- Only the blocks that are asked for are looked at: a server with many routes has thousands of lines. Routes may hold
-- any character but a line end; `le` is always the last label.

local exposition = {}

-- No route has it: a quotation mark in one stands behind a backslash. To look for it alone costs a fourth of what it
-- costs to take each line apart.
local LE = 'le="'

-- The lines of a metric, or nothing.
local function lines(text, name)
  local type_at = text:find("# TYPE " .. name .. " ", 1, true)
  local from = type_at and text:find("\n", type_at, true)
  if not from then return "" end
  return text:sub(from, (text:find("\n#", from, true)))
end

--- The sum of the series of a metric, of those whose line has `part` if that is given; nil where there are none.
function exposition.sum(text, name, part)
  local sum
  local block, at = lines(text, name), 1
  while true do
    local found = block:find(part or " ", at, true)
    if not found then return sum end
    local value, behind = block:match("(%S+)()\n", found + 1)
    sum, at = (sum or 0) + (tonumber(value) or 0), behind
  end
end

--- The values of a metric by the text of their last label.
function exposition.each(text, name)
  local values = {}
  for label, value in lines(text, name):gmatch '="([^"\n]*)"} (%S+)' do values[label] = tonumber(value) end
  return values
end

--- A histogram, all its series together: how many were at most `le`, by `le`, which math.huge ends.
function exposition.histogram(text, name)
  local counts, block, at = {}, lines(text, name), 1
  while true do
    local _, label = block:find(LE, at, true)
    if not label then return counts end
    local le, count, behind = block:match('^([^"]*)"} (%S+)()', label + 1)
    le = le == "+Inf" and math.huge or tonumber(le)
    counts[le] = (counts[le] or 0) + tonumber(count)
    at = behind
  end
end

-- What a histogram counted between two of its states, as a list in the order of `le`; nil where it began anew, or has
-- counted nothing.
local function counted(before, now)
  local list = {}
  for le, count in pairs(now) do list[#list + 1] = { le = le, count = count - (before[le] or 0) } end
  table.sort(list, function(one, other) return one.le < other.le end)
  for _, bucket in ipairs(list) do
    if bucket.count < 0 then return nil end
  end
  return #list > 0 and list[#list].count > 0 and list or nil
end

--- The value that a share of what was counted between two states is at most, as exactly as the buckets tell: evenly
--- spread within one, and what is beyond the last has its bound. Nil where nothing was counted.
function exposition.quantile(before, now, share)
  local list = counted(before, now)
  if not list then return nil end
  local wanted, below, beneath = share * list[#list].count, 0, 0
  for _, bucket in ipairs(list) do
    if bucket.count >= wanted and bucket.count > below then
      if bucket.le == math.huge then return beneath end
      return beneath + (bucket.le - beneath) * (wanted - below) / (bucket.count - below)
    end
    below, beneath = bucket.count, bucket.le
  end
end

return exposition
