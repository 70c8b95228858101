-- The clients of lua/REFERENCE.md, chapter "Clients": what stands there is run, against answers that end anywhere.
--
-- A language has two blocks: what reads, and an example of its use. Here other lines use it, which write what they got:
-- name, data and id with US between, and RS behind.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

local chapter = assert(assert(support.read_file "lua/REFERENCE.md"):match "\n## Clients\n(.-)\n## ")

-- The n-th block of a language.
local function block(language, n)
  local found = 0
  for text in chapter:gmatch("\n```" .. language .. "\n(.-\n)```") do
    found = found + 1
    if found == n then return text end
  end
  error("no such block of " .. language)
end

-- What each language needs: files by their names, a command that makes a program of them, and the one that runs it.
local clients = {
  bash = {
    files = {
      ["follow.sh"] = block("bash", 1) .. [[got() { printf '%s\x1f%s\x1f%s\x1e' "$@"; }; follow "$1"]] .. "\n",
      ["example.sh"] = block("bash", 1) .. block("bash", 2),
    },
    run = "bash follow.sh", example = "bash example.sh", hasty = { "%-t 45", "-t 0.5" },
  },
  python = {
    files = {
      ["events.py"] = block("python", 1),
      ["follow.py"] = [[
import os, sys
from events import events
sys.stdout.reconfigure(encoding="utf-8")
for event in events(sys.argv[1], os.environ["TOKEN"]): print(*event, sep="\x1f", end="\x1e", flush=True)
]],
      ["example.py"] = block("python", 2),
    },
    run = "python3 follow.py", example = "python3 -u example.py", hasty = { "timeout=45", "timeout=0.5" },
  },
  go = {
    files = {
      ["stream.go"] = block("go", 1),
      ["follow.go"] = [[
package main

import (
	"fmt"
	"os"
)

func main() {
	stream := Stream{URL: os.Args[1], Token: os.Getenv("TOKEN")}
	err := stream.Follow(func(name, data, id string) { fmt.Print(name, "\x1f", data, "\x1f", id, "\x1e") })
	if err != nil {
		os.Exit(1)
	}
}
]],
      ["example.go"] = block("go", 2),
    },
    make = "gccgo -o follow stream.go follow.go && gccgo -o example stream.go example.go",
    run = "./follow", example = "./example", hasty = { "45 %* time.Second", "time.Second / 2" },
  },
}

-- What a stream may be: bytes of one answer, the events in it, and the id that is known behind it. `strict`: Weir sends
-- no such thing, and bash does not take it. Thought out from the HTML standard, section 9.2.
local vectors = {
  { "retry: 1\n\ndata: plain\n\n", { { "message", "plain" } } },
  { "data:no space\n\ndata:  two\n\ndata:\ttab\n\n",
    { { "message", "no space" }, { "message", " two" }, { "message", "\ttab" } } },
  { "data: a\ndata\ndata: b\ndata:\n\n", { { "message", "a\n\nb\n" } } },
  { "data\n\n", { { "message", "" } } },
  { "event: nothing\n\ndata: not its data\n\n", { { "message", "not its data" } } },
  { ": a comment\n:\n::\ndata: c\n:in the middle\n\n:\n\n\n", { { "message", "c" } } },
  { "event: crlf\r\ndata: 1\r\ndata: 2\r\n\r\n", { { "crlf", "1\n2" } } },
  { "data: cr\rdata: only\r\revent: next\rdata: one\r\r", { { "message", "cr\nonly" }, { "next", "one" } },
    strict = true },
  { "data: m\r\ndata: i\rdata: x\n\r\ndata: y\n\n", { { "message", "m\ni\nx" }, { "message", "y" } }, strict = true },
  { "\239\187\191data: a mark before\n\n\239\187\191data: none\n\n", { { "message", "a mark before" } },
    strict = true },
  { "unknown: field\nfoo\ndata: u\nDATA: v\n\n", { { "message", "u" } } },
  { "event:  e \ndata : a name with a space\ndata:: z\n\n", { { " e ", ": z" } } },
  { "event: a\nevent: b\ndata: the last name\n\n", { { "b", "the last name" } } },
  { "id: 7\ndata: has one\n\ndata: keeps it\n\n", { { "message", "has one" }, { "message", "keeps it" } }, id = "7" },
  { "data: still has it\n\n", { { "message", "still has it" } }, id = "7" },
  { "id\ndata: none\n\n", { { "message", "none" } }, id = "" },
  { "id: 8\n\ndata: cut off", {}, id = "8" },
  { "id: 9\ndata: cut off, too\n", {}, id = "8" },
  { "data: whole\nid: 10\n\ndata: cut off\nid: 11\n", { { "message", "whole", "10" } }, id = "10" },
  { "id: a\0b\ndata: no id has that\n\n", { { "message", "no id has that" } }, id = "10", strict = true },
  { "retry: 9000x\nretry: -9000\nretry: 9000.5\nretry:\nretry\nretry: 0x9000\ndata: r\n\n", { { "message", "r" } },
    id = "10" },
  { "data: \195\188 \226\130\172 \240\159\140\138\nid: \195\188\n\n",
    { { "message", "\195\188 \226\130\172 \240\159\140\138" } }, id = "\195\188" },
  { "data: " .. ("x"):rep(200 * 1024) .. "\nid: 12\n\n", { { "message", ("x"):rep(200 * 1024) } }, id = "12" },
  { "\n", {}, id = "12" },
}

