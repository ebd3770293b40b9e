-- SPDX-License-Identifier: MIT
--
-- What specs say of wrong use when it matters where the error points: at the line of the call.

local assert = require "luassert"

---Checks that f(...) raises a message that begins with the line of a script where a function was called, and goes on
---with what matches `pattern`.
---@param pattern string
---@param f function
---@param ... any
local function fails(pattern, f, ...)
  local given = table.pack(...)
  local ok, message = pcall(function() f(table.unpack(given, 1, given.n)) end)
  assert.is_false(ok, "no error, expected: " .. pattern)
  assert.matches("^[^\n]*%.lua:%d+: " .. pattern, message)
end

return fails
