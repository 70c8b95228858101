-- Who reads what of apps/logtail: what a token's claim chooses, that there is nothing else for its bearer, and what no
-- path, key or id leads to.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local logs = require "spec.logtail_support"
local json = weir.json

local has = logs.has

describe("who reads what", function()
  local three = { sources = {
    { path = "DIR/web.log", labels = { service = "web" }, readers = { "ops", "web-team" } },
    { path = "DIR/db.log", labels = { service = "db" }, readers = { "ops" } },
    { path = "DIR/audit.log" },
  }, alerts = {
    { name = "in web", source = "service=web" }, { name = "in all" },
  } }

  local function serve()
    logs.begin()
    for _, name in ipairs { "web", "db", "audit" } do logs.write(name .. ".log", "a line of " .. name) end
    logs.serve(three, logs.SECRET)
    logs.words = "*"
  end

  before_each(serve)
  after_each(support.remove_folders)

  local function names(words)
    local list = {}
    for i, file in ipairs(logs.get("/sources", words).json()) do list[i] = file.path:match "([^/]*)%.log$" end
    return table.concat(list, " ")
  end

  it("is what a claim says: all, by label, by path, by who may", function()
    assert.equal("web db audit", names "*")
    assert.equal("web", names "service=web")
    assert.equal("web db", names { "service=web", "service=db" })
    assert.equal("audit", names(logs.folder .. "/audit.log"))
    assert.equal("web db", names "ops")
    assert.equal("web", names { "web-team", "what is not there" })
  end)

  it("is nothing without a token, or with one that means nothing", function()
    for _, path in ipairs { "/lines", "/search", "/read", "/download", "/sources", "/alerts" } do
      assert.equal(401, logs.get(path).status, path)
      assert.equal(401, logs.get(path, nil, { Authorization = "Bearer none" }).status, path)
      for _, words in ipairs { "nothing", "", "service", "service=", "=web", "web", "ops*", "**", "/", "DIR/web.log/",
        logs.folder .. "/../web.log", logs.folder, { "x", { "*" } }, { 7, true }, { all = "*" }, 7, true } do
        assert.equal(403, logs.get(path, words).status, path .. " " .. json.encode(words))
      end
    end
    assert.equal(401, logs.post("/alerts/try", { name = "in web" }).status)
    assert.equal(403, logs.post("/alerts/try", { name = "in web" }, "web").status)
    assert.equal(403, logs.post("/ticket", {}, "web").status)
  end)

  it("is all that comes, live and searched, in every form", function()
    assert.equal("a line of web", logs.texts(logs.get("/search?format=ndjson&text=line", "service=web")))
    assert.equal("a line of web", logs.texts(logs.get("/read?format=ndjson", "service=web")))
    assert.equal("a line of web\n", logs.get("/download", "service=web").body)
    local events = logs.open("/lines", "service=web")
    assert.equal("a line of web", logs.lines(events, 1))
    logs.write("db.log", "not for you")
    logs.write("web.log", "another")
    assert.equal("another", logs.lines(events, 1))
  end)

  it("is all that there is: what is not theirs is answered as what never was", function()
    local key, never = logs.key "db.log", "00000000"
    assert.equal(200, logs.get("/search?format=text&only=" .. key, "*").status)
    local id = logs.read(logs.get("/read?format=ndjson&only=" .. key, "*"))[1].id
    for _, path in ipairs { "/search?only=KEY", "/read?only=KEY", "/lines?only=KEY", "/download?only=KEY",
      "/search?before=ID", "/read?after=ID", "/read?upto=ID", "/download?after=ID" } do
      local function ask(other) return (path:gsub("KEY", other):gsub("ID", (id:gsub("^%x+", other)))) end
      local theirs, none = logs.get(ask(key), "service=web"), logs.get(ask(never), "service=web")
      assert.same({ 404, none.body }, { theirs.status, theirs.body }, path)
      assert.equal(404, none.status, path)
    end
    assert.same({ 404, 404 }, { logs.post("/alerts/try", { name = "in all" }, "service=web").status,
      logs.post("/alerts/try", { name = "none" }, "service=web").status })
  end)

  it("is no more for who comes back with an id of what is not theirs", function()
    local events = logs.open("/lines?only=" .. logs.key "db.log", "*")
    assert.equal("a line of db", logs.lines(events, 1))
    local theirs = logs.open("/lines", "service=web", { last_event_id = events.last_id })
    assert.equal("a line of web", logs.lines(theirs, 1))
    logs.write("db.log", "not for you")
    logs.write("web.log", "another")
    assert.equal("another", logs.lines(theirs, 1))
  end)

  it("has alerts of what is theirs", function()
    local function rules(words)
      local list = {}
      for i, one in ipairs(json.decode(logs.expect(logs.open("/alerts", words), "alerts"))) do list[i] = one.name end
      return table.concat(list, ", ")
    end
    test.clock.advance(1)
    assert.equal("in web, in all", rules "*")
    assert.equal("in web", rules "service=web")
    assert.equal("", rules "service=db")
  end)

  it("hears of a wrong configuration only if that is all theirs", function()
    local all, some = logs.open("/lines", "*"), logs.open("/lines", "ops")
    logs.reconfigure "{"
    has(logs.expect(all, "configuration"), "it is not JSON")
    test.log.take "has an error"
    logs.lines(some, 2)
    logs.write("web.log", "another")
    logs.lines(some, 1)
    assert.is_nil(some.passed.configuration)
  end)

  it("is asked anew when the configuration changes", function()
    local events = logs.open("/lines", "web-team")
    assert.equal("a line of web", logs.lines(events, 1))
    three.sources[1].readers = { "ops" }
    logs.reconfigure(three)
    three.sources[1].readers = { "ops", "web-team" }
    while events:next() do end
    assert.equal(403, logs.get("/lines", "web-team").status)
    test.log.take "read anew"
  end)

  it("ends with the token", function()
    local events = logs.open("/lines", "*", { seconds = 60 })
    logs.lines(events, 3)
    test.clock.advance(61)
    assert.same({ reason = "expired" }, json.decode(logs.expect(events, "weir.auth")))
    assert.same({ nil, "closed" }, { events:next() })
    local client = assert(logs.server:connect())
    client:send(("GET /lines?format=text HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n")
      :format(logs.headers("*", 60).Authorization))
    local head = assert(client:receive_head())
    assert.is_truthy(client:receive_piece(head))
    test.clock.advance(61)
    local piece, why
    repeat piece, why = client:receive_piece(head) until not piece
    assert.equal("closed", why) -- it breaks off, so that nobody takes it for the end
  end)

  it("goes on where the token is renewed, and is let in by a ticket", function()
    local response = logs.server:post("/ticket", { headers = logs.headers "service=web" })
    local url = "/sources?ticket=" .. response.json().ticket
    assert.equal(200, logs.get(url).status)
    assert.equal(401, logs.get(url).status)
    local events = assert(logs.server:sse("/lines", { headers = logs.headers("*", 60) }))
    local id = json.decode(events:next().data).stream
    test.clock.advance(30)
    assert.equal(204, logs.server:post("/renew?stream=" .. id, { headers = logs.headers("*", 60) }).status)
    assert.equal(403, logs.server:post("/renew?stream=" .. id, { headers = logs.headers("web", 60) }).status)
    test.clock.advance(40)
    logs.lines(events, 3)
    logs.write("web.log", "still here")
    assert.equal("still here", logs.lines(events, 1))
  end)
end)

