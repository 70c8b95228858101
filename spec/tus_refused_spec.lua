-- What weir.tus refuses: requests that are not what they should be, and disks that are full or broken.

local test = require "weir.test"
local support = require "spec.support"
local tus = require "spec.tus_support"

local refused, names = tus.refused, tus.names

describe("bad requests to weir.tus", function()
  after_each(support.remove_folders)

  it("of another version are not processed", function()
    tus.begin()
    local path = tus.create(3)
    for _, version in ipairs { "0.2.2", "1.0", "2.0.0", false } do
      local headers = { ["Tus-Resumable"] = version or nil, ["Upload-Length"] = "3", ["Upload-Offset"] = "0",
        ["Content-Type"] = "application/offset+octet-stream" }
      for _, request in ipairs {
        { "POST", "/files" }, { "HEAD", path }, { "PATCH", path, "abc" }, { "DELETE", path },
      } do
        local answer = tus.server:request(request[1], request[2], { headers = headers, body = request[3] })
        refused(answer, 412)
        assert.equal("1.0.0", answer.headers["tus-version"])
      end
    end
    assert.equal(0, (tus.offset(path)))
  end)

  it("that make an upload are told what is wrong", function()
    tus.begin { max_size = 100 }
    for _, case in ipairs {
      { {}, 400, "is missing" },
      { { ["Upload-Length"] = "-1" }, 400, "in digits" },
      { { ["Upload-Length"] = "1e3" }, 400, "in digits" },
      { { ["Upload-Length"] = "9007199254740993" }, 400, "in digits" },
      { { ["Upload-Length"] = "101" }, 413, "at most 100" },
      { { ["Upload-Length"] = "1", ["Upload-Defer-Length"] = "1" }, 400, "one of them" },
      { { ["Upload-Defer-Length"] = "2" }, 400, "must be 1" },
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "filename d29ybGQ" }, 400, '"filename" is not base64' },
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "a YQ==,a Yg==" }, 400, "twice" },
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "a YQ==,,b Yg==" }, 400, "without a key" },
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "\195\164 YQ==" }, 400, "not ASCII" },
    } do
      refused(tus.ask("POST", "/files", case[1]), case[2], case[3])
    end
    assert.same({}, names())
  end)

  it("take no longer to read than they are long", function()
    tus.begin()
    local spaces, letters = (" "):rep(15000), ("a"):rep(15000)
    for _, case in ipairs {
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "a" .. spaces .. "b" }, "is not base64" },
      { { ["Upload-Length"] = "1", ["Upload-Metadata"] = "a," .. spaces .. ",b" }, "without a key" },
      { { ["Upload-Concat"] = "final;/" .. letters .. "/x" }, "no upload of" },
    } do
      local since = os.clock()
      refused(tus.ask("POST", "/files", case[1]), 400, case[2])
      assert.is_true(os.clock() - since < 0.1)
    end
  end)

  it("that continue one are told what is wrong, and change nothing", function()
    tus.begin()
    local path = tus.create(6)
    tus.patch(path, 0, "abc")
    refused(tus.patch(path, 2, "x"), 409, "offset of this upload is 3, not 2")
    refused(tus.patch(path, 4, "x"), 409)
    refused(tus.patch(path, 0, "x", { ["Upload-Offset"] = "x" }), 400)
    refused(tus.patch(path, 0, "x", { ["Upload-Offset"] = false }), 400, "is missing")
    refused(tus.patch(path, 3, "x", { ["Content-Type"] = "text/plain" }), 415)
    refused(tus.patch(path, 3, "x", { ["Content-Type"] = false }), 415, "no Content%-Type")
    refused(tus.patch(path, 3, "defg"), 413)
    refused(tus.patch(path, 3, { "de", "fg" }), 413)
    assert.equal(3, (tus.offset(path)))
    assert.equal("abc", tus.stored(path))
  end)

  it("never lead out of the folder", function()
    tus.begin()
    local path = tus.create(3)
    support.write_file(tus.folder .. "/secret", "abc")
    for _, id in ipairs {
      "secret", "..%2Fsecret", "%2Fetc%2Fpasswd", tus.id(path):upper(), tus.id(path) .. ".json", tus.id(path) .. "0",
    } do
      refused(tus.head("/files/" .. id), 404)
      refused(tus.ask("DELETE", "/files/" .. id), 404)
      refused(tus.patch("/files/" .. id, 0, "x"), 404)
    end
    assert.equal("abc", support.read_file(tus.folder .. "/secret"))
  end)

  it("follow no link that stands in the place of an upload", function()
    tus.begin()
    local path = tus.create(3)
    local outside = support.write_file(support.folder() .. "/outside", "")
    assert.equal(0, os.execute(("ln -sf '%s' '%s/%s'"):format(outside, tus.folder, tus.id(path))))
    refused(tus.patch(path, 0, "abc"), 500)
    refused(tus.head(path), 500)
    assert.equal("", support.read_file(outside))
    assert.truthy(test.log.take("ELOOP", "error") or test.log.take("symbolic links", "error"))
    test.log.take("symbolic links", "error")
  end)

  it("mend a record that is none by no guess", function()
    tus.begin()
    local path = tus.create(3)
    support.write_file(tus.folder .. "/" .. tus.id(path) .. ".json", "{")
    refused(tus.head(path), 500)
    assert.equal(1, #test.log.take("no record of this version", "error"))
  end)
end)

describe("a full or broken disk", function()
  after_each(support.remove_folders)

  it("leaves the upload where it was", function()
    tus.begin()
    local path = tus.create(2000000)
    tus.patch(path, 0, "abc")
    local body = ("x"):rep(1000000)
    test.fault("file_write", "ENOSPC", 1)
    local answer = tus.patch(path, 3, body)
    refused(answer, 507, "the disk is full")
    local offset = tus.offset(path)
    assert.equal(offset, #tus.stored(path))
    assert.equal(tonumber(answer.headers["upload-offset"] or offset), offset)
    assert.equal(204, tus.patch(path, offset, body).status)
    test.fault("file_write", "ENOSPC")
    refused((select(2, tus.create(3, nil, "abc"))), 507)
  end)

  it("takes back what cannot be synced", function()
    tus.begin()
    local path = tus.create(10)
    tus.patch(path, 0, "abc")
    test.fault("file_sync", "EIO")
    refused(tus.patch(path, 3, "def"), 500)
    assert.equal(3, (tus.offset(path)))
    assert.equal("abc", tus.stored(path))
    assert.truthy(test.log.take("error", "error")[1])
    assert.equal(204, tus.patch(path, 3, "def").status)
  end)

  it("makes no upload", function()
    tus.begin()
    for _, point in ipairs { "file_open", "file_sync" } do
      test.fault(point, "ENOSPC")
      local _, answer = tus.create(3)
      refused(answer, 507)
    end
    test.eventually(function() return #names() == 0 end)
  end)
end)
