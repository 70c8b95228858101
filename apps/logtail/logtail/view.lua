-- view: the logs as one viewer sees them.
--
-- It is a weir.logs of the sources that the viewer may read and of no others. So what is not theirs is not refused, it
-- is not there: no list names it, no key and no id leads to it, and an answer cannot tell it from what never was. All
-- who may read the same share one.
--
-- Without tokens everybody may read everything. A view is of the configuration that was in force when it was asked for.

local weir = require "weir"
local configuration = require "logtail.configuration"
local sources = require "logtail.sources"

local view = {}

local KEPT = 64 -- views

local views, count, of_settings = {}, 0, nil -- by the paths that they have; of those settings

-- The sources that these claims allow; nil claims: there are no tokens.
local function readable(settings, claims)
  if not claims then return settings.sources end
  local claim = settings.tokens and settings.tokens.claim or "logs"
  return sources.matching(settings.sources, sources.words(claims[claim]))
end

--- Whether a token with these claims lets its bearer read anything.
function view.allows(claims)
  local settings = configuration.current()
  return settings == nil or #readable(settings, claims) > 0
end

local function name_of(list)
  local paths = {}
  for i, source in ipairs(list) do paths[i] = source.path end
  return table.concat(paths, "\0")
end

local function make(settings, list)
  return {
    settings = settings, sources = list, logs = configuration.open(settings, list),
    is_whole = #list == #settings.sources,
  }
end

local function keep(settings, list)
  if of_settings ~= settings or count == KEPT then views, count, of_settings = {}, 0, settings end
  local name = name_of(list)
  if not views[name] then
    views[name], count = make(settings, list), count + 1
  end
  return views[name]
end

--- That of a stream: { settings, sources, logs, is_whole }. Fails with 404 where nothing was configured.
function view.of(stream)
  local settings = configuration.current()
  if not settings then weir.fail(404, "there is no log: set WEIR_LOG to the path of a file, and start weir again\n") end
  return keep(settings, readable(settings, stream.claims))
end

--- The part of it that a word means.
function view.part(self, word)
  return make(self.settings, sources.matching(self.sources, { word }))
end

--- The keys of its files, as a set.
function view.keys(self)
  local keys = {}
  for _, file in ipairs(self.logs:sources()) do keys[file.key] = true end
  return keys
end

--- Whether it has all the sources that a word means, and there are some.
function view.covers(self, word)
  local all = sources.matching(self.settings.sources, { word })
  return #all > 0 and #all == #sources.matching(self.sources, { word })
end

return view
