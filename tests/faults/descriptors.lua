-- SPDX-License-Identifier: MIT
--
-- descriptors.lua CASE [COUNT]: descriptors and mappings grow with chunks, and with nothing else.

local oracle = require "oracle"
local inherited = #oracle.descriptors() -- before there is anything of ours
local shmx = require "shmx"
local process = require "process"

local name, COUNT = arg[1], tonumber(arg[2])

local function pass(array, n)
  local sum = array:sum()
  return require("shmx").range("i64", 1, n), array, sum
end

-- Long enough for the other worker to take another.
local function pass_slowly(...)
  local till = shmx.clock() + 0.002
  while shmx.clock() < till do end
  return pass(...)
end

-- Hands two arrays on and on, to both workers at once.
local function hand_over(pool, f, count, sizes)
  local arrays = { shmx.range("i64", 1, 10), shmx.range("i64", 1, 20) }
  for i = 1, count do
    local tasks = {}
    for j, array in ipairs(arrays) do tasks[j] = pool:submit(f, array, sizes[i % #sizes + 1]) end
    for j, array in ipairs(arrays) do
      local n = #array
      local fresh, same, sum = tasks[j]:get()
      assert(sum == n * (n + 1) // 2 and same.segment.id == array.segment.id)
      arrays[j] = fresh
    end
  end
end

local function count_all(pool)
  local counts = {}
  local function count(who, pid)
    counts[who .. " descriptors"] = #oracle.descriptors(pid)
    counts[who .. " mappings"] = #oracle.mappings(pid)
  end
  count("main", process.pid())
  count("supervisor", oracle.supervisor(pool))
  for i, worker in ipairs(pool.workers) do count("worker " .. i, worker.pid) end
  return counts
end

local cases = {}

-- Many handovers, in both directions, and no count that goes up.
function cases.flat()
  local before = oracle.baseline()
  local pool = shmx.pool { workers = 2 }
  local sizes = { 1, 100, 2000, 3, 50000, 5000 }
  hand_over(pool, pass_slowly, math.min(COUNT // 10, 2000), sizes)
  collectgarbage()
  pool:submit(math.abs, 1):get()
  local first = count_all(pool)
  hand_over(pool, pass, COUNT, sizes)
  collectgarbage()
  pool:submit(math.abs, 1):get()
  -- Chunks double, from 1 to 16 MiB, so each of three processes may have come to its last one only now.
  for who, now in pairs(count_all(pool)) do
    assert(now <= first[who] + 12, ("%s: %d, and %d before"):format(who, now, first[who]))
  end
  pool:close()
  oracle.demand(oracle.residue(before))
end

-- What a program that a script or a task starts finds open: what we were started with, or the three standard streams.
function cases.popen()
  local function list()
    local pipe <close> = io.popen("ls -l /proc/self/fd")
    local found = {}
    for target in pipe:read("a"):gmatch("%-> (%S+)") do
      if not target:match("^/proc/") then found[#found + 1] = target end
    end
    return #found, table.concat(found, ", ")
  end
  local held = shmx.range("i64", 1, 1000000)
  local pool <close> = shmx.pool { workers = 2 }
  assert(pool:submit(function(array) return array:sum() end, held):get() == 500000500000)
  local function check(most, count, found) assert(count <= most, found) end
  check(inherited, list())
  check(3, pool:submit(list):get())
end

-- Many live small arrays with few descriptors.
function cases.few()
  local function make(first, count)
    local list = {}
    for i = first, first + count - 1 do list[#list + 1] = require("shmx").full("i32", 8, i) end
    return list
  end
  local pool <close> = shmx.pool { workers = 2 }
  local live = {}
  for first = 1, COUNT, 100 do
    for _, array in ipairs(pool:submit(make, first, 100):get()) do live[#live + 1] = array end
  end
  assert(#live == COUNT)
  for i, array in ipairs(live) do assert(array:sum() == 8 * i) end
  assert(#oracle.descriptors() < 40)
  local sum = pool:submit(function(list)
    local total = 0
    for _, array in ipairs(list) do total = total + array:sum() end
    return total
  end, live):get()
  assert(sum == 8 * COUNT * (COUNT + 1) // 2)
end

-- More workers than the limit of open files allows: an error that names it, and no process is left of those that were
-- started already.
function cases.too_many()
  local ok, message = pcall(function()
    local pool = shmx.pool { workers = COUNT }
    pool:submit(math.abs, 1):get(20)
    for _ = 1, 1000 do
      pool:submit(math.abs, 1):get(20)
      process.sleep(0.01)
    end
  end)
  assert(not ok and tostring(message):find("limit of open files", 1, true), message)
  collectgarbage()
  collectgarbage()
  local pool <close> = shmx.pool { workers = 2 }
  assert(pool:submit(math.abs, -1):get() == 1)
end

-- More memory objects than the supervisor can have open: each task says that, or has its array; and when the others are
-- gone, all is well.
function cases.chunks()
  local function make() return require("shmx").empty("u8", 5 << 20) end -- large enough for an object of its own
  local pool <close> = shmx.pool { workers = 2 }
  local live, failed = {}, 0
  for _ = 1, COUNT do
    local task = pool:submit(make)
    assert(task:wait(20), "a task does not end")
    if task.status == "done" then live[#live + 1] = task:get()
    else
      assert(task.error.message:find("limit of open files", 1, true), task.error.message)
      failed = failed + 1
    end
  end
  assert(failed > 0 and #live > 0)
  for _, array in ipairs(live) do array:close() end
  pool:close() -- what workers keep warm has descriptors too
  local next_pool <close> = shmx.pool { workers = 2 }
  for _ = 1, 20 do next_pool:submit(make):get():close() end
end

-- More large arrays, of main and of workers, than the supervisor can have memory objects: they share some, and none is
-- refused. When these are gone, each has one of its own again.
function cases.crowd()
  local SIZE = 4 << 20 -- large enough for an object of its own
  local function make(i)
    local array = require("shmx").empty("u8", SIZE)
    array[1], array[SIZE] = i % 256, i % 251
    return array
  end
  local function count_chunks(list)
    local seen, count = {}, 0
    for _, array in ipairs(list) do
      local chunk = array.segment.chunk
      if not seen[chunk] then count = count + 1 end
      seen[chunk] = true
    end
    return count
  end
  local pool = shmx.pool { workers = 2 }
  local live = {}
  for i = 1, COUNT do live[i] = i % 2 == 0 and make(i) or pool:submit(make, i):get() end
  local right = pool:submit(function(list)
    for i, array in ipairs(list) do
      if array[1] ~= i % 256 or array[#array] ~= i % 251 then return i end
    end
    return "all"
  end, live):get()
  assert(right == "all", right)
  local chunks = count_chunks(live)
  assert(chunks < COUNT - 10, ("%d arrays in %d memory objects"):format(COUNT, chunks))
  for _, array in ipairs(live) do array:close() end
  pool:close()
  local next_pool <close> = shmx.pool { workers = 1 }
  local again = { make(1), make(2), next_pool:submit(make, 3):get() }
  assert(count_chunks(again) == 3)
end

-- What the supervisor answers it answers when it can have no descriptor more, too; and of main's own arrays those that
-- it could not have are what the tasks fail for that need them, and no others.
function cases.answers()
  local function fill(make)
    local kept = {}
    for i = 1, COUNT do
      local ok, problem = pcall(function() kept[i] = make(i) end)
      if not ok then
        assert(tostring(problem):find("limit of open files", 1, true), tostring(problem))
        return kept
      end
    end
    error "there was room for all"
  end
  local prefix = ("shmx-test-%d-"):format(process.pid())
  local names = fill(function(i) return shmx.array("u8", 1, { name = prefix .. i }) end)
  for _, array in pairs(names) do array:close() end
  local pools = fill(function()
    local pool = shmx.pool { workers = 1 }
    pool:submit(math.abs, 1):get(20)
    return pool
  end)
  for _, pool in pairs(pools) do pool:close() end
  local pool <close> = shmx.pool { workers = 1 }
  fill(function()
    local array = shmx.empty("u8", 5 << 20) -- large enough for an object of its own
    assert(pool:submit(function(a) return #a end, array):get(20) == 5 << 20)
    return array
  end)
  assert(pool:submit(math.abs, -1):get(20) == 1)
end

cases[name]()
