-- Several logs as one stream of events: lua/REFERENCE.md, "weir.logs".

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("weir.logs", function()
  local folder, views
  before_each(function()
    folder = support.folder()
    views = {}
  end)
  after_each(function()
    test.clock.thaw()
    for _, view in ipairs(views) do view:close() end
    support.remove_folders()
  end)

  local function write(name, text) support.write_file(folder .. "/" .. name, text) end
  local function append(name, text) support.append_file(folder .. "/" .. name, text) end

  local function logs_of(sources, redact)
    for i, source in ipairs(sources) do
      if type(source) == "string" then sources[i] = folder .. "/" .. source end
    end
    return weir.logs { sources = sources, redact = redact }
  end

  local function follow(logs, options)
    views[#views + 1] = logs:follow(options)
    return views[#views]
  end

  -- The next event of that name; others are passed over.
  local function next_of(view, name)
    local found
    local ok, why = weir.timeout(10, function()
      repeat found = view() until found == nil or found.event == name
      return true
    end)
    assert(ok, why)
    return found
  end

  -- The lines of batches as records, until there are `count`; and the id behind them.
  local function take(view, count)
    local records, id = {}, nil
    while #records < count do
      local event = next_of(view, "lines")
      for line in event.data:gmatch "[^\n]+" do records[#records + 1] = weir.json.decode(line) end
      id = event.id
    end
    return records, id
  end

  local function texts(records)
    local list = {}
    for i, record in ipairs(records) do list[i] = record.line end
    return list
  end

  -- What comes of a filter that has been given all: a line behind it that always comes is waited for.
  local function lines_until(view, last)
    local list = {}
    repeat
      local event = next_of(view, "lines")
      for line in event.data:gmatch "[^\n]+" do list[#list + 1] = weir.json.decode(line).line end
    until list[#list] == last
    list[#list] = nil
    return list
  end

  it("merges the last lines by time, and leaves a stack trace whole", function()
    write("a.log", "2026-01-31T12:00:01Z a1\n2026-01-31T12:00:03Z ERROR a2\n  at x\n  at y\n2026-01-31T12:00:06Z a3\n")
    write("b.log", "2026-01-31T12:00:02Z b1\n2026-01-31T12:00:03.500Z b2\n2026-01-31T12:00:05Z b3\n")
    local records = take(follow(logs_of { "a.log", "b.log" }, { lines = 7 }), 7)
    assert.same({
      "2026-01-31T12:00:02Z b1", "2026-01-31T12:00:03Z ERROR a2", "  at x", "  at y", "2026-01-31T12:00:03.500Z b2",
      "2026-01-31T12:00:05Z b3", "2026-01-31T12:00:06Z a3",
    }, texts(records))
    assert.same({ 1769860803, "error" }, { records[2].t, records[2].level })
    assert.same({}, { records[3].t, records[3].level })
    assert.equal(1769860803.5, records[5].t)
  end)

  it("goes on with what is written, each line once", function()
    write("a.log", "a1\n")
    write("b.log", "")
    local view = follow(logs_of { "a.log", "b.log" }, { lines = 10 })
    assert.same({ "a1" }, texts(take(view, 1)))
    append("b.log", "b1\nb2\n")
    assert.same({ "b1", "b2" }, texts(take(view, 2)))
    append("a.log", "a2\n")
    assert.same({ "a2" }, texts(take(view, 1)))
  end)

  it("gives ten lines by default", function()
    local all, last = {}, {}
    for i = 1, 15 do all[i] = "line " .. i end
    for i = 6, 15 do last[#last + 1] = "line " .. i end
    write("a.log", table.concat(all, "\n") .. "\n")
    assert.same(last, texts(take(follow(logs_of { "a.log" }), 10)))
  end)

  it("gives lines of 64 KB whole by default", function()
    local line = ("x"):rep(64 * 1024)
    write("a.log", line .. "\n" .. line .. "y\n")
    local list = texts(take(follow(logs_of { "a.log" }), 3))
    assert.is_true(list[1] == line and list[2] == line)
    assert.equal("y", list[3])
  end)

  it("says which files there are, and when one comes", function()
    write("a.log", "a1\n")
    local logs = weir.logs {
      sources = { { path = folder .. "/a.log", labels = { service = "s", host = "h" } }, folder .. "/later", folder },
    }
    local view = follow(logs)
    local function source() return weir.json.decode(next_of(view, "source").data) end
    local first, second, third = source(), source(), source()
    assert.same({ folder .. "/a.log", "found" }, { first.path, first.state })
    assert.same({ service = "s", host = "h" }, first.labels)
    assert.same({ folder .. "/later", "waiting" }, { second.path, second.state })
    assert.same({ folder, "error", "is a folder" }, { third.path, third.state, third.why })
    assert.matches("^%x%x%x%x%x%x%x%x$", first.key)
    assert.same({ "a1" }, texts(take(view, 1)))
    append("later", "l1\n")
    local found = source()
    assert.same({ second.key, "found" }, { found.key, found.state })
    assert.same({ "l1" }, texts(take(view, 1)))
  end)

  it("a file of a glob joins from its beginning, and is gone when it went #once", function()
    write("a.log", "a1\n")
    local view = follow(logs_of { "*.log" }, { lines = 1 })
    assert.same({ "a1" }, texts(take(view, 1)))
    write("b.log", "b1\nb2\nb3\n")
    local found = weir.json.decode(next_of(view, "source").data)
    assert.same({ folder .. "/b.log", "found" }, { found.path, found.state })
    assert.same({ "b1", "b2", "b3" }, texts(take(view, 3)))
    os.remove(folder .. "/b.log")
    local gone = weir.json.decode(next_of(view, "source").data)
    assert.same({ found.key, "gone" }, { gone.key, gone.state })
  end)

  it("tells of no more than 64 files", function()
    for i = 1, 66 do write(("%02d.log"):format(i), "x\n") end
    local view, states = follow(logs_of { "*.log" }, { lines = 0 }), {}
    for _ = 1, 66 do
      local source = weir.json.decode(next_of(view, "source").data)
      states[source.state] = (states[source.state] or 0) + 1
      if source.state == "error" then assert.equal("more than 64 files", source.why) end
    end
    assert.same({ found = 64, error = 2 }, states)
  end)

  it("tells of a file for which there is no descriptor, and reads it when there is", function()
    write("a.log", "a1\n")
    test.eventually(function() return weir.stats().tail_files == 0 end) -- those of other specs
    test.fault("tail_home", "EMFILE", 0, 1)
    local view = follow(logs_of { "a.log" })
    local source = weir.json.decode(next_of(view, "source").data)
    assert.same({ "error", "no descriptor is left" }, { source.state, source.why })
    test.clock.freeze()
    test.clock.advance(2)
    assert.equal("found", weir.json.decode(next_of(view, "source").data).state)
    assert.same({ "a1" }, texts(take(view, 1)))
  end)

  it("lists the files", function()
    write("a.log", "")
    local logs = weir.logs { sources = { { path = folder .. "/*.log", labels = { a = "b" } }, folder .. "/x" } }
    local one, two = unpack(logs:sources())
    assert.same({ folder .. "/a.log", "found", "b" }, { one.path, one.state, one.labels.a })
    assert.same({ folder .. "/x", "waiting" }, { two.path, two.state })
    assert.equal(one.key, logs_of { "a.log" }:sources()[1].key) -- which stands for the path alone
    write("x", "")
    assert.equal("found", logs:sources()[2].state)
  end)

  it("reads only the files that are asked for", function()
    write("a.log", "a1\n")
    write("b.log", "b1\n")
    local logs = logs_of { "a.log", "b.log" }
    local key = logs:sources()[2].key
    assert.same({ "b1" }, texts(take(follow(logs, { only = key }), 1)))
    local view = follow(logs, { only = { "nothing", key } })
    assert.equal(key, weir.json.decode(next_of(view, "source").data).key)
    append("a.log", "a2\n")
    append("b.log", "b2\n")
    assert.same({ "b1", "b2" }, texts(take(view, 2)))
  end)

  describe("with the id of an event", function()
    it("goes on in each file behind the last line, also after rotations", function()
      write("a.log", "a1\n")
      write("b.log", "b1\n")
      local logs = logs_of { "a.log", "b.log", "c.log" }
      local view = follow(logs)
      local _, id = take(view, 2)
      view:close()
      append("a.log", "a2\n")
      os.rename(folder .. "/a.log", folder .. "/a.log.1")
      write("a.log", "a3\n")
      write("c.log", "c1\nc2\n") -- it was not there: all of it is new
      append("b.log", "b2\n")
      local records = take(follow(logs, { after = id, lines = 0 }), 5)
      local list = texts(records)
      table.sort(list)
      assert.same({ "a2", "a3", "b2", "c1", "c2" }, list)
    end)

    it("of one line goes on behind that", function()
      write("a.log", "a1\na2\na3\n")
      local logs = logs_of { "a.log" }
      local records = take(follow(logs), 3)
      assert.same({ "a2", "a3" }, texts(take(follow(logs, { after = records[1].id }), 2)))
    end)

    it("that stands for nothing tells of a gap", function()
      write("a.log", "a1\n")
      local logs = logs_of { "a.log" }
      for _, id in ipairs { "nonsense", "00000000~1.1.00000000000000ff.2", ("x"):rep(100000) } do
        local view = follow(logs, { after = id })
        assert.equal("{}", next_of(view, "gap").data)
        assert.same({ "a1" }, texts(take(view, 1)))
      end
      local key = logs:sources()[1].key
      local view = follow(logs, { after = key .. "~1.1.00000000000000ff.2" })
      assert.same({ source = key }, weir.json.decode(next_of(view, "gap").data))
      assert.same({ "a1" }, texts(take(view, 1)))
    end)
  end)

  it("gives lines that are wanted, asked behind redaction", function()
    write("a.log", "ERROR token=abc\nINFO token=abd\nERROR x 10.0.0.1\nend\n")
    local logs = logs_of({ "a.log" }, { "tokens", "addresses", { pattern = "x", with = "y" }, { pattern = "end$" } })
    local function lines(options)
      options.exclude = options.exclude or {}
      return lines_until(follow(logs, options), "***")
    end
    assert.same({ "ERROR token=***", "INFO token=***", "ERROR y ***" }, lines {})
    assert.same({ "ERROR token=***" }, lines { include = { { pattern = [[^ERROR token|^\*]] } } })
    assert.same({ "INFO token=***" }, lines { exclude = { { level = "error" } } })
    assert.same({}, lines { include = "***", exclude = { "ERROR", "INFO" } })
    -- Who asks for what was taken out finds nothing, and cannot guess it letter by letter.
    append("a.log", "token=abz\nend\n")
    assert.same({}, lines { include = { { pattern = [[token=a|^\*\*\*$]] } }, lines = 2 })
  end)

  it("gives lines of a time", function()
    write("a.log", "none\n2026-01-31T12:00:01Z 1\n2026-01-31T12:00:02Z 2\n  trace\n2026-01-31T12:00:03Z 3\n")
    local logs = logs_of { "a.log" }
    local two, trace, three = "2026-01-31T12:00:02Z 2", "  trace", "2026-01-31T12:00:03Z 3"
    assert.same({ two, trace, three }, texts(take(follow(logs, { since = "2026-01-31T12:00:02Z" }), 3)))
    assert.same({ three }, texts(take(follow(logs, { since = 1769860802.5 }), 1)))
    local view = follow(logs, { since = 1769860802, before = "2026-01-31T12:00:03Z" })
    assert.same({ two, trace }, texts(take(view, 2)))
  end)

  it("finds a time in a large file", function()
    local line = "2026-01-31T12:00:02Z " .. ("x"):rep(978) .. "\n"
    write("a.log", "2026-01-31T12:00:01Z 1\n2026-01-31T12:00:02Z first\n" .. line:rep(20000))
    local view = follow(logs_of { "a.log" }, { since = "2026-01-31T12:00:02Z" })
    assert.equal("2026-01-31T12:00:02Z first", take(view, 1)[1].line)
  end)

  it("gives lines as they are", function()
    write("a.log", "a\tb\n\"c\"\n")
    local event = next_of(follow(logs_of { "a.log" }, { format = "text" }), "lines")
    assert.equal("a\tb\n\"c\"", event.data)
  end)

  it("cuts lines that are too long, and shows no piece of them where something is to be redacted", function()
    write("a.log", ("x"):rep(10) .. "token=abcdef\nshort\n")
    local records = take(follow(logs_of { "a.log" }, { max_line = 16 }), 3)
    assert.same({ ("x"):rep(10) .. "token=", "abcdef", "short" }, texts(records))
    assert.same({ true, true }, { records[1].cut, records[2].cut })
    assert.is_nil(records[3].cut)
    local redacted = take(follow(logs_of({ "a.log" }, { "tokens" }), { max_line = 16 }), 3)
    assert.matches("^%[withheld: ", redacted[1].line)
    assert.matches("^%[withheld: ", redacted[2].line)
    assert.equal("short", redacted[3].line)
  end)

  -- An id can be made up: one that points into a line must not show what stands behind a secret's name.
  it("withholds what stands behind an id within a line", function()
    write("a.log", "token=abcdef\nnext\n")
    local logs = logs_of({ "a.log" }, { "tokens" })
    local records = take(follow(logs), 2)
    local start, offset = records[2].id:match "^(.*%.)(%x+)$"
    assert.equal(#"token=abcdef\nnext\n", tonumber(offset, 16))
    local forged = take(follow(logs, { after = start .. ("%x"):format(#"token=") }), 2)
    assert.matches("^%[withheld: ", forged[1].line)
    assert.equal("next", forged[2].line)
  end)

  it("moves one who is behind to the last lines, and says where to fetch the rest", function()
    write("a.log", "first\n")
    local logs, before = logs_of { "a.log" }, weir.stats()
    local view = follow(logs, { behind = "100KB" })
    assert.same({ "first" }, texts(take(view, 1)))
    local other = follow(logs, { lines = 0 })
    next_of(other, "source")
    local many = {}
    for i = 1, 5000 do many[i] = ("line %d %s"):format(i, ("x"):rep(60)) end
    append("a.log", table.concat(many, "\n") .. "\n")
    -- The other one has read it all by then, so that the follower has, too.
    local all = take(other, 5000)
    assert.equal(many[5000], all[5000].line)
    local got, gap = 0, nil
    repeat
      local event = view()
      if event.event == "gap" then gap = weir.json.decode(event.data) end
      if event.event == "lines" then got = got + select(2, event.data:gsub("[^\n]+", "")) end
    until gap
    local kept = texts(take(view, 5000 - got - gap.lines))
    assert.same({ unpack(many, got + gap.lines + 1) }, kept)
    local size = #table.concat(kept, "\n") + 1
    assert.is_true(size <= 65536 and size + #many[got + gap.lines] + 1 > 65536)
    local rest = {}
    for event in logs:read { after = gap.from, upto = gap.to, lines = 5000 } do
      if event.event == "lines" then
        for line in event.data:gmatch "[^\n]+" do rest[#rest + 1] = weir.json.decode(line).line end
      end
    end
    assert.same({ unpack(many, got + 1, got + gap.lines) }, rest)
    append("a.log", "last\n")
    assert.equal(kept[1], take(follow(logs, { after = gap.to }), 1)[1].line)
    assert.same({ "last" }, texts(take(view, 1)))
    assert.equal(before.logs_skipped + gap.lines, weir.stats().logs_skipped)
  end)

  for kilobytes, moved in pairs { [4050] = false, [4150] = true } do
    it(("by default %s one who is %d KB behind"):format(moved and "moves" or "leaves", kilobytes), function()
      write("a.log", "first\n")
      local logs = logs_of { "a.log" }
      local view, other = follow(logs), follow(logs, { lines = 0 })
      assert.same({ "first" }, texts(take(view, 1)))
      next_of(other, "source")
      append("a.log", (("x"):rep(1023) .. "\n"):rep(kilobytes))
      take(other, kilobytes)
      local got, gap = 0, nil
      repeat
        local event = view()
        gap = gap or event.event == "gap" and weir.json.decode(event.data)
        if event.event == "lines" then got = got + select(2, event.data:gsub("[^\n]+", "")) end
      until got + (gap and gap.lines or 0) == kilobytes
      assert.equal(moved, gap and true or false)
    end)
  end

  it("counts what viewers got", function()
    write("a.log", "one\ntwo\n")
    local before = weir.stats()
    next_of(follow(logs_of { "a.log" }, { format = "text" }), "lines")
    local now = weir.stats()
    assert.equal(before.logs_viewers + 1, now.logs_viewers)
    assert.equal(before.logs_batches + 1, now.logs_batches)
    assert.equal(before.logs_bytes + #"one\ntwo\n", now.logs_bytes)
  end)

  it("makes batches of 64 KB at most", function()
    local many = {}
    for i = 1, 3000 do many[i] = ("line %d %s"):format(i, ("x"):rep(100)) end
    write("a.log", table.concat(many, "\n") .. "\n")
    local view, got = follow(logs_of { "a.log" }, { lines = 3000 }), {}
    repeat
      local event = next_of(view, "lines")
      assert.is_true(#event.data <= 65536)
      for line in event.data:gmatch "[^\n]+" do got[#got + 1] = weir.json.decode(line).line end
    until #got >= 3000
    assert.same(many, got)
  end)

  it("says that a filter is slow", function()
    local line = ("a"):rep(200) .. "!\n"
    write("a.log", line:rep(5000))
    local view = follow(logs_of { "a.log" }, { lines = 5000, include = { { pattern = "(a+)+$" } } })
    local slow = weir.json.decode(next_of(view, "slow").data)
    assert.is_true(slow.ms >= 5 and slow.lines > 0 and slow.lines < 5000)
  end)

  it("is sent as it is", function()
    write("a.log", "one\ntwo\n")
    local logs = logs_of { "a.log" }
    local app = weir.app()
    app:get("/lines", function(stream)
      local sse = stream:sse()
      for event in logs:follow { after = sse.last_event_id } do
        if not sse:send(event) then break end
      end
    end)
    local server = test.start(app)
    local events = server:sse("/lines")
    assert.equal("source", events:next().event)
    local lines = events:next()
    assert.equal(2, #lines.data:gsub("[^\n]+", "x"):gsub("\n", ""))
    events:close()
    append("a.log", "three\n")
    events = server:sse("/lines", { last_event_id = lines.id })
    events:next()
    assert.matches('"line":"three"', events:next().data)
    events:close()
    test.cleanup()
  end)

  it("a view ends when it is closed, and with the task that made it", function()
    write("a.log", "a1\n")
    local logs = logs_of { "a.log" }
    local view = follow(logs)
    take(view, 1)
    local task = weir.spawn(function() return view() end)
    weir.sleep(0)
    assert.error_matches(function() view() end, "another task waits")
    view:close()
    assert.is_nil(task:join())
    assert.is_nil(view())
    local before = weir.stats().logs_viewers
    local made
    task = weir.spawn(function()
      made = logs:follow { lines = 0 }
      while true do made() end
    end)
    test.eventually(function() return weir.stats().logs_viewers == before + 1 end, 5)
    task:cancel()
    task:join()
    assert.equal(before, weir.stats().logs_viewers)
    assert.error_matches(function() made() end, "logs:follow: this has ended")
  end)

  it("refuses what makes no sense", function()
    local function refuses(message, options)
      assert.error_matches(function() weir.logs(options) end, message, 1, true)
    end
    refuses("sources must be a list of 1 to 64 paths", {})
    refuses("sources must be a list of 1 to 64 paths", { sources = {} })
    local many = {}
    for i = 1, 65 do many[i] = "x" end
    refuses("sources must be a list of 1 to 64 paths", { sources = many })
    refuses("path in sources must be a path", { sources = { { labels = {} } } })
    refuses("a label must be a name and a text, got 7", { sources = { { path = "a", labels = { b = 7 } } } })
    refuses("a rule of redact is", { sources = "a", redact = { "names" } })
    refuses("redact: at byte 2 of the pattern", { sources = "a", redact = { { pattern = "(" } } })
    refuses("redact: the pattern matches nothing at all", { sources = "a", redact = { { pattern = "a*" } } })
    refuses("pattern in redact must be a string", { sources = "a", redact = { {} } })
    local logs = logs_of { "a" }
    local function follow_refuses(message, options)
      assert.error_matches(function() logs:follow(options) end, message, 1, true)
    end
    follow_refuses("lines must be 100000 at most", { lines = 100001 })
    follow_refuses("max_line must be 1 byte to 1MB", { max_line = 1048577 })
    follow_refuses("max_line must be 1 byte or more", { max_line = 0 })
    follow_refuses("since must be seconds since 1970", { since = "soon" })
    follow_refuses("format must be", { format = "xml" })
    follow_refuses("logs:follow: at byte", { include = { { pattern = "(" } } })
    follow(logs, { lines = 100000, max_line = "1MB" })
  end)
end)
