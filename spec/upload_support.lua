-- What the specs of apps/upload share: the app with a folder of its own, people who ask it, and what they get.

local assert = require "luassert"
local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"
local json = weir.json

local uploading = {} -- .server and .folder are those of `begin` or `use`

local tokens, secret

local function make_token(name)
  if secret then return weir.jwt.sign({ sub = name, upload = "write" }, { secret = secret }) end
  return uploading.server:post("/demo/token", { body = name }).body
end

function uploading.token(name)
  tokens[name] = tokens[name] or make_token(name)
  return tokens[name]
end

function uploading.ask(method, path, options)
  options = options or {}
  local headers = { Authorization = "Bearer " .. uploading.token(options.as or "ann") }
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  return uploading.server:request(method, path, { headers = headers, body = options.body })
end

function uploading.post_json(path, value, as)
  local headers = { ["Content-Type"] = "application/json" }
  return uploading.ask("POST", path, { body = json.encode(value), headers = headers, as = as })
end

--- The lines of an answer: { { "data" | "error" | "result", value }, ... }.
function uploading.lines_of(body)
  local lines = {}
  for name, text in body:gmatch "(%w+): ([^\n]*)\n\n" do lines[#lines + 1] = { name, json.decode(text) } end
  return lines
end

--- The result of an upload that is kept.
function uploading.put(path, body, options)
  options = options or {}
  options.body = body
  local answer = uploading.ask("PUT", "/files/" .. path, options)
  assert.equal(200, answer.status, answer.body)
  assert.equal("text/event-stream", answer.headers["content-type"])
  local lines = uploading.lines_of(answer.body)
  assert.equal("result", lines[#lines][1], answer.body)
  return lines[#lines][2]
end

function uploading.list(as)
  local answer = uploading.ask("GET", "/files", { as = as })
  assert.equal(200, answer.status, answer.body)
  return answer.json()
end

--- The files' names, sorted.
function uploading.names(as)
  local all = {}
  for _, file in ipairs(uploading.list(as).files) do all[#all + 1] = file.name end
  table.sort(all)
  return table.concat(all, ", ")
end

--- What lies in the folders of owners: the ids, sorted.
function uploading.stored()
  local ids, folder = {}, uploading.folder .. "/upload"
  for _, owner in ipairs(weir.fs.list(folder) or {}) do
    for _, id in ipairs(weir.fs.list(folder .. "/" .. owner)) do ids[#ids + 1] = id end
  end
  table.sort(ids)
  return ids
end

--- It is an error in the way of the app.
function uploading.refused(answer, status, code)
  assert.equal(status, answer.status, answer.body)
  assert.equal(code, answer.json().errorCode, answer.body)
  assert.is_string(answer.json().message)
end

--- A form of { header, content }.
function uploading.form(parts)
  local text = {}
  for _, part in ipairs(parts) do
    text[#text + 1] = "--xyz\r\nContent-Disposition: form-data; " .. part[1] .. "\r\n\r\n" .. part[2] .. "\r\n"
  end
  return table.concat(text) .. "--xyz--\r\n"
end

function uploading.post(parts, path, as)
  return uploading.ask("POST", path or "/files", {
    as = as,
    body = type(parts) == "string" and parts or uploading.form(parts),
    headers = { ["Content-Type"] = "multipart/form-data; boundary=xyz" },
  })
end

--- Asks this server from now on, whose folder that is. `with` is its secret, nil for the demo.
function uploading.use(server, folder, with)
  tokens, secret, uploading.server, uploading.folder = {}, with, server, folder
end

--- Serves the app by a clock that stands still.
function uploading.begin(env)
  local folder = support.folder()
  env = env or {}
  env.UPLOAD_FOLDER = folder
  test.clock.freeze()
  uploading.use(test.start { "apps/upload/app.lua", env = env }, folder, env.UPLOAD_SECRET)
end

--- A request whose body has not ended, with a line more in its head if wanted: to be sent on, and closed.
function uploading.open_put(path, length, first, line)
  local client = test.connect(uploading.server.port)
  client:send(("PUT /files/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"):format(path, length))
  if line then client:send(line .. "\r\n") end
  client:send(("Authorization: Bearer %s\r\n\r\n%s"):format(uploading.token "ann", first))
  return client
end

--- Waits until so many uploads run: the newest.
function uploading.running(n)
  return test.eventually(function()
    local now = uploading.list().running
    return #now == n and (n == 0 or now[1])
  end)
end

--- Lets time pass until the one upload has told that so much is there.
function uploading.arrived(bytes, step)
  test.eventually(function()
    test.clock.advance(step or 0.1)
    local progress = uploading.list().running[1].progress
    return progress and progress.received == bytes
  end)
end

uploading.SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" -- FIPS 180-2

return uploading
