-- stream:file and stream:save stay below their roots, whatever the client sends.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

-- A folder with the folders "public" and "other" and what must not be reached from them.
local function make_folder()
  local folder = support.folder()
  assert(os.execute(([[cd '%s' && mkdir -p public/sub public/.hidden other &&
    ln -s ../secret.txt public/out.txt && ln -s .. public/up && ln -s sub public/inside && ln -s /etc public/etc &&
    ln -s ../other/new.txt public/dangling && ln -s sub/b.txt public/link.txt]]):format(folder)) == 0)
  support.write_file(folder .. "/secret.txt", "SECRET")
  support.write_file(folder .. "/app.lua", "SECRET")
  support.write_file(folder .. "/.env", "SECRET")
  for _, name in ipairs { "public/a.txt", "public/sub/b.txt", "public/.hidden/c.txt", "public/a%2Fb", "other/d.txt" } do
    support.write_file(folder .. "/" .. name, name)
  end
  return folder
end

-- What a query, or a param by an encoded slash, may hold, and a script never meant.
local ATTACKS = {
  "/etc/passwd", "/secret.txt", "../secret.txt", "../app.lua", "../.env", "..", ".", "./a.txt", "sub/../../secret.txt",
  "sub/../a.txt", "sub/..", "sub/./b.txt", ".hidden/c.txt", "sub/.x", "out.txt", "up/secret.txt",
  "etc/passwd", "//etc/passwd", "sub//b.txt", "/", "up/other/d.txt",
  "", "a.txt\0", "\0",
}

local function encode(text)
  return (text:gsub("[%z\1-\255]", function(c) return ("%%%02x"):format(c:byte()) end))
end

