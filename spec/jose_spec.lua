-- Tokens between Weir and an independent library (npm's jose, tests/jose/jose.mjs), in every algorithm and both ways.
-- NODE_MODULES names the folder where `make deps-test` installs it, and the Node that runs it.

local weir = require "weir"
local support = require "spec.support"

local ALGS = { "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
  "ES512", "EdDSA" }

local function jose(command, folder)
  local modules = os.getenv "NODE_MODULES" or "build/node/node_modules"
  local run = io.popen(("NODE_MODULES='%s' '%s/.bin/node' tests/jose/jose.mjs %s '%s' 2>&1"):format(
    modules, modules, command, folder))
  local output = run:read "*a"
  run:close()
  return output
end

describe("with npm's jose,", function()
  local folder, read

  setup(function()
    folder = support.folder()
    read = function(name) return support.read_file(folder .. "/" .. name) end
    assert.equal("", jose("make", folder))
  end)
  teardown(support.remove_folders)

  it("each of its tokens is verified with its own key, and with no other's", function()
    for _, alg in ipairs(ALGS) do
      local kind = alg:sub(1, 2) == "HS" and "secret" or "key"
      local options = { [kind] = read(alg .. ".public"), alg = alg, issuer = "jose", audience = "weir" }
      for _, other in ipairs(ALGS) do
        local claims, why, what = weir.jwt.verify(read(other .. ".token"), options)
        if other == alg then
          assert.equal(alg, claims and claims.n, why)
          assert.same({ 1, { deep = weir.json.null } }, claims.list)
        else
          assert.is_nil(claims)
          assert.equal("invalid", what)
        end
      end
    end
  end)

  it("each of its tokens is verified with the key that its kid names in its JWK Set", function()
    local options = { jwks = folder .. "/keys.json", issuer = "jose" }
    for _, alg in ipairs(ALGS) do
      local claims, why = weir.jwt.verify(read(alg .. ".token"), options)
      assert.equal(alg, claims and claims.n, why)
    end
  end)

  it("each of our tokens is verified by it", function()
    for _, alg in ipairs(ALGS) do
      local kind = alg:sub(1, 2) == "HS" and "secret" or "key"
      local token = weir.jwt.sign({ iss = "weir", n = alg }, { [kind] = read(alg .. ".key"), alg = alg, exp = 60 })
      support.write_file(folder .. "/" .. alg .. ".ours", token)
    end
    assert.equal(table.concat(ALGS, "\n") .. "\n", jose("verify", folder))
  end)
end)
