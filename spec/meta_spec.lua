-- What an app can name at run time, and the options that functions take, are what lua/weir/_meta annotates: no name
-- more, none less. (That each of these stands in the reference and is used in a spec is what tests/lint/meta looks at.)
--
-- Of classes the methods are compared; of records, which are tables of values, the fields. Options are asked for: a
-- function that is given one that is unknown tells those that it knows.

local weir = require "weir"
local core = require "weir.core"
local hint = require "weir.hint"
local support = require "spec.support"

-- ---- what is annotated ----------------------------------------------------------------------------------------------

-- All classes: { parent =, fields = { name = true }, methods = { name = true } }.
local classes = {}

local function class_of(name)
  classes[name] = classes[name] or { fields = {}, methods = {} }
  return classes[name]
end

local function add(names, name, where)
  assert(not names[name], where .. ": " .. name .. " is annotated twice")
  names[name] = true
end

-- The names of { name?: type, ... } behind the parameter `options`.
local function inline_names(line)
  local braces = line:match "%b{}"
  local names = {}
  for name in (braces or ""):sub(2):gmatch "([%a_][%w_]*)%??:" do names[name] = true end
  return names
end

local function read_meta(path)
  local open, pending, inline, bound = nil, nil, nil, {}
  local number = 0
  for line in (support.read_file(path) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local where = path .. ":" .. number
    local class, parent = line:match "^%-%-%-@class ([%w_.]+)", line:match "^%-%-%-@class [%w_.]+: ([%w_.]+)"
    local field = line:match "^%-%-%-@field ([%a_][%w_]*)"
    local variable = line:match "^local ([%a_]+) = {}" or line:match "^([%a_.]+) = {}"
    local owner, separator, name = line:match "^function ([%a_.]-)([.:])([%a_][%w_]*)%("
    if class then
      open, pending = class_of(class), class
      open.parent = parent
    elseif field then
      add(assert(open, where .. ": a field of no class").fields, field, where)
    elseif line:find "^%-%-%-@param [%a_]+%?? ?{" then
      inline = inline_names(line)
    elseif variable then
      bound[variable] = pending
    elseif name then
      local methods = class_of(assert(bound[owner], where .. ": of what class is " .. owner .. "?")).methods
      add(methods, name, where)
      if inline then class_of(bound[owner] .. separator .. name).fields, inline = inline, nil end
    end
    if not line:find "^%-%-%-" then open = nil end
  end
end

for _, name in ipairs(weir.fs.list "lua/weir/_meta") do read_meta("lua/weir/_meta/" .. name) end

-- The annotated fields of a class, those of its parents included.
local function fields_of(name)
  local fields = {}
  while name do
    local class = assert(classes[name], "no class " .. name)
    for field in pairs(class.fields) do fields[field] = true end
    name = class.parent
  end
  return fields
end

local function sorted(names)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, 1) ~= "_" then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- ---- what there is --------------------------------------------------------------------------------------------------

local function functions_in(values)
  local names = {}
  for name, value in pairs(values) do
    if type(value) == "function" then names[name] = true end
  end
  return names
end

local function methods_of(object)
  return functions_in(getmetatable(object).__index)
end

local folder
local function log_file() return support.write_file(folder .. "/app.log", "one\n") end

local FORM = {
  headers = { ["Content-Type"] = "multipart/form-data; boundary=x" },
  body = '--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n',
}

-- What `take(stream)` returns in a handler that is asked so.
local function in_handler(take, options)
  local taken
  local server = support.serve(function(app)
    app:post("/", function(stream) taken = take(stream) end)
  end)
  server:post("/", options)
  return taken
end

local function served()
  return support.serve(function(app)
    app:get("/", function(stream) stream:sse { hello = true } end)
  end)
end

