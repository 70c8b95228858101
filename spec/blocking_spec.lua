-- Where a call cannot block, what is refused, and what differs from stock Lua: lua/REFERENCE.md.

local weir = require "weir"
local support = require "spec.support"

describe("where a call cannot block", function()
  after_each(support.remove_folders)

  local places = {
    { "a table.sort comparator", "sort", function(block)
      table.sort({ 3, 1, 2 }, function(a, b)
        block()
        return a < b
      end)
    end },
    { "a gsub callback", "gsub", function(block) return (("abc"):gsub(".", function() block() end)) end },
    { "coroutine.wrap", "coroutine", function(block) coroutine.wrap(block)() end },
  }
  local calls = {
    { "sleep", function() weir.sleep(0.001) end },
    { "recv", function() weir.channel(0):recv(0.001) end },
  }
  for _, place in ipairs(places) do
    for _, call in ipairs(calls) do
      it(call[1] .. " in " .. place[1] .. " raises, with a remedy", function()
        local ok, message = pcall(place[3], call[2])
        assert.is_false(ok)
        message = tostring(message)
        assert.matches("spec/blocking_spec.lua:%d+", message)
        assert.matches(place[2], message)
        assert.is_nil(message:find("C%-call boundary"), message)
        weir.sleep(0) -- the task itself is well
      end)
    end
  end

  it("the top level of a required module raises, with a remedy", function()
    local folder = support.folder()
    support.write_file(folder .. "/blocking_module.lua", [[require("weir").sleep(0.001) return {}]])
    local path = package.path
    package.path = folder .. "/?.lua;" .. path
    local ok, message = pcall(require, "blocking_module")
    package.path = path
    assert.is_false(ok)
    assert.matches("weir", tostring(message))
    assert.matches("require", tostring(message))
  end)
end)

describe("os.exit", function()
  it("raises in a handler", function()
    local ok, message
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function()
        local ok, message = pcall(os.exit, 0)
        return { ok = ok, message = tostring(message) }
      end)
      return app
    ]]
    local answer = server:get("/").json()
    ok, message = answer.ok, answer.message
    assert.is_false(ok)
    assert.matches("exit", message)
    support.remove_folders()
  end)
end)

describe("os.setlocale", function()
  it("knows one locale: numbers in logs, JSON and metrics are written alike, whatever an app asks for", function()
    assert.equal("C", os.setlocale())
    assert.equal("C", os.setlocale "C")
    assert.equal("C", os.setlocale("POSIX", "numeric"))
    assert.is_nil(os.setlocale "C.UTF-8") -- which every Debian has
    assert.is_nil(os.setlocale("", "all"))
    assert.equal("C", os.setlocale(nil, "numeric"))
  end)
end)

describe("collectgarbage", function()
  local function has_line(path, pattern)
    for line in io.lines(path) do
      local found = line:match(pattern)
      if found then return found end
    end
  end

  local function anonymous_kib()
    return tonumber(has_line("/proc/self/smaps_rollup", "^Pss_Anon:%s+(%d+) kB"))
  end

  -- The sanitizers' allocators keep what is freed, so that a use after it is seen.
  if has_line("/proc/self/maps", "lib[at]san") then return end

  it("gives what it frees back to the system", function()
    local list = {}
    for i = 1, 100000 do list[i] = { i } end
    local full = anonymous_kib()
    assert.equal(100000, #list)
    list = nil -- luacheck: ignore
    collectgarbage()
    local left = anonymous_kib()
    assert.is_true(full - left > 6000, ("%d of %d KiB"):format(left, full))
  end)

  it("refuses what it does not know, by its name", function()
    assert.error_matches(function() collectgarbage "everything" end, "collectgarbage.*everything")
  end)
end)
