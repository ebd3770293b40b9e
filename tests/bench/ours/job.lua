-- SPDX-License-Identifier: MIT
--
-- W1: 8 tasks make arrays of 10^0 to 10^7 int64 in WORKERS workers; main counts and sums them when the pool is closed.

local shmx = require "shmx"

local function make(n) return shmx.range("i64", 0, n - 1) end

local tasks = {}
for i = 0, 7 do tasks[#tasks + 1] = shmx.task(make, 10 ^ i) end
do
  local pool <close> = shmx.pool { workers = tonumber(arg[1]), progress = false }
  pool:execute(tasks)
end
local count, sum, expected = 0, 0, 0
for i, task in ipairs(tasks) do
  local n = math.tointeger(10 ^ (i - 1))
  count, sum, expected = count + #task.result, sum + task.result:sum(), expected + n * (n - 1) // 2
end
assert(count == 11111111 and sum == expected)
