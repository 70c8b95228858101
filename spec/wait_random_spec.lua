-- Tasks that send, receive, choose, race and cancel each other at random, and the account of every value (see "Waiting
-- for several" in lua/REFERENCE.md). What a call returned counts: what a race or a timeout lost on the way is missed.

local weir = require "weir"
local test = require "weir.test"

local SEEDS = tonumber(os.getenv "WEIR_TEST_SEEDS") or 60
local TASKS, STEPS = 10, 12

-- The same numbers for the same seed, from 1 to n.
local function dice(seed)
  local state = seed * 7919 + 17
  return function(n)
    state = (state * 16807) % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
end

-- A world of channels and a subscription, with the account: sent[v] is true or why not, got[v] how often.
local function new_world(roll)
  local world = { roll = roll, channels = {}, tasks = {}, sent = {}, got = {}, values = 0, begun = 0, ended = 0 }
  for i = 1, 3 do world.channels[i] = weir.channel(roll(4) - 1) end
  world.topic = "random/" .. roll(1e9)
  world.sub = weir.subscribe(world.topic)
  return world
end

local function some_channel(world) return world.channels[world.roll(#world.channels)] end

-- nil, 0 or a little: seconds.
local function some_time(world)
  local kind = world.roll(4)
  return kind == 1 and 0 or kind == 2 and nil or world.roll(3) / 1000
end

local function new_value(world)
  world.values = world.values + 1
  world.sent[world.values] = "not at all"
  return world.values
end

local function note_sent(world, value, ok, why)
  world.sent[value] = ok or tostring(why)
end

-- A value of a channel, an event of the subscription, or nil.
local function note_got(world, value)
  if type(value) == "table" then value = tonumber(value.data) end
  if value then world.got[value] = (world.got[value] or 0) + 1 end
end

-- ---- what a task may do: each is cancelled where it waits -----------------------------------------------------------

local acts = {}

function acts.send(world)
  local value = new_value(world)
  note_sent(world, value, some_channel(world):send(value, some_time(world)))
end

function acts.send_in_time(world)
  local value, channel = new_value(world), some_channel(world)
  note_sent(world, value, weir.timeout(world.roll(3) / 1000, channel.send, channel, value))
end

function acts.publish(world)
  local value = new_value(world)
  note_sent(world, value, weir.publish(world.topic, tostring(value)) ~= nil)
end

function acts.recv(world) note_got(world, (some_channel(world):recv(some_time(world)))) end

function acts.recv_in_time(world)
  local channel = some_channel(world)
  note_got(world, (weir.timeout(world.roll(3) / 1000, channel.recv, channel)))
end

function acts.next(world) note_got(world, (world.sub:next(some_time(world)))) end

function acts.next_in_time(world)
  note_got(world, (weir.timeout(world.roll(3) / 1000, world.sub.next, world.sub)))
end

function acts.select(world)
  local choices = { some_channel(world), world.sub, some_channel(world), timeout = some_time(world) }
  note_got(world, (select(2, weir.select(choices))))
end

-- Of a race each takes from one channel, some in a timeout of their own, and one only waits and has defers.
function acts.race(world)
  local function taker()
    local channel, limit = some_channel(world), world.roll(4) / 1000
    if world.roll(2) == 1 then return function() return channel:recv(limit) end end
    return function() return weir.timeout(limit, channel.recv, channel) end
  end
  local begun, ended = 0, 0
  local function idler()
    begun = begun + 1
    weir.defer(function()
      weir.sleep(0)
      ended = ended + 1
    end)
    weir.sleep(1)
  end
  local results = { pcall(weir.race, { taker(), idler, taker(), function() return world.sub:next(0.005) end }) }
  assert(begun == ended, "a defer had not run when a race returned")
  if not results[1] then error(results[2], 0) end
  note_got(world, results[3])
end

-- What it took its own functions note, for when one is cancelled all are told so.
function acts.all(world)
  local one, other, value = some_channel(world), some_channel(world), new_value(world)
  weir.all {
    function() note_got(world, (one:recv(0.002))) end,
    function() note_sent(world, value, other:send(value, 0.002)) end,
  }
end

function acts.cancel(world)
  local task = world.tasks[world.roll(TASKS)]
  if task then task:cancel() end
end

function acts.sleep(world) weir.sleep(world.roll(2) == 1 and 0 or 0.001) end

local names = {}
for name in pairs(acts) do names[#names + 1] = name end
table.sort(names)

-- ---- a run ----------------------------------------------------------------------------------------------------------

local function live(world)
  world.begun = world.begun + 1
  weir.defer(function() world.ended = world.ended + 1 end)
  for _ = 1, STEPS do acts[names[world.roll(#names)]](world) end
end

local function drain(world)
  for _, channel in ipairs(world.channels) do
    local value = channel:recv(0)
    while value do
      note_got(world, value)
      value = channel:recv(0)
    end
  end
  local event = world.sub:next(0)
  while event do
    note_got(world, event)
    event = world.sub:next(0)
  end
end

-- Every task ends: by itself, or cancelled when the others have had their time.
local function run(world)
  for i = 1, TASKS do
    world.tasks[i] = weir.spawn(live, world)
    if world.roll(3) == 1 then weir.sleep(0) end
  end
  for _, task in ipairs(world.tasks) do
    local _, err = task:join(0.01)
    if err == "timeout" then
      task:cancel()
      _, err = task:join()
    end
    assert(err == nil or err == "cancelled", err)
  end
  drain(world)
  world.sub:close()
end

local function check_account(world, seed)
  local where = "seed " .. seed .. ": "
  for value = 1, world.values do
    local sent, got = world.sent[value], world.got[value] or 0
    local expected = sent == true and 1 or 0
    assert(got == expected, ("%svalue %d, whose send said %s, was received %d times"):format(where, value,
      tostring(sent), got))
  end
  assert(world.begun == world.ended, where .. "a defer has not run")
end

describe("tasks at random", function()
  it("lose nothing, take nothing twice, and deliver nothing that was refused", function()
    local values = 0
    for seed = 1, SEEDS do
      local world = new_world(dice(seed))
      run(world)
      check_account(world, seed)
      values = values + world.values
    end
    assert.is_true(values > SEEDS * TASKS)
    test.settle()
  end)
end)
