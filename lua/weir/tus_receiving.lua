-- tus_receiving: how the body of a request comes to the end of an upload.
--
--        the body --a piece in memory, a piece being written--> the file --synced--> told
--          | ended          all of it is there
--          | broke off      what has come is there: also what lay in memory when it did
--          `-- taken over   another request wants the upload: the same, and this one is answered 409
--
-- A client whose connection has died comes back long before the server can know that the old one is dead. So who comes
-- later is right: it asks for the upload (weir.tus_files), and the request that has it stops where it is. That is what
-- a second tab does, too. While a body is read, a task beside it waits for such a question, and whichever of the two is
-- over first ends the other.
--
-- The request goes on without its client: what has been received of it is kept though nobody is there to be told.

local broken = require "weir.broken"
local check = require "weir.check"
local core = require "weir.core"
local saving = require "weir.saving"
local task = require "weir.task"
local Files = require "weir.tus_files"

local receiving = {}

-- Writes what is here of the body: nil, or a code and a message.
local function take(stream, upload, most, on_progress)
  local n = stream:_move(upload.appender, most - upload.offset)
  if not n then return "limit" end
  if n == 0 then return nil end
  local ok, code, message = check(core.writer_write(upload.appender))
  if not ok then return code, message end
  upload.offset = upload.offset + n
  if on_progress then on_progress() end
end

-- All of the body: nil, or a code and a message.
local function copy(stream, upload, most, on_progress)
  local want = 1
  while true do
    local n, why = check(stream:_gather(want))
    if why then return why end
    if not n then return nil end
    local code, message = take(stream, upload, most, on_progress)
    if code then return code, message end
    want = saving.want(n)
  end
end

-- The codes with which a request ends whose bytes so far are good.
local KEEPS = { closed = true, timeout = true, taken = true }

--- Adds the body of a request to `upload`, { id, appender, offset, ticket }, up to the length `most`; `on_progress()`
--- is called after each piece, when `offset` has moved. What came is not synced. nil, or a code and a message:
--- "closed", "timeout", "taken", "limit", or the system's.
function receiving.receive(stream, upload, most, on_progress)
  stream:detach()
  local first, code, message = task.race {
    function() return copy(stream, upload, most, on_progress) end,
    function() Files.await_newer(upload.id, upload.ticket) end,
  }
  if first == 2 then code, message = "taken", "another request goes on with this upload" end
  if not KEEPS[code] then return code, message end
  local failed, why = take(stream, upload, most) -- what came while the last piece was written
  if failed then return failed, why end
  return code, message or broken[code][2]:format "the request body"
end

return receiving
