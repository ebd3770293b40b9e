-- SPDX-License-Identifier: MIT
--
-- What specs look at when the whole text of an error matters (see fails.lua for where it points).

local assert = require "luassert"

---The message of the error that f(...) raises.
---@param f function
---@param ... any
---@return any
local function failure(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

return failure
