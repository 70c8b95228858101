-- What README.md says under "Seeing inside" finds what is planted here: tasks that wait for ever, a table that grows, a
-- hot loop. What it shows is what there is.

local test = require "weir.test"
local support = require "spec.support"

-- The leak stands on line 22 and the loop on line 32, as in README.md.
local lines = {
  [1] = 'local weir = require "weir"',
  [2] = "local app = weir.app()",
  [3] = "weir.limits { cpu_time = 10 }",
  [5] = 'app:get("/fine", function() return ("x"):rep(1000) .. math.random() end)',
  [10] = "local seen = {}",
  [11] = 'app:get("/grows", function()',
  [12] = '  seen[#seen + 1] = ("x"):rep(1e5) .. #seen',
  [13] = '  return "seen"',
  [14] = "end)",
  [20] = 'app:get("/leaks", function()',
  [22] = "    weir.background(function() weir.channel(1):recv() end)",
  [24] = "end)",
  [28] = 'app:get("/hot", function()',
  [30] = "  weir.background(function()",
  [31] = "    while true do",
  [32] = "      for i = 1, 1e8 do last = i % 7 end",
  [33] = "      weir.sleep(0)",
  [34] = "    end",
  [35] = "  end)",
  [36] = "end)",
  [40] = "return app",
}
for i = 1, 40 do lines[i] = lines[i] or "" end

local function serve(workers)
  local path, folder = support.app_file(table.concat(lines, "\n"))
  local server = test.spawn { "serve", path, "--workers", workers, "--admin", "127.0.0.1:0" }
  local port = tonumber(test.eventually(function() return server:stderr():match "admin: .-:(%d+)\n" end))
  return server, port, folder
end

local function ask(port, target)
  local client = test.connect(port)
  client:send(("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):format(target))
  local response = client:receive_response { timeout = 60 }
  client:close()
  return response.body
end

local function metric(port, name)
  for line in ask(port, "/metrics"):gmatch "[^\n]+" do
    if line:sub(1, #name + 1) == name .. " " then return tonumber(line:sub(#name + 2)) end
  end
end

-- What README.md shows below that word, of an app in `folder`.
local function shown(word, folder)
  local text = support.read_file "README.md"
  local block = text:match("%*%*" .. word .. "%.%*%*.-```text\n(.-)```")
  return (block:gsub("/srv/app/", (folder:gsub("%%", "%%%%")) .. "/"))
end

describe("what README.md says under Seeing inside #once", function()
  after_each(support.remove_folders)

  it("finds the handler whose tasks wait for ever", function()
    local server, port, folder = serve(2)
    assert.same({ 0, 0 }, { metric(port, "weir_tasks"), metric(port, "weir_streams") })
    for _ = 1, 200 do server:get "/leaks" end
    assert.same({ 200, 0 }, { metric(port, "weir_tasks"), metric(port, "weir_streams") })
    local places = ask(port, "/tasks"):match "\n\n(.*)" -- of which there is one
    assert.equal(shown("A handler that leaks tasks", folder), places)
    assert.equal(0, (server:stop()))
  end)

  it("finds the handler that fills a table", function()
    local server, port, folder = serve(1)
    local function low(path) -- of the memory while that is asked
      local least = math.huge
      for i = 1, 300 do
        server:get(path)
        if i > 200 then least = math.min(least, metric(port, "weir_lua_memory_bytes")) end
      end
      return least
    end
    local before = low "/fine"
    assert.is_true(low "/fine" < before + 5e6)
    local after = low "/grows"
    assert.is_true(after > before + 20e6) -- 100,000 bytes each
    assert.is_true(low "/fine" < after + 15e6) -- those of the last hundred
    assert.same({ 0, 0 }, { metric(port, "weir_tasks"), metric(port, "weir_streams") })
    assert.equal("tasks: 0\nplaces: 0\n", ask(port, "/tasks"))
    assert.is_truthy(ask(port, "/metrics"):find("\n" .. shown("A table that grows", folder), 1, true))
    server:signal "HUP"
    test.eventually(function() return metric(port, [[weir_reloads_total{result="done"}]]) == 1 end)
    test.eventually(function() return metric(port, "weir_lua_memory_bytes") < before + 5e6 end)
    assert.equal(0, (server:stop()))
  end)

  it("finds the hot loop", function()
    local server, port, folder = serve(2)
    server:get "/hot"
    local function long() -- turns of 100 ms and more
      return metric(port, "weir_turn_seconds_count") - metric(port, [[weir_turn_seconds_bucket{le="0.1"}]])
    end
    local function cpu(worker) return metric(port, ([[weir_worker_cpu_seconds_total{worker="%d"}]]):format(worker)) end
    local first, second = cpu(0), cpu(1)
    test.eventually(function() return long() > 2 and math.max(cpu(0) - first, cpu(1) - second) > 0.5 end)
    assert.is_true(math.min(cpu(0) - first, cpu(1) - second) < 0.1)
    local seconds, most, where = 0, 0, nil
    test.eventually(function() -- on a busy machine a second may be over before the worker's turn is
      seconds = math.min(seconds + 1, 5)
      for stack, samples in ask(port, "/profile?seconds=" .. seconds):gmatch "([^\n]*) (%d+)\n" do
        if tonumber(samples) > most then most, where = tonumber(samples), stack end
      end
      return where
    end, 60)
    assert.equal(shown("A hot loop", folder):match "^([^\n]*) %d+\n", where)
    assert.equal(0, (server:stop()))
  end)
end)
