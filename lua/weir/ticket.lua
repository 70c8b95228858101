-- ticket: what stands for a token, once and for half a minute, where no header can be sent: in a URL.
--
--   made --redeemed: taken, its token verified, a cookie set--> used --with its cookie--> used
--     `--its time is over--> gone
--
-- What is made lies in a dictionary of all workers (weir.shared), with its token; of all who redeem it at once one gets
-- that. A browser's EventSource connects again with the URL it was made with, whose ticket is used by then. So the
-- first answer sets a cookie for that path, which holds the token, sealed: whoever steals a ticket gets no token by it.
-- The server keeps nothing of those. A used ticket and its cookie count together only:
--
--   ticket   random (24) | mark (16): a MAC of `random` and whom the token names
--   cookie   the token, sealed for the path; the browser keeps it until the token's `exp`
--
-- so a cookie of one person never goes with the ticket of another, and nobody who can make a browser send the cookie
-- has a ticket to go with it. Both keys come from one secret in the store, so with --data they outlive a restart. The
-- token is verified each time, as one that came in a header is: a ticket never gives more than its token.

local bytes = require "weir.bytes"
local check = require "weir.check"
local core = require "weir.core"
local fail = require "weir.fail"
local log = require "weir.log"
local shared = require "weir.shared"
local store = require "weir.store"

local ticket = {}

local TTL = 30 -- seconds
local RANDOM, MARK = 24, 16 -- bytes
local TOKEN_MOST = 3000 -- bytes; sealed and in letters that still fits into a cookie, which has 4096
local USED = "used " -- before the name of one that was redeemed: another key, for who comes second must find nothing
local REMEMBERED = 30 -- seconds in which the log can tell one that is used from one that is late
local COOKIE_MOST = 400 * 24 * 3600 -- seconds: browsers keep none for longer (RFC 6265bis section 5.5)

local function tickets() return shared "weir.tickets" end

-- ---- the keys -------------------------------------------------------------------------------------------------------

local made_keys

-- The keys of all workers, { mark =, seal = }. Waits for the store the first time.
local function keys()
  if made_keys then return made_keys end
  local new = bytes.hex.encode(core.random(32))
  local secret, _, problem = store("weir.tickets"):update("secret", function(old) return old or new end)
  if not secret then
    log.error("weir.ticket: the store cannot be used, so there are no tickets: " .. problem)
    fail(503, "there are no tickets now")
  end
  made_keys = { mark = core.hmac("sha256", secret, "mark"), seal = core.hmac("sha256", secret, "seal") }
  return made_keys
end

local function mark_of(random, claims)
  return core.hmac("sha256", keys().mark, random .. (claims.sub and "s" .. claims.sub or "")):sub(1, MARK)
end

-- ---- making ---------------------------------------------------------------------------------------------------------

-- What weir.jwt has let in, while their streams are there: [stream] = { token =, claims = }; the token false: it came
-- by a ticket. Only in an app that makes tickets.
local admitted = setmetatable({}, { __mode = "k" })
local makes_tickets = false

--- Says by which token a stream was let in, for who asks for a ticket then.
function ticket.admit(stream, token, claims)
  if makes_tickets then admitted[stream] = { token = token, claims = claims } end
end

-- The path that the ticket is for, as streams have theirs; "": that at which it is redeemed.
local function path_of(stream)
  local paths = stream:query_all "path"
  if #paths == 0 then return "" end
  local path, why = core.path(paths[1])
  if #paths > 1 then path, why = nil, "there are several" end
  return path or fail(400, "path: " .. why .. "; it is that of the URL that the ticket is for, without its query")
end

local function refuse_more(stream, ttl)
  if core.tells_refused() then
    log.warn "weir.ticket: there are too many tickets; see the limits tickets and shared_memory"
  end
  stream:_lasting("Retry-After", ("%d"):format(math.ceil(ttl)))
  fail(503, "there are too many tickets; try again later")
end

local function make(stream, ttl)
  local by = admitted[stream]
  if not by then error("weir.ticket: there is no token: put the handler behind weir.jwt", 0) end
  if not by.token then fail(403, "a ticket makes no tickets") end
  if #by.token > TOKEN_MOST then
    fail(400, ("the token has %d bytes, and a ticket's cookie holds %d"):format(#by.token, TOKEN_MOST))
  end
  local path, random = path_of(stream), core.random(RANDOM)
  local text = bytes.base64url.encode(random .. mark_of(random, by.claims))
  if not core.shared_add(tickets(), random, path .. "\0" .. by.token, ttl, core.limits().tickets) then
    refuse_more(stream, ttl)
  end
  return text
end

--- A handler, behind weir.jwt, that answers a ticket for the token of the request.
function ticket.new(options)
  options = check.options("weir.ticket", options, { "ttl" })
  local ttl = options.ttl == nil and TTL or options.ttl
  check.seconds("weir.ticket", "ttl", ttl)
  if ttl == 0 then check.bad("weir.ticket", "ttl", ttl, "more than 0") end
  makes_tickets = true
  return function(stream)
    stream:_lasting("Cache-Control", "no-store")
    return { ticket = make(stream, ttl) }
  end
end

-- ---- redeeming ------------------------------------------------------------------------------------------------------

-- Takes the token that the ticket stands for: who comes second does not get it. Or nil and why, and whether it may have
-- been used.
local function take(random, path)
  local made = tickets()
  local all = made:get(random)
  if all == nil and not made:get(USED .. random) then return nil, "it is too old, or was never made", true end
  if all == nil or not made:delete(random) then return nil, "it was used before", true end
  made:set(USED .. random, true, REMEMBERED)
  local for_path, token = all:match "^(%Z*)%z(.*)$"
  if for_path ~= "" and for_path ~= path then return nil, "it was made for another path", false end
  return token
end

-- One for each path, so that one does not hide the other where a path begins as another does.
local function cookie_name(path)
  return "weir_ticket_" .. bytes.hex.encode(core.hash("sha256", path):sub(1, 8))
end

local function token_of_cookie(stream, path)
  local sealed = stream.cookies[cookie_name(path)]
  if not sealed then return nil, "its cookie did not come" end
  sealed = core.base64url_decode(sealed)
  local token = sealed and core.unseal(keys().seal, path, sealed)
  return token, "its cookie is not one of this server and path"
end

-- Where browsers shall send the cookie: the path as this one wrote it, as far as a cookie can say it.
local function cookie_path(stream)
  local path = stream.target:gsub("^%a[%w+.-]*://[^/?]*", ""):match "^[^?]*"
  return path:match "^[^;%c\127-\255]+$" or path:match "^[^;%c\127-\255]*/" or "/"
end

local Pass = {}
Pass.__index = Pass

--- Whether it may be used for these claims, which its token has.
function Pass:fits(claims) return core.equal(self.mark, mark_of(self.random, claims)) end

--- Has the browser keep the token for when it connects again, if this was the first time.
function Pass:keep(stream, claims)
  if not self.first then return end
  local sealed = core.seal(keys().seal, stream.path, self.token)
  stream:cookie(cookie_name(stream.path), bytes.base64url.encode(sealed), {
    path = cookie_path(stream),
    max_age = claims.exp and math.max(0, math.min(math.ceil(claims.exp - core.now()), COOKIE_MOST)),
    same_site = "Strict",
  })
end

--- What a ticket gives: a table with the token, not yet verified; or nil and why not.
function ticket.redeem(stream, text)
  local all = core.base64url_decode(text)
  if not all or #all ~= RANDOM + MARK then return nil, "it is no ticket" end
  local random, path = all:sub(1, RANDOM), stream.path
  local token, why, used = take(random, path)
  local first = token ~= nil
  if used then
    local problem
    token, problem = token_of_cookie(stream, path)
    why = why .. ", and " .. problem
  end
  if not token then return nil, why end
  return setmetatable({ token = token, random = random, mark = all:sub(RANDOM + 1), first = first }, Pass)
end

return ticket
