-- weir.jwt{…} and its renewal: how tokens come in, what is answered to those that are not right, and when the streams
-- of those that are end: lua/REFERENCE.md, RFC 6750.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local hub = require "spec.hub_support"
local tokens = require "spec.token_support"

local SECRET, sign, token_for, bearer = tokens.SECRET, tokens.sign, tokens.of, tokens.bearer
local id_of, assert_ends = tokens.stream_of, tokens.assert_ends
local jwt = weir.jwt

-- Asks GET / behind a middleware with these options; `headers` may be a token.
local function ask(options, headers, target, handler)
  options.secret = options.secret or SECRET
  if type(headers) == "string" then headers = bearer(headers) end
  return support.ask(function(app)
    app:use(jwt(options))
    app:get("/", handler or function(stream) return stream.claims end)
  end, "GET", target or "/", { headers = headers })
end

-- The lines of the log that name a refusal.
local function refusals() return test.log.take "weir%.jwt" end

-- The app that most specs of living streams want: GET /s/:topic subscribes, /held waits, POST /renew renews.
local function living(options)
  local noted = {}
  options = options or {}
  options.secret = SECRET
  local server = support.serve(function(app)
    app:use("/s", jwt(options))
    app:get("/s/held", function(stream)
      noted.stream = stream
      stream:on_close(function(reason) noted.reason = reason end)
      stream:sse { hello = true, heartbeat = false }
      local ok, err = pcall(weir.sleep, 1e6)
      noted.cancelled = not ok and err == weir.cancelled
      error(err, 0)
    end)
    app:get("/s/plain", function(stream)
      stream:on_close(function(reason) noted.reason = reason end)
      stream:write "some"
      weir.sleep(1e6)
    end)
    app:get("/s/slow", function()
      noted.waits = true
      weir.sleep(100)
      return "answered"
    end)
    app:get("/s/late", function(stream)
      noted.waits = true
      weir.sleep(100)
      stream:sse { heartbeat = false }
      weir.sleep(1e6)
    end)
    app:get("/s/:topic", function(stream)
      if stream.query.noted then stream:on_close(function(reason) noted.reason = reason end) end
      stream:sse({ hello = true, heartbeat = false }):subscribe(weir.prefix(stream.params.topic .. "/"))
    end)
    app:post("/renew", jwt.renewal(options))
  end)
  return server, noted
end

