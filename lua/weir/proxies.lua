-- proxies: whose word an app takes for who its clients are.

local core = require "weir.core"
local check = require "weir.check"

--- Names the addresses of proxies: { "127.0.0.1", "10.0.0.0/8", header = "X-Forwarded-For" }.
return function(list)
  if type(list) ~= "table" then check.bad("weir.trust_proxies", "argument 1", list, "a list of addresses") end
  local options = {}
  for key, value in pairs(list) do
    if type(key) ~= "number" then
      options[key] = value
    elseif type(value) ~= "string" then
      check.bad("weir.trust_proxies", "an address", value, 'a string like "127.0.0.1" or "10.0.0.0/8"')
    end
  end
  check.options("weir.trust_proxies", options, { "header" })
  local header = list.header or "X-Forwarded-For"
  if header ~= "X-Forwarded-For" and header ~= "Forwarded" then
    check.bad("weir.trust_proxies", "header", header, '"X-Forwarded-For" or "Forwarded"')
  end
  local bad = core.trust_proxies(list, header == "Forwarded")
  if bad then
    check.bad("weir.trust_proxies", "an address", bad,
      'one like "127.0.0.1" or "::1", or a range like "10.0.0.0/8" whose other bits are 0')
  end
end
