-- The same paths behind nginx, HAProxy and Apache, once as they come and once guarding a folder themselves. What one
-- lets through to Weir means to Weir what the oracle says, and nothing in that folder gets past one that guards it.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"
local ways = require "tests.paths.ways"
local define = dofile "tests/paths/app.lua"

-- Each passes everything on at one port, and guards the folder at another.
local configs = {
  nginx = [[
    proxy_http_version 1.1;
    server {
      listen 127.0.0.1:{open};
      location / { proxy_pass http://127.0.0.1:{weir}; }
    }
    server {
      listen 127.0.0.1:{guarding};
      location / { proxy_pass http://127.0.0.1:{weir}; }
      location /docs/secret { return 403; }
    }]],
  haproxy = [[
    frontend open
      bind 127.0.0.1:{open}
      default_backend weir
    frontend guarding
      bind 127.0.0.1:{guarding}
      http-request deny if { path,url_dec -m beg /docs/secret }
      default_backend weir]],
  apache = [[
    Listen 127.0.0.1:{open}
    Listen 127.0.0.1:{guarding}
    <VirtualHost 127.0.0.1:{open}>
      AllowEncodedSlashes NoDecode
      ProxyPass / http://127.0.0.1:{weir}/ nocanon
    </VirtualHost>
    <VirtualHost 127.0.0.1:{guarding}>
      AllowEncodedSlashes NoDecode
      ProxyPass / http://127.0.0.1:{weir}/ nocanon
      <Location "/docs/secret">
        Require all denied
      </Location>
    </VirtualHost>]],
}

-- What is wrong with an answer that came through a front, or nil.
local function compare(method, raw, response)
  local target = response.headers["x-target"]
  if not target then -- the front's own, or refused by Weir
    return response.status == 200 and "an answer that no app gave" or nil
  end
  local received, sent = ways.read(target:match "^[^?]*"), ways.read(raw:match "^[^?]*")
  if not received then return "an app was asked for " .. target end
  if sent and table.concat(sent, "\0") ~= table.concat(received, "\0") then
    return "the front made another path of it: " .. target
  end
  return ways.compare(method, target, {}, response)
end

describe("behind #fronts", function()
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  for name, config in pairs(configs) do
    it(name .. ", who guards and who answers agree", function()
      local folder = ways.make_folder()
      local server = support.serve(function(app) define(app, folder) end)
      local front = fronts.start(name, config, server)
      local open, guarding = ways.asker(front.open), ways.asker(front.guarding)
      local wrong, reached, denied = ways.tally(), 0, 0
      ways.some(23, #name, function(raw, n)
        local method = ({ "GET", "HEAD", "GET", "OPTIONS" })[n % 4 + 1]
        local response = open(method, raw)
        wrong.add(name .. ": " .. method .. " " .. raw, compare(method, raw, response))
        if response.headers["x-guard-secret"] then reached = reached + 1 end
        response = guarding(method, raw)
        local leak = response.status == 200 and response.headers["x-guard-secret"]
          and "from the folder that the front guards"
        wrong.add(name .. ", guarding: " .. method .. " " .. raw, leak or compare(method, raw, response))
        if response.status == 403 then denied = denied + 1 end
      end)
      test.log.take()
      wrong.check()
      assert.is_true(reached > 15, "the folder was reached " .. reached .. " times")
      assert.is_true(denied >= reached, "the front denied " .. denied .. " times")
    end)
  end

  it("nginx, an inbox is what it is without", function()
    local secret = ("s"):rep(32)
    local server = test.spawn { "serve", "apps/notify", "--workers", 2, env = { NOTIFY_SECRET = secret } }
    local front = fronts.start("nginx", fronts.plain.nginx, server).open
    local function headers(claims)
      return { Authorization = "Bearer " .. weir.jwt.sign(claims, { secret = secret }),
        ["Content-Type"] = "application/json" }
    end
    local ann = headers { sub = "ann" }
    local events = front:sse("/stream", { headers = ann })
    assert.equal("weir.hello", events:next().event)
    local sum = events:next()
    for i = 1, 3 do
      local body = ('{"title":"%d"}'):format(i)
      local made = front:post("/users/ann", { headers = headers { notify = "publish" }, body = body })
      assert.equal(201, made.status, made.body)
      assert.equal(made.json().at, events:next().id) -- at once, not when there is enough of it
    end
    local missed = front:sse("/stream", { headers = ann, last_event_id = sum.id })
    missed:next()
    assert.equal("1", weir.json.decode(missed:next().data).title)
    assert.equal(3, front:get("/inbox", { headers = ann }).json().counts.unseen)
  end)
end)
