-- `weir new`: what it makes passes everything that there is for apps, as its user would go through it.

local test = require "weir.test"
local support = require "spec.support"

-- `weir new NAME` in a folder: what it printed.
local function make(name, folder)
  local run = test.run { "new", name, cwd = folder }
  assert.equal(0, run.code, run.stderr)
  return run.stdout
end

describe("weir new", function()
  local folder, shop

  before_each(function()
    folder = support.folder()
    shop = folder .. "/shop"
  end)
  after_each(support.remove_folders)

  it("prints the files that it has made, and what to do next", function()
    local printed = make("shop", folder)
    local count = 0
    for path in printed:gmatch "shop/[%w/_.]+" do
      assert.is_truthy(support.read_file(folder .. "/" .. path), path)
      count = count + 1
    end
    assert.is_true(count >= 4, printed)
    for _, next_step in ipairs { "cd shop", " serve --watch .", " spec" } do
      assert.is_truthy(printed:find(next_step, 1, true), printed)
    end
  end)

  it("puts the name where the template has its mark", function()
    make("shop", folder)
    for _, file in ipairs { "README.md", "app.lua", "public/index.html", "spec/app_spec.lua" } do
      local text = support.read_file(shop .. "/" .. file)
      assert.is_truthy(text:find("shop", 1, true), file)
      assert.is_nil(text:find("__", 1, true), file)
    end
  end)

  it("makes an app that weir check, luacheck included, has nothing to say about", function()
    make("shop", folder)
    local run = test.run { "check", ".", cwd = shop }
    assert.equal(0, run.code, run.stderr)
    assert.equal("", run.stderr)
  end)

  it("makes an app whose routes are listed", function()
    make("shop", folder)
    local run = test.run { "routes", ".", cwd = shop }
    assert.equal(0, run.code, run.stderr)
    assert.matches("GET%s+/hello/:name\n", run.stdout)
    assert.matches("GET%s+/time\n", run.stdout)
  end)

  it("makes an app whose spec is green from the first run, and red when the app is broken", function()
    make("shop", folder)
    local run = test.run { "spec", cwd = shop, timeout = 60 }
    assert.equal(0, run.code, run.stdout .. run.stderr)
    local app = support.read_file(shop .. "/app.lua"):gsub("hello = stream", "hallo = stream")
    support.write_file(shop .. "/app.lua", app)
    run = test.run { "spec", cwd = shop, timeout = 60 }
    assert.equal(1, run.code, run.stdout .. run.stderr)
    assert.matches("greets by name", run.stdout)
  end)

  it("makes an app that two workers serve: page, handler and stream #workers", function()
    make("shop", folder)
    local server = test.spawn { "serve", ".", "--workers", 2, cwd = shop }
    local page = server:get "/"
    assert.equal(200, page.status)
    assert.matches("EventSource%(.time.%)", page.body)
    assert.same({ hello = "Ada" }, server:get("/hello/Ada"):json())
    local events = assert(server:sse "/time")
    assert.equal("tick", assert(events:next()).event)
    assert.equal("tick", assert(events:next()).event)
    events:close()
    assert.equal(0, (server:stop()))
  end)

  it("takes a folder that is there and empty", function()
    assert(os.execute("mkdir " .. shop) == 0)
    make("shop", folder)
    assert.is_truthy(support.read_file(shop .. "/app.lua"))
  end)

  it("does not touch a folder with anything in it", function()
    assert(os.execute("mkdir " .. shop) == 0)
    support.write_file(shop .. "/app.lua", "mine")
    local run = test.run { "new", "shop", cwd = folder }
    assert.equal(1, run.code)
    assert.equal("", run.stdout)
    assert.matches("shop: .*choose another name", run.stderr)
    assert.equal("mine", support.read_file(shop .. "/app.lua"))
    assert.is_nil(support.read_file(shop .. "/README.md"))
  end)

  it("does not touch a file of that name", function()
    support.write_file(shop, "mine")
    local run = test.run { "new", "shop", cwd = folder }
    assert.equal(1, run.code)
    assert.matches("shop: .*choose another name", run.stderr)
    assert.equal("mine", support.read_file(shop))
  end)
end)
