-- SPDX-License-Identifier: MIT
--
-- points.lua POINT ACTION: a life of a script with everything in it that has an injection point, while SHMX_FAULT
-- (which says the same) makes something happen to one process on the way. What must be true afterwards depends on whom
-- it happened to, and when.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"
local workload = require "workload"

local role, number, action = arg[1]:sub(1, 1), tonumber(arg[1]:sub(2)), arg[2]
local WORKERS, TASKS = 2, 40
local harmless = action == "stop" -- and then told to go on

local random = math.random
math.randomseed(1)

local tasks, shelf = {}, {}

-- From here on the fault may happen.
local function arm() assert(io.open(os.getenv("SHMX_FAULT_MARK"), "w")):close() end

local function take(task)
  task:wait()
  if task.status ~= "done" then return end
  for _, item in ipairs((task:get())) do
    workload.check(item)
    shelf[#shelf + 1] = item
  end
end

local function spin() while true do end end

-- A task that uses up its time, and one that is cancelled while it runs.
local function stop_some(pool)
  local slow, cancelled = pool:with { timeout = 0.02 }:submit(spin), pool:submit(spin)
  tasks[#tasks + 1], tasks[#tasks + 2] = slow, cancelled
  slow:wait()
  while cancelled.status == "queued" do process.sleep(0.001) end
  cancelled:cancel()
end

-- Tasks in waves, with moments of idleness between them, and a worker that dies by our hand.
local function work(pool)
  for i = 1, TASKS do
    local task = workload.submit(pool, random, shelf)
    tasks[#tasks + 1] = task
    if i % 4 == 0 then take(task) end
    if i % 8 == 0 and #shelf > 0 then workload.freeze(random, shelf) end
    if i % 20 == 0 then stop_some(pool) end
    if i % 10 == 0 then
      process.sleep(0.005)
      while #shelf > 10 do workload.drop(random, shelf) end
    end
  end
  for _, task in ipairs(tasks) do task:wait() end
  if role == "s" then
    pool.workers[1]:kill()
    process.sleep(0.02)
  end
end

-- `begun`: called when there is a pool.
local function life(before, begun)
  local pool = shmx.pool { workers = WORKERS, grace = 0.3 }
  if begun then begun() end
  local ok, message = pcall(function()
    work(pool)
    oracle.demand(oracle.verdicts(tasks), oracle.strength(pool, WORKERS))
  end)
  pool:close()
  oracle.demand(oracle.verdicts(tasks))
  if not ok then error(message, 0) end
  for _, item in ipairs(shelf) do workload.check(item) end
  local crashed = {}
  for _, task in ipairs(tasks) do crashed[#crashed + 1] = task.status == "crashed" and task or nil end
  tasks, shelf = {}, {}
  oracle.demand(oracle.residue(before))
  return crashed
end

-- An array of another process's making, held when the supervisor dies.
local function keep_one()
  local pool <close> = shmx.pool { workers = 1 }
  return pool:submit(function() return require("shmx").range("i64", 1, 100000) end):get()
end

-- The script's next call says that the supervisor is dead; arrays stay; a new pool works, and leaves nothing.
local function survive_supervisor()
  local kept, before = keep_one(), oracle.baseline()
  local ok, message = pcall(life, before, arm) -- with a pool open: without, a new supervisor takes the dead one's place
  assert(not ok, "nothing has noticed the death of the supervisor")
  assert(tostring(message):find("supervisor", 1, true), message)
  local old = shelf
  tasks, shelf = {}, {}
  life(oracle.baseline())
  for _, item in ipairs(old) do workload.check(item) end
  assert(kept:sum() == 100000 * 100001 // 2)
end

local expected_signal = { kill = "SIGKILL", abort = "SIGABRT", term = "SIGTERM" }

-- A task that its worker has taken and not yet committed has crashed; no other.
local function check_crashes(crashed)
  local least = role == "w" and not harmless and number >= 1 and number <= 7 and 1 or 0
  local most = role == "w" and not harmless and number <= 7 and 1 or 0
  assert(#crashed >= least and #crashed <= most, #crashed .. " tasks have crashed")
  for _, task in ipairs(crashed) do
    assert(task.error.signal == expected_signal[action], task.error.message)
    assert(task.error.code == (action == "exit" and 3 or nil), task.error.message)
  end
end

if role == "s" and not harmless and number ~= 7 then
  survive_supervisor()
else
  local before = oracle.baseline()
  arm()
  check_crashes(life(before))
end