describe("clients of the reference #once", function()
  local secret = "a secret of this spec, and long enough"
  local made = {} -- folders, by language
  local server, app, asked

  teardown(support.remove_folders)

  -- Where its programs are; with `hasty` those that take half a second of silence for a dead connection.
  local function folder_of(language, hasty)
    local name = language .. (hasty and ", hasty" or "")
    if made[name] then return made[name] end
    local folder, client, changed = support.folder(), clients[language], 0
    for file, text in pairs(client.files) do
      local other, count = text:gsub(client.hasty[1], client.hasty[2])
      support.write_file(folder .. "/" .. file, hasty and other or text)
      changed = changed + count
    end
    assert(changed > 0)
    if client.make then
      local failed = os.execute(("cd %s && (%s) >made 2>&1"):format(folder, client.make)) ~= 0
      assert(not failed, support.read_file(folder .. "/made"))
    end
    made[name] = folder
    return folder
  end

  -- Runs it beside: `done()` waits for its end and gives the exit code and the events; `events()` gives those so far.
  local function run(language, path, options)
    options = options or {}
    local client, folder = clients[language], folder_of(language, options.hasty)
    local token = options.token or weir.jwt.sign({ sub = "one" }, { secret = secret, exp = 600 })
    local out = folder .. "/out"
    os.remove(folder .. "/code")
    os.remove(out)
    local command = "cd %s && { TOKEN=%s timeout 60 %s %s%s >out 2>err; echo $? >code.new; mv code.new code; } &"
    local program = options.example and client.example or client.run
    assert(os.execute(command:format(folder, token, program, server.url, path)) == 0)
    local function events()
      local list = {}
      for name, data, id in (support.read_file(out) or ""):gmatch "([^\31]*)\31([^\31]*)\31([^\30]*)\30" do
        list[#list + 1] = { name, data, id }
      end
      return list
    end
    local function done()
      local code = test.eventually(function() return support.read_file(folder .. "/code") end, 60)
      return tonumber(code), events(), support.read_file(out), support.read_file(folder .. "/err")
    end
    return done, events
  end

  -- `answer(stream, n)` is what the n-th request for the path gets.
  local function route(path, answer)
    app:get(path, weir.jwt { secret = secret }, function(stream)
      assert(stream.headers.accept == "text/event-stream")
      asked[#asked + 1] = stream.headers["last-event-id"] or ""
      return answer(stream, #asked)
    end)
  end

  local function none(stream)
    stream:status(204)
  end

  local function send(stream, bytes, size)
    stream:header("Content-Type", "text/event-stream")
    for at = 1, #bytes, size do
      stream:write(bytes:sub(at, at + size - 1))
      stream:flush()
    end
  end

  before_each(function()
    app, asked = weir.app(), {}
  end)

  for _, language in ipairs { "bash", "python", "go" } do
    describe("in " .. language, function()
      for _, size in ipairs { 1, 100000 } do
        it(("read what a stream may hold, in pieces of %d"):format(size), function()
          local list, events, ids, id = {}, {}, { "" }, ""
          for _, vector in ipairs(vectors) do
            if not (vector.strict and language == "bash") then
              list[#list + 1] = vector[1]
              id = vector.id or id
              for _, event in ipairs(vector[2]) do events[#events + 1] = { event[1], event[2], event[3] or id } end
              ids[#ids + 1] = id
            end
          end
          route("/", function(stream, n)
            if not list[n] then return none(stream) end
            send(stream, list[n], #list[n] > 1000 and 100000 or size)
          end)
          server = test.start(app)
          local code, got, _, err = run(language, "/")()
          assert.equal("", err)
          assert.same(events, got)
          assert.same(ids, asked)
          assert.equal(0, code)
        end)
      end

      it("get each event once when the connection is cut at any byte", function()
        local texts = {
          "event: one\ndata: 1\ndata: a\nid: 1\n\n", ": c\ndata: 2\nid: 2\n\n", "data: \195\188\r\nid: 3\r\n\r\n",
        }
        local tried = {}
        route("/", function(stream, n)
          local last = tonumber(stream.headers["last-event-id"] or 0)
          if last == #texts then return none(stream) end
          if n > 500 then weir.fail(404) end -- it does not get on
          tried[last] = (tried[last] or 0) + 1
          send(stream, "retry: 0\n" .. table.concat(texts, "", last + 1):sub(1, tried[last]), 100000)
          if n % 2 == 0 then error("the spec cuts it off", 0) end
        end)
        server = test.start(app)
        local code, got, _, err = run(language, "/")()
        test.log.take "the spec cuts it off"
        assert.equal("", err)
        assert.same({ { "one", "1\na", "1" }, { "message", "2", "2" }, { "message", "\195\188", "3" } }, got)
        assert.equal(0, code)
        assert.is_true(#asked >= #table.concat(texts)) -- a byte more each time, of each
      end)

      it("follow a topic through cuts, refusals, a gap and its end", function()
        weir.topics { clients = { history = { count = 5 } } }
        local shut, refused = false, 0
        route("/", function(stream)
          if shut then
            refused = refused + 1
            stream:status(refused % 2 == 0 and 429 or 503)
            stream:header("Retry-After", "0")
            return "later\n"
          end
          stream:sse({ retry = 10 }):subscribe("clients", { after = "earliest" })
        end)
        server = test.start(app)
        local published = 0
        local function publish(n)
          for _ = 1, n do
            published = published + 1
            weir.publish("clients", { event = "n", data = tostring(published) .. "\nof many" })
          end
        end
        publish(3)
        local done, events = run(language, "/")
        local function reads(n) test.eventually(function() return #events() == n end, 30) end
        reads(3)
        shut = true
        weir.streams({ topic = "clients" }):close "cancelled"
        test.eventually(function() return refused >= 2 end, 30)
        publish(10)
        shut = false
        reads(3 + 1 + 5)
        weir.streams({ topic = "clients" }):close "cancelled"
        publish(1)
        reads(10)
        weir.close("clients", { event = "n", data = "the last" })
        local code, got = done()
        assert.equal(0, code)
        local wanted = { 1, 2, 3, "gap", 9, 10, 11, 12, 13, 14, "last", "end" }
        for i, what in ipairs(wanted) do
          local name, data = got[i][1], got[i][2]
          if what == "gap" then
            assert.same({ "weir.gap", { reason = "trimmed", lost = 5 } }, { name, weir.json.decode(data) })
          elseif what == "last" then
            assert.same({ "n", "the last" }, { name, data })
          elseif what == "end" then
            assert.same({ "weir.end", { reason = "closed" } }, { name, weir.json.decode(data) })
          else
            assert.same({ "n", what .. "\nof many" }, { name, data })
          end
        end
        assert.equal(#wanted, #got)
      end)

      it("wait as long as they are told", function()
        local ended
        route("/", function(stream, n)
          if n == 2 then
            ended = weir.now() - ended
            return none(stream)
          end
          send(stream, "retry: 0400\n\n", 100)
          ended = weir.now()
        end)
        server = test.start(app)
        assert.equal(0, (run(language, "/")()))
        assert.is_true(ended >= 0.39, "they wait " .. ended) -- in milliseconds, rounded
      end)

      it("come back when they are told in another way how late", function()
        local ways = { "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "nan", "-1", "1e9", "\226\130\130" }
        route("/", function(stream, n)
          if n == 1 then return send(stream, "retry: 10\n\n", 100) end
          if n > #ways + 1 then return none(stream) end
          stream:status(503)
          stream:header("Retry-After", ways[n - 1])
        end)
        server = test.start(app)
        local code, _, _, err = run(language, "/")()
        assert.same({ 0, "", #ways + 2 }, { code, err, #asked })
      end)

      it("come back from a connection that is silent", function()
        route("/", function(stream, n)
          if n == 3 then return none(stream) end
          local sse = stream:sse { retry = 10, heartbeat = false }
          if n == 1 then sse:send { data = "then nothing", id = "1" } else sse:flush() end
          weir.sleep(3600)
        end)
        server = test.start(app)
        local code, got = run(language, "/", { hasty = true })()
        assert.same({ 0, { { "message", "then nothing", "1" } } }, { code, got })
        assert.same({ "", "1", "1" }, asked)
      end)

      it("end when they are refused, and show no other server their token", function()
        route("/redirect", function(stream) stream:redirect "/elsewhere" end)
        route("/404", function() weir.fail(404) end)
        local elsewhere = 0
        app:get("/elsewhere", function() elsewhere = elsewhere + 1 end)
        server = test.start(app)
        for _, case in ipairs { { "/redirect" }, { "/404" }, { "/404", "no.token.atall" } } do
          local code, got = run(language, case[1], { token = case[2] })()
          assert.equal(1, code)
          assert.same({}, got)
        end
        assert.equal(2, #asked)
        assert.equal(0, elsewhere)
      end)

      it("do what the example says", function()
        weir.topics { clients = { history = { count = 2 } } }
        route("/", function(stream)
          stream:sse({ retry = 10, hello = true }):subscribe("clients", { after = "1-0" })
        end)
        server = test.start(app)
        for i = 1, 3 do weir.publish("clients", { event = i == 3 and "last" or nil, data = i .. " of 3" }) end
        weir.close "clients"
        local code, _, said, err = run(language, "/", { example = true })()
        assert.same({ 0, "" }, { code, err })
        local gap, rest = said:match "^missing: ([^\n]*)\n(.*)$"
        assert.is_string(weir.json.decode(gap).reason)
        assert.equal("message: 2 of 3\nlast: 3 of 3\n", rest)
      end)
    end)
  end
end)
