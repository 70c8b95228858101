-- The server of apps/logtail: how it is configured, what can be asked, and in which forms it answers. Who reads what
-- is in logtail_access_spec.lua, alerts are in logtail_alerts_spec.lua, what weir.logs does is in logs_spec.lua, the
-- page is in tests/browser.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local logs = require "spec.logtail_support"
local json = weir.json

-- Why the app does not start in that environment.
local function refusal(env)
  local all = { WEIR_LOG = false, WEIR_LOGS = false, LOGTAIL_SECRET = false }
  for name, value in pairs(env) do all[name] = value end
  local ok, err = pcall(test.start, { "apps/logtail/app.lua", env = all })
  assert.is_false(ok)
  return tostring(err)
end

local has = logs.has

describe("logtail, set up by WEIR_LOG", function()
  before_each(logs.begin)
  after_each(support.remove_folders)

  local function serve(paths)
    logs.server = test.start { "apps/logtail/app.lua",
      env = { WEIR_LOG = paths, WEIR_LOGS = false, LOGTAIL_SECRET = false } }
  end

  it("follows several files", function()
    local one, two = logs.write("one.log", "a"), logs.write("two.log", "b")
    serve(one .. ":" .. two)
    local paths = {}
    for i, file in ipairs(logs.get("/sources").json()) do paths[i] = file.path end
    assert.same({ one, two }, paths)
    local events = logs.open "/lines"
    local seen = logs.lines(events, 2)
    assert.is_true(seen == "a|b" or seen == "b|a", seen)
    logs.write("two.log", "c")
    assert.equal("c", logs.lines(events, 1))
  end)

  it("says how to set it up where nothing is set, and ends", function()
    serve(false)
    local events = logs.open "/lines"
    has(logs.expect(events, "setup"), "WEIR_LOG")
    assert.same({ nil, "closed" }, { events:next() })
    assert.is_true(events.complete)
    for _, path in ipairs { "/lines?format=text", "/search", "/read", "/download", "/sources", "/alerts" } do
      local answer = logs.get(path, nil, { Accept = "text/plain" })
      assert.equal(404, answer.status, path)
      has(answer.body, "WEIR_LOG")
    end
  end)

  it("does not start where it is not clear what is meant", function()
    has(refusal { WEIR_LOG = "/a", WEIR_LOGS = "/b" }, "set WEIR_LOG or WEIR_LOGS, not both")
    has(refusal { WEIR_LOG = "/a", LOGTAIL_SECRET = "short" }, "LOGTAIL_SECRET must have 32 bytes or more")
  end)
end)

