-- Static files over HTTP: validators, conditions, ranges, types, precompressed siblings, and never a path outside.

local test = require "weir.test"
local support = require "spec.support"
local wire = require "tests.e2e.wire"

local text = "0123456789"

-- A folder outside of which lies a secret, and a server for it.
local function serve()
  local outer = support.folder()
  local folder = outer .. "/public"
  os.execute(("mkdir -p %s/sub %s/empty"):format(folder, folder))
  support.write_file(outer .. "/secret.txt", "secret")
  support.write_file(folder .. "/digits.txt", text)
  support.write_file(folder .. "/sub/index.html", "<p>index</p>")
  support.write_file(folder .. "/nothing.txt", "")
  support.write_file(folder .. "/with space.txt", "space")
  support.write_file(folder .. "/packed.js", "plain()")
  support.write_file(folder .. "/packed.js.gz", "as gzip")
  support.write_file(folder .. "/packed.js.br", "as brotli")
  support.write_file(folder .. "/zipped.css", "plain{}")
  support.write_file(folder .. "/zipped.css.gz", "css as gzip")
  for _, name in ipairs { "a.html", "a.css", "a.js", "a.json", "a.svg", "a.png", "a.unknown" } do
    support.write_file(folder .. "/" .. name, "x")
  end
  os.execute(("ln -s ../secret.txt %s/out.txt; ln -s .. %s/up; ln -s /etc %s/etc; mkfifo %s/pipe")
    :format(folder, folder, folder, folder))
  return support.serve(function(app)
    app:get("/", function() return "well" end)
    app:static("/files", folder)
  end), folder
end

local function get(server, path, headers)
  return server:get("/files/" .. path, { headers = headers })
end

describe("a static file", function()
  after_each(support.remove_folders)

  it("has a length, a type, validators, and says that it takes ranges", function()
    local response = get(serve(), "digits.txt")
    assert.equal(200, response.status)
    assert.equal(text, response.body)
    assert.equal("10", response.headers["content-length"])
    assert.matches('^"[^"]+"$', (response.headers.etag:gsub("^W/", "")))
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", response.headers["last-modified"])
    assert.equal("bytes", response.headers["accept-ranges"])
  end)

  for name, media_type in pairs {
    ["a.html"] = "text/html", ["a.css"] = "text/css", ["a.js"] = "text/javascript", ["a.json"] = "application/json",
    ["a.svg"] = "image/svg+xml", ["a.png"] = "image/png", ["a.unknown"] = "application/octet-stream",
    ["digits.txt"] = "text/plain",
  } do
    it("is " .. media_type .. " when its name is " .. name, function()
      assert.equal(media_type, (get(serve(), name).headers["content-type"]:gsub(";.*", "")))
    end)
  end

  it("may be empty, or have a space in its name", function()
    local server = serve()
    local empty = get(server, "nothing.txt")
    assert.equal(200, empty.status)
    assert.equal("0", empty.headers["content-length"])
    assert.equal("space", get(server, "with%20space.txt").body)
  end)

  it("may be large", function()
    local server, folder = serve()
    local large = ("0123456789abcdef"):rep(5 * 65536)
    support.write_file(folder .. "/large.bin", large)
    assert.is_true(get(server, "large.bin").body == large)
  end)

  it("HEAD has all but the body", function()
    local server = serve()
    local head, got = server:head "/files/digits.txt", get(server, "digits.txt")
    assert.equal(200, head.status)
    for _, name in ipairs { "content-length", "content-type", "etag", "last-modified" } do
      assert.equal(got.headers[name], head.headers[name])
    end
  end)

  it("is not written: POST is 405", function()
    local response = serve():post("/files/digits.txt", { body = "x" })
    assert.equal(405, response.status)
    assert.equal("GET HEAD OPTIONS", support.allowed(response))
  end)

  it("of a folder is its index.html", function()
    local response = get(serve(), "sub/")
    assert.equal("<p>index</p>", response.body)
    assert.matches("^text/html", response.headers["content-type"])
  end)

  it("of a folder whose slash is left out is behind a redirect", function()
    local response = get(serve(), "sub?x=1")
    assert.equal(301, response.status)
    assert.matches("sub/%?x=1$", response.headers.location)
  end)

  it("of a folder without index is 404", function()
    assert.equal(404, get(serve(), "empty/").status)
  end)

  it("that is no file is 404", function()
    local server = serve()
    assert.equal(404, get(server, "missing").status)
    assert.equal(404, get(server, "pipe").status)
    assert.equal(404, get(server, "digits.txt/more").status)
    assert.equal(404, get(server, "digits.txt/").status)
  end)

  it("gets another ETag when it changes", function()
    local server, folder = serve()
    local before = get(server, "digits.txt").headers.etag
    support.write_file(folder .. "/digits.txt", text .. "!")
    local after = get(server, "digits.txt")
    assert.equal(text .. "!", after.body)
    assert.are_not.equal(before, after.headers.etag)
  end)

  local function run(command, ...)
    assert.equal(0, os.execute(command:format(...)))
  end

  -- Each leaves size and time of modification as they are.
  for name, change in pairs {
    ["is renamed over"] = function(path)
      run("printf ABCDEFGHIJ >%s.new && touch -r %s %s.new && mv %s.new %s", path, path, path, path, path)
    end,
    ["is written in place"] = function(path)
      run("touch -r %s %s.ref && printf ABCDEFGHIJ >%s && touch -r %s.ref %s", path, path, path, path, path)
    end,
  } do
    it("gets another ETag when it " .. name .. " with equal size and time", function()
      local server, folder = serve()
      local before = get(server, "digits.txt").headers
      change(folder .. "/digits.txt")
      local after = get(server, "digits.txt", { ["If-None-Match"] = before.etag })
      assert.equal(200, after.status)
      assert.equal("ABCDEFGHIJ", after.body)
      assert.equal(before["last-modified"], after.headers["last-modified"])
      assert.are_not.equal(before.etag, after.headers.etag)
    end)
  end

  for seconds = 0, 1 do
    it("whose time is " .. seconds .. ", as reproducible builds have it, has none to compare with", function()
      local server, folder = serve()
      run("touch -d @%d %s/digits.txt", seconds, folder)
      local response = get(server, "digits.txt", { ["If-Modified-Since"] = "Fri, 31 Dec 2100 23:59:59 GMT" })
      assert.equal(200, response.status)
      assert.is_nil(response.headers["last-modified"])
      assert.equal(304, get(server, "digits.txt", { ["If-None-Match"] = response.headers.etag }).status)
    end)
  end
end)

