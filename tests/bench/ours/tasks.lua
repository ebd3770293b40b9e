-- SPDX-License-Identifier: MIT
--
-- W2 and W3: tasks x + 1.
-- tasks.lua W2 TASKS WORKERS: submitted one by one, each with its own future
-- tasks.lua W2map TASKS WORKERS: by map
-- tasks.lua W3 ROUNDS awake|asleep: one worker, one task at a time

local shmx = require "shmx"

local function add(x) return x + 1 end

local function run_tasks(pool, list)
  local tasks, results = {}, {}
  for i, x in ipairs(list) do tasks[i] = pool:submit(add, x) end
  for i, task in ipairs(tasks) do results[i] = task:get() end
  return results
end

local function run_map(pool, list) return pool:map(add, list) end

local function measure_rate(run, count, workers)
  local pool <close> = shmx.pool { workers = workers, progress = false }
  local list, sum = {}, 0
  for i = 1, count do list[i] = i end
  run(pool, { 1, 2, 3 })
  local begin = shmx.clock()
  local results = run(pool, list)
  print("rate", count / (shmx.clock() - begin))
  for _, x in ipairs(results) do sum = sum + x end
  assert(sum == count * (count + 3) // 2)
end

local function measure_rounds(count, pause)
  local pool <close> = shmx.pool { workers = 1, progress = false }
  local times = {}
  for i = -99, count do
    pause()
    local begin = shmx.clock()
    assert(pool:submit(add, i):get() == i + 1)
    times[i] = shmx.clock() - begin
  end
  table.sort(times)
  print("p50", times[(count + 1) // 2] * 1e6)
  print("p99", times[math.ceil(count * 0.99)] * 1e6)
end

-- Main sleeps in the wait for a task that does not end, long enough for the worker of the other pool to sleep too.
local function measure_sleepers(count)
  local other = shmx.pool { workers = 1, progress = false, grace = 0 }
  local endless = other:submit(os.execute, "sleep 1000")
  measure_rounds(count, function() endless:wait(0.002) end)
  other:close { cancel = true }
end

local what, count = arg[1], tonumber(arg[2])
if what == "W2" then measure_rate(run_tasks, count, tonumber(arg[3]))
elseif what == "W2map" then measure_rate(run_map, count, tonumber(arg[3]))
elseif arg[3] == "asleep" then measure_sleepers(count)
else measure_rounds(count, function() end) end
