-- The client of client.mjs, as a spec calls it.

local weir = require "weir"

local client = {}

-- What came of a story by that way through a port of a front; a port called https speaks TLS.
function client.live(way, story, front, port, ...)
  local modules = os.getenv "NODE_MODULES" or "build/node/node_modules"
  local scheme = port == "https" and "https" or "http"
  local certificate = port == "https" and ("NODE_EXTRA_CA_CERTS='%s/certificate.pem' "):format(front.folder) or ""
  local pipe = io.popen(("%sNODE_MODULES='%s' '%s/.bin/node' tests/fronts/client.mjs %s 2>&1"):format(certificate,
    modules, modules, table.concat({ way, story, scheme .. "://" .. front[port].address, ... }, " ")))
  local output = pipe:read "*a"
  pipe:close()
  weir.sleep(0) -- it has held up this loop: what is timed from here on begins now
  return (output:gsub("\n$", ""))
end

return client
