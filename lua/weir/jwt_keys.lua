-- jwt_keys: from options to what verifies or signs tokens.
--
-- The options of `weir.jwt`, `weir.jwt.verify` and `weir.jwt.sign` name a key in one of three ways; here they are
-- checked, and handed to the core once, which parses the keys and answers with an object that keeps them.
--
--   secret   HMAC; HS256 unless `alg` says otherwise
--   key      PEM, or the name of a file that holds it; needs `alg`
--   jwks     the name of a file with a JWK Set; `alg` is that of keys which name none, and the only one
--
-- What verifies answers claims, or nil, why, and a kind: "invalid", "expired" (nothing else is wrong), or "forbidden"
-- (valid, but without the claims that are asked for).

local core = require "weir.core"
local check = require "weir.check"
local json = require "weir.json"

local KINDS = { "secret", "key", "jwks" }

local keys = { LEEWAY = 30 } -- seconds

-- The kind of key that the options name, its text, and the algorithm or nil; nil and what is missing where they name
-- none. `level` is whom to blame.
local function key_of(name, options, kinds, level)
  local kind
  for _, candidate in ipairs(kinds) do
    if options[candidate] ~= nil then
      if kind then error(("%s: give %s or %s, not both"):format(name, kind, candidate), level + 1) end
      kind = candidate
    end
  end
  if not kind then
    return nil, ("%s: there is no key: %s must be given; os.getenv answers nil for a variable that is not set")
      :format(name, (table.concat(kinds, ", "):gsub(", (%w+)$", " or %1")))
  end
  local text, alg = options[kind], options.alg
  if type(text) ~= "string" or text == "" then
    -- not shown: it may be a secret
    error(("%s: %s must be a string, and not empty"):format(name, kind), level + 1)
  end
  if kind ~= "secret" and text:find("\0", 1, true) then
    error(("%s: %s must not hold NUL"):format(name, kind), level + 1)
  end
  if alg ~= nil then check.string(name, "alg", alg, level + 1) end
  if kind == "secret" then alg = alg or "HS256" end
  if kind == "key" and not alg then
    error(("%s: a key needs its algorithm, such as alg = \"RS256\" or alg = \"ES256\""):format(name), level + 1)
  end
  return kind, text, alg
end

-- A string or a list of strings, as a list; nil stays nil.
local function strings_of(name, what, value, level)
  if value == nil then return nil end
  local list = type(value) == "table" and value or { value }
  if #list == 0 then check.bad(name, what, value, "a string or a list of strings, not empty", level + 1) end
  for _, item in ipairs(list) do
    if type(item) ~= "string" then check.bad(name, what, item, "a string or a list of strings", level + 1) end
  end
  return json.array { unpack(list) }
end

local function rules_of(name, options, level)
  local claims = options.claims
  if claims ~= nil and type(claims) ~= "table" and type(claims) ~= "function" then
    check.bad(name, "claims", claims, "a table of names and values", level + 1)
  end
  return json.encode {
    issuers = strings_of(name, "issuer", options.issuer, level + 1),
    audiences = strings_of(name, "audience", options.audience, level + 1),
    required = type(claims) == "table" and claims or nil,
  }
end

--- The names of the options that `policy` reads.
keys.POLICY = { "secret", "key", "jwks", "alg", "issuer", "audience", "leeway", "claims" }
--- Those of weir.jwt, which says where a token comes from as well.
keys.BEARER = { "from", "expired", unpack(keys.POLICY) }

--- What verifies tokens: `policy:verify(token)`. `options` is a table whose names have been checked; `claims` may be a
--- function, which is the caller's affair. Raises, as `name`, what is wrong with them; nil where `weir check` goes on
--- without a key.
function keys.policy(name, options, level)
  level = level or 2
  local kind, text, alg = key_of(name, options, KINDS, level + 1)
  if not kind then
    check.mistake(text, level + 1)
    return nil
  end
  local leeway = options.leeway == nil and keys.LEEWAY or options.leeway
  check.seconds(name, "leeway", leeway, level + 1)
  local policy, why = core.jwt_policy(kind, text, alg, leeway, rules_of(name, options, level + 1))
  return policy or error(("%s: %s: %s"):format(name, kind, why), level + 1)
end

--- What signs tokens: `signer:sign(json)`. Raises, as `name`, what is wrong with the options.
function keys.signer(name, options, level)
  level = level or 2
  local kind, text, alg = key_of(name, options, { "secret", "key" }, level + 1)
  if not kind then error(text, level + 1) end
  if options.kid ~= nil then check.string(name, "kid", options.kid, level + 1) end
  local signer, why = core.jwt_signer(kind, text, alg, options.kid)
  return signer or error(("%s: %s: %s"):format(name, kind, why), level + 1)
end

return keys
