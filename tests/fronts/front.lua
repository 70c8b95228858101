-- A front: nginx, HAProxy or Apache before a server of Weir, on ports that nobody has, in a folder of its own. It is
-- one process in the foreground, which ends with this one's process group, or by its number. It does not know what is
-- asked.
--
-- In a configuration {folder} is that folder and {weir} the server's port; any other name in braces is a port on which
-- the front listens: front.NAME is a server of weir.test, as clients see one. Where key.pem is named, that and
-- certificate.pem are in the folder.

local test = require "weir.test"
local support = require "spec.support"

local fronts = {}

local kinds = {
  nginx = { "nginx -p '{folder}' -e '{folder}/error.log' -c '{folder}/front.conf'", [[
    daemon off; master_process off; pid {folder}/front.pid; error_log {folder}/error.log;
    events { worker_connections {connections}; }
    http {
      access_log {folder}/access.log; client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/2;
      fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
      %s
    }]] },
  haproxy = { "haproxy -db -f '{folder}/front.conf'", [[
    defaults
      mode http
      option http-no-delay # else an event waits 200 ms for another one
      timeout connect 9s
      timeout client 9s
      timeout server 9s
%s
    backend weir
      server weir 127.0.0.1:{weir}
]] },
  apache = { "apache2 -X -d '{folder}' -f '{folder}/front.conf'", [[
    ServerName localhost
    PidFile {folder}/front.pid
    DefaultRuntimeDir {folder}
    ErrorLog {folder}/error.log
    LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
    LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
    LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
    LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
    User www-data
    Group www-data
%s
]] },
}

-- What passes everything on, and says nothing else.
fronts.plain = {
  nginx = "server { listen 127.0.0.1:{open}; location / { proxy_pass http://127.0.0.1:{weir}; } }",
  haproxy = [[
    frontend open
      bind 127.0.0.1:{open}
      default_backend weir]],
  apache = [[
    Listen 127.0.0.1:{open}
    ProxyPass / http://127.0.0.1:{weir}/]],
}

-- A server in the eyes of a client: only a port.
local function at(server, port)
  return setmetatable({ port = port, address = "127.0.0.1:" .. port }, getmetatable(server))
end

local function accepts(port)
  local client = test.connect(port)
  if client then client:close() end
  return client ~= nil
end

local function make_certificate(folder)
  local command = "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 " ..
    "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem 2>openssl"
  assert(os.execute(command:format(folder)) == 0, support.read_file(folder .. "/openssl"))
end

local running = {}

-- What stands for the names in braces, and the ports among it.
local function values_for(text, values, server)
  local ports = {}
  for name in text:gmatch "{(%l+)}" do
    if not values[name] then
      values[name] = support.free_port()
      ports[name] = at(server, values[name])
    end
  end
  return values, ports
end

-- Starts one of a kind with that configuration, and waits until it listens. nginx has as many worker_connections.
function fronts.start(kind, config, server, connections)
  local folder = support.folder()
  local command, frame = unpack(kinds[kind])
  local text = frame:format(config)
  local values, ports = values_for(text, {
    folder = folder, weir = server.port, connections = connections or 256,
  }, server)
  support.write_file(folder .. "/front.conf", (text:gsub("{(%l+)}", values)))
  if text:find("key.pem", 1, true) then make_certificate(folder) end
  command = command:gsub("{(%l+)}", values)
  os.execute(("%s >'%s/output' 2>&1 </dev/null & echo $! >'%s/pid'"):format(command, folder, folder))
  local front = setmetatable({ folder = folder, ports = ports }, { __index = ports })
  running[#running + 1] = front
  for _, port in pairs(ports) do
    local up = pcall(test.eventually, function() return accepts(port.port) end, 20)
    if not up then error(kind .. " does not start: " .. (support.read_file(folder .. "/output") or "")) end
  end
  return front
end

-- Ends all that were started.
function fronts.stop()
  for _, front in ipairs(running) do
    os.execute(("kill -9 $(cat '%s/pid')"):format(front.folder))
    for _, port in pairs(front.ports) do
      test.eventually(function() return not accepts(port.port) end, 20)
    end
  end
  running = {}
end

-- ---- what is shipped ------------------------------------------------------------------------------------------------

-- What is put in, as who copies such a file puts in what is theirs.
local own = {
  { "listen 80;", "listen 127.0.0.1:{http};" },
  { "listen 443 ", "listen 127.0.0.1:{https} " },
  { "127.0.0.1:8080", "127.0.0.1:{weir}" },
  { "/etc/ssl/events.example.pem", "{folder}/certificate.pem" },
  { "/etc/ssl/events.example.key", "{folder}/key.pem" },
  { "/var/log/nginx/", "{folder}/" },
}

-- The file tests/nginx/NAME.conf, as it is.
function fronts.text(name)
  return (assert(support.read_file("tests/nginx/" .. name .. ".conf"), "run the specs from the repository's folder"))
end

-- The text of such a file with what is this machine's, and within a server where it has none.
function fronts.mine(text)
  for _, change in ipairs(own) do
    local first, last = text:find(change[1], 1, true)
    if first then text = text:sub(1, first - 1) .. change[2] .. text:sub(last + 1) end
  end
  return text:find("server {", 1, true) and text or "server { listen 127.0.0.1:{http};\n" .. text .. "}"
end

function fronts.shipped(name) return fronts.mine(fronts.text(name)) end

return fronts
