-- The inbox of apps/notify: what publishers may send, what users see of it, and what they do to it. How several devices
-- stay in step is in tests/js/notify.test.mjs, the pages are in tests/browser.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

local server, tokens

local function token(name, publish)
  local which = name .. (publish and "+" or "")
  tokens[which] = tokens[which] or server:post("/demo/token" .. (publish and "?publish=1" or ""), { body = name }).body
  return tokens[which]
end

local function ask(method, path, body, options)
  options = options or {}
  local headers = { Authorization = "Bearer " .. token(options.as or "ann", options.publisher) }
  if body then headers["Content-Type"] = "application/json" end
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  return server:request(method, path, { headers = headers, body = body and json.encode(body) })
end

local function publish(path, notification, headers)
  return ask("POST", path, notification, { as = "ci", publisher = true, headers = headers })
end

local function put(notification, path)
  local answer = publish(path or "/users/ann", notification)
  assert.equal(201, answer.status, answer.body)
  return answer.json().id
end

local function set_state(change, as)
  local answer = ask("POST", "/state", change, { as = as })
  assert.equal(200, answer.status, answer.body)
  return answer.json()
end

local function inbox(query, as)
  local answer = ask("GET", "/inbox" .. (query or ""), nil, { as = as })
  assert.equal(200, answer.status, answer.body)
  return answer.json()
end

-- "title: state", the newest first.
local function titles(query, as)
  local list = {}
  for i, item in ipairs(inbox(query, as).items) do list[i] = item.title .. ": " .. item.state end
  return table.concat(list, ", ")
end

local function refused(answer, status, field, text)
  assert.equal(status, answer.status, answer.body)
  assert.equal(field, answer.json().field)
  assert.is_truthy(answer.json().error:find(text, 1, true), answer.body)
end

-- An id that no notification has.
local function invented(n) return ("u%024x"):format(n) end

local function wait(seconds)
  test.clock.advance(seconds)
  tokens = {} -- they have ended
end

local function begin()
  tokens = {}
  test.clock.freeze()
  server = test.start "apps/notify/app.lua"
end

