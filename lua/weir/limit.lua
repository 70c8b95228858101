-- limit: middleware that lets the same client ask only so often.
--
-- The buckets are the core's, shared by all workers. A limiter is known by its number among those of the app, so that
-- each worker's copy of it, and that of the next generation, is the same one.

local core = require "weir.core"
local check = require "weir.check"

local made = 0

local function check_positive(what, value, least)
  if type(value) ~= "number" or not (value > 0 and value >= least and value < math.huge) then
    check.bad("weir.limit", what, value, least > 0 and "a number, 1 or more" or "a number above 0", 3)
  end
end

--- Middleware that answers 429 to what comes more often than `rate` times a second, after a burst. `key(stream)` says
--- who is counted together: a string, or nil for who is not limited; without it, requests from the same address.
return function(options)
  options = check.options("weir.limit", options, { "key", "rate", "burst" })
  local key, rate = options.key, options.rate
  if rate == nil then -- `weir check` goes on
    check.mistake(check.expected("weir.limit", "rate (requests a second)", nil, "a number above 0"))
    return function(_, next) return next() end
  end
  check_positive("rate (requests a second)", rate, 0)
  local burst = options.burst or math.max(1, math.ceil(rate))
  check_positive("burst", burst, 1)
  if key ~= nil then check.callable("weir.limit", "key", key) end
  made = made + 1
  local name = core.app_folder() .. "\0" .. made

  return function(stream, next)
    local who
    if key then
      who = key(stream)
      if who == nil then return next() end
      if type(who) ~= "string" and type(who) ~= "number" then
        error("weir.limit: key must return a string, or nil for who is not limited, got " .. check.show(who), 0)
      end
    end
    local after = core.rate(stream, name, rate, burst, who and tostring(who))
    if not after then return next() end
    after = math.ceil(after)
    stream:status(429)
    stream:header("Retry-After", ("%.0f"):format(after))
    return ("429 Too Many Requests: try again in %.0f s\n"):format(after)
  end
end
