-- SPDX-License-Identifier: MIT
--
-- How specs wait for what other processes are about to do: until it has come about, and not for ever.

local shmx = require "shmx"

---Waits until the condition holds; an error when that takes longer than `seconds` (10). It shows what the condition
---returns as its second value.
---@param condition fun(): any, any
---@param seconds number?
local function await(condition, seconds)
  local deadline = shmx.clock() + (seconds or 10)
  while true do
    local holds, seen = condition()
    if holds then return end
    if shmx.clock() > deadline then error("it has not come about" .. (seen and ": " .. tostring(seen) or ""), 2) end
    os.execute "sleep 0.01"
  end
end

return await
