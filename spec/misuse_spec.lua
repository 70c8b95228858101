-- What scripts do wrong, and what must not come of it.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("misuse", function()
  it("more middlewares than there may be are refused, not skipped", function()
    local app = weir.app()
    for _ = 1, 257 do app:use(function(_, next) return next() end) end
    assert.error_matches(function() test.start(app) end, "app:use")
  end)

  it("what JSON cannot say is told at the line that gave it", function()
    local store = weir.store "misuse"
    local app = weir.app()
    local raised = {}
    local function try(fn, ...)
      local _, why = pcall(fn, ...)
      raised[#raised + 1] = tostring(why)
    end
    app:get("/", function(stream)
      try(function() stream:json { 0 / 0 } end)
      local sse = stream:sse()
      try(function() sse:send { data = 0 / 0 } end)
      try(function() sse:send(function() end) end)
    end)
    test.simulate(app, { path = "/" })
    try(function() weir.publish("misuse", { data = { print } }) end)
    try(function() weir.close("misuse", { data = { print } }) end)
    try(function() store:set("k", { 0 / 0 }) end)
    try(function() store:set("k", print) end)
    try(function() weir.jwt.sign({ x = 0 / 0 }, { secret = ("s"):rep(32) }) end)
    for i, why in ipairs(raised) do assert.matches("^spec/misuse_spec.lua:%d+: [%a.:]+: ", why, nil, nil, i) end
    try(function() store:update("k", function() return print end) end)
    try(function() store:update("k", function() return { 0 / 0 } end) end)
    assert.equal(10, #raised)
    for i = 9, 10 do assert.matches("^store:update: ", raised[i]) end -- it is not this line that returns it
  end)

  it("two files in one answer raise", function()
    local path, options = support.write_file(support.folder() .. "/file", "text"), { root = "/" }
    local server = support.serve(function(app)
      app:get("/", function(stream)
        local ok, err
        local first = weir.spawn(function() stream:file(path, options) end)
        local second = weir.spawn(function() ok, err = pcall(stream.file, stream, path, options) end)
        second:join()
        assert(not ok and tostring(err):find("stream:file"), err)
        first:join()
      end)
    end)
    assert.equal(200, server:get("/").status)
  end)

  local bad_hints = { ["a nested table"] = { Link = { { 1, 2 } } }, framing = { ["Content-Length"] = "1" } }
  for name, hints in pairs(bad_hints) do
    it("early_hints with " .. name .. " raises", function()
      local server = support.serve(function(app)
        app:get("/", function(stream)
          local ok, err = pcall(stream.early_hints, stream, hints)
          return { ok = ok, err = tostring(err) }
        end)
      end)
      local answer = server:get("/"):json()
      assert.is_false(answer.ok)
      assert.matches("early_hints", answer.err)
    end)
  end

  it("sse() before a failure does not send its head", function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream:sse()
        weir.fail(403)
      end)
    end)
    assert.equal(403, server:get("/").status)
  end)

  it("a body that was dropped by the answer is never taken for a whole one", function()
    local ok, err
    local server = support.serve(function(app)
      app:post("/", function(stream)
        stream:text("answered")
        ok, err = pcall(stream.body, stream)
      end)
    end)
    assert.equal("answered", server:post("/", { body = "hello" }).body)
    assert.is_false(ok)
    assert.equal(400, err.status)
  end)

  it("a stack that overflows is an error of its handler, however full it is", function()
    local server = support.serve(function(app)
      app:get("/:n", function(stream)
        local function dive(n) return 1 + dive(n + 1) end
        local function pad(n, ...)
          if n == 0 then return 1 + dive(1) end
          return 1 + pad(n - 1, n, ...)
        end
        return tostring(pad(tonumber(stream.params.n)))
      end)
    end)
    for n = 1, 40 do
      assert.equal(500, server:get("/" .. n).status)
      assert.equal(1, #test.log.take("stack overflow", "error"))
    end
  end)

  it("a write into a file that is being sent raises, and the file arrives", function()
    local path = support.write_file(support.folder() .. "/big", ("x"):rep(3000000))
    local ok, err = true, nil
    local server = support.serve(function(app)
      app:get("/", function(stream)
        weir.spawn(function()
          weir.sleep(0)
          while not stream.closed and ok do
            ok, err = pcall(stream.write, stream, "y")
            weir.sleep(0)
          end
        end)
        stream:file(path, { root = "/" })
        weir.sleep(0.01)
      end)
    end)
    local response = server:get("/")
    if ok then assert.equal(3000000, #response.body) end
    if not ok then assert.matches("stream:write", tostring(err)) end
    support.remove_folders()
  end)

  it("a script cannot make objects with finalisers", function()
    assert.is_nil(rawget(_G, "newproxy"))
  end)

  it("what a deferred function starts does not keep the server from ending", function()
    local file = support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      weir.background(function()
        weir.defer(function() weir.every(1, function() end) end)
        weir.sleep(3600)
      end)
      app:get("/", function() return "up" end)
      return app
    ]]
    local server = test.spawn { "serve", file, "--workers", "1" }
    assert.equal("up", server:get("/").body)
    assert.equal(0, (server:stop("TERM", 8)))
    support.remove_folders()
  end)
end)
