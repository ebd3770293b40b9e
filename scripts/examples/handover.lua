-- SPDX-License-Identifier: MIT
--
-- The main job: eight tasks, each of which makes an array of n 64-bit integers 0 .. n-1 in its worker and returns it,
-- for n = 1, 10, ... 10,000,000. Main checks that all of it arrived, and that it is the very memory that was filled.
--
--   shmx-lua [-w WORKERS] handover.lua

local shmx = require "shmx"

local function make(n)
  local a = shmx.range("i64", 0, n - 1)
  return a, a.segment.id
end

-- Writes into an array that main holds: main sees it, since there is only one.
local function mark(a) a[#a] = -1 end

local function check(what, got, wanted)
  if got ~= wanted then error(("%s: %s instead of %s"):format(what, got, wanted), 2) end
end

local arrays, count, sum = {}, 0, 0
local expected_sum = 0
do
  local pool <close> = shmx.pool()

  local tasks = {}
  for i = 0, 7 do tasks[#tasks + 1] = shmx.task(make, 10 ^ i) end
  pool:execute(tasks)

  print("  elements       bytes              sum  segment                 seconds")
  for i, task in ipairs(tasks) do
    local a, made = table.unpack(task.results)
    local n = 10 ^ (i - 1) // 1 | 0
    check("elements", #a, n)
    check("segment that arrived", a.segment.id, made)
    check("sum", a:sum(), n * (n - 1) // 2)
    check("last element", a[n], n - 1)
    print(("%10d %11d %16d  %-20s %10.4f"):format(#a, a.nbytes, a:sum(), a.segment.id, task.seconds))
    arrays[i], count, sum, expected_sum = a, count + #a, sum + a:sum(), expected_sum + n * (n - 1) // 2
  end

  local marks = {}
  for i, a in ipairs(arrays) do marks[i] = shmx.task(mark, a) end
  pool:execute(marks)
end

-- The pool is closed and its workers are gone; the arrays live on, and show what the second round of tasks wrote.
local again = 0
for _, a in ipairs(arrays) do
  check("what a worker wrote", a[#a], -1)
  a[#a] = #a - 1
  again = again + a:sum()
end
check("elements in all", count, 11111111)
check("sum of all", sum, expected_sum)
check("sum of all after the pool was closed", again, expected_sum)
print(("%d elements in %d arrays, sum %d, none of them copied"):format(count, #arrays, sum))
