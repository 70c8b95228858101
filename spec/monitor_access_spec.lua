-- Who may see apps/monitor, who may close a stream by it, and with which options it does not start.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local monitoring = require "spec.monitor_support"
local json = weir.json

local next_of = monitoring.next

before_each(monitoring.begin)
after_each(support.remove_folders)

describe("who may see the monitor", function()
  local paths = { "/monitor/events", "/monitor/alerts" }

  it("is this machine, and nobody who only seems to be", function()
    local server = monitoring.serve()
    local here = server.address
    for _, case in ipairs {
      { 200, {} }, { 200, { Host = "localhost" } }, { 200, { Host = "LOCALHOST:8080" } },
      { 200, { Host = "[::1]:80" } },
      { 200, { Host = "192.168.1.5:8080" } }, { 200, { Origin = "http://" .. here } },
      { 200, { ["Sec-Fetch-Site"] = "same-origin" } }, { 200, { ["Sec-Fetch-Site"] = "none" } },
      { 403, { Host = "evil.example" } }, { 403, { Host = "127.0.0.1.evil.example" } },
      { 403, { Host = "localhost.:80" } },
      { 403, { Host = "0x7f.1" } }, { 403, { Host = "2130706433" } }, { 403, { Host = "127.0.0.1.:80" } },
      { 403, { Host = "256.0.0.1" } }, { 403, { Host = "" } },
      { 403, { Origin = "http://evil.example" } }, { 403, { Origin = "null" } }, { 403, { Origin = "" } },
      { 403, { Origin = "http://" .. here .. ".evil.example" } }, { 403, { Origin = "http://127.0.0.1:1" } },
      { 403, { ["Sec-Fetch-Site"] = "cross-site" } }, { 403, { ["Sec-Fetch-Site"] = "same-site" } },
      { 403, { ["X-Forwarded-For"] = "127.0.0.1" } }, { 403, { ["X-Forwarded-Host"] = "localhost" } },
      { 403, { ["X-Forwarded-Anything"] = "" } }, { 403, { Forwarded = "for=127.0.0.1" } },
      { 403, { Via = "1.1 proxy" } },
      { 403, { ["X-Real-IP"] = "127.0.0.1" } },
    } do
      local says = json.encode(case[2])
      local answer = server:post("/monitor/streams/999999/close", { headers = case[2] })
      assert.equal(case[1] == 200 and 404 or 403, answer.status, says)
      if case[1] == 403 then
        for _, path in ipairs(paths) do assert.equal(403, server:get(path, { headers = case[2] }).status, says) end
      else
        assert.is_table(server:sse("/monitor/events", { headers = case[2] }), says)
      end
    end
  end)

  it("is not who asks by HTTP/1.0, as nginx does unless told otherwise", function()
    local server = monitoring.serve()
    local client = server:connect()
    client:send "GET /monitor/events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    assert.equal(403, client:receive_head().status)
  end)

  it("is not who a trusted proxy brings, from wherever that is", function()
    local server = test.start(support.write_file(monitoring.folder .. "/behind.lua",
      'require "weir".trust_proxies { "127.0.0.1" }\n' .. assert(support.read_file(monitoring.app()))))
    for _, client in ipairs { "127.0.0.1", "203.0.113.9" } do
      local headers = { ["X-Forwarded-For"] = client, ["X-Forwarded-Host"] = "localhost" }
      assert.equal(403, server:get("/monitor/alerts", { headers = headers }).status, client)
    end
  end)

  it("may close whatever else the app around it knows of who asks", function()
    local path = monitoring.app()
    local text = assert(support.read_file(path)):gsub("app:mount", function()
      return 'app:use(function(stream, next) stream.claims = { sub = "ann" } return next() end)\napp:mount'
    end)
    local server = test.start(support.write_file(path, text))
    assert.equal(404, server:post("/monitor/streams/999999/close").status)
    assert.is_true(next_of(assert(server:sse "/monitor/events"), "setup").may_close)
  end)

  describe("where there is a secret", function()
    local SECRET = "a secret of this spec that has enough bytes"

    local function with(claim, secret)
      local token = weir.jwt.sign({ sub = "ann", monitor = claim }, { secret = secret or SECRET, exp = 600 })
      return { headers = { Authorization = "Bearer " .. token } }
    end

    it("is who has a token that says so, from wherever", function()
      local server = monitoring.serve(("secret = %q"):format(SECRET))
      for _, path in ipairs(paths) do
        assert.equal(401, server:get(path).status)
        assert.equal(401, server:get(path, with("view", ("x"):rep(32))).status)
        for _, claim in ipairs { "", "admin", "VIEW", true, 1, { "view" } } do
          assert.equal(403, server:get(path, with(claim)).status, json.encode(claim))
        end
        for _, claim in ipairs { "view", "close" } do
          local options = with(claim)
          options.headers["X-Forwarded-For"], options.headers.Host = "203.0.113.9", "weir.example"
          assert.is_table(server:sse(path, options))
        end
      end
    end)

    it("is who has the right token, as the options of weir.jwt say", function()
      local rules = 'secret = %q, issuer = "ops", audience = "weir", alg = "HS384"'
      local server = monitoring.serve(rules:format(SECRET))
      local function status(claims, alg)
        claims.monitor = "view"
        local token = weir.jwt.sign(claims, { secret = SECRET, exp = 600, alg = alg })
        return server:post("/monitor/streams/1/close", { headers = { Authorization = "Bearer " .. token } }).status
      end
      assert.equal(403, status({ iss = "ops", aud = "weir" }, "HS384"))
      assert.equal(401, status({ iss = "ops", aud = "weir" }, "HS256"))
      assert.equal(401, status({ aud = "weir" }, "HS384"))
      assert.equal(401, status({ iss = "ops", aud = "shop" }, "HS384"))
    end)

    it("may close by another right than by the one to see", function()
      local server = monitoring.serve(("secret = %q"):format(SECRET))
      local live = assert(server:sse "/live")
      local path = ("/monitor/streams/%d/close"):format(json.decode(live:next().data).stream)
      assert.equal(401, server:post(path).status)
      assert.equal(403, server:post(path, with "view").status)
      assert.is_false(next_of(assert(server:sse("/monitor/events", with "view")), "setup").may_close)
      assert.is_true(next_of(assert(server:sse("/monitor/events", with "close")), "setup").may_close)
      assert.equal(204, server:post(path, with "close").status)
      assert.same({ nil, "closed" }, { live:next() })
    end)
  end)

  it("gets the page under the same rule, and no frame of others", function()
    local server = test.start { "apps/monitor/app.lua", env = { MONITOR_SECRET = false, MONITOR_RULES = false } }
    assert.equal(403, server:get("/", { headers = { Host = "evil.example" } }).status)
    local page = server:get "/"
    assert.equal("default-src 'self'; frame-ancestors 'none'", page.headers["content-security-policy"])
    local found = 0
    for name in page.body:gmatch '[ef]="([%w]+%.%a+)"' do
      assert.equal(200, server:get("/" .. name).status, name)
      found = found + 1
    end
    assert.equal(2, found)
  end)
end)

