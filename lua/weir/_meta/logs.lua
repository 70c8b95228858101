---@meta

-- Several logs looked at together. Annotations only; the text of the reference is in lua/REFERENCE.md.

---@class weir.LogsOptions
---@field sources string|weir.LogSource|(string|weir.LogSource)[] paths, or globs; 64 at most
---@field redact? ("tokens"|"addresses"|weir.Redaction)[] what is taken out of each line

---@class weir.LogSource
---@field path string
---@field labels? table<string, string>

---@class weir.Redaction
---@field pattern string PCRE2
---@field with? string what stands in the place of what it matches ("***")

---@class weir.LogFile
---@field key string stands for the path
---@field path string
---@field labels table<string, string>
---@field state "found"|"waiting"|"gone"|"error"
---@field why? string of an error

---@class weir.LogsFollowOptions
---@field lines? integer how many of the lines that are there come first (10)
---@field after? string the id of an event, or of a line: what came after it is first, instead
---@field since? number|string seconds since 1970, or a time: no line before it
---@field before? number|string and none that is not before this
---@field include? weir.TailRule[] lines come for which all of these hold
---@field exclude? weir.TailRule[] and none of these
---@field only? string|string[] keys of files: only these
---@field behind? weir.Size who is further behind is moved to the end ("4MB")
---@field max_line? weir.Size a longer line comes in pieces ("64KB")
---@field format? "json"|"text"

---@class weir.LogsSearchOptions
---@field lines? integer how many that are wanted (1000)
---@field before? number|string an id, or a time: nothing that is not before it
---@field since? number|string seconds since 1970, or a time: no line before it
---@field include? weir.TailRule[] lines come for which all of these hold
---@field exclude? weir.TailRule[] and none of these
---@field only? string|string[] keys of files: only these
---@field max_line? weir.Size a longer line comes in pieces ("64KB")
---@field format? "json"|"text"

---@class weir.LogsReadOptions: weir.LogsSearchOptions
---@field lines? integer how many that are wanted (100)
---@field after? string the id of an event, or of a line: what came after it
---@field upto? string and up to this one
---@field before? number|string seconds since 1970, or a time: none that is not before it

---@class weir.LogEvent
---@field event "source"|"lines"|"gap"|"slow"|"progress"|"end"
---@field data string
---@field id? string of lines: where all files go on

---@class weir.LogsView
---@overload fun(): weir.LogEvent?
local View = {}

---Stops looking.
function View:close() end

---@class weir.Logs
local Logs = {}

---The last lines of all files together, then what is written to them.
---@param options? weir.LogsFollowOptions
---@return weir.LogsView
function Logs:follow(options) end

---The newest lines that are there and wanted, going back from the end.
---@param options? weir.LogsSearchOptions
---@return weir.LogsView
function Logs:search(options) end

---The lines that are there and wanted, from a place on.
---@param options? weir.LogsReadOptions
---@return weir.LogsView
function Logs:read(options) end

---The files, after a look.
---@return weir.LogFile[]
function Logs:sources() end
