-- markdown: the part of Markdown that a notification's text may have.
--
--   **bold**, *emphasis*, `code`, ``` blocks, - lists, [text](https://where.it/leads), and lines
--
-- The page makes elements of it, never HTML; so nothing that is written here could run there. It is checked all the
-- same, for other readers will come: what has HTML in it, or a link that leads elsewhere than to the web, is refused,
-- by what CommonMark would make of it.

local markdown = {}

local LINKS = "Markdown whose links begin with https://, http:// or /"

--- Whether an address is one of the web: absolute, or a path of the same server.
function markdown.is_link(address)
  if address:find "[%c%s\\\"<>]" then return false end
  return address:lower():find "^https?://[^/?#]" ~= nil or address:find "^/[^/]" ~= nil or address == "/"
end

-- Where the run of backticks ends that closes one of that length, from `at` on; nil: there is none.
local function closing(text, at, length)
  while true do
    local first, last = text:find("`+", at)
    if not first then return nil end
    if last - first + 1 == length then return last end
    at = last + 1
  end
end

-- Code is from one run of backticks to the next of the same length; a backslash before the first makes it text.
local function without_code(text)
  local out, at = {}, 1
  while true do
    local before, first, last = text:match("^(.-)()`+()", at)
    if not first then break end
    local escaped = #before:match "\\*$" % 2 == 1
    local ends = not escaped and closing(text, last, last - first)
    out[#out + 1] = before
    at = ends and ends + 1 or last
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out, " ")
end

-- [name]: address, be it in a list or a quotation.
local function definition(line)
  return line:match "^[%s>*+-]*%[.-%]:%s*(%S*)" or line:match "^[%s>]*%d+[.)]%s+%[.-%]:%s*(%S*)"
end

--- What a text must be, if it is not that; else nil.
function markdown.problem(text)
  text = without_code(text)
  if text:find "<[%a/!?]" then return "Markdown without HTML; write what looks like it as `code`" end
  for address in text:gmatch "%]%s*%(%s*([^%s)]*)" do
    if not markdown.is_link(address) then return LINKS end
  end
  for line in text:gmatch "[^\n]+" do
    local address = definition(line)
    if address and not markdown.is_link(address) then return LINKS end
  end
end

return markdown
