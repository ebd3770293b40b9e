-- SPDX-License-Identifier: MIT
--
-- forks.lua: a script that forks itself while a pool is open, and a task that does so. The child cannot use shmx, its
-- finalizers do nothing, and the parent goes on as if nothing had happened.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"

local before = oracle.baseline()
local WORDS = "shmx cannot be used in a forked child"

local function range(n) return require("shmx").range("i64", 1, n) end

-- In a child: its exit code is 0 if every call is refused as it should.
local function refused(calls)
  for _, call in ipairs(calls) do
    local ok, message = pcall(table.unpack(call))
    if ok or not tostring(message):find(WORDS, 1, true) then
      io.stderr:write("in a forked child: ", tostring(ok), " ", tostring(message), "\n")
      return 1
    end
  end
  return 0
end

local function run_child(f)
  local pid = process.fork()
  if pid > 0 then
    local code, signal = process.wait(pid)
    assert(code == 0, ("the child ended with %s"):format(code or "signal " .. signal))
    return
  end
  f()
end

do
  local pool <close> = shmx.pool { workers = 2 }
  local array, task = pool:submit(range, 1000):get(), shmx.task(range, 10)
  local private = shmx.range("i64", 1, 10)
  local flying = pool:submit(function() require("process").sleep(0.2) return require("shmx").range("i64", 1, 7) end)

  run_child(function()
    process.leave(refused {
      { pool.submit, pool, range, 10 }, { pool.execute, pool, task }, { pool.map, pool, range, { 1, 2 } },
      { pool.close, pool }, { flying.get, flying }, { flying.wait, flying, 0 }, { flying.done, flying },
      { shmx.pool, { workers = 1 } }, { shmx.array, "i64", 10 }, { shmx.range, "i64", 1, 10 }, { array.copy, array },
    })
  end)
  -- The whole end of a Lua state: every finalizer runs, and harms nobody. The pool is an upvalue of live functions.
  run_child(function() os.exit(0, true) end)
  run_child(function()
    array, private, flying = nil, nil, nil
    collectgarbage()
    collectgarbage()
    process.leave(0)
  end)

  assert(array:sum() == 500500 and private:sum() == 55)
  assert(flying:get(5):sum() == 28)
  assert(pool:execute(task)[1].result:sum() == 55)

  -- The same in a worker, whose child must not answer for it.
  local function fork_in_task(words)
    local process, shmx = require "process", require "shmx" -- luacheck: ignore
    local mine = shmx.range("i64", 1, 100)
    local pid = process.fork()
    if pid > 0 then
      local code = process.wait(pid)
      return mine, code
    end
    for _, call in ipairs { { shmx.range, "i64", 1, 10 }, { shmx.cancelled }, { shmx.progress, 1, 2 } } do
      local ok, message = pcall(table.unpack(call))
      if ok or not message:find(words, 1, true) then process.leave(1) end
    end
    process.leave(0)
  end
  for _ = 1, 5 do
    local mine, code = pool:submit(fork_in_task, WORDS):get(5)
    assert(mine:sum() == 5050 and code == 0, code)
  end

  -- A child of a task that goes its own way: it does not keep the worker, and it does not commit for it.
  local function stray_child()
    local process = require "process" -- luacheck: ignore
    if process.fork() == 0 then return "from the child" end
    return "from the worker"
  end
  for _ = 1, 5 do assert(pool:submit(stray_child):get(5) == "from the worker") end
  oracle.demand(oracle.strength(pool, 2))
  array, private, flying, task = nil, nil, nil, nil -- luacheck: ignore
end
oracle.demand(oracle.residue(before))
