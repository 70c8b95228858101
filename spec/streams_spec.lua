-- weir.streams: which streams there are over all workers, what is told of them, and ending them. lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

describe("weir.streams", function()
  local function with_ids(topics)
    local ids, reasons = {}, {}
    local server = support.serve(function(app)
      app:get("/", function(stream)
        ids[#ids + 1] = stream.id
        stream:on_close(function(reason) reasons[stream.id] = reason end)
        stream:sse():subscribe(topics)
      end)
    end)
    return server, ids, reasons
  end

  it("lists the streams of a topic with their ids and topics", function()
    local one, two = hub.topic "1", hub.topic "2"
    local server, ids = with_ids { one, two }
    local events = server:sse "/"
    local list = weir.streams { topic = one }:list()
    assert.equal(1, #list)
    assert.equal(ids[1], list[1].id)
    table.sort(list[1].topics)
    assert.same({ one, two }, list[1].topics)
    assert.equal(1, #weir.streams { id = ids[1] }:list())
    assert.equal(0, #weir.streams { topic = hub.topic() }:list())
    events:close()
    test.eventually(function() return #weir.streams { topic = one }:list() == 0 end)
    assert.equal(0, #weir.streams { id = ids[1] }:list())
  end)

  it("close ends those it chose, with the reason", function()
    local topic = hub.topic()
    local server, ids, reasons = with_ids(topic)
    local other_server, other_ids, other_reasons = with_ids(hub.topic())
    local one, two, other = server:sse "/", server:sse "/", other_server:sse "/"
    weir.streams { id = ids[1] }:close "revoked"
    assert.equal('{"reason":"revoked"}', one:next().data)
    assert.same({ nil, "closed" }, { one:next() })
    test.eventually(function() return reasons[ids[1]] end)
    assert.equal("revoked", reasons[ids[1]])
    assert.is_nil(reasons[ids[2]])
    weir.streams { topic = topic }:close "revoked"
    assert.equal("weir.auth", two:next().event)
    assert.same({ nil, "closed" }, { two:next() })
    test.eventually(function() return reasons[ids[2]] end)
    assert.same({ nil, "timeout" }, { other:next(0.01) })
    assert.is_nil(other_reasons[other_ids[1]])
  end)

  it("raises on what is no selection, order or number", function()
    assert.is_false((pcall(weir.streams, { tpoic = "x" })))
    for _, case in ipairs {
      { { srot = "id" }, "unknown option \"srot\".*did you mean sort" },
      { { sort = "size" }, 'sort must be "backlog", "age", "sent" or "id", got "size"' },
      { { sort = 1 }, "sort must be" },
      { { limit = 0 }, "limit must be a whole number, 1 or more" },
      { { limit = 1.5 }, "limit must be a whole number" },
      { { limit = "1" }, "limit must be a whole number" },
      { "id", "the options must be a table" },
    } do
      assert.error_matches(function() weir.streams({}):list(case[1]) end, "streams:list: .*" .. case[2])
    end
  end)
end)

describe("weir.streams{…}:list", function()
  local BIG = ("x"):rep(10000)
  local KEEP = { history = { count = 10000, bytes = "64MB" } }

  -- A server whose streams of /read/:n and /answer/:n are those of one token, and what chooses them.
  local function serve(topics)
    local sub = hub.topic()
    local server = support.serve(function(app)
      app:use(function(stream, next)
        stream.claims = { sub = sub }
        return next()
      end)
      app:get("/read/:n", function(stream) stream:sse { hello = true }:subscribe(topics) end)
      app:get("/answer/:n", function() return BIG:rep(1000) end)
    end)
    return server, weir.streams { sub = sub }, sub
  end

  local function ids_of(list)
    local ids = {}
    for i, row in ipairs(list) do ids[i] = row.id end
    return ids
  end

  it("says who each is and what it is at", function()
    local topic = hub.topic()
    local server, set, sub = serve { topic, weir.prefix "notes/" }
    local events = server:sse "/read/7?x=1"
    local id = weir.publish(topic, "x")
    events:next()
    local row = set:list()[1]
    assert.same({ "/read/7", "/read/:n", "GET", "sse", "127.0.0.1", sub },
      { row.path, row.route, row.method, row.kind, row.address, row.sub })
    assert.same({ topic, "notes/*" }, row.topics)
    assert.same({ 2, 0, 0, 0, id }, { row.topics_count, row.queued, row.behind, row.backlog, row.position })
    assert.is_true(row.sent >= #("data: x\n\n"))
    assert.is_true(row.age >= 0 and math.abs(weir.now() - row.age - row.started) < 1)
    events:close()
  end)

  it("is in the order that is asked for, the largest first, and no longer", function()
    local one, other = hub.topic(), hub.topic()
    local server, set = serve(one)
    local readers = { server:sse "/read/1", server:sse "/read/2", server:sse "/read/3" }
    local oldest = ids_of(set:list { sort = "age" })
    assert.equal(3, #oldest)
    assert.is_true(oldest[1] < oldest[2] and oldest[2] < oldest[3])
    assert.same({ oldest[3], oldest[2], oldest[1] }, ids_of(set:list { sort = "id" }))
    assert.same({ oldest[3] }, ids_of(set:list { sort = "id", limit = 1 }))
    assert.same({ oldest[1], oldest[2] }, ids_of(set:list { sort = "age", limit = 2 }))
    assert.equal(3, #set:list { limit = 3 })
    assert.equal(3, #set:list { limit = 4 })
    readers[2]:close()
    test.eventually(function() return #set:list() == 2 end)
    weir.publish(one, BIG)
    for _, reader in ipairs { readers[1], readers[3] } do
      while reader:next().data ~= BIG do end
    end
    local late = server:sse "/read/4" -- which is sent less than the others
    assert.equal("weir.hello", late:next().event)
    local sent = set:list { sort = "sent" }
    assert.equal(3, #sent)
    assert.is_true(sent[1].sent >= sent[2].sent and sent[2].sent > #BIG and sent[3].sent < #BIG)
    assert.is_true(sent[3].id > oldest[3])
    assert.equal(0, #weir.streams({ topic = other }):list { sort = "sent" })
  end)

  it("has in front who does not read, with what waits for it", function()
    local topic = hub.topic()
    hub.configure { [topic] = KEEP }
    local server, set = serve(topic)
    local reader = server:sse "/read/1"
    local stalled = server:sse("/read/2", { rcvbuf = 4096 })
    local reading = weir.spawn(function() while reader:next() do end end)
    for _ = 1, 1000 do weir.publish(topic, BIG) end
    local list
    test.eventually(function()
      list = set:list()
      return list[2].backlog == 0
    end)
    local row = list[1]
    assert.equal("/read/2", row.path)
    assert.is_true(row.behind > 0 and row.behind <= 1000)
    assert.is_true(row.backlog >= row.behind * #BIG)
    assert.is_true(row.backlog >= row.queued)
    assert.same({ row.id }, ids_of(set:list { limit = 1 }))
    stalled:close()
    reader:close()
    reading:join()
  end)

  it("names twenty topics of one stream, and counts all", function()
    local topics = {}
    for i = 1, 21 do topics[i] = hub.topic(tostring(i)) end
    local server, set = serve(topics)
    local events = server:sse "/read/1"
    local row = set:list()[1]
    assert.equal(20, #row.topics)
    assert.equal(21, row.topics_count)
    for _, topic in ipairs(topics) do assert.equal(1, #weir.streams({ topic = topic }):list()) end
    events:close()
  end)

  it("has complete answers that are not fetched, which only \"cancelled\" ends", function()
    local server, set = serve "none"
    local client = server:connect { rcvbuf = 4096 }
    client:send "GET /answer/1 HTTP/1.1\r\nHost: a\r\n\r\n"
    local row
    test.eventually(function()
      row = set:list()[1]
      return row and row.kind == "answer" and row.backlog > 1e6
    end)
    assert.equal("/answer/:n", row.route)
    for _, reason in ipairs { "revoked", "expired", "done", "drain" } do assert.equal(0, set:close(reason)) end
    assert.equal(row.id, set:list()[1].id)
    assert.equal(1, set:close "cancelled")
    assert.same({}, set:list())
    client:close()
  end)

  it("has streams that do not read, which \"cancelled\" ends at once", function()
    local topic = hub.topic()
    hub.configure { [topic] = KEEP }
    local server, set = serve(topic)
    local stalled = server:sse("/read/1", { rcvbuf = 4096 })
    for _ = 1, 1000 do weir.publish(topic, BIG) end
    test.eventually(function() return set:list()[1].queued > 0 end)
    assert.equal(1, set:close "done")
    assert.equal(1, #set:list()) -- what was published before is delivered first
    assert.equal(1, set:close "cancelled")
    assert.same({}, set:list())
    stalled:close()
  end)
end)

local process_app = [[
  local weir = require "weir"
  local app = weir.app()
  app:get("/read", function(stream)
    stream.claims = { sub = "reader" }
    stream:sse { hello = true }:subscribe "t"
  end)
  app:get("/list", function(stream)
    return weir.streams({ sub = "reader" }):list { sort = stream.query.sort, limit = tonumber(stream.query.limit) }
  end)
  app:post("/close", function() return { closed = weir.streams({ sub = "reader" }):close "cancelled" } end)
  local worker = weir.uuid()
  app:get("/worker", function() return worker end)
  app:get("/held", function() return io.open(os.getenv "HELD_BY"):read() end)
  app:get("/silent", function(stream)
    local cancelled = select(2, weir.timeout(0.1, function() return weir.streams({}):list() end))
    return { cancelled, select(2, weir.streams({}):list()) }
  end)
  return app
]]

describe("weir.streams of several workers #workers", function()
  after_each(support.remove_folders)

  it("are listed in one order, and ended", function()
    local server = test.spawn { "serve", (support.app_file(process_app)), "--workers", 4 }
    local readers = {}
    for i = 1, 16 do
      readers[i] = server:sse "/read"
      assert.equal("weir.hello", readers[i]:next().event)
    end
    local all = server:get("/list?sort=id").json()
    assert.equal(16, #all)
    for i = 2, 16 do assert.is_true(all[i - 1].id > all[i].id) end
    local some = server:get("/list?sort=id&limit=5").json()
    assert.equal(5, #some)
    for i = 1, 5 do assert.equal(all[i].id, some[i].id) end
    some = server:get("/list?sort=age&limit=5").json()
    assert.equal(5, #some)
    for i = 2, 5 do assert.is_true(some[i - 1].age >= some[i].age) end
    assert.equal(16, server:post("/close").json().closed)
    assert.same({}, server:get("/list").json())
    for _, reader in ipairs(readers) do assert.is_nil((reader:next())) end
    assert.equal(0, (server:stop()))
  end)

  it("are listed without those of a worker that does not reply", function()
    local path, pipe = support.resting_pipe()
    local server = test.spawn { "serve", (support.app_file(process_app)), "--workers", 2, env = { HELD_BY = path } }
    local function ask(client, target)
      client:send("GET " .. target .. " HTTP/1.1\r\nHost: a\r\n\r\n")
      return client
    end
    local clients = {} -- by worker
    test.eventually(function()
      local client = server:connect()
      clients[ask(client, "/worker"):receive_response().body] = client
      return next(clients, next(clients))
    end)
    local _, held = next(clients)
    local _, other = next(clients, next(clients))
    local function silent() return weir.json.decode(ask(other, "/silent"):receive_response().body) end
    assert.same({ 0, 0 }, silent())
    ask(held, "/held")
    test.eventually(function() return silent()[2] == 1 end, 20) -- it is in there
    assert.same({ "timeout", 1 }, silent())
    pipe:write "done\n"
    pipe:flush()
    assert.equal("done", held:receive_response().body)
    assert.same({ 0, 0 }, silent())
    assert.equal(0, (server:stop()))
  end)
end)
