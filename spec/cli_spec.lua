-- The command line, each in a process of its own: lua/REFERENCE.md.

local test = require "weir.test"
local support = require "spec.support"

local hello = [[
  local weir = require "weir"
  local app = weir.app()
  app:get("/hello/:name", function(stream) return { hello = stream.params.name } end)
  app:post("/things", function() return "made" end)
  return app
]]

describe("weir", function()
  after_each(support.remove_folders)

  describe("version", function()
    it("prints one line and ends with 0", function()
      local run = test.run { "version" }
      assert.equal(0, run.code)
      assert.matches("^weir %d+%.%d+%.%d+[^\n]*\n$", run.stdout)
    end)
  end)

  it("tells the usage of a command that is asked for --help", function()
    local empty = support.folder()
    for _, command in ipairs { "serve", "check", "routes", "spec", "new", "token", "version" } do
      for _, args in ipairs { { command, "--help" }, { command, "-h" }, { command, "something", "--help" } } do
        args.cwd = empty
        local run = test.run(args)
        assert.equal(0, run.code)
        assert.matches("^weir " .. command, run.stdout)
        assert.equal("", run.stderr)
      end
    end
  end)

  describe("with wrong usage ends with 2 and says the remedy:", function()
    local cases = {
      { "no command", {}, "serve" },
      { "an unknown command", { "sevre" }, "sevre" },
      { "serve without a path", { "serve" }, "PATH" },
      { "serve with an unknown option", { "serve", "APP", "--lisen", "127.0.0.1:0" }, "--lisen" },
      { "an address without a port", { "serve", "APP", "--listen", "127.0.0.1" }, "--listen" },
      { "a port that is none", { "serve", "APP", "--listen", "127.0.0.1:99999" }, "--listen" },
      { "no workers", { "serve", "APP", "--workers", "0" }, "--workers" },
      { "an option without its value", { "serve", "APP", "--listen" }, "--listen" },
      { "an unknown form of the log", { "serve", "APP", "--log", "xml" }, "text or json" },
      { "an admin address without a port", { "serve", "APP", "--admin", "127.0.0.1" }, "--admin" },
      { "an unknown log level", { "serve", "APP", "--log-level", "loud" }, "--log-level" },
      { "check without a path", { "check" }, "PATH" },
      { "routes without a path", { "routes" }, "PATH" },
      { "serve with a value for --watch", { "serve", "APP", "--watch=yes" }, "--watch takes no value" },
      { "new without a name", { "new" }, "NAME" },
      { "new with two names", { "new", "one", "two" }, "NAME" },
      { "new with a path", { "new", "a/b" }, "letters" },
      { "new with a name of nothing", { "new", "" }, "letters" },
      { "new with a name like an option", { "new", "-b" }, "letters" },
    }
    for _, case in ipairs(cases) do
      local what, args, word = unpack(case)
      it(what, function()
        if args[2] == "APP" then args[2] = support.app_file(hello) end
        local run = test.run(args)
        assert.equal(2, run.code)
        assert.equal("", run.stdout)
        assert.is_truthy(run.stderr:find(word, 1, true), run.stderr)
        assert.matches("weir", run.stderr)
      end)
    end
  end)

  describe("check", function()
    it("of a good app ends with 0, of a file or its folder", function()
      local path, folder = support.app_file(hello)
      assert.equal(0, test.run({ "check", path }).code)
      assert.equal(0, test.run({ "check", folder }).code)
    end)

    local broken = {
      { "a syntax error", "local app =\n\n= 1", "app.lua:3:" },
      { "an error at the top", "\nerror 'broken'", "app.lua:2:" },
      { "no app returned", "return 42", "app.lua" },
      { "an on_start that fails",
        "local app = require('weir').app()\napp:on_start(function()\n error 'cold' end)\nreturn app", "app.lua:3:" },
      { "the same route twice",
        "local app = require('weir').app()\napp:get('/twice', print)\napp:get('/twice', print)\nreturn app", "/twice" },
      { "a module that is missing", "require 'no_such_module'", "app.lua:1:" },
    }
    for _, case in ipairs(broken) do
      local what, text, where = unpack(case)
      it("of " .. what .. " ends with 1 and says where", function()
        local run = test.run { "check", (support.app_file(text)) }
        assert.equal(1, run.code)
        assert.is_truthy(run.stderr:find(where, 1, true), run.stderr)
      end)
    end

    it("of a path that is not there ends with 1 and names it", function()
      local run = test.run { "check", "/nonexistent/app.lua" }
      assert.equal(1, run.code)
      assert.is_truthy(run.stderr:find("/nonexistent/app.lua", 1, true))
    end)
  end)

  describe("routes", function()
    it("lists the routes, one a line", function()
      local run = test.run { "routes", (support.app_file(hello)) }
      assert.equal(0, run.code)
      local lines = {}
      for line in run.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("%s+", " ") end
      assert.equal(2, #lines)
      assert.matches("GET /hello/:name", table.concat(lines, "\n"))
      assert.matches("POST /things", table.concat(lines, "\n"))
    end)
  end)

  describe("spec", function()
    local function run_spec(body)
      local folder = support.folder()
      os.execute("mkdir " .. folder .. "/spec")
      support.write_file(folder .. "/spec/some_spec.lua", body)
      return test.run { "spec", cwd = folder, timeout = 20 }
    end

    it("ends with 0 when all pass, and their bodies may wait", function()
      local run = run_spec [[
        local weir = require "weir"
        local test = require "weir.test"
        it("waits", function()
          local app = weir.app()
          app:get("/", function() weir.sleep(0.001) return "well" end)
          local server = test.start(app)
          assert.equal("well", server:get("/").body)
          server:close()
        end)
      ]]
      assert.equal(0, run.code, run.stdout .. run.stderr)
      assert.matches("1 success", run.stdout)
    end)

    it("ends with 1 when one fails", function()
      local run = run_spec [[it("fails", function() assert.equal(1, 2) end)]]
      assert.equal(1, run.code)
      assert.matches("1 failure", run.stdout)
    end)
  end)
end)
