-- A request without a socket: what it shares with one that has a connection.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("simulate", function()
  it("outlives no on_close that is still at work", function()
    local closed = 0
    local function define(app)
      app:get("/", function(stream)
        stream:on_close(function()
          weir.sleep(0.01)
          closed = closed + 1
        end)
        return "x"
      end)
    end
    for i = 1, 5 do
      assert.equal("x", support.ask(define, "GET", "/").body)
      test.eventually(function() return closed == i end)
    end
  end)

  it("gives headers, cookies and a stream's pieces as one body", function()
    local response = support.ask(function(app)
      app:get("/", function(stream)
        stream:add_header("X-A", "1")
        stream:add_header("X-A", "2")
        stream:write("one")
        stream:flush()
        weir.sleep(0)
        stream:write("two")
      end)
    end, "GET", "/")
    assert.equal("1, 2", response.headers["x-a"])
    assert.equal("onetwo", response.body)
  end)

  it("gives an event stream that ends", function()
    local response = support.ask(function(app)
      app:get("/", function(stream) stream:sse():send { event = "e", data = "d" } end)
    end, "GET", "/")
    assert.matches("event: ?e\n", response.body)
    assert.matches("data: ?d\n\n", response.body)
  end)

  it("of a handler that breaks gives 500 and the log line", function()
    local response = support.ask(function(app) app:get("/", function() error "broken" end) end, "GET", "/")
    assert.equal(500, response.status)
    assert.equal(1, #test.log.take("broken", "error"))
  end)
end)

describe("a simulated answer", function()
  it("has the head's own fields, as a socket would bring them", function()
    local app = weir.app()
    app:get("/", function() return "x" end)
    app:get("/own", function(stream)
      stream:header("Server", "mine")
      stream:html "<p>"
    end)
    for _, path in ipairs { "/", "/own", "/none" } do
      local simulated = test.simulate(app, { path = path })
      local real = test.start(app):get(path)
      simulated.headers.date, real.headers.date = simulated.headers.date ~= nil, real.headers.date ~= nil
      assert.same(real.headers, simulated.headers)
    end
  end)
end)
