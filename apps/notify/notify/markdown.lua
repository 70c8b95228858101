-- markdown: the part of Markdown that a notification's text may have.
--
--   **bold**, *emphasis*, `code`, ``` blocks, - lists, [text](https://where.it/leads), and lines
--
-- The page makes elements of it, never HTML; so nothing that is written here could run there. It is checked all the
-- same, for other readers will come: what has HTML in it, or a link that leads elsewhere than to the web, is refused.

local markdown = {}

--- Whether an address is one of the web: absolute, or a path of the same server.
function markdown.is_link(address)
  if address:find "[%c%s\\\"<>]" then return false end
  return address:lower():find "^https?://[^/?#]" ~= nil or address:find "^/[^/]" ~= nil or address == "/"
end

local function without_code(text)
  return (text:gsub("```.-```", " "):gsub("`[^`\n]*`", " "))
end

--- What a text must be, if it is not that; else nil.
function markdown.problem(text)
  text = without_code(text)
  if text:find "<[%a/!?]" then return "Markdown without HTML; write what looks like it as `code`" end
  for address in text:gmatch "%]%s*%(%s*([^%s)]*)" do
    if not markdown.is_link(address) then return "Markdown whose links begin with https://, http:// or /" end
  end
  for address in ("\n" .. text):gmatch "\n%s*%[[^%]\n]*%]:%s*(%S*)" do
    if not markdown.is_link(address) then return "Markdown whose links begin with https://, http:// or /" end
  end
end

return markdown
