-- progress: what is said of an upload while it runs: by events to who watches, by lines to who sends it.
--
--   received, processed --noted, 10 times a second--> the upload's topic, keyed: who is behind gets the newest only
--                                               `---> data: {"stage","progress","message"}     for each percent
--   result, fail -----------------------------------> result: {…}, error: {…}
--
-- A client that reads nothing until it has sent all must not stall, nor be taken for dead. So until the body is whole
-- at most BUDGET bytes are written, and as much again at a bad end, which sockets and the server hold by themselves:
-- progress beyond it is dropped, a result waits for the end, and lines tell of nothing but the body. None is written in
-- the first INTERVAL, so that what fails soon has a status of its own. By a proxy none is written until the body is
-- whole: when an answer has begun nginx does not go on with a body for which it once had to wait
-- (tests/nginx/README.md).

local weir = require "weir"
local files = require "upload.files"
local names = require "upload.names"
local came_by_proxy = require "upload.proxy"

local Progress = {}
Progress.__index = Progress

local INTERVAL = 0.1 -- seconds
local BUDGET = 16384 -- bytes; a hundred lines of progress, and some results
local NAME = 40 -- bytes of a name that a line has
local GROWTH = 1.15 -- of what has come, from line to line, where nobody knows the whole: some hundred up to a terabyte

local UNITS = { "bytes", "KB", "MB", "GB", "TB" }

local function shown_size(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #UNITS do bytes, unit = bytes / 1024, unit + 1 end
  return (unit == 1 and "%.0f %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

-- The end of a path, cut at a letter's border where it is long.
local function shown_name(path)
  local name = names.last(path)
  local cut = names.cut(name, NAME)
  return cut == name and name or cut .. "…"
end

-- How much has come of the file `name`: in percent, if that is known, and in words.
local function describe(name, received, total)
  local so_far = ("%s: %s"):format(shown_name(name), shown_size(received))
  if not total then return nil, so_far end
  return total > 0 and received * 100 / total or nil, ("%s of %s"):format(so_far, shown_size(total))
end

local progress = {}

--- Of an upload { id } that `stream` sends, `total` bytes if they are known.
function progress.new(stream, id, total)
  return setmetatable({
    stream = stream, id = id, total = total, left = came_by_proxy(stream) and 0 or BUDGET, waiting = {}, line_at = -1,
  }, Progress)
end

--- What is told of an upload, as it is published.
function progress.state(id, stage, name, received, total)
  local percent, message = describe(name, received, total)
  return {
    id = id, stage = stage, progress = percent and math.floor(percent), message = message, received = received,
    total = total,
  }
end

--- Tells that to all who watch: the event's id.
function progress.publish(state)
  return (weir.publish(files.run_topic(state.id), { event = "upload.progress", key = state.id, data = state }))
end

-- ---- lines ----------------------------------------------------------------------------------------------------------

local function begin(self)
  if self.begun then return end
  self.stream:status(200) -- whatever saving said of a later file
  self.stream:header("Content-Type", "text/event-stream")
  self.stream:header("Cache-Control", "no-cache, no-transform")
  self.begun = true
end

-- Whether it was written: not where the body is still to come and there is no room.
local function write(self, line)
  if not self.whole and #line > self.left then return false end
  begin(self)
  self.left = self.left - #line
  self.stream:write(line)
  return true
end

local function line_of(name, value) return ("%s: %s\n\n"):format(name, weir.json.encode(value)) end

-- ---- progress -------------------------------------------------------------------------------------------------------

-- Of two lines the second is worth it when it tells another percent, or, of what nobody knows, a good deal more.
local function is_news(self, now)
  if now.stage ~= "receiving" and not self.whole then return false end
  if now.stage ~= self.line_stage then return true end
  if now.progress then return now.progress > self.line_at end
  return now.received >= self.line_at * GROWTH
end

local function tell(self)
  local now = self.now
  if not now then return end
  self.now = nil
  progress.publish(now)
  if not is_news(self, now) then return end
  local data = { stage = now.stage, progress = now.progress or weir.json.null, message = now.message }
  if write(self, line_of("data", data)) then self.line_stage, self.line_at = now.stage, now.progress or now.received end
end

--- Tells what is noted, as long as it is let.
function Progress:run()
  while true do
    weir.sleep(INTERVAL)
    tell(self)
  end
end

local function note(self, stage, percent, message)
  self.now = {
    id = self.id, stage = stage, progress = percent and math.floor(percent), message = message,
    received = self.stream.received, total = self.total,
  }
end

--- What has come of the body, of which the file `name` is being written.
function Progress:received(name)
  note(self, "receiving", describe(name, self.stream.received, self.total))
end

--- What is done to a file that has come: `part` of 1, if that is known.
function Progress:processed(stage, name, part, message)
  note(self, stage, part and math.max(0, math.min(part, 1)) * 100, message or shown_name(name))
end

--- The body is whole: its sender reads from now on.
function Progress:all_is_here() self.whole = true end

-- ---- ends -----------------------------------------------------------------------------------------------------------

--- A file that is kept.
function Progress:result(result)
  local line = line_of("result", result)
  if #self.waiting > 0 or not (self.begun and write(self, line)) then self.waiting[#self.waiting + 1] = line end
end

local function write_waiting(self)
  for _, line in ipairs(self.waiting) do write(self, line) end
end

--- The end, when the body is whole: what has waited.
function Progress:finish()
  self:all_is_here()
  write_waiting(self)
end

--- The end, with an error { status, body = { message, errorCode } }: as a line, or as the answer if nothing was said.
--- Who still sends may not read: of the results that have waited those are told that have room.
function Progress:fail(failure)
  if not self.begun and #self.waiting == 0 then weir.fail(failure.status, failure.body) end
  self.left = BUDGET
  write_waiting(self)
  self:all_is_here()
  write(self, line_of("error", failure.body))
end

return progress
