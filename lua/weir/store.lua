-- store: named sets of pairs that all workers share, and that survive restarts with --data.
--
--   value --encode--> "s..." "n..." "t" "f" "j..."  --the core, a thread, SQLite-->  a page of the disk
--
-- A value is kept as a letter for its type and a text. A writer returns when its transaction is on the disk; those who
-- write at the same time share one.
--
-- `update` is optimistic: it reads, calls the function, and writes if what it read is still there; else it calls again
-- with what is there now. So that the tasks of one worker do not make each other try in vain they queue for the key,
-- and at most as many attempts fail as there are other workers at it; TRIES is far beyond that.

local core = require "weir.core"
local check = require "weir.check"
local isolated = require "weir.isolated"
local encoded = require "weir.encoded"
local json = require "weir.json"

local KEY_BYTES, NAME_BYTES, VALUE_BYTES = 1024, 255, 1024 * 1024
local TRIES = 100

local Store = {}
Store.__index = Store
Store.__name = "weir.store"

-- ---- values ---------------------------------------------------------------------------------------------------------

-- `level` as of `error`, from who calls this; 0: nobody's line.
local function encode(what, value, level)
  local kind = type(value)
  if level > 0 then level = level + 1 end
  local text
  if kind == "string" then
    text = "s" .. value
  elseif kind == "number" then
    text = ("n%.17g"):format(value)
  elseif kind == "boolean" then
    text = value and "t" or "f"
  elseif kind == "table" then
    text = "j" .. encoded(what, value, level)
  else
    local expected = "a string, a number, a boolean or a table (store:delete removes)"
    error(check.expected(what, "the value", value, expected), level)
  end
  if #text > VALUE_BYTES + 1 then
    error(("%s: the value takes %d bytes, more than %d; keep large things in files, and their paths here")
      :format(what, #text - 1, VALUE_BYTES), level)
  end
  return text
end

local function decode(text)
  if text == nil then return nil end
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "s" then return rest end
  if kind == "n" then return tonumber(rest) end
  if kind == "j" then return (json.decode(rest)) end
  return kind == "t"
end

local function check_key(what, key)
  if type(key) ~= "string" or #key < 1 or #key > KEY_BYTES then
    check.bad(what, "argument 1 (key)", key, ("a string of 1 to %d bytes"):format(KEY_BYTES), 3)
  end
end

-- ---- one pair -------------------------------------------------------------------------------------------------------

-- The value, or nil with what went wrong.
local function decoded(text, err, message)
  if err then return nil, err, message end
  return decode(text)
end

--- The value of a key, or nil.
function Store:get(key)
  check_key("store:get", key)
  return decoded(check(core.store_get(self.name, key)))
end

--- Sets the value of a key, for so many seconds if given. Returns when that is on the disk.
function Store:set(key, value, ttl)
  check_key("store:set", key)
  local text = encode("store:set", value, 2)
  if ttl ~= nil and not (type(ttl) == "number" and ttl > 0 and ttl < 2 ^ 40) then
    check.bad("store:set", "argument 3 (ttl)", ttl, "a number of seconds, more than 0")
  end
  return check(core.store_set(self.name, key, text, ttl and math.ceil(ttl * 1000) or 0))
end

--- Removes a key: whether there was one.
function Store:delete(key)
  check_key("store:delete", key)
  return check(core.store_delete(self.name, key))
end

-- ---- many -----------------------------------------------------------------------------------------------------------

--- Iterates over the keys that begin with `prefix`, and their values, in order of the keys' bytes.
function Store:each(prefix)
  if prefix == nil then prefix = "" end
  check.string("store:each", "argument 1 (prefix)", prefix)
  local name = self.name
  local page, at, more, from = {}, 1, true, ""
  return function()
    while at > #page do
      if not more then return nil end
      local problem
      page, more, problem = check(core.store_list(name, prefix, from))
      if not page then
        error(("store:each: %s: %s"):format(more, problem), 2)
      end
      at, from = 1, page[#page - 1] or from
    end
    at = at + 2
    return page[at - 2], decode(page[at - 1])
  end
end

-- ---- update ---------------------------------------------------------------------------------------------------------

-- What the function makes of a value, and that encoded. Run in a task of its own, so that the others in the queue get
-- their turn even if it takes too long.
local function apply(fn, old)
  local value = core.store_call(fn, decode(old))
  return value, value ~= nil and encode("store:update", value, 0) or nil
end

local function try(name, key, fn)
  local old, failed, message = check(core.store_get(name, key))
  if failed then return nil, failed, message end
  for _ = 1, TRIES do
    local ok, value, new = isolated(apply, fn, old)
    if not ok then error(value, 0) end
    if new == old then return value end
    local swapped, there, problem = check(core.store_swap(name, key, old, new))
    if swapped == nil then return nil, there, problem end
    if swapped then return value end
    old = there
  end
  return nil, "busy", "other workers changed it each time"
end

-- Who works on a key in this Lua state: [name NUL key] = { token = a channel, users = n }. Whoever has taken what is in
-- the channel has its turn. Putting it back does not wait, so a cancelled task can leave.
local turns = {}

local function turn_of(id)
  local turn = turns[id]
  if not turn then
    turn = { token = core.channel(1), users = 0 }
    core.channel_send(turn.token, true)
    turns[id] = turn
  end
  turn.users = turn.users + 1
  return turn
end

local function forget(id, turn)
  turn.users = turn.users - 1
  if turn.users == 0 then turns[id] = nil end
end

local function leave(id, turn, ok, ...)
  core.channel_send(turn.token, true)
  forget(id, turn)
  if not ok then error((...), 0) end
  return ...
end

local function enter(turn)
  check(core.outlet_recv("store:update", nil, turn.token))
end

local function in_turn(id, fn, ...)
  local turn = turn_of(id)
  local entered, err = pcall(enter, turn)
  if not entered then
    forget(id, turn)
    error(err, 0)
  end
  return leave(id, turn, pcall(fn, ...))
end

--- Replaces the value of a key by what `fn(value)` returns, as one step for all workers. Returns the new value.
function Store:update(key, fn)
  check_key("store:update", key)
  check.callable("store:update", "argument 2 (fn)", fn)
  return in_turn(self.name .. "\0" .. key, try, self.name, key, fn)
end

-- ---- the set --------------------------------------------------------------------------------------------------------

--- The set of pairs of that name.
return function(name)
  if type(name) ~= "string" or #name < 1 or #name > NAME_BYTES then
    check.bad("weir.store", "argument 1 (name)", name, ("a string of 1 to %d bytes"):format(NAME_BYTES))
  end
  return setmetatable({ name = name }, Store)
end
