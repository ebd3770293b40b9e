-- SPDX-License-Identifier: MIT
--
-- Tiny tasks, submitted one by one, each with a task object of its own. Prints tasks per second.
-- Usage: shmx-lua tiny_tasks.lua [TASKS [WORKERS]]

local shmx = require "shmx"

local count, workers = tonumber(arg[1] or 100000), tonumber(arg[2] or 2)
local pool <close> = shmx.pool { workers = workers, progress = false }
local function increment(x) return x + 1 end

for i = 1, 100 do pool:submit(increment, i):get() end -- the workers are up and know the function

local begin = shmx.clock()
local tasks = {}
for i = 1, count do tasks[i] = pool:submit(increment, i) end
local sum = 0
for i = 1, count do sum = sum + tasks[i]:get() end
local seconds = shmx.clock() - begin

assert(sum == count * (count + 3) // 2, "wrong results")
print(("%.0f"):format(count / seconds))