describe("a token comes in", function()
  it("as Authorization: Bearer, however the scheme is written", function()
    for _, scheme in ipairs { "Bearer ", "bearer ", "BEARER ", "bEaReR   " } do
      local response = ask({}, { Authorization = scheme .. token_for "ann" })
      assert.equal(200, response.status)
      assert.equal("ann", response.json().sub)
    end
  end)

  it("as a cookie that is named, the first of several names that there is", function()
    local options = { from = { "cookie:other", "cookie:session" } }
    assert.equal("ann", ask(options, { Cookie = "a=b; session=" .. token_for "ann" }).json().sub)
    assert.equal("bob",
      ask(options, { Cookie = "session=" .. token_for "ann" .. "; other=" .. token_for "bob" }).json().sub)
    assert.equal(401, ask(options, token_for "ann").status) -- was not asked for
  end)

  it("as a query parameter when that is asked for; its answers keep the URL to themselves", function()
    local target = "/?access_token=" .. token_for "ann"
    local response = ask({ from = { "bearer", "query" } }, {}, target)
    assert.equal("ann", response.json().sub)
    assert.equal("no-referrer", response.headers["referrer-policy"])
    assert.truthy(response.headers["cache-control"]:find "private")
    response = ask({}, {}, target)
    assert.equal(401, response.status)
    assert.is_nil(response.headers["referrer-policy"])
    assert.is_nil(ask({ from = { "bearer", "query" } }, token_for "ann").headers["referrer-policy"])
    response = ask({ from = { "query" } }, {}, target, function() weir.fail(418, "short") end)
    assert.equal("418 no-referrer", response.status .. " " .. response.headers["referrer-policy"])
  end)

  it("once: a header and a parameter, or two parameters, are 400", function()
    local options = { from = { "bearer", "query" } }
    local query = "access_token=" .. token_for "ann"
    for _, response in ipairs {
      ask(options, token_for "ann", "/?" .. query),
      ask(options, {}, "/?" .. query .. "&" .. query),
      ask(options, token_for "ann", "/?access_token="),
    } do
      assert.equal(400, response.status)
      assert.equal('Bearer realm="weir", error="invalid_request"', response.headers["www-authenticate"])
    end
  end)

  it("before a cookie, which the page cannot keep from coming", function()
    local options = { from = { "cookie:session", "bearer" } }
    local headers = bearer(token_for "ann")
    headers.Cookie = "session=" .. token_for "bob"
    assert.equal("ann", ask(options, headers).json().sub)
  end)

  it("to handlers, static files, what is not there, and below prefixes and mounts", function()
    local folder = support.folder()
    support.write_file(folder .. "/file.txt", "text")
    local child = weir.app()
    child:use(jwt { secret = SECRET })
    child:get("/in", function(stream) return stream.claims.sub end)
    local function define(app)
      app:use("/private", jwt { secret = SECRET })
      app:static("/private/files", folder)
      app:mount("/child", child)
      app:get("/open", function(stream) return tostring(stream.claims) end)
    end
    local with, without = { headers = bearer(token_for "ann") }, {}
    assert.equal("text", support.ask(define, "GET", "/private/files/file.txt", with).body)
    assert.equal(401, support.ask(define, "GET", "/private/files/file.txt", without).status)
    assert.equal(404, support.ask(define, "GET", "/private/nothing", with).status)
    assert.equal(401, support.ask(define, "GET", "/private/nothing", without).status)
    assert.equal("ann", support.ask(define, "GET", "/child/in", with).body)
    assert.equal(401, support.ask(define, "GET", "/child/in", without).status)
    assert.equal(401, support.ask(define, "HEAD", "/child/in", without).status)
    assert.equal(200, support.ask(define, "HEAD", "/child/in", with).status)
    assert.equal(401, support.ask(define, "OPTIONS", "/child/in", without).status)
    assert.equal("nil", support.ask(define, "GET", "/open", with).body)
  end)
end)

describe("a page of another origin", function()
  it("gets by weir.cors in front of weir.jwt what is not for a token, and sees refusals", function()
    local function define(app)
      app:use(weir.cors { origins = { "https://a.example" }, headers = { "authorization" } })
      app:use(jwt { secret = SECRET })
      app:get("/", function(stream) return stream.claims.sub end)
    end
    local preflight = support.ask(define, "OPTIONS", "/", { headers = {
      Origin = "https://a.example",
      ["Access-Control-Request-Method"] = "GET",
      ["Access-Control-Request-Headers"] = "authorization",
    } })
    assert.equal(204, preflight.status)
    local refused = support.ask(define, "GET", "/", { headers = { Origin = "https://a.example" } })
    assert.equal(401, refused.status)
    assert.equal("https://a.example", refused.headers["access-control-allow-origin"])
  end)
end)

