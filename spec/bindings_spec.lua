-- What C made for a call is given back however the call ends: each function of weir.core is called as it should be,
-- with each allocation of Lua refused once, with each fault of its own, and with wrong arguments at each place. All
-- that must leave nothing in the process: neither bytes of malloc's nor a descriptor, and no task, handle or reference
-- (spec/helper.lua).

local weir = require "weir"
local core = require "weir.core"
local test = require "weir.test"
local support = require "spec.support"

-- It collects and stops the compiler itself: with a collector that never rests it would take ten minutes and show no
-- more.
if os.getenv "WEIR_TEST_GC" or os.getenv "WEIR_TEST_JIT" then
  pending "the bindings, in this mode"
  return
end

local ROUNDS = 6 -- what leaks grows in each of them; what is only kept for later does not
local TIMES = 4 -- that a round does all of it
local LEAST = 32 -- bytes of a leak, malloc's smallest; less for each time is a table of Lua's that grows
local ALLOCATIONS = 100 -- more than any of these calls asks for

local function pack(...) return { n = select("#", ...), ... } end

---- the table ----

-- name -> { fn =, args = makes its arguments, faults =, after = gets the results, stream = it is called on one }
local rows = {}

local function row(name, fn, args, options)
  local entry = options or {}
  entry.fn, entry.args = fn, args or function() end
  rows[name] = entry
end

local function of_core(name, args, options) row(name, core[name], args, options) end

local function of_stream(name, args, options)
  options = options or {}
  options.stream = true
  row("stream:" .. name, core.stream_methods[name] or core[name], args, options)
end

local function property(name)
  row("stream." .. name, function(stream) return stream[name] end, nil, { stream = true })
end

local folder -- of files; made by before_each

local function nothing() end

