-- Each line of the configurations in tests/nginx: what is so with it, and what is so without it. A line that makes no
-- difference does not stay there. Here all is plain HTTP; streams_spec.lua and uploads_spec.lua have TLS and HTTP/2.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local fronts = require "tests.fronts.front"

local readme = assert(support.read_file "tests/nginx/README.md", "run the specs from the repository's folder")

-- How many more connections Weir has after two more requests.
local function connections(front)
  local first = front:get("/seen").json().connections
  front:get("/seen")
  return front:get("/seen").json().connections - first
end

-- What a client thinks of an answer in the middle of which Weir was killed.
local function killed(front, server)
  local client = front:connect()
  client:send("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n")
  local head = client:receive_head()
  assert.equal("some", client:receive_piece(head))
  server:signal "KILL"
  local _, broken = client:receive_piece(head)
  return broken and "broken off" or "complete"
end

-- What the app sees of a client at 127.0.0.2 that calls itself others.
local function lies(name)
  return function(front)
    local pipe = io.popen(("curl -sS --interface 127.0.0.2 -H 'Host: a.example' -H 'X-Forwarded-For: 192.0.2.6' " ..
      "-H 'X-Forwarded-Host: evil.example' -H 'X-Forwarded-Proto: https' http://%s/seen"):format(front.address))
    local answer = pipe:read "*a"
    pipe:close()
    local seen = weir.json.decode(answer)[name]
    local proxy_pass = seen == "weir" or seen:find "^127.0.0.1:%d+$"
    return proxy_pass and "the one of proxy_pass" or seen
  end
end

-- Whether nginx has a file for a body; it has no name any more.
local function kept(folder)
  local pipe = io.popen(("ls -l /proc/$(cat '%s/pid')/fd"):format(folder))
  local files = pipe:read "*a"
  pipe:close()
  return files:find(folder .. "/bodies/", 1, true) ~= nil
end

-- Where the first half of a body is while the second is not sent, with these lines in its head.
local function half(fields, body)
  return function(front, _, folder)
    local events = front:sse("/events/topic")
    local client = front:connect()
    client:send("POST /upload/topic HTTP/1.1\r\nHost: a\r\n" .. fields .. "\r\n\r\n" .. body)
    return test.eventually(function()
      if kept(folder) then return "in nginx" end
      return events:next(0.01) and "in Weir"
    end)
  end
end

local told = half("Content-Length: 200000", ("x"):rep(100000))
local chunked = half("Transfer-Encoding: chunked", "186a0\r\n" .. ("x"):rep(100000) .. "\r\n")

local function large(front)
  return front:post("/upload/topic", { body = ("x"):rep(2000000) }).status
end

-- How a request is answered for which Weir needs longer than one at `control` may take.
local function late(front, _, _, control)
  local client = front:connect()
  client:send("GET /late/topic HTTP/1.1\r\nHost: a\r\n\r\n")
  test.eventually(function() return front:get("/seen").json().subscribers == 1 end)
  assert.equal(504, control:get("/late/other").status)
  front:post("/events/topic", { body = "now" })
  return client:receive_response().status
end

local function logged(front, _, folder)
  front:get("/seen?ticket=secret")
  return test.eventually(function()
    local lines = (support.read_file(folder .. "/weir.log") or "") .. support.read_file(folder .. "/access.log")
    return lines:find("/seen", 1, true) and (lines:find("secret", 1, true) and "with its ticket" or "without it")
  end)
end

-- Whose id the app has of a request with one.
local function identified(front, _, folder)
  local id = front:get("/seen", { headers = { ["X-Request-Id"] = "mine" } }).json().request_id
  return test.eventually(function()
    local lines = support.read_file(folder .. "/weir.log") or ""
    return lines:find("/seen", 1, true) and (lines:find(id, 1, true) and "that of nginx's log" or id)
  end)
end

