-- bearer: who comes with a token, and for how long (RFC 6750).
--
-- A middleware finds the token of a request, has it verified, and lets the request pass with `stream.claims` set; that
-- alone makes the core end the stream at the token's `exp` and count it under its `sub`. Or it answers:
--
--   no token                   401   a challenge without an error
--   one that is not right      401   invalid_token: the same bytes for every reason; the reason is in the log
--   several in one request     400   invalid_request
--   one that does not allow it 403   insufficient_scope
--
-- A ticket (weir/ticket.lua) in the place of a token is answered in the same way.
--
-- A native EventSource gives up for ever on any of these, so with `expired = "event"` it is told in its own language,
-- and to come back in a day; its page has got another token by then, and a new EventSource.
-- A renewal is a handler that takes a token in the same way and moves the end of a stream which is open already.

local core = require "weir.core"
local check = require "weir.check"
local fail = require "weir.fail"
local hub = require "weir.hub"
local keys = require "weir.jwt_keys"
local log = require "weir.log"
local ticket = require "weir.ticket"

local bearer = {}

local LATER = 24 * 3600 * 1000 -- ms

-- ---- options --------------------------------------------------------------------------------------------------------

-- Where tokens are looked for: { bearer = bool, query = bool, ticket = bool, cookies = list of names }.
local function ways_of(name, from, level)
  local ways = { cookies = {} }
  if type(from) ~= "table" or #from == 0 then
    check.bad(name, "from", from, 'a list of "bearer", "cookie:NAME", "query" and "ticket"', level + 1)
  end
  for _, way in ipairs(from) do
    local cookie = type(way) == "string" and way:match "^cookie:([^%s%c=;,\"]+)$"
    if cookie then
      table.insert(ways.cookies, cookie)
    elseif way == "bearer" or way == "query" or way == "ticket" then
      ways[way] = true
    else
      check.bad(name, "each of from", way, '"bearer", "cookie:NAME", "query" or "ticket"', level + 1)
    end
  end
  return ways
end

local function prepare(name, options, level)
  level = level + 1
  if options == nil then check.bad(name, "argument 1 (options)", options, "a table", level) end
  check.options(name, options, keys.BEARER, level)
  local expired = options.expired == nil and "401" or options.expired
  if expired ~= "401" and expired ~= "event" then check.bad(name, "expired", expired, '"401" or "event"', level) end
  return {
    name = name,
    policy = keys.policy(name, options, level),
    leeway = options.leeway or keys.LEEWAY,
    allows = type(options.claims) == "function" and options.claims or nil,
    ways = ways_of(name, options.from == nil and { "bearer" } or options.from, level),
    expired = expired,
  }
end

-- ---- finding the token ----------------------------------------------------------------------------------------------

local function token_of_header(stream)
  local scheme, token = (stream.headers.authorization or ""):match "^(%S+) *(.*)$"
  return scheme and scheme:lower() == "bearer" and token or nil
end

-- A URL is told to the next server and lies in caches on the way, unless they are asked not to (RFC 6750 section 2.3).
local function query_value(stream, name)
  local values = stream:query_all(name)
  if values[1] then
    stream:_lasting("Referrer-Policy", "no-referrer") -- errors are answers too
    stream:header("Cache-Control", "private, no-cache, no-transform")
  end
  return values[1], #values
end

-- The token and the ticket, or nil; and how many there are (RFC 6750 section 2). A cookie comes whether the page wants
-- it or not, so it only counts where nothing else was given.
local function find(stream, ways)
  local token, pass, count, tickets = nil, nil, 0, 0
  if ways.query then token, count = query_value(stream, "access_token") end
  if ways.ticket then pass, tickets = query_value(stream, "ticket") end
  if ways.bearer then
    local other = token_of_header(stream)
    token, count = other or token, count + (other and 1 or 0)
  end
  for _, name in ipairs(ways.cookies) do
    token = token or not pass and stream.cookies[name] or nil
  end
  return token, pass, count + tickets
end

