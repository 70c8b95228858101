-- figures: two readings, one after the other, as the numbers that are shown and watched.
--
--   reading of a second ago --+
--   reading of now -----------+--> { cpu = 0.25, requests = 120, latency_p99 = 0.004, … }
--
-- What counts up becomes a rate. A counter that is less than it was began anew: then there is no rate, rather than one
-- that never was. What cannot be known is not there. Pure: its times are those of the readings.

local exposition = require "monitor.exposition"

local figures = {}

--- All there are, and what they mean, in the order of README.md.
figures.names = {
  "cpu", "load", "memory", "memory_used", "memory_total", "disk", "disk_free", "disk_read", "disk_written",
  "net_received", "net_sent",
  "connections", "streams", "tasks", "topics", "subscribers", "requests", "errors", "refused", "sent", "received",
  "published", "delivered", "gaps", "lost", "backlog", "latency_p50", "latency_p99", "turn_p50", "turn_p99", "busy",
  "worker_cpu", "process_cpu", "process_memory", "lua_memory", "lua_share", "stops", "reloads_failed", "store_stopped",
  "log_dropped",
}

local function rate(before, now, seconds)
  if not before or not now or now < before or seconds <= 0 then return nil end
  return (now - before) / seconds
end

local function share(part, whole)
  return part and whole and whole > 0 and part / whole or nil
end

-- Of a number that only changes in its first digits nobody reads more than four; what is counted stays whole.
local function short(value)
  if value == math.floor(value) then return value end
  return tonumber(("%.4g"):format(value))
end

local function add_machine(into, before, now, seconds)
  into.cpu = share(rate(before.busy, now.busy, seconds), rate(before.ticks, now.ticks, seconds))
  into.load = now.load
  into.memory_total = now.memory
  into.memory_used = now.memory and now.memory - now.available
  into.memory = share(into.memory_used, now.memory)
  into.disk_read, into.disk_written = rate(before.read, now.read, seconds), rate(before.written, now.written, seconds)
  into.net_received, into.net_sent = rate(before.received, now.received, seconds), rate(before.sent, now.sent, seconds)
end

-- The fullest of the file systems counts.
local function add_disks(into, disks)
  for _, disk in ipairs(disks) do
    local full = share(disk.total - disk.free, disk.total)
    if full and full >= (into.disk or 0) then into.disk, into.disk_free = full, disk.free end
  end
end

local states = { "connections", "streams", "tasks", "topics", "subscribers", "store_stopped" }

-- Figures that are the rate of one counter of weir.stats, or of several together.
local rates = {
  requests = { "requests" }, sent = { "bytes_sent" }, received = { "bytes_received" },
  published = { "published" }, delivered = { "delivered" }, gaps = { "gaps" },
  lost = { "lost", "dropped" },
  refused = { "reached_connections", "reached_connections_per_address", "reached_connection_rate",
    "reached_streams_per_sub" },
  stops = { "cpu_stops", "memory_stops" },
  reloads_failed = { "reloads_failed" }, log_dropped = { "log_dropped" },
}

local function total(stats, counters)
  local sum = 0
  for _, name in ipairs(counters) do sum = sum + (stats[name] or 0) end
  return sum
end

local function add_stats(into, before, now, seconds)
  for _, name in ipairs(states) do into[name] = now[name] end
  for name, counters in pairs(rates) do
    into[name] = rate(total(before, counters), total(now, counters), seconds)
  end
  into.lua_memory = now.lua_memory_all
end

-- The worker that computes most: the others cannot take its work.
local function busiest(before, now, seconds)
  local most
  for worker, cpu in pairs(now) do most = math.max(most or 0, rate(before[worker], cpu, seconds) or 0) end
  return most
end

local function add_server(into, before, now, seconds)
  for name, of in pairs { latency = "latency", turn = "turn" } do
    into[name .. "_p50"] = exposition.quantile(before[of], now[of], 0.5)
    into[name .. "_p99"] = exposition.quantile(before[of], now[of], 0.99)
  end
  into.errors = rate(before.errors, now.errors, seconds)
  into.busy = now.busy
  into.worker_cpu = busiest(before.workers, now.workers, seconds)
  into.process_cpu = rate(before.cpu, now.cpu, seconds)
  into.process_memory = now.memory
end

--- The part of a reading that the text of weir.metrics tells.
function figures.of_metrics(text)
  local busy = 0
  for _, seconds in pairs(exposition.each(text, "weir_worker_busy_seconds")) do busy = math.max(busy, seconds) end
  return {
    latency = exposition.histogram(text, "weir_route_latency_seconds"),
    turn = exposition.histogram(text, "weir_turn_seconds"),
    errors = exposition.sum(text, "weir_route_latency_seconds", [[status="5xx",le="+Inf"]]) or 0,
    busy = busy,
    workers = exposition.each(text, "weir_worker_cpu_seconds_total"),
    cpu = exposition.sum(text, "process_cpu_seconds_total"),
    memory = exposition.sum(text, "process_resident_memory_bytes"),
  }
end

--- The figures of a reading { at, machine, disks, stats, server, backlog, lua_limit } with the one before.
function figures.between(before, now)
  local seconds, into = now.at - before.at, {}
  add_machine(into, before.machine, now.machine, seconds)
  add_disks(into, now.disks)
  add_stats(into, before.stats, now.stats, seconds)
  add_server(into, before.server, now.server, seconds)
  into.backlog = now.backlog
  into.lua_share = share(into.lua_memory, now.lua_limit)
  for name, value in pairs(into) do into[name] = short(value) end
  return into
end

return figures
