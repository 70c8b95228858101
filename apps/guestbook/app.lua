-- guestbook: one stream for guests only, read by three pages: with a token, with a ticket, by all tabs at once.

local weir = require "weir"
local app = weir.app()

weir.topics { guestbook = { history = { count = 100 } } }

-- Of this run, and of all workers: a guest who was here before the server's restart needs another token.
local run = weir.shared "guestbook"
run:add("secret", weir.random(32))
local secret = run:get "secret"
local guests = weir.jwt { secret = secret }

-- Where another app asks for a password, this one welcomes everybody, for five minutes.
app:post("/token", function() return weir.jwt.sign({ sub = "guest" }, { secret = secret, exp = 300 }) end)
app:post("/renew", weir.jwt.renewal { secret = secret })
app:post("/ticket", guests, weir.ticket())

app:get("/entries", weir.jwt { secret = secret, from = { "bearer", "ticket" } }, function(stream)
  stream:sse({ hello = true }):subscribe("guestbook", { after = "earliest" })
end)

app:post("/entries", guests, function(stream)
  weir.publish("guestbook", { data = { text = stream:body(500) } })
end)

app:static("/", "public")

return app