-- line, experiment, what it gives with the line and without it, in which files (all)
local lines = {
  { "keepalive 64;", connections, 0, 2 },
  { 'proxy_set_header Connection "";', connections, 0, 2, { weir = true } },
  { 'proxy_set_header Connection "";', killed, "broken off", "complete" },
  { "proxy_http_version 1.1;", killed, "broken off", "complete" },
  { "proxy_http_version 1.1;", chunked, "in Weir", "in nginx", { upload = true, weir = true } },
  { "proxy_set_header Host $http_host;", lies "host_field", "a.example", "the one of proxy_pass" },
  { "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", lies "address", "127.0.0.2", "192.0.2.6" },
  { "proxy_set_header X-Forwarded-Proto $scheme;", lies "scheme", "http", "https" },
  { "proxy_set_header X-Forwarded-Host $http_host;", lies "host", "a.example", "evil.example" },
  { "proxy_set_header X-Request-Id $request_id;", identified, "that of nginx's log", "mine" },
  { "proxy_request_buffering off;", told, "in Weir", "in nginx" },
  { "client_max_body_size 0;", large, 200, 413 },
  { "proxy_read_timeout 300s;", late, 200, 504 },
  { "access_log /var/log/nginx/weir.log weir;", logged, "without it", "with its ticket" },
}

-- Without which it would be no configuration, or not this one.
local structure = { listen = true, server_name = true, server = true, proxy_pass = true, log_format = true,
  ["return"] = true, ssl_certificate = true, ssl_certificate_key = true }

-- Starts a shipped file without TLS, with that line or without it, beside a server that is nginx as it comes. What a
-- line of it overrides is a second there.
local function start(text, line, server)
  if line then
    local first, last = text:find(line, 1, true)
    text = text:sub(1, first - 1) .. text:sub(last + 1)
  end
  text = fronts.mine(text:gsub(" ssl http2;", " default_server;"):gsub("ssl_[^\n]+\n", ""))
  return fronts.start("nginx", text .. [[
    proxy_read_timeout 1s;
    server { listen 127.0.0.1:{control}; location / { proxy_pass http://127.0.0.1:{weir}; } }]], server)
end

describe("behind #fronts, what is shipped for nginx", function()
  after_each(function()
    fronts.stop()
    support.remove_folders()
  end)

  local function serve() return test.spawn { "serve", "tests/fronts/app.lua", "--workers", 2 } end

  local function try(text, line, experiment)
    local server = serve()
    local front = start(text, line, server)
    local seen = experiment(front.https or front.http, server, front.folder, front.control)
    fronts.stop()
    server:close()
    return seen
  end

  for _, name in ipairs { "sse", "upload", "weir" } do
    local text = fronts.text(name)
    local known = {}
    for _, row in ipairs(lines) do
      local line, experiment, with, without, files = unpack(row)
      if text:find(line, 1, true) and (not files or files[name]) then
        known[line] = true
        it(("%s.conf needs %s"):format(name, line), function()
          assert.is_truthy(readme:find("`" .. line .. "`", 1, true), "README.md does not say what it is for")
          assert.equal(with, try(text, nil, experiment))
          assert.equal(without, try(text, line, experiment))
        end)
      end
    end

    it(name .. ".conf has no line that makes no difference", function()
      for line in text:gmatch "\n *(%l[^\n]*;)" do
        assert.is_true(known[line] or structure[line:match "^%l[%l_]*"], line)
      end
    end)
  end

  it("sends who comes without TLS to where it is, with the method and the body that they have", function()
    local front = fronts.start("nginx", fronts.shipped "weir", serve()).http
    local answer = front:post("/a%2Fb?c=d", { body = "e" })
    assert.equal(308, answer.status)
    assert.equal("https://127.0.0.1/a%2Fb?c=d", answer.headers.location)
  end)

  it("can be tried on one machine, as README.md says", function()
    local server, folder = serve(), support.folder()
    local script = readme:match "## To try it on one machine.-```sh\n(.-)```"
    local conf = fronts.text("weir"):gsub("127.0.0.1:8080", "127.0.0.1:" .. server.port)
    support.write_file(folder .. "/shipped.conf", conf)
    local https = support.free_port()
    script = script:gsub('"$WEIR/tests/nginx/weir.conf"', "shipped.conf"):gsub("8443", https)
      :gsub("8081", support.free_port()):gsub(https .. "/\n", https .. "/seen\n")
    support.write_file(folder .. "/try.sh", "cd \"$(dirname \"$0\")\"\nexec 2>errors\n" .. script)
    local pipe = io.popen(("sh -e '%s/try.sh'"):format(folder))
    local answer = pipe:read "*a"
    pipe:close()
    assert.equal("https", assert(weir.json.decode(answer)).scheme)
  end)

  it("does what nginx does not as it comes: that keeps a body until it is whole", function()
    local front = fronts.start("nginx", fronts.plain.nginx, serve())
    assert.equal("in nginx", told(front.open, nil, front.folder))
  end)
end)
