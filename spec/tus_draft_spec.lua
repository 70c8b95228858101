-- weir.tus by the IETF's draft, interop versions 5 and 6, on the same uploads as tus 1.0.0.

local weir = require "weir"
local support = require "spec.support"
local tus = require "spec.tus_support"

local PROBLEM = "https://iana.org/assignments/http%-problem%-types#"

for _, version in ipairs { "5", "6" } do
  local function ask(method, path, headers, body)
    local all = { ["Upload-Draft-Interop-Version"] = version }
    if method == "PATCH" and version == "6" then all["Content-Type"] = "application/partial-upload" end
    for name, value in pairs(headers or {}) do all[name] = value or nil end
    return tus.server:request(method, path, { headers = all, body = body })
  end

  local function patch(path, offset, ends, body, headers)
    local all = { ["Upload-Offset"] = ("%d"):format(offset), ["Upload-Complete"] = ends and "?1" or "?0" }
    for name, value in pairs(headers or {}) do all[name] = value end
    return ask("PATCH", path, all, body)
  end

  local function stands(answer, status, offset, complete)
    assert.equal(status, answer.status, answer.body)
    assert.equal(tostring(offset), answer.headers["upload-offset"])
    assert.equal(complete and "?1" or "?0", answer.headers["upload-complete"])
    assert.equal(version, answer.headers["upload-draft-interop-version"])
    assert.is_nil(answer.headers["tus-resumable"])
  end

  describe("interop version " .. version, function()
    after_each(support.remove_folders)

    it("takes an upload in one request, and says before it where to go on", function()
      local completed
      tus.begin { max_size = 1000, on_complete = function(upload) completed = upload.size end }
      local client = tus.server:connect()
      client:send(("POST /files HTTP/1.1\r\nHost: here\r\nUpload-Draft-Interop-Version: %s\r\nUpload-Complete: ?1\r\n"
        .. "Content-Length: 11\r\n\r\n"):format(version))
      local told = client:receive "\r\n\r\n"
      assert.matches("^HTTP/1.1 104 ", told)
      assert.matches("Upload%-Draft%-Interop%-Version: " .. version, told)
      assert.matches("Upload%-Limit: max%-size=1000", told)
      local path = told:match "Location: (%S+)"
      client:send "hello world"
      local answer = client:receive_response()
      stands(answer, 201, 11, true)
      assert.equal(path, answer.headers.location)
      assert.equal("hello world", tus.stored(path))
      assert.equal(11, completed)
      client:close()
    end)

    it("goes on where a creation was cut off", function()
      tus.begin()
      local client = tus.server:connect()
      client:send(("POST /files HTTP/1.1\r\nHost: here\r\nUpload-Draft-Interop-Version: %s\r\nUpload-Complete: ?1\r\n"
        .. "Content-Length: 11\r\n\r\nhello "):format(version))
      local path = client:receive "\r\n\r\n":match "Location: (%S+)"
      tus.await_stored(path, 6)
      client:close()
      local answer = ask("HEAD", path)
      stands(answer, 204, 6, false)
      assert.equal("no-store", answer.headers["cache-control"])
      assert.equal("11", answer.headers["upload-length"])
      stands(patch(path, 6, true, "world"), 201, 11, true)
      stands(ask("HEAD", path), 204, 11, true)
      assert.equal("hello world", tus.stored(path))
    end)

    it("learns the length at the end", function()
      tus.begin()
      local answer = ask("POST", "/files", { ["Upload-Complete"] = "?0" }, "hello")
      stands(answer, 201, 5, false)
      local path = answer.headers.location
      stands(patch(path, 5, false, " wor"), 201, 9, false)
      assert.is_nil(ask("HEAD", path).headers["upload-length"])
      stands(patch(path, 9, true, { "l", "d" }), 201, 11, true)
      assert.equal("11", ask("HEAD", path).headers["upload-length"])
      assert.equal("hello world", tus.stored(path))
      answer = ask("POST", "/files", { ["Upload-Complete"] = "?1" }, { "all", " of it" })
      stands(answer, 201, 9, true)
      answer = ask("POST", "/files", { ["Upload-Complete"] = "?0" })
      stands(answer, 201, 0, false)
      stands(patch(answer.headers.location, 0, true, ""), 201, 0, true)
    end)

    it("tells what is wrong by problems", function()
      tus.begin()
      local made = ask("POST", "/files", { ["Upload-Complete"] = "?0", ["Upload-Length"] = "5" }, "abc")
      local path = made.headers.location
      local answer = patch(path, 2, false, "x")
      assert.equal(409, answer.status)
      assert.equal("application/problem+json", answer.headers["content-type"])
      assert.equal("3", answer.headers["upload-offset"])
      local problem = answer.json()
      assert.matches(PROBLEM .. "mismatching%-upload%-offset", problem.type)
      assert.equal(3, problem["expected-offset"])
      assert.equal(2, problem["provided-offset"])

      assert.equal(400, patch(path, 3, true, "x").status)
      assert.equal(413, patch(path, 3, false, "xyz").status)
      assert.equal(400, patch(path, 3, true, "de", { ["Upload-Length"] = "6" }).status)
      assert.equal(400, ask("PATCH", path, { ["Upload-Offset"] = "3" }, "x").status)
      assert.equal(400, ask("PATCH", path, { ["Upload-Complete"] = "?0" }, "x").status)
      assert.equal(400, patch(path, 3, true, "de", { ["Upload-Complete"] = "yes" }).status)
      stands(ask("HEAD", path), 204, 3, false)

      stands(patch(path, 3, true, "de"), 201, 5, true)
      answer = patch(path, 5, true, "x")
      assert.equal(400, answer.status)
      assert.matches(PROBLEM .. "completed%-upload", answer.json().type)
      assert.equal(204, ask("DELETE", path).status)
      assert.equal(404, ask("HEAD", path).status)
    end)

    it("shares its uploads with tus 1.0.0", function()
      tus.begin()
      local path = tus.create(11, nil, "hello")
      stands(ask("HEAD", path), 204, 5, false)
      stands(patch(path, 5, false, " wor"), 201, 9, false)
      assert.equal(9, (tus.offset(path)))
      assert.equal(204, tus.patch(path, 9, "ld").status)
      stands(ask("HEAD", path), 204, 11, true)
    end)

    it("takes over from an old request", function()
      tus.begin()
      local path, old = tus.halfway()
      stands(ask("HEAD", path), 204, 5, false)
      assert.equal(409, old:receive_response().status)
      old:close()
    end)
  end)
