-- sources: which of them somebody means, or may read.
--
-- A source is { path, labels, readers }. A word means some of them:
--
--   "*"             all
--   "service=web"   those with that label
--   a path          the one that has it in the configuration, as it is written there
--   "ops"           those that name it among their readers
--
-- Tokens say such words in a claim, rules in their `source`. A word that means nothing is no error in a token: what
-- somebody may read and what there is are two things.

local sources = {}

local function means(word, source)
  if word == "*" or word == source.path then return true end
  local name, value = word:match "^([^=]+)=(.*)$"
  if name and source.labels and source.labels[name] == value then return true end
  for _, reader in ipairs(source.readers or {}) do
    if reader == word then return true end
  end
  return false
end

--- The sources of a list that one of the words means, in the list's order.
function sources.matching(list, words)
  local found = {}
  for _, source in ipairs(list) do
    for _, word in ipairs(words) do
      if type(word) == "string" and means(word, source) then
        found[#found + 1] = source
        break
      end
    end
  end
  return found
end

--- The words of a claim: a text, or a list of texts. What else is in there means nothing.
function sources.words(claim)
  if type(claim) == "string" then return { claim } end
  return type(claim) == "table" and claim or {}
end

return sources
