-- SPDX-License-Identifier: MIT
--
-- random_kills.lua SEED KILLS WORKERS: handovers of every shape while workers are killed at random moments, half of
-- them by this script and half by another process, which does not wait for a moment that suits us. Then the oracle.

local shmx = require "shmx"
local oracle = require "oracle"
local workload = require "workload"

local seed, kills, workers = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local SHELF, IN_FLIGHT = 40, 4 * workers
math.randomseed(seed)
local random = math.random

local before = oracle.baseline()

local function start_killer(pool)
  local line = "%s %s %d %d %d; echo over"
  local program = arg[-1]
  return io.popen(line:format(program, arg[0]:gsub("[^/]*$", "killer.lua"), oracle.supervisor(pool), seed, kills // 2))
end

local function kill_one(pool)
  local ready = {}
  for _, worker in ipairs(pool.workers) do ready[#ready + 1] = worker.state == "ready" and worker or nil end
  if #ready > 0 then ready[random(#ready)]:kill() end
end

local done, crashed, killed = 0, 0, 0
local shelf = {}

-- Takes a task's results in, onto the shelf if there is room.
local function take(task)
  assert(task:wait(20), "a task does not end")
  oracle.demand(oracle.verdicts { task })
  if task.status == "crashed" then
    crashed = crashed + 1
    return assert(task.error.signal == "SIGKILL", task.error.message)
  end
  for _, item in ipairs((task:get())) do
    workload.check(item)
    if random(3) > 1 then shelf[#shelf % SHELF + 1] = item end
  end
  done = done + 1
end

local function step(pool, flying)
  if #flying < IN_FLIGHT then flying[#flying + 1] = workload.submit(pool, random, shelf) end
  if #flying == IN_FLIGHT or random(3) == 1 then take(table.remove(flying, random(#flying))) end
  if #shelf > 0 and random(10) == 1 then workload.check(shelf[random(#shelf)]) end
  if #shelf > 0 and random(10) == 1 then workload.drop(random, shelf) end
  if #shelf > 0 and random(50) == 1 then workload.freeze(random, shelf) end
end

do
  local pool <close> = shmx.pool { workers = workers }
  local killer <close> = start_killer(pool)
  local flying, next_kill = {}, shmx.clock()
  while killed < kills // 2 do
    step(pool, flying)
    if shmx.clock() >= next_kill then
      kill_one(pool)
      killed = killed + 1
      next_kill = shmx.clock() + random() * 0.008 * 4 / workers
    end
  end
  assert(killer:read("a"):match("over"), "the killer has failed")
  while #flying > 0 do take(table.remove(flying)) end
  for _, item in ipairs(shelf) do workload.check(item) end
  oracle.demand(oracle.strength(pool, workers))
end

for _, item in ipairs(shelf) do workload.check(item) end -- they outlive the pool
shelf = {}
oracle.demand(oracle.residue(before))
print(done, crashed)
