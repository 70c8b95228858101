-- The header fields of weir.tus, drawn at random: what is right comes out as it was meant, what is wrong is refused,
-- and nothing that a client may send takes long, raises, or is answered with a 500.

local weir = require "weir"
local core = require "weir.core"
local fields = require "weir.tus_fields"
local support = require "spec.support"
local tus = require "spec.tus_support"

local SEEDS = tonumber(os.getenv "WEIR_TEST_SEEDS") or 60

-- The same numbers for the same seed, from 1 to n.
local function dice(seed)
  local state = seed * 7919 + 17
  return function(n)
    state = (state * 16807) % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
end

local function one_of(roll, list) return list[roll(#list)] end

-- Up to so many letters of an alphabet, which may be any bytes.
local function text_of(roll, most, alphabet)
  local letters = {}
  for i = 1, roll(most + 1) - 1 do
    local at = alphabet and roll(#alphabet)
    letters[i] = at and alphabet:sub(at, at) or string.char(roll(256) - 1)
  end
  return table.concat(letters)
end

-- One that is nearly the same.
local function spoiled(roll, text)
  local at = roll(#text + 1)
  local way = roll(4)
  local letter = one_of(roll, { ",", " ", "=", ";", "\t", "\255", "\0", "-", "9", "z" })
  if way == 1 then return text:sub(1, at - 1) .. letter .. text:sub(at) end
  if way == 2 then return text:sub(1, at - 1) .. text:sub(at + 1) end
  if way == 3 then return text:sub(1, at - 1) .. letter .. text:sub(at + 1) end
  return text:sub(1, at) .. text:sub(roll(#text + 1))
end

-- For each seed, with a name for what fails.
local function for_seeds(check)
  for seed = 1, SEEDS do
    local ok, why = pcall(check, dice(seed))
    if not ok then error(("seed %d: %s"):format(seed, type(why) == "table" and why.message or tostring(why)), 0) end
  end
end

local ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*"

-- A value and a text that means it, for each field.
local grammars = {}

function grammars.metadata(roll)
  local meant, items = {}, {}
  for _ = 1, roll(5) do
    local key, value = text_of(roll, 8, ASCII) .. "k", text_of(roll, 20)
    if not meant[key] then
      meant[key] = value
      local between = value == "" and one_of(roll, { "", " " }) or one_of(roll, { " ", "  " })
      local before, behind = one_of(roll, { "", " " }), one_of(roll, { "", " " })
      items[#items + 1] = before .. key .. between .. weir.base64.encode(value) .. behind
    end
  end
  return meant, table.concat(items, ",")
end

function grammars.checksum(roll)
  local algorithm = one_of(roll, fields.ALGORITHMS)
  local digest = core.hash(algorithm, text_of(roll, 20))
  return { algorithm = algorithm, digest = digest }, algorithm .. " " .. weir.base64.encode(digest)
end

function grammars.concat(roll)
  if roll(4) == 1 then return "partial", "partial" end
  local urls = {}
  for i = 1, roll(4) do urls[i] = "/" .. text_of(roll, 20, ASCII .. "/:?#") end
  return urls, "final;" .. one_of(roll, { "", " " }) .. table.concat(urls, one_of(roll, { " ", "  " }))
end

describe("the header fields of weir.tus", function()
  for name, draw in pairs(grammars) do
    it(("mean what was meant, or are refused: %s"):format(name), function()
      for_seeds(function(roll)
        for _ = 1, 20 do
          local meant, text = draw(roll)
          assert.same(meant, fields[name](text), text)
          local bad = spoiled(roll, text)
          local value, why = fields[name](bad)
          assert.is_true(value ~= nil or type(why) == "string" and why ~= "", bad)
        end
      end)
    end)
  end

  it("are numbers where they are digits, and not too many", function()
    for_seeds(function(roll)
      for _ = 1, 50 do
        local text = text_of(roll, 18, one_of(roll, { "0123456789", "0123456789+-.e xX" }))
        local only_digits = text ~= "" and text:gsub("%d", "") == ""
        local expected = only_digits and #text <= 16 and tonumber(text) < 2 ^ 53 and tonumber(text) or nil
        assert.equal(expected, (fields.whole("Upload-Length", text)), text)
      end
    end)
  end)

  -- The time of the process: what others do meanwhile is not in it. Going back over each space would take many seconds.
  it("take no longer the more spaces they have", function()
    local spaces = (" "):rep(64000)
    local began = os.clock()
    for _, text in ipairs { "k" .. spaces .. "x", "k" .. spaces .. "x y", spaces, "k x" .. spaces, spaces .. "k x" } do
      fields.metadata(text)
      fields.metadata(text .. "," .. text)
      fields.checksum("sha1 " .. text)
      fields.concat("final;" .. text)
      fields.media_type(text)
    end
    assert.is_true(os.clock() - began < 1)
  end)
end)

describe("requests to weir.tus that are drawn at random #once", function()
  after_each(support.remove_folders)

  local BODY = "application/offset+octet-stream"
  local NAMES = { "Upload-Length", "Upload-Offset", "Upload-Defer-Length", "Upload-Metadata", "Upload-Checksum",
    "Upload-Concat", "Upload-Complete", "Content-Type", "Tus-Resumable", "Upload-Draft-Interop-Version",
    "X-HTTP-Method-Override" }
  local WORDS = { "1", "0", "?1", "?0", "-1", "5", "99999999999999999", "1.0.0", "6", "PATCH", "HEAD" }

  -- A value as it may stand in a head.
  local function value_of(roll, path)
    local draw = roll(6)
    if draw == 1 then return (text_of(roll, 12, ASCII .. " ,;=?/")) end
    if draw == 2 then return one_of(roll, WORDS) end
    local _, text = one_of(roll, { grammars.metadata, grammars.checksum, grammars.concat })(roll)
    if draw == 3 then return text end
    if draw == 4 then return "final;" .. path end
    return (spoiled(roll, text):gsub("[%c\127]", "?"))
  end

  local function headers_of(roll, path, offset)
    local headers = { ["Upload-Offset"] = ("%d"):format(offset), ["Content-Type"] = BODY, ["Upload-Length"] = "9" }
    if roll(3) == 1 then
      headers["Tus-Resumable"], headers["Upload-Draft-Interop-Version"] = false, one_of(roll, { "5", "6" })
      headers["Upload-Complete"] = one_of(roll, { "?0", "?1" })
    end
    for _ = 1, roll(4) - 1 do headers[one_of(roll, NAMES)] = roll(5) > 1 and value_of(roll, path) or false end
    local sent = { ["Tus-Resumable"] = "1.0.0" }
    for name, value in pairs(headers) do sent[name] = value or nil end
    return sent
  end

  it("are answered, and change nothing that they should not", function()
    tus.begin { max_size = 64 }
    for_seeds(function(roll)
      local path = tus.create(roll(2) == 1 and 9 or nil)
      local offset = 0
      for _ = 1, 8 do
        local method = one_of(roll, { "POST", "PATCH", "PATCH", "HEAD" })
        local target = method == "POST" and roll(2) == 1 and "/files" or path
        local body = method ~= "HEAD" and text_of(roll, 12) or nil
        local sent = headers_of(roll, path, offset)
        local answer = tus.server:request(method, target, { headers = sent, body = body })
        assert.is_true(answer.status < 500, ("%d: %s"):format(answer.status, tostring(answer.body)))
        local now = tus.offset(path)
        assert.is_true(now >= offset and now <= offset + #(body or ""), "an offset that is wrong")
        if now > offset then
          assert.is_true(answer.status < 300, ("%d, but bytes were kept"):format(answer.status))
          assert.equal(body, tus.stored(path):sub(offset + 1))
        end
        offset = now
      end
    end)
  end)
end)