describe("logtail, set up by a file", function()
  before_each(logs.begin)
  after_each(support.remove_folders)

  local function why_not(text, env)
    logs.configure(text)
    env = env or {}
    env.WEIR_LOGS = logs.file
    return refusal(env)
  end

  it("does not start without one that can be read", function()
    has(refusal { WEIR_LOGS = "logs.json" }, "WEIR_LOGS must be an absolute path")
    has(refusal { WEIR_LOGS = logs.folder .. "/none" }, "No such file or directory")
    has(refusal { WEIR_LOGS = logs.folder }, "Is a directory")
    has(why_not "", "is empty")
    has(why_not((" "):rep(1024 ^ 2 + 1)), "is longer than 1048576 bytes")
  end)

  it("says where it is no JSON", function()
    has(why_not '{\n  "sources": [,\n}', logs.file .. ": it is not JSON: line 2, column 15: ")
    has(why_not "{", "line 1, column ")
  end)

  it("says which field is wrong, and what it must be #once", function()
    for text, why in pairs {
      ["[]"] = "sources must be there",
      ["7"] = "all of it must be an object",
      ['{"sources": []}'] = "sources must be a list of 1 to 64",
      ['{"sources": ["/a"], "sorces": 1}'] = "sorces must be left out: there is no such field",
      ['{"sources": [7]}'] = "sources[0] must be a path, or an object with one",
      ['{"sources": ["/a", {"labels": {}}]}'] = "sources[1].path must be there",
      ['{"sources": [{"path": "/a", "labels": {"a=b": "c"}}]}'] = 'sources[0].labels.a=b must be named by a word',
      ['{"sources": [{"path": "/a", "labels": {"a": 7}}]}'] = "sources[0].labels.a must be a text of 1 to 200 bytes",
      ['{"sources": [{"path": "/a", "readers": ["*"]}]}'] = "sources[0].readers[0] must be a word",
      ['{"sources": [{"path": "/a", "readers": ["ops"]}]}'] = "sources[0].readers must be left out where there are no",
      ['{"sources": ["/a"], "tokens": {"issuer": "me"}}'] = "tokens must have key or jwks, or LOGTAIL_SECRET",
      ['{"sources": ["/a"], "redact": ["secrets"]}'] = "redact[0] must be \"tokens\", \"addresses\", or an object",
      ['{"sources": ["/a"], "redact": [{"with": "x"}]}'] = "redact[0].pattern must be there",
      ['{"sources": ["/a"], "redact": [{"pattern": "x", "with": "' .. ("y"):rep(201) .. '"}]}'] =
        "redact[0].with must be a text of at most 200 bytes",
      ['{"sources": ["/a"], "redact": [{"pattern": "("}]}'] = "redact: at byte 2 of the pattern",
      ['{"sources": ["/a"], "behind": "much"}'] = 'behind must be a size such as "4MB"',
      ['{"sources": ["/a"], "behind": "99999999999TB"}'] = "behind must be a size",
      ['{"sources": ["/a"], "behind": "4XB"}'] = "behind must be a size",
      ['{"sources": ["/a"], "page": "logs?x"}'] = "page must be the address of the page",
      ['{"sources": ["/a"], "alerts": [{"count": 1}]}'] = "alerts[0].name must be there",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "count": 0}]}'] = "alerts[0].count must be a whole number, 1 to",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "window": 60}]}'] = "alerts[0].window must be a time such as",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "window": "25h"}]}'] = "alerts[0].window must be a time",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "level": "loud"}]}'] = "alerts[0].level must be one of info, warn",
      ['{"sources": ["/a"], "alerts": [{"name": "x"}, {"name": "x"}]}'] = "alerts[1].name must be another one",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "source": "/b"}]}'] = 'alerts[0].source must be "*"',
      ['{"sources": ["/a"], "alerts": [{"name": "x", "include": [{"pattern": "("}]}]}'] = "alerts[0]: at byte 2",
      ['{"sources": ["/a"], "alerts": [{"name": "x", "include": [{"txt": 1}]}]}'] = "alerts[0].include[0].txt must be",
    } do
      has(why_not(text), ("WEIR_LOGS=%s: %s"):format(logs.file, why))
    end
  end)

  it("takes what is given in full", function()
    local path = logs.write("a.log", "one")
    logs.serve(([[{
      "sources": [{"path": "DIR/a.log", "labels": {"service": "web", "host": "w1"}, "readers": ["ops"]}, "DIR/b*.log"],
      "redact": ["tokens", "addresses", {"pattern": "\\d{4}", "with": "####"}], "behind": "1MB", "page": "/logs/",
      "tokens": {"issuer": "us", "claim": "groups", "leeway": 10},
      "alerts": [{"name": "x", "source": "ops", "include": ["a", {"field": "b", "is": "c"}],
        "exclude": [{"level": "info"}], "count": 1000, "window": "1d", "cooldown": "7d", "level": "warn",
        "text": "Oh", "to": ["ann"]}]
    }]]), logs.SECRET)
    local token = weir.jwt.sign({ iss = "us", groups = { "ops" } }, { secret = logs.SECRET, exp = 60 })
    local list = logs.server:get("/sources", { headers = { Authorization = "Bearer " .. token } }).json()
    assert.same({ path, { service = "web", host = "w1" } }, { list[1].path, list[1].labels })
    assert.is_nil(list[2])
    assert.equal(401, logs.get("/sources", "*").status) -- another issuer
  end)
end)

