-- json: values to JSON text and back.
--
-- Decoding is cjson's, through an instance of our own, so that what a script sets on `require "cjson"` changes nothing
-- here; what cjson takes and RFC 8259 does not is refused before it (core/proto/json_text.c).
-- Encoding is done in Lua, because cjson cannot do what the contract says: it writes an empty array as {},
-- cuts numbers at 14 digits (a Unix time in milliseconds becomes 1.7e+12), and passes on bytes that are not UTF-8.
--
--   value                      JSON
--   nil inside a table         cannot be there; use json.null
--   table with keys 1..n       array        (n > 0)
--   json.array(table)          array        (also when it is empty)
--   table with string keys     object       (also when it is empty), its names in the order of their bytes
--   any other table            error that names the place: `.items[3]: ...`
--   number                     the shortest text that reads back as the same number; NaN and infinity raise
--   string                     bytes that are not UTF-8 become U+FFFD
--
-- Metamethods are not called, so nothing yields in here and the module's buffers can be shared.

local buffer = require "string.buffer"
local cjson = require "weir.cjson"
local check = require "weir.check"
local core = require "weir.core"

local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub
local floor, huge = math.floor, math.huge
local next, rawget, sort, tonumber, type = next, rawget, table.sort, tonumber, type

local MAX_DEPTH = 128
local KEEP_BYTES = 64 * 1024 -- a larger buffer is given back after use
local EXACT = 2 ^ 53 -- from here on not every whole number is a double

local json = {}

--- JSON's null, which a Lua table cannot hold as nil.
json.null = cjson.null

local array_mt = { __name = "weir.json.array" }

local out = buffer.new()
local path = {} -- the keys down to the value being written, for messages

-- ---- UTF-8 ----------------------------------------------------------------------------------------------------------

-- The length of the UTF-8 sequence at `i`, and whether it is whole and well-formed (Unicode 3.9, table 3-7). Of a bad
-- one the length is that of its maximal subpart, which one U+FFFD replaces.
local function sequence(text, i)
  local first = byte(text, i)
  if first < 0x80 then return 1, true end
  local least, most = 0x80, 0xBF
  local rest
  if first >= 0xC2 and first <= 0xDF then
    rest = 1
  elseif first >= 0xE0 and first <= 0xEF then
    rest = 2
    if first == 0xE0 then least = 0xA0 elseif first == 0xED then most = 0x9F end
  elseif first >= 0xF0 and first <= 0xF4 then
    rest = 3
    if first == 0xF0 then least = 0x90 elseif first == 0xF4 then most = 0x8F end
  else
    return 1, false
  end
  for k = 1, rest do
    local following = byte(text, i + k)
    if not following or following < least or following > most then return k, false end
    least, most = 0x80, 0xBF
  end
  return rest + 1, true
end

-- `text` with U+FFFD in place of what is not UTF-8; the very same string when all of it is.
local function repaired(text)
  local parts, from, i = nil, 1, 1
  while i <= #text do
    local length, good = sequence(text, i)
    if not good then
      parts = parts or buffer.new()
      parts:put(sub(text, from, i - 1), "\239\191\189")
      from = i + length
    end
    i = i + length
  end
  if not parts then return text end
  return parts:put(sub(text, from)):get()
end

-- ---- encoding -------------------------------------------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }
for code = 0, 31 do
  local char = string.char(code)
  ESCAPES[char] = ESCAPES[char] or format("\\u%04x", code)
end

-- Whether all of `text` can stand between quotes as it is. Short strings are looked at in Lua, because the JIT
-- compiles that, and does not compile a search for a pattern.
local function is_plain(text)
  if #text > 64 then return not find(text, '[%z\1-\31"\\\128-\255]') end
  for i = 1, #text do
    local code = byte(text, i)
    if code < 32 or code == 34 or code == 92 or code > 127 then return false end
  end
  return true
end

local function put_string(text)
  if not is_plain(text) then
    text = gsub(repaired(text), '[%z\1-\31"\\]', ESCAPES)
  end
  out:put('"', text, '"')
end

-- The place of the value being written, as Lua would name it from the outermost table.
local function place(depth)
  if depth == 0 then return "the value" end
  local names = {}
  for i = 1, depth do
    local key = path[i]
    names[i] = type(key) == "number" and format("[%d]", key)
      or find(key, "^[%a_][%w_]*$") and "." .. key or format("[%s]", check.show(key))
  end
  return table.concat(names)
end

-- Raised without a position: `json.encode` adds that of its caller.
local function refuse(depth, what)
  error({ refused = place(depth) .. ": " .. what }, 0)
