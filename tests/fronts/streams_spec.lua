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
end)
