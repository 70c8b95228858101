---@meta weir.json

---@class weir.json
---@field null userdata JSON's null
local json = {}

---The JSON text of a value; raises on what JSON cannot hold.
---@param value any
---@return string
function json.encode(value) end

---@param text string
---@return any value
---@return string? err what is wrong with the text
function json.decode(text) end

---Marks a table as an array, so that it is one when it is empty.
---@generic T
---@param list? T[]
---@return T[]
function json.array(list) end
