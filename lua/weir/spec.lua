-- spec: what `weir spec` runs: busted, and behind each spec the end of all that it has left.
--
-- What a spec stored or published, and what it and its before_each opened, is gone before the next one begins, also
-- when it failed half way. What `setup` opened stays until `teardown`, or test.cleanup(), closes it.

local api = require "busted"
local meta = getmetatable(api)
local start = meta.__call

-- Around busted's own: runs the spec with all that is around it, then ends what it has left.
local function isolated(busted, run)
  return function(element)
    local clients = require "weir.test_client"
    local mark = clients.mark()
    run(element)
    busted.safe("it", function()
      clients.cleanup(mark)
      clients.clock.thaw()
    end, element)
  end
end

meta.__call = function(self, busted)
  local register = busted.register
  busted.register = function(name, executor, ...)
    if name == "it" then executor = isolated(busted, executor) end
    return register(name, executor, ...)
  end
  return start(self, busted)
end

--- Runs busted with the arguments in the global `arg`; in the task that calls, so that specs may wait.
return function() require "busted.runner" { standalone = false } end
