-- Uploads behind fronts. The client sends the next piece when the server has told, in its answer or by a topic, that it
-- has the one before: a front that holds back a single one, or the answer, is waited for in vain.

local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"
local client = require "tests.fronts.client"

describe("behind #fronts, an upload", function()
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  local function serve() return test.spawn { "serve", "tests/fronts/app.lua", "--workers", 2 } end

  local both = { "topic", "answer" }
  -- name, kind, configuration, port, ways, who tells, bytes of a piece
  local rows = {
    { "nginx with upload.conf", "nginx", fronts.shipped "upload", "http", { "http", "curl" }, both, 1000 },
    { "nginx with weir.conf", "nginx", fronts.shipped "weir", "https", { "http", "h2", "curl" }, both, 1000 },
    { "haproxy", "haproxy", fronts.plain.haproxy, "open", { "http" }, both, 1000 },
    -- It waits for 16 KiB of a body before it sends the head on, and answers when all has arrived.
    { "apache", "apache", fronts.plain.apache, "open", { "http" }, { "topic" }, 20000 },
  }
  for _, row in ipairs(rows) do
    local name, kind, config, port, ways, tellers, size = unpack(row)
    for _, way in ipairs(ways) do
      for _, teller in ipairs(tellers) do
        it(("arrives while it is sent, told by %s: %s, by %s"):format(teller, name, way), function()
          local front = fronts.start(kind, config, serve())
          assert.equal("all of 20 received", client.live(way, "pieces", front, port, "topic", 20, size, teller))
        end)
      end
    end
  end
end)
