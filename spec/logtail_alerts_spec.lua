-- The alerts of apps/logtail: when a rule raises one, what it tells, what a change of the rules leaves as it was, and
-- that apps/notify shows it.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local logs = require "spec.logtail_support"
local json = weir.json

package.path = "apps/logtail/?.lua;" .. package.path
local rule = require "logtail.rule"

-- ---- rule.lua -------------------------------------------------------------------------------------------------------

describe("a rule", function()
  local function new(count, window, cooldown)
    return rule.new { name = "r", level = "warn", text = "T", count = count, window_seconds = window,
      cooldown_seconds = cooldown }
  end

  -- Lines at these times: "1 3" for the times at which it raised.
  local function raised(self, times)
    local at = {}
    for i, time in ipairs(times) do
      local told = rule.add(self, { id = "k~" .. i, line = "line " .. i }, time)
      if told then at[#at + 1] = tostring(time) end
    end
    return table.concat(at, " ")
  end

  it("raises at the line that makes them so many within the window, its ends included", function()
    assert.equal("3", raised(new(3, 60, 10), { 1, 2, 3 }))
    assert.equal("61", raised(new(3, 60, 10), { 1, 2, 61 }))
    assert.equal("", raised(new(3, 60, 10), { 1, 2, 61.5 }))
    assert.equal("62", raised(new(3, 60, 10), { 1, 2, 61.5, 62 }))
    assert.equal("1", raised(new(1, 60, 10), { 1 }))
  end)

  it("counts a line for one alert", function()
    assert.equal("2 4", raised(new(2, 60, 1), { 1, 2, 3, 4, 5 }))
  end)

  it("is still while it cools, and counts", function()
    assert.equal("2 12", raised(new(2, 60, 10), { 1, 2, 3, 4, 11, 12, 13 }))
    local self = new(2, 5, 10)
    raised(self, { 1, 2, 8, 9 })
    assert.is_true(rule.is_cooling(self, 11.9))
    assert.is_false(rule.is_cooling(self, 12))
    assert.equal(2, rule.counted(self, 13))
    assert.equal(1, rule.counted(self, 13.5))
    assert.equal(0, rule.counted(self, 100))
  end)

  it("takes times that go back for the one before", function()
    assert.equal("5", raised(new(3, 60, 10), { 5, 1, 2 }):gsub("2", "5"))
    assert.equal("", raised(new(3, 10, 10), { 5, 1, 16 }))
  end)

  it("tells how many there were, the first and the last", function()
    local self = new(2, 60, 10)
    raised(self, { 1 })
    local told = rule.add(self, { id = "k~b", t = 7, level = "error", line = "b" }, 2)
    assert.same({ rule = "r", level = "warn", text = "T", at = 2, count = 2, window = 60, matched = 2,
      first = { id = "k~1", line = "line 1" }, last = { id = "k~b", t = 7, level = "error", line = "b" } }, told)
    raised(self, { 3, 4, 5, 6 })
    assert.equal(5, rule.add(self, { id = "k~c", line = "c" }, 12).matched)
  end)

  it("keeps no more lines than it counts, and 1000 bytes of each, cut between characters", function()
    local self = new(1000, 60, 60)
    for i = 1, 5000 do rule.add(self, { id = "k~" .. i, line = "x" }, 1) end
    assert.is_true(rule.counted(self, 1) <= 1000)
    self = new(1, 60, 0)
    assert.equal(("x"):rep(999) .. "…", rule.add(self, { line = ("x"):rep(999) .. "ä" }, 1).last.line)
    assert.equal(("x"):rep(998) .. "ä…", rule.add(self, { line = ("x"):rep(998) .. "äx" }, 2).last.line)
    assert.equal(("x"):rep(998) .. "ä", rule.add(self, { line = ("x"):rep(998) .. "ä" }, 3).last.line)
  end)
end)

-- ---- in the app -----------------------------------------------------------------------------------------------------

local function disk(more)
  local one = { name = "disk", source = "service=db", include = { "no space" }, exclude = { "test" }, count = 2,
    window = "1h", cooldown = "6h", level = "fatal", text = "The disk is full" }
  for name, value in pairs(more or {}) do one[name] = value end
  return one
end

local function configured(...)
  return { sources = { { path = "DIR/db.log", labels = { service = "db" } }, "DIR/web.log" }, page = "/logtail/",
    alerts = { ... } }
end

local alerts -- the stream

local standing -- how the rules stand, as it was told last

local function open_alerts()
  alerts, standing = logs.open "/alerts", {}
end

-- How the rule of that name stands, as soon as `is_so(it)`; time passes until then, and a file is noticed when it is.
local function stands(name, is_so)
  local found
  test.eventually(function()
    for _, one in ipairs(standing) do
      if one.name == name and (not is_so or is_so(one)) then found = one end
    end
    if found then return true end
    test.clock.advance(0.5)
    local event = alerts:next(0.01)
    if event and event.event == "alerts" then standing = json.decode(event.data) end
  end)
  return found
end

local function has_matched(n)
  return stands("disk", function(one) return one.matched == n end)
end

local function told()
  local list = {}
  for i, event in ipairs(weir.history "logtail/raised") do
    assert.equal("log.alert.raised", event.event)
    list[i] = json.decode(event.data)
  end
  return list
end

-- The rules are at work; there is no log yet, so that all that will be in it counts.
local function begin(...)
  logs.begin()
  logs.serve(configured(...))
  open_alerts()
  for _, one in ipairs { ... } do
    stands(one.name, function(it) return it.state == "watching" end)
  end
end

-- Other rules are at work.
local function change_to(given)
  logs.reconfigure(given)
  while alerts:next() do end
  open_alerts()
  test.log.take "read anew"
end

describe("an alert", function()
  after_each(support.remove_folders)

  it("is raised by lines that come, and tells which", function()
    begin(disk())
    logs.write("db.log", "No space left", "no space in a test", "all well")
    logs.write("web.log", "no space in another log")
    assert.equal("watching", has_matched(1).state)
    assert.same({}, told())
    logs.write("db.log", "no space again")
    local one = has_matched(2)
    assert.same({ "cooling", 1, 0 }, { one.state, one.raised, one.counted })
    local list = told()
    assert.equal(1, #list)
    local alert = list[1]
    assert.same({ "disk", "fatal", "The disk is full", 2, 3600, 2 },
      { alert.rule, alert.level, alert.text, alert.count, alert.window, alert.matched })
    assert.same({ "No space left", "no space again" }, { alert.first.line, alert.last.line })
    assert.same({ path = logs.folder .. "/db.log", labels = { service = "db" }, key = alert.source.key }, alert.source)
    assert.equal(alert.source.key, alert.last.id:match "^(%x+)~")
    assert.equal("/logtail/#id=" .. alert.last.id, alert.link)
    assert.same({ at = alert.at, matched = 2, link = alert.link, first = { id = alert.first.id,
      line = "No space left" }, last = { id = alert.last.id, line = "no space again" } }, one.last)
    local lines = logs.read(logs.get("/read?format=ndjson&lines=1&after=" .. alert.first.id))
    assert.equal("no space in a test", lines[1].line)
  end)

  it("is not raised by lines that are too far apart, nor while it cools", function()
    begin(disk())
    logs.write("db.log", "no space 1")
    assert.equal(1, has_matched(1).counted)
    test.clock.advance(3600)
    logs.write("db.log", "no space 2")
    assert.equal(1, has_matched(2).counted)
    logs.write("db.log", "no space 3")
    assert.equal(1, has_matched(3).raised)
    logs.write("db.log", "no space 4", "no space 5")
    local one = has_matched(5)
    assert.same({ "cooling", 1, 2 }, { one.state, #told(), one.counted })
    test.clock.advance(6 * 3600)
    logs.write("db.log", "no space 6", "no space 7")
    assert.equal(2, has_matched(7).raised)
    assert.equal(4, told()[2].matched)
  end)

  it("is in a list that has room for fifty of the largest", function()
    local rules = {}
    for i = 1, 50 do
      rules[i] = disk { name = ("%02d"):format(i) .. ("\"x"):rep(19), text = ("\\"):rep(150), count = 1,
        to = { ("\""):rep(200) } }
    end
    rules[50].name = "disk"
    begin(unpack(rules))
    logs.write("db.log", "no space" .. ("\1"):rep(5000))
    has_matched(1)
    assert.equal(50, #told())
  end)

  it("is told by one of the workers, of lines of a file that came later #workers", function()
    logs.begin()
    test.clock.thaw()
    logs.is_frozen = false
    logs.write("old.log", "from before")
    logs.configure { sources = { "DIR/*.log" }, alerts = { { name = "any" } } }
    logs.server = test.spawn { "serve", "apps/logtail", "--workers", 2, env = { WEIR_LOGS = logs.file } }
    alerts = logs.open "/alerts"
    local one
    local function await(is_so)
      repeat one = json.decode(logs.expect(alerts, "alerts"))[1] until is_so()
    end
    await(function() return one.state == "watching" end)
    logs.write("new.log", "first")
    await(function() return one.matched > 0 end)
    assert.same({ 1, 1 }, { one.matched, one.raised })
  end)
end)

describe("rules that change", function()
  after_each(support.remove_folders)

  it("keep what they counted, where they are what they were", function()
    begin(disk(), { name = "all" })
    logs.write("db.log", "no space 1")
    has_matched(1)
    change_to(configured(disk { count = 2 }, { name = "new" }))
    assert.equal(1, stands("disk").matched)
    logs.write("db.log", "no space 2")
    assert.equal(1, has_matched(2).raised)
  end)

  it("begin anew, where they or their sources are others", function()
    begin(disk())
    logs.write("db.log", "no space 1")
    has_matched(1)
    local other = configured(disk { count = 3 })
    change_to(other)
    assert.equal(0, stands("disk").matched)
    other.redact = { "addresses" }
    change_to(other)
    assert.equal(0, stands("disk").matched)
    other.sources[1].labels.host = "h1"
    change_to(other)
    assert.equal(0, stands("disk").matched)
  end)

  it("raise no more when they are taken away", function()
    begin(disk { count = 1 })
    change_to(configured())
    assert.equal("[]", logs.expect(alerts, "alerts"))
    local events = logs.open "/lines"
    logs.write("db.log", "no space 1")
    assert.equal("no space 1", logs.lines(events, 1))
    test.clock.advance(2)
    assert.same({}, told())
  end)
end)

describe("a rule that is tried", function()
  before_each(function()
    begin(disk())
    local lines = {}
    for i = 1, 10 do lines[i] = ("2026-01-31T12:00:%02dZ no space %d"):format(i, i) end
    lines[11] = "2026-01-31T19:00:00Z no space 11"
    lines[12] = "2026-01-31T19:00:01Z no space 12"
    logs.write("db.log", unpack(lines))
    has_matched(12)
    test.clock.advance(60)
  end)
  after_each(support.remove_folders)

  it("says what it would have raised over lines that are there, at their times", function()
    local before = #told()
    local answer = logs.post("/alerts/try", { name = "disk", lines = 12 })
    assert.equal(200, answer.status, answer.body)
    local tried = answer.json()
    assert.same({ "disk", 12, true, 2 }, { tried.name, tried.lines, tried.complete, tried.count })
    local noon = 1769860800
    assert.same({ noon + 1, noon + 7 * 3600 + 1 }, { tried.from, tried.to })
    assert.same({ noon + 2, noon + 7 * 3600 + 1 }, { tried.raised[1].at, tried.raised[2].at })
    assert.matches("no space 1$", tried.raised[1].first.line)
    assert.matches("no space 2$", tried.raised[1].last.line)
    assert.equal(before, #told())
  end)

  it("sends an alert that says it is a test", function()
    local before = #told()
    local answer = logs.post("/alerts/try", { name = "disk", send = true })
    assert.equal(200, answer.status, answer.body)
    local list = told()
    assert.equal(before + 1, #list)
    assert.same({ true, "disk", 0 }, { list[#list].test, list[#list].rule, list[#list].matched })
    assert.same(answer.json().sent, list[#list])
  end)

  it("is refused where it is none, or asked in another way", function()
    for body, field in pairs {
      [{}] = "name must be there", [{ name = "" }] = "name must be a text",
      [{ name = "disk", lines = 0 }] = "lines must be a whole number",
      [{ name = "disk", lines = 10001 }] = "lines must be a whole number, 1 to 10000",
      [{ name = "disk", send = "yes" }] = "send must be true or false",
      [{ name = "disk", x = 1 }] = "x must be left out: there is no such field",
    } do
      test.clock.advance(10)
      local answer = logs.post("/alerts/try", body)
      assert.equal(400, answer.status, json.encode(body))
      assert.is_truthy(answer.json().error:find(field, 1, true), answer.body)
    end
    assert.equal(404, logs.post("/alerts/try", { name = "none" }).status)
    test.clock.advance(10)
    assert.equal(415, logs.server:post("/alerts/try", { body = '{"name": "disk"}' }).status)
    local status
    for _ = 1, 6 do status = logs.post("/alerts/try", { name = "none" }).status end
    assert.equal(429, status)
  end)
end)

describe("apps/notify", function()
  after_each(support.remove_folders)

  local inbox, token

  local function items()
    local answer = inbox:get("/inbox", { headers = { Authorization = "Bearer " .. token } })
    return answer.json().items
  end

  it("shows what is raised, in the same server", function()
    logs.begin()
    inbox = test.start "apps/notify/app.lua"
    token = inbox:post("/demo/token", { body = "ann" }).body
    begin(disk())
    logs.write("db.log", "no space 1", "no space 2")
    has_matched(2)
    test.eventually(function() return #items() == 1 end)
    local item = items()[1]
    assert.same({ "The disk is full", "2 lines within 3600 s", 5 }, { item.title, item.text, item.severity })
    assert.equal(told()[1].link, item.link)
    logs.post("/alerts/try", { name = "disk", send = true })
    test.eventually(function() return items()[1].title == "Test: The disk is full" end)
    assert.equal(1, #items())
  end)

  it("shows it under weir serve apps, on whichever workers, and after a kill -9 #workers", function()
    logs.begin()
    test.clock.thaw()
    logs.is_frozen = false
    logs.configure(configured(disk()))
    local arguments = { "serve", "apps", "--workers", 2, "--data", support.folder(),
      env = { WEIR_LOGS = logs.file } }
    logs.server = test.spawn(arguments)
    token = logs.server:post("/notify/demo/token", { body = "ann" }).body
    local function shown()
      local answer = logs.server:get("/notify/inbox", { headers = { Authorization = "Bearer " .. token } })
      return answer.json().items[1]
    end
    local events = logs.open "/logtail/alerts"
    local function rules() return json.decode(logs.expect(events, "alerts")) end
    repeat until (rules()[1] or {}).state == "watching"
    logs.write("db.log", "no space 1", "no space 2")
    assert.equal("The disk is full", test.eventually(shown).title)
    local page = logs.server:get(shown().link:match "^[^#]*")
    assert.equal(200, page.status)
    logs.server:stop "KILL"
    logs.server = test.spawn(arguments)
    token = logs.server:post("/notify/demo/token", { body = "ann" }).body
    assert.equal("The disk is full", shown().title)
  end)

  it("shows it to whom the rule names, and to nobody else", function()
    logs.begin()
    inbox = test.start "apps/notify/app.lua"
    begin(disk { to = { "ben" } }, { name = "all", include = { "for all" } })
    logs.write("db.log", "no space 1", "no space 2")
    has_matched(2)
    logs.write("db.log", "for all")
    stands("all", function(one) return one.raised == 1 end)
    for name, titles in pairs { ann = { "all" }, ben = { "all", "The disk is full" } } do
      token = inbox:post("/demo/token", { body = name }).body
      test.eventually(function() return items()[1] and items()[1].title == "all" end)
      local found = {}
      for i, item in ipairs(items()) do found[i] = item.title end
      assert.same(titles, found)
    end
  end)
end)
