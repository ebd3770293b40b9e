-- SPDX-License-Identifier: MIT
--
-- Who works while others do not: workers while main computes, and nobody when there is nothing to do.

local root = arg[0]:match("^(.*)/[^/]*$") .. "/.."
local child = dofile(root .. "/tests/child.lua")

setup(child.open)
teardown(child.close)

local function passes(code)
  local result = child.run(code)
  assert.are.same({ err = "", status = 0 }, { err = result.err, status = result.status })
  return result.out
end

describe("workers", function()
  it("run all that is queued while main computes for three seconds", function()
    passes [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 2 }
      local tasks = {}
      for i = 1, 2000 do tasks[i] = pool:submit(function(n) return shmx.full("i64", 100, n) end, i) end
      local stop = shmx.clock() + 3
      while shmx.clock() < stop do end -- no call that takes results in
      local done = 0
      for _, worker in ipairs(pool.workers) do done = done + worker.tasks_done end
      assert(done == 2000, ("%d of 2000 tasks had ended when main looked up"):format(done))
      for i, task in ipairs(tasks) do
        local array = task:get(0)
        assert(#array == 100 and array[100] == i)
      end
    ]]
  end)

  -- Main has used up its turn when it asks, so the kernel lets the woken worker go first, again and again.
  it("leave main the only core when it waits for them after a computation", function()
    local ticks = passes [[
      local shmx = require "shmx"
      local core = io.open("/proc/self/status"):read("a"):match("Cpus_allowed_list:%s*(%d+)")
      assert(os.execute(("taskset -cp %s %d >/dev/null"):format(core, shmx.pid())))
      local pool <close> = shmx.pool { workers = 1 }
      for i = 1, 3000 do
        for _ = 1, 50000 do end
        assert(pool:submit(function(x) return x + 1 end, i):get() == i + 1)
      end
      local stat = io.open(("/proc/%d/stat"):format(pool.workers[1].pid)):read("a")
      local user, kernel = stat:match("^.*%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
      print(user + kernel)
    ]]
    -- One or two are usual; 24 or more if the worker looks for the next task while main waits for the core.
    assert.is_true(tonumber(ticks) < 12, ("3000 short tasks took the worker %s ticks"):format(ticks))
  end)
end)

describe("a command that is to use only what others leave", function()
  it("has workers that do the same", function()
    passes [[
      local shmx = require "shmx"
      assert(os.execute(("chrt --idle -p 0 %d >/dev/null"):format(shmx.pid())))
      local pool <close> = shmx.pool { workers = 1 }
      local stat = pool:submit(function() return io.open("/proc/self/stat"):read("a") end):get()
      local policy = stat:match("^.*%) %S" .. (" %S+"):rep(37) .. " (%d+)")
      assert(policy == "5", policy) -- SCHED_IDLE
    ]]
  end)
end)

describe("an idle pool of eight workers", function()
  -- Main waits for a command that looks at the other processes: at their system calls, or at the time that they use.
  local function idle(command)
    return passes(([[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 8 }
      local tasks = {}
      for i = 1, 100 do tasks[i] = pool:submit(function(n) return shmx.range("i64", 1, n) end, 1000 * i) end
      for _, task in ipairs(tasks) do task:get() end
      local children = ("/proc/%%d/task/%%d/children"):format(shmx.pid(), shmx.pid())
      local supervisor = io.open(children):read("n")
      local pids = supervisor
      for _, worker in ipairs(pool.workers) do pids = pids .. " " .. worker.pid end
      os.execute("sleep 3; pids='" .. pids .. "'; %s")
    ]]):format(command))
  end

  it("makes no system call in ten seconds", function()
    if not os.execute("strace -o /dev/null true 2>/dev/null") then return pending("strace cannot trace here") end
    idle "timeout 10 strace -f -qq -o trace $(printf -- ' -p %s' $pids) 2>/dev/null"
    -- Calls that were under way when strace came are shown, one for each process; no other may be.
    local calls = 0
    for line in child.read("trace"):gmatch("[^\n]+") do
      local call, how = line:match("^%d+ +([%a_]+)%(.*<(%a+) %.%.%.>$")
      assert.is_true(call == "futex" or call == "epoll_wait", line)
      assert.is_true(how == "unfinished" or how == "detached", line)
      calls = calls + 1
    end
    assert.equal(9, calls)
  end)

  it("uses no processor time", function()
    -- Fields 14 and 15 of stat are ticks in user and in kernel mode.
    local ticks = "for p in $pids; do sed 's/.*) //' /proc/$p/stat | cut -d' ' -f12,13; done"
    local out = idle(ticks .. " >before; sleep 5; " .. ticks .. " >after; cmp before after && echo same")
    assert.equal("same\n", out)
  end)
end)
