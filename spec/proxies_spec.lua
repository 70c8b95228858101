-- weir.trust_proxies: who the client is when proxies stand between (lua/REFERENCE.md).

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  %s
  local app = weir.app()
  app:get("/", function(stream)
    return table.concat({ stream.remote_addr, stream.peer_addr, stream.scheme, stream.host }, " ")
  end)
  app:get("/cookies", function(stream)
    stream:cookie("plain", "1")
    stream:cookie("never", "1", { secure = false })
    stream:cookie("always", "1", { secure = true })
    stream:cookie("open", "1", { http_only = false, same_site = "Strict" })
  end)
  return app
]]

local function serve(trust) return support.serve_text(app_text:format(trust or "")) end

-- What the app sees of a request with those header fields, sent to the host h.example.
local function seen(server, headers)
  headers.Host = "h.example"
  return server:get("/", { headers = headers }).body
end

describe("trusted proxies", function()
  after_each(support.remove_folders)

  it("do not exist unless they are named", function()
    local server = serve()
    assert.equal("127.0.0.1 127.0.0.1 http h.example", seen(server, {
      ["X-Forwarded-For"] = "192.0.2.7", ["X-Forwarded-Proto"] = "https", ["X-Forwarded-Host"] = "evil.example",
      Forwarded = "for=192.0.2.7;proto=https;host=evil.example",
    }))
  end)

  it("that are others than the peer do not count", function()
    assert.equal("127.0.0.1 127.0.0.1 http h.example", seen(serve 'weir.trust_proxies { "10.0.0.0/8", "::1" }',
      { ["X-Forwarded-For"] = "192.0.2.7", ["X-Forwarded-Proto"] = "https" }))
  end)

  it("say by X-Forwarded-* who asks, and for what", function()
    local server = serve 'weir.trust_proxies { "127.0.0.0/8", "10.0.0.0/8" }'
    local rows = {
      { {}, "127.0.0.1 127.0.0.1 http h.example" },
      { { ["X-Forwarded-For"] = "192.0.2.7" }, "192.0.2.7 127.0.0.1 http h.example" },
      { { ["X-Forwarded-For"] = "192.0.2.7, 10.0.0.5", ["X-Forwarded-Proto"] = "https",
        ["X-Forwarded-Host"] = "www.example" }, "192.0.2.7 127.0.0.1 https www.example" },
      { { ["X-Forwarded-For"] = { "6.6.6.6", "2001:db8::1" } }, "2001:db8::1 127.0.0.1 http h.example" },
      { { ["X-Forwarded-For"] = { "192.0.2.7", "10.0.0.5" } }, "192.0.2.7 127.0.0.1 http h.example" },
      { { ["X-Forwarded-For"] = "192.0.2.7, junk" }, "127.0.0.1 127.0.0.1 http h.example" },
      { { Forwarded = "for=6.6.6.6;proto=https" }, "127.0.0.1 127.0.0.1 http h.example" },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], seen(server, row[1])) end
  end)

  it("say it by Forwarded where that is named", function()
    local server = serve 'weir.trust_proxies { "127.0.0.1", header = "Forwarded" }'
    assert.equal("192.0.2.7 127.0.0.1 https www.example",
      seen(server, { Forwarded = 'for=6.6.6.6, for="192.0.2.7:99";proto=https;host=www.example' }))
    assert.equal("2001:db8::1 127.0.0.1 http h.example",
      seen(server, { Forwarded = { "for=6.6.6.6", 'for="[2001:db8::1]"' } }))
    assert.equal("127.0.0.1 127.0.0.1 http h.example",
      seen(server, { ["X-Forwarded-For"] = "6.6.6.6", ["X-Forwarded-Proto"] = "https" }))
  end)

  it("are also those of what is logged", function()
    local path = support.app_file(app_text:format 'weir.trust_proxies { "127.0.0.1" }')
    local log = support.folder() .. "/access.log"
    local server = test.spawn { "serve", path, "--access-log", log, "--workers", 1 }
    server:get("/", { headers = { ["X-Forwarded-For"] = "192.0.2.7" } })
    server:get("/?access_token=s3cret", { headers = { Referer = "http://a.example/?access_token=s3cret" } })
    server:stop()
    local text = support.read_file(log)
    assert.matches("^192%.0%.2%.7 ", text)
    assert.matches('"GET /%?access_token=%*%*%* HTTP', text)
    assert.is_nil(text:find("s3cret", 1, true))
  end)

  it("make cookies Secure by the scheme of the client", function()
    local function cookies(headers)
      local found = {}
      local server = serve 'weir.trust_proxies { "127.0.0.1" }'
      for _, field in ipairs(server:get("/cookies", { headers = headers }).fields) do
        if field[1]:lower() == "set-cookie" then found[field[2]:match "^%w+"] = field[2]:match ";.*" end
      end
      return found
    end
    assert.same({
      plain = "; Path=/; HttpOnly; SameSite=Lax",
      never = "; Path=/; HttpOnly; SameSite=Lax",
      always = "; Path=/; Secure; HttpOnly; SameSite=Lax",
      open = "; Path=/; SameSite=Strict",
    }, cookies {})
    assert.same({
      plain = "; Path=/; Secure; HttpOnly; SameSite=Lax",
      never = "; Path=/; HttpOnly; SameSite=Lax",
      always = "; Path=/; Secure; HttpOnly; SameSite=Lax",
      open = "; Path=/; Secure; SameSite=Strict",
    }, cookies { ["X-Forwarded-Proto"] = "https" })
  end)

  local wrong = { '"10.0.0.1/8"', '"10.0.0.0/33"', '"localhost"', "7", 'header = "X-Real-IP"', "trust = true" }
  for _, bad in ipairs(wrong) do
    it("raise when the app loads for " .. bad, function()
      local ok, err = pcall(serve, "weir.trust_proxies { " .. bad .. " }")
      assert.is_false(ok)
      assert.matches("app%.lua:2: weir%.trust_proxies: ", tostring(err))
    end)
  end

  it("raise for what is no table, and once the app serves", function()
    assert.is_false((pcall(serve, 'weir.trust_proxies "10.0.0.0/8"')))
    local server = support.serve_text [[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function() return (select(2, pcall(weir.trust_proxies, { "127.0.0.1" }))) end)
      return app
    ]]
    assert.matches("while the app file loads", server:get("/").body)
  end)
end)
