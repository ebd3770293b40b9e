-- SPDX-License-Identifier: MIT
--
-- deaths.lua CASE WORKERS: deaths of workers that are not random. Then the oracle.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"

local name, WORKERS = arg[1], tonumber(arg[2])
local before = oracle.baseline()

local function range(n) return require("shmx").range("i64", 1, n) end

local function kill_myself(n)
  local array = require("shmx").range("i64", 1, n)
  process.kill(process.pid(), "KILL")
  return array
end

local function kill_siblings(n)
  local me, parent = process.pid(), process.parent()
  local file <close> = assert(io.open(("/proc/%d/task/%d/children"):format(parent, parent)))
  for pid in file:lines("n") do
    if pid ~= me then process.kill(pid, "KILL") end
  end
  return require("shmx").range("i64", 1, n)
end

local function wait_for_all(tasks)
  for _, task in ipairs(tasks) do assert(task:wait(20), "a task does not end") end
  oracle.demand(oracle.verdicts(tasks))
end

-- What ended well is right, what did not was killed. Returns how many were.
local function count_killed(tasks, n)
  local killed = 0
  for _, task in ipairs(tasks) do
    if task.status == "done" then assert(task:get():sum() == n * (n + 1) // 2)
    else killed = killed + (assert(task.error.signal == "SIGKILL", task.error.message) and 1) end
  end
  return killed
end

local function submit_many(pool, count, f, n)
  local tasks = {}
  for i = 1, count do tasks[i] = pool:submit(f, n) end
  return tasks
end

local cases = {}

-- All workers, several times, with tasks in them and on the board, arrays on their way, and arrays held by main.
function cases.all_at_once(pool)
  local held = pool:submit(range, 50000):get()
  for round = 1, 10 do
    local tasks = submit_many(pool, 20 * WORKERS, range, 10000)
    process.sleep(0.001 * (round % 4))
    for _, worker in ipairs(pool.workers) do worker:kill() end
    wait_for_all(tasks)
    assert(count_killed(tasks, 10000) <= WORKERS)
    assert(held:sum() == 50000 * 50001 // 2)
  end
end

-- Each of many tasks kills its own worker: that task has crashed, and no other.
function cases.themselves(pool)
  local good, bad = {}, {}
  for i = 1, 30 do
    bad[i] = pool:submit(kill_myself, 5000)
    good[i] = pool:submit(range, 5000)
  end
  wait_for_all(good)
  wait_for_all(bad)
  assert(count_killed(good, 5000) == 0)
  assert(count_killed(bad, 5000) == 30)
end

-- Tasks that kill the other workers, in whatever they are: each death costs one task at most.
function cases.siblings(pool)
  local tasks = {}
  for i = 1, 60 do tasks[i] = pool:submit(i % 6 == 0 and kill_siblings or range, 5000) end
  wait_for_all(tasks)
  assert(count_killed(tasks, 5000) <= 10 * (WORKERS - 1))
end

-- A task that its worker has committed is done, whatever happens to the worker before main looks.
function cases.after_the_commit(pool)
  local function tasks_done()
    local sum = 0
    for _, worker in ipairs(pool.workers) do sum = sum + worker.tasks_done end
    return sum
  end
  local function wait_until_gone(list)
    local pids = {}
    for _, worker in ipairs(list) do pids[worker.pid] = true end
    local function find()
      for _, worker in ipairs(pool.workers) do
        if pids[worker.pid] then return true end
      end
    end
    while find() do process.sleep(0.0005) end
  end
  for _ = 1, 20 do
    local before_them
    repeat -- workers count a task a little after they have committed it
      before_them = tasks_done()
      process.sleep(0.05)
    until tasks_done() == before_them
    local tasks = submit_many(pool, 2 * WORKERS, range, 5000)
    while tasks_done() < before_them + #tasks do process.sleep(0.0005) end
    local workers = pool.workers
    for _, worker in ipairs(workers) do worker:kill() end
    wait_until_gone(workers)
    wait_for_all(tasks)
    assert(count_killed(tasks, 5000) == 0)
    oracle.demand(oracle.strength(pool, WORKERS))
  end
end

-- Each start fails: the pool gives up with the last words, and leaves nothing.
local function every_start_fails()
  local function check(init, words)
    local ok, message = pcall(shmx.pool, { workers = WORKERS, init = init })
    assert(not ok and message:find(words, 1, true), message)
  end
  check(function() error "no bread today" end, "no bread today")
  check(function()
    process.kill(process.pid(), "SEGV")
  end, "signal SIGSEGV")
  check(function() os.exit(7) end, "exit code 7")
end

-- The supervisor is killed while all workers run and their children run too.
function cases.supervisor(pool)
  local held = pool:submit(range, 5000):get()
  local tasks = submit_many(pool, WORKERS, os.execute, "sleep 30")
  process.sleep(0.1)
  process.kill(oracle.supervisor(pool), "KILL")
  wait_for_all(tasks)
  pool:close()
  assert(held:sum() == 5000 * 5001 // 2)
  local new <close> = shmx.pool { workers = WORKERS }
  assert(new:submit(math.abs, -4):get() == 4)
end

if name == "every_start" then
  every_start_fails()
else
  local pool = shmx.pool { workers = WORKERS }
  cases[name](pool)
  if name ~= "supervisor" then oracle.demand(oracle.strength(pool, WORKERS)) end
  pool:close()
end
oracle.demand(oracle.residue(before))