describe("stream:file", function()
  after_each(support.remove_folders)

  local function serve(options)
    local folder = make_folder()
    support.write_file(folder .. "/app.lua", ([[
      local app = require "weir".app()
      app:get("/one", function(stream) return stream:file(stream.query.p%s) end)
      app:get("/why", function(stream)
        local _, code, message = stream:file(stream.query.p%s)
        return tostring(code) .. " " .. tostring(message)
      end)
      return app]]):format(options, options))
    return test.start(folder .. "/app.lua"), folder
  end

  for name, options in pairs { ["the app's public"] = "", ["a root of its own"] = ', { root = "public" }',
    ["hidden names allowed"] = ', { hidden = true }' } do
    it("stays below " .. name, function()
      local server, folder = serve(options)
      assert.equal("public/a.txt", server:get("/one?p=a.txt").body)
      assert.equal("public/sub/b.txt", server:get("/one?p=sub%2Fb.txt").body)
      assert.equal("public/sub/b.txt", server:get("/one?p=inside%2fb.txt").body)
      assert.equal("public/sub/b.txt", server:get("/one?p=link.txt").body)
      for _, path in ipairs { folder .. "/secret.txt", unpack(ATTACKS) } do
        if not (options:find "hidden" and path == ".hidden/c.txt") then
          local response = server:get("/one?p=" .. encode(path))
          assert.equal(404, response.status, path)
          assert.is_nil((response.body or ""):find("SECRET", 1, true))
        end
      end
      test.log.take()
    end)
  end

  it("says once in the log, and each time to the script, what to write for an absolute path", function()
    local server, folder = serve ""
    test.log.take()
    for _ = 1, 3 do
      local response = server:get("/why?p=" .. encode(folder .. "/public/a.txt"))
      assert.equal(404, response.status)
      assert.matches('^EACCES stream:file: the path "/', response.body)
      assert.is_truthy(response.body:find('by default "public"; write { root = "folder" } and what is below it, or '
        .. '{ root = "/" } where any file is meant', 1, true), response.body)
    end
    local lines = test.log.take()
    assert.equal(1, #lines)
    assert.equal("warn", lines[1].level)
    assert.equal("ENOENT public/no: no such file or directory\n", server:get("/why?p=no").body .. "\n")
  end)

  it("takes an absolute path with the root /", function()
    local folder = make_folder()
    local app = weir.app()
    app:get("/", function(stream) return stream:file(folder .. "/other/d.txt", { root = "/" }) end)
    app:get("/relative", function(stream) return stream:file((folder .. "/other/d.txt"):sub(2), { root = "/" }) end)
    app:get("/up", function(stream) return stream:file(folder .. "/public/../other/d.txt", { root = "/" }) end)
    assert.equal("other/d.txt", test.simulate(app, { path = "/" }).body)
    assert.equal("other/d.txt", test.simulate(app, { path = "/relative" }).body)
    assert.equal(404, test.simulate(app, { path = "/up" }).status)
  end)
end)

describe("stream:save", function()
  after_each(support.remove_folders)

  local function saving(root)
    local app = weir.app()
    app:put("/", function(stream)
      local bytes, code = stream:save(stream.query.p, { root = root })
      return bytes and { bytes = bytes } or { code = code }
    end)
    return function(path) return test.simulate(app, { method = "PUT", path = "/?p=" .. encode(path), body = "NEW" }) end
  end

  it("stays below its root", function()
    local folder = make_folder()
    local put = saving(folder .. "/public")
    for _, path in ipairs { "new.txt", "sub/new.txt", "inside/two.txt", "a.txt", "link.txt" } do
      assert.equal(3, put(path).json().bytes, path)
    end
    assert.equal("NEW", support.read_file(folder .. "/public/sub/two.txt"))
    assert.equal("NEW", support.read_file(folder .. "/public/sub/b.txt")) -- what link.txt leads to
    for _, path in ipairs(ATTACKS) do
      local response = put(path)
      assert.equal(404, response.status, path)
      assert.equal("EACCES", response.json().code, path)
    end
    assert.equal(3, put("made/as/needed.txt").json().bytes)
    assert.equal("NEW", support.read_file(folder .. "/public/made/as/needed.txt"))
    for path, code in pairs { ["up/made/x"] = "EACCES", ["etc/made/x"] = "EACCES", ["dangling/x"] = "ENOENT" } do
      local response = put(path)
      assert.equal(404, response.status, path)
      assert.equal(code, response.json().code, path)
    end
    assert.is_nil((weir.fs.stat(folder .. "/other/new.txt")))
    assert.is_nil((weir.fs.stat(folder .. "/made")))
    assert.equal("EISDIR", put("sub").json().code)
    assert.equal(3, put("dangling").json().bytes) -- the link is replaced, nothing is written where it led
    assert.is_nil(support.read_file(folder .. "/other/new.txt"))
    for _, name in ipairs { "secret.txt", ".env", "app.lua" } do
      assert.equal("SECRET", support.read_file(folder .. "/" .. name))
    end
    test.log.take()
  end)

  it("takes an absolute path with the root /", function()
    local folder = make_folder()
    assert.equal(3, saving("/")(folder .. "/other/new.txt").json().bytes)
    assert.equal("NEW", support.read_file(folder .. "/other/new.txt"))
  end)

  local uploading = [[
    local weir = require "weir"
    local app = weir.app()
    app:put("/", function(stream) return tostring(stream:save(stream.query.p)) end)
    app:get("/uploads", function() return weir.fs.uploads() end)
    return app]]

  it("is below the uploads of --data", function()
    local path, folder = support.app_file(uploading)
    local data = support.folder()
    local server = test.spawn { "serve", path, "--workers", 1, "--data", data }
    assert.equal("3", server:put("/?p=a.txt", { body = "NEW" }).body)
    assert.equal("NEW", support.read_file(data .. "/uploads/a.txt"))
    assert.equal(data .. "/uploads", server:get("/uploads").body)
    for _, attack in ipairs { "../weir.db", "..%2Fx", folder .. "/app.lua", ".x", data .. "/uploads/b" } do
      assert.equal(404, server:put("/?p=" .. encode(attack), { body = "NEW" }).status)
    end
    assert.equal(uploading, support.read_file(path))
    server:stop()
    assert.is_truthy(server:stderr():find("by default the uploads of --data", 1, true))
  end)

  it("says without --data what to do", function()
    local app = weir.app()
    app:put("/", function(stream) return tostring(stream:save(stream.query.p)) end)
    local response = test.simulate(app, { method = "PUT", path = "/?p=x", body = "NEW" })
    assert.equal(500, response.status)
    assert.is_truthy(test.log.take()[1].text:find('stream:save: without --data there is no folder for uploads; start '
      .. 'with weir serve --data DIR, or write { root = "folder" }', 1, true))
  end)
end)