local methods = {
  ["weir.App"] = function() return methods_of(weir.app()) end,
  ["weir.Stream"] = function() return functions_in(core.stream_methods) end,
  ["weir.Sse"] = function() return in_handler(function(stream) return methods_of(stream:sse()) end) end,
  ["weir.Part"] = function()
    return in_handler(function(stream)
      local step, form = stream:parts()
      return methods_of(step(form))
    end, FORM)
  end,
  ["weir.Subscription"] = function() return methods_of(weir.subscribe "a") end,
  ["weir.Streams"] = function() return methods_of(weir.streams {}) end,
  ["weir.Task"] = function() return functions_in(core.task_methods) end,
  ["weir.Channel"] = function() return functions_in(core.channel_methods) end,
  ["weir.Shared"] = function() return functions_in(core.shared_methods) end,
  ["weir.Store"] = function() return methods_of(weir.store "meta") end,
  ["weir.Tail"] = function() return methods_of(weir.tail(log_file())) end,
  ["weir.Logs"] = function() return methods_of(weir.logs { sources = log_file() }) end,
  ["weir.LogsView"] = function() return methods_of(weir.logs({ sources = log_file() }):follow()) end,
  ["weir.test.Server"] = function() return methods_of(served()) end,
  ["weir.test.Events"] = function() return methods_of(served():sse "/") end,
  ["weir.test.Client"] = function() return methods_of(served():connect()) end,
}
for name, part in pairs {
  ["weir"] = weir, ["weir.fs"] = weir.fs, ["weir.json"] = weir.json, ["weir.jwt"] = weir.jwt, ["weir.log"] = weir.log,
  ["weir.test"] = weir.test, ["weir.test.clock"] = weir.test.clock, ["weir.test.log"] = weir.test.log,
} do
  methods[name] = function() return functions_in(part) end
end

local function keys(values)
  local names = {}
  for name in pairs(values) do names[name] = true end
  return names
end

local records = {
  ["weir.Stats"] = function() return keys(weir.stats()) end,
  ["weir.Limits"] = function()
    local names = {}
    for _, name in ipairs(core.limit_names()) do names[name] = true end
    return names
  end,
  ["weir.Stream"] = function()
    local names = keys(core.stream_properties)
    names.claims = true -- the script's own, which the core reads
    return names
  end,
  ["weir.Stat"] = function() return keys(weir.fs.stat(log_file())) end,
  ["weir.Codec"] = function() return keys(weir.hex) end,
  ["weir.Event"] = function()
    weir.publish("meta", { event = "e", key = "k", data = "d" })
    return keys(weir.history("meta")[1])
  end,
  ["weir.StreamInfo"] = function()
    local server = support.serve(function(app)
      app:get("/", function(stream)
        stream.claims = { sub = "ann" }
        stream:sse():subscribe "meta"
      end)
    end)
    server:sse "/"
    local names = keys(weir.streams({ topic = "meta" }):list()[1])
    names.position = true -- of one that has read
    return names
  end,
  ["weir.LogFile"] = function()
    local names = keys(weir.logs({ sources = log_file() }):sources()[1])
    names.why = true -- of one that is an error
    return names
  end,
  ["weir.Part"] = function()
    local names = in_handler(function(stream)
      local step, form = stream:parts()
      return keys(step(form))
    end, FORM)
    names.type = true -- of one that was sent with it
    return names
  end,
  ["weir.TusUpload"] = function()
    local names
    local server = support.serve(function(app)
      app:mount("/files", weir.tus {
        root = folder,
        owner = function() return "ann" end,
        on_complete = function(upload) names = keys(upload) end,
      })
    end)
    server:post("/files", { headers = { ["Tus-Resumable"] = "1.0.0", ["Upload-Length"] = 0 } })
    return names
  end,
  ["weir.test.Run"] = function()
    local names = keys(weir.test.run { "version" })
    names.signal = true -- of one that was ended by it
    return names
  end,
  ["weir.test.Event"] = function()
    local names = keys(served():sse("/"):next())
    names.id, names.retry = true, true -- of one that has
    return names
  end,
  ["weir.test.Response"] = function() return keys(served():get "/nowhere") end,
}

-- ---- which options are known ----------------------------------------------------------------------------------------

local WRONG = { ["no such option"] = 1 }

local function ignore() end

local function in_stream(call)
  return function()
    return in_handler(function(stream)
      local ok, message = pcall(call, stream)
      return not ok and message or nil
    end, FORM)
  end
end

local function in_sse(call)
  return in_stream(function(stream) call(stream:sse()) end)
end

