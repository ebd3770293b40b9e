-- SPDX-License-Identifier: MIT
--
-- What specs say of wrong use: that it raises an error, and which.

local assert = require "luassert"

---Checks that f(...) raises a message that contains `text`, and returns the message.
---@param text string
---@param f function
---@param ... any
---@return string
local function refuses(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok, "no error, expected: " .. text)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%s\nexpected: %s"):format(message, text))
  return message
end

---Checks that f(...) raises a message that contains `text`, at a line of the file in which f is written.
---@param text string
---@param f function
---@param ... any
local function refuses_here(text, f, ...)
  local message, file = refuses(text, f, ...), debug.getinfo(f, "S").source:match("[^/]+$")
  assert.is_truthy(message:find(file .. ":", 1, true), message)
end

return refuses, refuses_here
