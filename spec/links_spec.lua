-- tests/lint/links: which links of Markdown files it calls wrong.

local support = require "spec.support"

-- What it says of a folder with these files, by their names.
local function look(files)
  local folder = support.folder()
  os.execute(("mkdir '%s/docs'"):format(folder))
  for name, text in pairs(files) do support.write_file(folder .. "/" .. name, text) end
  local pipe = io.popen(("lua5.1 tests/lint/links '%s'; echo $?"):format(folder))
  local said = pipe:read "*a"
  pipe:close()
  return said
end

describe("the lint of links", function()
  after_each(support.remove_folders)

  it("takes files, folders, headings and other sites", function()
    assert.equal("0\n", look {
      ["app.lua"] = "return 1\n",
      ["README.md"] = "# One\n[a](docs) [b](docs/a.md#two) [c](#one) [d](https://a.example/no#where)\n" ..
        "[e](./app.lua \"a title\") [over\ntwo lines](docs/a.md)\n\n[f]: docs/a.md\n",
      ["docs/a.md"] = "## Two\n[up](../README.md#one)\n",
    })
  end)

  it("makes anchors of headings as GitHub does", function()
    assert.equal("0\n", look { ["README.md"] = [[
# weir.fs.read(path, limit), weir.fs.write(path, data)
## app:get(pattern, [middleware…,] handler), `post`
## I want to …
## Größe & Maß – [a link](https://a.example)
## Twice
## Twice
[1](#weirfsreadpath-limit-weirfswritepath-data) [2](#appgetpattern-middleware-handler-post) [3](#i-want-to-)
[4](#größe--maß--a-link) [5](#twice) [6](#twice-1)
]] })
  end)

  for name, case in pairs {
    ["a file that is not there"] = { "[a](docs/b.md)", "README.md:3: docs/b.md leads nowhere" },
    ["a heading that is not there"] = { "[a](docs/a.md#three)", "README.md:3: docs/a.md#three has no such heading" },
    ["a heading of its own that is not there"] = { "[a](#two)", "README.md:3: #two has no such heading" },
    ["a second heading where there is one"] = { "[a](#one-1)", "README.md:3: #one-1 has no such heading" },
    ["a heading in a block of code"] = { "```\n# Code\n```\n[a](#code)", "README.md:6: #code has no such heading" },
    ["what is outside of the repository"] = { "[a](../../etc/passwd)", "README.md:3: ../../etc/passwd leads nowhere" },
    ["a definition"] = { "[a]\n\n[a]: b.md", "README.md:5: b.md leads nowhere" },
    ["an image"] = { "![a](b.png)", "README.md:3: b.png leads nowhere" },
  } do
    it("finds " .. name, function()
      local files = { ["README.md"] = "# One\n\n" .. case[1] .. "\n", ["docs/a.md"] = "# Two\n" }
      assert.equal(case[2] .. "\n1\n", look(files))
    end)
  end

  it("leaves code alone", function()
    assert.equal("0\n", look { ["README.md"] = "# One\n[a](#one) `[b](c)`\n```lua\nx = t[1](no)\n```\n" })
  end)

  it("does not pass a folder without links", function()
    assert.equal("1\n", look { ["README.md"] = "# One\n" })
  end)
end)
