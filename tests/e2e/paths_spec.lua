-- Each of a hundred paths in every way that it can be written: who guards, who answers, and what the script sees agree
-- with an oracle (tests/paths/ways.lua), whoever asks: without a socket and over one, in absolute form, with HEAD and
-- OPTIONS, at the top, below a mount, and as one of several apps.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local ways = require "tests.paths.ways"
local define = dofile "tests/paths/app.lua"

local function over_sockets(server, prefix, base)
  local wrong, ask = ways.tally(), ways.asker(server)
  ways.some(11, #prefix, function(raw, n)
    raw = prefix .. raw
    local method = ({ "GET", "GET", "HEAD", "OPTIONS" })[n % 4 + 1]
    local absolute = n % 3 == 0 and raw:sub(1, 1) == "/"
    local response = ask(method, (absolute and "http://a" or "") .. raw)
    wrong.add(method .. " " .. raw, ways.compare(method, raw, base, response))
  end)
  test.log.take()
  wrong.check()
end

describe("a path, however it is written #once", function()
  after_each(support.remove_folders)

  it("means one thing to all", function()
    assert.is_true(#ways.paths >= 100)
    local app, wrong = weir.app(), ways.tally()
    define(app, ways.make_folder())
    local n = 0
    ways.visit(function(raw)
      n = n + 1
      if n % 5 ~= 0 then return end
      local method = n % 2 == 0 and "GET" or "HEAD"
      local ok, response = pcall(test.simulate, app, { method = method, path = raw })
      local expected = ways.expect(raw:match "^[^?]*", {})
      if ok then
        wrong.add(method .. " " .. raw, ways.compare(method, raw, {}, response))
      else
        local refused = tostring(response):find("simulate: 400 ", 1, true)
        wrong.add(raw, (expected.status ~= 400 or not refused) and tostring(response) or nil)
      end
    end)
    wrong.check()
  end)

  it("means it over a connection", function()
    local folder = ways.make_folder()
    over_sockets(support.serve(function(app) define(app, folder) end), "", {})
  end)

  it("means it below a mount", function()
    local folder = ways.make_folder()
    local server = support.serve(function(app)
      local child = weir.app()
      define(child, folder)
      app:mount("/in here", child)
    end)
    over_sockets(server, "/in%20here", { "in here", alone = true })
  end)

  it("means it in one of several apps", function()
    local folder = support.folder()
    for _, name in ipairs { "one", "two" } do
      assert(os.execute(("mkdir '%s/%s'"):format(folder, name)) == 0)
      support.write_file(("%s/%s/app.lua"):format(folder, name), ([[
        local app = require "weir".app()
        dofile "tests/paths/app.lua"(app, %q)
        return app]]):format(ways.make_folder()))
    end
    over_sockets(test.start(folder), "/one", { "one" })
  end)
end)
