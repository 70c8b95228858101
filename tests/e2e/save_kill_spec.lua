-- What stream:save promises over kill -9: what was answered is there, whole, and of what was not nothing half-written
-- is ever seen, nor a temporary file after the next save.
--
-- Each file of a client holds which version of it it is, line for line, so that any mixture of two, or a part of one,
-- shows. The server is killed in the middle of the uploads, when a number of bytes, drawn beforehand, has been sent.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local KILLS, CLIENTS, FILES = 100, 4, 3
local SEED = tonumber(os.getenv "SAVE_KILL_SEED") or 1

-- In every other life of the server, as on a file system without files that have no name.
local APP = [[
  local weir = require "weir"
  local app = weir.app()
  if os.getenv "NAMED" then require "weir.test".fault("file_tmpfile", "EOPNOTSUPP", 0, 1000000000) end
  app:put("/:name", function(stream)
    local _, digest = assert(stream:save(stream.params.name, { hash = "sha256" }))
    return digest
  end)
  return app]]

local function body_of(name, version)
  local line = ("%s %d\n"):format(name, version)
  local lines = version * 7919 % 97 == 0 and 30000 or version * 7919 % 1000 + 1
  return line:rep(lines)
end

describe("stream:save over kill -9", function()
  after_each(support.remove_folders)

  it("keeps what it has answered and shows nothing by half, a hundred times #once", function()
    local path, data = support.app_file(APP), support.folder()
    local uploads = data .. "/uploads"
    local random = SEED
    local function draw(n)
      random = (random * 1103515245 + 12345) % 2 ^ 31
      return math.floor(random / 65536) % n + 1
    end
    local sent, answered, swept = {}, {}, 0 -- the newest version of each name

    local function put(server, name, budget)
      local version = (sent[name] or 0) + 1
      local body = body_of(name, version)
      local client, at = server:connect(), 1
      sent[name] = version
      if not client then return false end
      client:send(("PUT /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"):format(name, #body))
      while at <= #body do
        local n = draw(20000)
        if not client:send(body:sub(at, at + n - 1)) then return false end
        at = at + n
        budget.bytes = budget.bytes - n
        if budget.bytes <= 0 and not budget.over then
          budget.over = true
          server:signal "KILL"
        end
      end
      local head = client:receive "\r\n\r\n"
      local digest = head and client:receive(64)
      client:close()
      if not digest then return false end
      assert.equal(weir.hex.encode(weir.hash("sha256", body)), digest)
      answered[name] = version
      return true
    end

    local function look(context)
      local seen = {}
      for _, name in ipairs(weir.fs.list(uploads)) do
        assert(name:sub(1, 1) ~= ".", context .. ": " .. name .. " was left behind")
        local content = assert(support.read_file(uploads .. "/" .. name))
        local version = tonumber(content:match "^%S+ (%d+)\n") or error(context .. ": half of " .. name)
        assert(content == body_of(name, version), context .. ": a part of " .. name)
        assert(version <= sent[name] and version >= (answered[name] or 1), context .. ": an old " .. name)
        seen[name] = true
      end
      for name in pairs(answered) do assert(seen[name], context .. ": " .. name .. " is gone") end
    end

    for life = 1, KILLS do
      local context = ("life %d of seed %d"):format(life, SEED)
      local left = weir.fs.list(uploads) or {}
      for _, name in ipairs(left) do swept = swept + (name:sub(1, 1) == "." and 1 or 0) end
      local server = test.spawn { "serve", path, "--data", data, "--workers", 1,
        env = { NAMED = life % 2 == 0 and "yes" or nil } }
      assert(put(server, "first", { bytes = math.huge }), context)
      look(context)
      local budget = { bytes = draw(200) * draw(10000) }
      local tasks = {}
      for client = 1, CLIENTS do
        tasks[client] = weir.spawn(function()
          local file = 0
          repeat file = file + 1 until not put(server, ("client-%d-%d"):format(client, file % FILES), budget)
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
      server:wait(60)
    end
    assert.is_true(swept > 0) -- else it has not been seen that they are
  end)
end)
