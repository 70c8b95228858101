-- A hundred paths, every way to write them, and what each must mean: an oracle that has no line in common with the
-- server. It reads from the front, character by character, where the server cuts and decodes.

-- busted's names are no globals in a module that is required.
local assert = require "luassert"
local support = require "spec.support"

local ways = {}

-- ---- what is there --------------------------------------------------------------------------------------------------

local FILES = { -- below /docs
  "open.txt", "secret/f.txt", "secret/index.html", "secret/deep/g.txt", "a b/c.txt", "100%.txt", "%2e.txt", "a%2Fb",
  "back\\slash.txt", "semi;v=1.txt", "Case.txt", "case.txt", "sub/index.html", "sub/page.html", "sub/..x/y.txt",
  "app.js", "app.js.gz", "ä/ö.txt", "plus+1.txt", "q?.txt", "...", "sub/x..",
}
local HIDDEN = { ".env", "sub/.git", "secret/.key" }
local is_file, is_folder = {}, { [""] = true }

--- A folder with the files of the app in tests/paths/app.lua.
function ways.make_folder()
  local folder = support.folder()
  local function put(name, text)
    local parent = name:match "^(.*)/"
    if parent then assert(os.execute(("mkdir -p '%s/public/%s'"):format(folder, parent)) == 0) end
    support.write_file(folder .. "/public/" .. name, text)
  end
  assert(os.execute(("mkdir '%s/public'"):format(folder)) == 0)
  for _, name in ipairs(FILES) do put(name, "file " .. name) end
  for _, name in ipairs(HIDDEN) do put(name, "HIDDEN") end
  support.write_file(folder .. "/outside.txt", "OUTSIDE")
  local link = "cd '%s/public' && ln -s ../outside.txt out.txt && ln -s .. up && ln -s . here"
  assert(os.execute(link:format(folder)) == 0)
  return folder
end

for _, name in ipairs(FILES) do
  is_file[name] = true
  for i = 1, #name do
    if name:sub(i, i) == "/" then is_folder[name:sub(1, i - 1)] = true end
  end
end

-- ---- the oracle -----------------------------------------------------------------------------------------------------

