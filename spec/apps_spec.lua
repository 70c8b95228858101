-- The apps of apps/, the one that `weir new` writes, and the one in the README.

local test = require "weir.test"
local support = require "spec.support"
local weir = require "weir"
local json = weir.json

-- The data of the next event, which must have that name.
local function expect(events, name)
  local event = assert(events:next())
  assert.equal(name, event.event)
  return event.data
end

-- A page and all that it refers to are there, with relative addresses, which hold under any prefix.
local function assert_page(server, folder, files)
  local page = server:get(folder)
  assert.equal(200, page.status)
  assert.equal("text/html; charset=utf-8", page.headers["content-type"])
  assert.is_nil(page.body:match '="/[^"]*"')
  local found = 0
  for attribute, name in page.body:gmatch ' (%a+)="([%w.]+%.%a+)"' do
    assert.is_truthy(attribute == "href" or attribute == "src")
    found = found + 1
    local file = server:get(folder .. name)
    assert.equal(200, file.status, name)
    assert.is_truthy(file.headers["content-type"]:find(files[name], 1, true), name)
  end
  assert.equal(3, found)
end

local files = { ["style.css"] = "text/css", ["page.js"] = "javascript", ["icon.svg"] = "image/svg+xml" }

describe("clock", function()
  local server

  before_each(function() server = test.start "apps/clock/app.lua" end)

  -- The first `n` lines of a streamed answer.
  local function lines_of(target, n)
    local client = assert(server:connect())
    client:send("GET " .. target .. " HTTP/1.1\r\nHost: x\r\n\r\n")
    local head = assert(client:receive_head())
    local body = ""
    while select(2, body:gsub("\n", "")) < n do body = body .. assert(client:receive_piece(head)) end
    local lines = {}
    for line in body:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    return lines, head
  end

  it("ticks as server-sent events", function()
    local events = assert(server:sse "/sse")
    expect(events, "weir.hello")
    local first = json.decode(expect(events, "tick"))
    local second = json.decode(expect(events, "tick"))
    assert.equal(first.unix + 1, second.unix)
    assert.equal(os.date("!%H:%M:%S", second.unix), second.time)
  end)

  it("ticks as text", function()
    local lines, head = lines_of("/text", 2)
    assert.equal("text/plain; charset=utf-8", head.headers["content-type"])
    assert.equal("chunked", head.framing)
    for _, line in ipairs(lines) do assert.matches("^%d%d:%d%d:%d%d$", line) end
    assert.not_equal(lines[1], lines[2])
  end)

  it("ticks as newline-delimited JSON", function()
    local lines, head = lines_of("/ndjson", 2)
    assert.equal("application/x-ndjson", head.headers["content-type"])
    assert.equal(json.decode(lines[1]).unix + 1, json.decode(lines[2]).unix)
  end)

  it("has a page", function() assert_page(server, "/", files) end)
end)