describe("conditions on a static file:", function()
  after_each(support.remove_folders)
  local past, future = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 2100 23:59:59 GMT"
  -- ETAG and DATE stand for the file's own.
  local cases = {
    { 304, { ["If-None-Match"] = "ETAG" } },
    { 304, { ["If-None-Match"] = "W/ETAG" } },
    { 304, { ["If-None-Match"] = '"other", ETAG' } },
    { 304, { ["If-None-Match"] = "*" } },
    { 200, { ["If-None-Match"] = '"other"' } },
    { 304, { ["If-Modified-Since"] = "DATE" } },
    { 304, { ["If-Modified-Since"] = future } },
    { 200, { ["If-Modified-Since"] = past } },
    { 200, { ["If-Modified-Since"] = "yesterday" } },
    { 200, { ["If-None-Match"] = '"other"', ["If-Modified-Since"] = future } },
    { 200, { ["If-Match"] = "*" } },
    { 412, { ["If-Match"] = '"other"' } },
    { 200, { ["If-Unmodified-Since"] = future } },
    { 412, { ["If-Unmodified-Since"] = past } },
  }
  for _, case in ipairs(cases) do
    local status, headers = unpack(case)
    local names = {}
    for name, value in pairs(headers) do names[#names + 1] = name .. ": " .. value end
    table.sort(names)
    it(table.concat(names, ", ") .. " gets " .. status, function()
      local server = serve()
      local first = get(server, "digits.txt")
      local sent = {}
      for name, value in pairs(headers) do
        local etag = first.headers.etag:gsub("^W/", "")
        sent[name] = value:gsub("ETAG", (etag:gsub("%%", "%%%%"))):gsub("DATE", first.headers["last-modified"])
      end
      local response = get(server, "digits.txt", sent)
      assert.equal(status, response.status)
      if status == 304 then
        assert.equal("", response.body)
        assert.equal(first.headers.etag, response.headers.etag)
      end
    end)
  end
end)

describe("ranges of a static file:", function()
  after_each(support.remove_folders)
  local cases = {
    { "bytes=0-3", 206, "0123", "bytes 0-3/10" },
    { "bytes=4-4", 206, "4", "bytes 4-4/10" },
    { "bytes=7-", 206, "789", "bytes 7-9/10" },
    { "bytes=-2", 206, "89", "bytes 8-9/10" },
    { "bytes=-20", 206, text, "bytes 0-9/10" },
    { "bytes=5-99", 206, "56789", "bytes 5-9/10" },
    { "bytes=0-18446744073709551615", 206, text, "bytes 0-9/10" },
    { "bytes=10-", 416, nil, "bytes */10" },
    { "bytes=99-100", 416, nil, "bytes */10" },
    { "bytes=-0", 416, nil, "bytes */10" },
    { "bytes=4-2", 200, text },
    { "bytes=a-b", 200, text },
    { "bytes", 200, text },
    { "lines=0-1", 200, text },
  }
  for _, case in ipairs(cases) do
    local range, status, body, content_range = unpack(case, 1, 4)
    it(range .. " gets " .. status, function()
      local response = get(serve(), "digits.txt", { Range = range })
      assert.equal(status, response.status)
      assert.equal(content_range, response.headers["content-range"])
      if body then
        assert.equal(body, response.body)
        assert.equal(tostring(#body), response.headers["content-length"])
      end
    end)
  end

  it("several are answered with all of them or the whole file", function()
    local response = get(serve(), "digits.txt", { Range = "bytes=0-1,4-5" })
    if response.status == 206 then
      assert.matches("^multipart/byteranges", response.headers["content-type"])
      assert.matches("bytes 0%-1/10", response.body)
      assert.matches("bytes 4%-5/10", response.body)
    else
      assert.equal(200, response.status)
      assert.equal(text, response.body)
    end
  end)

  it("of an empty file cannot be satisfied", function()
    assert.equal(416, get(serve(), "nothing.txt", { Range = "bytes=0-" }).status)
  end)

  it("count only if If-Range holds", function()
    local server = serve()
    local first = get(server, "digits.txt")
    local date = first.headers["last-modified"]
    for condition, status in pairs { [first.headers.etag] = 206, ['"other"'] = 200,
      ["Sun, 06 Nov 1994 08:49:37 GMT"] = 200 } do
      local response = get(server, "digits.txt", { Range = "bytes=0-3", ["If-Range"] = condition })
      if not condition:find("^W/") then assert.equal(status, response.status, condition) end
    end
    assert.is_truthy(date)
  end)

  it("do not count for HEAD's body", function()
    local response = serve():head("/files/digits.txt", { headers = { Range = "bytes=0-3" } })
    assert.equal("", response.body)
    assert.is_true(response.status == 200 or response.status == 206)
  end)
end)

describe("a precompressed sibling", function()
  after_each(support.remove_folders)
  local cases = {
    { "packed.js", nil, nil, "plain()" },
    { "packed.js", "gzip", "gzip", "as gzip" },
    { "packed.js", "br", "br", "as brotli" },
    { "packed.js", "gzip, deflate, br", "br", "as brotli" },
    { "packed.js", "br;q=0, gzip", "gzip", "as gzip" },
    { "packed.js", "gzip;q=0", nil, "plain()" },
    { "packed.js", "deflate", nil, "plain()" },
    { "zipped.css", "gzip, br", "gzip", "css as gzip" },
    { "zipped.css", "br", nil, "plain{}" },
    { "digits.txt", "gzip, br", nil, text },
  }
  for _, case in ipairs(cases) do
    local name, accepted, coding, body = unpack(case, 1, 4)
    it(name .. " for " .. tostring(accepted) .. " is " .. tostring(coding), function()
      local response = get(serve(), name, { ["Accept-Encoding"] = accepted })
      assert.equal(200, response.status)
      assert.equal(coding, response.headers["content-encoding"])
      assert.equal(body, response.body)
      if name:find("^packed") then
        assert.matches("^text/javascript", response.headers["content-type"])
        assert.matches("[Aa]ccept%-[Ee]ncoding", response.headers.vary)
      end
    end)
  end

  it("older than its file is not served", function()
    local server, folder = serve()
    assert.equal(0, os.execute(("touch -d @1577934245 %s/packed.js.br"):format(folder)))
    local headers = { ["Accept-Encoding"] = "gzip, br" }
    assert.equal("as gzip", get(server, "packed.js", headers).body)
    assert.equal(0, os.execute(("touch -d @1577934245 %s/packed.js.gz"):format(folder)))
    local response = get(server, "packed.js", headers)
    assert.equal("plain()", response.body)
    assert.is_nil(response.headers["content-encoding"])
  end)

  it("has an ETag of its own", function()
    local server = serve()
    local plain = get(server, "packed.js").headers.etag
    local zipped = get(server, "packed.js", { ["Accept-Encoding"] = "gzip" }).headers.etag
    assert.are_not.equal(plain, zipped)
  end)
end)

describe("never a path outside:", function()
  after_each(support.remove_folders)
  local paths = {
    "../secret.txt", "sub/../../secret.txt", "%2e%2e/secret.txt", "%2E%2E/secret.txt", "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt", "sub%2f..%2f..%2fsecret.txt", "./../secret.txt", "..\\secret.txt", "..%5csecret.txt",
    "/etc/passwd", "%2fetc%2fpasswd", "digits.txt%00", "%00", "out.txt", "up/secret.txt",
    "etc/passwd", "sub/../../../../../../../../etc/passwd", "....//secret.txt", "%252e%252e/secret.txt",
  }
  for _, path in ipairs(paths) do
    wire.both(path, serve, wire.request { "GET /files/" .. path .. " HTTP/1.1", "Host: a" }, function(client, server)
      local response = client:receive_response()
      assert.is_true(response.status >= 400 and response.status < 500, "status " .. response.status)
      assert.is_nil(response.body:find("secret", 1, true))
      assert.is_nil(response.body:find("root:", 1, true))
      assert.equal("well", server:get("/").body)
      test.log.take()
    end)
  end
end)
