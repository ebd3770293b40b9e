-- SPDX-License-Identifier: MIT
--
-- What grows, and what must not.
-- scale.lua arrays COUNT: so many live arrays of 4 i64, made by tasks: made and handed over in a second
-- scale.lua window TASKS: tasks x + 1 in a sliding window: tasks in a second, and by how many MiB main grew meanwhile
-- scale.lua workers WORKERS: 100,000 tasks x + 1 one by one: tasks in a second
-- scale.lua handovers COUNT: arrays of 4 i64, let go of at once: handed over in a second

local shmx = require "shmx"

local WINDOW = 500

local function add(x) return x + 1 end
local function make(i) return shmx.full("i64", 4, i) end

local function resident_kilobytes()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match "VmRSS:%s*(%d+) kB")
end

-- Submits f(1) to f(count), never more than WINDOW at a time, and gives the results to `take` in order.
local function slide(pool, f, count, take)
  local tasks = {}
  for i = 1, count + WINDOW do
    local at = i % WINDOW
    if i > WINDOW then take(tasks[at]:get(), i - WINDOW) end
    tasks[at] = i <= count and pool:submit(f, i) or nil
  end
end

local function rate(count, run)
  local begin = shmx.clock()
  run()
  print("rate", count / (shmx.clock() - begin))
end

local cases = {}

function cases.arrays(pool, count)
  local live = {}
  rate(count, function() slide(pool, make, count, function(array, i) live[i] = array end) end)
  for i, array in ipairs(live) do assert(#array == 4 and array[4] == i) end
  assert(#live == count)
end

function cases.window(pool, count)
  local sum = 0
  local function take(x) sum = sum + x end
  slide(pool, add, WINDOW * 20, take)
  local before = resident_kilobytes()
  sum = 0
  rate(count, function() slide(pool, add, count, take) end)
  print("growth", (resident_kilobytes() - before) / 1024)
  assert(sum == count * (count + 3) // 2)
end

function cases.workers(pool, workers)
  local count, tasks, sum = 100000, {}, 0
  pool:map(add, { 1, 2, 3 })
  rate(count, function()
    for i = 1, count do tasks[i] = pool:submit(add, i) end
    for i = 1, count do sum = sum + tasks[i]:get() end
  end)
  assert(sum == count * (count + 3) // 2 and workers > 0)
end

function cases.handovers(pool, count)
  rate(count, function()
    slide(pool, make, count, function(array, i)
      assert(array[1] == i)
      array:close()
    end)
  end)
end

local name, number = arg[1], tonumber(arg[2])
local pool <close> = shmx.pool { workers = name == "workers" and number or 2, progress = false }
pool:submit(make, 1):get():close()
cases[name](pool, number)
