-- SPDX-License-Identifier: MIT
--
-- stops.lua CASE: processes that are stopped (SIGSTOP) and not dead. Nothing hangs that need not wait for them, and
-- nobody takes them for dead.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"

local name, SECONDS = arg[1], tonumber(arg[2]) or 1
local before = oracle.baseline()

local function range(n) return require("shmx").range("i64", 1, n) end
local function nap(seconds) require("process").sleep(seconds) end

local function state_of(pid)
  local stat <close> = assert(io.open("/proc/" .. pid .. "/stat"))
  return stat:read("a"):match("^%d+ %b() (%a)")
end

local function stop(pid)
  process.kill(pid, "STOP")
  while state_of(pid) ~= "T" do process.sleep(0.001) end
end

local function wait_until_ready(pool, count)
  oracle.demand(oracle.strength(pool, count))
  process.sleep(0.05) -- all have gone to sleep
end

-- Something else tells the process to go on after a while.
local function go_on_later(pid, seconds)
  os.execute(("(sleep %g; kill -CONT %d) >/dev/null 2>&1 &"):format(seconds, pid))
end

local function take_all(tasks, seconds)
  for i, task in ipairs(tasks) do
    assert(task:wait(seconds), ("task %d of %d has not ended after %g seconds"):format(i, #tasks, seconds))
    assert(task.status == "done", tostring(task.error))
    local array = task:get()
    if array then assert(array:sum() == #array * (#array + 1) // 2) end
  end
end

local cases = {}

-- The others take every task, whichever it was that was stopped.
function cases.idle_worker(pool)
  for number = 1, 3 do
    wait_until_ready(pool, 3)
    local stopped = pool.workers[number].pid
    stop(stopped)
    for _ = 1, 20 do
      local tasks = {}
      for i = 1, 3 do tasks[i] = pool:submit(range, 1000) end
      take_all(tasks, 3)
    end
    process.kill(stopped, "CONT")
  end
end

-- A wake-up that was given to a worker at the moment when it stopped is given to another; at once, and not when an idle
-- worker looks up by itself, as each does a second after its last task.
function cases.wake_up(pool)
  wait_until_ready(pool, 3)
  for round = 1, 30 do
    local stopped = pool.workers[round % 3 + 1].pid
    process.kill(stopped, "STOP")
    local task = pool:submit(range, 1000) -- perhaps for the one that just stops
    take_all({ task }, 0.5)
    process.kill(stopped, "CONT")
    process.sleep(0.01)
  end
end

-- Who is stopped and has nothing to do keeps no pool open.
function cases.idle_worker_closing(pool)
  wait_until_ready(pool, 3)
  stop(pool.workers[2].pid)
  local task = pool:submit(range, 1000)
  pool:close()
  take_all({ task }, 1)
  return true
end

-- All are stopped: the task waits, and is done by the one that goes on.
function cases.all_workers(pool)
  wait_until_ready(pool, 3)
  local list = pool.workers
  for _, worker in ipairs(list) do stop(worker.pid) end
  local task = pool:submit(range, 1000)
  assert(not task:wait(0.2))
  assert(task.status == "queued")
  process.kill(list[2].pid, "CONT")
  take_all({ task }, 3)
  assert(task.worker == list[2].number)
  for _, worker in ipairs(list) do process.kill(worker.pid, "CONT") end
end

-- Who is stopped while it waits for memory does not hold up those that wait behind it, nor its own time limit.
function cases.waiting_worker(pool)
  local function make(mib) return require("shmx").empty("u8", mib << 20) end
  wait_until_ready(pool, 3)
  shmx.memory = 64 << 20
  local a, b = make(30), make(30) -- by main: what a worker has made it gives back itself
  local function wait_for_memory(seconds)
    local task = pool:with { timeout = seconds }:submit(make, 20)
    while task.status ~= "running" do process.sleep(0.001) end
    process.sleep(0.1) -- till then it has asked
    return task
  end
  local first, second = wait_for_memory(0.3), wait_for_memory(60)
  local patient = wait_for_memory(0.05) -- the time that it waits does not count
  stop(pool.workers[first.worker].pid)
  assert(first:wait(5) and first.status == "timeout", tostring(first))
  stop(pool.workers[second.worker].pid)
  a:close()
  b:close()
  assert(patient:wait(5) and patient.status == "done", tostring(patient))
  process.kill(pool.workers[second.worker].pid, "CONT")
  assert(second:wait(5) and second.status == "done", tostring(second))
end

-- SIGKILL works on a stopped worker, and its task says so.
function cases.busy_worker(pool)
  wait_until_ready(pool, 3)
  local task = pool:submit(nap, 0.3)
  while task.status ~= "running" do process.sleep(0.001) end
  local pids = pool.workers
  for _, worker in ipairs(pids) do stop(worker.pid) end
  assert(not task:wait(0.5))
  for _, worker in ipairs(pids) do worker:kill() end
  assert(task:wait(3) and task.status == "crashed" and task.error.signal == "SIGKILL")
end

-- Small tasks need no supervisor; what needs it waits; nothing fails.
function cases.supervisor(pool)
  wait_until_ready(pool, 3)
  local pid, tasks = oracle.supervisor(pool), {}
  stop(pid)
  for i = 1, 100 do tasks[i] = pool:submit(math.abs, i) end
  for i, task in ipairs(tasks) do
    assert(task:wait(3), "a task waits for the supervisor")
    assert(task:get() == i)
  end
  go_on_later(pid, SECONDS)
  for i = 1, 100 do tasks[i] = pool:submit(range, 1000 * i) end
  take_all(tasks, SECONDS + 5)
end

-- A closed pool waits for a stopped supervisor, and no longer.
function cases.supervisor_closing(pool)
  wait_until_ready(pool, 3)
  local pid = oracle.supervisor(pool)
  stop(pid)
  go_on_later(pid, SECONDS)
  local task = pool:submit(range, 1000)
  pool:close()
  take_all({ task }, 1)
  return true
end

function cases.main(pool)
  wait_until_ready(pool, 3)
  local tasks = {}
  for i = 1, 200 do tasks[i] = pool:submit(range, 100 * i) end
  go_on_later(process.pid(), SECONDS)
  process.kill(process.pid(), "STOP")
  take_all(tasks, 5)
end

do
  local pool <close> = shmx.pool { workers = 3 }
  if not cases[name](pool) then oracle.demand(oracle.strength(pool, 3)) end
end
oracle.demand(oracle.residue(before))
