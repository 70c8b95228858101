-- app:not_found: what answers where neither a route nor a file is.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function missing(text)
  return function(stream) return text .. " " .. stream.path end
end

-- An app with a folder of files at `prefix`.
local function with_files(prefix, options)
  local folder = support.folder()
  assert(os.execute(("mkdir -p '%s/sub'"):format(folder)) == 0)
  support.write_file(folder .. "/there.txt", "a file")
  support.write_file(folder .. "/.hidden", "not shown")
  local app = weir.app()
  app:static(prefix, folder, options)
  app:get("/route", function() return "a route" end)
  app:not_found(missing "nothing at")
  return app
end

describe("app:not_found", function()
  after_each(support.remove_folders)

  it("answers where no route is, for every method that is known, with 404 unless it says otherwise", function()
    local app = weir.app()
    app:get("/route", function() return "a route" end)
    app:not_found(function(stream)
      if stream.query.gone then stream:status(410) end
      return { missing = stream.path }
    end)
    local server = test.start(app)
    local response = server:get "/nowhere"
    assert.equal(404, response.status)
    assert.same({ missing = "/nowhere" }, response.json())
    assert.equal(404, server:post("/nowhere", { body = "x" }).status)
    assert.equal("", server:head("/nowhere").body)
    assert.equal(410, server:get("/nowhere?gone=1").status)
    assert.equal("a route", server:get("/route").body)
  end)

  it("leaves 405, 501, OPTIONS and what a handler answers alone", function()
    local app = weir.app()
    app:get("/route", function() weir.fail(404, "the handler's own") end)
    app:get("/file", function(stream) return stream:file "no-such-file" end)
    app:not_found(missing "nothing at")
    local server = test.start(app)
    assert.equal(405, server:post("/route").status)
    assert.equal(501, server:request("BREW", "/nowhere").status)
    assert.equal(204, server:options("/route").status)
    assert.equal("the handler's own", server:get("/route").body)
    local response = server:get "/file"
    assert.equal(404, response.status)
    assert.equal("", response.body)
  end)

  for _, prefix in ipairs { "/", "/files" } do
    it("answers where a file is missing, or not for others, below " .. prefix, function()
      local server = test.start(with_files(prefix))
      local base = prefix == "/" and "" or prefix
      assert.equal("a file", server:get(base .. "/there.txt").body)
      assert.equal("a route", server:get("/route").body)
      for _, name in ipairs { "/missing", "/.hidden", "/sub/missing", "/sub/", "/there.txt/x", "/a%2Fb" } do
        local response = server:get(base .. name)
        assert.equal(404, response.status)
        assert.equal("nothing at " .. base .. name, response.body)
      end
      assert.equal(301, server:get(base .. "/sub").status)
      assert.equal(404, server:head(base .. "/missing").status)
      assert.equal("nothing at /other", server:get("/other").body)
    end)
  end

  it("serves files as without it: parts, conditions, HEAD", function()
    local server = test.start(with_files("/", { max_age = 7 }))
    local whole = server:get "/there.txt"
    assert.equal("max-age=7", whole.headers["cache-control"])
    assert.equal(304, server:get("/there.txt", { headers = { ["If-None-Match"] = whole.headers.etag } }).status)
    assert.equal("fi", server:get("/there.txt", { headers = { Range = "bytes=2-3" } }).body)
    assert.equal("6", server:head("/there.txt").headers["content-length"])
  end)

  it("holds below the prefix of a mounted app, the inner one first", function()
    local outer, middle, inner = weir.app(), weir.app(), weir.app()
    outer:not_found(missing "outer")
    inner:not_found(missing "inner")
    middle:mount("/inner", inner)
    outer:mount("/middle", middle)
    local function ask(path) return test.simulate(outer, { path = path }).body end
    assert.equal("outer /x", ask "/x")
    assert.equal("outer /middle/x", ask "/middle/x")
    assert.equal("inner /middle/inner/x", ask "/middle/inner/x")
    assert.equal("inner /middle/inner", ask "/middle/inner")
    assert.equal("outer /middle/innerx", ask "/middle/innerx")
  end)

  it("is behind the middleware, which sees what it answers", function()
    local app = weir.app()
    app:use("/closed", function() weir.fail(401) end)
    app:use(function(_, next) return "[" .. next() .. "]" end)
    app:not_found(missing "nothing at")
    assert.equal("[nothing at /x]", test.simulate(app, { path = "/x" }).body)
    assert.equal(401, test.simulate(app, { path = "/closed/x" }).status)
  end)

  it("fails as a handler does", function()
    local app = weir.app()
    app:not_found(function(stream) return stream.query.wrong and 5 or error "broken" end)
    assert.equal(500, test.simulate(app, { path = "/x" }).status)
    assert.equal(1, #test.log.take("spec/not_found_spec%.lua:%d+: broken", "error"))
    assert.equal(500, test.simulate(app, { path = "/x?wrong=1" }).status)
    assert.equal(1, #test.log.take("spec/not_found_spec%.lua:%d+: the handler of GET /x .* returned 5", "error"))
  end)

  it("may stream, and may return nothing", function()
    local app = weir.app()
    app:not_found(function(stream)
      if stream.query.stream then stream:write "in pieces" end
    end)
    local streamed = test.simulate(app, { path = "/x?stream=1" })
    assert.same({ 404, "in pieces" }, { streamed.status, streamed.body })
    local nothing = test.simulate(app, { path = "/x" })
    assert.same({ 404, "" }, { nothing.status, nothing.body })
  end)

  it("survives a client that leaves while the file is looked for", function()
    local server = test.start(with_files "/")
    for _ = 1, 50 do
      local client = server:connect()
      client:send "GET /missing HTTP/1.1\r\nHost: a\r\n\r\n"
      client:reset()
    end
    assert.equal("nothing at /missing", server:get("/missing").body)
  end)

  it("can be set once for an app, while its file loads", function()
    local app = weir.app()
    app:not_found(print)
    app:not_found(print)
    assert.error_matches(function() test.simulate(app, {}) end, "app:not_found: the app has one already")
    assert.error_matches(function() weir.app():not_found "page" end, "must be a function")
    assert.error_matches(function() weir.app():not_found(print, 1) end, "argument 2 must be nothing")
  end)
end)
