-- upload: the files of upload/init.lua with their page.
--
-- With UPLOAD_SECRET in the environment tokens come from elsewhere (`weir token --secret-env UPLOAD_SECRET`). Without,
-- everybody on this machine may sign in under any name, and nobody else gets in at all, nor what came by a proxy.

local weir = require "weir"
local upload = require "upload"
local came_by_proxy = require "upload.proxy"

local secret = os.getenv "UPLOAD_SECRET"
local is_demo = secret == nil
if secret and #secret < 32 then error("UPLOAD_SECRET must have 32 bytes or more", 0) end

-- Of this run, and of all workers: nobody can know it from the source.
if is_demo then
  local run = weir.shared "upload demo"
  run:add("secret", weir.hex.encode(weir.random(32)))
  secret = run:get "secret"
else
  weir.trust_proxies { "127.0.0.1", "::1" } -- links begin with the scheme and the name that clients of theirs see
end

local app = weir.app()

local function is_here(stream)
  local from, host = stream.peer_addr, (stream.host or ""):gsub(":%d+$", "")
  return (from:find "^127%." or from == "::1") and not came_by_proxy(stream)
    and (host == "localhost" or host == "127.0.0.1" or host == "[::1]")
end

if is_demo then
  app:use(function(stream, next)
    if is_here(stream) then return next() end
    weir.fail(403, "This is the demo, for this machine only: start with UPLOAD_SECRET in the environment, and make "
      .. "tokens with `weir token --claim upload=write --secret-env UPLOAD_SECRET`.\n")
  end)
  app:post("/demo/token", function(stream)
    local name = stream:body(64)
    if not name:find "^%w[%w_.-]*$" then weir.fail(400, "a name has letters, digits, \"_\", \".\" and \"-\"\n") end
    return weir.jwt.sign({ sub = name, upload = "write" }, { secret = secret, exp = 3600 })
  end)
end

app:get("/demo", function() return { open = is_demo } end) -- for the page: which way in it offers
app:mount("/", upload {
  secret = secret,
  folder = os.getenv "UPLOAD_FOLDER",
  quota = os.getenv "UPLOAD_QUOTA",
  limit = os.getenv "UPLOAD_LIMIT",
  expires = os.getenv "UPLOAD_EXPIRES",
})
app:static("/", "public")

return app
