-- For the raw-socket specs: each case is tried twice, sent whole and sent byte by byte.

-- busted's names are no globals in a module that is required.
local it = require("busted").it
local assert = require "luassert"
local weir = require "weir"
local test = require "weir.test"

local wire = {}

-- Request lines and fields, joined as HTTP has them; what follows the empty line is given by itself.
function wire.request(lines, body)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

-- Lets the server see each byte by itself.
local function send_slowly(client, bytes)
  for i = 1, #bytes do
    if not client:send(bytes:sub(i, i)) then return end
    weir.sleep(0)
  end
end

-- Declares two specs: `run(client, server)` is called when the bytes are sent over a new connection to `serve()`.
function wire.both(name, serve, bytes, run)
  for _, how in ipairs { "whole", "byte by byte" } do
    it(name .. " (" .. how .. ")", function()
      local server = serve()
      local client = server:connect()
      test.log.take()
      if how == "whole" then client:send(bytes) else send_slowly(client, bytes) end
      run(client, server)
    end)
  end
end

-- Nothing more comes and the connection is closed.
function wire.assert_closed(client)
  local rest, why = client:receive_all(2)
  assert.equal("", rest)
  assert.is_true(why == "closed" or why == "reset", "the connection: " .. why)
end

-- The answer to bad input: the status, the connection's end, one line in the log, and a server that goes on.
function wire.assert_refused(client, server, status)
  local response, why = client:receive_response()
  assert.is_truthy(response, why)
  assert.equal(status, response.status)
  wire.assert_closed(client)
  local lines = test.log.take()
  local texts = {}
  for i, line in ipairs(lines) do texts[i] = line.level .. " " .. line.text end
  assert.equal(1, #lines, table.concat(texts, "\n"))
  assert.equal(200, server:get("/").status)
end

return wire