describe("a notification", function()
  before_each(begin)

  it("is in its user's inbox, and in nobody else's", function()
    local id = put { title = "The build is done", text = "All **green**", severity = 4, tags = { "ci" },
      link = "https://ci.example/7", icon = "🚀", event = "build.main.done", data = { number = 7 },
      actions = { { type = "copy", label = "Copy", text = "7" } } }
    local item = inbox().items[1]
    assert.same({ id, "The build is done", "All **green**", 4, { "ci" }, "unseen", "build.main.done", { number = 7 } },
      { item.id, item.title, item.text, item.severity, item.tags, item.state, item.event, item.data })
    assert.same({ unseen = 1, unread = 1, inbox = 1, severity = 4 }, inbox().counts)
    assert.equal("", titles("", "ben"))
  end)

  it("comes by the stream, which begins with a sum for who has no id", function()
    put { title = "before" }
    local events = server:sse("/stream", { headers = { Authorization = "Bearer " .. token "ann" } })
    assert.equal("weir.hello", events:next().event)
    local sum = events:next()
    assert.equal("notification.inbox.summed", sum.event)
    assert.equal(1, json.decode(sum.data).unseen)
    local answer = publish("/users/ann", { title = "live" }).json()
    assert.equal(1, answer.reached)
    local event = events:next()
    assert.same({ "notification.item.put", "live" }, { event.event, json.decode(event.data).title })
    assert.equal(answer.at, event.id)
    events = server:sse("/stream", { headers = { Authorization = "Bearer " .. token "ann" }, last_event_id = sum.id })
    assert.equal("weir.hello", events:next().event)
    assert.equal(event.id, events:next().id)
  end)

  local wrong = {
    { { text = "x" }, "title", "there" },
    { { title = "x", colour = "red" }, "colour", "no such field" },
    { { title = "" }, "title", "a text" },
    { { title = "two\nlines" }, "title", "in one line" },
    { { title = ("x"):rep(201) }, "title", "200" },
    { { title = "x", severity = 6 }, "severity", "1 to 5" },
    { { title = "x", severity = "3" }, "severity", "a whole number" },
    { { title = "x", severity = 2.5 }, "severity", "a whole number" },
    { { title = "x", tags = "ci" }, "tags", "a list" },
    { { title = "x", tags = { "a", "b c" } }, "tags[1]", "a word" },
    { { title = "x", link = "javascript:alert(1)" }, "link", "https://" },
    { { title = "x", link = "ftp://a/b" }, "link", "https://" },
    { { title = "x", link = "//evil.example/" }, "link", "https://" },
    { { title = "x", icon = "data:image/svg+xml,x" }, "icon", "an emoji" },
    { { title = "x", text = "<script>alert(1)</script>" }, "text", "without HTML" },
    { { title = "x", text = "a <img src=x onerror=alert(1)>" }, "text", "without HTML" },
    { { title = "x", text = "[go](javascript:alert(1))" }, "text", "links" },
    { { title = "x", text = "[go]( JaVaScRiPt:alert(1))" }, "text", "links" },
    { { title = "x", text = "[go][1]\n\n[1]: data:text/html,x" }, "text", "links" },
    { { title = "x", text = ("x"):rep(4097) }, "text", "4096" },
    { { title = "x", actions = { {}, {}, {}, {} } }, "actions", "0 to 3" },
    { { title = "x", actions = { { type = "run", label = "x" } } }, "actions[0].type", "call, copy, link" },
    { { title = "x", actions = { { type = "link", label = "x", url = "data:x" } } }, "actions[0].url", "https://" },
    { { title = "x", actions = { { type = "call", label = "x", url = "/a", method = "TRACE" } } }, "actions[0].method",
      "POST" },
    { { title = "x", key = ("k"):rep(65) }, "key", "64" },
    { { title = "x", expires = 1 }, "expires", "in the future" },
    { { title = "x", expires = "soon" }, "expires", "a span" },
    { { title = "x", show_at = "60d" }, "show_at", "within the time" },
    { { title = "x", show_at = "2h", expires = "1h" }, "expires", "later than show_at" },
    { { title = "x", event = "done" }, "event", "resource.action.state" },
    { { title = "x", event = "build.Main.done" }, "event", "lower case" },
    { { title = "x", data = { a = {} } }, "data.a", "a text, a number" },
    { { title = "\226\128\174x" }, "title", "in one line" },
    { { title = "x", text = "`<script>alert(1)</script>``" }, "text", "without HTML" },
    { { title = "x", text = "\\`<i>\\`" }, "text", "without HTML" },
    { { title = "x", text = "`[x](javascript:a)``" }, "text", "links" },
    { { title = "x", text = "> [1]: javascript:a" }, "text", "links" },
    { { title = "x", text = "1. [a\\]b]: javascript:a" }, "text", "links" },
    { { "a list" }, "the body", "a JSON object" },
  }

  it("that is wrong is refused by the field's name, and nothing is stored", function()
    for _, case in ipairs(wrong) do
      for _, path in ipairs { "/users/ann", "/broadcast" } do refused(publish(path, case[1]), 400, case[2], case[3]) end
    end
    local bytes = {}
    for i = 1, 20 do bytes["name " .. i] = ("x"):rep(500) end
    refused(publish("/users/ann", { title = "x", data = bytes }), 400, "the body", "8192")
    assert.equal(400, server:post("/users/ann", { body = "{", headers = {
      Authorization = "Bearer " .. token("ci", true), ["Content-Type"] = "application/json" } }).status)
    assert.equal(0, inbox("?view=all").counts.inbox)
  end)

  it("may have code that looks like HTML, and paths of the same server", function()
    put { title = "x", text = "`<b>` and ```\n<i>\n``` [here](/a/b)", link = "/builds/7" }
    assert.equal("/builds/7", inbox().items[1].link)
  end)

  it("with a key is updated in its place, and is news again unless it says no", function()
    put { title = "one", key = "k" }
    put { title = "two" }
    set_state { filter = {}, action = "read" }
    put { title = "one, half", key = "k", keep_state = true }
    assert.equal("two: read, one, half: read", titles())
    put { title = "one, done", key = "k" }
    assert.equal("two: read, one, done: unseen", titles())
  end)

  it("is withdrawn by key or id; by a key that is used again it is news", function()
    local id = put { title = "one", key = "k" }
    set_state { ids = { id }, action = "done" }
    local gone = ask("DELETE", "/users/ann?key=k", nil, { as = "ci", publisher = true })
    assert.same({ 200, id }, { gone.status, gone.json().id })
    assert.equal("", titles "?view=all")
    put { title = "one, again", key = "k" }
    assert.equal("one, again: unseen", titles())
    ask("DELETE", "/users/ann?id=" .. id, nil, { as = "ci", publisher = true })
    assert.equal("", titles "?view=all")
    refused(ask("DELETE", "/users/ann", nil, { as = "ci", publisher = true }), 400, "key", "there, or id")
    refused(ask("DELETE", "/users/ann?id=1&x=2", nil, { as = "ci", publisher = true }), 400, "x", "no such field")
  end)

  it("to all is one event, for whoever comes", function()
    local id = put({ title = "maintenance", key = "m" }, "/broadcast")
    assert.equal("maintenance: unseen", titles())
    set_state({ ids = { id }, action = "done" }, "ben")
    assert.equal("maintenance: unseen", titles())
    assert.equal("", titles("", "ben"))
    put({ title = "maintenance, later", key = "m" }, "/broadcast")
    assert.equal("maintenance, later: unseen", titles("", "ben"))
    ask("DELETE", "/broadcast?key=m", nil, { as = "ci", publisher = true })
    assert.equal("", titles "?view=all")
    put({ title = "maintenance, again", key = "m" }, "/broadcast")
    assert.equal("maintenance, again: unseen", titles("", "ben"))
    assert.equal(4, #weir.history "notify/all")
  end)

  it("is shown from a time on, and until another", function()
    put { title = "short", expires = "1m" }
    put { title = "later", show_at = "2m", expires = "1h" }
    put { title = "at a time", expires = weir.now() + 90 }
    assert.equal("at a time: unseen, short: unseen", titles())
    wait(60)
    assert.equal("at a time: unseen", titles())
    wait(60)
    assert.equal("later: unseen", titles())
    wait(3600)
    assert.equal("", titles "?view=all")
  end)
end)

describe("an Idempotency-Key", function()
  before_each(begin)

  local function once(key, title, path)
    return publish(path or "/users/ann", { title = title }, { ["Idempotency-Key"] = key })
  end

  it("publishes once, and gives the same answer again", function()
    local first, second = once("k", "one"), once("k", "one")
    assert.same({ 201, 201, first.body }, { first.status, second.status, second.body })
    assert.equal("one: unseen", titles())
    assert.not_equal(first.json().id, once("l", "one").json().id)
    assert.not_equal(first.json().id, once("k", "one", "/users/ben").json().id)
    refused(once("k", "two"), 422, "Idempotency-Key", "something else")
    refused(once(("k"):rep(256), "x"), 400, "Idempotency-Key", "255")
    wait(25 * 3600)
    assert.equal(201, once("k", "two").status)
  end)

  it("that came to nothing can be used again", function()
    refused(publish("/users/ann", { title = "" }, { ["Idempotency-Key"] = "k" }), 400, "title", "a text")
    assert.equal(201, once("k", "one").status)
  end)

  it("of what is being answered has to wait, and then goes on with what a crash has left", function()
    local store = weir.store "notify once"
    local made = once("k", "one").json()
    for key, kept in store:each() do store:set(key, { text = kept.text, begun = weir.now(), by = "a crash" }) end
    local answer = once("k", "one")
    refused(answer, 409, "Idempotency-Key", "being answered")
    assert.equal("1", answer.headers["retry-after"])
    set_state { ids = { made.id }, action = "read" }
    wait(31)
    assert.equal(made.id, once("k", "one").json().id)
    assert.equal("one: read", titles())
  end)
end)

describe("a state", function()
  before_each(begin)

  it("goes up and down again", function()
    local ids = { put { title = "it" } }
    for _, case in ipairs { { "seen", "seen" }, { "read", "read" }, { "seen", "read" }, { "unread", "seen" },
      { "unseen", "unseen" }, { "unread", "unseen" }, { "done", "done" }, { "seen", "done" }, { "read", "done" },
      { "undone", "read" }, { "unseen", "unseen" }, { "read", "read" } } do
      set_state { ids = ids, action = case[1] }
      assert.equal("it: " .. case[2], titles "?view=all", case[1])
    end
  end)

  it("sleeps until a time, and comes back as news", function()
    local ids = { put { title = "it" } }
    set_state { ids = ids, action = "read" }
    set_state { ids = ids, action = "snooze", snoozed_until = weir.now() + 60 }
    assert.same({ "", "it: snoozed" }, { titles(), titles "?view=snoozed" })
    set_state { ids = ids, action = "seen" }
    assert.equal("it: snoozed", titles "?view=snoozed")
    wait(61)
    assert.equal("it: unseen", titles())
    set_state { ids = ids, action = "seen" }
    assert.equal("it: seen", titles())
    set_state { ids = ids, action = "snooze", snoozed_until = weir.now() + 60 }
    set_state { ids = ids, action = "unsnooze" }
    assert.equal("it: seen", titles())
  end)

  it("is set under a filter, up to what was shown", function()
    put { title = "a", tags = { "x" }, severity = 5 }
    put { title = "b", tags = { "x" } }
    put { title = "c", severity = 4 }
    local shown = inbox().position
    put { title = "d", tags = { "x" }, severity = 5 }
    assert.equal(1, set_state({ filter = { tag = "x", severity = 4, upto = shown }, action = "read" }).changed)
    assert.equal("d: unseen, c: unseen, b: unseen, a: read", titles())
    assert.equal(3, set_state({ filter = { view = "unread" }, action = "done" }).changed)
    assert.equal(0, set_state({ filter = { view = "unread" }, action = "done" }).changed)
  end)

  it("counts once, however often and in which order a device tells of it", function()
    local a, b = put { title = "a" }, put { title = "b" }
    local function told(n, action, ids)
      set_state { ids = ids or { a, b }, action = action, device = "phone", n = n }
    end
    told(5, "read")
    set_state { ids = { a }, action = "unseen", device = "desk", n = 1 }
    told(5, "read")
    told(4, "done")
    assert.equal("b: read, a: unseen", titles())
    told(6, "done", { a })
    told(5, "read")
    assert.equal("b: read", titles())
  end)

  it("is of what was seen: not of what has become news since", function()
    local id = put { title = "v1", key = "k" }
    local seen = inbox().position
    put { title = "v2", key = "k", severity = 5 }
    set_state { ids = { id }, action = "done", upto = seen, device = "phone", n = 1 }
    set_state { filter = { upto = seen }, action = "read" }
    assert.equal("v2: unseen", titles())
    set_state { ids = { id }, action = "read", upto = inbox().position, device = "phone", n = 1 }
    assert.equal("v2: read", titles())
  end)

  it("may be told before the notification has come", function()
    local id = put { title = "one", key = "k" }
    assert.equal(204, ask("DELETE", "/data").status)
    set_state { ids = { id }, action = "read" }
    put { title = "one", key = "k" }
    assert.equal("one: read", titles())
  end)

  it("that is wrong is refused by the field's name", function()
    local ids, many, past = { invented(1) }, {}, weir.now() - 1
    for i = 1, 501 do many[i] = invented(i) end
    for _, case in ipairs {
      { { ids = ids }, "action", "there" },
      { { ids = ids, action = "eat" }, "action", "done, read" },
      { { action = "read" }, "ids", "there, or filter" },
      { { ids = ids, filter = {}, action = "read" }, "ids", "not both" },
      { { ids = {}, action = "read" }, "ids", "1 to 500" },
      { { ids = many, action = "read" }, "ids", "1 to 500" },
      { { ids = { 1 }, action = "read" }, "ids[0]", "an id" },
      { { ids = { "constructor" }, action = "read" }, "ids[0]", "an id" },
      { { ids = ids, action = "snooze", snoozed_until = past }, "snoozed_until", "in the future" },
      { { ids = ids, action = "read", upto = "9-0" }, "upto", "a position" },
      { { ids = ids, action = "read", device = "__proto__", n = 1 }, "device", "a name" },
      { { ids = ids, action = "read", snoozed_until = 5 }, "snoozed_until", "only then" },
      { { ids = ids, action = "snooze" }, "snoozed_until", "if the action is snooze" },
      { { ids = ids, action = "snooze", snoozed_until = "1h" }, "snoozed_until", "a Unix time" },
      { { ids = ids, action = "read", device = "d" }, "n", "a number that grows" },
      { { ids = ids, action = "read", device = "d", n = -1 }, "n", "a whole number" },
      { { filter = { view = "x" }, action = "read" }, "filter.view", "all, done" },
      { { filter = { upto = "now" }, action = "read" }, "filter.upto", "a position" },
      { { filter = {}, action = "read", more = 1 }, "more", "no such field" },
    } do
      refused(ask("POST", "/state", case[1]), 400, case[2], case[3])
    end
    assert.equal(0, #weir.history "notify/user/ann")
  end)
end)

describe("an inbox", function()
  before_each(begin)

  it("is read in pages, by view, tag and severity", function()
    for i = 1, 7 do put { title = "n" .. i, tags = { i % 2 == 0 and "even" or "odd" }, severity = i > 5 and 5 or 2 } end
    assert.equal("n6: unseen, n4: unseen, n2: unseen", titles "?tag=even")
    assert.equal("n7: unseen, n6: unseen", titles "?severity=3")
    local page = inbox "?limit=3"
    assert.same({ "n7", "n5", 7 }, { page.items[1].title, page.items[3].title, page.counts.inbox })
    set_state { ids = { page.items[3].id }, action = "done" } -- where the page ended
    page = inbox("?limit=3&after=" .. page.next)
    assert.equal("n4", page.items[1].title)
    page = inbox("?limit=3&after=" .. page.next)
    assert.same({ 1, "n1", nil }, { #page.items, page.items[1].title, page.next })
    for _, case in ipairs { { "limit=0", "limit" }, { "limit=x", "limit" }, { "severity=9", "severity" },
      { "view=x", "view" }, { "colour=red", "colour" } } do
      refused(ask("GET", "/inbox?" .. case[1]), 400, case[2], "")
    end
  end)

  it("has each once on its pages, be they shown from a time on that is no whole millisecond", function()
    local now = math.floor(weir.now())
    for i = 1, 9 do put { title = "n" .. i, show_at = now + 1 + i % 3 * 0.0004 } end
    wait(2)
    local seen, page, count = {}, nil, 0
    repeat
      page = inbox("?limit=1" .. (page and "&after=" .. page.next or ""))
      seen[page.items[1].id], count = true, count + 1
    until not page.next or count == 20
    local different = 0
    for _ in pairs(seen) do different = different + 1 end
    assert.same({ 9, 9 }, { count, different })
  end)

  it("keeps so many, the oldest go first, and its user is told #once", function()
    for i = 1, 205 do put { title = "n" .. i } end
    local whole = inbox "?view=all&limit=200"
    assert.same({ 200, "n205", "n6", 5 }, { #whole.items, whole.items[1].title, whole.items[200].title, whole.dropped })
  end)

  it("keeps so many bytes, and for so long", function()
    local text = ("x"):rep(4000)
    for i = 1, 40 do put { title = "n" .. i, text = text } end
    local whole = inbox "?view=all&limit=200"
    assert.is_true(#whole.items >= 30 and #whole.items <= 33, #whole.items)
    assert.equal(40 - #whole.items, whole.dropped)
    wait(31 * 24 * 3600)
    assert.equal("", titles "?view=all")
  end)

  it("is what the log comes to, whatever part of it is a snapshot", function()
    local ids = {}
    for i = 1, 150 do
      ids[i] = put { title = "n" .. i, key = i % 10 == 0 and "k" or nil }
      if i % 3 == 0 then set_state { ids = { ids[i] }, action = "read" } end
    end
    local store = weir.store "notify"
    test.eventually(function() return store:get "user/ann" ~= nil end)
    assert.is_true(store:get("user/ann").at > "0-0")
    local whole = inbox "?view=all&limit=200"
    assert.same({ 136, 90, 0 }, { #whole.items, whole.counts.unread, whole.dropped })
    store:delete "user/ann"
    assert.same(whole.items, inbox("?view=all&limit=200").items)
  end)

  it("of somebody who is away for weeks has what is unread, and no flood of states #once", function()
    local first = put { title = "first" }
    for i = 1, 1200 do set_state { ids = { first }, action = i % 2 == 0 and "unseen" or "seen" } end
    put { title = "last" }
    assert.equal("last: unseen, first: unseen", titles())
  end)

  it("is exported and deleted by one call each", function()
    put { title = "secret", key = "k" }
    ask("PUT", "/preferences", { tags = { ci = "mute" } })
    local export = ask("GET", "/export")
    assert.matches("attachment", export.headers["content-disposition"])
    local exported = export.json().box
    assert.same({ "ann", "secret", "mute" },
      { export.json().sub, select(2, next(exported.items)).title, exported.preferences.tags.ci })
    local events = server:sse("/stream", { headers = { Authorization = "Bearer " .. token "ann" } })
    events:next()
    events:next()
    assert.equal(204, ask("DELETE", "/data").status)
    assert.equal("notification.box.deleted", events:next().event)
    assert.equal("", titles "?view=all")
    assert.same({ tags = {} }, ask("GET", "/preferences").json())
    for _, event in ipairs(weir.history "notify/user/ann") do assert.is_nil(event.data:find "secret") end
    for _, kept in weir.store("notify"):each() do assert.is_nil(json.encode(kept):find "secret") end
    put { title = "new", key = "k" }
    assert.equal("new: unseen", titles())
  end)

  it("of who has deleted it begins with broadcasts that are no news", function()
    put({ title = "old" }, "/broadcast")
    ask("DELETE", "/data")
    put({ title = "new" }, "/broadcast")
    assert.equal("new: unseen, old: seen", titles())
  end)

  it("is that of any name", function()
    for _, name in ipairs { "a/b", "*", "urn:x:1", "Zoë", ("n"):rep(200), "=2F" } do
      tokens[name] = weir.jwt.sign({ sub = name }, { secret = weir.shared("notify demo"):get "secret" })
      local written = name:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
      put({ title = "for " .. name:sub(1, 20) }, "/users/" .. written)
      assert.equal("for " .. name:sub(1, 20) .. ": unseen", titles("", name))
    end
  end)
end)

describe("in the long run", function()
  before_each(begin)

  local day = 24 * 3600

  it("preferences stay, and what somebody did as long as what they did it to", function()
    ask("PUT", "/preferences", { tags = { ci = "mute" } })
    local id = put { title = "one", key = "k" }
    set_state { ids = { id }, action = "done" }
    for i = 2, 5 do
      wait(20 * day)
      put { title = "one, " .. i, key = "k", keep_state = true }
    end
    assert.equal("one, 5: done", titles "?view=all")
    assert.same({ ci = "mute" }, ask("GET", "/preferences").json().tags)
    wait(31 * day)
    assert.equal("", titles "?view=all")
    assert.same({ ci = "mute" }, ask("GET", "/preferences").json().tags)
  end)

  it("what nobody sees any more takes no room from what is there", function()
    put { title = "important" }
    for _ = 1, 199 do put { title = "short", expires = "1m" } end
    wait(61)
    for i = 1, 199 do put { title = "n" .. i } end
    local whole = inbox "?view=all&limit=200"
    assert.same({ 200, "important", 0 }, { #whole.items, whole.items[200].title, whole.dropped })
  end)

  it("a key of a broadcast that everybody has forgotten is news #once", function()
    local id = put({ title = "first", key = "m" }, "/broadcast")
    set_state { ids = { id }, action = "done" }
    for i = 1, 450 do put({ title = "n" .. i }, "/broadcast") end
    put({ title = "again", key = "m" }, "/broadcast")
    assert.equal("again: unseen", inbox("?limit=1").items[1].title .. ": " .. inbox("?limit=1").items[1].state)
  end)

  it("what is there keeps its state, whatever else is read; and it costs no more than it should #once", function()
    local id = put { title = "mine" }
    set_state { ids = { id }, action = "read" }
    for i = 0, 59 do
      local ids = {}
      for n = 1, 500 do ids[n] = invented(i * 500 + n) end
      set_state { ids = ids, action = "read" }
    end
    assert.equal("mine: read", titles())
    local box = ask("GET", "/box").json().own
    local count = 0
    for _ in pairs(box.marks) do count = count + 1 end
    assert.equal(600, count)
  end)
end)

describe("preferences", function()
  before_each(begin)

  it("mute tags: what has them is there, and counts not", function()
    put { title = "noise", tags = { "ci" }, severity = 5 }
    put { title = "news" }
    local preferences = { tags = { ci = "mute" }, quiet = { from = "22:00", to = "07:00" } }
    assert.equal(204, ask("PUT", "/preferences", preferences).status)
    assert.same({ unseen = 1, unread = 1, inbox = 2, severity = 3 }, inbox().counts)
    assert.same({ from = "22:00", to = "07:00" }, ask("GET", "/preferences").json().quiet)
    assert.equal(204, ask("PUT", "/preferences", {}).status)
    assert.equal(2, inbox().counts.unseen)
  end)

  it("that are wrong are refused by the field's name", function()
    for _, case in ipairs { { { tags = { ci = "loud" } }, "tags.ci" }, { { quiet = { from = "22:00" } }, "quiet.to" },
      { { quiet = { from = "22", to = "07:00" } }, "quiet.from" }, { { sound = true }, "sound" } } do
      refused(ask("PUT", "/preferences", case[1]), 400, case[2], "")
    end
  end)
end)

describe("who may", function()
  before_each(begin)

  it("publish has the claim; who reads has a name", function()
    for _, call in ipairs { { "POST", "/users/ann" }, { "DELETE", "/users/ann?key=k" }, { "POST", "/broadcast" },
      { "DELETE", "/broadcast?key=k" }, { "GET", "/presence" }, { "GET", "/presence/ann" } } do
      assert.equal(403, ask(call[1], call[2], call[1] == "POST" and { title = "x" } or nil).status, call[2])
      assert.equal(401, server:request(call[1], call[2]).status, call[2])
    end
    for _, path in ipairs { "/stream", "/inbox", "/box", "/preferences", "/export" } do
      assert.equal(401, server:get(path).status, path)
    end
    for _, call in ipairs { { "POST", "/state" }, { "PUT", "/preferences" }, { "DELETE", "/data" },
      { "POST", "/ticket" } } do
      assert.equal(401, server:request(call[1], call[2]).status, call[2])
    end
    tokens.nobody = weir.jwt.sign({ name = "x" }, { secret = weir.shared("notify demo"):get "secret" })
    assert.equal(403, ask("GET", "/inbox", nil, { as = "nobody" }).status)
    assert.equal("", titles "?view=all")
  end)

  it("see who is there", function()
    local events = server:sse("/stream", { headers = { Authorization = "Bearer " .. token "ann" } })
    events:next()
    assert.equal("notification.inbox.summed", events:next().event)
    local function present(path) return ask("GET", "/presence" .. path, nil, { as = "ci", publisher = true }).json() end
    assert.same({ streams = 1, subs = { ann = 1 } }, present "")
    assert.same({ 1, 0 }, { present("/ann").streams, present("/ben").streams })
    events:close()
  end)

  it("use the demo is on this machine, and does not come through a proxy or by another name", function()
    for _, headers in ipairs { { Host = "example.org" }, { Host = "127.0.0.1.example.org" },
      { Forwarded = "for=192.0.2.1" }, { ["X-Forwarded-For"] = "192.0.2.1" }, { ["X-Forwarded-Host"] = "a" },
      { ["X-Real-IP"] = "192.0.2.1" }, { Via = "1.1 a" } } do
      local answer = server:post("/demo/token", { body = "ann", headers = headers })
      assert.equal(403, answer.status)
      assert.matches("NOTIFY_SECRET", answer.body)
    end
    assert.equal(400, server:post("/demo/token", { body = "a/b" }).status)
  end)

  it("read by a ticket, where no header can be sent", function()
    put { title = "x" }
    local ticket = ask("POST", "/ticket").json().ticket
    assert.equal("weir.hello", server:sse("/stream?ticket=" .. ticket):next().event)
  end)
end)

describe("the module", function()
  after_each(support.remove_folders)

  it("is mounted in ten lines, and published to from Lua #workers", function()
    local path = support.app_file [[
      package.path = "apps/notify/?.lua;apps/notify/?/init.lua;" .. package.path
      local weir = require "weir"
      local notify = require "notify"
      local app = weir.app()
      app:mount("/notify", notify { secret = ("s"):rep(32), publishers = { role = "admin" } })
      app:post("/build/:n", function(stream)
        local id, reached = notify.publish("ann", { title = "build " .. stream.params.n, key = "build" })
        return { id = id, reached = reached }
      end)
      app:delete("/build", function() notify.withdraw("ann", { key = "build" }) end)
      app:post("/all", function() notify.broadcast { title = "all" } end)
      app:post("/wrong", function() notify.publish("ann", { severity = 9 }) end)
      app:post("/nobody", function() notify.publish(nil, { title = "private" }) end)
      app:post("/nothing", function() notify.withdraw("ann", {}) end)
      return app]]
    server = test.spawn { "serve", path, "--workers", 2, "--data", support.folder() }
    tokens = { ann = weir.jwt.sign({ sub = "ann" }, { secret = ("s"):rep(32) }),
      ["ci+"] = weir.jwt.sign({ role = "admin" }, { secret = ("s"):rep(32) }) }
    local events = server:sse("/notify/stream", { headers = { Authorization = "Bearer " .. tokens.ann } })
    events:next()
    events:next()
    assert.equal(1, server:post("/build/7").json().reached)
    assert.equal("build 7", json.decode(events:next().data).title)
    assert.equal("build 7", ask("GET", "/notify/inbox").json().items[1].title)
    assert.equal(201, publish("/notify/users/ann", { title = "by HTTP" }).status)
    server:delete "/build"
    server:post "/all"
    local list = ask("GET", "/notify/inbox").json().items
    assert.same({ 2, "all", "by HTTP" }, { #list, list[1].title, list[2].title })
    for _, wrong in ipairs { "/wrong", "/nobody", "/nothing" } do assert.equal(500, server:post(wrong).status) end
    test.eventually(function()
      return server:stderr():find("app%.lua:%d+: notify%.publish: title must be there")
    end)
  end)

  it("refuses options that are wrong, and a second inbox of another kind", function()
    for text, why in pairs {
      ['require "notify" { secret = ("s"):rep(32), cuont = 5 }'] = 'there is no option "cuont"',
      ['require "notify" { secret = ("s"):rep(32), count = "5" }'] = "count must be a number from 1 to 400",
      ['require "notify" { secret = ("s"):rep(32), bytes = 4e6 }'] = "bytes must be a number from 8192 to 262144",
      ['require "notify" { secret = ("s"):rep(32), age = "30d" }'] = "age must be a number",
      ['require "notify" { secret = ("s"):rep(32), name = "" }'] = "name must be a text",
      ['require "notify" { secret = ("s"):rep(32), listen = { "builds" } }'] = "listen must be a table of functions",
      ['require "notify"()'] = "options must be a table",
      ['require "notify" { secret = ("s"):rep(32), count = 5 }, require "notify" { secret = ("s"):rep(32) }'] =
        "has one inbox",
    } do
      local run = test.run { "check", (support.app_file(
        'package.path = "apps/notify/?.lua;apps/notify/?/init.lua;" .. package.path\nreturn ' .. text)) }
      assert.equal(1, run.code)
      assert.is_truthy((run.stdout .. run.stderr):find(why, 1, true), run.stdout .. run.stderr)
    end
  end)

  it("keeps what came over kill -9, with --data #workers", function()
    local data = support.folder()
    local arguments = { "serve", "apps/notify", "--workers", 2, "--data", data }
    tokens, server = {}, test.spawn(arguments)
    local id = put { title = "kept" }
    put({ title = "for all" }, "/broadcast")
    set_state { ids = { id }, action = "read" }
    server:stop "KILL"
    tokens, server = {}, test.spawn(arguments)
    assert.equal("for all: unseen, kept: read", titles())
  end)
end)

describe("what other apps of the server tell", function()
  local listener = [[
    package.path = "apps/notify/?.lua;apps/notify/?/init.lua;" .. package.path
    local weir = require "weir"
    local app = weir.app()
    weir.topics { builds = { durable = true } }
    app:post("/tell", function(stream) weir.publish("builds", stream:body()) end)
    app:mount("/", require "notify" { secret = ("s"):rep(32), listen = {
      builds = function(event)
        if event.data == "nothing" then return nil end
        if event.data == "a slip" then error "no luck" end
        return { title = event.data }, event.data == "for ben" and { "ben" } or nil
      end,
    } })
    return app
  ]]

  before_each(function()
    tokens = {}
    for _, name in ipairs { "ann", "ben" } do
      tokens[name] = weir.jwt.sign({ sub = name, exp = weir.now() + 600 }, { secret = ("s"):rep(32) })
    end
  end)
  after_each(support.remove_folders)

  it("becomes notifications, for whom the app says", function()
    server = test.start((support.app_file(listener)))
    for _, text in ipairs { "for all", "for ben", "nothing", "last" } do server:post("/tell", { body = text }) end
    test.eventually(function() return titles("", "ben") == "last: unseen, for ben: unseen, for all: unseen" end)
    assert.equal("last: unseen, for all: unseen", titles())
  end)

  it("is logged where it makes none, and what follows comes", function()
    server = test.start((support.app_file(listener)))
    for _, text in ipairs { "a slip", ("x"):rep(201), "last" } do server:post("/tell", { body = text }) end
    test.eventually(function() return titles() == "last: unseen" end)
    local said = test.log.take("an event makes no notification", "error")
    assert.equal(2, #said)
    assert.is_truthy(said[1].text:find("no luck", 1, true))
    assert.is_truthy(said[2].text:find("title must be a text of 1 to 200 bytes", 1, true))
  end)

  it("comes once, though the server is killed in between #workers", function()
    local path, data = support.app_file(listener), support.folder()
    local arguments = { "serve", path, "--workers", 2, "--data", data }
    server = test.spawn(arguments)
    for i = 1, 20 do server:post("/tell", { body = "n" .. i }) end
    server:stop "KILL"
    server = test.spawn(arguments)
    server:post("/tell", { body = "n21" })
    local wanted = {}
    for i = 1, 21 do wanted[22 - i] = ("n%d: unseen"):format(i) end
    test.eventually(function() return titles("?limit=100") == table.concat(wanted, ", ") end)
  end)
end)

describe("its README", function()
  after_each(support.remove_folders)

  it("says what curl gets", function()
    local secret = ("s"):rep(32)
    local spawned = test.spawn { "serve", "apps/notify", "--workers", 2, "--data", support.folder(),
      env = { NOTIFY_SECRET = secret } }
    local before = "export NOTIFY_SECRET=" .. secret
    assert.equal(5, support.assert_examples("apps/notify/README.md", "By curl", before, spawned))
  end)
end)
