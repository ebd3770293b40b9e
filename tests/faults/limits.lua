-- SPDX-License-Identifier: MIT
--
-- limits.lua CASE [SEED]: time limits, retries and cancelling while workers die and processes are stopped. Every task
-- has one end, the right one, and nothing is left.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"
local workload = require "workload"

local name, seed = arg[1], tonumber(arg[2]) or 1
local WORKERS = 3
math.randomseed(seed)
local random = math.random
local before = oracle.baseline()

local function range(n) return require("shmx").range("i64", 1, n) end
local function nap(seconds) require("process").sleep(seconds) end
local function spin() while true do end end
local function swallow() while true do pcall(spin) end end

local function start_killer(pool, kills)
  local line = "%s %s %d %d %d; echo over"
  local program = arg[-1]
  return io.popen(line:format(program, arg[0]:gsub("[^/]*$", "killer.lua"), oracle.supervisor(pool), seed, kills))
end

local function stop_for(pid, seconds)
  os.execute(("(sleep %g; kill -CONT %d) >/dev/null 2>&1 &"):format(seconds, pid))
  process.kill(pid, "STOP")
end

local function wait_for_all(tasks)
  for i, task in ipairs(tasks) do assert(task:wait(20), ("task %d of %d does not end"):format(i, #tasks)) end
  oracle.demand(oracle.verdicts(tasks))
end

local cases = {}

-- Whatever dies is tried again: every task is done, with the right contents, and none was tried too often.
function cases.retries(pool)
  local killer <close> = start_killer(pool, 100)
  local patient, shelf, again = pool:with { retries = 50 }, {}, 0
  for _ = 1, 30 do
    local tasks = {}
    for i = 1, 20 do tasks[i] = workload.submit(patient, random, shelf) end
    process.sleep(0.01)
    wait_for_all(tasks)
    for _, task in ipairs(tasks) do
      assert(task.status == "done", tostring(task.error))
      if task.attempt > 1 then again = again + 1 end
      for _, item in ipairs((task:get())) do
        workload.check(item)
        if random(3) > 1 then shelf[#shelf % 20 + 1] = item end
      end
    end
  end
  assert(killer:read("a"):match("over"), "the killer has failed")
  assert(again > 0, "no task was tried again")
end

-- Tasks that never end, some of which have arrays with them, beside tasks that do, under fire.
function cases.timeouts(pool)
  local killer <close> = start_killer(pool, 60)
  local hasty, array = pool:with { timeout = 0.02, retries = 2 }, range(50000)
  local bad, good = {}, {}
  for i = 1, 25 do
    bad[i] = hasty:submit(({ spin, swallow, nap })[i % 3 + 1], 20, array)
    good[i] = pool:with { retries = 50 }:submit(function(a) return a:sum() end, array)
  end
  wait_for_all(bad)
  wait_for_all(good)
  for i = 1, 25 do
    assert(bad[i].status == "timeout" or bad[i].status == "crashed", bad[i].status)
    assert(bad[i].attempt <= 3)
    assert(good[i].status == "done" and good[i].result == 50000 * 50001 // 2, tostring(good[i]))
  end
  assert(killer:read("a"):match("over"), "the killer has failed")
end

-- Cancelled in whatever they are, with their workers dying meanwhile.
function cases.cancels(pool)
  local killer <close> = start_killer(pool, 60)
  for _ = 1, 20 do
    local tasks, array = {}, pool:with { retries = 50 }:submit(range, 20000):get()
    for i = 1, 12 do tasks[i] = pool:with { retries = 3 }:submit(({ spin, range, nap })[i % 3 + 1], 0.01, array) end
    for i, task in ipairs(tasks) do
      if i % 3 ~= 2 then process.sleep(0.0003) end
      local cancelled = task:cancel()
      assert(not cancelled or task.status == "cancelled", task.status)
    end
    wait_for_all(tasks)
    for i, task in ipairs(tasks) do assert(i % 3 ~= 1 or task.status ~= "done") end
  end
  assert(killer:read("a"):match("over"), "the killer has failed")
end

-- Trees of tasks over arrays, some of which hang at first, with retries: no sum is wrong.
function cases.chains(pool)
  local killer <close> = start_killer(pool, 60)
  local patient = pool:with { retries = 50, timeout = 0.3 }
  local function leaf(i)
    local shmx_here = require "shmx"
    local _, _, attempt = shmx_here.worker()
    while i % 7 == 0 and attempt == 1 do end
    return shmx_here.full("i64", 2000, i)
  end
  local function sum(a, b) return a + b end
  for _ = 1, 5 do
    local level = {}
    for i = 1, 32 do level[i] = patient:submit(leaf, i) end
    while #level > 1 do
      local above = {}
      for i = 1, #level, 2 do above[#above + 1] = patient:submit(sum, level[i], level[i + 1]) end
      level = above
    end
    assert(level[1]:wait(20), "a chain does not end")
    assert(level[1]:get():sum() == 2000 * 32 * 33 // 2)
  end
  assert(killer:read("a"):match("over"), "the killer has failed")
end

-- A worker that is stopped in a task: the task has timed out, and another worker takes the place.
function cases.stopped_worker(pool)
  for _ = 1, 5 do
    local task = pool:with { timeout = 0.3 }:submit(nap, 0.2)
    while task.status ~= "running" do process.sleep(0.001) end
    for _, worker in ipairs(pool.workers) do process.kill(worker.pid, "STOP") end
    assert(task:wait(2), "the task of a stopped worker does not time out")
    assert(task.status == "timeout", task.status)
    for _, worker in ipairs(pool.workers) do process.kill(worker.pid, "CONT") end
  end
end

-- While the supervisor is stopped, tasks that need it wait longer than they may run. That is not their fault.
function cases.stopped_supervisor(pool)
  local tasks, pid = {}, oracle.supervisor(pool)
  stop_for(pid, 1.2)
  for i = 1, 60 do tasks[i] = pool:with { timeout = 0.5 }:submit(range, 100000 * (i % 3 + 1)) end
  local hanging = pool:with { timeout = 0.5 }:submit(spin)
  wait_for_all(tasks)
  for _, task in ipairs(tasks) do assert(task.status == "done", tostring(task.error)) end
  assert(hanging:wait(5) and hanging.status == "timeout", hanging.status)
end

-- A worker that has not run anything gets the signal while it still waits for the code of its first task.
function cases.first_task()
  local fresh <close> = shmx.pool { workers = 1 }
  local supervisor, worker = oracle.supervisor(fresh), fresh.workers[1].pid
  while fresh.workers[1].state ~= "ready" do process.sleep(0.001) end
  process.kill(supervisor, "STOP")
  local task = fresh:submit(spin)
  while task.status ~= "running" do process.sleep(0.001) end
  assert(task:cancel())
  for _ = 1, 10 do
    process.kill(worker, "URG")
    process.sleep(0.01)
  end
  process.kill(supervisor, "CONT")
  assert(fresh:submit(math.abs, -1):get() == 1)
  assert(fresh.workers[1].pid == worker, "the worker has died")
end

function cases.stopped_main(pool)
  local tasks = {}
  for i = 1, 200 do tasks[i] = pool:with { timeout = 0.3 }:submit(range, 1000 * i) end
  local hanging = pool:with { timeout = 0.3 }:submit(spin)
  stop_for(process.pid(), 1)
  wait_for_all(tasks)
  for _, task in ipairs(tasks) do assert(task.status == "done", tostring(task.error)) end
  assert(hanging:wait(5) and hanging.status == "timeout", hanging.status)
end

do
  local pool <close> = shmx.pool { workers = WORKERS, grace = 0.2 }
  oracle.demand(oracle.strength(pool, WORKERS))
  cases[name](pool)
  oracle.demand(oracle.strength(pool, WORKERS))
end
oracle.demand(oracle.residue(before))
