-- What the author sees of an error under --watch, and that nobody sees it otherwise.

local core = require "weir.core"
local test = require "weir.test"
local support = require "spec.support"

local source = [[
local weir = require "weir"
local app = weir.app()

local function deeper(stream)
  -- the line after this one raises
  error("<b>broken</b> & \"quoted\": " .. stream.path)
end

app:get("/raise/*rest", function(stream)
  deeper(stream)
  return nil
end)

app:get("/string", function(stream) stream:sse { hartbeat = 1 } end)
app:get("/table", function() error { code = 7 } end)
app:get("/fail", function() weir.fail(418, "teapot") end)
app:get("/begun", function(stream)
  stream:write "begun"
  error "too late"
end)
return app
]]

-- The number of the line of `source` that holds a text.
local function line_of(text)
  local number = 0
  for line in source:gmatch "([^\n]*)\n" do
    number = number + 1
    if line:find(text, 1, true) then return number end
  end
end

describe("an error under --watch", function()
  local server

  before_each(function()
    core.test_mode { watching = true }
    server = support.serve_text(source)
  end)

  after_each(function()
    core.test_mode { watching = false }
    test.log.take("stack traceback", "error")
    test.log.take("the error is no string but a value of type table", "error")
    support.remove_folders()
  end)

  local function page(path, headers)
    headers = headers or {}
    headers.Accept = headers.Accept or "text/html,application/xhtml+xml,*/*;q=0.8"
    return server:get(path, { headers = headers })
  end

  it("is a page that is not kept", function()
    local answer = page "/raise/x"
    assert.equal(500, answer.status)
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    assert.equal("no-store", answer.headers["cache-control"])
    assert.matches("^<!doctype html>\n<html lang=\"en\">", answer.body)
  end)

  it("shows the message, and everything escaped", function()
    local body = page("/raise/<script>alert(1)</script>", { Referer = "<script>" }).body
    local message = "&lt;b&gt;broken&lt;/b&gt; &amp; &quot;quoted&quot;: /raise/"
    assert.is_truthy(body:find("<h1>" .. message, 1, true), body)
    assert.is_nil(body:find("<script", 1, true))
    assert.is_nil(body:find("<b>", 1, true))
    assert.is_truthy(body:find("<dd>&lt;script&gt;</dd>", 1, true))
  end)

  it("shows the source around the line, which is marked", function()
    local body, line = page("/raise/x").body, line_of "broken"
    assert.is_truthy(body:find("<code>app.lua:" .. line .. "</code>", 1, true), body)
    local marked = {}
    for number in body:gmatch '<mark><span class="number">(%d+)</span>' do marked[#marked + 1] = tonumber(number) end
    assert.same({ line }, marked)
    local shown = {}
    for number in body:gmatch '<span class="number">(%d+)</span>' do shown[#shown + 1] = tonumber(number) end
    local expected = {}
    for number = line - 5, line + 5 do expected[#expected + 1] = number end
    assert.same(expected, shown)
    assert.is_truthy(body:find('error(&quot;&lt;b&gt;broken', 1, true))
  end)

  it("of the library's shows the line of the script that called", function()
    local body = page("/string").body
    assert.is_truthy(body:find("<code>app.lua:" .. line_of "hartbeat" .. "</code>", 1, true), body)
    assert.matches("did you mean heartbeat%?", body)
  end)

  it("shows the traceback", function()
    local body = page("/raise/x").body
    assert.matches("<h2>Traceback</h2>", body)
    assert.matches("app%.lua:" .. line_of "broken" .. ": in function &#39;deeper&#39;", body)
    assert.matches("app%.lua:" .. line_of "  deeper(stream)" .. ": in function", body)
  end)

  it("shows the request, its secrets masked", function()
    local body = page("/raise/x?a=1&access_token=t0k3n&b=<", {
      Authorization = "Bearer abc.def", Cookie = "session=s3cr3t", ["Proxy-Authorization"] = "Basic cHc=",
      ["X-Api-Key"] = "k3y", ["X-Color"] = "blue",
    }).body
    assert.is_truthy(body:find(
      "<code>GET /raise/x?a=1&amp;access_token=(masked)&amp;b=&lt; HTTP/1.1</code>", 1, true), body)
    assert.is_truthy(body:find("<dt>x-color</dt><dd>blue</dd>", 1, true))
    for _, name in ipairs { "authorization", "cookie", "proxy-authorization", "x-api-key" } do
      assert.is_truthy(body:find("<dt>" .. name .. "</dt><dd>(masked)</dd>", 1, true), name)
    end
    for _, secret in ipairs { "abc.def", "s3cr3t", "cHc", "k3y", "t0k3n" } do
      assert.is_nil(body:find(secret, 1, true), secret)
    end
  end)

  it("masks a secret whose name is encoded, and those in URLs that fields hold", function()
    local body = page("/raise/x?acces%73_%74oken=t0k3n&%=1&a%20b=2", {
      Referer = "http://a.example/p?x=1&access_token=r3f#f", ["X-Original-URI"] = "/p?acces%73_%74oken=0r1g",
    }).body
    assert.is_truthy(body:find("?acces%73_%74oken=(masked)&amp;%=1&amp;a%20b=2 HTTP", 1, true), body)
    assert.is_truthy(body:find("http://a.example/p?x=1&amp;access_token=(masked)", 1, true), body)
    for _, secret in ipairs { "t0k3n", "r3f", "0r1g" } do
      assert.is_nil(body:find(secret, 1, true), secret)
    end
  end)

  it("that is no string is shown as well as it can be", function()
    local answer = page "/table"
    assert.equal(500, answer.status)
    assert.matches("<h1>table: ", answer.body)
  end)

  it("is text for who does not accept a page", function()
    for _, accept in ipairs { "*/*", "application/json", "text/html;q=0", "text/html;q=0.0, text/plain" } do
      local answer = page("/raise/x", { Accept = accept, Cookie = "session=s3cr3t" })
      assert.equal(500, answer.status)
      assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
      local line = line_of "broken"
      assert.is_truthy(answer.body:find('<b>broken</b> & "quoted": /raise/x\nat app.lua:' .. line .. "\n", 1, true))
      assert.matches("\n> +" .. line .. "    error%(", answer.body)
      assert.matches("\ncookie: %(masked%)\n", answer.body)
      assert.is_nil(answer.body:find("s3cr3t", 1, true))
    end
  end)

  it("is found by a name that messages have cut", function()
    local folder = support.folder() .. "/" .. ("deep/"):rep(20) .. "end"
    assert(os.execute("mkdir -p " .. folder) == 0)
    support.write_file(folder .. "/app.lua", source)
    server = test.start(folder .. "/app.lua")
    local body = page("/raise/x").body
    assert.is_truthy(body:find("<code>app.lua:" .. line_of "broken" .. "</code>", 1, true), body)
  end)

  it("whose source is gone has no excerpt", function()
    local path, folder = support.app_file(source)
    server = test.start(path)
    assert(os.remove(folder .. "/app.lua"))
    local answer = page "/raise/x"
    assert.equal(500, answer.status)
    assert.is_nil(answer.body:find("<mark>", 1, true))
    assert.matches("broken", answer.body)
  end)

  it("leaves what weir.fail asks for as it is", function()
    local answer = page "/fail"
    assert.equal(418, answer.status)
    assert.equal("teapot", answer.body)
  end)

  it("leaves to app:on_error what it answers", function()
    local custom = source:gsub("return app\n", 'app:on_error(function() return "mine" end)\nreturn app\n')
    server = support.serve_text(custom)
    assert.equal("mine", page("/raise/x").body)
  end)

  it("after the head has gone ends the stream, as ever", function()
    local answer, problem, partial = page "/begun"
    assert.is_nil(answer)
    assert.is_string(problem)
    assert.equal(200, partial.status)
    assert.equal("begun", partial.body)
  end)
end)

describe("an error without --watch", function()
  after_each(support.remove_folders)

  it("is a plain 500", function()
    local server = support.serve_text(source)
    local answer = server:get("/raise/x", { headers = { Accept = "text/html" } })
    assert.equal(500, answer.status)
    assert.is_nil(answer.body:find("broken", 1, true))
    assert.is_nil(answer.body:find("app.lua", 1, true))
    assert.equal(1, #test.log.take("broken", "error"))
  end)

  it("is a plain 500 of the program, and with it a page", function()
    local path = support.app_file(source)
    for _, watch in ipairs { false, true } do
      local server = test.spawn { "serve", path, "--workers", 1, watch and "--watch" or nil }
      local answer = server:get("/raise/x", { headers = { Accept = "text/html" } })
      assert.equal(500, answer.status)
      assert.equal(watch, answer.body:find("broken", 1, true) ~= nil)
      assert.equal(0, (server:stop()))
    end
  end)
end)
