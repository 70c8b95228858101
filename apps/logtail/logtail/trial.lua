-- trial: what a rule would have raised, over lines that are there already; and an alert that only says that it is one.
--
-- A line that tells its time counts at that, one that tells none at the time of the line before it. The lines are the
-- newest that the rule's filters let through.

local weir = require "weir"
local alerts = require "logtail.alerts"
local answer = require "logtail.answer"
local kinds = require "logtail.kinds"
local rule = require "logtail.rule"
local view = require "logtail.view"

local trial = {}

local LINES = 10000 -- that are looked at, at most
local SHOWN = 20 -- alerts that are told, the newest
local PATIENCE = 10 -- seconds

local body = kinds.object({ name = kinds.text(40), lines = kinds.whole(1, LINES), send = kinds.boolean }, { "name" })

-- The rule of that name, if the viewer may read all that it watches.
local function find(of, name)
  for _, settings in ipairs(of.settings.alerts) do
    if settings.name == name and view.covers(of, settings.source) then return settings end
  end
  weir.fail(404, { error = "there is no such rule" })
end

-- The lines, oldest first. They are searched from the end.
local function gather(of, settings, count)
  local asked = { lines = count, include = settings.include, exclude = settings.exclude }
  local batches, ended = {}, false
  weir.timeout(PATIENCE, function()
    for event in answer.ask(of, "search", asked) do
      if event.event == "lines" then batches[#batches + 1] = event.data end
      ended = event.event == "end"
    end
  end)
  local lines = {}
  for i = #batches, 1, -1 do
    for text in batches[i]:gmatch "[^\n]+" do lines[#lines + 1] = weir.json.decode(text) end
  end
  return lines, ended
end

local function replay(settings, lines)
  local counting, raised, at = rule.new(settings), {}, 0
  for i, line in ipairs(lines) do
    at = line.t or at
    raised[#raised + 1] = rule.add(counting, line, at)
    if i % 1000 == 0 then weir.sleep(0) end
  end
  return raised
end

local function newest(list, most)
  local part = {}
  for i = math.max(1, #list - most + 1), #list do part[#part + 1] = list[i] end
  return weir.json.array(part)
end

local function send_test(of, settings)
  local told, id, why = alerts.publish({
    rule = settings.name, level = settings.level, text = settings.text, to = settings.to, at = weir.now(),
    count = settings.count, window = settings.window_seconds, matched = 0, test = true,
  }, nil, of.settings.page)
  if not id then weir.fail(503, { error = "it cannot be told now: " .. why }) end
  return told
end

--- Whose trials are counted together: those of one user, or, where there are no tokens, of one address.
function trial.key(stream)
  return stream.claims and stream.claims.sub or stream.remote_addr
end

--- POST alerts/try: { name, lines, send }.
function trial.answer(stream)
  local given = stream:json_body()
  local wrong = kinds.check(body, given, "the body")
  if wrong then weir.fail(400, { error = wrong }) end
  local of = view.of(stream)
  local settings = find(of, given.name)
  if given.send then return { sent = send_test(of, settings) } end
  local lines, ended = gather(view.part(of, settings.source), settings, given.lines or 1000)
  local raised = replay(settings, lines)
  return {
    name = settings.name, lines = #lines, complete = ended, from = lines[1] and lines[1].t,
    to = lines[1] and lines[#lines].t, count = #raised, raised = newest(raised, SHOWN),
  }
end

return trial
