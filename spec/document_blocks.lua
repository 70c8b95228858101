-- A document taken apart: its fenced blocks, and what those hold that are exchanges or typed at a terminal. It runs
-- nothing.

local support = require "spec.support"

local blocks = {}

-- All fenced blocks of a file, each {kind = "lua app", text, line = of its first line, heading, chapter}: the nearest
-- heading, and that of the second level.
function blocks.read(path)
  local list, block, heading, chapter, number = {}, nil, "", "", 0
  local text = assert(support.read_file(path), "run the specs from the repository's folder")
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local fence = line:match("^```(.*)$")
    if fence and block then
      block.text = table.concat(block.lines, "\n") .. "\n"
      list[#list + 1], block = block, nil
    elseif fence then
      block = { kind = fence, line = number + 1, heading = heading, chapter = chapter, lines = {} }
    elseif block then
      block.lines[#block.lines + 1] = line
    else
      heading = line:match("^#+ (.*)$") or heading
      chapter = line:match("^## (.*)$") or chapter
    end
  end
  return list
end

-- ---- exchanges ------------------------------------------------------------------------------------------------------

-- What stands after a ">" or "<": the first line, header fields, and after an empty line the body.
local function read_message(lines)
  local message = { first = table.remove(lines, 1), fields = {}, body = "" }
  while lines[1] and lines[1] ~= "" do
    local name, value = table.remove(lines, 1):match("^([^:]+): (.*)$")
    message.fields[#message.fields + 1] = { name, value }
  end
  table.remove(lines, 1)
  message.body = table.concat(lines, "\n")
  return message
end

-- The exchanges of an http block, each {request, response}.
function blocks.exchanges(text)
  local exchanges, exchange = {}, nil
  for line in text:gmatch("([^\n]*)\n") do
    local sign, rest = line:match("^([<>]) ?(.*)$")
    if sign == ">" then
      exchange = exchange and #exchange["<"] == 0 and exchange or nil
      if not exchange then
        exchange = { [">"] = {}, ["<"] = {} }
        exchanges[#exchanges + 1] = exchange
      end
    end
    if sign then table.insert(exchange[sign], rest) else assert(line == "", "an http block with: " .. line) end
  end
  for i, lines in ipairs(exchanges) do
    exchanges[i] = { request = read_message(lines[">"]), response = read_message(lines["<"]) }
  end
  return exchanges
end

-- ---- a terminal -----------------------------------------------------------------------------------------------------

-- The commands of a console block, each {text, expected, interrupt}: lines behind "$ ", what comes back, and whether
-- ^C follows. A ^C in front of all commands is one without text.
function blocks.commands(text)
  local commands, command = {}, nil
  for line in text:gmatch("([^\n]*)\n") do
    local typed = line:match("^%$ (.*)$")
    if typed or not command then
      command = { text = typed, expected = "" }
      commands[#commands + 1] = command
    end
    if line == "^C" then
      command.interrupt = true
    elseif not typed then
      assert(command.text, "a console block that does not begin with a command: " .. line)
      if command.text:find "\\$" then
        command.text = command.text .. "\n" .. line:gsub("^> ", "")
      else
        command.expected = command.expected .. line .. "\n"
      end
    end
  end
  return commands
end

-- ---- an app that grows ----------------------------------------------------------------------------------------------

-- What a part of a Lua file defines, from its first line that is no comment: `local function find`, `app:get("/")`.
local function noun(part)
  for line in part:gmatch "[^\n]+" do
    if not line:find "^%-%-" then
      return line:match '^[%w_.:]+ ?%(?"[^"]*"' or line:match "^local function [%w_]+" or line:match "^local [%w_]+"
        or line:match "^[%w_.:]+"
    end
  end
end

-- The parts of a Lua file: what is between empty lines that are followed by a line that is not indented.
local function parts_of(text)
  local parts = {}
  text = text:gsub("\n+$", "") .. "\n\n"
  for part in text:gsub("\n\n([^%s])", "\n\n\0%1"):gmatch "[^%z]+" do
    parts[#parts + 1] = (part:gsub("\n+$", "\n"))
  end
  return parts
end

local function index_of(parts, what)
  for i, part in ipairs(parts) do
    if noun(part) == what then return i end
  end
end

-- The comment in front of a part's code.
local function comment_of(part)
  local comment = ""
  for line in part:gmatch "[^\n]*\n" do
    if not line:find "^%-%-" then break end
    comment = comment .. line
  end
  return comment
end

-- The file with an addition, as a reader makes it: a part that defines what is there already takes its place, below the
-- comment of that if it has none; others stand in front of the next one that does, or in front of `last`.
function blocks.grow(text, addition, last)
  local parts = parts_of(text)
  local at = assert(index_of(parts, last), "nothing like " .. last)
  local new = parts_of(addition)
  for i = #new, 1, -1 do
    local there = index_of(parts, noun(new[i]))
    if there then
      local comment = comment_of(new[i]) == "" and comment_of(parts[there]) or ""
      parts[there], at = comment .. new[i], there
    else
      table.insert(parts, at, new[i])
    end
  end
  return table.concat(parts, "\n")
end

return blocks
