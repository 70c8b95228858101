-- The rules of apps/monitor: when one tells, and what may be said of them.

package.path = "apps/monitor/?.lua;" .. package.path
local alarm = require "monitor.alarm"
local rules = require "monitor.rules"

-- ---- alarm.lua ------------------------------------------------------------------------------------------------------

describe("an alarm", function()
  -- What it tells at the seconds of these values: "3 raised" …; "-" is a value that is not known.
  local function told(rule, values)
    local self, list, at = alarm.new(rule), {}, 0
    for value in values:gmatch "%S+" do
      at = at + 1
      local said = alarm.take(self, tonumber(value), at)
      if said then list[#list + 1] = ("%d %s since %d worst %s"):format(at, said.state, said.since, said.worst) end
    end
    return table.concat(list, ", ")
  end

  local function above(fields)
    local rule = { name = "r", figure = "f", level = "warn", text = "T", above = 10, clear = 5, hold = 2, rest = 3 }
    for field, value in pairs(fields or {}) do rule[field] = value end
    return rule
  end

  it("is raised when its figure has been beyond for so long, and over when it has been within for so long", function()
    assert.equal("3 raised since 1 worst 12", told(above(), "11 12 11 11 11"))
    assert.equal("3 raised since 1 worst 11, 9 over since 1 worst 20", told(above(), "11 11 11 20 11 4 4 4 4 4"))
    assert.equal("1 raised since 1 worst 11, 2 over since 1 worst 11", told(above { hold = 0, rest = 0 }, "11 4"))
  end)

  it("is not for what is at the threshold, nor for what falls back before the time", function()
    assert.equal("", told(above(), "10 10 10 10 10"))
    assert.equal("", told(above(), "11 11 10 11 11 10 11 11 4"))
  end)

  it("does not flap: between clear and threshold nothing changes", function()
    assert.equal("3 raised since 1 worst 11", told(above(), "11 11 11 9 11 6 11 9 6 8 9 11"))
    assert.equal("3 raised since 1 worst 11", told(above(), "11 11 11 4 4 6 4 4 11 4 4 9 5 5 6"))
    assert.equal("3 raised since 1 worst 11, 10 over since 1 worst 11", told(above(), "11 11 11 4 4 6 5 5 5 5"))
  end)

  it("stays what it is while nothing is known", function()
    assert.equal("3 raised since 1 worst 11", told(above(), "11 - 11 - - - - - -"))
    assert.equal("", told(above(), "- - - - -"))
  end)

  it("is for what is too little, too", function()
    local below = { name = "r", figure = "f", level = "info", text = "T", below = 3, clear = 5, hold = 1, rest = 1 }
    assert.equal("3 raised since 2 worst 1, 6 over since 2 worst 1", told(below, "3 2 1 4 5 5 3"))
  end)

  it("waits for no time that a clock has been put back by", function()
    local self, list = alarm.new(above()), {}
    for _, pair in ipairs {
      { 3600, 11 }, { 10, 11 }, { 11, 11 }, { 12, 11 }, { 13, 4 }, { 5, 4 }, { 7, 4 }, { 8, 4 },
    } do
      local said = alarm.take(self, pair[2], pair[1])
      if said then list[#list + 1] = said.at .. " " .. said.state end
    end
    assert.same({ "12 raised", "8 over" }, list)
  end)

  it("tells what it is about", function()
    assert.same({ rule = "r", level = "warn", text = "T", figure = "f", limit = 10, state = "raised", value = 11,
      worst = 11, since = 7, at = 7 }, alarm.take(alarm.new(above { hold = 0 }), 11, 7))
  end)
end)

-- ---- rules.lua ------------------------------------------------------------------------------------------------------

describe("the rules", function()
  local function named(given, name)
    for _, rule in ipairs(rules.of(given)) do
      if rule.name == name then return rule end
    end
  end

  it("are those that come with it, where nothing is said", function()
    assert.equal(#rules.of(), #rules.of {})
    assert.is_true(#rules.of() > 10)
    assert.equal("critical", named(nil, "store").level)
  end)

  it("are changed, taken away and added by name", function()
    assert.equal(0.5, named({ cpu = { above = 0.5 } }, "cpu").above)
    assert.equal(0.5, named({ cpu = { above = 0.5 } }, "cpu").clear)
    assert.equal(60, named({ cpu = { above = 0.5 } }, "cpu").hold)
    assert.equal(0.9, named({ cpu = { hold = 1 } }, "cpu").above)
    assert.is_nil(named({ cpu = false }, "cpu"))
    local mine = named({ mine = { figure = "streams", below = 1 } }, "mine")
    assert.same({ name = "mine", figure = "streams", below = 1, clear = 1, hold = 10, rest = 10, level = "warn",
      text = "mine" }, mine)
    assert.is_nil(named({ cpu = { below = 0.1 , figure = "cpu" } }, "cpu").above)
  end)

  for what, case in pairs {
    ["no table"] = { "cpu", "they must be a table" },
    ["a name that is none"] = { { { figure = "cpu", above = 1 } }, "1 must be a name" },
    ["a long name"] = { { [("x"):rep(41)] = false }, "must be a name of 1 to 40 bytes" },
    ["no name"] = { { [""] = { figure = "cpu", above = 1 } }, "must be a name of 1 to 40 bytes" },
    ["a rule to take away that there is not"] = { { cpus = false }, "cpus must be one of those that come with it" },
    ["a rule that is none"] = { { cpu = true }, "cpu must be a table of fields, or false" },
    ["a field that there is not"] = { { cpu = { over = 1 } }, "cpu.over must be left out" },
    ["a figure that is none"] = { { mine = { figure = "cpus", above = 1 } }, "mine.figure must be one of cpu, load" },
    ["no figure"] = { { mine = { above = 1 } }, "mine.figure must be one of" },
    ["no threshold"] = { { mine = { figure = "cpu" } }, "mine must be above a number or below one" },
    ["two thresholds"] = { { mine = { figure = "cpu", above = 1, below = 0 } }, "mine must be above a number or" },
    ["a threshold that is no number"] = { { cpu = { above = "90%" } }, "cpu.above must be a number" },
    ["a time that is none"] = { { cpu = { hold = -1 } }, "cpu.hold must be seconds" },
    ["a time that is too long"] = { { cpu = { rest = 86401 } }, "cpu.rest must be seconds, at most a day" },
    ["another level"] = { { cpu = { level = "error" } }, 'cpu.level must be "info", "warn" or "critical"' },
    ["a text that is empty"] = { { cpu = { text = "" } }, "cpu.text must be 1 to 200 bytes" },
    ["an end beyond the threshold"] = { { cpu = { clear = 0.95 } }, "cpu.clear must be within the threshold, 0.9" },
    ["no number"] = { { cpu = { above = 0 / 0 } }, "cpu.above must be a number" },
  } do
    it("are told what is wrong with " .. what, function()
      local ok, err = pcall(rules.of, case[1])
      assert.is_false(ok)
      assert.is_truthy(err:find(case[2], 1, true), err)
    end)
  end
end)
