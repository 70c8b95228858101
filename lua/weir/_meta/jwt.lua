---@meta weir.jwt

---What a token says; other fields are the issuer's.
---@class weir.Claims
---@field sub? string whom it names
---@field exp? number until when it holds, Unix seconds
---@field nbf? number from when on
---@field iat? number when it was made
---@field iss? string who made it
---@field aud? string|string[] for whom
---@field [string] any what else the issuer says

---Which tokens are right: `secret`, `key` or `jwks`, and what else is asked for.
---@class weir.JwtPolicy
---@field secret? string HMAC; HS256 unless `alg` says otherwise
---@field key? string PEM, or the name of a file that holds it; needs `alg`
---@field jwks? string the name of a file with a JWK Set
---@field alg? string such as "RS256"
---@field issuer? string|string[] what `iss` may be
---@field audience? string|string[] what `aud` may be, or hold
---@field leeway? number seconds by which clocks may differ (30)

---@class weir.JwtOptions: weir.JwtPolicy
---@field claims? table|fun(claims: weir.Claims, stream: weir.Stream): any what must be there, or who decides; else 403
---@field from? string[] where tokens are looked for: "bearer" (the default), "cookie:NAME", "query", "ticket"
---@field expired? "401"|"event" "event": an EventSource with an expired token is told so by the event `weir.auth`

---@class weir.JwtSign
---@field secret? string
---@field key? string PEM of a private key, or the name of a file that holds it; needs `alg`
---@field alg? string
---@field exp? number seconds that the token lives
---@field kid? string

---Middleware that lets nobody pass without a token that is right, and sets `stream.claims`.
---@class weir.jwt
---@overload fun(options: weir.JwtOptions): fun(stream: weir.Stream, next: fun(): any): any
local jwt = {}

---A handler that moves the end of the open stream `?stream=` to that of the token it is called with.
---@param options weir.JwtOptions
---@return fun(stream: weir.Stream)
function jwt.renewal(options) end

---The claims of a token that is right now.
---@param token string
---@param options weir.JwtOptions a table that is made once; `from` and `expired` say nothing here
---@return weir.Claims? claims
---@return string? why not
---@return "invalid"|"expired"|"forbidden"|nil kind
function jwt.verify(token, options) end

---A token with these claims, and `iat`.
---@param claims weir.Claims
---@param options weir.JwtSign
---@return string token
function jwt.sign(claims, options) end

return jwt
