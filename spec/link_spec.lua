-- Names lead where they lead at each load: releases behind a link, mounted configurations, folders that are exchanged.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  local release = require "release"
  app:static("/public", "public")
  app:get("/", function() return release end)
  return app
]]

describe("a name", function()
  local folder, running

  local function sh(command, ...)
    assert.equal(0, os.execute("cd " .. folder .. " && " .. command:format(...)))
  end

  -- A folder with an app that answers `name`.
  local function release(path, name)
    sh("mkdir -p %s/public", path)
    support.write_file(folder .. "/" .. path .. "/app.lua", app_text)
    support.write_file(folder .. "/" .. path .. "/release.lua", ("return %q"):format(name))
    support.write_file(folder .. "/" .. path .. "/public/name.txt", name)
  end

  local function serve(options)
    options[1], options[2], options[3], options[4], options[5] = "serve", options[1], "--workers", 2, options.watch
    options.watch = nil
    running = test.spawn(options)
    return running
  end

  local function await(server, want, path)
    path = path or ""
    local text
    test.eventually(function()
      text = server:get(path .. "/").body .. " " .. server:get(path .. "/public/name.txt").body
      return text == want .. " " .. want
    end, 10)
    for _ = 1, 12 do assert.equal(want, server:get(path .. "/").body) end -- of all workers
  end

  before_each(function() folder = support.folder() end)
  after_each(function()
    if running then
      local code, complaints = running:stop()
      assert.equal(0, code, complaints)
    end
    running = nil
    support.remove_folders()
  end)

  -- Three releases one after the other, each former one removed when the next has taken over.
  local function deploys(server, exchange, path)
    await(server, "1", path)
    for n = 2, 4 do
      release("releases/" .. n, tostring(n))
      exchange(n)
      server:signal "HUP"
      await(server, tostring(n), path)
      sh("rm -r releases/%d", n - 1)
      server:signal "HUP"
      await(server, tostring(n), path)
    end
  end

  local function link(n) sh("ln -sfn releases/%d current", n) end

  it("of a link to a folder leads to the newer release after a reload #workers", function()
    release("releases/1", "1")
    link(1)
    deploys(serve { folder .. "/current" }, link)
  end)

  it("of a file behind a link does #workers", function()
    release("releases/1", "1")
    link(1)
    deploys(serve { folder .. "/current/app.lua" }, link)
  end)

  it("of a folder of links does, and the app is called by the link #workers", function()
    sh "mkdir apps"
    release("releases/1", "1")
    release("releases/other", "other")
    local function app_link(n) sh("ln -sfn ../releases/%d apps/mine", n) end
    app_link(1)
    sh "ln -sfn ../releases/other apps/other"
    local server = serve { folder .. "/apps" }
    deploys(server, app_link, "/mine")
    await(server, "other", "/other")
  end)

  it("that is relative begins where the shell is, be that a link #workers", function()
    release("releases/1", "1")
    link(1)
    deploys(serve { ".", cwd = folder .. "/current", env = { PWD = folder .. "/current" } }, link)
  end)

  it("that is relative begins where the process is when the shell means another folder #workers", function()
    release("releases/1", "1")
    release("elsewhere", "elsewhere")
    await(serve { "./app.lua", cwd = folder .. "/releases/1", env = { PWD = folder .. "/elsewhere" } }, "1")
  end)

  it("of the folder we are in leads to the one that takes its place #workers", function()
    release("here", "1")
    local server = serve { ".", cwd = folder .. "/here", env = { PWD = folder .. "/here" } }
    await(server, "1")
    release("new", "2")
    sh "mv here old && mv new here && rm -r old"
    server:signal "HUP"
    await(server, "2")
  end)

  it("is watched: a link that leads elsewhere reloads, and so do later changes there #workers", function()
    release("releases/1", "1")
    link(1)
    local server = serve { folder .. "/current", watch = "--watch" }
    await(server, "1")
    for n = 2, 3 do
      release("releases/" .. n, tostring(n))
      sh("ln -f releases/%d/app.lua releases/%d/app.lua", n - 1, n) -- the same file: only the module is another
      sh("ln -s releases/%d next && mv -T next current && rm -r releases/%d", n, n - 1)
      await(server, tostring(n))
      support.write_file(folder .. "/current/release.lua", "return 'changed'")
      support.write_file(folder .. "/current/public/name.txt", "changed")
      await(server, "changed")
    end
  end)

  -- As a cluster mounts them: each name leads through `..data`, which is exchanged in one step.
  it("of a mounted configuration is watched #workers", function()
    local function mount(n)
      release("mount/..v" .. n, tostring(n))
      sh("ln -s ..v%d mount/..next && mv -T mount/..next mount/..data", n)
    end
    mount(1)
    sh "cd mount && ln -s ..data/app.lua ..data/release.lua ..data/public ."
    local server = serve { folder .. "/mount", watch = "--watch" }
    await(server, "1")
    for n = 2, 4 do
      mount(n)
      sh("rm -r mount/..v%d", n - 1)
      await(server, tostring(n))
    end
  end)

  it("of a key file leads to the newer key #workers", function()
    release("releases/1", "1")
    sh "mkdir keys1 keys2 && ln -s keys1 keys"
    for n = 1, 2 do
      support.write_file(folder .. ("/keys%d/set.json"):format(n),
        ('{"keys":[{"kty":"oct","alg":"HS256","k":"%s"}]}'):format(("MTIz"):rep(10) .. (n == 1 and "MTEx" or "MjIy")))
    end
    support.write_file(folder .. "/releases/1/app.lua", ([[
      local weir = require "weir"
      local app = weir.app()
      app:get("/", function(stream)
        local claims, why = weir.jwt.verify(stream.query.token, { jwks = %q, alg = "HS256" })
        return claims and "in" or why
      end)
      app:get("/sign", function(stream)
        return weir.jwt.sign({ sub = "x" }, { secret = stream.query.secret, alg = "HS256", exp = 60 })
      end)
      return app
    ]]):format(folder .. "/keys/set.json"))
    local server = serve { folder .. "/releases/1" }
    local function sign(last) return server:get("/sign?secret=" .. ("123"):rep(10) .. last).body end
    local first, second = sign "111", sign "222"
    local function opens(which) return server:get("/?token=" .. which).body == "in" end
    assert.is_true(opens(first))
    assert.is_false(opens(second))
    sh "ln -sfn keys2 keys && rm -r keys1"
    server:signal "HUP"
    test.eventually(function() return opens(second) end, 10)
    assert.is_false(opens(first))
  end)
end)
