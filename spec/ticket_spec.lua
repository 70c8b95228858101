-- weir.ticket{…} and from = { "ticket" }: what stands for a token where no header can be sent; lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local tokens = require "spec.token_support"

local SECRET, sign, token_for, bearer = tokens.SECRET, tokens.sign, tokens.of, tokens.bearer
local id_of, assert_ends = tokens.stream_of, tokens.assert_ends

-- What most specs want: POST /ticket behind a token in a header, /s/... by tickets too. `options` are those of what
-- takes them, and `ticket` among them those of the handler.
local function serve(options, more)
  options = options or {}
  local ticket = options.ticket
  options.ticket, options.secret, options.from = nil, SECRET, { "bearer", "ticket", "cookie:session" }
  return support.serve(function(app)
    app:post("/ticket", weir.jwt { secret = SECRET }, weir.ticket(ticket))
    app:use("/s", weir.jwt(options))
    app:get("/s/who", function(stream) return stream.claims.sub or "nobody" end)
    app:get("/s/held", function(stream)
      stream:sse { hello = true, heartbeat = false }
      weir.sleep(1e6)
    end)
    app:get("/s/:topic", function(stream)
      stream:sse({ hello = true, heartbeat = false, retry = 10 }):subscribe("tickets/" .. stream.params.topic)
    end)
    app:get("/s/*rest", function(stream) return stream.path end)
    app:post("/s/ticket", weir.ticket())
    app:post("/renew", weir.jwt.renewal { secret = SECRET })
    if more then more(app) end
  end)
end

local function post_ticket(server, token, path)
  local query = path and "?path=" .. path:gsub("[^%w/]", function(c) return ("%%%02X"):format(c:byte()) end) or ""
  return server:post("/ticket" .. query, { headers = bearer(token) })
end

local function ticket_for(server, token, path) return post_ticket(server, token, path).json().ticket end

-- The pair of a Set-Cookie, as a request sends it.
local function cookie_of(answer) return answer.headers["set-cookie"]:match "^[^;]*" end

local function refusals()
  local texts = {}
  for i, line in ipairs(test.log.take "was refused") do texts[i] = line.text:match "refused: (.-) %a+=" end
  return texts
end

