-- A browser behind a front: the page of apps/upload by TLS and HTTP/2.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"

describe("behind #fronts, a browser", function()
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  it("uploads by HTTP/2, and others see it: nginx with weir.conf", function()
    local secret = ("s"):rep(32)
    local function token(name)
      return weir.jwt.sign({ sub = name, upload = "write" }, { secret = secret, exp = 600 })
    end
    local server = test.spawn { "serve", "apps/upload", "--workers", 2, "--data", support.folder(),
      env = { UPLOAD_SECRET = secret } }
    local front = fronts.start("nginx", fronts.shipped "weir", server)
    local modules = os.getenv "NODE_MODULES" or "build/node/node_modules"
    local browser = test.run { shell = ("exec '%s/.bin/node' tests/fronts/browser.mjs"):format(modules), timeout = 120,
      env = { FRONT = "https://" .. front.https.address, ANN = token "ann", BEN = token "ben" } }
    assert.equal(0, browser.code, browser.stdout .. browser.stderr)
    assert.truthy(browser.stdout:find("\nok 1 ", 1, true), browser.stdout)
  end)
end)
