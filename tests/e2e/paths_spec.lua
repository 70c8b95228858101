-- Each of a hundred paths in every way that it can be written: who guards, who answers, and what the script sees agree
-- with an oracle (tests/paths/ways.lua), whoever asks: without a socket and over one, in absolute form, with HEAD and
-- OPTIONS, at the top, below a mount, and as one of several apps.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local ways = require "tests.paths.ways"
local define = dofile "tests/paths/app.lua"

-- Wrong answers, the first ten of them in words.
local function tally()
  local wrong = { count = 0, asked = 0 }
  function wrong.add(what, problem)
    wrong.asked = wrong.asked + 1
    if not problem then return end
    wrong.count = wrong.count + 1
    if wrong.count <= 10 then wrong[#wrong + 1] = what .. ": " .. problem end
  end
  function wrong.check()
    assert.is_true(wrong.asked >= 1000, "only " .. wrong.asked .. " were asked")
    assert.equal(0, wrong.count, table.concat(wrong, "\n"))
  end
  return wrong
end

-- A client that goes on with its connection as long as it is kept.
local function asker(server)
  local client
  return function(method, target)
    for _ = 1, 2 do
      client = client or server:connect()
      client:send(("%s %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(method, target))
      local response = client:receive_response { method = method }
      if not response or response.headers.connection == "close" then
        client:close()
        client = nil
      end
      if response then return response end
    end
    error("no answer to " .. method .. " " .. target)
  end
end

-- What is sent on a request line; the rest is no target at all.
local function is_sendable(raw)
  return not raw:find "[^\33-\126]"
end

-- Of all the ways, each eleventh, another one for each `start`.
local function some(start, visit)
  local n = start
  ways.visit(function(raw)
    n = n + 1
    if n % 11 == 0 and is_sendable(raw) then visit(raw, n) end
  end)
end

local function over_sockets(server, prefix, base)
  local wrong, ask = tally(), asker(server)
  some(#prefix, function(raw, n)
    raw = prefix .. raw
    local method = ({ "GET", "GET", "HEAD", "OPTIONS" })[n / 11 % 4 + 1]
    local absolute = n / 11 % 3 == 0 and raw:sub(1, 1) == "/"
    local response = ask(method, (absolute and "http://a" or "") .. raw)
    wrong.add(method .. " " .. raw, ways.compare(method, raw, base, response))
  end)
  test.log.take()
  wrong.check()
end

describe("a path, however it is written,", function()
  after_each(support.remove_folders)

  it("means one thing to all", function()
    assert.is_true(#ways.paths >= 100)
    local app, wrong = weir.app(), tally()
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
