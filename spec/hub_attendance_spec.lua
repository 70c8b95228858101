-- Coming and going as events: the rule `presence` of weir.topics.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"

-- An app whose GET /?name=ann subscribes her to `topic`, whose rule tells `who`.
local function serve(topic, options)
  return support.serve(function(app)
    weir.topics { [topic] = options }
    app:get("/", function(stream)
      stream.claims = { sub = stream.query.name }
      stream:sse():subscribe(topic)
    end)
  end)
end

-- The next one told, as "weir.join ann 1".
local function told(sub)
  local event, why = sub:next(5)
  if not event then return why end
  local data = weir.json.decode(event.data)
  return ("%s %s %d"):format(event.event, data.sub, data.streams), data.topic
end

describe("presence as events", function()
  after_each(support.remove_folders)

  it("tells a subject's first stream, and its last one gone", function()
    hub.freeze()
    local topic, who = hub.topic(), hub.topic "who"
    local server = serve(topic, { presence = who, linger = 3 })
    local sub = weir.subscribe(who)
    local one = server:sse "/?name=ann"
    assert.same({ "weir.join ann 1", topic }, { told(sub) })
    local two = server:sse "/?name=ann"
    local ben = server:sse "/?name=b%22%0A%C3%BC"
    assert.equal('weir.join b"\n\195\188 3', told(sub))
    one:close()
    two:close()
    test.eventually(function() return weir.presence(topic).streams == 1 end)
    test.clock.advance(2)
    local three = server:sse "/?name=ann"
    test.clock.advance(60)
    ben:close()
    test.eventually(function() return weir.presence(topic).streams == 1 end)
    test.clock.advance(4)
    assert.equal('weir.leave b"\n\195\188 1', told(sub))
    three:close()
    test.eventually(function() return weir.presence(topic).streams == 0 end)
    test.clock.advance(4)
    assert.equal("weir.leave ann 0", told(sub))
  end)

  it("waits five seconds for who is gone, unless it is told otherwise", function()
    hub.freeze()
    local topic, who = hub.topic(), hub.topic "who"
    local server = serve(topic, { presence = who })
    local sub = weir.subscribe(who)
    local one = server:sse "/?name=ann"
    assert.equal("weir.join ann 1", (told(sub)))
    one:close()
    test.eventually(function() return weir.presence(topic).streams == 0 end)
    test.clock.advance(4.9)
    assert.same({ nil, "timeout" }, { sub:next(0) })
    test.clock.advance(0.2)
    assert.equal("weir.leave ann 0", (told(sub)))
  end)

  it("tells nobody of a stream without a sub", function()
    local topic, who = hub.topic(), hub.topic "who"
    local server = serve(topic, { presence = who })
    local sub = weir.subscribe(who)
    server:sse "/"
    server:sse "/?name=ann"
    assert.equal("weir.join ann 2", told(sub))
  end)

  it("is one over all workers, and durable where its topic is #workers", function()
    local server = test.spawn { "serve", (support.app_file [[
      local weir = require "weir"
      weir.topics { ["room/*"] = { presence = "who/*", linger = 0 }, ["who/*"] = { durable = true } }
      local app = weir.app()
      app:get("/", function(stream)
        stream.claims = { sub = stream.query.name }
        stream:sse():subscribe("room/1")
      end)
      app:get("/who", function(stream) stream:sse():subscribe("who/1", { after = "earliest" }) end)
      return app
    ]]), "--workers", 2, "--data", support.folder() }
    local who, streams = server:sse "/who", {}
    for i = 1, 8 do streams[i] = server:sse "/?name=ann" end
    assert.equal("weir.join ann 1", (told(who)))
    for i = 1, 8 do streams[i]:close() end
    assert.equal("weir.leave ann 0", (told(who)))
    server:stop()
  end)

  it("is refused where it makes no sense", function()
    local wrong = {
      { { presence = "" }, "presence" }, { { presence = "a*b" }, "presence" }, { { presence = 1 }, "presence" },
      { { presence = "a\nb" }, "presence" }, { { presence = "who", linger = -1 }, "linger" },
      { { linger = 1 }, "linger without presence" },
    }
    for _, case in ipairs(wrong) do
      assert.error_matches(function() weir.topics { ["t/*"] = case[1] } end, "weir.topics: " .. case[2])
    end
    assert.error_matches(function() weir.topics { t = { presence = "who/*" } } end, "weir.topics: presence")
  end)
end)
