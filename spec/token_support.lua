-- What the specs of tokens share, and of what stands for them.

local assert = require "luassert"
local weir = require "weir"

local tokens = { SECRET = "a secret of this spec that has enough bytes" }

--- A token that `options` of weir.jwt.sign make of these claims.
function tokens.sign(claims, options)
  options = options or {}
  options.secret = options.secret or tokens.SECRET
  return weir.jwt.sign(claims, options)
end

--- One whose exp is that many seconds away.
function tokens.of(sub, seconds) return tokens.sign { sub = sub, exp = weir.now() + (seconds or 600) } end

function tokens.bearer(text) return { Authorization = "Bearer " .. text } end

--- The number of a stream that has just begun with its hello.
function tokens.stream_of(events)
  local hello = assert(events:next())
  assert.equal("weir.hello", hello.event)
  return weir.json.decode(hello.data).stream
end

--- The stream is told why it ends, and ends well.
function tokens.assert_ends(events, reason)
  local event = assert(events:next())
  assert.equal("weir.auth", event.event)
  assert.same({ reason = reason }, weir.json.decode(event.data))
  assert.same({ nil, "closed" }, { events:next() })
  assert.is_true(events.complete)
end

return tokens
