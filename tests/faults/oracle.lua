-- SPDX-License-Identifier: MIT
--
-- What must hold after a fault, whatever it was. Each check returns what it found wrong, as a list of sentences that is
-- empty when all is well, so that a test can also show that the check finds what it is for.
--
-- Some of it can only be seen from within the script that had the pool (its descriptors, the ledger, the verdicts), the
-- rest only from outside, when all is over (processes, /dev/shm). Processes are known by a mark in their environment
-- and never by their name: others may run on this machine.

local lfs = require "lfs"

local oracle = {}

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

local function retry(seconds, find)
  local process = require "process"
  local found = find()
  for _ = 1, seconds / 0.02 do
    if #found == 0 then break end
    process.sleep(0.02)
    found = find()
  end
  return found
end

--- from within ---

---The process number of a pool's supervisor, which is the parent of its workers.
function oracle.supervisor(pool)
  while not pool.workers[1] do require("process").sleep(0.001) end
  local stat <close> = assert(io.open("/proc/" .. pool.workers[1].pid .. "/stat"))
  return tonumber(stat:read("a"):match("^%d+ %b() %a (%d+)"))
end

---What the descriptors of a process (default: this one) lead to.
---@return string[]
function oracle.descriptors(pid)
  local folder, list = ("/proc/%s/fd/"):format(pid or "self"), {}
  for name in lfs.dir(folder) do
    local target = name:match("^%d+$") and lfs.symlinkattributes(folder .. name, "target")
    if target and not target:match("^/proc/%d+/fd") then list[#list + 1] = name .. " -> " .. target end
  end
  table.sort(list)
  return list
end

---The shared memory objects of ours that a process (default: this one) has mapped.
---@return string[]
function oracle.mappings(pid)
  local list = {}
  for line in (read(("/proc/%s/maps"):format(pid or "self")) or ""):gmatch("[^\n]+") do
    if line:find("memfd:shmx", 1, true) then list[#list + 1] = line end
  end
  return list
end

---How this process stands, to be compared with later: with a running supervisor, and with main's own memory, after a
---first pool has come and gone.
function oracle.baseline()
  local pool = require("shmx").pool { workers = 1 }
  pool:submit(math.abs, 1):get()
  pool:submit(function() end):get()
  pool:close()
  collectgarbage()
  collectgarbage()
  return { descriptors = oracle.descriptors(), mappings = oracle.mappings() }
end

local function compare(found, what, before, now)
  if #now <= #before then return end
  found[#found + 1] = ("%d %s, there were %d:\n  %s"):format(#now, what, #before, table.concat(now, "\n  "))
end

---Descriptors, mappings, and the ledger, when the script has let go of all arrays and closed all pools.
---@return string[]
function oracle.residue(before)
  local core = require "shmx.core"
  return retry(1, function()
    collectgarbage()
    collectgarbage()
    local segments, bytes = core.ledger()
    local found = {}
    if segments and (segments > 0 or bytes > 0) then
      found[1] = ("the ledger still has %d segments of %d bytes"):format(segments, bytes)
    end
    compare(found, "descriptors", before.descriptors, oracle.descriptors())
    compare(found, "mappings of shared memory", before.mappings, oracle.mappings())
    return found
  end)
end

local verdicts = { done = true, failed = true, crashed = true, cancelled = true, refused = true, timeout = true }

---Each task has one verdict, and either results or an error.
---@return string[]
function oracle.verdicts(tasks)
  local found = {}
  for i, task in ipairs(tasks) do
    local status, failed = task.status, task.error ~= nil
    if not verdicts[status] then
      found[#found + 1] = ("task %d has no verdict but is %s"):format(i, status)
    elseif failed ~= (status ~= "done") or failed == (task.results ~= nil) then
      found[#found + 1] = ("task %d is %s, its error is %s"):format(i, status, tostring(task.error))
    elseif failed and task.error.status ~= status then
      found[#found + 1] = ("task %d is %s and also %s"):format(i, status, task.error.status)
    end
  end
  return found
end

local function ready_workers(pool)
  local count = 0
  for _, worker in ipairs(pool.workers) do count = count + (worker.state == "ready" and 1 or 0) end
  return count
end

---The pool has all of its workers again, and the next 100 tasks pass. Main takes part: it has to read what the dead
---have left before all of their places can be used again.
---@return string[]
function oracle.strength(pool, workers)
  local found = retry(5, function()
    pool:submit(math.abs, 1):wait(1)
    local ready = ready_workers(pool)
    return ready == workers and {} or { ("%d of %d workers are ready"):format(ready, workers) }
  end)
  local tasks = {}
  for i = 1, 100 do
    tasks[i] = pool:submit(function(n) return require("shmx").range("i64", 1, n), n end, i)
  end
  for i, task in ipairs(tasks) do
    if not task:wait(10) then
      found[#found + 1] = ("task %d of the next 100 has not ended"):format(i)
      break
    end
    local ok, array, n = pcall(task.get, task)
    if not ok or n ~= i or array:sum() ~= i * (i + 1) // 2 then
      found[#found + 1] = ("task %d of the next 100: %s"):format(i, tostring(array))
    end
  end
  return found
end

---Raises an error if something was found.
function oracle.demand(...)
  for i = 1, select("#", ...) do
    local found = select(i, ...)
    if #found > 0 then error(table.concat(found, "\n"), 2) end
  end
end

--- from outside ---

---The processes with this mark (NAME=value) in their environment, at most a second after the fault.
---@return string[]
function oracle.processes(mark)
  return retry(1, function()
    local found = {}
    for name in lfs.dir("/proc") do
      local environment = name:match("^%d+$") and read("/proc/" .. name .. "/environ")
      if environment and ("\0" .. environment .. "\0"):find("\0" .. mark .. "\0", 1, true) then
        local command = (read("/proc/" .. name .. "/cmdline") or ""):gsub("%z", " ")
        found[#found + 1] = ("process %s is left: %s(%d mappings of shared memory)"):format(name, command,
          #oracle.mappings(name))
      end
    end
    return found
  end)
end

---@return table<string, true>
function oracle.shared_memory()
  local names = {}
  for name in lfs.dir("/dev/shm") do names[name] = true end
  return names
end

---Names in /dev/shm that were not there before, and stay: others may use it too.
---@return string[]
function oracle.new_names(before)
  return retry(1, function()
    local found = {}
    for name in pairs(oracle.shared_memory()) do
      if not before[name] then found[#found + 1] = "/dev/shm has a new name: " .. name end
    end
    return found
  end)
end

return oracle
