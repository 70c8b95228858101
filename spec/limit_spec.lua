-- weir.limit: how often the same client may ask (lua/REFERENCE.md).

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function serve(define, options)
  return support.serve(function(app)
    app:use(weir.limit(options))
    app:get("/", function() return "ok" end)
    if define then define(app) end
  end)
end

local function statuses(server, count, path, options)
  local list = {}
  for i = 1, count do list[i] = server:get(path or "/", options).status end
  return table.concat(list, " ")
end

describe("weir.limit", function()
  after_each(function()
    support.remove_folders()
    test.clock.thaw()
  end)

  it("lets a burst pass and answers 429 with Retry-After beyond, until time has passed", function()
    local server = serve(nil, { rate = 0.5, burst = 3 })
    test.clock.freeze()
    assert.equal("200 200 200 429", statuses(server, 4))
    local response = server:get "/"
    assert.equal("2", response.headers["retry-after"])
    assert.equal("429 Too Many Requests: try again in 2 s\n", response.body)
    test.clock.advance(1.5)
    assert.equal("1", server:get("/").headers["retry-after"]) -- rounded up
    test.clock.advance(0.5)
    assert.equal("200 429", statuses(server, 2))
    test.clock.advance(3600)
    assert.equal("200 200 200 429", statuses(server, 4))
  end)

  it("has a burst of as many as come in a second, if it is not given", function()
    local server = serve(nil, { rate = 4.5 })
    test.clock.freeze()
    assert.equal("200 200 200 200 200 429", statuses(server, 6))
    server = serve(nil, { rate = 0.1 })
    assert.equal("200 429", statuses(server, 2))
  end)

  it("counts by what key returns, and not at all for nil", function()
    local server = serve(nil, { rate = 1, burst = 1, key = function(stream) return stream.query.key end })
    test.clock.freeze()
    assert.equal("200 429", statuses(server, 2, "/?key=a"))
    assert.equal("200 429", statuses(server, 2, "/?key=b"))
    assert.equal("200 200 200", statuses(server, 3, "/"))
  end)

  it("raises in the handler for a key that is neither", function()
    local server = serve(nil, { rate = 1, key = function() return {} end })
    test.log.start()
    assert.equal(500, server:get("/").status)
    assert.is_truthy(test.log.take "weir%.limit: key must return a string")
  end)

  it("counts each limiter by itself, and only below its prefix", function()
    local server = support.serve(function(app)
      app:use("/a", weir.limit { rate = 1, burst = 1 })
      app:use("/b", weir.limit { rate = 1, burst = 2 })
      app:get("/*rest", function() return "ok" end)
    end)
    test.clock.freeze()
    assert.equal("200 429", statuses(server, 2, "/a"))
    assert.equal("200 200 429", statuses(server, 3, "/b"))
    assert.equal("200 200 200", statuses(server, 3, "/c"))
  end)

  it("counts addresses as the trusted proxies tell them, IPv6 by network", function()
    local server = support.serve_text [[
      local weir = require "weir"
      weir.trust_proxies { "127.0.0.1" }
      local app = weir.app()
      app:use(weir.limit { rate = 0.001, burst = 1 })
      app:get("/", function() return "ok" end)
      return app
    ]]
    test.clock.freeze()
    local function from(address) return server:get("/", { headers = { ["X-Forwarded-For"] = address } }).status end
    assert.equal(200, from "192.0.2.1")
    assert.equal(429, from "192.0.2.1")
    assert.equal(200, from "192.0.2.2")
    assert.equal(200, from "2001:db8:0:1::1")
    assert.equal(429, from "2001:db8:0:1:ffff::2")
    assert.equal(200, from "2001:db8:0:2::1")
  end)

  it("is one for all workers #workers", function()
    local path = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      app:use(weir.limit { rate = 0.001, burst = 10 })
      app:get("/", function() return "ok" end)
      return app
    ]]
    local server = test.spawn { "serve", path, "--workers", 2 }
    local count = { [200] = 0, [429] = 0 }
    for _ = 1, 30 do
      local status = server:get("/").status
      count[status] = count[status] + 1
    end
    assert.same({ [200] = 10, [429] = 20 }, count)
  end)

  it("is counted in weir.stats", function()
    local server = serve(nil, { rate = 0.001, burst = 1 })
    local before = weir.stats().limited
    assert.equal("200 429 429", statuses(server, 3))
    assert.equal(before + 2, weir.stats().limited)
  end)

  local bad = {
    { "no rate", {} }, { "a rate of 0", { rate = 0 } }, { "a negative rate", { rate = -1 } },
    { "an infinite rate", { rate = math.huge } }, { "no number", { rate = 0 / 0 } },
    { "a rate in words", { rate = "10/s" } }, { "a burst below 1", { rate = 1, burst = 0.5 } },
    { "a key that is no function", { rate = 1, key = "remote_addr" } }, { "an unknown option", { rate = 1, per = 60 } },
  }
  for _, case in ipairs(bad) do
    it("raises for " .. case[1], function()
      local ok, err = pcall(function() weir.limit(case[2]) end)
      assert.is_false(ok)
      assert.matches("limit_spec%.lua:%d+: weir%.limit: ", tostring(err))
    end)
  end
end)
