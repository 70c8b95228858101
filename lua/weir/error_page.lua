-- error_page: what the author sees of an error while `weir serve --watch` runs: the message, the lines of the source
-- around it, the traceback and the request. Without --watch there is no such page, and the answer is plain: 500, or 503
-- when a limit was reached.
--
-- A browser, which accepts text/html, gets a page; anything else the same as text. All of it may hold what a peer has
-- sent, so all is escaped; values of fields that hold secrets are masked, since pages end up in screenshots.
--
-- Chunk names in messages are cut at 60 bytes ("...hop/app.lua"); what was cut off is sought below the app's folder.

local bytes = require "weir.bytes"
local core = require "weir.core"
local hint = require "weir.hint"

local AROUND = 5 -- lines before and after the one that raised

-- ---- the source -----------------------------------------------------------------------------------------------------

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a" -- nil of a folder
  file:close()
  return text
end

-- The text of a source by the name that messages give it, and its path below the app's folder if it lies there.
local function source_of(name)
  local folder = core.app_folder() .. "/"
  local function shown(path) return path:sub(1, #folder) == folder and path:sub(#folder + 1) or path end
  local tail = name:match "^%.%.%.(.*)$"
  if not tail then return read(name), shown(name) end
  for at in tail:gmatch "()/" do
    local path = folder .. tail:sub(at + 1)
    local text = path:sub(-#tail) == tail and read(path)
    if text then return text, shown(path) end
  end
  return nil, name
end

-- "app.lua:3: what" as name, line, what.
local function place_of(text)
  local name, line, what = text:match "^([^\n]-):(%d+): (.*)$"
  return name, tonumber(line), what
end

-- Whether it is a place in a script, and not in the Lua half of Weir or in C.
local function is_script(name)
  return name and name:sub(1, 5) ~= "weir/" and name:sub(1, 1) ~= "["
end

-- The lines around one: a list of { number, text, marked }.
local function excerpt_of(text, marked)
  local lines, number = {}, 0
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number >= marked - AROUND and number <= marked + AROUND then
      lines[#lines + 1] = { number = number, text = line, marked = number == marked }
    end
  end
  return lines
end

-- ---- the report -----------------------------------------------------------------------------------------------------

local SECRETS = { "auth", "cookie", "token", "ticket", "secret", "password", "key" }

local function is_secret(name)
  for _, word in ipairs(SECRETS) do
    if name:find(word, 1, true) and name:sub(1, 4) ~= "sec-" then return true end
  end
  return false
end

-- Names are compared as they will be understood, decoded.
local function mask_query(query)
  return (query:gsub("([^?&=]+)=[^&]*", function(name)
    local decoded = name:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    return is_secret(decoded:lower()) and name .. "=(masked)" or nil
  end))
end

-- Referer is a URL, and so are fields in which proxies say what they were asked for.
local function fields_of(stream)
  local fields = {}
  for name, value in pairs(stream.headers) do
    fields[#fields + 1] = { name = name, value = is_secret(name) and "(masked)" or value:gsub("%?.*", mask_query) }
  end
  table.sort(fields, function(one, other) return one.name < other.name end)
  return fields
end

local function query_of(stream)
  local query = stream.query_string
  return query and query ~= "" and "?" .. mask_query(query) or ""
end

local function frames_of(traceback)
  local frames, folder = {}, core.app_folder() .. "/"
  local _, start = traceback:find("\nstack traceback:", 1, true)
  for line in traceback:sub((start or #traceback) + 1):gmatch "\n%s*([^\n]+)" do
    local name, number = line:match "^(.-):(%d*):? in "
    local text = line:sub(1, #folder) == folder and line:sub(#folder + 1) or line
    frames[#frames + 1] = { text = text, name = name, line = tonumber(number), script = is_script(name) }
  end
  return frames
end

-- What both answers show. The place is that of the message, or else of the innermost call in a script.
local function report_of(stream, err, traceback)
  local whole = hint(tostring(err))
  local name, line, message = place_of(whole)
  local report = { message = message or whole, frames = frames_of(traceback), fields = fields_of(stream) }
  if not is_script(name) then
    for _, frame in ipairs(report.frames) do
      if frame.script and frame.line then
        name, line = frame.name, frame.line
        break
      end
    end
  end
  if is_script(name) then
    local text, shown = source_of(name)
    report.place = ("%s:%d"):format(shown, line)
    report.excerpt = text and excerpt_of(text, line)
  end
  report.request = ("%s %s%s HTTP/%s"):format(stream.method, stream.path, query_of(stream), stream.version)
  return report
end

-- ---- as text --------------------------------------------------------------------------------------------------------

local function text_of(report)
  local out = { report.status, "\n\n", report.message, "\n" }
  local function add(...) out[#out + 1] = (...):format(select(2, ...)) end
  if report.place then add("at %s\n\n", report.place) end
  for _, line in ipairs(report.excerpt or {}) do
    add("%s %4d  %s\n", line.marked and ">" or " ", line.number, line.text)
  end
  add "\nTraceback\n"
  for _, frame in ipairs(report.frames) do add("    %s\n", frame.text) end
  add("\n%s\n", report.request)
  for _, field in ipairs(report.fields) do add("%s: %s\n", field.name, field.value) end
  return table.concat(out)
end

-- ---- as a page ------------------------------------------------------------------------------------------------------

local function escape(text)
  return (bytes.html(text):gsub("[%z\1-\8\11-\31\127]", "\239\191\189"))
end

local STYLE = [[
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1b1a; --dim: #6b6763; --rule: #e2ded9; --code: #f7f5f2;
  --error: #b3261e; --mark: #fde7e4; }
@media (prefers-color-scheme: dark) { :root { --paper: #191817; --ink: #eceae7; --dim: #a19c96; --rule: #35322f;
  --code: #211f1d; --error: #ff8f84; --mark: #4a2420; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2.5rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; }
h1 { margin: .25rem 0 .5rem; font-size: 1.5rem; line-height: 1.3; white-space: pre-wrap; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: .875rem; color: var(--dim); }
p { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
.status { color: var(--error); font-weight: 600; }
pre, code, dl { font: .875rem/1.6 ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; }
pre { margin: 0; padding: .75rem 0; background: var(--code); border: 1px solid var(--rule); border-radius: 6px;
  overflow-x: auto; tab-size: 4; }
pre > span { display: block; width: max-content; min-width: 100%; padding: 0 1rem; }
.number { display: inline-block; width: 3.5ch; margin-right: 1.5ch; color: var(--dim); text-align: right;
  user-select: none; }
mark { display: block; width: max-content; min-width: 100%; padding: 0 1rem; background: var(--mark); color: inherit;
  box-shadow: inset 3px 0 var(--error); }
mark .number { color: var(--error); font-weight: 600; }
.library { color: var(--dim); }
.why { margin-top: 2.5rem; }
.why code { white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 0 1.5rem; margin: .5rem 0 0; }
dt { color: var(--dim); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { body { padding-top: 1.5rem; } dl { grid-template-columns: 1fr; } dd { margin: 0 0 .5rem; } }
]]

local function excerpt_html(excerpt)
  local out = {}
  for _, line in ipairs(excerpt) do
    local tag = line.marked and "mark" or "span"
    out[#out + 1] = ('<%s><span class="number">%d</span>%s</%s>'):format(tag, line.number, escape(line.text), tag)
  end
  return "<pre>" .. table.concat(out) .. "</pre>"
end

local function frames_html(frames)
  local out = {}
  for _, frame in ipairs(frames) do
    out[#out + 1] = ("<span%s>%s</span>"):format(frame.script and "" or ' class="library"', escape(frame.text))
  end
  return "<pre>" .. table.concat(out) .. "</pre>"
end

local function fields_html(fields)
  local out = {}
  for _, field in ipairs(fields) do
    out[#out + 1] = ("<dt>%s</dt><dd>%s</dd>"):format(escape(field.name), escape(field.value))
  end
  return "<dl>" .. table.concat(out) .. "</dl>"
end

local function html_of(report)
  local out = {
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
    "<title>", escape(report.message:match "[^\n]*"), "</title>\n",
    '<link rel="icon" href="data:,">\n<style>\n', STYLE, "</style>\n</head>\n<body>\n<main>\n",
    '<p class="status">', report.status, "</p>\n<h1>", escape(report.message), "</h1>\n",
  }
  local function add(...) for i = 1, select("#", ...) do out[#out + 1] = (select(i, ...)) end end
  if report.place then add("<h2><code>", escape(report.place), "</code></h2>\n") end
  if report.excerpt then add(excerpt_html(report.excerpt), "\n") end
  add("<h2>Traceback</h2>\n", frames_html(report.frames), "\n")
  add("<h2>Request</h2>\n<code>", escape(report.request), "</code>\n", fields_html(report.fields), "\n")
  add "<p class=\"why\">Errors are shown since the server runs with <code>--watch</code>; "
  add "without it the answer is a plain line.</p>\n"
  add "</main>\n</body>\n</html>\n"
  return table.concat(out)
end

-- ---- choosing -------------------------------------------------------------------------------------------------------

-- Whether the client names text/html among what it accepts, and not with a weight of nothing.
local function accepts_html(stream)
  for range in (stream.headers.accept or ""):lower():gmatch "[^,]+" do
    if range:match "^%s*([^;%s]*)" == "text/html" then
      return not range:find ";%s*q=0%.?0*%s*$"
    end
  end
  return false
end

--- Answers with that status, and what is known of an error.
return function(stream, err, traceback, status)
  local report = report_of(stream, err, traceback)
  report.status = ("%d %s"):format(status, core.reason(status))
  stream:status(status)
  stream:header("Cache-Control", "no-store")
  if accepts_html(stream) then return stream:html(html_of(report)) end
  return stream:text(text_of(report))
end
