-- rule: whether lines come so often that somebody should know.
--
--   watching --`count` lines within `window`--> raised; then cooling, for `cooldown`
--      ^                                                                    |
--      `--------------------------------------------------------------------'
--
-- It is given the lines that its filters let through, each with its time. A line counts towards one alert: what has
-- raised one is forgotten. What comes while it cools counts as ever, so that a storm which goes on raises the next one
-- as soon as it may.
--
-- Pure: no clock, no topics. Its times are those it is given, live ones or those of lines that are long over.

local rule = {}

local SHOWN = 1000 -- bytes of a line that an alert shows

--- One that has seen nothing. `settings` are those of an alert.
function rule.new(settings)
  return { settings = settings, lines = {}, first = 1, last = 0, at = 0, cool_at = 0, matched = 0, raised = 0 }
end

local function forget_first(self)
  self.lines[self.first] = nil
  self.first = self.first + 1
end

local function forget_all(self)
  self.lines, self.first, self.last = {}, 1, 0
end

--- How many lines count at a time.
function rule.counted(self, at)
  while self.first <= self.last and at - self.lines[self.first].at > self.settings.window_seconds do
    forget_first(self)
  end
  return self.last - self.first + 1
end

--- Whether an alert would be held back at a time.
function rule.is_cooling(self, at)
  return at < self.cool_at
end

--- A text of at most so many bytes, cut between characters.
function rule.cut(text, size)
  if #text <= size then return text end
  while text:find("^[\128-\191]", size + 1) do size = size - 1 end
  return text:sub(1, size) .. "…"
end

-- What is told of a line.
local function shown(line)
  return { id = line.id, t = line.t, level = line.level, line = rule.cut(line.line, SHOWN) }
end

local function raise(self, at)
  local settings, matched = self.settings, self.matched - (self.matched_before or 0)
  local told = {
    rule = settings.name, level = settings.level, text = settings.text, to = settings.to, at = at,
    count = settings.count, window = settings.window_seconds, matched = matched,
    first = self.lines[self.first].line, last = self.lines[self.last].line,
  }
  forget_all(self)
  self.matched_before, self.raised, self.cool_at = self.matched, self.raised + 1, at + settings.cooldown_seconds
  return told
end

--- Counts a line { id, t, level, line } that came at a time: what is to be told, where that is the one too many.
function rule.add(self, line, at)
  self.at = math.max(self.at, at) -- lines that are merged may tell times that go back
  self.matched, self.last = self.matched + 1, self.last + 1
  self.lines[self.last] = { at = self.at, line = shown(line) }
  if rule.counted(self, self.at) > self.settings.count then forget_first(self) end
  if rule.counted(self, self.at) < self.settings.count or rule.is_cooling(self, self.at) then return nil end
  return raise(self, self.at)
end

return rule
