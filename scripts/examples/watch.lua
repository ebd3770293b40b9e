-- SPDX-License-Identifier: MIT
--
-- What a pool tells of itself: lines with the name of the task before them, numbers, and what memory is in use. For
-- more, run it with --report report.html or --trace trace.json; and because its tasks have names, with --joblog log
-- --resume log, twice.
--
--   shmx-lua watch.lua [LIMIT]        counts the primes below LIMIT, 2,000,000 if it is not named

local shmx = require "shmx"

local PARTS = 8

-- Marks the primes from `first` to `last`, 1 for each.
local function sieve(first, last)
  local marks = shmx.full("u8", last - first + 1, 1)
  for i = 2, math.floor(last ^ 0.5) do
    for k = math.max(i * i, (first + i - 1) // i * i), last, i do marks[k - first + 1] = 0 end
  end
  print(("%d primes"):format(marks:sum()))
  return marks
end

local function milliseconds(times) return times.count > 0 and ("%.1f ms"):format(times.mean * 1000) or "-" end

local limit = tonumber(arg[1] or 2000000) or error("the limit is no number", 0)
local pool <close> = shmx.pool { output = "label" }
local tasks = {}
for i = 1, PARTS do
  local first, last = math.max(2, (i - 1) * limit // PARTS), i * limit // PARTS - 1
  tasks[i] = shmx.task { sieve, first, last, name = ("%d to %d"):format(first, last) }
end

local count = 0
for _, task in ipairs(pool:execute(tasks)) do
  if not task.skipped then count = count + task.result:sum() end
end
print(("%d primes in all"):format(count))

local stats = pool:stats()
print(("%d tasks done; mean run %s, wait %s, handover %s"):format(stats.tasks.done, milliseconds(stats.run),
  milliseconds(stats.wait), milliseconds(stats.handover)))
print(("%d KiB are live in %d arrays"):format(stats.memory.live // 1024, #pool:segments()))
for _, worker in ipairs(stats.workers) do print(("worker %d did %d tasks"):format(worker.number, worker.tasks_done)) end
