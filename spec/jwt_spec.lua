-- weir.jwt.verify, weir.jwt.sign and `weir token`: lua/REFERENCE.md. What a token may be is tested in
-- tests/unit/auth_*; with whom it is exchanged, in jose_spec.lua.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local SECRET = "0123456789abcdef0123456789abcdef"
local OTHER = "fedcba9876543210fedcba9876543210"
local SET = '{"keys":[{"kty":"oct","alg":"HS256","kid":"%s","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}'

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), err)
end

describe("weir.jwt", function()
  after_each(support.remove_folders)

  it("verifies with the table that weir.jwt takes", function()
    local options = { secret = SECRET, from = { "bearer", "query" }, expired = "event" }
    local token = weir.jwt.sign({ sub = "ann" }, { secret = SECRET, exp = 60 })
    assert.equal("ann", weir.jwt.verify(token, options).sub)
    assert.equal("function", type(weir.jwt(options)))
    assert.error_matches(function() weir.jwt.verify(token, { secret = SECRET, form = {} }) end, "did you mean from?")
  end)

  it("verifies what it signs, and gives back the claims", function()
    local claims = { sub = "bob", n = 1.5, yes = true, no = false, none = weir.json.null, list = { 1, { "a" } },
      object = { ["a.b"] = "ü\1" }, [""] = "empty" }
    local token = weir.jwt.sign(claims, { secret = SECRET })
    local back = weir.jwt.verify(token, { secret = SECRET })
    assert.is_true(math.abs(back.iat - weir.now()) < 60)
    back.iat = nil
    assert.same(claims, back)
  end)

  it("answers nil, why, and what kind of wrong it is", function()
    local token = weir.jwt.sign({ iss = "a", role = "user" }, { secret = SECRET })
    local cases = {
      { { secret = OTHER }, "invalid", "the signature is wrong" },
      { { secret = SECRET, alg = "HS256", issuer = "b" }, "invalid", "iss is" },
      { { secret = SECRET, issuer = { "b", "c" } }, "invalid", "iss is" },
      { { secret = SECRET, audience = "x" }, "invalid", "aud is missing" },
      { { secret = SECRET, claims = { role = "admin" } }, "forbidden", "the claim role" },
    }
    for _, case in ipairs(cases) do
      local claims, why, kind = weir.jwt.verify(token, case[1])
      assert.is_nil(claims)
      assert.equal(case[2], kind)
      assert.is_truthy(why:find(case[3], 1, true), why)
    end
    local any = { "b", "a" }
    assert.equal("a", weir.jwt.verify(token, { secret = SECRET, issuer = any, claims = { role = "user" } }).iss)
    for _, text in ipairs { "", "a.b.c", token .. "A", token .. "." } do
      assert.is_nil((weir.jwt.verify(text, { secret = SECRET })))
    end
  end)

  it("takes no sub that is not a string, in a token, for one, or on a stream", function()
    for _, token in ipairs {
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjd9.8C4XqsNnpsCAlxLr8PQcTeVGwfjwfVykUtkimXWIvHU",
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOm51bGx9.Ob_VTCoR-mbmVKPEJVqMhaZORIkxOti3TUSOHIUakb0",
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOlsiYm9iIl19.CGhy_okBIAPaJ_X1Kph8k1DP4Iah5g83p5Ur8TLHlM4",
    } do
      local claims, why, kind = weir.jwt.verify(token, { secret = SECRET })
      assert.is_nil(claims)
      assert.equal("invalid", kind)
      assert.equal("sub is no string", why)
    end
    raises("claims.sub must be a string, got 7", weir.jwt.sign, { sub = 7 }, { secret = SECRET })
    for _, name in ipairs { "exp", "nbf", "iat" } do
      raises("claims." .. name .. " must be a number", weir.jwt.sign, { [name] = "1" }, { secret = SECRET })
    end
  end)

  it("set by a script are what they must be, or an error: no stream is open for ever by mistake", function()
    local wrong = {
      ["sub is a number"] = { sub = 7 }, ["sub holds NUL"] = { sub = "ann\0x" }, ["exp is a string"] = { exp = "1" },
      ["exp is a boolean"] = { exp = true }, ["exp is NaN"] = { exp = 0 / 0 },
      ["expected a table of claims or nil, got a string"] = "ann", ["got a boolean"] = false,
    }
    for message, claims in pairs(wrong) do
      local response = support.ask(function(app)
        app:get("/", function(stream) stream.claims = claims end)
      end, "GET", "/")
      assert.equal(500, response.status)
      local text = test.log.take()[1].text
      assert.is_truthy(text:find("stream.claims: ", 1, true) and text:find(message, 1, true), text)
    end
  end)

  it("ends with exp, a leeway later", function()
    test.clock.freeze()
    finally(test.clock.thaw)
    local token = weir.jwt.sign({}, { secret = SECRET, exp = 100 })
    local usual, exact = { secret = SECRET }, { secret = SECRET, leeway = 0 }
    test.clock.advance(98)
    assert.is_truthy(weir.jwt.verify(token, exact))
    test.clock.advance(2)
    assert.equal("expired", (select(3, weir.jwt.verify(token, exact))))
    assert.is_truthy(weir.jwt.verify(token, usual))
    test.clock.advance(30)
    local _, why, kind = weir.jwt.verify(token, usual)
    assert.equal("expired", kind)
    assert.matches("the leeway is 30 s", why)
  end)

  it("takes keys from a JWK Set in a file, and new ones when they come", function()
    local folder = support.folder()
    local path = folder .. "/keys.json"
    support.write_file(path, SET:format "old")
    local options = { jwks = path }
    local old = weir.jwt.sign({}, { secret = SECRET, kid = "old" })
    local new = weir.jwt.sign({}, { secret = SECRET, kid = "new" })
    assert.is_truthy(weir.jwt.verify(old, options))
    support.write_file(path, SET:format "new")
    assert.is_truthy(weir.jwt.verify(new, options))
    assert.is_nil((weir.jwt.verify(old, options)))
  end)

  it("raises what is wrong with the options, and never shows a secret", function()
    local token = weir.jwt.sign({}, { secret = SECRET })
    local function verify(options) return function() return weir.jwt.verify(token, options) end end
    raises("argument 1 (token)", weir.jwt.verify, nil, {})
    raises("argument 2 (options)", weir.jwt.verify, token)
    raises("there is no key", verify {})
    raises("os.getenv", verify { secret = os.getenv "NO_SUCH_VARIABLE" })
    raises("give secret or key, not both", verify { secret = SECRET, key = "x" })
    raises("secret must be a string", verify { secret = 5 })
    raises("key must not hold NUL", verify { key = "a\0", alg = "RS256" })
    raises("a key needs its algorithm", verify { key = "public.pem" })
    raises("/public.pem: no", function()
      local ok, err = pcall(weir.jwt.verify, token, { key = "public.pem", alg = "RS256" })
      error(ok or err:lower(), 0)
    end)
    raises("alg must be one of HS256", verify { secret = SECRET, alg = "none" })
    raises("alg must be one of HS256", verify { jwks = "keys.json", alg = "none" })
    raises("RS256 needs a key pair, not a secret", verify { secret = SECRET, alg = "RS256" })
    raises("keys.json: No such file", verify { jwks = "/nonexistent/keys.json" })
    raises("issuer", verify { secret = SECRET, issuer = 5 })
    raises("audience", verify { secret = SECRET, audience = {} })
    raises("leeway", verify { secret = SECRET, leeway = -1 })
    raises("claims", verify { secret = SECRET, claims = "admin" })
    raises("unknown option \"secrt\"", verify { secrt = SECRET })
    raises("secret must be a string, and not empty", verify { secret = "" })
  end)

  it("warns of a secret that can be found by trying, once, and does not show it #workers", function()
    local folder = support.folder()
    support.write_file(folder .. "/app.lua", [[
      local weir = require "weir"
      local app = weir.app()
      app:use("/", weir.jwt { secret = "geheim" })
      app:get("/", function(stream) return stream.claims.sub end)
      return app
    ]])
    local server = test.spawn { "serve", folder, "--workers", 2 }
    local bearer = "Bearer " .. weir.jwt.sign({ sub = "ann" }, { secret = "geheim" })
    assert.equal("ann", server:get("/", { headers = { Authorization = bearer } }).body)
    local warning = "the secret has 6 bytes, HS256 needs at least 32"
    test.eventually(function() return server:stderr():find(warning) end, 10)
    local log = server:stderr()
    local _, count = log:gsub(warning, "")
    assert.equal(1, count)
    assert.is_nil(log:find("geheim", 1, true))
  end)

  it("raises what cannot be signed", function()
    raises("argument 1 (claims)", weir.jwt.sign, "x", { secret = SECRET })
    raises("there is no key", weir.jwt.sign, {}, {})
    raises("no PEM text", weir.jwt.sign, {}, { key = "LICENSE", alg = "RS256" })
    raises("kid", weir.jwt.sign, {}, { secret = SECRET, kid = 5 })
    raises("exp", weir.jwt.sign, {}, { secret = SECRET, exp = "1h" })
    raises("the limit token_bytes is 16384", weir.jwt.sign, { a = ("x"):rep(12300) }, { secret = SECRET })
    raises("65536 are the most", weir.jwt.sign, { a = ("x"):rep(50000) }, { secret = SECRET })
    raises("nested more than 32", weir.jwt.sign, weir.json.decode(("{\"a\":"):rep(33) .. "1" .. ("}"):rep(33)),
      { secret = SECRET })
  end)

  it("lets a token pass up to the limit token_bytes, whatever the claims hold that nobody reads", function()
    local token = weir.jwt.sign({ text = ("x"):rep(11900), many = 2 ^ 64 }, { secret = SECRET })
    assert.is_true(#token > 15000 and #token <= 16384)
    local claims = weir.jwt.verify(token, { secret = SECRET })
    assert.equal(2 ^ 64, claims.many)
    local _, why = weir.jwt.verify(("x"):rep(16385), { secret = SECRET })
    assert.equal("the token has 16385 bytes, the limit token_bytes is 16384", why)
  end)

  it("keeps no more than a few signers", function()
    for i = 1, 40 do
      local secret = SECRET .. i
      assert.is_truthy(weir.jwt.verify(weir.jwt.sign({}, { secret = secret }), { secret = secret }))
    end
  end)
end)

describe("weir token", function()
  after_each(support.remove_folders)

  local function token(args, env)
    local run = test.run { "token", env = env, unpack(args) }
    return run.stdout:match("^(%S+)\n$"), run
  end

  it("prints a token that lives for an hour, or as long as --exp says", function()
    local folder = support.folder()
    local path = folder .. "/secret"
    support.write_file(path, SECRET .. "\n")
    for exp, seconds in pairs { ["90s"] = 90, ["15m"] = 900, ["1h"] = 3600, ["7d"] = 604800, default = 3600 } do
      local args = { "--secret-file", path }
      if exp ~= "default" then args[3], args[4] = "--exp", exp end
      local claims = assert(weir.jwt.verify(assert((token(args))), { secret = SECRET }))
      assert.equal(seconds, claims.exp - claims.iat)
    end
  end)

  it("has the claims that are given, JSON or strings", function()
    local folder = support.folder()
    support.write_file(folder .. "/secret", SECRET)
    local text = token { "--secret-file=" .. folder .. "/secret", "--alg=HS256", "--sub", "bob",
      "--claim", "admin=true",
      "--claim", "room=a=b", "--claim", "n=5", "--claim", "list=[1]", "--claim", "exp=99999999999" }
    local claims = weir.jwt.verify(text, { secret = SECRET })
    claims.iat = nil
    assert.same({ sub = "bob", admin = true, room = "a=b", n = 5, list = { 1 }, exp = 99999999999 }, claims)
    text = token { "--secret-file=" .. folder .. "/secret", "--alg=HS256", "--claim", "sub=7" }
    assert.equal("7", weir.jwt.verify(text, { secret = SECRET }).sub)
  end)

  it("ends with 2 and the remedy when it is used wrongly, with 1 when a key is no good", function()
    local empty = support.folder() .. "/empty"
    support.write_file(empty, "")
    local cases = {
      { 2, "which key?", {} },
      { 2, "--key-file needs the algorithm", { "--key-file", "x" } },
      { 2, "expected a span of time", { "--exp", "5" } },
      { 2, "expected a span of time", { "--exp", "0s" } },
      { 2, "expected NAME=VALUE", { "--claim", "admin" } },
      { 2, "expected NAME=VALUE", { "--claim", "=1" } },
      { 2, "it is not UTF-8", { "--claim", "a=\255" } },
      { 2, "it is not UTF-8", { "--claim", "\255=a" } },
      { 2, "it is not UTF-8", { "--sub", "\255" } },
      { 2, "--sub a: the claim sub is given twice", { "--claim", "sub=b", "--sub", "a" } },
      { 2, "--claim sub=b: the claim sub is given twice", { "--sub", "a", "--claim", "sub=b" } },
      { 2, "--sub a: the claim sub is given twice", { "--sub", "a", "--sub", "a" } },
      { 2, "--claim n=2: the claim n is given twice", { "--claim", "n=1", "--claim", "n=2" } },
      { 2, "--exp 2h: the claim exp is given twice", { "--exp", "1h", "--exp", "2h" } },
      { 2, "the claim exp is given twice, by --exp and --claim", { "--exp", "1h", "--claim", "exp=1" } },
      { 2, "the claim exp is given twice, by --exp and --claim", { "--claim", "exp=1", "--exp", "1h" } },
      { 2, "needs a value", { "--sub" } },
      { 2, "unknown argument --sup", { "--sup", "x" } },
      { 2, "give one of", { "--secret-env", "A", "--key-file", "B" } },
      { 2, "expected one of HS256", { "--secret-env", "A", "--alg", "none" } },
      { 1, "NO_SUCH_VARIABLE: there is no environment variable of that name", { "--secret-env", "NO_SUCH_VARIABLE" } },
      { 1, "/nonexistent: No such file", { "--secret-file", "/nonexistent" } },
      { 1, "/dev/null: it is a device, a pipe or a socket, no file", { "--secret-file", "/dev/null" } },
      { 1, "the secret is empty", { "--secret-file", empty } },
    }
    for _, case in ipairs(cases) do
      local _, run = token(case[3])
      assert.equal(case[1], run.code, run.stderr)
      assert.equal("", run.stdout)
      assert.is_truthy(run.stderr:find(case[2], 1, true), run.stderr)
    end
  end)
end)
