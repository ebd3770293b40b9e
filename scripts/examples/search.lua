-- SPDX-License-Identifier: MIT
--
-- A search with no end to it. Take a number; halve it if it is even, else multiply it by three and add one; and so on
-- down to 1. Which numbers take more steps than all before them? The workers look through block after block, some
-- blocks ahead of the loop; when the loop has enough it is left, and what is still queued is taken back.
--
--   shmx-lua search.lua [COUNT]        of numbers to be found, 30

local shmx = require "shmx"

local wanted = math.tointeger(tonumber(arg[1] or 30)) or error("the count is no whole number", 0)
local block = 5000

local function steps_of(n)
  local steps = 0
  while n > 1 do
    n = n % 2 == 0 and n // 2 or 3 * n + 1
    steps = steps + 1
  end
  return steps
end

-- The numbers of a block that take more steps than those before them in it, each with its steps.
local function look_through(first)
  local found, most = {}, -1
  for n = first, first + block - 1 do
    local steps = steps_of(n)
    if steps > most then
      found[#found + 1] = { n, steps }
      most = steps
    end
  end
  return found
end

-- 1, 5001, 10001, ...: an iterator like any other, but for that it never ends.
local function next_block(_, last) return last + block end

local pool <close> = shmx.pool()
local count, most = 0, -1
for found in pool:with({ ahead = 16 }):imap(look_through, next_block, nil, 1 - block) do
  for _, record in ipairs(found) do
    local n, steps = table.unpack(record)
    if steps > most and count < wanted then
      print(("%9d takes %3d steps"):format(n, steps))
      count, most = count + 1, steps
    end
  end
  if count == wanted then break end
end