end

local function put_number(number, depth)
  if number ~= number or number == huge or number == -huge then
    refuse(depth, "JSON has no NaN and no infinity; use weir.json.null")
  elseif floor(number) == number and number > -EXACT and number < EXACT then
    out:put(format("%d", number))
  else
    local text = format("%.15g", number)
    if tonumber(text) ~= number then text = format("%.16g", number) end
    if tonumber(text) ~= number then text = format("%.17g", number) end
    out:put(text)
  end
end

local put

-- What keeps a table from being an array of `length` items or an object.
local function refuse_table(value, length, depth)
  local strings, most = false, 0
  for key in next, value do
    if type(key) == "string" then
      strings = true
    elseif type(key) ~= "number" or key % 1 ~= 0 or key < 1 then
      refuse(depth, format("a table key must be a string or 1, 2, 3, ..., not %s", check.show(key)))
    else
      most = math.max(most, key)
    end
  end
  if strings then
    refuse(depth, "a table cannot be both a list and an object; it has whole numbers and strings as keys")
  end
  refuse(depth, format("a list with holes (its highest index is %.14g, item %.14g is nil); fill them with "
    .. "weir.json.null, or make the keys strings", most, length + 1))
end

local function put_array(value, depth)
  local length, keys = #value, 0
  for _ in next, value do keys = keys + 1 end
  if keys ~= length then
    local hole = 0
    while rawget(value, hole + 1) ~= nil do hole = hole + 1 end
    refuse_table(value, hole, depth)
  end
  out:put("[")
  for i = 1, length do
    if i > 1 then out:put(",") end
    path[depth + 1] = i
    put(rawget(value, i), depth + 1)
  end
  out:put("]")
end

local function put_object(value, depth)
  local keys, count = {}, 0
  for key in next, value do
    if type(key) ~= "string" then refuse_table(value, 0, depth) end
    count = count + 1
    keys[count] = key
  end
  if count > 1 then sort(keys) end -- LuaJIT compares bytes
  out:put("{")
  for i = 1, count do
    local key = keys[i]
    if i > 1 then out:put(",") end
    put_string(key)
    out:put(":")
    path[depth + 1] = key
    put(rawget(value, key), depth + 1)
  end
  out:put("}")
end

function put(value, depth)
  local kind = type(value)
  if kind == "string" then
    put_string(value)
  elseif kind == "number" then
    put_number(value, depth)
  elseif kind == "boolean" then
    out:put(value and "true" or "false")
  elseif kind == "table" then
    if depth >= MAX_DEPTH then
      refuse(1, format("tables nested more than %d deep, or a table that contains itself", MAX_DEPTH))
    elseif rawget(value, 1) ~= nil or getmetatable(value) == array_mt then
      put_array(value, depth)
    else
      put_object(value, depth)
    end
  elseif value == json.null then
    out:put("null")
  else
    refuse(depth, format("JSON cannot hold %s", kind == "nil" and "nil; use weir.json.null" or "a " .. kind))
  end
end

--- The JSON text of a value. Raises, naming the place, on what JSON cannot hold.
function json.encode(value)
  out:reset()
  local ok, err = pcall(put, value, 0)
  local text = ok and out:get()
  if #out > KEEP_BYTES or (ok and #text > KEEP_BYTES) then out:free() end
  if ok then return text end
  if type(err) ~= "table" or not err.refused then error(err, 0) end -- out of memory
  error("weir.json.encode: " .. err.refused, 2)
end

-- ---- the rest -------------------------------------------------------------------------------------------------------

local decoder = cjson.new()
decoder.decode_max_depth(MAX_DEPTH)
decoder.decode_invalid_numbers(false)

--- The value that a JSON text stands for, or nil and what is wrong with it, with the position.
function json.decode(text)
  check.string("weir.json.decode", "argument 1 (text)", text)
  local wrong, at = core.json_check(text)
  if wrong then return nil, format("%s at character %d", wrong, at) end
  local ok, value = pcall(decoder.decode, text)
  if ok then return value end
  return nil, value
end

--- Marks a table as an array, whatever it holds when it is encoded. Returns the table.
function json.array(list)
  if list == nil then list = {} end
  if type(list) ~= "table" then check.bad("weir.json.array", "argument 1", list, "a table") end
  local present = getmetatable(list)
  if present ~= nil and present ~= array_mt then
    error("weir.json.array: the table has a metatable already; copy its items into a new one", 2)
  end
  return setmetatable(list, array_mt)
end

return json