-- ---- answers --------------------------------------------------------------------------------------------------------

local function refuse(stream, status, error_code)
  stream:status(status)
  stream:header("WWW-Authenticate", 'Bearer realm="weir"' .. (error_code and (', error="%s"'):format(error_code) or ""))
  return ("%d %s\n"):format(status, core.reason(status))
end

-- Whether it is an EventSource that asks: those name this type alone.
local function wants_events(stream)
  return stream.method == "GET" and (stream.headers.accept or ""):lower():find("text/event-stream", 1, true) ~= nil
end

local function tell_expired(stream)
  local sse = stream:sse { retry = LATER, heartbeat = false }
  sse:send { event = "weir.auth", data = { reason = "expired" } }
end

-- The claims of a token, or nil, why not, and the kind of that.
local function verify(rules, stream, token)
  local claims, why, kind = rules.policy:verify(token)
  if claims and rules.allows and not rules.allows(claims, stream) then
    return nil, "its claims do not allow this request", "forbidden"
  end
  return claims, why, kind
end

-- The same of a ticket's. Its cookie goes with the answer.
local function verify_ticket(rules, stream, text)
  local pass, problem = ticket.redeem(stream, text)
  if not pass then return nil, problem, "invalid" end
  local claims, why, kind = verify(rules, stream, pass.token)
  if not claims then return nil, "its token: " .. why, kind end
  if not pass:fits(claims) then return nil, "it was not made for whom its cookie names", "invalid" end
  pass:keep(stream, claims)
  return claims
end

-- The claims of a request that may pass, or nil and what to return from its handler.
local function admit(rules, stream)
  local token, text, count = find(stream, rules.ways)
  if count > 1 then
    core.count_refused "several"
    return nil, refuse(stream, 400, "invalid_request")
  end
  if not token and not text then
    core.count_refused "missing"
    return nil, refuse(stream, 401)
  end
  local claims, why, kind = (text and verify_ticket or verify)(rules, stream, text or token)
  if claims then
    ticket.admit(stream, token or false, claims)
    return claims
  end
  core.count_refused(kind)
  if core.tells_refused() then
    log.info(("%s: a %s was refused: %s"):format(rules.name, text and "ticket" or "token", why),
      { method = stream.method, path = stream.path, peer = stream.peer_addr })
  end
  if kind == "forbidden" then return nil, refuse(stream, 403, "insufficient_scope") end
  if kind == "expired" and rules.expired == "event" and wants_events(stream) then return nil, tell_expired(stream) end
  return nil, refuse(stream, 401, "invalid_token")
end

-- When the stream of these claims ends: at `exp`, or, if the leeway has let it in, when that is used up.
local function end_of(claims, leeway)
  local exp = claims.exp
  if exp and exp <= core.now() then return exp + leeway end
  return exp
end

-- ---- what apps mount ------------------------------------------------------------------------------------------------

--- A middleware that lets nobody pass without a token that is right.
function bearer.middleware(options)
  local rules = prepare("weir.jwt", options, 2)
  return function(stream, next)
    local claims, answer = admit(rules, stream)
    if not claims then return answer end
    stream.claims = claims
    local ends = end_of(claims, rules.leeway)
    if ends ~= claims.exp then stream:_expire(ends) end
    return next()
  end
end

local function stream_id(stream)
  local id = (stream.query.stream or ""):match "^%d+$"
  if not id or #id > 15 then
    fail(400, "which stream? add ?stream= and the number that the event weir.hello told")
  end
  return tonumber(id)
end

--- A handler that moves the end of an open stream to that of the token it is called with.
function bearer.renewal(options)
  local rules = prepare("weir.jwt.renewal", options, 2)
  return function(stream)
    local claims, answer = admit(rules, stream)
    if not claims then return answer end
    local id, sub = stream_id(stream), claims.sub
    local count = sub and hub.renew({ id = id, sub = sub }, claims, end_of(claims, rules.leeway)) or 0
    if count == 0 then fail(404, "there is no such stream of yours") end
  end
end

return bearer