end

describe("the draft", function()
  after_each(support.remove_folders)

  it("in another version is not spoken", function()
    tus.begin()
    local headers = { ["Upload-Draft-Interop-Version"] = "7", ["Upload-Complete"] = "?1" }
    local answer = tus.server:post("/files", { headers = headers, body = "abc" })
    assert.equal(412, answer.status)
    assert.equal("6, 5", answer.headers["upload-draft-interop-version"])
    assert.equal("1.0.0", answer.headers["tus-version"])
    assert.same({}, weir.fs.list(tus.folder))
  end)

  it("has a media type for what is added, in version 6", function()
    tus.begin()
    local headers = { ["Upload-Draft-Interop-Version"] = "6", ["Upload-Complete"] = "?0" }
    local path = tus.server:post("/files", { headers = headers, body = "abc" }).headers.location
    headers["Upload-Offset"], headers["Content-Type"] = "3", "text/plain"
    assert.equal(415, tus.server:patch(path, { headers = headers, body = "def" }).status)
  end)

  it("tells its limits", function()
    tus.begin { max_size = 100 }
    assert.equal("max-size=100", tus.server:options("/files").headers["upload-limit"])
    local headers = { ["Upload-Draft-Interop-Version"] = "6", ["Upload-Complete"] = "?1" }
    assert.equal(413, tus.server:post("/files", { headers = headers, body = ("x"):rep(101) }).status)
    local answer = tus.server:post("/files", { headers = headers, body = { ("x"):rep(60), ("x"):rep(60) } })
    assert.equal(413, answer.status)
  end)
end)
