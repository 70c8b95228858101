-- Searching logs backward and reading them forward: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("logs:search and logs:read", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(support.remove_folders)

  local function write(name, text) support.write_file(folder .. "/" .. name, text) end

  local function logs_of(names, redact)
    local sources = {}
    for i, name in ipairs(names) do sources[i] = folder .. "/" .. name end
    return weir.logs { sources = sources, redact = redact }
  end

  -- The lines of all events, those of a search turned into the order of the files; and the data of the last event.
  local function lines_of(look, backward)
    local lines, last = {}, nil
    for event in look do
      if event.event == "lines" then
        table.insert(lines, backward and 1 or #lines + 1, event.data)
      end
      last = event
    end
    assert.equal("end", last.event)
    return table.concat(lines, "\n"), weir.json.decode(last.data)
  end

  local function search(logs, options)
    options.format = options.format or "text"
    return lines_of(logs:search(options), true)
  end

  local function read(logs, options)
    options.format = options.format or "text"
    return lines_of(logs:read(options), false)
  end

  it("give 1,000 and 100 lines by default", function()
    local all = {}
    for i = 1, 1100 do all[i] = tostring(i) end
    write("log", table.concat(all, "\n") .. "\n")
    local logs = logs_of { "log" }
    assert.equal(table.concat(all, "\n", 101), (search(logs, {})))
    assert.equal(table.concat(all, "\n", 1, 100), (read(logs, {})))
  end)

  -- An id can be made up: from wherever in the log it is read, or up to there, no digit of the secret is shown.
  for _, name in ipairs { "log", "log.1", "log.1.gz" } do
    for _, max_line in ipairs { 16, 65536 } do
      it(("redacts %s from and up to any place, in lines of %d bytes"):format(name, max_line), function()
        local file = name:gsub("%.gz$", "")
        write(file, "one\n" .. ("x"):rep(9) .. "token=12345678\nlast\n")
        local id
        for event in logs_of { "log" }:read { max_line = max_line } do
          if event.event == "lines" then id = weir.json.decode(event.data:match "[^\n]+$").id end
        end
        if file ~= name then assert.equal(0, os.execute(("gzip '%s/%s'"):format(folder, file))) end
        local logs = logs_of({ "log" }, { "tokens" })
        local start, size = id:match "^(.*%.)(%x+)$"
        for place = 0, tonumber(size, 16) do
          local at = start .. ("%x"):format(place)
          local after = read(logs, { after = at, max_line = max_line })
          local upto = read(logs, { upto = at, max_line = max_line })
          local before = search(logs, { before = at, max_line = max_line })
          assert.is_nil((after .. upto .. before):match "%d", "at " .. place)
          if place == 4 then
            assert.same({ "one", "one" }, { upto, before })
            assert.matches(max_line == 16 and "^%[withheld: .*last$" or "^x+token=%*%*%*\nlast$", after)
          end
        end
      end)
    end
  end

  it("gives what is there, rotated files too, either way", function()
    write("log.2", "1\n2\n")
    write("log.1", "3\n4\n")
    write("log", "5\n6\nnot whole")
    local logs = logs_of { "log" }
    assert.equal("1\n2\n3\n4\n5\n6", (search(logs, {})))
    assert.equal("1\n2\n3\n4\n5\n6", (read(logs, {})))
  end)

  it("goes on where it said", function()
    write("log.1", "1\n2\n3\n")
    write("log", "4\n5\n")
    local logs = logs_of { "log" }
    local lines, last = search(logs, { lines = 2 })
    assert.equal("4\n5", lines)
    lines, last = search(logs, { lines = 2, before = last.older })
    assert.equal("2\n3", lines)
    lines, last = search(logs, { lines = 2, before = last.older })
    assert.equal("1", lines)
    assert.is_nil(last.older)
    lines, last = read(logs, { lines = 4 })
    assert.equal("1\n2\n3\n4", lines)
    lines, last = read(logs, { lines = 4, after = last.newer })
    assert.equal("5", lines)
    assert.is_nil(last.newer)
  end)

  it("gives lines as follow does, whose ids lead to what is around them", function()
    write("log", "2026-01-31T12:00:00Z ERROR one\n2026-01-31T12:00:01Z two\nthree\n")
    local logs = logs_of { "log" }
    local found = search(logs, { include = { "two" }, format = "json" })
    local line = weir.json.decode(found)
    assert.equal("2026-01-31T12:00:01Z two", line.line)
    assert.equal(1769860801, line.t)
    assert.equal("2026-01-31T12:00:00Z ERROR one\n2026-01-31T12:00:01Z two", (search(logs, { before = line.id })))
    assert.equal("three", (read(logs, { after = line.id })))
    assert.equal("2026-01-31T12:00:00Z ERROR one\n2026-01-31T12:00:01Z two", (read(logs, { upto = line.id })))
    local first = weir.json.decode((search(logs, { include = { { level = "error" } }, format = "json" })))
    assert.equal("error", first.level)
    assert.equal("2026-01-31T12:00:01Z two", (read(logs, { after = first.id, upto = line.id })))
  end)

  it("tells the files first", function()
    write("log", "1\n")
    local events = {}
    local sources = { { path = folder .. "/log", labels = { service = "a" } }, folder .. "/none" }
    for event in weir.logs { sources = sources }:read {} do events[#events + 1] = event end
    local there, missing = weir.json.decode(events[1].data), weir.json.decode(events[2].data)
    assert.same({ "source", "source", "lines", "end" },
      { events[1].event, events[2].event, events[3].event, events[4].event })
    assert.same({ service = "a" }, there.labels)
    assert.equal("found", there.state)
    assert.equal("waiting", missing.state)
    assert.equal(there.key, events[3].id:match "^(%x+)~")
    assert.is_nil(events[5])
  end)

  it("looks at 64 files, and says so of the others", function()
    for i = 1, 66 do write(("%02d.log"):format(i), i .. "\n") end
    local errors, lines = 0, 0
    for event in weir.logs { sources = folder .. "/*.log" }:search { format = "text" } do
      if event.event == "source" and event.data:find "more than 64 files" then errors = errors + 1 end
      if event.event == "lines" then lines = lines + 1 + select(2, event.data:gsub("\n", "")) end
    end
    assert.equal(2, errors)
    assert.equal(64, lines)
  end)

  it("merges logs by time, or takes those of some keys only", function()
    write("a", "2026-01-31T12:00:00Z a1\n  trace\n2026-01-31T12:00:03Z a2\n")
    write("b", "2026-01-31T12:00:01Z b1\n2026-01-31T12:00:02Z b2\n")
    local logs = logs_of { "a", "b" }
    local all = "2026-01-31T12:00:00Z a1\n  trace\n2026-01-31T12:00:01Z b1\n2026-01-31T12:00:02Z b2\n"
      .. "2026-01-31T12:00:03Z a2"
    assert.equal(all, (search(logs, {})))
    assert.equal(all, (read(logs, {})))
    local key = logs:sources()[2].key
    assert.equal("2026-01-31T12:00:01Z b1\n2026-01-31T12:00:02Z b2", (search(logs, { only = { key } })))
    assert.equal("2026-01-31T12:00:02Z b2\n2026-01-31T12:00:03Z a2", (search(logs, { since = 1769860802 })))
    assert.equal("2026-01-31T12:00:01Z b1",
      (read(logs, { since = "2026-01-31T12:00:01Z", before = "2026-01-31T12:00:02Z" })))
    assert.equal("", (search(logs, { only = { "none" } })))
  end)

  it("filters what is left when the redaction is done", function()
    write("log", "to 192.0.2.7 sent\nto nobody\n")
    local logs = logs_of({ "log" }, { "addresses", { pattern = "nobody", with = "somebody" } })
    assert.equal("", (search(logs, { include = { "192.0.2.7" } })))
    assert.equal("", (search(logs, { include = { "to nobody" } })))
    assert.equal("to somebody", (search(logs, { include = { "SOMEBODY" } })))
    assert.is_nil((search(logs, {}):find("192.0.2.7", 1, true)))
  end)

  it("gives a long line in pieces", function()
    write("log", ("x"):rep(10) .. "\n")
    local found = search(logs_of { "log" }, { max_line = 4, format = "json" })
    local pieces = {}
    for line in found:gmatch "[^\n]+" do
      local piece = weir.json.decode(line)
      pieces[#pieces + 1] = piece.line
      assert.is_true(piece.cut)
    end
    assert.same({ "xxxx", "xxxx", "xx" }, pieces)
  end)

  it("says where reading failed, and goes on", function()
    write("log.1", "1\n")
    write("log", "2\n")
    local logs, gaps = logs_of { "log" }, 0
    for skip = 0, 11 do
      local look, last = logs:read { format = "text" }, nil
      look() -- the source
      test.fault("tail_read", "EIO", skip)
      for event in look do
        if event.event == "gap" then
          gaps = gaps + 1
          assert.matches('^{"source":"%x+"}$', event.data)
        end
        last = event.event
      end
      test.fault_reset()
      assert.equal("end", last)
    end
    assert.is_true(gaps > 0)
  end)

  it("ends with the task that waits for it", function()
    local big = {}
    for i = 1, 20000 do big[i] = ("line %d"):format(i) end
    write("log", table.concat(big, "\n") .. "\n")
    local logs = logs_of { "log" }
    local look
    local task = weir.spawn(function()
      look = logs:search { include = { { pattern = "^(?=none)" } } }
      look() -- the source
      look()
    end)
    test.settle()
    task:cancel()
    task:join()
    look:close()
    assert.is_nil(look())
  end)

  it("is what sse:send takes", function()
    write("log", "one\ntwo\n")
    local logs, app = logs_of { "log" }, weir.app()
    app:get("/search", function(stream)
      local sse = stream:sse()
      for event in logs:search { format = "text" } do
        if not sse:send(event) then break end
      end
    end)
    local events = test.start(app):sse("/search")
    local got = {}
    for i = 1, 3 do got[i] = events:next() end
    test.cleanup()
    assert.equal("source", got[1].event)
    assert.equal("one\ntwo", got[2].data)
    assert.matches("^%x+~", got[2].id)
    assert.equal("end", got[3].event)
  end)

  it("has limits", function()
    write("log", "1\n")
    local logs = logs_of { "log" }
    local function refused(method, options, message)
      local ok, err = pcall(logs[method], logs, options)
      assert.is_false(ok)
      assert.matches(message, err, 1, true)
    end
    search(logs, { lines = 100000 })
    refused("search", { lines = 100001 }, "lines must be 100000 at most")
    refused("search", { lines = 0 }, "lines must be")
    refused("read", { after = "no place~" }, "it is no id of a line or an event")
    refused("read", { after = 7 }, "after must be a string")
    refused("search", { before = {} }, "before must be")
    refused("search", { upto = "x" }, "upto")
    refused("read", { include = { { pattern = "(" } } }, "pattern")
    refused("read", { only = 7 }, "only must be a list of keys")
    refused("read", { format = "xml" }, '"json" or "text"')
    search(logs, { max_line = "1MB" })
    refused("search", { max_line = "1025KB" }, "max_line must be 1048576 at most")
  end)
end)