-- By the annotation of its options: a call that is given an unknown one.
local options = {
  ["weir.StaticOptions"] = function() weir.app():static("/", ".", WRONG) end,
  ["weir.StartOptions"] = function() weir.app():on_start(ignore, WRONG) end,
  ["weir.CorsOptions"] = function() weir.cors(WRONG) end,
  ["weir.LimitOptions"] = function() weir.limit(WRONG) end,
  ["weir.Limits"] = function() weir.limits(WRONG) end,
  ["weir.Proxies"] = function() weir.trust_proxies(WRONG) end,
  ["weir.JwtOptions"] = function() weir.jwt(WRONG) end,
  ["weir.jwt.verify"] = function() weir.jwt.verify("token", WRONG) end,
  ["weir.JwtSign"] = function() weir.jwt.sign({}, WRONG) end,
  ["weir.TicketOptions"] = function() weir.ticket(WRONG) end,
  ["weir.TusOptions"] = function() weir.tus(WRONG) end,
  ["weir.TopicOptions"] = function() weir.topics { meta = WRONG } end,
  ["weir.Retention"] = function() weir.topics { meta = { history = WRONG } } end,
  ["weir.Publication"] = function() weir.publish("meta", WRONG) end,
  ["weir.publish"] = function() weir.publish("meta", "", WRONG) end,
  ["weir.close"] = function() weir.close("meta", "", WRONG) end,
  ["weir.history"] = function() weir.history("meta", WRONG) end,
  ["weir.subscribe"] = function() weir.subscribe("meta", WRONG) end,
  ["weir.streams"] = function() weir.streams(WRONG) end,
  ["weir.Streams:list"] = function() weir.streams({}):list(WRONG) end,
  ["weir.every"] = function() weir.every(1, ignore, WRONG) end,
  ["weir.TailOptions"] = function() weir.tail("log", WRONG) end,
  ["weir.TailRuleTable"] = function() weir.tail("log", { include = { WRONG } }) end,
  ["weir.LogsOptions"] = function() weir.logs(WRONG) end,
  ["weir.LogSource"] = function() weir.logs { sources = { WRONG } } end,
  ["weir.Redaction"] = function() weir.logs { sources = "log", redact = { WRONG } } end,
  ["weir.LogsFollowOptions"] = function() weir.logs({ sources = "log" }):follow(WRONG) end,
  ["weir.LogsSearchOptions"] = function() weir.logs({ sources = "log" }):search(WRONG) end,
  ["weir.LogsReadOptions"] = function() weir.logs({ sources = "log" }):read(WRONG) end,
  ["weir.PartLimits"] = in_stream(function(stream) stream:parts(WRONG) end),
  ["weir.SaveOptions"] = in_stream(function(stream) stream:save("name", WRONG) end),
  ["weir.CookieOptions"] = in_stream(function(stream) stream:cookie("name", "value", WRONG) end),
  ["weir.FileOptions"] = in_stream(function(stream) stream:file("name", WRONG) end),
  ["weir.SseOptions"] = in_stream(function(stream) stream:sse(WRONG) end),
  ["weir.SseLimit"] = in_stream(function(stream) stream:sse { limit = WRONG } end),
  ["weir.SseEvent"] = in_sse(function(sse) sse:send(WRONG) end),
  ["weir.SubscribeOptions"] = in_sse(function(sse) sse:subscribe("meta", WRONG) end),
  ["weir.test.StartOptions"] = function() weir.test.start { "app.lua", ["no such option"] = 1 } end,
  ["weir.test.SpawnOptions"] = function() weir.test.spawn(WRONG) end,
  ["weir.test.Request"] = function() weir.test.simulate(weir.app(), WRONG) end,
  ["weir.test.Client:receive_response"] = function() served():connect():receive_response(WRONG) end,
  ["weir.test.Client:receive_head"] = function() served():connect():receive_head(WRONG) end,
  ["weir.test.ConnectOptions"] = function() served():connect(WRONG) end,
  ["weir.test.connect"] = function() weir.test.connect(1, WRONG) end,
  ["weir.test.RequestOptions"] = function() served():get("/", WRONG) end,
  ["weir.test.SseOptions"] = function() served():sse("/", WRONG) end,
}

local aliases = { ["weir.jwt.verify"] = "weir.JwtOptions", ["weir.test.connect"] = "weir.test.ConnectOptions" }

