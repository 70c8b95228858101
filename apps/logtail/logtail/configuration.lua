-- configuration: what is in force, and what is wrong with what should be.
--
--   WEIR_LOG, WEIR_LOGS --at the start--> in force --the file changes--> the next one in force
--                         |                 `--it has an error--> the same stays in force, with a problem
--                         `--it has an error: the app does not start
--
-- The file is looked at once a second, in each worker, and taken when it was the same twice: whoever writes it may be
-- in the middle. A change that opens or closes the door, who may have tokens, is for a start and not for a living
-- server: it is a problem like any other.

local weir = require "weir"
local settings = require "logtail.settings"

local configuration = {}

local BYTES = 1024 ^ 2 -- of the file

local file -- that is looked at; nil: what WEIR_LOG says is fixed
local secret -- of tokens, or nil
local tokens -- as they were at the start, as text
local current -- settings, with `logs`, of all sources
local problem -- what is wrong with the file, or nil
local seen, taken -- the file's text, or why there is none: as it was last, and as it was taken, be it wrong or not
local turn = weir.channel() -- closed at the next change

-- ---- taking ---------------------------------------------------------------------------------------------------------

--- What weir.logs has against what it was given, without where and who; nil: it is another error.
function configuration.reason(err)
  return type(err) == "string" and err:match "logs[:.]?%a*: (.*)$" or nil
end

local function reason(err)
  return configuration.reason(err) or error(err, 0)
end

--- A weir.logs of these sources, as the settings have it.
function configuration.open(given, list)
  local bare = {}
  for i, source in ipairs(list) do bare[i] = { path = source.path, labels = source.labels } end
  return weir.logs { sources = bare, redact = given.redact }
end

-- What weir.logs has against being asked that; nil: nothing.
local function objection(logs, asked)
  asked.lines = 0
  local ok, events = pcall(logs.follow, logs, asked)
  if not ok then return reason(events) end
  events:close()
end

-- Has weir.logs look at all that it will be given: what it has against it, or nil.
local function refusal(given)
  local ok, logs = pcall(configuration.open, given, given.sources)
  if not ok then return reason(logs) end
  local wrong = objection(logs, { behind = given.behind })
  if wrong then return wrong end
  for i, rule in ipairs(given.alerts) do
    wrong = objection(logs, { include = rule.include, exclude = rule.exclude })
    if wrong then return ("alerts[%d]: %s"):format(i - 1, wrong) end
  end
end

-- A file's text as settings; or nil and what is wrong.
local function read(text)
  local given, wrong = settings.of_text(text, secret)
  if not given then return nil, wrong end
  wrong = refusal(given)
  if not wrong and tokens and weir.json.encode(given.tokens or {}) ~= tokens then
    wrong = "tokens must be as they were at the start: start the server anew, or reload the app (kill -HUP)"
  end
  return not wrong and given or nil, wrong
end

local function change(given, wrong)
  current, problem = given or current, wrong
  local over = turn
  turn = weir.channel()
  over:close()
end

-- ---- looking --------------------------------------------------------------------------------------------------------

-- All workers look within seconds; one of them says it.
local function say(text, level, message, fields)
  local once = weir.hash("sha256", table.concat({ file, text, message }, "\0"))
  if weir.shared("logtail configuration"):add(once, true, 10) then weir.log[level](message, fields) end
end

local function take(text, why)
  local given, wrong
  if text then given, wrong = read(text) else wrong = why end
  change(given, wrong)
  if given then return say(text, "info", "logtail: the configuration was read anew", { file = file }) end
  say(text or "", "error", "logtail: the configuration has an error; the one before stays in force",
    { file = file, why = wrong })
end

local function look()
  local text, code, message = weir.fs.read(file, BYTES)
  local now = text or code
  local is_settled = now == seen
  seen = now
  if not is_settled or now == taken then return end
  taken = now
  take(text, "it cannot be read: " .. tostring(message))
end

-- ---- in force -------------------------------------------------------------------------------------------------------

-- While the app's file runs nothing can wait.
local function read_now(path)
  local handle, why = io.open(path, "rb")
  if not handle then return nil, why end
  local text, refused = handle:read(BYTES + 1)
  handle:close()
  if text and #text > BYTES then return nil, ("%s is longer than %d bytes"):format(path, BYTES) end
  return text, refused or path .. " is empty"
end

local function begin_with_file(path)
  if path:sub(1, 1) ~= "/" then error("logtail: WEIR_LOGS must be an absolute path, not " .. path, 0) end
  file = path
  local text, wrong = read_now(path)
  if text then current, wrong = read(text) end
  if not current then error(("logtail: WEIR_LOGS=%s: %s"):format(path, wrong), 0) end
  tokens, seen, taken = weir.json.encode(current.tokens or {}), text, text
  weir.every(1, look)
end

--- Reads it, at the top of the app: { paths } as WEIR_LOG has them, { file } as WEIR_LOGS, and the `secret` of tokens.
--- Raises what is wrong.
function configuration.begin(given)
  secret = given.secret
  if given.file and given.paths then error("logtail: set WEIR_LOG or WEIR_LOGS, not both", 0) end
  if given.file then return begin_with_file(given.file) end
  current = given.paths and settings.of_paths(given.paths)
  local wrong = current and refusal(current)
  if wrong then error("logtail: WEIR_LOG: " .. wrong, 0) end
end

--- The settings in force; nil where nothing was said.
function configuration.current() return current end

--- What is wrong with the file as it is now; nil: nothing.
function configuration.problem() return problem end

--- A channel that is closed when either of them is another one. Got before they are looked at, no change is missed.
function configuration.turn() return turn end

return configuration
