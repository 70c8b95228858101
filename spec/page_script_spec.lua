-- /weir.js: the page's side of event streams, which every server answers: lua/REFERENCE.md, "weir.js, in a page".

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local function is_script(response)
  assert.equal(200, response.status)
  assert.equal("text/javascript; charset=utf-8", response.headers["content-type"])
  assert.equal("no-cache", response.headers["cache-control"])
  assert.matches("\nclass Stream extends EventTarget {\n", response.body, 1, true)
end

-- An app with a folder of files at its top.
local function with_files()
  local folder = support.folder()
  support.write_file(folder .. "/other.js", "a file")
  local app = weir.app()
  app:static("/", folder)
  return app, folder
end

describe("/weir.js", function()
  after_each(support.remove_folders)

  it("is there in every app", function()
    is_script(test.start(weir.app()):get "/weir.js")
  end)

  it("is there beside a folder of files at the top, unless the folder has one", function()
    local app, folder = with_files()
    local server = test.start(app)
    is_script(server:get "/weir.js")
    assert.equal("a file", server:get("/other.js").body)
    assert.equal(404, server:get("/none.js").status)
    support.write_file(folder .. "/weir.js", "the app's")
    assert.equal("the app's", server:get("/weir.js").body)
  end)

  it("is a route's, where one answers for it", function()
    local app = weir.app()
    app:get("/weir.js", function() return "a route" end)
    assert.equal("a route", test.start(app):get("/weir.js").body)
    app = weir.app()
    app:get("/*rest", function(stream) return stream.params.rest end)
    assert.equal("weir.js", test.start(app):get("/weir.js").body)
    app = weir.app()
    app:post("/weir.js", function() return "posted" end)
    assert.equal(405, test.start(app):get("/weir.js").status)
  end)

  it("is not missing for app:not_found, with a folder of files or without", function()
    for _, app in ipairs { weir.app(), (with_files()) } do
      app:not_found(function() return "not here" end)
      local server = test.start(app)
      is_script(server:get "/weir.js")
      assert.equal("not here", server:get("/other/weir.js").body)
    end
  end)

  it("stands behind the app's middleware", function()
    local app = with_files()
    app:use(function(stream, next)
      if stream.query.key ~= "k" then weir.fail(403) end
      stream:header("X-Seen", "yes")
      return next()
    end)
    local server = test.start(app)
    assert.equal(403, server:get("/weir.js").status)
    local response = server:get "/weir.js?key=k"
    is_script(response)
    assert.equal("yes", response.headers["x-seen"])
  end)

  it("is answered for GET and HEAD, and again only when it has changed", function()
    local server = test.start(weir.app())
    local first = server:get "/weir.js"
    local tag = first.headers.etag
    assert.matches('^"[%x-]+"$', tag)
    local head = server:head "/weir.js"
    assert.same({ 200, "", tostring(#first.body), tag },
      { head.status, head.body, head.headers["content-length"], head.headers.etag })
    local same = server:get("/weir.js", { headers = { ["If-None-Match"] = tag } })
    assert.same({ 304, "", tag, "no-cache", "Accept-Encoding" },
      { same.status, same.body, same.headers.etag, same.headers["cache-control"], same.headers.vary })
    is_script(server:get("/weir.js", { headers = { ["If-None-Match"] = '"other"' } }))
    assert.equal(412, server:get("/weir.js", { headers = { ["If-Match"] = '"other"' } }).status)
    local refused = server:post("/weir.js", { body = "x" })
    assert.same({ 405, "GET, HEAD" }, { refused.status, refused.headers.allow })
    assert.equal(501, server:request("BREW", "/weir.js").status)
  end)

  it("is compressed for those who like it so", function()
    local server = test.start(weir.app())
    local function ask(accept)
      return server:get("/weir.js", { headers = { ["Accept-Encoding"] = accept } })
    end
    local plain, packed = ask(nil), ask "gzip, br"
    assert.same({ "gzip", "Accept-Encoding" }, { packed.headers["content-encoding"], packed.headers.vary })
    assert.equal("Accept-Encoding", plain.headers.vary)
    assert.is_nil(plain.headers["content-encoding"])
    assert.not_equal(plain.headers.etag, packed.headers.etag)
    assert.is_true(#packed.body * 2 < #plain.body)
    local folder = support.folder()
    support.write_file(folder .. "/packed.gz", packed.body)
    local pipe = io.popen(("gzip -dc '%s/packed.gz'"):format(folder))
    assert.equal(plain.body, pipe:read "*a")
    pipe:close()
    for _, accept in ipairs { "", "br", "gzip;q=0", "identity, gzip;q=0.5" } do
      assert.is_nil(ask(accept).headers["content-encoding"], accept)
    end
  end)

  it("is there at the top and in each app where there are several", function()
    local folder = support.folder()
    for _, name in ipairs { "one", "two" } do
      assert(os.execute(("mkdir -p '%s/%s'"):format(folder, name)) == 0)
      support.write_file(("%s/%s/app.lua"):format(folder, name), [[return require "weir".app()]])
    end
    local server = test.spawn { "serve", folder, "--workers", 2 }
    for _, path in ipairs { "/weir.js", "/one/weir.js", "/two/weir.js" } do is_script(server:get(path)) end
    assert.equal(404, server:get("/three/weir.js").status)
    assert.equal(404, server:get("/one/deeper/weir.js").status)
  end)
end)