describe("a path that leads outside", function()
  before_each(logs.begin)
  after_each(support.remove_folders)

  local function link(from, to) assert(os.execute(("ln -s '%s' '%s'"):format(from, to)) == 0) end

  local function paths()
    local list = {}
    for i, file in ipairs(logs.get("/sources").json()) do list[i] = file.path:sub(#logs.folder + 2) end
    return table.concat(list, " ")
  end

  it("is a source's where it is named, and left out of what a glob finds", function()
    local outside = support.write_file(support.folder() .. "/secret.log", "not for you\n")
    assert(os.execute(("mkdir -p '%s/in/deep'"):format(logs.folder)) == 0)
    logs.write("in/deep/a.log", "one")
    link("deep/a.log", logs.folder .. "/in/inside.log")
    link(outside, logs.folder .. "/in/outside.log")
    link("../named.log", logs.folder .. "/in/up.log")
    link("nowhere", logs.folder .. "/in/nowhere.log")
    link(outside:match "^(.*)/", logs.folder .. "/in/folder.log")
    link(outside, logs.folder .. "/named.log")
    logs.serve { sources = { "DIR/in/*.log", "DIR/in/*/*.log", "DIR/named.log" } }
    local list = paths()
    assert.equal("in/inside.log in/deep/a.log named.log", list)
    assert.equal("one\none\nnot for you\n", logs.get("/read?format=text").body)
    assert.equal(1, #test.log.take "links that lead out of the folder")
  end)

  it("is none that an id could mean which somebody has made up", function()
    logs.write("a.log", "one")
    logs.write("secret.log", "not for you")
    logs.serve { sources = { "DIR/a.log" } }
    local pipe = io.popen(("stat -c %%i '%s/secret.log'"):format(logs.folder))
    local inode = pipe:read "*n"
    pipe:close()
    -- Its inode, none of its first bytes, their hash, and its beginning: all that a place tells.
    local id = ("%s~%x.0.c245a60a6228c352.0"):format(logs.key "a.log", inode)
    for _, path in ipairs { "/read?after=", "/search?before=", "/read?upto=", "/download?after=" } do
      local answer = logs.get(path .. id .. "&format=text")
      assert.is_nil(answer.body:find("not for you", 1, true), path)
    end
    local events = logs.open("/lines", nil, { last_event_id = id })
    assert.is_truthy(logs.expect(events, "gap"))
    assert.equal("one", logs.lines(events, 1))
  end)

  it("is none that a request could name", function()
    logs.write("a.log", "one")
    logs.serve { sources = { "DIR/a.log" } }
    for _, path in ipairs { "/..%2Fa.log", "/lines/..%2F..%2Fetc%2Fpasswd", "/a.log", "/download/etc/passwd",
      "/logtail/settings.lua", "/app.lua", "/public/index.html" } do
      assert.equal(404, logs.get(path).status, path)
    end
    assert.equal(400, logs.get("/../app.lua").status)
  end)
end)
