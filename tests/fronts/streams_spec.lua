-- Event streams behind fronts. Whoever publishes waits for each event's receipt before the next, so that a front that
-- holds back a single one is waited for in vain.

local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"
local client = require "tests.fronts.client"

local tls = [[
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  server { listen 127.0.0.1:{https} ssl http2; location / { proxy_pass http://127.0.0.1:{weir}; } }
]]

describe("behind #fronts, an event stream", function()
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  local function serve() return test.spawn { "serve", "tests/fronts/app.lua", "--workers", 2 } end

  -- name, kind, configuration, ways with the names of their ports, how many events
  local rows = {
    { "nginx as it comes", "nginx", fronts.plain.nginx, { http = "open", curl = "open" } },
    { "nginx as it comes, with TLS", "nginx", tls, { http = "https", h2 = "https", curl = "https" } },
    { "nginx with sse.conf", "nginx", fronts.shipped "sse", { http = "http" } },
    { "nginx with upload.conf", "nginx", fronts.shipped "upload", { http = "http" } },
    { "nginx with weir.conf", "nginx", fronts.shipped "weir", { http = "https", h2 = "https" } },
    { "haproxy", "haproxy", fronts.plain.haproxy, { http = "open" }, 1000 }, -- 200 ms each would be too many
    { "apache", "apache", fronts.plain.apache, { http = "open" } },
  }
  for _, row in ipairs(rows) do
    for way, port in pairs(row[4]) do
      it(("arrives as it is published: %s, by %s"):format(row[1], way), function()
        local front, count = fronts.start(row[2], row[3], serve()), row[5] or 100
        assert.equal(count .. " received", client.live(way, "receipts", front, port, "topic", count))
      end)
    end
  end

  -- nginx as it comes gives up what is silent for 60 s, and Weir's heartbeat is 15 s: here both are a thirtieth.
  it("outlives nginx's proxy_read_timeout by its heartbeats, and comes to nothing without", function()
    local front = fronts.start("nginx", "proxy_read_timeout 2s;" .. fronts.plain.nginx, serve()).open
    local silent = front:sse("/events/topic")
    local events = front:sse("/events/topic?heartbeat=0.5")
    for _ = 1, 8 do assert(events:next_comment()) end
    assert.same({ nil, "closed" }, { silent:next() })
    front:post("/events/topic", { body = "still there" })
    assert.equal("still there", events:next().data)
  end)

  it("that nginx keeps for another nginx is kept by that one, unless it is told of Weir's header", function()
    local chain = [[
      server { listen 127.0.0.1:{inner}; location / { proxy_pass http://127.0.0.1:{weir}; %s } }
      server { listen 127.0.0.1:{outer}; location / { proxy_pass http://127.0.0.1:{inner}; } }]]
    local function open(more)
      local front = fronts.start("nginx", chain:format(more), serve())
      local reader = front.outer:connect()
      reader:send("GET /events/topic HTTP/1.1\r\nHost: a\r\n\r\n")
      test.eventually(function() return front.inner:get("/seen").json().subscribers == 1 end)
      return reader, function() front.inner:post("/events/topic", { body = ("x"):rep(400) }) end
    end
    local reader, publish = open "proxy_pass_header X-Accel-Buffering;"
    publish()
    assert(reader:receive "data: ")

    reader, publish = open ""
    local published = 0
    test.eventually(function()
      publish()
      published = published + 1
      return reader:receive("data: ", 0.05)
    end)
    assert.is_true(published > 5, published .. " events until the first came")
  end)

  it("takes two of nginx's worker_connections", function()
    local front = fronts.start("nginx", fronts.plain.nginx, serve(), 16).open
    local open = 0
    test.eventually(function()
      local events = front:sse("/events/topic")
      open = open + (events and 1 or 0)
      return not events
    end)
    assert.is_true(open > 4 and open <= 8, open .. " streams")
  end)

  it("ends in Weir when its client leaves, over HTTP/1.1 and HTTP/2", function()
    local server = serve()
    local front = fronts.start("nginx", fronts.shipped "weir", server)
    for _, way in ipairs { "http", "h2" } do
      assert.equal("1 received", client.live(way, "receipts", front, "https", "topic", 1)) -- and is gone
      test.eventually(function() return server:get("/seen").json().subscribers == 0 end)
    end
  end)

  -- What nginx says of its connections to clients; over HTTP/2 that is GOAWAY, and open streams go on.
  local limits = { "keepalive_requests 3;", "keepalive_time 50ms;", "" }
  for _, way in ipairs { "http", "h2" } do
    it("is resumed without gap or double when nginx gives up connections, by " .. way, function()
      local connections = {}
      for i, limit in ipairs(limits) do
        local server = serve()
        local front = fronts.start("nginx", limit .. fronts.shipped "weir", server)
        local output = client.live(way, "follow", front, "https", "topic", 300, server.url)
        local streams, made = output:match "^300 received, (%d+) streams, (%d+) connections$"
        assert(streams, output)
        connections[i] = made / streams
        fronts.stop()
      end
      assert.is_true(connections[1] >= 1 / 3 and connections[2] > connections[3], table.concat(connections, " "))
    end)
  end
end)
