-- apps/logtail in a process of its own, whose viewer is cut off and whose server is killed, while Debian's logrotate is
-- at its log: numbered lines come once and in order. What is done is drawn from a number.

local test = require "weir.test"
local support = require "spec.support"
local logs = require "spec.logtail_support"
local json = require("weir").json

describe("a viewer of logtail", function()
  after_each(support.remove_folders)

  local seed, path, rotate, last_id, events

  local function roll(n)
    seed = (seed * 1103515245 + 12345) % 2 ^ 31
    return math.floor(seed / 65536) % n
  end

  local function serve()
    logs.server = test.spawn { "serve", "apps/logtail", "--workers", 1, env = { WEIR_LOG = path } }
  end

  local function begin(mode)
    logs.begin()
    test.clock.thaw()
    logs.is_frozen, last_id, events = false, nil, nil
    path = logs.write("app.log", "0")
    local conf = support.write_file(logs.folder .. "/conf",
      ('"%s" { rotate 100\n size 1\n compress\n %s\n }\n'):format(path, mode))
    rotate = ("PATH=$PATH:/usr/sbin logrotate -f -s '%s/state' '%s'"):format(logs.folder, conf)
    serve()
  end

  -- Some event's lines, and from where the next viewer goes on.
  local function take(seen)
    events = events or logs.open("/lines?lines=1000", nil, { last_event_id = last_id })
    for text in logs.expect(events, "lines"):gmatch "[^\n]+" do seen[#seen + 1] = json.decode(text).line end
    last_id = events.last_id
    assert.is_nil(events.passed.gap)
  end

  for _, mode in ipairs { "create", "copytruncate" } do
    it("has each line once over cuts, kill -9 and logrotate, " .. mode .. " and compress #once #workers", function()
      begin(mode)
      seed = 12
      local expected, seen, did = { "0" }, {}, { cut = 0, kill = 0, rotate = 0 }
      for round = 1, 16 do
        for _ = 1, 1 + roll(40) do
          expected[#expected + 1] = tostring(#expected)
          logs.write("app.log", expected[#expected])
        end
        if round == 1 or roll(2) == 0 then take(seen) end
        if roll(2) == 0 then
          did.rotate = did.rotate + 1
          assert.equal(0, os.execute(rotate))
        end
        local fate = roll(3)
        if fate < 2 and events then
          did.cut = did.cut + 1
          events:reset()
          events = nil
        end
        if fate == 1 then
          did.kill = did.kill + 1
          logs.server:stop "KILL"
          serve()
        end
      end
      while #seen < #expected do take(seen) end
      assert.same(expected, seen)
      assert.is_true(did.cut > 2 and did.kill > 2 and did.rotate > 4, json.encode(did))
    end)
  end
end)
