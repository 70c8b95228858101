-- The list of several apps: what it says of each, whoever wrote its README, and that it reads nothing else.

local test = require "weir.test"
local support = require "spec.support"

local app_text = [[
  local app = require("weir").app()
  app:get("/", function() return "well" end)
  return app
]]

describe("the list of several apps", function()
  after_each(support.remove_folders)

  -- A folder of apps by names, each with the text of its README, or with what that function does to its folder.
  local function folder_of(apps)
    local folder = support.folder()
    for name, readme in pairs(apps) do
      local below = folder .. "/" .. name
      assert(os.execute("mkdir " .. below) == 0)
      support.write_file(below .. "/app.lua", app_text)
      if type(readme) == "string" then support.write_file(below .. "/README.md", readme) else readme(below) end
    end
    return folder
  end

  -- { name, "what it says" } of each app, as HTML.
  local function listed(server)
    local page, list = server:get "/", {}
    assert.equal(200, page.status)
    assert.equal("text/html; charset=utf-8", page.headers["content-type"])
    for address, name, line in page.body:gmatch '<li><a href="([^"]*)"><strong>([^<]*)</strong> (.-)</a>\n' do
      assert.equal(name .. "/", address)
      list[#list + 1] = { name, line }
    end
    return list
  end

  it("has the first sentence of each README, in the order of names", function()
    local folder = folder_of { b = "# b\n\nThe `second` one. And more.\n", a = "The first" }
    local server = test.start(folder)
    assert.same({ { "a", "The first" }, { "b", "The second one." } }, listed(server))
    assert.equal("well", server:get("/b/").body)
  end)

  it("breaks at no README, and shows nothing of what is elsewhere", function()
    local outside = support.write_file(support.folder() .. "/secret", "What nobody is to see.")
    local function run(command) return function(below) assert(os.execute(command:gsub("HERE", below)) == 0) end end
    local server = test.start(folder_of {
      a_none = function() end,
      b_huge = ("Much of the same "):rep(600000),
      c_link = run("ln -s " .. outside .. " HERE/README.md"),
      d_pipe = run "mkfifo HERE/README.md",
      e_folder = run "mkdir HERE/README.md",
      f_binary = "\127ELF\0\0\1\2 and so on.",
      g_hostile = "</a><script>alert(1)</script> & <img src=x onerror='alert(2)'>.",
      h_hostile = "No <script>alert(1)</script> & \"it's\" shown.",
      i_device = run "ln -s /dev/zero HERE/README.md",
    })
    local list = listed(server)
    assert.equal(9, #list)
    local lines = {}
    for i, app in ipairs(list) do lines[i] = app[2] end
    assert.equal(("Much of the same "):rep(11) .. "Much of the…", lines[2])
    lines[2] = ""
    local escaped = "No &lt;script&gt;alert(1)&lt;/script&gt; &amp; \"it's\" shown."
    assert.same({ "", "", "", "", "", "", "", escaped, "" }, lines)
    for _, app in ipairs(list) do assert.equal("well", server:get("/" .. app[1] .. "/").body) end
  end)

  it("says what the README says when an app is loaded, and which could not be started #workers", function()
    local folder = folder_of { good = "Good.", bad = "Bad." }
    support.write_file(folder .. "/bad/app.lua", "error 'no luck'")
    local process = test.spawn { "serve", folder, "--workers", 2 }
    local failed = "<em>could not be started; the log says why</em>"
    for _ = 1, 4 do assert.same({ { "bad", failed }, { "good", "Good." } }, listed(process)) end
    support.write_file(folder .. "/good/README.md", "Better.")
    support.write_file(folder .. "/bad/app.lua", app_text)
    assert.same("Good.", listed(process)[2][2])
    process:signal "HUP"
    test.eventually(function()
      local list = listed(process)
      return list[1][2] == "Bad." and list[2][2] == "Better."
    end)
  end)
end)
