-- The parts of the library that are Lua alone: JSON, what is asked of arguments, log fields, sizes, failures, channels
-- and groups under cancellation.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local check = require "weir.check"
local json = weir.json

describe("weir.json.encode", function()
  local cases = {
    { "true", true, "true" },
    { "null", json.null, "null" },
    { "a string", "text", '"text"' },
    { "quotes and backslashes", '"\\', '"\\"\\\\"' },
    { "control characters", "\0\1\b\t\n\f\r\31\127", '"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\127"' },
    { "a slash as it is", "a/b", '"a/b"' },
    { "UTF-8", "grüße €𝄞", '"grüße €𝄞"' },
    { "an empty table", {}, "{}" },
    { "an empty array", json.array(), "[]" },
    { "an empty array inside", { list = json.array {} }, '{"list":[]}' },
    { "a marked array that was filled", (function()
      local list = json.array()
      list[1] = 1
      return list
    end)(), "[1]" },
    { "lists in lists", { { 1 }, { { 2 } } }, "[[1],[[2]]]" },
    { "null in a list", { json.null, 1 }, "[null,1]" },
    { "a key that needs escaping", { ['"'] = 1 }, '{"\\"":1}' },
    { "zero", 0, "0" },
    { "a negative number", -17, "-17" },
    { "a fraction", 0.1, "0.1" },
    { "an object's names in the order of their bytes",
      { b = 1, B = 2, ["é"] = 3, a = 4, ["a0"] = 5, ["_"] = 6, [""] = 7 },
      '{"":7,"B":2,"_":6,"a":4,"a0":5,"b":1,"é":3}' },
    { "seventeen digits", 0.1 + 0.2, "0.30000000000000004" },
    { "a third", 1 / 3, "0.3333333333333333" },
    { "milliseconds", 1763650000123, "1763650000123" },
    { "10^15", 1e15, "1000000000000000" },
    { "2^53 - 1", 2 ^ 53 - 1, "9007199254740991" },
    { "-2^53 + 1", -2 ^ 53 + 1, "-9007199254740991" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() assert.equal(case[3], json.encode(case[2])) end)
  end

  it("gives every number a text that reads back as the number", function()
    for _, number in ipairs { 2 ^ 53, 1e300, 5e-324, 1.7976931348623157e308, 123456789.123, 1e-7, -1e21, 4 / 3 } do
      assert.equal(number, tonumber(json.encode(number)))
      assert.equal(number, json.decode("[" .. json.encode(number) .. "]")[1])
    end
  end)

  -- Maximal subparts, as the Encoding standard has it.
  local broken = {
    { "a lone byte", "a\255b", "a?b" },
    { "a continuation alone", "\128", "?" },
    { "an overlong sequence", "\192\175", "??" },
    { "a surrogate", "\237\160\128", "???" },
    { "beyond U+10FFFF", "\244\144\128\128", "????" },
    { "cut short at the end", "x\226\130", "x?" },
    { "cut short in the middle", "\240\159\146x", "?x" },
    { "good and bad", "ü\255ü", "ü?ü" },
    { "in a long string", ("ü"):rep(100) .. "\255", ("ü"):rep(100) .. "?" },
  }
  for _, case in ipairs(broken) do
    it("replaces what is not UTF-8: " .. case[1], function()
      assert.equal('"' .. case[3]:gsub("?", "\239\191\189") .. '"', json.encode(case[2]))
    end)
  end

  it("escapes in long strings as in short ones", function()
    for _, length in ipairs { 1, 63, 64, 65, 1000 } do
      local filler = ("x"):rep(length - 1)
      assert.equal('"' .. filler .. '\\n"', json.encode(filler .. "\n"))
      assert.equal('"' .. filler .. '"', json.encode(filler))
    end
  end)

  local loop = {}
  loop.self = { loop }
  local deep = {}
  for _ = 1, 200 do deep = { deep } end
  local refused = {
    { "nil", nil, "nil" },
    { "a function", print, "function" },
    { "a function inside", { a = { { b = print } } }, "%.a%[1%]%.b: .*function" },
    { "a key that is no name", { ["a b"] = print }, '%["a b"%]' },
    { "a coroutine", { coroutine.create(print) }, "%[1%]: .*thread" },
    { "NaN", 0 / 0, "NaN" },
    { "infinity", { -math.huge }, "infinity" },
    { "a hole", { 1, nil, 3 }, "item 2 is nil" },
    { "a list that begins late", { [3] = 1 }, "item 1 is nil" },
    { "a hole in a marked array", json.array { 1, nil, 3 }, "item 2 is nil" },
    { "a list with names", { 1, name = 2 }, "both" },
    { "names with a list", { name = 2, [1] = 1 }, "both" },
    { "a boolean as key", { [true] = 1 }, "key" },
    { "a fraction as key", { [1.5] = 1 }, "key" },
    { "a table in itself", loop, "contains itself" },
    { "200 levels", deep, "128" },
  }
  for _, case in ipairs(refused) do
    it("raises for " .. case[1] .. ", at its caller's line", function()
      local ok, message = pcall(function()
        local text = json.encode(case[2])
        return text
      end)
      assert.is_false(ok)
      assert.matches("^[^:]*lua_unit_spec%.lua:%d+: weir%.json%.encode: ", message)
      assert.matches(case[3], message)
      assert.equal("[1]", json.encode { 1 }) -- nothing is left of it
    end)
  end

  it("encodes 128 levels", function()
    local nested = {}
    for _ = 1, 127 do nested = { nested } end
    assert.equal(("["):rep(127) .. "{}" .. ("]"):rep(127), json.encode(nested))
  end)

  it("calls no metamethods", function()
    local guarded = setmetatable({ a = 1 }, { __index = function() error "called" end, __pairs = error, __len = error })
    assert.equal('{"a":1}', json.encode(guarded))
  end)

  it("encodes what is larger than the buffer it keeps", function()
    local large = ("x"):rep(200000)
    assert.is_true(json.encode(large) == '"' .. large .. '"')
    assert.equal("1", json.encode(1))
  end)
end)

describe("weir.json.array", function()
  it("returns the table", function()
    local list = { 1 }
    assert.equal(list, json.array(list))
    assert.equal(list, json.array(list))
  end)

  it("raises for a table that has a metatable", function()
    assert.error_matches(function() json.array(setmetatable({}, {})) end, "metatable")
  end)

  it("raises for what is no table", function()
    assert.error_matches(function() json.array("x") end, "must be a table")
  end)
end)

describe("weir.json.decode", function()
  it("gives the value", function()
    assert.same({ a = { 1, "x", json.null, false } }, json.decode '{"a":[1,"x",null,false]}')
    assert.equal(json.null, json.decode "null")
    assert.is_false((json.decode "false"))
    assert.equal("€𝄞", json.decode [["\u20ac\ud834\udd1e"]])
  end)

  for _, text in ipairs { "", " ", "{", "[1,]", "{a:1}", "01", "NaN", "0x10", "[1] x", '"\\x"', '"\\ud800"',
    "1.", "[1.e5]", ".5", "+1", "1e400", '"a\tb"', '"a\nb"', '"\0"', "[1]\0", '"\233"', "[1]\255",
    '"\237\160\128"' } do
    it("gives nil and a message with the position for " .. ("%q"):format(text), function()
      local value, message = json.decode(text)
      assert.is_nil(value)
      assert.matches("character %d+", message)
    end)
  end

  it("refuses more than 128 levels", function()
    assert.is_truthy(json.decode(("["):rep(128) .. ("]"):rep(128)))
    local value, message = json.decode(("["):rep(129) .. ("]"):rep(129))
    assert.is_nil(value)
    assert.matches("nested", message)
  end)

  it("raises for what is no string", function()
    assert.error_matches(function() json.decode({}) end, "must be a string, got a table")
  end)

  it("does not change with what a script sets on cjson", function()
    local cjson = require "cjson"
    cjson.decode_invalid_numbers(true)
    local value = json.decode "[NaN]"
    cjson.decode_invalid_numbers(false)
    assert.is_nil(value)
  end)
end)

describe("check", function()
  it("raises the error of a blocking function, or returns its results", function()
    assert.same({ 3, 1, nil, 2 }, { select("#", check(nil, 1, nil, 2)), check(nil, 1, nil, 2) })
    local ok, err = pcall(check, weir.cancelled, 1)
    assert.is_false(ok)
    assert.equal(weir.cancelled, err)
  end)

  local sizes = {
    { 0, 0 }, { 17, 17 }, { "17", 17 }, { "64KB", 65536 }, { "64kb", 65536 }, { "1MB", 1048576 }, { "2GB", 2147483648 },
  }
  for _, case in ipairs(sizes) do
    it("takes " .. tostring(case[1]) .. " for a size", function()
      assert.equal(case[2], check.size("f", "size", case[1]))
    end)
  end

  for _, value in ipairs { -1, 1.5, 0 / 0, math.huge, "", "KB", "1.5KB", "1 KB", "-1KB", "1TB", "17B", true } do
    it("refuses " .. tostring(value) .. " as a size", function()
      assert.has_error(function() check.size("f", "size", value) end)
    end)
  end

  it("shows values in messages", function()
    local shown = {
      { "text", '"text"' }, { "a\nb", '"a\\nb"' }, { "\0", nil }, { ("x"):rep(100), '"' .. ("x"):rep(37) .. '..."' },
      { 1.5, "1.5" }, { true, "true" }, { nil, "nil" }, { {}, "a table" }, { print, "a function" },
    }
    for _, case in ipairs(shown) do
      local text = check.show(case[1])
      if case[2] then assert.equal(case[2], text) end
      assert.is_nil(text:find "%c")
    end
  end)

  -- Each mistake is told at the line that made it, with what, where and what came.
  local mistakes = {
    { "weir.sleep", function() weir.sleep("1") end, 'argument 1 %(seconds%) must be .*, got "1"' },
    { "weir.spawn", function() weir.spawn(nil) end, "must be a function, got nil" },
    { "weir.background", function() weir.background({}) end, "must be a function, got a table" },
    { "weir.defer", function() weir.defer(1) end, "must be a function, got 1" },
    { "weir.all", function() weir.all { print, 2 } end, "item 2 of the list must be a function, got 2" },
    { "weir.all", function() weir.all { [1] = print, [3] = print } end, "item 2 of the list" },
    { "weir.race", function() weir.race {} end, "empty" },
    { "weir.timeout", function() weir.timeout(-1, print) end, "0 or more, got %-1" },
    { "weir.every", function() weir.every(0.0009, print) end, "must be 0.001 or more, got 0.0009" },
    { "weir.every", function() weir.every(1, print, { one_worker = 1 }) end, "one_worker must be true or false" },
    { "weir.every", function() weir.every(1, print, { one_worker = true }) end, "for the top of an app file" },
    { "weir.channel", function() weir.channel(1.5) end, "whole number" },
    { "channel:send", function() weir.channel(1):send(nil) end, "nil" },
    { "channel:recv", function() weir.channel(1):recv("soon") end, "seconds" },
    { "weir.tail", function() weir.tail("x", { lies = 1 }) end, 'unknown option "lies"; known are: lines, max_line' },
    { "weir.tail", function() weir.tail("x", { lines = -1 }) end, "lines must be" },
    { "weir.tail", function() weir.tail(nil) end, "must be a path: .*, got nil" },
    { "weir.fs.read", function() weir.fs.read("") end, "path" },
    { "weir.fs.write", function() weir.fs.write("x", nil) end, "argument 2 %(data%) must be a string, got nil" },
    { "weir.log.info", function() weir.log.info("x", "y") end, "fields" },
    { "weir.fail", function() weir.fail(200) end, "400 to 599, got 200" },
    { "weir.fail", function() weir.fail(400, 1) end, "a string or a table, got 1" },
    { "weir.limits", function() weir.limits(1) end, "a table" },
    { "app:get", function() weir.app():get("x", print) end, 'begins with "/", got "x"' },
    { "app:get", function() weir.app():get("/x", "y") end, 'a function, got "y"' },
    { "app:get", function() weir.app().get({}, "/x", print) end, "colon" },
    { "app:route", function() weir.app():route(nil, "/", print) end, "method" },
    { "app:use", function() weir.app():use("/x") end, "middleware" },
    { "app:mount", function() weir.app():mount("/x", {}) end, "weir.app%(%)" },
    { "app:static", function() weir.app():static("/", "x", { hiden = true }) end, "known are: max_age, hidden" },
    { "app:static", function() weir.app():static("/", "x", { hidden = 1 }) end, "hidden must be true or false" },
    { "app:on_error", function() weir.app():on_error() end, "a function" },
    { "app:on_start", function() weir.app():on_start(print, { each = true }) end, "each_worker" },
    { "app:on_start", function() weir.app():on_start(print, {}, 1) end, "argument 3 must be nothing" },
    { "weir.app", function() weir.app({}) end, "argument 1 must be nothing" },
  }
  for i, case in ipairs(mistakes) do
    it(("blames the caller of %s (%d)"):format(case[1], i), function()
      local line = debug.getinfo(case[2], "S").linedefined
      local ok, message = pcall(case[2])
      assert.is_false(ok)
      assert.matches("^[^:]*lua_unit_spec%.lua:" .. line .. ": " .. case[1]:gsub("%p", "%%%0") .. ": ", message)
      assert.matches(case[3], message)
    end)
  end
end)

describe("a stream's methods", function()
  -- What `misuse(stream)` raised in a handler.
  local function message_of(misuse)
    local ok, message
    support.ask(function(app)
      app:post("/", function(stream) ok, message = pcall(misuse, stream) end)
    end, "POST", "/", { body = "x" })
    assert.is_false(ok)
    return message
  end

  local mistakes = {
    { "stream:read", function(stream) stream:read(0) end, "1 or more, got 0" },
    { "stream:body", function(stream) stream:body("much") end, "size" },
    { "stream:save", function(stream) stream:save("x", { progress = print }) end,
      "known are: root, on_progress, limit" },
    { "stream:text", function(stream) stream:text(1) end, "must be a string, got 1" },
    { "stream:html", function(stream) stream:html() end, "must be a string, got nil" },
    { "stream:redirect", function(stream) stream:redirect("") end, "not empty" },
    { "stream:redirect", function(stream) stream:redirect("/x", 200) end, "301, 302" },
    { "stream:file", function(stream) stream:file("x", { rot = "y" }) end, "known are: root, type" },
    { "stream:write", function(stream) stream:write({}) end, "must be a string, got a table" },
    { "stream:sse", function(stream) stream:sse { limits = 1 } end, "known are: retry, heartbeat" },
    { "stream:sse", function(stream) stream:sse { limit = 1 } end, "limit must be a table such as" },
    { "stream:sse", function(stream) stream:sse { limit = { event = 1 } } end, "known are: events, bytes" },
    { "stream:sse", function(stream) stream:sse { limit = { events = 0 } } end, "limit.events must be a whole number" },
    { "stream:sse", function(stream) stream:sse { limit = { events = 1 } } end, "says nothing without overflow" },
    { "sse:unsubscribe", function(stream) stream:sse():unsubscribe { "a", "b" } end, "call it for each of a list" },
    { "stream:sse", function(stream) stream:sse { heartbeat = 0 } end, "heartbeat must be more than 0" },
    { "stream:sse", function(stream) stream:sse { retry = 1.5 } end, "retry must be a whole number" },
    { "stream:sse", function(stream) stream:sse { hello = 1 } end, "hello must be true or false" },
    { "stream:sse", function(stream) stream:sse { heartbeat_event = 1 } end, "heartbeat_event must be a string" },
    { "sse:send", function(stream) stream:sse():send({ dat = 1 }) end, 'unknown field "dat"; known are: data' },
    { "sse:send", function(stream) stream:sse():send({}) end, "empty" },
    { "sse:send", function(stream) stream:sse():send(7) end, "a string or a table, got 7" },
    { "sse:comment", function(stream) stream:sse():comment() end, "must be a string" },
  }
  for i, case in ipairs(mistakes) do
    it(("blame the caller of %s (%d)"):format(case[1], i), function()
      local line = debug.getinfo(case[2], "S").linedefined
      local message = message_of(case[2])
      assert.matches("^[^:]*lua_unit_spec%.lua:" .. line .. ": " .. case[1]:gsub("%p", "%%%0") .. ": ", message)
      assert.matches(case[3], message)
    end)
  end

  it("file serves hidden files when it is told to", function()
    local folder = support.folder()
    support.write_file(folder .. "/.hidden", "seen")
    local function ask(options)
      return support.ask(function(app)
        app:get("/", function(stream) return stream:file(".hidden", options) end)
      end, "GET", "/")
    end
    assert.equal(404, ask({ root = folder }).status)
    assert.equal("seen", ask({ root = folder, hidden = true }).body)
    support.remove_folders()
  end)

  it("sse sends what is not text as JSON, and a whole number as id", function()
    local response = support.ask(function(app)
      app:get("/", function(stream)
        local sse = stream:sse { retry = false }
        sse:send { data = 1763650000123, id = 1763650000123 }
        sse:send { data = true }
        sse:send { data = json.array() }
      end)
    end, "GET", "/")
    assert.equal("data: 1763650000123\nid: 1763650000123\n\ndata: true\n\ndata: []\n\n", response.body)
  end)

  it("redirect encodes what an address cannot hold", function()
    local response = support.ask(function(app)
      app:get("/", function(stream) stream:redirect("/søk?q=a b") end)
    end, "GET", "/")
    assert.equal("/s%C3%B8k?q=a%20b", response.headers.location)
  end)

  it("form keeps the first value, and what is not an escape", function()
    local fields
    support.ask(function(app)
      app:post("/", function(stream) fields = stream:form() end)
    end, "POST", "/", { headers = { ["Content-Type"] = "application/x-www-form-urlencoded" },
      body = "a=1&a=2&&b&=c&d=100%&e=%zz%41" })
    assert.same({ a = "1", b = "", [""] = "c", d = "100%", e = "%zzA" }, fields)
  end)
end)

describe("an app", function()
  it("cannot be added to when it serves", function()
    local app = weir.app()
    app:get("/", function() end)
    test.simulate(app, {})
    assert.error_matches(function() app:get("/late", function() end) end, "already serving")
  end)

  it("tells the line of a pattern that its router refuses", function()
    local app = weir.app()
    app:get("/same", function() end)
    app:get("/same", function() end)
    local line = debug.getinfo(1, "l").currentline - 1
    local ok, message = pcall(test.simulate, app, {})
    assert.is_false(ok)
    assert.matches("lua_unit_spec%.lua:" .. line .. ': app:route GET "/same": ', message)
  end)

  it("cannot be mounted in itself", function()
    local one, two = weir.app(), weir.app()
    one:mount("/two", two)
    two:mount("/one", one)
    assert.error_matches(function() test.simulate(one, {}) end, "mounted in itself")
  end)

  it("has one error handler, a mounted one its own", function()
    local inner = weir.app()
    inner:on_error(function(_, err) return "inner: " .. err end)
    inner:get("/x", function() error("broken", 0) end)
    local function define(app)
      app:on_error(function(_, err) return "outer: " .. err end)
      app:mount("/in", inner)
      app:get("/inx", function() error("broken", 0) end)
    end
    assert.equal("inner: broken", support.ask(define, "GET", "/in/x").body)
    assert.equal("outer: broken", support.ask(define, "GET", "/inx").body)
    assert.equal(2, #test.log.take("broken", "error"))
    assert.error_matches(function()
      support.ask(function(app)
        app:on_error(function() end)
        app:on_error(function() end)
      end, "GET", "/")
    end, "one already")
  end)

  it("answers what on_error fails with", function()
    local response = support.ask(function(app)
      app:on_error(function() weir.fail(503, "later") end)
      app:get("/", function() error "broken" end)
    end, "GET", "/")
    assert.equal(503, response.status)
    assert.equal("later", response.body)
    test.log.take("broken", "error")
  end)

  it("middleware that forgets to return loses no answer", function()
    local response = support.ask(function(app)
      app:use(function(_, next) next() end)
      app:get("/", function() return "kept" end)
    end, "GET", "/")
    assert.equal("kept", response.body)
  end)

  it("calling next twice raises", function()
    local message
    support.ask(function(app)
      app:use(function(_, next)
        next()
        local _, err = pcall(next)
        message = err
      end)
      app:get("/", function() end)
    end, "GET", "/")
    assert.matches("next%(%) was called twice", message)
  end)

  it("tells where a handler is that returned something else", function()
    local line = debug.getinfo(1, "l").currentline + 2
    support.ask(function(app)
      app:get("/odd", function() return 42 end)
    end, "GET", "/odd")
    local lines = test.log.take("returned 42", "error")
    assert.equal(1, #lines)
    assert.matches("lua_unit_spec%.lua:" .. line .. ": the handler of GET /odd", lines[1].text)
  end)
end)

describe("weir.fail", function()
  it("raises a value that tells what it is", function()
    local _, with_text = pcall(weir.fail, 404, "no such room")
    local _, with_table = pcall(weir.fail, 422, {})
    local _, alone = pcall(weir.fail, 503)
    assert.same({ "weir.fail 404: no such room", "weir.fail 422: a table", "weir.fail 503" },
      { tostring(with_text), tostring(with_table), tostring(alone) })
    assert.equal(404, with_text.status)
    assert.equal("no such room", with_text.body)
  end)
end)

describe("weir.log", function()
  it("writes the message and the fields, sorted and quoted where needed", function()
    weir.log.info("event", { b = 2, a = "x y", c = "", d = 'q"\\', e = "k=v", f = true })
    assert.equal([[event a="x y" b=2 c="" d="q\"\\" e="k=v" f=true]], test.log.take("event", "info")[1].text)
  end)

  it("has four levels", function()
    for _, level in ipairs { "debug", "info", "warn", "error" } do weir.log[level]("at " .. level) end
    assert.same({}, test.log.take("at debug")) -- below the level
    for _, level in ipairs { "info", "warn", "error" } do
      assert.equal(1, #test.log.take("at " .. level, level))
    end
    assert.is_function(weir.log.debug)
  end)

  it("keeps line ends out of the log", function()
    weir.log.info("one\ntwo", { field = "three\nfour" })
    assert.equal([[one\ntwo field="three\nfour"]], test.log.take("one")[1].text)
  end)
end)

describe("weir.stats", function()
  it("counts", function()
    local stats
    local server = support.serve(function(app)
      app:get("/", function() stats = weir.stats() end)
    end)
    server:get "/"
    server:get "/"
    assert.is_true(stats.requests >= 2)
    assert.is_true(stats.connections >= 1)
    assert.is_true(stats.tasks >= 1)
    assert.is_true(stats.lua_memory > 10000)
  end)
end)

describe("weir.metrics", function()
  -- The last number that the text has behind that name, nil for none.
  local function value(name)
    return tonumber(weir.metrics():match("\n" .. name:gsub("%p", "%%%0") .. " ([%d.]+)\n"))
  end

  it("is all that is counted, and of workers nothing where there are none", function()
    local server = support.serve(function(app)
      app:get("/measured/:id", function() return "x" end)
    end)
    local before = value "weir_requests_total"
    for i = 1, 3 do server:get("/measured/" .. i) end
    assert.equal(before + 3, value "weir_requests_total")
    local labels = [[{route="/measured/:id",method="GET",status="2xx"}]]
    test.eventually(function() return value("weir_route_latency_seconds_count" .. labels) == 3 end)
    assert.is_nil(weir.metrics():find("weir_worker_", 1, true))
  end)

  it("is asked for in a task, which may be cancelled", function()
    local task = weir.spawn(weir.metrics)
    weir.spawn(task.cancel, task) -- once it has begun, and before it can be told
    assert.same({ nil, "cancelled" }, { task:join() })
    assert.error_matches(coroutine.wrap(weir.metrics), "weir.metrics: cannot wait inside a coroutine")
  end)
end)

describe("groups of tasks", function()
  local forever = function() weir.sleep(3600) end

  -- Starts `run` in a task and cancels it while it waits: how many tasks are left then.
  local function cancelled(run)
    local before = test.counters().tasks
    local task = weir.spawn(run)
    test.settle()
    task:cancel()
    local result, err = task:join()
    assert.same({ nil, "cancelled" }, { result, err })
    test.eventually(function() return test.counters().tasks == before end)
  end

  it("end with the task that waits for them", function()
    cancelled(function() weir.all { forever, forever } end)
    cancelled(function() weir.race { forever, forever } end)
    cancelled(function() weir.timeout(60, forever) end)
  end)

  it("all gives results in the list's order, false and nil too", function()
    local results = weir.all { function() return false end, function() end, function() return 3 end }
    assert.is_false(results[1])
    assert.is_nil(results[2])
    assert.equal(3, results[3])
  end)

  -- In tasks of their own, whose stacks, where a collector could find what was cancelled, are gone at once.
  local function attempt(...)
    local ok, err
    weir.spawn(function(...) ok, err = pcall(...) end, ...):join()
    return ok, err
  end

  it("race raises the error of the one that ends first", function()
    local ok, err = attempt(weir.race, { forever, function() error({ code = 1 }) end })
    assert.is_false(ok)
    assert.same({ code = 1 }, err)
  end)

  it("timeout tells its own end from an error of that name", function()
    local ok, err = attempt(weir.timeout, 5, function() error("timeout", 0) end)
    assert.is_false(ok)
    assert.equal("timeout", err)
  end)
end)

describe("weir.every", function()
  it("keeps its rhythm and leaves out what it missed", function()
    test.clock.freeze()
    local begun, ticks = weir.now(), {}
    local task = weir.every(10, function()
      ticks[#ticks + 1] = math.floor((weir.now() - begun) / 10) -- the clock moves a second at a time
      if #ticks == 2 then weir.sleep(25) end
    end)
    test.clock.advance(65)
    assert.same({ 1, 2, 5, 6 }, ticks)
    task:cancel()
    test.settle()
    test.clock.advance(30)
    assert.equal(4, #ticks)
    test.clock.thaw()
  end)

  it("runs what a call deferred at its end", function()
    test.clock.freeze()
    local begun, ended = 0, 0
    local task = weir.every(2, function()
      assert.equal(begun, ended)
      begun = begun + 1
      weir.defer(function() ended = ended + 1 end)
    end)
    test.clock.advance(13)
    assert.equal(6, begun)
    assert.equal(6, ended)
    task:cancel()
    test.clock.thaw()
  end)
end)

describe("a channel", function()
  it("passes over a receiver that was cancelled, at whatever moment", function()
    for _, cancel_first in ipairs { true, false } do
      local channel, got = weir.channel(), {}
      local function receive() table.insert(got, (channel:recv())) end
      local first, second = weir.spawn(receive), weir.spawn(receive)
      test.settle()
      if cancel_first then first:cancel() end
      assert.is_true(channel:send("value"))
      if not cancel_first then first:cancel() end
      test.settle()
      assert.same({ "value" }, got)
      second:cancel()
      test.settle()
      assert.same({ nil, "timeout" }, { channel:send("x", 0) }) -- nobody is left who waits
    end
  end)

  it("forgets what a cancelled sender offered", function()
    local channel = weir.channel()
    local sender = weir.spawn(function() channel:send("never") end)
    test.settle()
    sender:cancel()
    sender:join()
    assert.same({ nil, "timeout" }, { channel:recv(0) })
  end)

  it("serves who has waited longest", function()
    local channel, order = weir.channel(), {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = weir.spawn(function()
        local value = channel:recv()
        order[#order + 1] = i .. value
      end)
    end
    test.settle()
    for _, value in ipairs { "a", "b", "c" } do channel:send(value) end
    for _, task in ipairs(tasks) do task:join() end
    assert.same({ "1a", "2b", "3c" }, order)
  end)

  it("takes false for a value", function()
    local channel = weir.channel(1)
    channel:send(false)
    assert.is_false((channel:recv()))
  end)

  it("with a timeout of 0 does not wait", function()
    local channel = weir.channel()
    assert.same({ nil, "timeout" }, { channel:send(1, 0) })
    assert.same({ nil, "timeout" }, { channel:recv(0) })
  end)

  it("wakes senders when it is closed; their values are not delivered", function()
    local channel = weir.channel(1)
    channel:send("in")
    local sender = weir.spawn(function() return channel:send("out") end)
    test.settle()
    channel:close()
    assert.same({ nil, "closed" }, { sender:join() })
    assert.equal("in", channel:recv())
    assert.same({ nil, "closed" }, { channel:recv() })
  end)

  it("leaves no entry of a wait that is refused", function()
    local channel = weir.channel()
    assert.is_false((coroutine.wrap(function() return pcall(channel.recv, channel) end)()))
    assert.same({ nil, "timeout" }, { channel:send("x", 0) })
  end)
end)