describe("stocks", function()
  local server

  before_each(function() server = test.start "apps/stocks/app.lua" end)

  local function publish(key, price)
    weir.publish("stocks", { key = key, data = { symbol = key, price = price, time = weir.now() } })
  end

  -- The changes up to the first one of that symbol and price, the gaps among them as they are.
  local function changes_until(events, symbol, price)
    local changes = {}
    repeat
      local event = assert(events:next())
      local data = json.decode(event.data)
      data.event, data.padding = event.event, nil
      changes[#changes + 1] = data
    until data.symbol == symbol and data.price == price
    return changes
  end

  local function with(changes, field, value)
    local found = {}
    for _, change in ipairs(changes) do
      if change[field] == value then found[#found + 1] = change end
    end
    return found
  end

  it("tells who comes the newest price of each symbol, once", function()
    assert(assert(server:sse "/drop_oldest"):next()) -- prices change
    for price = 1, 50 do publish("first", price) end
    publish("last", 1)
    local changes = changes_until(assert(server:sse "/conflate"), "last", 1)
    assert.equal(50, with(changes, "symbol", "first")[1].price)
    for _, change in ipairs(changes) do assert.equal(1, #with(changes, "symbol", change.symbol), change.symbol) end
  end)

  it("skips to the newest price with conflate", function()
    local events = assert(server:sse "/conflate")
    assert(events:next())
    for price = 1, 150 do publish("here", price) end
    local changes = changes_until(events, "here", 150)
    assert.equal(1, #with(changes, "symbol", "here"))
    assert.same({}, with(changes, "event", "weir.gap"))
  end)

  it("keeps the last 100 changes with drop_oldest, and tells how many are lost", function()
    local events = assert(server:sse "/drop_oldest")
    assert(events:next())
    test.clock.freeze() -- the app's own prices would be among the last
    test.settle() -- those that are due already
    for price = 1, 150 do publish("here", price) end
    local changes = changes_until(events, "here", 150)
    local kept = with(changes, "symbol", "here")
    assert.equal(100, #kept)
    assert.equal(51, kept[1].price)
    local gap = with(changes, "event", "weir.gap")[1]
    assert.equal("overflow", gap.reason)
    assert.is_true(gap.lost >= 50)
  end)

  it("sends the streams of all workers the same changes #workers", function()
    local process = test.spawn { "serve", "apps/stocks", "--workers", 2 }
    local streams = {}
    for i = 1, 8 do
      streams[i] = assert(process:sse "/drop_oldest")
      assert(streams[i]:next())
    end
    -- Who reads too slowly skips some, so they read side by side and are held against what the first has got.
    local readers = {}
    for i, events in ipairs(streams) do
      readers[i] = function()
        local data_of = {}
        for _ = 1, 300 do
          local event = assert(events:next())
          if event.event ~= "weir.gap" then data_of[event.id] = event.data end
        end
        return data_of
      end
    end
    local received = weir.all(readers)
    for i = 2, #received do
      local common = 0
      for id, data in pairs(received[i]) do
        if received[1][id] then
          assert.equal(received[1][id], data)
          common = common + 1
        end
      end
      assert.is_true(common > 0, "streams 1 and " .. i .. " have nothing in common")
    end
  end)

  it("has a page", function()
    assert_page(server, "/", files)
    assert.equal(200, server:get("/reader.js").status)
  end)

  it("is at most 40 lines long", function()
    local text = assert(support.read_file "apps/stocks/app.lua")
    assert.is_true(select(2, text:gsub("\n", "")) <= 40)
  end)
end)

describe("guestbook", function()
  local server
  local function guest() return { Authorization = "Bearer " .. server:post("/token").body } end

  before_each(function() server = test.start "apps/guestbook/app.lua" end)

  it("lets in who has a token or a ticket, and nobody else", function()
    assert.equal(401, server:get("/entries").status)
    assert.equal(401, server:post("/ticket").status)
    assert.equal(401, server:post("/entries", { body = "hello" }).status)
    local events = assert(server:sse("/entries", { headers = guest() }))
    expect(events, "weir.hello")
    local ticket = server:post("/ticket?path=/entries", { headers = guest() }).json().ticket
    local others = assert(server:sse("/entries?ticket=" .. ticket))
    expect(others, "weir.hello")
    assert.equal(204, server:post("/entries", { headers = guest(), body = "hello" }).status)
    assert.same({ text = "hello" }, json.decode(expect(events, "message")))
    assert.same({ text = "hello" }, json.decode(expect(others, "message")))
  end)

  it("begins with what is there, and renews", function()
    test.clock.freeze()
    server:post("/entries", { headers = guest(), body = "before" })
    local events = assert(server:sse("/entries", { headers = guest() }))
    local id = json.decode(expect(events, "weir.hello")).stream
    assert.same({ text = "before" }, json.decode(expect(events, "message")))
    test.clock.advance(200)
    assert.equal(204, server:post("/renew?stream=" .. id, { headers = guest() }).status)
    test.clock.advance(200)
    server:post("/entries", { headers = guest(), body = "after" })
    assert.same({ text = "after" }, json.decode(expect(events, "message")))
  end)

  it("takes no entry that is too long", function()
    assert.equal(413, server:post("/entries", { headers = guest(), body = ("x"):rep(501) }).status)
  end)

  it("knows the tokens of all its workers #workers", function()
    server = test.spawn { "serve", "apps/guestbook", "--workers", 2 }
    local headers = guest()
    for _ = 1, 8 do expect(assert(server:sse("/entries", { headers = headers })), "weir.hello") end
  end)

  it("has pages", function()
    for _, page in ipairs { "/", "/token.html", "/ticket.html", "/tabs.html" } do
      local answer = server:get(page)
      assert.equal(200, answer.status, page)
      for _, pattern in ipairs { 'href="(%w+%.%a+)"', 'from "%./(%w+%.%a+)"' } do
        for name in answer.body:gmatch(pattern) do assert.equal(200, server:get("/" .. name).status, name) end
      end
    end
  end)
end)

describe("apps together", function()
  it("answer under the names of their folders #workers", function()
    local server = test.spawn { "serve", "apps", "--workers", 2 }
    local index = server:get "/"
    assert.equal(200, index.status)
    assert.matches("logtail/", index.body, 1, true)
    assert.matches("clock/", index.body, 1, true)
    assert.matches("stocks/", index.body, 1, true)
    assert.matches("guestbook/", index.body, 1, true)
    for name, line in index.body:gmatch "<strong>([^<]*)</strong>(.-)</a>" do
      assert.matches("%S.*[^…]$", line, name .. ": its README has no first sentence that fits")
    end
    assert_page(server, "/logtail/", files)
    assert_page(server, "/clock/", files)
    assert_page(server, "/stocks/", files)
    assert_page(server, "/upload/", files)
    assert_page(server, "/tokens/", files)
    assert_page(server, "/monitor/", files)
  end)
end)

describe("the app of weir new", function()
  after_each(support.remove_folders)

  it("has its name everywhere, and passes its spec", function()
    local folder = support.folder()
    local made = test.run { "new", "my-shop2", cwd = folder }
    assert.equal(0, made.code, made.stderr)
    for _, name in ipairs { "app.lua", "README.md", "public/index.html", "spec/app_spec.lua" } do
      local text = assert(support.read_file(folder .. "/my-shop2/" .. name), name)
      assert.is_truthy(text:find("my-shop2", 1, true), name)
      assert.is_nil(text:find("__NAME__", 1, true), name)
    end
    local spec = test.run { "spec", cwd = folder .. "/my-shop2", timeout = 30 }
    assert.equal(0, spec.code, spec.stdout .. spec.stderr)
    assert.matches("4 successes / 0 failures / 0 errors", spec.stdout, 1, true)
  end)
end)
