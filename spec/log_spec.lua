-- Log lines from scripts, counters, and what the module tells of itself: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("weir.log", function()
  for _, level in ipairs { "info", "warn", "error" } do
    it(level .. " writes an entry of that level", function()
      weir.log[level]("hello")
      local lines = test.log.take()
      assert.equal(1, #lines)
      assert.equal(level, lines[1].level)
      assert.matches("hello", lines[1].text)
    end)
  end

  it("debug is dropped by default", function()
    weir.log.debug("hidden")
    assert.same({}, test.log.take())
  end)

  it("adds fields in the order of their names", function()
    weir.log.info("slow", { ms = 320, user = "Ann Lee", empty = "" })
    assert.matches('slow empty="" ms=320 user="Ann Lee"', test.log.take()[1].text)
  end)

  it("lets nobody forge a line or steer a terminal", function()
    weir.log.info("a\nb\27[2J\r\0", { x = "c\nd" })
    local lines = test.log.take()
    assert.equal(1, #lines)
    assert.is_nil(lines[1].text:find("[%z\r\27]"))
    assert.is_nil(lines[1].text:find("\n[^ ]"))
  end)

  it("raises for fields that are no table", function()
    assert.has_error(function() weir.log.info("x", 3) end)
  end)
end)

describe("weir.stats", function()
  it("counts streams, connections, tasks and requests", function()
    local during
    local server = support.serve(function(app)
      app:get("/", function() during = weir.stats() end)
    end)
    server:get "/"
    for _, name in ipairs { "streams", "connections", "tasks", "requests", "lua_memory" } do
      assert.equal("number", type(during[name]), name)
      assert.is_true(during[name] >= 1, name)
    end
  end)
end)

describe("weir.version", function()
  it("is what the command line says", function()
    local run = test.run { "version" }
    assert.is_truthy(run.stdout:find(weir.version, 1, true))
  end)
end)

describe("weir.limits", function()
  it("without a table tells those in force", function()
    local limits = weir.limits()
    assert.equal(16384, limits.head_bytes)
    assert.equal(1048576, limits.body_bytes)
    assert.equal(75, limits.keepalive_timeout)
  end)
end)
