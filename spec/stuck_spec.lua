-- A worker that is inside one call for long: others accept for it, and it does not keep the server from ending.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  weir.limits { drain_timeout = 1, cpu_time = 100 }
  local me = tostring(app)
  app:get("/", function() return "well" end)
  app:get("/me", function() return me end)
  app:get("/spin", function() return tostring((("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b")) end)
  app:get("/nap", function(stream) return tostring(os.execute("sleep " .. stream.query.s)) end)
  return app
]]

local function spawn(workers)
  return test.spawn { "serve", (support.app_file(app_text)), "--workers", workers }
end

-- Sends a request whose answer is not waited for.
local function ask(server, path)
  local client = server:connect()
  client:send("GET " .. path .. " HTTP/1.1\r\nHost: a\r\n\r\n")
  return client
end

local function logged(server, pattern)
  return test.eventually(function() return server:stderr():find(pattern) end, 10)
end

local function all_answer(server)
  for _ = 1, 40 do
    local response = server:get("/", { timeout = 1 })
    assert.is_table(response, "no answer")
    assert.equal("well", response.body)
  end
end

describe("a worker that does not turn #workers", function()
  after_each(support.remove_folders)

  for _, path in ipairs { "/spin", "/nap?s=60" } do
    it("has another one accept for it, and is not waited for at the end: " .. path, function()
      local server = spawn(2)
      local stuck = ask(server, path)
      logged(server, "GET " .. path:match "/%a+" .. ": one call has lasted .-, another worker accepts its connections")
      local early = {} -- the kernel gives each worker some of them
      for i = 1, 20 do early[i] = ask(server, "/") end
      for _, client in ipairs(early) do assert.equal("well", client:receive_response().body) end
      all_answer(server)
      server:signal "TERM"
      assert.equal(1, (server:wait(10)))
      assert.matches("GET " .. path:match "/%a+" .. ": the call does not return; ending without it", server:stderr())
      stuck:close()
    end)
  end

  it("accepts again when it turns", function()
    local server = spawn(2)
    local client = ask(server, "/nap?s=4")
    logged(server, "another worker accepts its connections")
    assert.equal("0", client:receive_response().body)
    logged(server, "the worker whose streams had to wait goes on")
    local states, count = {}, 0
    test.eventually(function() -- of both workers
      local state = server:get("/me").body
      count = count + (states[state] and 0 or 1)
      states[state] = true
      return count == 2
    end, 10)
    assert.equal(0, (server:stop()))
  end)

  it("has nobody to help it when all are like it", function()
    local server = spawn(1)
    local stuck = ask(server, "/nap?s=60")
    logged(server, "for no other worker could accept them")
    server:signal "TERM"
    assert.equal(1, (server:wait(10)))
    stuck:close()
  end)

  it("is waited for if it comes back within the time", function()
    local server = spawn(1)
    local client = ask(server, "/nap?s=1")
    test.eventually(function() return not server:get("/", { timeout = 0.1 }) end)
    server:signal "TERM"
    assert.equal("0", client:receive_response().body)
    assert.equal(0, (server:wait(10)))
  end)
end)
