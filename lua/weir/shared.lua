-- shared: dictionaries in memory that all workers see.
--
-- The entries, their times to live and the lock around them are the core's (core/store/shared.c). Here stand the checks
-- of arguments, and the cache: in one Lua state a name has one object, for as long as somebody holds it. The
-- dictionary behind it stays while it holds an entry.
--
-- Nothing here waits, so it may be called from anywhere.

local core = require "weir.core"
local check = require "weir.check"

local NAME_MOST, KEY_MOST, VALUE_MOST = 255, 1024, 1024 * 1024

local Shared = core.shared_methods

local function check_key(name, key)
  if type(key) ~= "string" or key == "" or #key > KEY_MOST then
    check.bad(name, "argument 1 (key)", key, ("a string of 1 to %d bytes"):format(KEY_MOST), 3)
  end
end

local function check_ttl(name, what, ttl)
  if ttl == nil then return end
  check.seconds(name, what, ttl, 3)
  if ttl == 0 then check.bad(name, what, ttl, "more than 0; leave it out for an entry that stays", 3) end
end

local function check_value(name, value)
  local kind = type(value)
  if value == nil then
    check.bad(name, "argument 2 (value)", value, "a string, a number or a boolean; use delete to remove an entry", 3)
  elseif kind == "string" then
    if #value > VALUE_MOST then
      check.bad(name, "argument 2 (value)", value, "at most 1 MiB long; keep what is longer in a file", 3)
    end
  elseif kind ~= "number" and kind ~= "boolean" then
    check.bad(name, "argument 2 (value)", value,
      "a string, a number or a boolean; weir.json.encode makes a string of a table", 3)
  end
end

--- What is stored under the key, or nil.
function Shared:get(key)
  check_key("shared:get", key)
  return core.shared_get(self, key)
end

--- Stores a value, for `ttl` seconds or for good: true, or nil and "limit".
function Shared:set(key, value, ttl)
  check_key("shared:set", key)
  check_value("shared:set", value)
  check_ttl("shared:set", "argument 3 (ttl)", ttl)
  return core.shared_set(self, key, value, ttl)
end

--- Stores a value where there is none: true, or nil and "exists" or "limit".
function Shared:add(key, value, ttl)
  check_key("shared:add", key)
  check_value("shared:add", value)
  check_ttl("shared:add", "argument 3 (ttl)", ttl)
  return core.shared_add(self, key, value, ttl)
end

--- Adds to a number, 0 where there is none, and returns the sum; or nil and "limit". `ttl` is for a number that is new.
function Shared:incr(key, by, ttl)
  check_key("shared:incr", key)
  if by == nil then by = 1 end
  if type(by) ~= "number" or by - by ~= 0 then check.bad("shared:incr", "argument 2 (by)", by, "a finite number") end
  check_ttl("shared:incr", "argument 3 (ttl)", ttl)
  local sum, why = core.shared_incr(self, key, by, ttl)
  if why == "kind" then
    error(("shared:incr: what is stored under %s is not a number; delete it first, or set it to one")
      :format(check.show(key)), 2)
  end
  return sum, why
end

--- Removes an entry. Returns whether there was one.
function Shared:delete(key)
  check_key("shared:delete", key)
  return core.shared_delete(self, key)
end

local opened = setmetatable({}, { __mode = "v" })

--- The dictionary of that name, the same one in all workers and apps.
return function(name)
  if type(name) ~= "string" or name == "" or #name > NAME_MOST then
    check.bad("weir.shared", "argument 1 (name)", name, ("a string of 1 to %d bytes"):format(NAME_MOST))
  end
  local shared = opened[name]
  if not shared then
    shared = core.shared(name)
    opened[name] = shared
  end
  return shared
end