-- The names that a call says it knows.
local function known_to(call)
  local ok, message = pcall(call)
  if ok then message = message or "it takes any option" end
  local list = message:match "; known are: ([^;]*)"
  assert(list, message)
  local names = {}
  for name in list:gmatch "[%w_]+" do names[name] = true end
  return names
end

-- ---- comparing ------------------------------------------------------------------------------------------------------

local function each(cases, compare)
  for _, name in ipairs(sorted(cases)) do
    it(name, function() compare(name, cases[name]) end)
  end
end

describe("what is annotated is what there is:", function()
  before_each(function() folder = support.folder() end)
  after_each(support.remove_folders)

  describe("the functions of", function()
    each(methods, function(name, there_are)
      assert.same(sorted(classes[name].methods), sorted(there_are()))
    end)
  end)

  describe("the fields of", function()
    each(records, function(name, there_are)
      assert.same(sorted(fields_of(name)), sorted(there_are()))
    end)
  end)

  describe("the options", function()
    each(options, function(name, call)
      assert.same(sorted(fields_of(aliases[name] or name)), sorted(known_to(call)))
    end)
  end)

  it("other values of the module", function()
    local values, functions = {}, functions_in(weir)
    for name in pairs(weir) do values[name] = not functions[name] or nil end
    assert.same(sorted(classes.weir.fields), sorted(values))
  end)
end)

describe("what is annotated", function()
  it("is held against what there is, all of it", function()
    for name, class in pairs(classes) do
      if next(class.methods) then assert.is_truthy(methods[name], name .. " is missing above") end
    end
  end)

  it("has for each list of options in the library a case above", function()
    for _, file in ipairs(weir.fs.list "lua/weir") do
      local path = "lua/weir/" .. file
      for name in (support.read_file(path) or ""):gmatch 'options%("([%w_.:]+)"' do
        local found = false
        for _, call in pairs(options) do
          local ok, message = pcall(call)
          found = found or (message or tostring(ok)):find(name, 1, true) ~= nil
        end
        assert.is_true(found, ("%s: %s has no case above"):format(path, name))
      end
    end
  end)
end)

describe("the command line", function()
  it("has its options in the reference", function()
    local text, count = support.read_file "lua/REFERENCE.md", 0
    for _, command in ipairs { "serve", "token" } do
      for option in weir.test.run({ command, "--help" }).stdout:gmatch "%f[^%s%[(]%-%-[%l-]+" do
        count = count + 1
        local pattern = option:gsub("%p", "%%%0") .. "%f[^%l-]"
        assert.is_truthy(text:find(pattern), option .. " is not in the reference")
      end
    end
    assert.is_true(count >= 15, count .. " options were found")
  end)
end)

describe("what a page can name", function()
  local text = support.read_file "lua/REFERENCE.md"
  local chapter = text:match "\n### weir.js, in a page\n.-\n### " -- it has what follows

  local function assert_told(name)
    assert.is_truthy(chapter:find("%f[%w]" .. name .. "%f[%W]"), name .. " is not in the reference")
  end

  it("of weir.js is in the reference", function()
    for names in support.read_file("lua/js/weir.js"):gmatch "export {([^}]*)}" do
      for name in names:gmatch "%w+" do assert_told(name) end
    end
  end)

  for file, least in pairs { stream = 8, streams = 4 } do
    it("of the class in " .. file .. ".js is, too", function()
      local count = 0
      for line in support.read_file("lua/js/" .. file .. ".js"):gmatch "[^\n]+" do
        local name = line:match "^  get (%w+)%(%) {$" or line:match "^  (%w+)%([^()]*%) {$"
        if name and name ~= "constructor" then
          count = count + 1
          assert_told(name)
        end
      end
      assert.is_true(count >= least, count .. " names were found")
    end)
  end
end)

describe("a method misspelt is hinted at", function()
  for object, class in pairs {
    sse = "weir.Sse", sub = "weir.Subscription", task = "weir.Task", channel = "weir.Channel", shared = "weir.Shared",
    store = "weir.Store", stream = "weir.Stream", app = "weir.App",
  } do
    it("of " .. object, function()
      for name in pairs(classes[class].methods) do
        local text = hint(("attempt to call method '%sx' (a nil value)"):format(name))
        assert.is_truthy(text:find(":" .. name .. "?", 1, true), text)
      end
    end)
  end
end)