--- The segments that `raw`, a path, means; nil: it is refused.
function ways.read(raw)
  local segments, current, i = {}, "", 2
  if raw:sub(1, 1) ~= "/" then return nil end
  while i <= #raw do
    local char = raw:sub(i, i)
    if char == "/" then
      if current == "" then return nil end
      segments[#segments + 1], current = current, ""
    elseif char == "%" then
      local code = raw:sub(i + 1, i + 2):match "^%x%x$"
      if not code or code == "00" then return nil end
      current, i = current .. string.char(tonumber(code, 16)), i + 2
    else
      current = current .. char
    end
    i = i + 1
  end
  segments[#segments + 1] = current
  for _, segment in ipairs(segments) do
    if segment == "." or segment == ".." then return nil end
  end
  return segments
end

local GUARDS = {
  secret = { "docs", "secret" }, space = { "docs", "a b" }, percent = { "docs", "100%.txt" },
  users = { "api", "users" }, me = { "api", "users", "me" },
}

local function begins(segments, first)
  for i, segment in ipairs(first) do
    if segments[i] ~= segment then return false end
  end
  return true
end

-- What the segments below /docs name: a file's name, "folder" without its slash, or nil.
local function file_of(segments)
  for i = 2, #segments do
    if segments[i]:find("/", 1, true) or segments[i]:sub(1, 1) == "." then return nil end
  end
  local name = table.concat(segments, "/", 2)
  name = name:gsub("^here/", "") -- a link to the folder itself
  if name == "" or name:sub(-1) == "/" then name = name .. "index.html" end
  if is_file[name] then return name end
  return (is_folder[name] or name == "here") and "folder" or nil
end

--- What GET of that path is: { status =, guards = "me users", route =, file =, path = }; `base` are the segments that
--- lead to the app.
function ways.expect(raw, base)
  local segments = ways.read(raw)
  if not segments then return { status = 400 } end
  local text = ""
  for _, segment in ipairs(segments) do
    text = text .. "/" .. segment:gsub("[/%%]", { ["/"] = "%2F", ["%"] = "%25" })
  end
  for i, name in ipairs(base) do
    if segments[1] ~= name then return { status = 404, outside = true } end
    if #segments == 1 then return { status = i == #base and base.alone and 404 or 301, outside = true } end
    table.remove(segments, 1)
  end
  local expected, guards = { status = 404, path = text }, {}
  for name, prefix in pairs(GUARDS) do
    if begins(segments, prefix) then guards[#guards + 1] = name end
  end
  table.sort(guards)
  expected.guards = table.concat(guards, " ")
  if segments[1] == "docs" then
    local file = #segments == 1 and "folder" or file_of(segments)
    expected.status = file == "folder" and 301 or file and 200 or 404
    expected.file = file ~= "folder" and file or nil
  elseif segments[1] == "api" and #segments > 1 then
    expected.status, expected.route = 200, "rest"
    if segments[2] == "users" and #segments == 3 and segments[3] ~= "" then
      expected.route = segments[3] == "me" and "me" or "user"
    end
  end
  return expected
end

-- ---- the paths ------------------------------------------------------------------------------------------------------

ways.paths = {} -- decoded segments each

local function add(text)
  local segments = {}
  for segment in (text .. "/"):gmatch "(.-)/" do segments[#segments + 1] = segment end
  ways.paths[#ways.paths + 1] = segments
end

for _, list in ipairs { FILES, HIDDEN } do
  for _, name in ipairs(list) do
    add("docs/" .. name)
    if name:find "/" then add("docs/" .. name:match "^(.*/)") end
    if name:find "/" then add("docs/" .. name:match "^(.*)/") end
  end
end
for _, text in ipairs {
  "", "docs", "docs/", "docs/missing", "docs/secret/missing", "docs/out.txt", "docs/up/outside.txt", "docs/up",
  "docs/here", "docs/here/open.txt", "docs/here/secret/f.txt", "doc", "docss", "docs/secrets", "docs/secre",
  "etc/passwd",
  "api", "api/", "api/users", "api/users/", "api/users/me", "api/users/me/", "api/users/me/x", "api/users/7",
  "api/users/me2", "api/users/a b", "api/users/%2F", "api/users/ä", "api/users/..x", "api/userss", "api/other",
  "api/other/deep/er", "api/users/7/posts", "secret/f.txt", "app.lua", "api/docs/secret/f.txt", "docs/api/users/me",
  "x/docs/secret/f.txt", "docs/secret", "api/users/me;x", "docs/secret;x/f.txt", "API/users/me", "docs/SECRET/f.txt",
  "docs/open.txt/", "docs/open.txt/x", "docs/app.js.br", "docs/sub/index.html/", "api/*rest", "api/users/:id",
  "docs/secret/deep/missing", "docs/a b", "docs/a b/d.txt", "docs/100%.txt/x", "docs/100%25.txt", "docs/a/b",
  "docs/sub/page", "docs/case.TXT", "docs/...x", "api/users/%2e%2e", "docs/secret\\f.txt",
} do
  add(text)
end

-- ---- the ways -------------------------------------------------------------------------------------------------------

local function escape(char, format)
  return (format or "%%%02X"):format(char:byte())
end

-- As a browser writes it.
local function plain(segment)
  return (segment:gsub("[^%w%-%._~!%$&'%(%)%*%+,;=:@]", escape))
end

local function each(encode)
  return function(segments)
    local out = {}
    for i, segment in ipairs(segments) do out[i] = encode(segment) end
    return "/" .. table.concat(out, "/")
  end
end

-- `separator` in place of one slash: the first, the middle or the last one.
local function instead(separator, where)
  return function(segments)
    local out, at = "", where == "first" and 1 or where == "last" and #segments or math.ceil((1 + #segments) / 2)
    for i, segment in ipairs(segments) do out = out .. (i == at and separator or "/") .. plain(segment) end
    return out
  end
end

local function behind(suffix)
  return function(segments) return each(plain)(segments) .. suffix end
end

ways.ways = {
  { "as it is", each(plain) },
  { "all encoded", each(function(s) return (s:gsub(".", function(c) return escape(c) end)) end) },
  { "all encoded, small", each(function(s) return (s:gsub(".", function(c) return escape(c, "%%%02x") end)) end) },
  { "first letters encoded", each(function(s) return s:sub(1, 1):gsub(".", escape) .. plain(s:sub(2)) end) },
  { "last letters encoded", each(function(s) return plain(s:sub(1, -2)) .. s:sub(-1):gsub(".", escape) end) },
  { "dots encoded", each(function(s) return (plain(s):gsub("%.", "%%2e")) end) },
  { "encoded twice", each(function(s) return (s:gsub(".", function(c) return "%25" .. escape(c):sub(2) end)) end) },
  { "in other case", each(function(s)
    return (plain(s:gsub("%a", function(c) return c:lower() == c and c:upper() or c:lower() end)))
  end) },
  { "with parameters", each(function(s) return plain(s) .. ";v=1" end) },
  { "with a query", behind "?/../x=%" },
}
for _, separator in ipairs {
  "//", "///", "/./", "/%2e/", "/%2E/", "/x/../", "/x/..//", "/x/%2e%2e/", "/x/.%2E/", "/x/%2e./", "/..;/", "/../",
  "/.;/", "%2F", "%2f", "/%2F", "%2f/", "/%2f..%2f", "/x%2f..%2f", "%5C", "\\",
  "/%5c", "/x/..%5c", "%c0%af", "%ef%bc%8f", "%252F",
  "/%20/", "/x/..%00/", "/%", "/;/", "/x/..%252f", "/%0d%0a/",
} do
  for _, where in ipairs { "first", "middle", "last" } do
    ways.ways[#ways.ways + 1] = { separator .. " as the " .. where .. " slash", instead(separator, where) }
  end
end
for _, suffix in ipairs {
  "/", "//", "/.", "/..", "/%2e", "/..%2f", "%2F", ".", "%20", "%00", "%00.txt", "%0a", "%", "%2", "%zz", ";", "?",
  "/?x", "\\", "%5c", "/x/..", "::$DATA", "~", "%ff",
} do
  ways.ways[#ways.ways + 1] = { "with " .. suffix .. " behind it", behind(suffix) }
end

--- Whether it can stand in a request line; the rest is no target at all.
function ways.is_sendable(raw)
  return not raw:find "[^\33-\126]"
end

--- Calls visit(raw) for each path in each way.
function ways.visit(visit)
  for _, segments in ipairs(ways.paths) do
    for _, way in ipairs(ways.ways) do visit(way[2](segments), way[1]) end
  end
end

--- Calls visit(raw, i) for one of `stride` that can be sent: the i-th that it is called for. `start` chooses which.
function ways.some(stride, start, visit)
  local n, i = start, 0
  ways.visit(function(raw)
    n = n + 1
    if n % stride ~= 0 or not ways.is_sendable(raw) then return end
    i = i + 1
    visit(raw, i)
  end)
end

--- A client that goes on with its connection as long as it is kept: ask(method, target) -> response.
function ways.asker(server)
  local client
  return function(method, target)
    for _ = 1, 2 do
      client = client or server:connect()
      client:send(("%s %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(method, target))
      local response = client:receive_response { method = method }
      if not response or (response.headers.connection or ""):lower() == "close" then
        client:close()
        client = nil
      end
      if response then return response end
    end
    error("no answer to " .. method .. " " .. target)
  end
end

--- Counts wrong answers, and keeps the first ten of them in words.
function ways.tally()
  local wrong = { count = 0, asked = 0 }
  function wrong.add(what, problem)
    wrong.asked = wrong.asked + 1
    if not problem then return end
    wrong.count = wrong.count + 1
    if wrong.count <= 10 then wrong[#wrong + 1] = what .. ": " .. problem end
  end
  function wrong.check()
    assert.is_true(wrong.asked >= 1000, "only " .. wrong.asked .. " were asked")
    assert.equal(0, wrong.count, table.concat(wrong, "\n"))
  end
  return wrong
end

-- ---- comparing ------------------------------------------------------------------------------------------------------

local function unhex(text)
  return (text or ""):gsub("%x%x", function(code) return string.char(tonumber(code, 16)) end)
end

--- Who guarded, by the answer's header: "me users".
function ways.guards(response)
  local guards = {}
  for name in pairs(GUARDS) do
    if response.headers["x-guard-" .. name] then guards[#guards + 1] = name end
  end
  table.sort(guards)
  return table.concat(guards, " ")
end

local function wrong_status(response, expected)
  if response.status == expected.status then return nil end
  return ("status %d, not %d"):format(response.status, expected.status)
end

--- What is wrong with the answer to `method` of a target with that path, or nil.
function ways.compare(method, raw, base, response)
  local expected = ways.expect(raw:match "^[^?]*", base)
  local route, body = response.headers["x-route"], response.body or ""
  if body:find("OUTSIDE", 1, true) or body:find("HIDDEN", 1, true) then return "a file that must not be seen" end
  if expected.status == 400 or expected.outside then
    if method ~= "GET" and expected.status ~= 400 then return nil end
    return wrong_status(response, expected)
  end
  if ways.guards(response) ~= expected.guards then
    return ("guarded by (%s), not (%s)"):format(ways.guards(response), expected.guards)
  end
  local path = unhex(response.headers["x-path"])
  if path ~= expected.path then return "stream.path is " .. path end
  if method == "OPTIONS" then return nil end
  if route ~= expected.route then
    return ("answered by %s, not %s"):format(tostring(route), tostring(expected.route))
  end
  if method == "GET" and expected.file and body ~= "file " .. expected.file then return "the file is " .. body end
  return wrong_status(response, expected)
end

return ways
