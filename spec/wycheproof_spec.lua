-- Wycheproof's JSON Web Signature vectors (tests/vectors/wycheproof) against weir.jwt.verify. Most payloads are no
-- JSON ("foo"), which verify refuses only once the signature was right, and says so: that counts as accepted. What the
-- tables below name is told apart: SOURCE.md there says why.

local weir = require "weir"
local support = require "spec.support"

local VECTORS = "tests/vectors/wycheproof/"

local SIGNATURE, KEY, CRYPTO =
  "json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"

-- Not counted, by comment, or by file and tcId.
local SKIP = {
  emptyPayload = "an empty payload holds no claims (RFC 7519 section 7.2)",
  [SIGNATURE .. 367] = "the same bytes as 357, which is valid",
  [SIGNATURE .. 370] = "the same bytes as 357, which is valid",
  [SIGNATURE .. 372] = "\"?\" is no base64url (RFC 7515 section 2)",
  [SIGNATURE .. 373] = "\"?\" is no base64url (RFC 7515 section 2)",
  [KEY .. 1] = "ambiguous: a set of a secret and a key pair",
  [CRYPTO .. 47] = "ambiguous: a set of a secret and a key pair",
  [KEY .. 4] = "ambiguous: the second key of that kid cannot be read, the first is used",
}
-- Keys that name an algorithm which is not that of the signature (RFC 7520 sections 4.2 and 4.3): refused as they are,
-- valid when mended.
local MENDED = { [SIGNATURE .. 346] = "PS384", [SIGNATURE .. 350] = "PS384", [SIGNATURE .. 347] = "ES512",
  [SIGNATURE .. 351] = "ES512" }

local function ask(token, set, path)
  support.write_file(path, weir.json.encode(set))
  local ok, claims, why = pcall(weir.jwt.verify, token, { jwks = path })
  if not ok then return "invalid", tostring(claims) end
  if claims then return "valid", "" end
  return why:find "^payload" and "valid" or "invalid", why
end

describe("Wycheproof's JSON Web Signatures,", function()
  teardown(support.remove_folders)

  for _, file in ipairs { SIGNATURE, KEY, CRYPTO } do
    for _, group in ipairs(assert(weir.json.decode(support.read_file(VECTORS .. file))).testGroups) do
      it(file .. ", " .. group.comment, function()
        local set, path = group.public or group.private, support.folder() .. "/keys"
        if not set.keys then set = { keys = weir.json.array { set } } end
        local bad = {}
        local function expect(want, test)
          local got, why = ask(test.jws, set, path .. #bad .. test.tcId .. want)
          if got ~= want then
            bad[#bad + 1] = ("%d %s: %s, here %s: %s"):format(test.tcId, test.comment, want, got, why)
          end
        end
        for _, test in ipairs(group.tests) do
          local mended = MENDED[file .. test.tcId]
          if test.jws and not (SKIP[test.comment] or SKIP[file .. test.tcId]) then
            expect(mended and "invalid" or test.result, test)
            if mended then
              set.keys[1].alg = mended
              expect("valid", test)
            end
          end
        end
        assert.same({}, bad)
      end)
    end
  end
end)
