-- Answers that are complete before the request is: the client reads them, however much it still sends
-- (RFC 9112 section 9.6). Real clients, which send ten megabytes to who does not want them.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"

local app_text = [[
  local weir = require "weir"
  local app = weir.app()
  app:use("/401", weir.jwt { secret = ("s"):rep(32) })
  app:post("/401", function() return "in" end)
  app:post("/403", function() weir.fail(403) end)
  app:post("/413", function(stream) return tostring(#stream:body()) end)
  app:post("/200", function() return "early" end)
  app:static("/files", "files")
  app:get("/size/:n", function(stream) return ("x"):rep(stream.params.n) end)
  app:get("/cut", function(stream)
    stream:write("some")
    error("of it")
  end)
  return app
]]

local BYTES = 10000000

local function run(command, ...)
  local pipe = io.popen(command:format(...) .. " 2>&1")
  local output = pipe:read "*a"
  pipe:close()
  weir.sleep(0) -- it has held up this loop: what is timed from here on begins now
  return output
end

local function node(port, bytes, times, paths)
  local modules = os.getenv "NODE_MODULES" or "build/node/node_modules"
  return run("'%s/.bin/node' tests/early/early.mjs %d %d %d %s", modules, port, bytes, times, paths)
end

describe("an answer that comes before its request is complete", function()
  local server, folder

  before_each(function()
    local path
    path, folder = support.app_file(app_text)
    os.execute("mkdir " .. folder .. "/files")
    support.write_file(folder .. "/files/large.bin", ("f"):rep(2000000))
    support.write_file(folder .. "/body", ("x"):rep(BYTES))
    server = test.spawn { "serve", path, "--workers", 2 }
  end)
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  it("reaches Node's clients, and one that writes all before it reads", function()
    assert.equal("", node(server.port, BYTES, 2, "/401 /403 /413 /200"))
  end)

  it("reaches them behind a hundred megabytes", function()
    assert.equal("", node(server.port, 10 * BYTES, 1, "/413"))
  end)

  it("reaches curl", function()
    local ways = { "", "-H 'Transfer-Encoding: chunked'", "-H 'Expect:'", "-H 'Expect: 100-continue'", "-0" }
    for _, status in ipairs { 401, 403, 413, 200 } do
      for _, options in ipairs(ways) do
        local command = ("curl -sS -o %s/out -w %%{http_code} --data-binary @%s/body %s %s/%d"):format(
          folder, folder, options, server.url, status)
        assert.equal(tostring(status), run("%s", command), command)
      end
    end
  end)

  it("reaches who asks for a file with a body that nobody wants", function()
    local got = run("curl -sS -X GET --data-binary @%s/body %s/files/large.bin | wc -c", folder, server.url)
    assert.equal("2000000", got:match "%d+")
  end)

  it("is never a 502 behind nginx that does not wait for the body", function()
    local front = fronts.start("nginx", fronts.shipped "upload", server)
    assert.equal("", node(front.http.port, BYTES, 2, "/401 /403 /413 /200"))
    assert.equal("", support.read_file(front.folder .. "/error.log"))
  end)

  it("is not taken back by what ends the exchange behind it", function()
    for _, behind in ipairs { "BAD\r\n\r\n", "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /cut HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" } do
      local client = server:connect { rcvbuf = 2048 }
      client:send("GET /size/50000 HTTP/1.1\r\nHost: a\r\n\r\n" .. behind)
      test.eventually(function() return server:get("/size/1").status == 200 end)
      assert.equal(50000, #client:receive_response().body, behind)
      client:close()
    end
  end)
end)