describe("a token of a key set", function()
  after_each(support.remove_folders)

  it("comes in by the key that it names", function()
    local path = support.write_file(support.folder() .. "/keys.json",
      '{"keys":[{"kty":"oct","kid":"one","alg":"HS256","k":"' .. ("c3Nz"):rep(11) .. '"}]}')
    local secret = ("s"):rep(33)
    local function status(kid)
      local define = function(app)
        app:use(jwt { jwks = path })
        app:get("/", function(stream) return tostring(stream.claims.iat <= weir.now()) end)
      end
      local token = jwt.sign({ sub = "ann" }, { secret = secret, kid = kid })
      local response = support.ask(define, "GET", "/", { headers = bearer(token) })
      return response.status, response.body
    end
    assert.same({ 200, "true" }, { status "one" })
    assert.same({ 401, "401 Unauthorized\n" }, { status "two" })
    assert.equal(1, #refusals())
  end)
end)

describe("a token that is refused", function()
  it("is not there: 401 with a challenge that names no error", function()
    for _, headers in ipairs { {}, { Authorization = "Basic YTpi" }, { Authorization = "Bearertoken" } } do
      local response = ask({}, headers)
      assert.equal(401, response.status)
      assert.equal('Bearer realm="weir"', response.headers["www-authenticate"])
      assert.equal("401 Unauthorized\n", response.body)
    end
    assert.same({}, refusals())
  end)

  it("is answered with the same bytes whatever is wrong with it; the log has the reason", function()
    test.clock.freeze() -- the same Date for all
    local good = token_for "ann"
    local header, payload, signature = good:match "^([^.]+)%.([^.]+)%.([^.]+)$"
    local server = support.serve(function(app)
      app:use(jwt { secret = SECRET, issuer = "me", audience = "here" })
      app:get("/", function() return "never" end)
    end)
    local function right(claims)
      local all = { iss = "me", aud = "here", exp = weir.now() + 600 }
      for name, value in pairs(claims) do all[name] = value end
      return sign(all)
    end
    local wrong = {
      "", "x", "a.b.c", good, -- which has no issuer
      "Bearer " .. good, ("x"):rep(9000):sub(1, 8200),
      header .. "." .. payload .. ".", header .. "." .. payload,
      header .. "." .. payload .. "." .. signature:sub(1, -2),
      header .. "." .. payload .. "." .. signature .. "AA",
      right { exp = weir.now() - 31 }, right { exp = 1 }, right { nbf = weir.now() + 31 },
      right { iss = "you" }, right { aud = "there" },
      sign({ iss = "me", aud = "here" }, { secret = "another secret that has enough bytes too" }),
      sign({ iss = "me", aud = "here" }, { secret = SECRET .. SECRET, alg = "HS512" }),
      "eyJhbGciOiJub25lIn0." .. payload .. ".", "eyJhbGciOiJub25lIn0." .. payload .. "." .. signature,
    }
    local first
    for i, token in ipairs(wrong) do
      local client = server:connect()
      client:send(("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: the-same\r\n" ..
        "Authorization: Bearer %s\r\n\r\n"):format(token))
      local answer = client:receive_all()
      first = first or answer
      assert.equal(first, answer, "token " .. i)
      local lines = refusals()
      assert.equal(1, #lines, "token " .. i)
      assert.truthy(lines[1].text:find("weir.jwt: a token was refused: ", 1, true))
      if #token > 20 then assert.is_nil(lines[1].text:find(token, 1, true)) end
    end
    assert.truthy(first:find("^HTTP/1.1 401 Unauthorized\r\n"))
    assert.truthy(first:find('\r\nWWW%-Authenticate: Bearer realm="weir", error="invalid_token"\r\n'))
    local client = server:connect()
    client:send(("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n")
      :format(right {}))
    assert.truthy(client:receive_all():find "never")
  end)

  it("by a clock that differs too much is named so in the log", function()
    ask({}, token_for("ann", -40))
    local line = refusals()[1].text
    assert.truthy(line:find "expired", line)
    assert.truthy(line:find "path=/", line)
    assert.equal(200, ask({}, token_for("ann", -20)).status)
    assert.equal(401, ask({ leeway = 10 }, token_for("ann", -20)).status)
    assert.equal(200, ask({ leeway = 60 }, token_for("ann", -40)).status)
  end)

  it("because its claims do not allow it: 403", function()
    local function role(claims, value) return ask({ claims = claims }, sign { sub = "ann", role = value }).status end
    assert.equal(200, role({ role = "admin" }, "admin"))
    assert.equal(200, role({ role = "admin" }, { "user", "admin" }))
    assert.equal(403, role({ role = "admin" }, "user"))
    assert.equal(403, role({ role = "admin" }, nil))
    local seen = {}
    local function may(claims, stream)
      weir.sleep(0)
      seen[#seen + 1] = claims.sub .. stream.path
      return claims.role == "admin"
    end
    assert.equal(200, role(may, "admin"))
    assert.equal(403, role(may, "user"))
    assert.same({ "ann/", "ann/" }, seen)
    local response = ask({ claims = may }, sign { sub = "ann" })
    assert.equal('Bearer realm="weir", error="insufficient_scope"', response.headers["www-authenticate"])
    assert.equal(4, #refusals())
  end)

  it("does not set claims, and one that is not refused sets them once", function()
    local one, other
    ask({}, token_for "ann", "/", function(stream) one, other = stream.claims, stream.claims end)
    assert.equal(one, other)
    local claims = false
    support.ask(function(app)
      app:use(function(stream, next)
        next()
        claims = stream.claims
      end)
      app:use(jwt { secret = SECRET })
      app:get("/", function() end)
    end, "GET", "/")
    assert.is_nil(claims)
  end)
end)

describe("weir.jwt{…}", function()
  local function message(options, call)
    local ok, err = pcall(function() (call or jwt)(options) end)
    assert.is_false(ok)
    assert.truthy(err:find("^spec/bearer_spec.lua:%d+: weir%.jwt"), err)
    return err
  end

  it("raises at its caller's line when the secret is not there", function()
    assert.truthy(message({ secret = os.getenv "NO_SUCH_VARIABLE" }):find "os.getenv")
    assert.truthy(message({ secret = os.getenv "NO_SUCH_VARIABLE" }, jwt.renewal):find "weir.jwt.renewal: ")
    message(nil)
  end)

  it("raises for options that are wrong or unknown, and shows no secret", function()
    for _, options in ipairs {
      { issuers = "x" }, { from = "bearer" }, { from = {} }, { from = { "cookie" } }, { from = { "cookie:" } },
      { from = { "cookie:a b" } }, { from = { "header" } }, { from = { 1 } }, { expired = "200" }, { expired = 401 },
      { leeway = -1 }, { claims = "admin" }, { alg = "none" }, { alg = "hs256" },
    } do
      options.secret = SECRET
      assert.is_nil(message(options):find(SECRET, 1, true))
    end
  end)
end)

describe("a living stream", function()
  it("ends at its token's exp, subscribed and without Lua", function()
    test.clock.freeze()
    local topic = hub.topic()
    local server, noted = living()
    local events = server:sse("/s/" .. topic:match "^[^/]+" .. "?noted=1", { headers = bearer(token_for("ann", 60)) })
    id_of(events)
    test.clock.advance(59)
    weir.publish(topic, "before")
    assert.equal("before", events:next().data)
    test.clock.advance(1.01)
    weir.publish(topic, "after")
    assert_ends(events, "expired")
    test.eventually(function() return noted.reason end)
    assert.equal("expired", noted.reason)
  end)

  it("ends when a task holds it, and cancels that", function()
    test.clock.freeze()
    local server, noted = living()
    local events = server:sse("/s/held", { headers = bearer(token_for("ann", 60)) })
    id_of(events)
    test.clock.advance(59)
    assert.is_nil(noted.cancelled)
    test.clock.advance(1.01)
    assert_ends(events, "expired")
    test.eventually(function() return noted.reason end)
    assert.same({ "expired", true }, { noted.reason, noted.cancelled })
  end)

  it("of another kind just ends; an answer that has an end is given", function()
    test.clock.freeze()
    local server, noted = living()
    local plain, slow = server:connect(), server:connect()
    local request = "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
    plain:send(request:format("/s/plain", token_for("ann", 60)))
    slow:send(request:format("/s/slow", token_for("ann", 60)))
    local head = plain:receive_head()
    assert.equal("some", plain:receive_piece(head))
    test.eventually(function() return noted.waits end)
    test.clock.advance(60.01)
    assert.is_nil((plain:receive_piece(head)))
    assert.equal("expired", noted.reason)
    test.clock.advance(40)
    assert.equal("answered", slow:receive_response().body)
  end)

  it("that begins after the end of its token ends at once", function()
    test.clock.freeze()
    local server, noted = living()
    local client = server:connect()
    client:send(("GET /s/late HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"):format(token_for("ann", 60)))
    test.eventually(function() return noted.waits end)
    test.clock.advance(100.01)
    local response = client:receive_response()
    assert.equal('retry: 3000\n\nevent: weir.auth\ndata: {"reason":"expired"}\n\n', response.body)
  end)

  it("that the leeway has let in ends when that is used up", function()
    test.clock.freeze()
    local server = living()
    local events = server:sse("/s/t", { headers = bearer(token_for("ann", -20)) })
    id_of(events)
    test.clock.advance(9)
    assert.same({ nil, "timeout" }, { events:next(0.01) })
    test.clock.advance(1.01)
    assert_ends(events, "expired")
  end)

  it("has no end without exp, and one that is too far away is none", function()
    test.clock.freeze()
    local server = living()
    local without = server:sse("/s/t", { headers = bearer(sign { sub = "ann" }) })
    local far = server:sse("/s/t", { headers = bearer(sign { sub = "ann", exp = 9007199254740991 }) })
    id_of(without)
    id_of(far)
    test.clock.advance(1000000)
    assert.same({ nil, "timeout" }, { without:next(0.01) })
    assert.same({ nil, "timeout" }, { far:next(0.01) })
  end)

  it("for HEAD is over already", function()
    local server = living()
    local response = server:head("/s/t", { headers = bearer(token_for("ann", 60)) })
    assert.equal(200, response.status)
    test.eventually(function() return #weir.streams({ sub = "ann" }):list() == 0 end)
  end)

  it("ends by what a middleware of the app sets as its claims", function()
    test.clock.freeze()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream.claims = { sub = "ann", exp = weir.now() + 10 }
        stream:sse { heartbeat = false }
        weir.sleep(1e6)
      end)
    end)
    local events = server:sse "/"
    assert.equal(1, #weir.streams({ sub = "ann" }):list())
    test.clock.advance(10.01)
    assert_ends(events, "expired")
  end)

  it("gets what a client that does not read has been sent, to its end, before it is told", function()
    test.clock.freeze()
    local topic = hub.topic()
    hub.configure { [topic] = { history = { bytes = "64MB" } } }
    local server = living()
    local events = server:sse("/s/" .. topic:match "^[^/]+", { headers = bearer(token_for("ann", 60)) })
    id_of(events)
    local data = ("x"):rep(200000)
    test.clock.advance(59)
    for _ = 1, 40 do weir.publish(topic, data) end
    test.clock.advance(1.01)
    local count, event = 0
    repeat
      event = assert(events:next())
      if event.event == "message" then
        assert.is_true(event.data == data)
        count = count + 1
      end
    until event.event ~= "message"
    assert.equal("weir.auth", event.event)
    assert.is_true(count > 0 and count < 40)
    assert.is_nil((events:next()))
    assert.is_true(events.complete)
  end)
end)

describe("a renewal", function()
  it("moves the end, and nothing is lost", function()
    test.clock.freeze()
    local topic = hub.topic()
    local server = living()
    local events = server:sse("/s/" .. topic:match "^[^/]+", { headers = bearer(token_for("ann", 60)) })
    local id = id_of(events)
    for i = 1, 4 do
      weir.publish(topic, tostring(2 * i))
      test.clock.advance(50)
      local response = server:post("/renew?stream=" .. id, { headers = bearer(token_for("ann", 60)) })
      assert.equal(204, response.status)
      weir.publish(topic, tostring(2 * i + 1))
    end
    assert.equal("2 3 4 5 6 7 8 9", hub.data(events, 8))
    test.clock.advance(60.01)
    assert_ends(events, "expired")
  end)

  it("gives a handler that goes on the new claims", function()
    test.clock.freeze()
    local server, noted = living()
    local events = server:sse("/s/held", { headers = bearer(token_for("ann", 60)) })
    local id = id_of(events)
    assert.is_nil(noted.stream.claims.role)
    local token = sign { sub = "ann", role = "admin", list = { 1, "two", { three = true } } }
    assert.equal(204, server:post("/renew?stream=" .. id, { headers = bearer(token) }).status)
    assert.equal("admin", noted.stream.claims.role)
    assert.same({ 1, "two", { three = true } }, noted.stream.claims.list)
    test.clock.advance(61)
    assert.same({ nil, "timeout" }, { events:next(0.01) }) -- the new token has no end
  end)

  it("may bring the end nearer", function()
    test.clock.freeze()
    local server = living()
    local events = server:sse("/s/t", { headers = bearer(token_for("ann", 600)) })
    local id = id_of(events)
    assert.equal(204, server:post("/renew?stream=" .. id, { headers = bearer(token_for("ann", 10)) }).status)
    test.clock.advance(10.01)
    assert_ends(events, "expired")
  end)

  it("is for streams of the same sub, and asks for a token and a stream", function()
    test.clock.freeze()
    local server = living()
    local events = server:sse("/s/t", { headers = bearer(token_for("ann", 60)) })
    local nobody = server:sse("/s/t", { headers = bearer(sign { exp = weir.now() + 60 }) })
    local id, other = id_of(events), id_of(nobody)
    local function renew(query, token)
      return server:post("/renew" .. query, { headers = token and bearer(token) or {} })
    end
    assert.equal(404, renew("?stream=" .. id, token_for "bob").status)
    assert.equal(404, renew("?stream=" .. id, sign {}).status)
    assert.equal(404, renew("?stream=" .. other, sign {}).status)
    assert.equal(404, renew("?stream=" .. other, token_for "ann").status)
    assert.equal(404, renew("?stream=999999999", token_for "ann").status)
    for _, query in ipairs { "", "?stream=", "?stream=x", "?stream=-1", "?stream=1.5", "?stream=" .. ("9"):rep(16) } do
      assert.equal(400, renew(query, token_for "ann").status)
    end
    assert.equal(401, renew("?stream=" .. id).status)
    assert.equal(401, renew("?stream=" .. id, token_for("ann", -60)).status)
    test.clock.advance(60.01)
    assert_ends(events, "expired")
    assert_ends(nobody, "expired")
  end)

  it("by weir.streams{…}:renew moves all that are chosen, and keeps whose they are", function()
    test.clock.freeze()
    local server, noted = living()
    local held = server:sse("/s/held", { headers = bearer(token_for("ann", 60)) })
    local other = server:sse("/s/t", { headers = bearer(token_for("bob", 60)) })
    id_of(held)
    id_of(other)
    assert.equal(1, weir.streams({ sub = "ann" }):renew { exp = weir.now() + 100 })
    assert.equal("ann", noted.stream.claims.sub)
    assert.equal(1, weir.streams({}):renew { sub = "bob", exp = weir.now() + 80 })
    assert.equal(0, weir.streams({ sub = "ann" }):renew { sub = "bob" })
    test.clock.advance(80.01)
    assert_ends(other, "expired")
    assert.same({ nil, "timeout" }, { held:next(0.01) })
    assert.equal(1, weir.streams({ sub = "ann" }):renew {})
    test.clock.advance(1000)
    assert.same({ nil, "timeout" }, { held:next(0.01) })
    for _, wrong in ipairs { { exp = "soon" }, { sub = 5 }, "claims" } do
      assert.is_false((pcall(function() weir.streams({}):renew(wrong) end)))
    end
    local deep = {}
    for _ = 1, 40 do deep = { deep } end
    assert.is_false((pcall(function() weir.streams({}):renew { deep = deep } end)))
  end)
end)

describe('expired = "event"', function()
  local function connect(token, options)
    local server = living { expired = "event" }
    options = options or {}
    options.headers = bearer(token)
    return server:sse("/s/t", options)
  end

  it("answers an EventSource in its language, once", function()
    local events = connect(token_for("ann", -60))
    assert_ends(events, "expired")
    assert.equal(24 * 3600 * 1000, events.retry)
    assert.equal(1, #refusals())
  end)

  it("and everything else with 401", function()
    local function status(token, options)
      local _, why = connect(token, options)
      return why
    end
    assert.equal("status 401", status(token_for("ann", -60):sub(1, -2)))
    assert.equal("status 401", status "x")
    local server = living { expired = "event" }
    local headers = bearer(token_for("ann", -60))
    assert.equal(401, server:get("/s/t", { headers = headers }).status)
    assert.equal(401, server:get("/s/t").status)
    headers.Accept = "text/event-stream"
    assert.equal(401, server:post("/renew?stream=1", { headers = headers }).status)
    assert.equal(401, server:head("/s/t", { headers = headers }).status)
  end)
end)

describe("two workers", function()
  local TEXT = [[
    local weir = require "weir"
    local app = weir.app()
    local options = { secret = ("s"):rep(32), from = { "bearer", "query" } }
    app:use("/s", weir.jwt(options))
    app:get("/s", function(stream) stream:sse { hello = true }:subscribe "news" end)
    app:get("/s/held", function(stream)
      stream:sse { hello = true }
      while true do
        if stream.claims.told then stream:write("data: " .. stream.claims.told .. "\n\n") end
        weir.sleep(0.01)
      end
    end)
    app:post("/renew", weir.jwt.renewal(options))
    app:post("/revoke/:sub", function(stream)
      return tostring(weir.streams { sub = stream.params.sub }:close "revoked")
    end)
    return app
  ]]
  local STREAMS = 16 -- that all are on one worker is as likely as 2^-15

  local server, log

  before_each(function()
    local path, folder = support.app_file(TEXT)
    log = folder .. "/access.log"
    server = test.spawn { "serve", path, "--workers", 2, "--access-log", log }
  end)

  after_each(support.remove_folders)

  local function two_workers_token(claims, exp)
    return sign(claims, { secret = ("s"):rep(32), exp = exp or 600 })
  end

  local function open(path, sub)
    local all = {}
    for i = 1, STREAMS do
      all[i] = assert(server:sse(path, { headers = bearer(two_workers_token { sub = sub }) }))
    end
    return all
  end

  it("revoke the streams of a sub wherever they are", function()
    local ann, held, bob = open("/s", "ann"), open("/s/held", "ann"), open("/s", "bob")
    assert.equal(tostring(2 * STREAMS), server:post("/revoke/ann").body)
    for _, list in ipairs { ann, held } do
      for _, events in ipairs(list) do
        id_of(events)
        assert_ends(events, "revoked")
      end
    end
    for _, events in ipairs(bob) do id_of(events) end
    assert.same({ nil, "timeout" }, { bob[1]:next(0.01) })
    test.eventually(function()
      local _, lines = (support.read_file(log) or ""):gsub(" revoked %S+ events=%d+ dropped=0\n", "")
      return lines == 2 * STREAMS
    end)
  end)

  it("renew a stream of the other one, claims and all", function()
    for i, events in ipairs(open("/s/held", "ann")) do
      local token = two_workers_token { sub = "ann", told = "renewed " .. i }
      assert.equal(204, server:post("/renew?stream=" .. id_of(events), { headers = bearer(token) }).status)
      assert.equal("renewed " .. i, events:next().data)
    end
  end)

  it("write no token and no secret into any log", function()
    local right, wrong = two_workers_token { sub = "ann" }, two_workers_token({ sub = "ann" }, 1):sub(1, -2)
    assert.truthy(server:sse("/s?access_token=" .. right))
    assert.falsy(server:sse("/s?access_token=" .. wrong))
    assert.falsy(server:sse("/s", { headers = bearer(wrong) }))
    server:get("/s/nothing?access_token=" .. wrong)
    test.eventually(function() return #(support.read_file(log) or "") > 0 end)
    local _, stderr = server:stop()
    local written = stderr .. support.read_file(log)
    assert.truthy(written:find "GET /s")
    for _, secret in ipairs { right, wrong, ("s"):rep(32) } do
      assert.is_nil(written:find(secret:sub(1, 20), 1, true))
      assert.is_nil(written:find(secret:sub(-20), 1, true))
    end
  end)
end)
