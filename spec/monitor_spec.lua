-- The parts of apps/monitor that need no server: what /proc and the metrics say, what two readings are as figures, and
-- who is on this machine.

local support = require "spec.support"

package.path = "apps/monitor/?.lua;" .. package.path
local access = require "monitor.access"
local exposition = require "monitor.exposition"
local figures = require "monitor.figures"
local machine = require "monitor.machine"

-- ---- machine.lua ----------------------------------------------------------------------------------------------------

describe("the machine", function()
  after_each(support.remove_folders)

  local function read(files)
    local folder = support.folder()
    os.execute("mkdir " .. folder .. "/net")
    for name, text in pairs(files) do support.write_file(folder .. "/" .. name, text) end
    return machine.read(folder)
  end

  it("is busy with all but idling and waiting for a disk", function()
    local seen = read { stat = "cpu  100 10 40 800 50 3 5 2 70 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5 6\n" }
    assert.same({ busy = 160, ticks = 1010, cores = 2 }, seen)
  end)

  it("has the memory that is available, not only what is free", function()
    local seen = read { meminfo = "MemTotal:   1000 kB\nMemFree:  10 kB\nMemAvailable:     400 kB\nCached: 300 kB\n" }
    assert.same({ memory = 1024000, available = 409600 }, seen)
  end)

  it("counts whole disks, not their parts nor what lies on them", function()
    local lines = {}
    for _, name in ipairs { "sda", "sda1", "nvme0n1", "nvme0n1p2", "vdb", "mmcblk0", "mmcblk0p1", "loop0", "dm-0",
      "md0", "zram0", "sr0" } do
      lines[#lines + 1] = "   8       0 " .. name .. " 5 6 10 7 5 6 20 7 0 1 2"
    end
    local seen = read { diskstats = table.concat(lines, "\n") .. "\n" }
    assert.same({ read = 4 * 10 * 512, written = 4 * 20 * 512 }, seen)
  end)

  it("counts what leaves it and comes to it, once", function()
    local text = { "Inter-|   Receive   |  Transmit", " face |bytes packets errs|bytes packets" }
    for _, name in ipairs { "lo", "eth0", "wlan0", "veth1a", "docker0", "br-1f", "virbr0" } do
      text[#text + 1] = ("%6s: 100 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0"):format(name)
    end
    assert.same({ received = 200, sent = 60 }, read { ["net/dev"] = table.concat(text, "\n") .. "\n" })
  end)

  it("is what can be read of it", function()
    assert.same({}, read {})
    assert.same({}, read { stat = "cpu", meminfo = "MemTotal: many kB", loadavg = "" })
    assert.same({ load = 0.5 }, read { loadavg = "0.50 0.40 0.30 1/2 3\n" })
  end)

  it("is there, here", function()
    local seen = machine.read "/proc"
    assert.is_true(seen.busy > 0 and seen.busy <= seen.ticks and seen.cores >= 1)
    assert.is_true(seen.available > 0 and seen.available <= seen.memory)
    local space = machine.space "/"
    assert.is_true(space.total > 0 and space.free <= space.total)
    assert.is_nil(machine.space "/no/such/folder")
  end)
end)

-- ---- exposition.lua -------------------------------------------------------------------------------------------------

describe("the metrics", function()
  local text = table.concat({
    "# HELP weir_a_seconds A.", "# TYPE weir_a_seconds histogram",
    [[weir_a_seconds_bucket{route="/le=\"9\"} 5",status="2xx",le="0.1"} 1]],
    [[weir_a_seconds_bucket{route="/le=\"9\"} 5",status="2xx",le="+Inf"} 3]],
    [[weir_a_seconds_sum{route="/le=\"9\"} 5",status="2xx"} 7]],
    [[weir_a_seconds_bucket{route="/b",status="5xx",le="0.1"} 10]],
    [[weir_a_seconds_bucket{route="/b",status="5xx",le="+Inf"} 20]],
    "# TYPE weir_b_seconds histogram", [[weir_b_seconds_bucket{le="0.1"} 4]],
    [[weir_b_seconds_bucket{le="+Inf"} 6]], "weir_b_seconds_sum 9",
    "# HELP weir_a A.", "# TYPE weir_a gauge", [[weir_a{worker="0"} 0.5]], [[weir_a{worker="1"} 2]],
    "# TYPE last gauge", "last 1e3",
  }, "\n") .. "\n"

  it("are sums, values and histograms over all routes, whatever these are called", function()
    assert.same({ [0.1] = 11, [math.huge] = 23 }, exposition.histogram(text, "weir_a_seconds"))
    assert.same({ [0.1] = 4, [math.huge] = 6 }, exposition.histogram(text, "weir_b_seconds"))
    assert.equal(20, exposition.sum(text, "weir_a_seconds", [[status="5xx",le="+Inf"]]))
    assert.equal(2.5, exposition.sum(text, "weir_a"))
    assert.same({ ["0"] = 0.5, ["1"] = 2 }, exposition.each(text, "weir_a"))
    assert.equal(1000, exposition.sum(text, "last"))
  end)

  it("are nothing where there is no such metric", function()
    for _, name in ipairs { "weir", "weir_", "a", "weir_a_seconds_bucket" } do
      assert.is_nil(exposition.sum(text, name), name)
      assert.same({}, exposition.histogram(text, name))
      assert.same({}, exposition.each(text, name))
    end
    assert.is_nil(exposition.sum("", "weir_a"))
  end)

  describe("of which a quantile", function()
    local function at(share, now, before)
      return exposition.quantile(before or {}, now, share)
    end

    it("is spread evenly within its bucket", function()
      local now = { [0.1] = 50, [0.2] = 100, [math.huge] = 100 }
      assert.equal(0.1, at(0.5, now))
      assert.is_near(0.15, at(0.75, now), 1e-9)
      assert.is_near(0.05, at(0.25, now), 1e-9)
      assert.is_near(0.2, at(1, now), 1e-9)
    end)

    it("is the last bound for what is beyond it", function()
      assert.equal(0.2, at(0.99, { [0.1] = 50, [0.2] = 50, [math.huge] = 100 }))
    end)

    it("is of what came between, not of all time", function()
      local before = { [0.1] = 1000000, [0.2] = 1000000, [math.huge] = 1000000 }
      local now = { [0.1] = 1000000, [0.2] = 1000010, [math.huge] = 1000010 }
      assert.is_near(0.15, at(0.5, now, before), 1e-9)
    end)

    it("is nothing where nothing came, or the counters began anew", function()
      local full = { [0.1] = 5, [math.huge] = 5 }
      assert.is_nil(at(0.5, full, full))
      assert.is_nil(at(0.5, { [0.1] = 1, [math.huge] = 2 }, full))
      assert.is_nil(at(0.5, { [0.1] = 4, [math.huge] = 6 }, full))
      assert.is_nil(at(0.5, {}, {}))
    end)
  end)
end)

-- ---- figures.lua ----------------------------------------------------------------------------------------------------

describe("the figures", function()
  local function reading(at, machine_has, stats, server)
    server = server or {}
    return {
      at = at, machine = machine_has or {}, stats = stats or {}, disks = {}, backlog = 0,
      server = { latency = server.latency or {}, turn = server.turn or {}, workers = server.workers or {},
        cpu = server.cpu, errors = server.errors },
    }
  end

  it("are rates of what counts up, by the time that has passed", function()
    local now = figures.between(
      reading(10, { busy = 100, ticks = 1000, read = 0, sent = 5 }, { requests = 40, published = 7 }, { cpu = 1 }),
      reading(12, { busy = 150, ticks = 1200, read = 2048, sent = 5 }, { requests = 50, published = 7 }, { cpu = 2 }))
    assert.same({ 0.25, 1024, 0, 5, 0, 0.5 },
      { now.cpu, now.disk_read, now.net_sent, now.requests, now.published, now.process_cpu })
  end)

  it("have no spike where a counter began anew, and none for a clock that was put back", function()
    local function of(at, count) return reading(at, { received = count }, { requests = count }, { cpu = count }) end
    for _, pair in ipairs { { of(1, 1e9), of(2, 5) }, { of(2, 5), of(1, 9) }, { of(2, 5), of(2, 9) } } do
      local now = figures.between(pair[1], pair[2])
      assert.same({}, { now.net_received, now.requests, now.process_cpu })
    end
  end)

  it("are those of the fullest disk, and of the worker that computes most", function()
    local before, now = reading(0), reading(2)
    now.disks = { { path = "/a", total = 100, free = 50 }, { path = "/b", total = 10, free = 1 },
      { path = "/proc", total = 0, free = 0 } }
    before.server.workers, now.server.workers = { ["0"] = 1, ["1"] = 5 }, { ["0"] = 2, ["1"] = 5.5, ["2"] = 9 }
    local seen = figures.between(before, now)
    assert.same({ 0.9, 1, 0.5 }, { seen.disk, seen.disk_free, seen.worker_cpu })
  end)

  it("are not there where nothing is known", function()
    local seen = figures.between(reading(0), reading(1))
    assert.same({}, { seen.cpu, seen.memory, seen.disk, seen.latency_p99, seen.lua_share, seen.worker_cpu })
  end)

  it("have names that are told", function()
    local known = {}
    for _, name in ipairs(figures.names) do known[name] = true end
    local full = { busy = 1, ticks = 2, load = 1, memory = 2, available = 1, read = 1, written = 1, received = 1,
      sent = 1 }
    local seen = figures.between(reading(0, full), reading(1, full))
    for name in pairs(seen) do assert.is_true(known[name], name) end
  end)
end)

-- ---- access.lua -----------------------------------------------------------------------------------------------------

describe("who is on this machine", function()
  local function may(fields, headers)
    local stream = { peer_addr = "127.0.0.1", remote_addr = "127.0.0.1", version = "1.1", headers = headers or {} }
    stream.headers.host = stream.headers.host or "127.0.0.1:8080"
    for name, value in pairs(fields or {}) do stream[name] = value end
    return (pcall(access.guards({}).all, stream, function() end))
  end

  it("comes from a loopback address", function()
    for address, allowed in pairs {
      ["127.0.0.1"] = true, ["127.8.0.1"] = true, ["::1"] = true,
      ["10.0.0.1"] = false, ["128.0.0.1"] = false, ["::"] = false, ["fe80::1"] = false, ["::127.0.0.1"] = false,
      [""] = false,
    } do
      assert.equal(allowed, may { peer_addr = address }, address)
    end
  end)

  it("is not who a proxy on this machine calls so", function()
    assert.is_false(may { peer_addr = "10.0.0.1", remote_addr = "127.0.0.1" })
    assert.is_false(may({ remote_addr = "127.0.0.1" }, { ["x-forwarded-for"] = "127.0.0.1" }))
  end)
end)

