-- Lint for Lua: `make lint`. LuaJIT's globals; specs also have those of busted.
std = "luajit"
max_line_length = 120
exclude_files = { "build" }
files["spec"].std = "luajit+busted"
files["tests/e2e"].std = "luajit+busted"
files["tests/fronts"].std = "luajit+busted"
files["lua/new/spec"].std = "luajit+busted"
-- Annotations declare functions that have parameters and no body.
files["lua/weir/_meta"].ignore = { "212", "241" }
