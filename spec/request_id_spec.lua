-- By what names a request is known: X-Request-Id and traceparent, in and out, in Lua and in the log.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local MADE = "^%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%-%d+$"
local TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
local PARENT = "00-" .. TRACE .. "-00f067aa0ba902b7-01"

local function serve()
  return support.serve(function(app)
    app:get("/plain", function() return "plain" end)
    app:get("/id", function(stream)
      return { id = stream.request_id, again = stream.request_id, number = stream.id, parent = stream.traceparent }
    end)
    app:get("/late", function(stream)
      stream:write "a"
      stream:write(stream.request_id)
    end)
    app:get("/own", function(stream) stream:header("X-Request-Id", "own") end)
    app:get("/log", function() weir.log.info "here" end)
    app:get("/child", function()
      weir.spawn(function() weir.spawn(function() weir.log.info "here" end):join() end):join()
    end)
    app:get("/waits", function() weir.sleep(0.001) weir.log.info "here" end)
    app:get("/defer", function() weir.defer(function() weir.log.info "here" end) end)
    app:get("/close", function(stream) stream:on_close(function() weir.log.info "here" end) end)
    app:get("/background", function() weir.background(function() weir.log.info "here" end) end)
    app:get("/error", function() error "here" end)
    app:get("/child-error", function() weir.spawn(function() error "here" end) weir.sleep(0.01) end)
  end)
end

local function ask(path, headers)
  return serve():get(path, { headers = headers })
end

describe("a request id", function()
  it("that came goes out again, asked for or not", function()
    assert.equal("a.b-1", ask("/plain", { ["X-Request-Id"] = "a.b-1" }).headers["x-request-id"])
    local response = ask("/id", { ["X-Request-Id"] = "a.b-1" })
    assert.equal("a.b-1", response.headers["x-request-id"])
    assert.equal("a.b-1", response:json().id)
  end)

  it("is made where none came, and goes out once somebody was told", function()
    assert.is_nil(ask("/plain").headers["x-request-id"])
    local response = ask "/id"
    local told = response:json()
    assert.matches(MADE, told.id)
    assert.equal(told.id, told.again)
    assert.equal(told.number, tonumber(told.id:match "%d+$"))
    assert.equal(told.id, response.headers["x-request-id"])
  end)

  it("is made in place of one that is not sane", function()
    for _, came in ipairs { "a b", "a,b", "\195\169", ("a"):rep(129), "" } do
      local response = ask("/id", { ["X-Request-Id"] = came })
      assert.matches(MADE, response:json().id)
      assert.equal(response:json().id, response.headers["x-request-id"])
      assert.matches(MADE, ask("/plain", { ["X-Request-Id"] = came }).headers["x-request-id"])
    end
    local longest = ("a"):rep(128)
    assert.equal(longest, ask("/id", { ["X-Request-Id"] = longest }):json().id)
  end)

  it("is that of the app, if it sets one", function()
    assert.equal("own", ask("/own", { ["X-Request-Id"] = "came" }).headers["x-request-id"])
  end)

  it("may be asked for behind the head, which has none then", function()
    local response = ask "/late"
    assert.is_nil(response.headers["x-request-id"])
    assert.matches(MADE, response.body:sub(2))
  end)

  it("is another one for each request", function()
    local server = serve()
    assert.are_not.equal(server:get("/id"):json().id, server:get("/id"):json().id)
  end)

  it("cannot be set", function()
    local ok, message
    support.ask(function(app)
      app:get("/", function(stream) ok, message = pcall(function() stream.request_id = "mine" end) end)
    end, "GET", "/")
    assert.is_false(ok)
    assert.matches("request_id belongs to the stream", message, 1, true)
  end)
end)

describe("a traceparent", function()
  it("is passed on as it came", function()
    assert.equal(PARENT, ask("/id", { traceparent = PARENT }):json().parent)
  end)

  it("that is not right is as if none came", function()
    for _, came in ipairs { "00-0-0-01", PARENT:upper(), PARENT .. "-x", "ff" .. PARENT:sub(3), "" } do
      assert.is_nil(ask("/id", { traceparent = came }):json().parent)
    end
    assert.is_nil(ask("/id"):json().parent)
  end)
end)

describe("a line of the log", function()
  local function line(path, headers)
    local response = ask(path, headers)
    local found
    test.eventually(function()
      found = test.log.take("here")[1]
      return found
    end, 5)
    return found.text, response
  end

  for _, path in ipairs { "/log", "/child", "/waits", "/defer", "/close", "/error", "/child-error" } do
    it("has the ids of the request it comes from: " .. path, function()
      local text = line(path, { ["X-Request-Id"] = "r1", traceparent = PARENT })
      assert.matches("here request_id=r1 trace_id=" .. TRACE, text, 1, true)
    end)
  end

  it("has one that is made, which the answer has too", function()
    local text, response = line "/error"
    assert.equal(500, response.status)
    assert.matches("here request_id=" .. response.headers["x-request-id"], text, 1, true)
    assert.matches(MADE, response.headers["x-request-id"])
  end)

  it("has none where no request is the cause", function()
    assert.is_nil(line("/background", { ["X-Request-Id"] = "r1" }):find("request_id", 1, true))
    weir.log.info "here"
    assert.equal("here", test.log.take("here")[1].text)
  end)
end)
