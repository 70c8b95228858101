-- jwt: JSON Web Tokens, verified and made. The keys behind it are the business of weir/jwt_keys.lua.
--
-- A key is parsed once. For `verify` that means: once for each table of options, so an app makes that table at its top
-- and not in a handler; for `sign`: once for each key's text.

local bearer = require "weir.bearer"
local check = require "weir.check"
local encoded = require "weir.encoded"
local keys = require "weir.jwt_keys"
local core = require "weir.core"

local SIGN = { "secret", "key", "alg", "exp", "kid" }
local SIGNERS_KEPT = 16

local jwt = setmetatable({}, { __call = function(_, options) return bearer.middleware(options) end })

jwt.renewal = bearer.renewal

local policies = setmetatable({}, { __mode = "k" }) -- by the table of options

--- The claims of a token that is right now, or nil, why not, and "invalid", "expired" or "forbidden". The options may
--- be the table that weir.jwt has; where that looks for tokens says nothing here.
function jwt.verify(token, options)
  check.string("weir.jwt.verify", "argument 1 (token)", token)
  local policy = policies[options]
  if not policy then
    if options == nil then check.bad("weir.jwt.verify", "argument 2 (options)", options, "a table") end
    policy = keys.policy("weir.jwt.verify", check.options("weir.jwt.verify", options, keys.BEARER))
    if not policy then return nil, "there is no key", "invalid" end -- `weir check` goes on
    policies[options] = policy
  end
  return policy:verify(token)
end

local signers, kept = {}, 0

local function signer_of(options)
  local name = table.concat({ options.secret and "secret" or "key", tostring(options.alg), tostring(options.kid),
    tostring(options.secret or options.key) }, "\0")
  local signer = signers[name]
  if not signer then
    signer = keys.signer("weir.jwt.sign", options, 3)
    if kept == SIGNERS_KEPT then signers, kept = {}, 0 end
    signers[name], kept = signer, kept + 1
  end
  return signer
end

--- A token with these claims, and `iat` unless they have one; with `exp` seconds to live, if that is given.
function jwt.sign(claims, options)
  if type(claims) ~= "table" then check.bad("weir.jwt.sign", "argument 1 (claims)", claims, "a table") end
  if claims.sub ~= nil then check.string("weir.jwt.sign", "claims.sub", claims.sub) end -- RFC 7519 section 4.1.2
  for _, name in ipairs { "exp", "nbf", "iat" } do -- numbers, by the sections behind it
    local at = claims[name]
    if at ~= nil and (type(at) ~= "number" or at ~= at) then
      check.bad("weir.jwt.sign", "claims." .. name, at, "a number of seconds")
    end
  end
  options = check.options("weir.jwt.sign", options, SIGN)
  local copy = { iat = math.floor(core.now()) }
  for name, value in next, claims do copy[name] = value end
  if options.exp ~= nil then
    check.seconds("weir.jwt.sign", "exp", options.exp)
    copy.exp = math.floor(core.now() + options.exp)
  end
  local token, why = signer_of(options):sign(encoded("weir.jwt.sign", copy, 2))
  return token or error("weir.jwt.sign: " .. why, 2)
end

return jwt
