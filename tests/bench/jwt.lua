-- jwt: verifies the token of JWT_TOKEN again and again, as the middleware does for each request, when `weir check`
-- starts it: the claims checked and made a table that lands on the stream. Prints the microseconds of CPU per token
-- and the tokens per second. MARK, if set, is a command to run where counting begins, behind a tenth for warming up,
-- and where it ends; then `weir serve` does it, once it has started.

local weir = require "weir"
local jwt_keys = require "weir.jwt_keys"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return (text:gsub("\n$", ""))
end

local alg, count = os.getenv "JWT_ALG", tonumber(os.getenv "JWT_COUNT")
local token = read(os.getenv "JWT_TOKEN")
local policy = jwt_keys.policy("bench", {
  [alg == "HS256" and "secret" or "key"] = read(os.getenv "JWT_KEY"),
  alg = alg,
  issuer = "https://issuer.example",
  audience = "weir",
})

local TURN = math.min(count, 100)

local function turn(stream)
  local begun = os.clock()
  for _ = 1, TURN do stream.claims = assert(policy:verify(token)) end
  return os.clock() - begun
end

local function verify(stream, times)
  local took = 0
  for _ = 1, times / TURN do
    took = took + turn(stream)
    weir.sleep(0)
  end
  return took
end

local function mark()
  local command = os.getenv "MARK"
  if command then assert(os.execute(command) == 0) end
end

local function measure()
  local stream = {}
  verify(stream, count / 10)
  mark()
  local took = verify(stream, count)
  mark()
  assert(stream.claims.sub == "user-12345")
  io.write(("%.4f %.0f\n"):format(took * 1e6 / count, count / took))
  io.flush()
end

local app = weir.app()
app:on_start(function()
  if os.getenv "MARK" then weir.background(measure) else measure() end -- under callgrind it takes long
end)
return app
