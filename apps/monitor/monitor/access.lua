-- access: who may see, and who may close.
--
--   no keys  who is on this machine: a loopback address, by no proxy, under a name that is this machine's, from no page
--            of another site
--   keys     who has a token whose claim `monitor` is "view", or "close"
--
-- With keys this machine gets in by token only, as everybody: a proxy that runs here comes from here.

local weir = require "weir"

local access = {}

local REMEDY = "This page is for this machine only: open it as http://127.0.0.1:PORT or http://localhost:PORT, and not "
  .. "by a proxy or from another page. For others set MONITOR_SECRET, and make tokens with "
  .. "`weir token --claim monitor=view --secret-env MONITOR_SECRET`.\n"

-- ---- this machine ---------------------------------------------------------------------------------------------------

-- What proxies add; and nginx, unless it is told otherwise, asks by HTTP/1.0.
local function came_by_proxy(stream)
  local headers = stream.headers
  if stream.version == "1.0" or headers.forwarded or headers.via or headers["x-real-ip"] then return true end
  for name in pairs(headers) do
    if name:find "^x%-forwarded" then return true end
  end
  return false
end

local function is_ipv4(text)
  local bytes = { text:match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$" }
  for _, byte in ipairs(bytes) do
    if tonumber(byte) > 255 then return false end
  end
  return #bytes == 4
end

-- An address, or localhost: no name server can make these mean another machine.
local function is_own_name(authority)
  local host = authority:lower():gsub(":%d+$", "")
  return host == "localhost" or is_ipv4(host) or host:find "^%[[%x:.]*:[%x:.]*%]$" ~= nil
end

local function is_from_elsewhere(stream)
  local headers = stream.headers
  local site, origin = headers["sec-fetch-site"], headers.origin
  if site and site ~= "same-origin" and site ~= "none" then return true end
  return origin ~= nil and origin:lower():match "^https?://(.*)$" ~= (headers.host or ""):lower()
end

local function is_here(stream)
  local from = stream.peer_addr
  return (from:find "^127%." or from == "::1") and not came_by_proxy(stream)
    and is_own_name(stream.headers.host or "") and not is_from_elsewhere(stream)
end

local function only_here(stream, next)
  if not is_here(stream) then weir.fail(403, REMEDY) end
  return next()
end

-- ---- tokens ---------------------------------------------------------------------------------------------------------

local keys = { "secret", "key", "jwks", "alg", "issuer", "audience", "leeway" }

local function with_claim(options, allowed)
  local all = { claims = function(claims) return allowed[claims.monitor] == true end }
  for _, name in ipairs(keys) do all[name] = options[name] end
  return weir.jwt(all)
end

local function pass(_, next) return next() end

-- ---- both -----------------------------------------------------------------------------------------------------------

--- The options that say which tokens are right, as weir.jwt has them.
access.keys = keys

local function may_all() return true end
local function may_close(stream) return stream.claims.monitor == "close" end

--- Guards for these options: { all = of everything, the page too, view = , close = , may_close = whether who was let in
--- to see may close, too }.
function access.guards(options)
  if not (options.secret or options.key or options.jwks) then
    return { all = only_here, view = pass, close = pass, may_close = may_all }
  end
  return {
    all = pass,
    view = with_claim(options, { view = true, close = true }),
    close = with_claim(options, { close = true }),
    may_close = may_close,
  }
end

return access