describe("closing a stream", function()
  it("ends it for its client, and tells who did it", function()
    local server = monitoring.serve()
    local live = assert(server:sse "/live")
    local id = json.decode(live:next().data).stream
    assert.equal(204, server:post("/monitor/streams/" .. id .. "/close").status)
    assert.same({ nil, "closed" }, { live:next() })
    assert.matches("stream=" .. id, test.log.take("a stream was closed", "info")[1].text, 1, true)
    assert.equal(404, server:post("/monitor/streams/" .. id .. "/close").status)
  end)

  it("takes the number of a stream, and nothing else", function()
    local server = monitoring.serve()
    for _, id in ipairs { "0", "-1", "01", "1.5", "1e3", "0x1", "x", "%2A", "1%00", "1%0A", "nan", "inf", ("9"):rep(16),
      "1%2F2", "%F0%9F%92%A9" } do
      local status = server:post("/monitor/streams/" .. id .. "/close").status
      assert.is_true(status == 400 or status == 404 and id == "1%2F2", id .. " " .. status)
    end
    assert.equal(404, server:post("/monitor/streams/" .. ("9"):rep(15) .. "/close").status)
    assert.equal(405, server:get("/monitor/streams/1/close").status)
    assert.same({}, test.log.take("", "error"))
  end)
end)

describe("the options", function()
  for what, case in pairs {
    ["an option that there is not"] = { 'mutes = {}', 'there is no option "mutes"' },
    ["rules that are wrong"] = { 'rules = { cpu = { above = "x" } }', "cpu.above must be a number" },
  } do
    it("are refused at the start: " .. what, function()
      local ok, err = pcall(test.start, monitoring.app(case[1]))
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end

  for what, case in pairs {
    ["a short secret"] = { { MONITOR_SECRET = "short" }, "MONITOR_SECRET must have 32 bytes or more" },
    ["a file that is not there"] = { { MONITOR_RULES = "/no/such/file" }, "MONITOR_RULES: /no/such/file" },
    ["a folder in the place of a file"] = { { MONITOR_RULES = "apps" }, "MONITOR_RULES: apps: Is a directory" },
    ["a file that is no JSON"] = { { MONITOR_RULES = "README.md" }, "MONITOR_RULES: README.md: " },
  } do
    it("of the environment, too: " .. what, function()
      local ok, err = pcall(test.start, { "apps/monitor/app.lua", env = case[1] })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end
end)
