-- Following a file: lua/REFERENCE.md.

local weir = require "weir"
local test = require "weir.test"
local support = require "spec.support"

describe("weir.tail", function()
  local path, tasks
  before_each(function()
    path = support.folder() .. "/log"
    tasks = {}
  end)
  after_each(function()
    for _, task in ipairs(tasks) do
      task:cancel()
      task:join()
    end
    tasks = nil -- with their results
    support.remove_folders()
  end)

  -- Follows the file in a task of its own: the list its lines go to.
  local function follow(options)
    local lines = {}
    tasks[#tasks + 1] = weir.spawn(function()
      for line in weir.tail(path, options) do lines[#lines + 1] = line end
    end)
    return lines
  end

  local function expect(lines, expected)
    pcall(test.eventually, function() return #lines >= #expected end, 5)
    assert.same(expected, lines)
  end

  it("gives the last lines, then new ones", function()
    support.write_file(path, "1\n2\n3\n4\n")
    local lines = follow { lines = 2 }
    expect(lines, { "3", "4" })
    support.append_file(path, "5\n6\n")
    expect(lines, { "3", "4", "5", "6" })
  end)

  it("gives ten by default", function()
    local all = {}
    for i = 1, 25 do all[i] = tostring(i) end
    support.write_file(path, table.concat(all, "\n") .. "\n")
    local last = {}
    for i = 16, 25 do last[#last + 1] = tostring(i) end
    expect(follow(nil), last)
  end)

  it("gives lines of 64 KB whole by default", function()
    local line = ("x"):rep(64 * 1024)
    support.write_file(path, line .. "\n" .. line .. "y\n")
    local lines = follow(nil)
    test.eventually(function() return #lines == 3 end, 5)
    assert.is_true(lines[1] == line and lines[2] == line)
    assert.equal("y", lines[3])
  end)

  it("gives none of what is there with lines = 0", function()
    support.write_file(path, "old\n")
    local lines = follow { lines = 0 }
    local appended = 0
    test.eventually(function() -- it may not have looked at the file yet
      appended = appended + 1
      support.append_file(path, "new " .. appended .. "\n")
      return #lines > 0
    end, 5)
    assert.matches("^new", lines[1])
  end)

  it("gives all of a file shorter than asked", function()
    support.write_file(path, "1\n2\n")
    expect(follow { lines = 100 }, { "1", "2" })
  end)

  it("waits for a file that is not there yet", function()
    local lines = follow(nil)
    test.settle()
    support.write_file(path, "first\n")
    expect(lines, { "first" })
  end)

  it("gives a line when it is whole", function()
    support.write_file(path, "who")
    local lines = follow(nil)
    test.settle()
    support.append_file(path, "le\nnext")
    expect(lines, { "whole" })
    support.append_file(path, "\n")
    expect(lines, { "whole", "next" })
  end)

  it("gives empty lines, and without their CR", function()
    support.write_file(path, "a\n\nb\r\n")
    local lines = follow(nil)
    test.eventually(function() return #lines == 3 end, 5)
    assert.equal("a", lines[1])
    assert.equal("", lines[2])
    assert.matches("^b", lines[3])
  end)

  it("goes on across rename and create", function()
    support.write_file(path, "1\n")
    local lines = follow(nil)
    expect(lines, { "1" })
    assert(os.rename(path, path .. ".1"))
    support.append_file(path .. ".1", "2\n") -- a writer that has not noticed yet
    support.write_file(path, "3\n")
    expect(lines, { "1", "2", "3" })
    support.append_file(path, "4\n")
    expect(lines, { "1", "2", "3", "4" })
  end)

  it("goes on across truncation", function()
    support.write_file(path, "long enough a line\n")
    local lines = follow(nil)
    expect(lines, { "long enough a line" })
    support.write_file(path, "short\n")
    expect(lines, { "long enough a line", "short" })
  end)

  it("survives several rotations in a row", function()
    support.write_file(path, "0\n")
    local lines = follow(nil)
    expect(lines, { "0" })
    local expected = { "0" }
    for i = 1, 5 do
      os.rename(path, path .. "." .. i)
      support.write_file(path, i .. "\n")
      expected[#expected + 1] = tostring(i)
      expect(lines, expected)
    end
  end)

  it("cuts a line longer than max_line, and goes on after it", function()
    support.write_file(path, ("x"):rep(100) .. "\nshort\n")
    local lines = follow { max_line = 16 }
    test.eventually(function() return lines[#lines] == "short" end, 5)
    assert.equal(("x"):rep(16), lines[1])
    for _, line in ipairs(lines) do assert.is_true(#line <= 16) end
  end)

  it("cuts no character, and leaves out a hole", function()
    support.write_file(path, ("\195\188"):rep(20) .. "\n")
    local lines = follow { max_line = "1KB", lines = 10 }
    expect(lines, { ("\195\188"):rep(20) })
    support.append_file(path, ("\226\130\172"):rep(400) .. "\n")
    test.eventually(function() return #lines == 3 end, 5)
    assert.equal(("\226\130\172"):rep(341), lines[2])
    assert.equal(("\226\130\172"):rep(59), lines[3])
    assert(os.execute(("truncate -s +20M '%s'"):format(path)) == 0)
    support.append_file(path, "behind it\n")
    test.eventually(function() return lines[4] end, 20)
    assert.equal("behind it", (lines[4]:gsub("%z", "")))
    assert.equal(4, #lines)
  end)

  it("gives an id with each line, behind which it begins", function()
    support.write_file(path, "1\n2\n")
    local ids = {}
    for line, id, gap in weir.tail(path) do
      assert.is_nil(gap)
      ids[line] = id
      if line == "2" then break end
    end
    os.rename(path, path .. ".1")
    support.append_file(path .. ".1", "3\n")
    support.write_file(path, "4\n")
    assert.matches("^[%x.]+$", ids["1"])
    expect(follow { after = ids["1"] }, { "2", "3", "4" })
    expect(follow { after = ids["2"], lines = 0 }, { "3", "4" })
  end)

  -- Debian's logrotate, a run after each few lines; one viewer stays, one comes back each time, one at the end.
  for _, mode in ipairs { "create", "copytruncate" } do
    it("loses nothing under logrotate, " .. mode .. " and compress", function()
      local folder = path:match "^(.*)/"
      support.write_file(folder .. "/conf", ('"%s" { rotate 100\n size 1\n compress\n %s\n }\n'):format(path, mode))
      local rotate = ("PATH=$PATH:/usr/sbin logrotate -f -s '%s/state' '%s/conf'"):format(folder, folder)
      support.write_file(path, "1\n")
      local lines, expected = follow(), { "1" }
      expect(lines, expected)
      local tail = weir.tail(path)
      local _, first = tail()
      tail:close()
      local last, some = first, { "1" }
      for i = 2, 24 do
        expected[i] = tostring(i)
        support.append_file(path, i .. "\n")
        if i % 4 == 0 then
          if mode == "copytruncate" then expect(lines, expected) end -- what it loses is not ours to lose
          assert.equal(0, os.execute(rotate))
          if mode == "create" then expect(lines, expected) end
        elseif i % 4 == 2 then
          tail = weir.tail(path, { after = last })
          while #some < i do
            local line, id, gap = tail()
            assert.is_nil(gap)
            some[#some + 1], last = line, id
          end
          tail:close()
        end
      end
      expect(lines, expected)
      for i = 23, 24 do expected[i] = nil end
      table.remove(some)
      assert.equal(#expected - 1, #some)
      table.remove(expected)
      assert.same(expected, some)
      local all, want = follow { after = first }, {}
      for i = 2, 24 do want[#want + 1] = tostring(i) end
      expect(all, want)
    end)
  end

  it("gives the lines that its rules want", function()
    support.write_file(path, "one\nTwo\nthree error\n{\"a\":{\"b\":\"x\"}}\nfour\n")
    expect(follow { include = { "t" } }, { "Two", "three error" })
    expect(follow { include = { { text = "t", case = true } } }, { "three error" })
    expect(follow { include = { { level = "warn" } } }, { "three error" })
    expect(follow { include = { { field = "a.b", is = "x" } } }, { '{"a":{"b":"x"}}' })
    expect(follow { include = { { pattern = "^[a-z]+$" } }, exclude = { "wo" } }, { "one", "four" })
    local lines = follow { exclude = { "o", "{" } }
    support.append_file(path, "no\nnine\n")
    expect(lines, { "nine" })
  end)

  it("raises for rules that are none", function()
    local function refuses(pattern, options) assert.error_matches(function() weir.tail(path, options) end, pattern) end
    refuses("weir.tail: a rule in include has one of text", { include = { {} } })
    refuses("a rule in exclude has one of text", { exclude = { { text = "a", level = "b" } } })
    refuses("the levels are trace", { include = { { level = "loud" } } })
    refuses("at byte 4 of the pattern: ", { include = { { pattern = "a(b" } } })
    refuses("is in include must be a string, got 7", { include = { { field = "a", is = 7 } } })
    refuses('is in include must be beside field, got "x"', { include = { { text = "a", is = "x" } } })
    refuses("case in exclude must be true or false, got 1", { exclude = { { text = "a", case = 1 } } })
    refuses("include must be a list of texts and tables, got true", { include = { true } })
    refuses("unknown option", { include = { { txt = "a" } } })
    refuses("1 to 1024 bytes", { include = { "" } })
    refuses("1 to 1024 bytes", { include = { ("x"):rep(1025) } })
    local many = {}
    for i = 1, 33 do many[i] = "x" end
    refuses("32 rules at most", { include = many })
    many[33] = nil
    weir.tail(path, { include = many }):close()
  end)

  it("tells what is missing with the line behind it", function()
    support.write_file(path, "1\n2\n3\n")
    local before = weir.stats()
    local line, _, gap = weir.tail(path, { after = "no id", lines = 1 })()
    assert.same({ "3", {} }, { line, gap })
    assert.equal(before.tail_gaps + 1, weir.stats().tail_gaps)
    assert.equal(before.tail_lost, weir.stats().tail_lost) -- nobody knows how many
    assert.error_matches(function() weir.tail(path, { after = 7 }) end, "after must be the id of a line, got 7")
  end)

  it("reads a file once for all", function()
    local before = weir.stats()
    support.write_file(path, "1\n")
    local lists = {}
    for i = 1, 20 do lists[i] = follow() end
    expect(lists[1], { "1" })
    assert.equal(before.tail_files + 1, weir.stats().tail_files)
    assert.equal(before.tail_viewers + 20, weir.stats().tail_viewers)
    support.append_file(path, ("x"):rep(1000) .. "\n")
    for i = 1, 20 do expect(lists[i], { "1", ("x"):rep(1000) }) end
    assert.equal(before.tail_read + 2 + 1001, weir.stats().tail_read)
    assert.equal(before.tail_reread, weir.stats().tail_reread)
  end)

  it("of two readers each has all lines", function()
    support.write_file(path, "1\n")
    local one, two = follow(nil), follow(nil)
    expect(one, { "1" })
    expect(two, { "1" })
    support.append_file(path, "2\n")
    expect(one, { "1", "2" })
    expect(two, { "1", "2" })
  end)

  it("many lines at once come in order", function()
    support.write_file(path, "line 1\n")
    local lines = follow(nil)
    expect(lines, { "line 1" })
    local all = { "line 1" }
    for i = 2, 20000 do all[i] = "line " .. i end
    support.append_file(path, table.concat(all, "\n", 2) .. "\n")
    test.eventually(function() return #lines >= 20000 end, 10)
    for i = 1, 20000 do assert(lines[i] == all[i], "line " .. i) end
  end)

  it("raises for options it does not know", function()
    assert.error_matches(function() weir.tail(path, { line = 3 }) end, "line")
    assert.has_error(function() weir.tail(path, { max_line = "much" }) end)
  end)
end)
