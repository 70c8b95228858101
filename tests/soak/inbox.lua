-- The inbox of apps/notify, mounted, in a server that can be asked to collect.

package.path = "apps/notify/?.lua;apps/notify/?/init.lua;" .. package.path
local weir = require "weir"
local app = weir.app()
app:mount("/notify", require "notify" { secret = os.getenv "NOTIFY_SECRET" })
app:post("/collect", function() collectgarbage() end)
return app