describe("a ticket", function()
  it("is made behind weir.jwt, in letters for a URL, no two alike, and kept by nobody", function()
    local server = serve()
    local response = post_ticket(server, token_for "ann")
    assert.equal(200, response.status)
    assert.equal("no-store", response.headers["cache-control"])
    local one, two = response.json().ticket, ticket_for(server, token_for "ann")
    assert.matches("^[%w_-]+$", one)
    assert.is_true(#one > 40 and #one < 60)
    assert.are_not.equal(one, two)
    assert.are_not.equal(one:sub(1, 32), two:sub(1, 32)) -- the random part
    assert.equal(401, server:post("/ticket").status)
  end)

  it("stands for its token once", function()
    local server = serve()
    local ticket = ticket_for(server, token_for "ann")
    local response = server:get("/s/who?ticket=" .. ticket)
    assert.equal("200 ann", response.status .. " " .. response.body)
    assert.equal("no-referrer", response.headers["referrer-policy"])
    assert.matches("private", response.headers["cache-control"])
    response = server:get("/s/who?ticket=" .. ticket)
    assert.equal(401, response.status)
    assert.equal('Bearer realm="weir", error="invalid_token"', response.headers["www-authenticate"])
    assert.equal("401 Unauthorized\n", response.body)
    assert.same({ "it was used before, and its cookie did not come" }, refusals())
  end)

  it("has half a minute, or the ttl that it is given", function()
    test.clock.freeze()
    for _, case in ipairs { { nil, 30 }, { { ttl = 2.5 }, 2.5 }, { { ttl = 60 }, 60 } } do
      local server = serve { ticket = case[1] }
      local one, two = ticket_for(server, token_for "ann"), ticket_for(server, token_for "ann")
      test.clock.advance(case[2] - 0.01)
      assert.equal(200, server:get("/s/who?ticket=" .. one).status)
      test.clock.advance(0.01)
      assert.equal(401, server:get("/s/who?ticket=" .. two).status)
      assert.same({ "it is too old, or was never made, and its cookie did not come" }, refusals())
    end
  end)

  it("is for the path that it was asked for, however that is written; without one for that of its first use", function()
    local server = serve()
    local token = token_for "ann"
    for _, case in ipairs {
      { "/s/who", "/s/who", 200 },
      { "/s/%77ho", "/s/who", 200 },
      { "/s/who", "/s/wh%6F", 200 },
      { "/s/a b/c", "/s/a%20b/c", 200 },
      { "/s/a%2Fb/c", "/s/a%2fb/c", 200 },
      { "/s/a%2Fb/c", "/s/a/b/c", 401 },
      { "/s/a/b/c", "/s/a%2Fb/c", 401 },
      { "/s", "/s/who", 401 },
      { "/s/who/", "/s/who", 401 },
      { "/s/whom", "/s/who", 401 },
      { "/", "/s/who", 401 },
    } do
      local ticket = ticket_for(server, token, case[1])
      assert.equal(case[3], server:get(case[2] .. "?ticket=" .. ticket).status, case[1] .. " for " .. case[2])
      local said = refusals()
      if case[3] == 401 then assert.same({ "it was made for another path" }, said) end
      -- who has shown it elsewhere has used it
      assert.equal(401, server:get(case[2] .. "?ticket=" .. ticket).status)
      refusals()
    end
    local ticket = ticket_for(server, token)
    local first = server:get("/s/x/y?ticket=" .. ticket)
    assert.equal("/s/x/y", first.body)
    assert.equal(401, server:get("/s/x/z?ticket=" .. ticket, { headers = { Cookie = cookie_of(first) } }).status)
  end)

  it("is not made for what is no path", function()
    local server = serve()
    for path, why in pairs {
      [""] = "/", ["s/who"] = "/", ["https://a.example/s"] = "/", ["/a/../b"] = "segment", ["/%zz"] = "%%",
      ["/a//b"] = "empty", ["/%00"] = "NUL",
    } do
      local response = post_ticket(server, token_for "ann", path)
      assert.equal(400, response.status, path)
      assert.matches("^path: .*" .. why, response.body)
    end
    assert.equal(400, server:post("/ticket?path=/a&path=/b", { headers = bearer(token_for "ann") }).status)
  end)

  it("is not taken where nobody asked for tickets, nor for a token in its place", function()
    local server = serve(nil, function(app)
      app:get("/plain", weir.jwt { secret = SECRET, from = { "bearer", "query" } }, function() return "in" end)
    end)
    local ticket = ticket_for(server, token_for "ann")
    assert.equal(401, server:get("/plain?ticket=" .. ticket).status)
    assert.equal(401, server:get("/plain?access_token=" .. ticket).status)
    assert.equal(401, server:get("/s/who?ticket=" .. token_for "ann").status)
    assert.equal(200, server:get("/s/who?ticket=" .. ticket).status) -- nobody had used it
  end)

  it("counts once, before a cookie: with a header, or twice, it is 400, and not used by that", function()
    local server = serve()
    local ticket = ticket_for(server, token_for "ann")
    for _, response in ipairs {
      server:get("/s/who?ticket=" .. ticket, { headers = bearer(token_for "ann") }),
      server:get("/s/who?ticket=" .. ticket .. "&ticket=" .. ticket),
    } do
      assert.equal(400, response.status)
      assert.equal('Bearer realm="weir", error="invalid_request"', response.headers["www-authenticate"])
    end
    local headers = { Cookie = "session=" .. token_for "bob" }
    assert.equal("bob", server:get("/s/who", { headers = headers }).body)
    assert.equal("ann", server:get("/s/who?ticket=" .. ticket, { headers = headers }).body)
    assert.equal(401, server:get("/s/who?ticket=" .. ticket, { headers = headers }).status)
  end)

  it("of any other kind is 401 with the same bytes", function()
    test.clock.freeze()
    local server = serve()
    local used, late = ticket_for(server, token_for "ann"), ticket_for(server, token_for "ann")
    server:get("/s/who?ticket=" .. used)
    local other = ticket_for(server, token_for "ann", "/s/other")
    local function answer(text)
      local client = server:connect()
      client:send(("GET /s/who?ticket=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" ..
        "X-Request-Id: the-same\r\n\r\n"):format(text))
      return client:receive_all()
    end
    local first = answer(used)
    assert.matches("^HTTP/1.1 401", first)
    local fresh = ticket_for(server, token_for "ann")
    for _, text in ipairs {
      other, "", "x", "%00", "%FF%FE", ("A"):rep(54), ("A"):rep(5000), used:sub(1, -2), used .. "A",
      fresh:sub(1, -3) .. (fresh:sub(-2) == "AA" and "BA" or "AA"),
    } do
      assert.equal(first, answer(text), text)
      assert.equal(nil, first:find("Set-Cookie", 1, true))
    end
    test.clock.advance(30)
    assert.equal((first:gsub("Date: [^\r]*", "")), (answer(late):gsub("Date: [^\r]*", "")))
    for _, line in ipairs(test.log.take ".*") do
      for _, ticket in ipairs { used, late, other, fresh } do
        assert.is_nil(line.text:find(ticket:sub(1, 20), 1, true))
      end
    end
  end)

  it("gives no more than its token: it is verified again, by the rules of the path", function()
    test.clock.freeze()
    local allowed = true
    local rules = { claims = function(claims) return allowed and claims.sub ~= "eve" end, leeway = 0 }
    local server = serve(rules, function(app)
      local function never() return "in" end
      app:get("/strict", weir.jwt { secret = SECRET, from = { "ticket" }, audience = "strict" }, never)
      app:get("/foreign", weir.jwt { secret = SECRET .. "!", from = { "ticket" } }, never)
      app:get("/late", weir.jwt { secret = SECRET, from = { "ticket" }, leeway = 0, expired = "event" }, function() end)
    end)
    assert.equal(403, server:get("/s/who?ticket=" .. ticket_for(server, token_for "eve")).status)
    assert.equal(401, server:get("/strict?ticket=" .. ticket_for(server, token_for "ann")).status)
    assert.equal(401, server:get("/foreign?ticket=" .. ticket_for(server, token_for "ann")).status)
    local revoked, short, event = ticket_for(server, token_for "ann"), ticket_for(server, token_for("ann", 10)),
      ticket_for(server, token_for("ann", 10))
    test.clock.advance(10)
    assert.equal(401, server:get("/s/who?ticket=" .. short).status)
    local events = server:sse("/late?ticket=" .. event)
    assert_ends(events, "expired")
    refusals()
    allowed = false
    assert.equal(403, server:get("/s/who?ticket=" .. revoked).status)
    assert.same({ "its token: its claims do not allow this request" }, refusals())
  end)

  it("makes no tickets, nor does anything else that is no token", function()
    local server = serve(nil, function(app) app:post("/alone", weir.ticket()) end)
    local ticket = ticket_for(server, token_for "ann")
    local response = server:post("/s/ticket?ticket=" .. ticket)
    assert.equal("403 a ticket makes no tickets", response.status .. " " .. response.body)
    response = server:post("/s/ticket", { headers = { Cookie = "session=" .. token_for "ann" } })
    assert.equal(200, response.status)
    assert.equal(500, server:post("/alone").status)
    assert.matches("put the handler behind weir.jwt", test.log.take("weir.ticket: there is no token")[1].text)
  end)

  it("is not made for a token that no cookie could hold", function()
    local server = serve()
    local exp = math.floor(weir.now()) + 600
    local function token(n) return sign { sub = "ann", fill = ("x"):rep(n), exp = exp } end
    local n = 2000
    while #token(n + 1) <= 3000 do n = n + 1 end
    local ticket = ticket_for(server, token(n))
    local answer = server:get("/s/who?ticket=" .. ticket)
    assert.is_true(#cookie_of(answer) <= 4096)
    assert.equal(200, server:get("/s/who?ticket=" .. ticket, { headers = { Cookie = cookie_of(answer) } }).status)
    local response = post_ticket(server, token(n + 1))
    assert.equal(400, response.status)
    assert.matches("^the token has %d+ bytes", response.body)
  end)

  it("of a token without sub or exp is one as well", function()
    local server = serve()
    local ticket = ticket_for(server, sign {})
    local answer = server:get("/s/who?ticket=" .. ticket)
    assert.equal("nobody", answer.body)
    assert.is_nil(answer.headers["set-cookie"]:find "Max%-Age")
    assert.equal(200, server:get("/s/who?ticket=" .. ticket, { headers = { Cookie = cookie_of(answer) } }).status)
  end)

  it("is not made while the store cannot be used, where its keys are", function()
    local server = support.serve_text(([[
      local weir = require "weir"
      local app = weir.app()
      app:post("/ticket", weir.jwt { secret = %q }, weir.ticket())
      return app
    ]]):format(SECRET))
    test.fault("store_read", "EIO")
    local response = post_ticket(server, token_for "ann")
    assert.equal("503 there are no tickets now", response.status .. " " .. response.body)
    assert.matches("the store cannot be used", test.log.take("weir.ticket")[1].text)
    assert.equal(200, post_ticket(server, token_for "ann").status)
    support.remove_folders()
  end)

  it("wants options that are right", function()
    for _, options in ipairs { { ttl = 0 }, { ttl = -1 }, { ttl = "30" }, { tll = 3 }, "30" } do
      local ok, err = pcall(function() weir.ticket(options) end)
      assert.is_false(ok)
      assert.matches("^spec/ticket_spec.lua:%d+: weir.ticket: ", err)
    end
  end)
end)

describe("the number of tickets", function()
  local function two_hundred(server)
    local made = {}
    for i = 1, 200 do
      local response = post_ticket(server, token_for "ann")
      made[i] = response.status == 200 and response.json().ticket or response
    end
    return made
  end

  after_each(support.remove_folders)

  it("has a limit: beyond it 503, until their time is over", function()
    local server = support.serve_text(([[
      local weir = require "weir"
      weir.limits { tickets = 150 }
      local app = weir.app()
      app:post("/ticket", weir.jwt { secret = %q }, weir.ticket { ttl = 20 })
      app:get("/s", weir.jwt { secret = %q, from = { "ticket" } }, function() return "in" end)
      return app
    ]]):format(SECRET, SECRET))
    test.clock.freeze()
    local made = two_hundred(server)
    assert.equal("string", type(made[150]))
    assert.equal("503 there are too many tickets; try again later", made[151].status .. " " .. made[151].body)
    assert.equal("20", made[151].headers["retry-after"])
    assert.matches("the limits tickets and shared_memory", test.log.take("too many tickets")[1].text)
    assert.equal(200, server:get("/s?ticket=" .. made[1]).status)
    assert.equal(503, post_ticket(server, token_for "ann").status) -- used ones count as long
    test.clock.advance(20)
    assert.equal("string", type(two_hundred(server)[149]))
    test.log.take "too many tickets"
  end)

  it("is bounded by shared_memory too, and what an app shares stays", function()
    local server = support.serve_text(([[
      local weir = require "weir"
      weir.limits { shared_memory = "20KB" }
      local app = weir.app()
      weir.shared("mine"):set("key", "value")
      app:post("/ticket", weir.jwt { secret = %q }, weir.ticket())
      app:get("/mine", function() return weir.shared("mine"):get "key" end)
      return app
    ]]):format(SECRET))
    assert.equal(503, two_hundred(server)[200].status)
    assert.equal("value", server:get("/mine").body)
    test.log.take "too many tickets"
  end)
end)

describe("a browser that comes back with a used ticket", function()
  after_each(support.remove_folders)

  it("has a cookie for that path until the token's exp", function()
    test.clock.freeze()
    local server = serve()
    local ticket = ticket_for(server, token_for("ann", 100), "/s/who")
    local answer = server:get("/s/who?ticket=" .. ticket)
    local attributes = answer.headers["set-cookie"]:match "^weir_ticket_%x+=[%w_-]+(; .*)$"
    assert.equal("; Path=/s/who; Max-Age=100; HttpOnly; SameSite=Strict", attributes)
    local headers = { Cookie = "theme=dark; " .. cookie_of(answer) }
    for _ = 1, 3 do
      local again = server:get("/s/who?ticket=" .. ticket, { headers = headers })
      assert.equal("ann", again.body)
      assert.is_nil(again.headers["set-cookie"])
    end
    test.clock.advance(60) -- the ticket's time is long over
    assert.equal("ann", server:get("/s/who?ticket=" .. ticket, { headers = headers }).body)
    test.clock.advance(75) -- and the token's, and its leeway
    assert.equal(401, server:get("/s/who?ticket=" .. ticket, { headers = headers }).status)
    assert.matches("^its token: .*expired", refusals()[1])
  end)

  it("by https has it Secure", function()
    local server = support.serve_text(([[
      local weir = require "weir"
      weir.trust_proxies { "127.0.0.1" }
      local app = weir.app()
      app:post("/ticket", weir.jwt { secret = %q }, weir.ticket())
      app:get("/s", weir.jwt { secret = %q, from = { "ticket" } }, function() return "in" end)
      return app
    ]]):format(SECRET, SECRET))
    local answer = server:get("/s?ticket=" .. ticket_for(server, token_for "ann"),
      { headers = { ["X-Forwarded-For"] = "192.0.2.1", ["X-Forwarded-Proto"] = "https" } })
    assert.matches("; Secure; HttpOnly; SameSite=Strict$", answer.headers["set-cookie"])
  end)

  it("is sent the cookie for the path as it wrote it, as far as a cookie can say that", function()
    local server = serve()
    for path, want in pairs {
      ["/s/a%20b/c"] = "/s/a%20b/c", ["/s/%61/"] = "/s/%61/", ["/s/a;b/c"] = "/s/", ["/s/a/b;c"] = "/s/a/",
      ["http://127.0.0.1/s/a/b"] = "/s/a/b",
    } do
      local client = server:connect()
      client:send(("GET %s?ticket=%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        :format(path, ticket_for(server, token_for "ann")))
      local answer = client:receive_all()
      assert.equal(want, answer:match "; Path=([^;]*); ", answer)
    end
  end)

  it("gets nothing by the cookie alone, at another path, or with what is not its own", function()
    local server = serve()
    local ann, bob = ticket_for(server, token_for "ann"), ticket_for(server, token_for "bob")
    local of_ann = cookie_of(server:get("/s/who?ticket=" .. ann))
    local of_bob = cookie_of(server:get("/s/who?ticket=" .. bob))
    local function status(path, cookie) return server:get(path, { headers = { Cookie = cookie } }).status end
    assert.equal(200, status("/s/who?ticket=" .. ann, of_ann))
    assert.equal(401, status("/s/who", of_ann))
    assert.equal(401, status("/s/who?ticket=", of_ann))
    assert.equal(401, status("/s/who?ticket=" .. ("A"):rep(54), of_ann))
    assert.equal(401, status("/s/x/y?ticket=" .. ann, of_ann))
    assert.equal(401, status("/s/who?ticket=" .. ann, of_bob)) -- a session that another has put there
    refusals()
    assert.equal(401, status("/s/who?ticket=" .. bob, of_ann))
    assert.same({ "it was not made for whom its cookie names" }, refusals())
    local name, value = of_ann:match "^(.-)=(.*)$"
    for _, wrong in ipairs { "", "x", value:sub(1, -2), value .. "AAAA", "A" .. value:sub(2), token_for "ann", ann } do
      if wrong ~= value then assert.equal(401, status("/s/who?ticket=" .. ann, name .. "=" .. wrong), wrong) end
    end
    local two = ticket_for(server, token_for "ann") -- of another tab
    local newer = cookie_of(server:get("/s/who?ticket=" .. two))
    assert.equal(200, status("/s/who?ticket=" .. ann, newer))
    assert.equal(200, status("/s/who?ticket=" .. two, of_ann))
  end)

  it("is not told the token, nor the ticket, by the cookie", function()
    local server = serve()
    local token = token_for "ann"
    local ticket = ticket_for(server, token)
    local value = cookie_of(server:get("/s/who?ticket=" .. ticket)):match "=(.*)"
    for _, text in ipairs { value, weir.base64url.decode(value) } do
      assert.is_nil(text:find(token:sub(1, 12), 1, true))
      assert.is_nil(text:find(token:sub(-12), 1, true))
      assert.is_nil(text:find(ticket:sub(1, 12), 1, true))
      assert.is_nil(text:find(weir.base64url.decode(ticket):sub(1, 8), 1, true))
    end
  end)

  it("gets what it missed, over three reconnects, as an EventSource does", function()
    local server = serve()
    local url = "/s/news?ticket=" .. ticket_for(server, token_for "ann", "/s/news")
    local headers, last = {}, nil
    for i = 1, 4 do
      local events = assert(server:sse(url, { headers = headers, last_event_id = last }))
      headers.Cookie = headers.Cookie or cookie_of(events)
      assert.equal(i > 1, weir.json.decode(events:next().data).resumed)
      if i > 1 then assert.equal("missed " .. i - 1, events:next().data) end
      weir.publish("tickets/news", "live " .. i)
      local event = events:next()
      assert.equal("live " .. i, event.data)
      last = event.id
      events:reset()
      test.eventually(function() return weir.presence("tickets/news").streams == 0 end)
      weir.publish("tickets/news", "missed " .. i)
    end
  end)
end)

describe("a stream that a ticket has opened", function()
  it("ends at the token's exp, and no sooner", function()
    test.clock.freeze()
    local server = serve()
    local ticket = ticket_for(server, token_for("ann", 50))
    local events = server:sse("/s/held?ticket=" .. ticket)
    id_of(events)
    test.clock.advance(49)
    assert.same({ nil, "timeout" }, { events:next(0.01) })
    test.clock.advance(1.01)
    assert_ends(events, "expired")
  end)

  it("ends when it is revoked; so does one that its cookie has opened", function()
    local server = serve()
    local url = "/s/held?ticket=" .. ticket_for(server, token_for "ann")
    local events = server:sse(url)
    local again = server:sse(url, { headers = { Cookie = cookie_of(events) } })
    id_of(events)
    id_of(again)
    assert.equal(2, weir.streams({ sub = "ann" }):close())
    assert_ends(events, "revoked")
    assert_ends(again, "revoked")
  end)

  it("goes on when it is renewed", function()
    test.clock.freeze()
    local server = serve()
    local events = server:sse("/s/held?ticket=" .. ticket_for(server, token_for("ann", 50)))
    local id = id_of(events)
    assert.equal(204, server:post("/renew?stream=" .. id, { headers = bearer(token_for("ann", 100)) }).status)
    test.clock.advance(99)
    assert.same({ nil, "timeout" }, { events:next(0.01) })
    test.clock.advance(1.01)
    assert_ends(events, "expired")
  end)
end)

describe("two workers", function()
  local TEXT = [[
    local weir = require "weir"
    local app = weir.app()
    local secret = ("s"):rep(32)
    app:post("/ticket", weir.jwt { secret = secret }, weir.ticket())
    app:use("/s", weir.jwt { secret = secret, from = { "ticket" } })
    app:get("/s", function(stream) return stream.claims.sub end)
    app:get("/s/raise", function() error "on purpose" end)
    app:get("/s/long", function() while true do end end)
    return app
  ]]
  local path, folder, log

  before_each(function()
    path, folder = support.app_file(TEXT)
    log = folder .. "/access.log"
  end)

  after_each(support.remove_folders)

  local function start(...) return test.spawn { "serve", path, "--workers", 2, "--access-log", log, ... } end

  local function token() return sign({ sub = "ann" }, { secret = ("s"):rep(32), exp = 600 }) end

  it("take it once between them, however many come at once", function()
    local server = start()
    for _ = 1, 100 do
      local ticket = ticket_for(server, token())
      local calls = {}
      for i = 1, 8 do calls[i] = function() return server:get("/s?ticket=" .. ticket).status end end
      local taken = 0
      for _, status in ipairs(weir.all(calls)) do
        if status == 200 then taken = taken + 1 else assert.equal(401, status) end
      end
      assert.equal(1, taken)
    end
  end)

  it("take each other's cookies, and with --data those of before a restart", function()
    local data = folder .. "/data"
    local server = start("--data", data)
    local ticket = ticket_for(server, token())
    local headers = { Cookie = cookie_of(server:get("/s?ticket=" .. ticket)) }
    for _ = 1, 16 do assert.equal("ann", server:get("/s?ticket=" .. ticket, { headers = headers }).body) end
    server:stop()
    server = start("--data", data)
    for _ = 1, 4 do assert.equal("ann", server:get("/s?ticket=" .. ticket, { headers = headers }).body) end
    server:stop()
    server = start()
    assert.equal(401, server:get("/s?ticket=" .. ticket, { headers = headers }).status)
  end)

  it("write no ticket and no cookie into any log", function()
    local server = start("--watch")
    local hidden = {}
    local function make()
      hidden[#hidden + 1] = ticket_for(server, token())
      return hidden[#hidden]
    end
    local used = make()
    local first = server:get("/s?ticket=" .. used, { headers = { Referer = "http://x/?ticket=" .. make() } })
    hidden[#hidden + 1] = cookie_of(first):match "=(.*)"
    server:get("/s?ticket=" .. used)
    server:get("/nothing?a=b&t%69cket=" .. make())
    local page = server:get("/s/raise?ticket=" .. make(), { headers = { Accept = "text/html" } })
    assert.equal(500, page.status)
    assert.matches("ticket=%(masked%)", page.body)
    assert.equal(503, server:get("/s/long?ticket=" .. make()).status)
    server:get("/s/raise?ticket=" .. make() .. "&ticket=" .. make())
    test.eventually(function() return (support.read_file(log) or ""):find("/s/long", 1, true) end)
    local _, stderr = server:stop()
    local written = stderr .. support.read_file(log) .. page.body
    assert.truthy(written:find("a ticket was refused: it was used before", 1, true))
    assert.truthy(written:find("ticket=***", 1, true))
    for _, secret in ipairs(hidden) do
      assert.is_nil(written:find(secret:sub(1, 16), 1, true))
      assert.is_nil(written:find(secret:sub(-16), 1, true))
    end
  end)
end)
