local test = require "weir.test"

describe("__NAME__", function()
  it("shows a page", function()
    local page = test.start("app.lua"):get "/"
    assert.equal(200, page.status)
    assert.matches("text/html", page.headers["content-type"], 1, true)
    assert.matches("__NAME__", page.body, 1, true)
  end)

  it("greets by name", function()
    assert.same({ hello = "Ada" }, test.start("app.lua"):get("/hello/Ada").json())
  end)

  it("sends the time, again and again", function()
    local events = assert(test.start("app.lua"):sse "/time")
    for _ = 1, 2 do
      local tick = assert(events:next())
      assert.equal("tick", tick.event)
      assert.matches("^%d%d:%d%d:%d%d$", tick.data)
    end
  end)

  it("answers the same from every worker", function()
    local server = test.spawn { "serve", "app.lua", "--workers", 2 }
    for _ = 1, 10 do assert.same({ hello = "Ada" }, server:get("/hello/Ada").json()) end
  end)
end)
