-- Random bytes, digests and text forms: against the RFCs' own vectors.

local weir = require "weir"
local support = require "spec.support"

local hex = weir.hex

describe("weir.hash and weir.hmac", function()
  -- FIPS 180-4 and RFC 1321 examples, of "abc"
  for algorithm, digest in pairs {
    md5 = "900150983cd24fb0d6963f7d28e17f72",
    sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      .. "8086072ba1e7cc2358baeca134c825a7",
    sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  } do
    it("make the examples of " .. algorithm, function()
      assert.equal(digest, hex.encode(weir.hash(algorithm, "abc")))
    end)
  end

  it("make the examples of RFC 2202 and RFC 4231", function()
    local key, text = "Jefe", "what do ya want for nothing?"
    assert.equal("750c783e6ab0b503eaa86e310a5db738", hex.encode(weir.hmac("md5", key, text)))
    assert.equal("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", hex.encode(weir.hmac("sha1", key, text)))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hex.encode(weir.hmac("sha256", key, text)))
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", -- key of 131 bytes
      hex.encode(weir.hmac("sha256", ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First")))
  end)

  it("take any bytes, none too", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      hex.encode(weir.hash("sha256", "")))
    assert.equal(32, #weir.hmac("sha256", "", "\0\255"))
  end)

  it("say which algorithms there are", function()
    assert.error_matches(function() weir.hash("sha3", "x") end, '"sha256", "sha384", "sha512", "sha1" or "md5"')
    assert.error_matches(function() weir.hmac("SHA256", "k", "x") end, 'got "SHA256"')
    assert.error_matches(function() weir.hmac("sha256", nil, "x") end, "argument 2 %(key%) must be a string")
  end)

  it("raise when the digest cannot be made", function()
    weir.test.fault("auth_digest", "ENOMEM")
    assert.error_matches(function() weir.hash("sha256", "x") end, "cannot be made")
    weir.test.fault("auth_digest", "ENOMEM")
    assert.error_matches(function() weir.hmac("sha256", "k", "x") end, "cannot be made")
  end)
end)

describe("weir.equal", function()
  it("compares whole strings", function()
    assert.is_true(weir.equal("", ""))
    assert.is_true(weir.equal("a\0b", "a\0b"))
    assert.is_false(weir.equal("a\0b", "a\0c"))
    assert.is_false(weir.equal("ab", "abc"))
    assert.error_matches(function() weir.equal("a", nil) end, "argument 2 must be a string")
  end)
end)

describe("weir.random", function()
  it("gives as many bytes as asked for, and others each time", function()
    for _, n in ipairs { 0, 1, 16, 255, 257, 1024 * 1024 } do assert.equal(n, #weir.random(n)) end
    assert.not_equal(weir.random(16), weir.random(16))
  end)

  for _, n in ipairs { -1, 0.5, 1024 * 1024 + 1, 0 / 0, "16" } do
    it("refuses " .. tostring(n), function()
      assert.error_matches(function() weir.random(n) end, "must be a whole number, 0 to 1048576")
    end)
  end

  it("raises when the system has none", function()
    weir.test.fault("getrandom", "EIO")
    assert.error_matches(function() weir.random(16) end, "no random bytes")
  end)
end)

describe("weir.uuid", function()
  it("is a random one of RFC 9562, and another each time", function()
    local seen = {}
    for _ = 1, 100 do
      local uuid = weir.uuid()
      assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", uuid)
      assert.is_nil(seen[uuid])
      seen[uuid] = true
    end
  end)
end)

describe("text forms", function()
  local all = {}
  for code = 0, 255 do all[code + 1] = string.char(code) end
  all = table.concat(all)

  it("are those of RFC 4648 section 10", function()
    for text, forms in pairs {
      [""] = { "", "" }, f = { "Zg==", "66" }, fo = { "Zm8=", "666f" }, foo = { "Zm9v", "666f6f" },
      foob = { "Zm9vYg==", "666f6f62" }, fooba = { "Zm9vYmE=", "666f6f6261" }, foobar = { "Zm9vYmFy", "666f6f626172" },
      ["\251\255\254"] = { "+//+", "fbfffe" },
    } do
      assert.equal(forms[1], weir.base64.encode(text))
      assert.equal(text, weir.base64.decode(forms[1]))
      local url = forms[1]:gsub("=", ""):gsub("+", "-"):gsub("/", "_")
      assert.equal(url, weir.base64url.encode(text))
      assert.equal(text, weir.base64url.decode(url))
      assert.equal(forms[2], hex.encode(text))
      assert.equal(text, hex.decode(forms[2]))
    end
  end)

  it("hold all bytes", function()
    for _, codec in ipairs { weir.base64, weir.base64url, hex } do
      for n = 0, 20 do assert.equal(all:sub(1, n), codec.decode(codec.encode(all:sub(1, n)))) end
      assert.equal(all, codec.decode(codec.encode(all)))
    end
    assert.equal(all, hex.decode(hex.encode(all):upper()))
  end)

  for name, texts in pairs {
    base64 = { "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zg==\n", " Zg==", "Zh==", "Zm9=", "Z-==", "Zm9_",
      "Zg==Zg==", "=" },
    base64url = { "Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zg\n", " Zg" },
    hex = { "6", "6g", "0x66", "66 ", "6\0" },
  } do
    for _, text in ipairs(texts) do
      it(("%s refuses %q"):format(name, text), function()
        local value, why = weir[name].decode(text)
        assert.is_nil(value)
        assert.is_string(why)
      end)
    end
  end

  it("raise for what is no string", function()
    for _, name in ipairs { "base64", "base64url", "hex" } do
      assert.error_matches(function() weir[name].encode(5) end, ("weir.%s.encode: argument 1 %%(bytes%%)"):format(name))
      assert.error_matches(function() weir[name].decode {} end, ("weir.%s.decode: argument 1 %%(text%%)"):format(name))
    end
  end)
end)

describe("weir.html", function()
  it("escapes what ends text and attributes", function()
    assert.equal("&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;", weir.html [[<b a="1" c='2'>&amp;]])
    assert.equal("grüße\n", weir.html "grüße\n")
    assert.error_matches(function() weir.html(nil) end, "must be a string, got nil")
  end)
end)

describe("math.random", function()
  teardown(support.remove_folders)

  it("begins elsewhere in every state", function()
    local seen, path = {}, support.app_file [[
      local weir = require "weir"
      local app = weir.app()
      local first = math.random(2 ^ 40)
      app:get("/", function() return ("%.0f"):format(first) end)
      return app]]
    for _ = 1, 4 do
      local first = weir.test.start(path):get("/").body
      assert.is_nil(seen[first])
      seen[first] = true
    end
  end)
end)
