-- What the specs of apps/logtail share: a folder with logs, a configuration, the app on them, and who asks it.

local assert = require "luassert"
local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

-- .folder and .file are those of `begin`, .server is that of `serve`; .is_frozen: the clock is; .words: whose sources
local logs = {}

logs.SECRET = "a secret of this spec that has enough bytes"

--- A new folder, with no log in it yet; time stands still.
function logs.begin()
  test.clock.freeze()
  logs.is_frozen = true
  logs.folder = support.folder()
  logs.file = logs.folder .. "/logs.json"
  logs.words = nil
end

function logs.has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in %q"):format(part, text))
end

--- The path of a log in the folder, which gets these lines.
function logs.write(name, ...)
  local path = logs.folder .. "/" .. name
  support.append_file(path, table.concat({ ... }, "\n") .. (... and "\n" or ""))
  return path
end

--- Writes the configuration: a table, or a text. "DIR" in it is the folder.
function logs.configure(given)
  local text = type(given) == "table" and json.encode(given) or given
  support.write_file(logs.file, (text:gsub("DIR", function() return logs.folder end)))
end

--- Serves the app on that configuration; with `secret`, for who has tokens.
function logs.serve(given, secret)
  logs.configure(given)
  logs.server = test.start { "apps/logtail/app.lua",
    env = { WEIR_LOGS = logs.file, WEIR_LOG = false, LOGTAIL_SECRET = secret or false } }
  return logs.server
end

--- Another configuration, which is looked at twice.
function logs.reconfigure(given)
  logs.configure(given)
  test.clock.advance(2)
end

--- Header fields with a token that reads what `words` mean; nil: without one.
function logs.headers(words, seconds)
  if words == nil then return {} end
  local claims = { sub = "ann", logs = words ~= "nothing" and words or nil }
  return { Authorization = "Bearer " .. weir.jwt.sign(claims, { secret = logs.SECRET, exp = seconds or 600 }) }
end

function logs.get(path, words, headers)
  local all = logs.headers(words)
  for name, value in pairs(headers or {}) do all[name] = value end
  return logs.server:get(path, { headers = all })
end

function logs.post(path, body, words)
  local headers = logs.headers(words)
  headers["Content-Type"] = "application/json"
  return logs.server:post(path, { headers = headers, body = json.encode(body) })
end

--- An event stream, behind its hello.
function logs.open(path, words, options)
  options = options or {}
  local events = assert(logs.server:sse(path, { headers = logs.headers(words, options.seconds),
    last_event_id = options.last_event_id }))
  assert.equal("weir.hello", assert(events:next()).event)
  return events
end

-- The next event. A live one may want time to pass: lines wait a moment for others to go with them.
local function next_event(events)
  local event, why
  test.eventually(function()
    event, why = events:next(0.01)
    if why == "timeout" and logs.is_frozen then test.clock.advance(0.1) end
    return why ~= "timeout"
  end)
  return event, why
end

--- The data of the next event of that name; up to a hundred others are passed over, and noted in events.passed.
function logs.expect(events, name)
  events.passed = events.passed or {}
  for _ = 1, 100 do
    local event, why = next_event(events)
    if not event then error(("no %s: %s"):format(name, why), 2) end
    if event.event == name then
      events.last_id = event.id or events.last_id
      return event.data
    end
    events.passed[event.event] = true
  end
  error(("no %s among a hundred events"):format(name), 2)
end

--- The next `n` lines of a live stream, "a|b"; it must not have more in the same events.
function logs.lines(events, n)
  local lines = {}
  while #lines < n do
    for text in logs.expect(events, "lines"):gmatch "[^\n]+" do lines[#lines + 1] = json.decode(text).line end
  end
  return table.concat(lines, "|")
end

--- The lines of a finite answer as ndjson, decoded, and its other events by name.
function logs.read(answer)
  assert.equal(200, answer.status, answer.body)
  local lines, told = {}, {}
  for text in answer.body:gmatch "[^\n]+" do
    local value = json.decode(text)
    if value.event then told[value.event] = value.data else lines[#lines + 1] = value end
  end
  return lines, told
end

--- Those lines as "a|b".
function logs.texts(answer)
  local texts = {}
  for i, line in ipairs((logs.read(answer))) do texts[i] = line.line end
  return table.concat(texts, "|")
end

--- The key of a file, as somebody sees it who may read all.
function logs.key(name)
  for _, file in ipairs(logs.get("/sources", logs.words).json()) do
    if file.path == logs.folder .. "/" .. name then return file.key end
  end
end

return logs