describe("logtail's configuration that changes", function()
  before_each(logs.begin)
  after_each(support.remove_folders)

  it("is in force after two looks; streams end, and who comes back goes on", function()
    logs.write("a.log", "a1")
    logs.serve { sources = { "DIR/a.log" } }
    local events = logs.open "/lines"
    assert.equal("a1", logs.lines(events, 1))
    logs.write("b.log", "b1")
    logs.reconfigure { sources = { "DIR/a.log", "DIR/b.log" } }
    while events:next() do end
    assert.is_true(events.complete)
    logs.write("a.log", "a2")
    events = logs.open("/lines", nil, { last_event_id = events.last_id })
    local seen = logs.lines(events, 2)
    assert.is_true(seen == "a2|b1" or seen == "b1|a2", seen)
    assert.equal(1, #test.log.take("the configuration was read anew", "info"))
  end)

  it("ends an answer of text as well", function()
    logs.write("a.log", "a1")
    logs.serve { sources = { "DIR/a.log" } }
    local client = assert(logs.server:connect())
    client:send "GET /lines HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n"
    local head = assert(client:receive_head())
    assert.equal("a1\n", client:receive_piece(head))
    logs.reconfigure { sources = { "DIR/a.log", "DIR/b.log" } }
    local piece, why = client:receive_piece(head)
    assert.is_nil(piece)
    assert.is_nil(why) -- the end, and not that it broke off
  end)

  it("with an error leaves the one before, says so once, and tells the page", function()
    logs.write("a.log", "a1")
    logs.serve { sources = { "DIR/a.log" } }
    local events = logs.open "/lines"
    assert.equal("a1", logs.lines(events, 1))
    logs.reconfigure '{"sources": ["DIR/a.log", 7]}'
    local wrong = "sources[1] must be a path, or an object with one"
    assert.same({ error = wrong }, json.decode(logs.expect(events, "configuration")))
    test.clock.advance(5)
    local said = test.log.take "logtail: the configuration has an error"
    assert.equal(1, #said)
    assert.equal("error", said[1].level)
    has(said[1].text, logs.file)
    has(said[1].text, wrong)
    has(said[1].text, "the one before stays in force")
    logs.write("a.log", "a2")
    assert.equal("a2", logs.lines(events, 1))
    assert.same({ error = wrong }, json.decode(logs.expect(logs.open "/lines", "configuration")))
    os.remove(logs.file)
    test.clock.advance(2)
    has(logs.expect(events, "configuration"), "it cannot be read")
    assert.equal(1, #test.log.take "logtail: the configuration has an error")
    logs.reconfigure { sources = { "DIR/a.log" } }
    while events:next() do end
    assert.is_nil(logs.open("/lines"):next(0.01).data:find "error")
    test.log.take "read anew"
  end)

  it("is not taken while it is being written", function()
    logs.write("a.log")
    logs.serve { sources = { "DIR/a.log" } }
    for _, half in ipairs { '{"sources"', '{"sources": [', '{"sources": ["DIR/a.log", ' } do
      logs.configure(half)
      test.clock.advance(1)
    end
    logs.reconfigure { sources = { "DIR/a.log" } }
    assert.same({}, test.log.take "logtail")
  end)

  it("neither opens nor closes the door", function()
    logs.write("a.log")
    logs.serve({ sources = { "DIR/a.log" }, tokens = { issuer = "us" } }, logs.SECRET)
    logs.reconfigure { sources = { "DIR/a.log" } }
    has(test.log.take("has an error", "error")[1].text, "tokens must be as they were at the start")
    assert.equal(401, logs.get("/sources").status)
  end)
end)

describe("a question", function()
  before_each(function()
    logs.begin()
    logs.write("a.log", "2026-01-31T12:00:00Z info: one", "2026-01-31T12:00:01Z error: two",
      '{"level":"error","user":{"id":7}}')
    logs.serve { sources = { "DIR/a.log" } }
  end)
  after_each(support.remove_folders)

  it("is 400 where it cannot be meant, and says what could be", function()
    local key = logs.key "a.log"
    for query, why in pairs {
      ["lvl=warn"] = 'there is no parameter "lvl" for PATH',
      ["level=loud"] = "level",
      ["level=warn&level=error"] = "level may be given once",
      ["pattern=("] = "at byte 2 of the pattern",
      ["is=7"] = "field and is come in pairs: field=user.id&is=7",
      ["notfield=a&notis=1&notfield=b"] = "notfield and notis come in pairs",
      ["lines=-1"] = "lines must be a whole number, 0 to 100000",
      ["lines=100001"] = "lines must be a whole number, 0 to 100000",
      ["lines=1e3"] = "lines must be a whole number",
      ["lines="] = "lines must be a whole number",
      ["since=yesterday"] = "since must be seconds since 1970, or a time as ISO 8601 has it",
      ["until=2026-02-29"] = "until must be seconds since 1970",
      ["since=2026-01-31T25:00"] = "since must be seconds",
      ["since=1e99"] = "since must be seconds",
      ["until="] = "until must be seconds",
      ["only=web"] = "only must be the key of a file, 8 hex digits",
      ["only=..%2F..%2Fetc%2Fpasswd"] = "only must be the key of a file",
      ["format=xml"] = "format must be events, ndjson or text",
      ["text=" .. ("x"):rep(1025)] = "1024",
      [("text=a&"):rep(33)] = "32",
      [("only=" .. key .. "&"):rep(101)] = "only may be given 100 times",
    } do
      for _, path in ipairs { "lines", "search", "read", "download" } do
        local answer = logs.get(("/%s?%s"):format(path, query))
        assert.equal(400, answer.status, path .. " " .. query)
        has(answer.body, (why:gsub("PATH", path)))
      end
    end
    for query, why in pairs {
      ["search?before=x"] = "before must be the id of a line",
      ["read?after=" .. key] = "after must be the id of a line",
      ["read?upto=" .. key .. "~1,"] = "upto must be the id", ["download?after=..~1"] = "after must be the id",
      ["read?after=" .. key .. "~" .. ("1"):rep(7000)] = "it is no id",
      ["search?after=" .. key .. "~1"] = 'there is no parameter "after" for search',
      ["read?before=" .. key .. "~1"] = 'there is no parameter "before" for read',
    } do
      local answer = logs.get("/" .. query)
      assert.equal(400, answer.status, query)
      has(answer.body, why)
    end
    assert.same({}, test.log.take "logtail")
  end)

  it("has times in several forms, which mean the same", function()
    for _, time in ipairs { "1769860801", "2026-01-31T12:00:01Z", "2026-01-31T12:00:01", "2026-01-31 12:00:01.0",
      "2026-01-31T13:00:01+01:00", "2026-01-31T13:00:01%2B0100", "2026-01-31T09:30:01-02:30" } do
      local found = logs.texts(logs.get("/search?format=ndjson&text=T12:&since=" .. time:gsub(" ", "%%20")))
      assert.equal("2026-01-31T12:00:01Z error: two", found, time)
    end
    assert.equal("2026-01-31T12:00:00Z info: one|2026-01-31T12:00:01Z error: two",
      logs.texts(logs.get "/search?format=ndjson&text=T12:&since=2026-01-31"))
    assert.equal("2026-01-31T12:00:00Z info: one",
      logs.texts(logs.get "/read?format=ndjson&text=T12:&until=2026-01-31T12:00:01Z"))
  end)

  it("chooses lines", function()
    for query, found in pairs {
      ["text=ERROR&text=two"] = "2026-01-31T12:00:01Z error: two",
      ["not=error"] = "2026-01-31T12:00:00Z info: one",
      ["level=error&not=user"] = "2026-01-31T12:00:01Z error: two",
      ["pattern=o.e%24"] = "2026-01-31T12:00:00Z info: one",
      ["field=user.id&is=7"] = '{"level":"error","user":{"id":7}}', ["text=three"] = "",
      ["field=user.id&is=7&field=level&is=info"] = "",
      ["level=error&notfield=user.id&notis=7&notfield=a&notis="] = "2026-01-31T12:00:01Z error: two",
    } do
      for _, path in ipairs { "search", "read" } do
        assert.equal(found, logs.texts(logs.get(("/%s?format=ndjson&%s"):format(path, query))), path .. " " .. query)
      end
    end
  end)
end)

describe("an answer", function()
  before_each(function()
    logs.begin()
    logs.write("a.log", "one", "two", "three")
    logs.serve { sources = { "DIR/a.log", "DIR/none.log" } }
  end)
  after_each(support.remove_folders)

  local function objects(events)
    local list = {}
    for text in logs.expect(events, "lines"):gmatch "[^\n]+" do list[#list + 1] = json.decode(text) end
    return list
  end

  it("of events has, live, the sources, and the lines with a place behind them", function()
    local events = logs.open "/lines?text=o"
    local files = { json.decode(logs.expect(events, "source")), json.decode(logs.expect(events, "source")) }
    assert.same({ "found", "waiting" }, { files[1].state, files[2].state })
    local lines = objects(events)
    assert.same({ "one", "two" }, { lines[1].line, lines[2].line })
    assert.equal(files[1].key, lines[1].id:match "^(%x+)~")
    assert.is_truthy(events.last_id:find(files[1].key, 1, true))
  end)

  it("of events has, when it is finite, an end", function()
    local events = logs.open "/search?text=o"
    local lines = objects(events)
    assert.same({ "one", "two" }, { lines[1].line, lines[2].line })
    assert.equal("{}", logs.expect(events, "end"))
    assert.same({ nil, "closed" }, { events:next() })
  end)

  it("of events has no line that would not fit, and says so", function()
    logs.write("b.log", "first", ("\1"):rep(100000), "last")
    logs.serve { sources = { "DIR/b.log" } }
    local events = logs.open "/lines"
    local pieces, bytes = 0, 0
    repeat
      local list = objects(events)
      for _, line in ipairs(list) do
        if line.cut then pieces, bytes = pieces + 1, bytes + #line.line end
      end
    until list[#list].line == "last"
    assert.equal(100000, bytes)
    assert.equal(4, pieces) -- of 32 KB
    logs.write("c.log", "first", ("x"):rep(2000), "last")
    logs.serve { sources = { "DIR/c.log" }, redact = { { pattern = "x", with = ("y"):rep(200) } } }
    events = logs.open "/lines"
    local gap = json.decode(logs.expect(events, "gap"))
    assert.equal(logs.key "c.log", gap.source)
    assert.is_true(gap.lines >= 1 and gap.lines <= 3)
    logs.write("c.log", "after it")
    local list
    repeat list = objects(events) until list[#list].line == "after it"
  end)

  it("is text or ndjson for who accepts that, or asks for it", function()
    for _, path in ipairs { "/search?text=o", "/read?text=o", "/download?text=o" } do
      local text = logs.get(path, nil, { Accept = "text/plain" })
      assert.equal("text/plain; charset=utf-8", text.headers["content-type"])
      assert.equal("one\ntwo\n", (text.body:gsub("%-%- [^\n]*\n", "")))
      local answer = logs.get(path, nil, { Accept = "application/x-ndjson" })
      assert.equal("application/x-ndjson", answer.headers["content-type"])
      assert.equal("one|two", logs.texts(answer))
      assert.equal(answer.body, logs.get(path .. "&format=ndjson", nil, { Accept = "text/plain" }).body)
    end
    assert.equal("Accept", logs.get("/search?format=text").headers.vary)
  end)

  it("goes on from where it ended", function()
    local lines, told = logs.read(logs.get "/read?format=ndjson&lines=2")
    assert.same({ "one", "two" }, { lines[1].line, lines[2].line })
    lines = logs.read(logs.get("/read?format=ndjson&after=" .. told["end"].newer))
    assert.same({ "three" }, { lines[1].line })
    lines, told = logs.read(logs.get "/search?format=ndjson&lines=2")
    assert.same({ "two", "three" }, { lines[1].line, lines[2].line })
    lines = logs.read(logs.get("/search?format=ndjson&before=" .. told["end"].older))
    assert.same({ "one" }, { lines[1].line })
  end)

  it("of download is a file, and all of it", function()
    local numbers = {}
    for i = 1, 25000 do numbers[i] = "no. " .. i end
    logs.write("a.log", table.concat(numbers, "\n"))
    local answer = logs.get "/download?text=no."
    assert.matches('^attachment; filename="log%-%d+%-%d+%.log"$', answer.headers["content-disposition"])
    assert.is_true(answer.body == table.concat(numbers, "\n") .. "\n", #answer.body .. " bytes")
    assert.equal("no. 1\nno. 2\n", logs.get("/download?text=no.&lines=2").body)
    assert.matches("%.ndjson\"$", logs.get("/download?lines=1&format=ndjson").headers["content-disposition"])
    local lines = logs.read(logs.get "/read?format=ndjson&text=no.&lines=30")
    assert.equal("no. 3\nno. 4\n", logs.get(("/download?after=%s&upto=%s"):format(lines[2].id, lines[4].id)).body)
  end)

  it("to HEAD ends", function()
    for _, path in ipairs { "/lines", "/search", "/read", "/download", "/alerts" } do
      assert.equal(200, logs.server:head(path).status, path)
    end
  end)
end)

describe("logtail's README", function()
  after_each(support.remove_folders)

  it("says what curl gets, with the configuration that it shows", function()
    local readme, folder = support.read_file "apps/logtail/README.md", support.folder()
    support.write_file(folder .. "/logs.json", (readme:match "```json\n(.-)```":gsub("/var/log", folder)))
    support.write_file(folder .. "/shop.log", "2026-01-31T12:00:00Z info: order 7 for 192.0.2.17\n"
      .. "2026-01-31T12:00:01Z error: card=4711 was refused\n2026-01-31T12:00:02Z info: order 8\n")
    local server = test.spawn { "serve", "apps/logtail", "--workers", 2,
      env = { WEIR_LOGS = folder .. "/logs.json", LOGTAIL_SECRET = logs.SECRET } }
    local before = ("export LOGTAIL_SECRET='%s'"):format(logs.SECRET)
    assert.equal(3, support.assert_examples("apps/logtail/README.md", "By curl", before, server))
  end)
end)
