-- machine: what the machine is at, from /proc.
--
--   stat, meminfo, loadavg, diskstats, net/dev --> counters and states of one moment
--
-- Counters are since the machine started; what has become of them within a second, figures.lua knows. What cannot be
-- read, in a container say, is not there, and nothing else is the worse for it.

local weir = require "weir"

local machine = {}

-- Whole disks: their partitions would count twice, and what lies on top of them (dm-0, md0, loop0) too.
local disks = { "^[shv]d%a+$", "^xvd%a+$", "^nvme%d+n%d+$", "^mmcblk%d+$" }

-- Interfaces whose traffic never leaves the machine, or passes another one too.
local inner = { "^lo$", "^veth", "^docker", "^br%-", "^virbr", "^ifb" }

local SECTOR = 512 -- bytes, in diskstats, whatever the disk's own are

local function fits(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
end

-- ---- files ----------------------------------------------------------------------------------------------------------

local parse = {}

-- Ticks of all processors: busy ones, and all. Those for guests are in the first two already.
function parse.stat(text, into)
  local user, nice, system, idle, waiting, irq, soft, stolen =
    text:match "^cpu +(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)"
  if not user then return end
  into.busy = user + nice + system + irq + soft + stolen
  into.ticks = into.busy + idle + waiting
  into.cores = select(2, text:gsub("\ncpu%d", ""))
end

function parse.meminfo(text, into)
  local total, available = text:match "MemTotal: +(%d+) kB", text:match "MemAvailable: +(%d+) kB"
  if total and available then into.memory, into.available = total * 1024, available * 1024 end
end

function parse.loadavg(text, into)
  into.load = tonumber(text:match "^[%d.]+")
end

function parse.diskstats(text, into)
  into.read, into.written = 0, 0
  for name, read, written in text:gmatch "%d+ +%d+ (%S+) %d+ %d+ (%d+) %d+ %d+ %d+ (%d+)" do
    if fits(name, disks) then
      into.read, into.written = into.read + read * SECTOR, into.written + written * SECTOR
    end
  end
end

parse["net/dev"] = function(text, into)
  into.received, into.sent = 0, 0
  for name, counters in text:gmatch "([^%s:]+):([^\n]+)" do
    local numbers = {}
    for number in counters:gmatch "%d+" do numbers[#numbers + 1] = tonumber(number) end
    if not fits(name, inner) then
      into.received, into.sent = into.received + (numbers[1] or 0), into.sent + (numbers[9] or 0)
    end
  end
end

local names = {}
for name in pairs(parse) do names[#names + 1] = name end

--- What stands in `folder`, which is /proc, or one like it; all of it is read at once.
function machine.read(folder)
  local readers, into = {}, {}
  for i, name in ipairs(names) do
    readers[i] = function() return (weir.fs.read(folder .. "/" .. name, "1MB")) end
  end
  local texts = weir.all(readers)
  for i, name in ipairs(names) do
    if texts[i] then parse[name](texts[i], into) end
  end
  return into
end

--- How full the file system of a path is: { total, free }, or nil where that cannot be told.
function machine.space(path)
  return (weir.fs.space(path))
end

return machine