-- A task or a server that an argument needs; it is over when the call is.
local company, servers = {}, {}
local function accompany(...)
  local task = weir.spawn(...)
  company[#company + 1] = task
  weir.sleep(0)
  return task
end

local function dismiss()
  for _, task in ipairs(company) do
    task:cancel()
    task:join()
  end
  for _, made in ipairs(servers) do made:close() end
  company, servers = {}, {}
end

-- tasks
local function done()
  local task = weir.spawn(nothing)
  task:join()
  return task
end
of_core("all", function() return { nothing, nothing } end)
of_core("race", function() return { nothing, nothing } end)
of_core("call", function() return nil, nothing, 1, 2 end)
of_core("spawn", function() return nothing, 1, 2 end)
of_core("background", function() return nothing, 1, 2 end)
of_core("defer", function() return nothing end)
of_core("current")
of_core("join", function() return done(), 1 end)
of_core("cancel", function() return accompany(weir.sleep, 60) end)
of_core("sleep", function() return 60 end)
of_core("traceback", done)
of_core("now")
of_core("loading")
of_core("first_worker")

-- channels and subscriptions
local function filled()
  local channel = core.channel(2)
  core.channel_send(channel, "a")
  return channel
end
-- One whose sender waits to be taken from.
local function crowded()
  local channel = core.channel(0)
  accompany(core.channel_send, channel, "a", 60)
  return channel
end
local function news()
  local subscription = core.subscribe({ "bindings" }, {})
  core.publish("bindings", "data", "event", "key")
  return subscription
end
of_core("channel", function() return 3 end)
of_core("channel_send", function() return core.channel(0), "a", 60 end)
of_core("channel_close", crowded)
of_core("outlet_recv", function() return "a call", 60, news() end)
row("outlet_recv of a channel", core.outlet_recv, function() return "a call", 60, crowded() end)
of_core("is_outlet", filled)
of_core("select", function() return 60, { filled(), news() } end)
row("select that waits", core.select, function() return 60, { core.channel(0), core.channel(0) } end)
of_core("subscribe", function() return { "bindings" }, { "bind" }, "earliest" end)
of_core("subscription_close", news)

-- topics
of_core("publish", function() return "bindings", "data", "event", "key" end)
row("publish that waits", core.publish, function() return "bindings", "data", "event", "key", 1 end)
row("publish of a bad event", core.publish, function() return "bindings", "data", "a\nb" end)
of_core("close", function() return "bindings/end", "data", "event" end)
of_core("presence", function() return "bindings" end)
of_core("position")
of_core("store_clear", function() return "", "" end)
of_core("is_topic", function() return "bindings" end)
of_core("topics", function()
  return { { pattern = "bindings", count = 9, age = 60, bytes = 9999, durable = false } }
end)
of_core("history", function()
  core.publish("bindings", "data", "event", "key")
  return "bindings", nil, nil, 10
end)
of_core("streams", function() return 0, "sub", "topic", "revoked" end)
row("streams that lists", core.streams, function() return 0, nil, nil, nil, nil, nil, "age", 5 end)
row("streams that renews", core.streams, function() return 0, "sub", "topic", nil, '{"sub":"x"}', 1 end)

-- dictionaries and pairs
local function dictionary()
  local shared = core.shared "bindings"
  core.shared_set(shared, "k", "value")
  return shared
end
of_core("shared", function() return "bindings" end)
of_core("shared_get", function() return dictionary(), "k" end)
of_core("shared_set", function() return dictionary(), "k", "v", 60 end)
of_core("shared_add", function() return dictionary(), "k", "v", 60, 9 end)
of_core("shared_incr", function() return dictionary(), "n", 1, 60 end)
of_core("shared_delete", function() return dictionary(), "k" end)
of_core("store_get", function() return "bindings", "k" end)
of_core("store_set", function() return "bindings", "k", "v", 0 end)
of_core("store_delete", function() return "bindings", "k" end)
of_core("store_swap", function() return "bindings", "k", "v", "w" end)
of_core("store_list", function() return "bindings", "k", "" end)
of_core("store_call", function() return nothing, 1 end)

-- files
local FILE_FAULTS = { "file_open", "file_read", "file_write" }
local function at(name)
  return function() return folder .. "/" .. name end
end
of_core("fs_read", function() return folder .. "/file", 1000 end, { faults = FILE_FAULTS })
of_core("fs_head", function() return folder .. "/file", 10 end, { faults = FILE_FAULTS })
of_core("fs_hash", function() return folder .. "/file", "sha256" end, {
  faults = { "file_open", "file_read", "auth_digest" },
})
of_core("fs_write", function() return folder .. "/new", "text" end, { faults = FILE_FAULTS })
of_core("fs_append", function() return folder .. "/file", "text" end, { faults = FILE_FAULTS })
of_core("fs_list", at "")
of_core("fs_list_after", function() return folder, "", 10 end)
of_core("fs_stat", at "file")
of_core("fs_space", at "file")
of_core("fs_get", function() return folder .. "/file", 1000 end, { faults = FILE_FAULTS })
of_core("fs_put", function() return folder, "new", "text" end, { faults = FILE_FAULTS })
of_core("fs_rename", function() return folder .. "/new", folder .. "/newer" end)
of_core("fs_remove", at "newer")
of_core("fs_mkdir", at "made")
of_core("uploads")
of_core("file_name", function() return "../a.txt" end)
local function writer()
  local err, made = core.writer("upload", folder, true)
  assert(err == nil and made)
  return made
end
of_core("writer", function() return "upload", folder, true, "sha256" end, { faults = { "file_open", "auth_digest" } })
of_core("writer_put", function() return writer(), "text" end)
of_core("writer_write", writer, { faults = FILE_FAULTS })
of_core("writer_commit", writer, { faults = FILE_FAULTS })
of_core("writer_abort", writer)
local APPENDER_FAULTS = { "file_open", "file_lock", "auth_digest" }
of_core("appender", function() return "file", folder, true, "sha256" end, { faults = APPENDER_FAULTS })
row("appender of a new file", core.appender, function()
  os.remove(folder .. "/new")
  return "new", folder, false, nil, true
end, { faults = APPENDER_FAULTS })
row("appender of no file", core.appender, function() return "no", folder, false, "sha256" end)
local function appender() -- of a file of its own: who had it before may not be collected yet
  os.remove(folder .. "/grown")
  local err, made = core.appender("grown", folder, false, "sha1", true)
  assert(err == nil and made)
  return made
end
row("writer_write of an appender", core.writer_write, appender)
row("writer_commit of an appender", core.writer_commit, appender, { faults = { "file_sync" } })
of_core("appender_copy", function() return appender(), "keys", 0, 2 end, { faults = { "file_write" } })
of_core("appender_cut", function() return appender(), 1 end, { faults = { "file_sync" } })
of_core("appender_remove", appender)
local function tail() return core.tail(folder .. "/file", 10, 1000) end
of_core("tail", function()
  local rules = { { 0, false, false, "a text" }, { 2, true, false, "a", "b" }, { 3, false, true, "a+b" } }
  return folder .. "/file", 10, 1000, "1.1.00000000000000ff.2", rules
end, {
  faults = { "tail_open", "tail_read", "tail_folder", "tail_home" },
})
of_core("iterator_next", tail)
of_core("iterator_close", tail)
local function logs() return core.logs({ { folder .. "/file", false, "{}" }, { folder .. "/*", true, "{}" } }, {}) end
of_core("logs", function()
  return { { folder .. "/file", false, "{}" } }, { "tokens", "addresses", { "a+", "b" } }
end)
of_core("logs_time", function() return "2026-01-31T12:00:00Z" end)
of_core("logs_files", logs)
of_core("logs_follow", function()
  local rules = { { 0, false, false, "a" } }
  return logs(), 10, 1000, 1e6, false, "0123abcd~1.1.00000000000000ff.2,x~", 1, 2, "0123abcd", rules
end, { faults = { "tail_home" } })
local function view() return core.logs_follow(logs(), 10, 1000, 1e6) end
row("iterator_next of logs_follow", core.iterator_next, view)
row("iterator_close of logs_follow", core.iterator_close, view)

local function log_search()
  local rules = { { 0, false, false, "a text" }, { 3, false, true, "a+b" }, { 1, true, false, "info" } }
  return core.log_search({ { "k", folder .. "/file" } }, true, false, 10, 1000, 1, 2, nil, nil, rules)
end
of_core("log_search", function()
  local rules = { { 0, false, false, "a text" }, { 2, true, false, "a", "b" }, { 3, false, true, "a+b" } }
  local redact = { "tokens", { "a+", "b" } }
  return { { "k", folder .. "/file" } }, false, true, 10, 1000, 1, 2, "k~1.1.00000000000000ff.2",
    "k~1.1.00000000000000ff.2", rules, redact
end)
row("iterator_next of log_search", core.iterator_next, log_search, {
  faults = { "tail_open", "tail_read", "tail_folder" },
})
row("iterator_close of log_search", core.iterator_close, log_search)

-- tokens
local SECRET = ("s"):rep(32)
local RULES = '{"issuers":["a"],"audiences":["b"],"required":{"c":1}}'
local JWKS = '{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"' .. ("A"):rep(43) .. '"}]}'
local CLAIMS = '{"iss":"a","aud":"b","c":1,"deep":{"list":[1,2,{"x":"y"}]}}'
local function signer() return core.jwt_signer("secret", SECRET, "HS256", "kid") end
local function policy() return (core.jwt_policy("secret", SECRET, "HS256", 60, RULES)) end
local registry = debug.getregistry()
local verify, sign = registry["weir.jwt.policy"].__index.verify, registry["weir.jwt.signer"].__index.sign
of_core("jwt_policy", function() return "secret", SECRET, "HS256", 60, RULES end)
row("jwt_policy with bad rules", core.jwt_policy, function() return "secret", SECRET, "HS256", 60, RULES .. "x" end)
row("jwt_policy with a bad alg", core.jwt_policy, function() return "secret", SECRET, "none", 60, RULES end)
row("jwt_policy with a file", core.jwt_policy, function() return "key", folder .. "/file", "RS256", 60, RULES end)
row("jwt_policy of a key set", core.jwt_policy, function() return "jwks", folder .. "/keys", "HS256", 60, RULES end,
  { faults = { "key_file_read", "file_open", "file_read" } })
of_core("jwt_signer", function() return "secret", SECRET, "HS256", "kid" end)
row("weir.jwt.policy:verify", verify, function() return policy(), sign(signer(), CLAIMS) end,
  { faults = { "auth_hmac", "auth_verify" } })
row("weir.jwt.policy:verify of a bad token", verify, function() return policy(), "a.b.c" end)
row("weir.jwt.signer:sign", sign, function() return signer(), CLAIMS end, { faults = { "auth_hmac", "auth_sign" } })
row("weir.jwt.signer:sign of too much", sign, function() return signer(), '{"a":"' .. ("x"):rep(20000) .. '"}' end)

-- strings and the process
of_core("json_check", function() return '{"a":' end)
of_core("random", function() return 100 end, { faults = { "getrandom" } })
of_core("hash", function() return "sha256", "text" end, { faults = { "auth_digest" } })
of_core("hmac", function() return "sha256", "key", "text" end, { faults = { "auth_digest" } })
of_core("equal", function() return "a", "b" end)
of_core("seal", function() return SECRET, "for", "text" end, { faults = { "auth_seal" } })
of_core("unseal", function() return SECRET, "for", core.seal(SECRET, "for", "text") end, { faults = { "auth_seal" } })
of_core("path", function() return "/a%20b/c" end)
row("path that is none", core.path, function() return "/a/../c" end)
of_core("base64url_encode", function() return ("text"):rep(100) end)
of_core("base64url_decode", function() return ("text"):rep(100) end)
of_core("limits")
of_core("body_bytes")
of_core("limit_names")
of_core("set_limits", function() return { body_bytes = 1 } end)
of_core("trust_proxies", function() return { "10.0.0.0/8" }, true end)
of_core("log", function() return "debug", "text", { "name", "value" } end)
of_core("log_form", function() return "debug" end)
of_core("tells_refused")
of_core("count_refused", function() return "invalid" end)
of_core("count_too_long")
of_core("stats")
of_core("metrics")
of_core("counters")
of_core("reason", function() return 404 end)
of_core("app_folder")
of_core("mistake", function() return "text" end)
of_core("watching")

-- apps
local function router()
  local app = weir.app()
  app:get("/:name", nothing)
  return require("weir.app").compile(app), app
end
local methods = registry["weir.router"].__index
of_core("router")
row("weir.router:route", methods.route, function() return core.router(), "GET", "/a/:b", nothing, "/base" end)
row("weir.router:route that is there", methods.route, function() return (router()), "GET", "/:name", nothing, "" end)
row("weir.router:use", methods.use, function() return core.router(), "/a", nothing end)
row("weir.router:static", methods.static, function() return core.router(), "/files", folder, { max_age = 1 }, "" end)
row("weir.router:static that is there", methods.static, function()
  local made = core.router()
  made:static("/files", folder, {}, "")
  return made, "/files", folder, {}, ""
end)
row("weir.router:static of nothing", methods.static, function() return core.router(), "/", folder .. "/no", {}, "" end)
row("weir.router:missing", methods.missing, function() return core.router(), "/a", nothing end)
row("weir.router:list", methods.list, function() return (router()) end)
local REQUEST = { method = "POST", target = "/x?a=b", headers = { A = "b", C = { "d", "e" } }, body = "body" }
of_core("simulate", function()
  local compiled, app = router()
  return compiled, app, REQUEST
end)
row("simulate of a bad header", core.simulate, function()
  local compiled, app = router()
  return compiled, app, { method = "GET", target = "/", headers = { { "a", "b" }, { "c\n", "d" } } }
end)
row("simulate of a bad request", core.simulate, function()
  local compiled, app = router()
  return compiled, app, { method = "GET", target = "x y", headers = {} }
end)
local function close(err, server)
  if server and not err then server:close() end
end
local function server()
  local _, made = core.listen(router())
  servers[#servers + 1] = made
  return made
end
local server_methods = registry["weir.test.server"].__index
of_core("listen", router, { after = close })
row("listen to a path", core.listen, function() return nil, nil, folder .. "/app.lua" end, { after = close })
row("listen to no app", core.listen, function() return nil, nil, folder .. "/file" end)
row("weir.test.server:port", server_methods.port, server)
row("weir.test.server:close", server_methods.close, server)

-- processes and sockets
local function process()
  local _, made = core.process { "/bin/echo", "a" }
  return made
end
local function reap(err, made)
  if made and not err then core.process_wait(made, 5) end
end
of_core("process", function() return { "/bin/true", "a" }, { cwd = folder, env = { A = "b" } } end,
  { faults = { "spawn" }, after = reap, times = 1 })
row("process of nothing", core.process, function() return { folder .. "/no" } end, { times = 1 })
of_core("process_line", function() return process(), 5 end, { times = 1 })
of_core("process_wait", function() return process(), 5 end, { times = 1 })
of_core("process_stderr", process, { times = 1 })
of_core("process_kill", function() return process(), 9 end, { times = 1 })
local listening -- a server; made by before_each
local function socket()
  local _, made = core.connect(listening.port, {})
  return made
end
of_core("connect", function() return listening.port, { rcvbuf = 4096 } end)
row("connect to nothing", core.connect, function() return 1, {} end)
of_core("socket_send", function() return socket(), "GET / HTTP/1.1\r\n" end, { faults = { "conn_write" } })
of_core("socket_recv", function() return socket(), 60 end)
of_core("socket_shutdown", socket)
of_core("socket_close", socket)
of_core("socket_reset", socket)

-- streams
for name in pairs(core.stream_properties) do property(name) end
row("stream.claims", function(stream, claims) stream.claims = claims end, function()
  return { sub = "x", exp = 1e12 }
end,
  { stream = true })
of_stream("status", function() return 201 end)
for _, name in ipairs { "header", "add_header", "_lasting" } do
  of_stream(name, function() return "X-Name", "value" end)
end
of_stream("_cookie", function()
  return "name", "value", { path = "/", domain = "x.y", max_age = 9, same_site = "Lax" }
end)
of_stream("early_hints", function() return { Link = { "<a>", "<b>" }, ["X-Other"] = "c" } end)
row("stream:early_hints that are wrong", core.stream_methods.early_hints,
  function() return { Link = { "<a>", "<b>", 3 } } end, { stream = true })
of_stream("_resumable", function() return { Location = "/a", ["Upload-Limit"] = {} } end)
of_stream("_respond", function() return "text/plain", "text" end)
of_stream("_write", function() return "text" end)
of_stream("_flush")
of_stream("finish")
of_stream("_finish_now")
of_stream("write_policy", function() return "block" end)
of_stream("_sse", function() return 1000, 15, "beat", true, "block", 30, true end)
of_stream("_send", function() return "data", "event", "id", 1000, "comment" end)
of_stream("_file", function() return "file", { root = folder, download = 'a "b" ü', type = "text/plain" } end,
  { faults = FILE_FAULTS })
of_stream("_plain")
of_stream("_read", function() return 2 end)
of_stream("_body", function() return 100 end)
of_stream("_gather", function() return 2 end)
of_stream("_move", writer)
row("stream:_move of too much", core.stream_methods._move, function() return writer(), 0 end, { stream = true })
of_stream("query_all", function() return "a" end)
local FORM_TYPE = "multipart/form-data; boundary=b"
local FORM = '--b\r\nContent-Disposition: form-data; name="a"; filename="b"\r\nContent-Type: C/D\r\n'
  .. "X: 1\r\nX: 2\r\n\r\n" .. ("x"):rep(1000) .. "\r\n--b--"
local function divided(fn)
  return function(stream, ...)
    core.stream_methods._parts(stream, FORM_TYPE, 10, 1000, 1000, 1000)
    return fn(stream, ...)
  end
end
of_core("form_fields", function() return FORM_TYPE, FORM, 10, 1000 end)
row("form_fields of a broken one", core.form_fields, function() return FORM_TYPE, FORM:sub(1, -3), 10, 1000 end)
row("form_fields of a wrong type", core.form_fields, function() return "x", FORM, 10, 1000 end)
of_stream("_parts", function() return FORM_TYPE, 10, 1000, 1000, 1000 end)
row("stream:_parts of a wrong type", core.stream_methods._parts, function() return "x", 10, 1000, 1000, 1000 end,
  { stream = true })
row("stream:_next_part", divided(core.stream_methods._next_part), nil, { stream = true, body = FORM })
row("stream:_next_part of a broken head", divided(core.stream_methods._next_part), nil,
  { stream = true, body = "--b\r\nX: y\r\n\r\n" })
row("stream:_next_part of what is no form", divided(core.stream_methods._next_part), nil, { stream = true })
local function within(fn)
  return divided(function(stream, ...)
    core.stream_methods._next_part(stream)
    return fn(stream, ...)
  end)
end
row("stream:_part_gather", within(core.stream_methods._part_gather), function() return 100 end,
  { stream = true, body = FORM })
row("stream:_part_move", within(core.stream_methods._part_move), writer, { stream = true, body = FORM })
row("stream:_part_read", within(core.stream_methods._part_read), function() return 100 end,
  { stream = true, body = FORM })
of_stream("on_close", function() return nothing end)
of_stream("detach")
of_stream("_last_event_id")
of_stream("_expire", function() return 1e12 end)
of_stream("rate", function() return "bindings", 10, 10, "key" end)
of_stream("subscribe_stream", function() return { "bindings" }, { "bind" }, true, "earliest" end)
of_stream("unsubscribe_stream", function() return "bindings", false end)

-- What only turns the test's own screws: faults, the clock, the log, modes, the topics of the whole process.
local screws = {
  fault = true, fault_reset = true, heap = true, log_capture = true, test_mode = true, clear = true, elsewhere = true,
  clock_freeze = true, clock_advance = true, clock_thaw = true,
}

---- calling ----

-- A call in a task of its own, which is cancelled when it waits. Whether the fault that `arm` armed was not reached.
local function attempt(entry, arm, args)
  local left
  local function disarm(...)
    left = core.fault_reset()
    return ...
  end
  local task = weir.spawn(function()
    arm()
    local results = pack(disarm(pcall(entry.fn, unpack(args, 1, args.n))))
    if entry.after and results[1] then entry.after(results[2], results[3]) end
  end)
  weir.sleep(0)
  task:cancel()
  task:join()
  return (left or core.fault_reset()) > 0
end

local app = weir.app()
local work
app:post("/:name", function(stream) work(stream) end)

-- The same with fresh arguments, of which the one at `wrong` is `value`; on a stream of its own where it wants one.
local function call(entry, arm, wrong, value)
  local over
  local function go(...)
    local args = pack(...)
    if wrong then args[wrong], args.n = value, math.max(args.n, wrong) end
    over = attempt(entry, arm, args)
    dismiss()
  end
  if not entry.stream then
    go(entry.args())
  else
    work = function(stream)
      go(stream, entry.args())
      pcall(core.stream_methods._finish_now, stream) -- it may be subscribed
    end
    pcall(test.simulate, app, {
      method = "POST", path = "/x%20y?a=b&a=c%20d", body = entry.body or "the body",
      headers = { Host = "a.b", Cookie = "c=d; e=f", ["Last-Event-ID"] = "ü" },
    })
  end
  return over
end

local function arming(name, skip)
  return function() core.fault(name, 5, skip, 1) end
end

local wrong_values = { {}, false, nothing, io.stdout }

-- Each way to call it, as { what it is, function that does it }.
local function ways(entry)
  local list = { { "as it should be", function() call(entry, nothing) end } }
  list[#list + 1] = { "with an allocation refused", function()
    for n = 0, ALLOCATIONS do
      if call(entry, arming("lua_alloc", n)) then return end
    end
    error "it never succeeded"
  end }
  for _, name in ipairs(entry.faults or {}) do
    list[#list + 1] = { "with the fault " .. name, function() call(entry, arming(name, 0)) end }
  end
  local n = pack(entry.args()).n + (entry.stream and 1 or 0)
  dismiss()
  for i = 1, n do
    list[#list + 1] = { "with a wrong argument " .. i, function()
      for k = 1, #wrong_values do call(entry, nothing, i, wrong_values[k]) end
      call(entry, nothing, i, nil)
    end }
  end
  return list
end

---- what is left ----

local function descriptors()
  local _, names = core.fs_list "/proc/self/fd"
  return #names
end

local open_before -- a call's descriptors, those that its userdata had included, are closed when it is over

-- What a writer holds it gives back behind a thread that closes its file.
local function settle()
  test.eventually(function()
    collectgarbage()
    return descriptors() <= open_before
  end)
end

local function held()
  test.log.stop()
  test.log.start()
  core.clear()
  settle()
  collectgarbage()
  return core.heap()
end

-- By how many bytes each time, if in each of many rounds.
local function growth(times, once)
  local before, least = held(), math.huge
  for _ = 1, ROUNDS do
    for _ = 1, times do once() end
    local now = held()
    least, before = math.min(least, (now - before) / times), now
    if least < LEAST then return nil end
  end
  return least
end

local function leaks(entry)
  local list, found = ways(entry), {}
  local times = entry.times or TIMES
  local function all()
    for _, way in ipairs(list) do way[2]() end
  end
  if not growth(times, all) then return found end
  for _, way in ipairs(list) do
    -- Twice, since threads of the pool give back late on a busy machine; what leaks does so each time.
    local bytes = growth(times, way[2]) and growth(times, way[2])
    if bytes then found[#found + 1] = ("%s: %d bytes"):format(way[1], bytes) end
  end
  return found
end

describe("what C holds", function()
  setup(function()
    jit.off() -- compiled code is never refused memory
    jit.flush()
  end)
  teardown(function()
    if os.getenv "WEIR_TEST_JIT" ~= "off" then jit.on() end
  end)
  before_each(function()
    folder = support.folder()
    support.write_file(folder .. "/file", "a line\n")
    support.write_file(folder .. "/keys", JWKS)
    support.write_file(folder .. "/app.lua", "return require('weir').app()")
    listening = support.serve(function(served) served:get("/", nothing) end)
  end)
  after_each(function()
    core.shared_delete(core.shared "bindings", "k")
    core.shared_delete(core.shared "bindings", "n")
    core.topics {}
    core.clear()
    test.log.stop() -- what such calls say is not the question
    test.log.start()
    listening:close()
    support.remove_folders()
  end)

  local names = {}
  for name in pairs(rows) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    it("is given back by " .. name, function()
      for _, way in ipairs(ways(rows[name])) do way[2]() end
      open_before = descriptors()
      assert.same({}, leaks(rows[name]))
      settle()
    end)
  end

  it("is asked of every function", function()
    local missing = {}
    local function see(name, fn, shown)
      if type(fn) == "function" and debug.getinfo(fn, "S").what == "C" and not (rows[shown] or screws[name]) then
        missing[#missing + 1] = shown
      end
    end
    for name, value in pairs(core) do
      see(name, value, rows["stream:" .. name] and "stream:" .. name or name)
    end
    for name, fn in pairs(core.stream_methods) do see(name, fn, "stream:" .. name) end
    for name, meta in pairs(registry) do
      local index = type(name) == "string" and name:find "^weir%." and type(meta) == "table" and meta.__index
      if type(index) == "table" then
        for method, fn in pairs(index) do see(method, fn, name .. ":" .. method) end
      end
    end
    assert.same({}, missing)
  end)
end)
