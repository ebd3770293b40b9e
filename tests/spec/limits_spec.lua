-- SPDX-License-Identifier: MIT
--
-- Limits of tasks and of workers: time, attempts, the Lua heap; and cancelling what runs. tests/faults/limits.lua has
-- what happens to them when processes die or stop.

local shmx = require "shmx"
local core = require "shmx.core"

local function pause(seconds) os.execute("sleep " .. seconds) end
local function double(x) return 2 * x end
local function spin() while true do end end

local function with_pool(given, f)
  given.progress = false
  local pool <close> = shmx.pool(given)
  return f(pool)
end

local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local await, failure = dofile(here .. "/await.lua"), dofile(here .. "/failure.lua")

local function raised(f, ...) return tostring(failure(f, ...)) end

local function wait_until_running(task) await(function() return task.status ~= "queued" end) end

-- A file in which attempts leave a letter.
local function temporary()
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  return path
end

local function contents(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

describe("timeout", function()
  -- A task in Lua, one in C that no hook interrupts, one in a system call, and one that swallows the error.
  local cases = {
    ["a loop in Lua"] = spin,
    ["a pattern match that takes for ever"] = function() return string.find(("a"):rep(1e5), ".-.-.-b") end,
    ["a sleep"] = function() os.execute "sleep 20" end,
    ["a task that swallows the error"] = function() while true do pcall(function() while true do end end) end end,
    ["a loop in a coroutine"] = function() coroutine.wrap(function() while true do end end)() end,
  }
  for what, f in pairs(cases) do
    it("ends " .. what .. " soon, and the pool goes on", function()
      with_pool({ workers = 1 }, function(pool)
        local other, before = pool:submit(double, 1), shmx.clock()
        local task = pool:with { timeout = 0.5 }:submit(f)
        local next_one = pool:submit(double, 2)
        assert.is_true(task:wait(5))
        assert.are.equal("timeout", task.status)
        assert.are.equal(4, next_one:get())
        assert.is_true(shmx.clock() - before < 2) -- 0.75 seconds if nobody else wants the processors
        assert.are.equal(2, other:get())
        assert.matches("timed out in worker 1: it has not ended within its limit of 0.5 seconds",
          raised(task.get, task))
        assert.are.equal("timeout", task.error.status)
      end)
    end)
  end

  it("of a task in Lua leaves the worker alive", function()
    with_pool({ workers = 1 }, function(pool)
      local pid = pool:submit(shmx.pid):get()
      local closed = temporary()
      local task = pool:with { timeout = 0.05 }:submit(function()
        local _ <close> = setmetatable({}, { __close = function() io.open(closed, "w"):write("closed"):close() end })
        while true do end
      end)
      assert.is_true(task:wait(5))
      assert.are.equal(pid, pool:submit(shmx.pid):get())
      assert.are.equal("closed", contents(closed))
    end)
  end)

  it("of a task in coroutines ends them, one after the other, and leaves the worker alive", function()
    local function spin_in(log, name)
      local _ <close> = setmetatable({}, { __close = function() log:write(name, " is closed\n") end })
      while true do end
    end
    local function begin(path, f)
      local log <close> = io.open(path, "w")
      local _ <close> = setmetatable({}, { __close = function() log:write "the task is closed\n" end })
      f(spin_in, log)
      log:write "the task went on\n"
    end
    local inner, outer = "inner is closed\n", "outer is closed\n"
    local ways = { -- as Lua has it, only a function of coroutine.wrap closes variables after an error
      { "wrapped", inner, function(spin_there, log) coroutine.wrap(spin_there)(log, "inner") end },
      { "resumed", "", function(spin_there, log)
        assert(not coroutine.resume(coroutine.create(spin_there), log, "inner"))
        while true do end
      end },
      { "one in the other", outer, function(spin_there, log)
        coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() log:write "outer is closed\n" end })
          coroutine.resume(coroutine.create(spin_there), log, "inner")
          while true do end
        end)()
      end },
      { "two of wrap", inner .. outer, function(spin_there, log)
        coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() log:write "outer is closed\n" end })
          coroutine.wrap(spin_there)(log, "inner")
        end)()
      end },
      { "yielding again and again", "", function()
        for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end
      end },
      { "after an error in another", inner, function(spin_there, log)
        pcall(coroutine.wrap(function() error "no" end))
        coroutine.wrap(spin_there)(log, "inner")
      end },
      { "beside one that has died", "", function()
        pcall(coroutine.wrap(function() error "no" end))
        while true do end
      end },
    }
    with_pool({ workers = 1 }, function(pool)
      local pid = pool:submit(shmx.pid):get()
      for _, way in ipairs(ways) do
        local path = temporary()
        local task = pool:with { timeout = 0.2 }:submit(begin, path, way[3])
        assert.is_true(task:wait(5))
        assert.are.same({ way[1], "timeout", pid }, { way[1], task.status, pool:submit(shmx.pid):get() })
        assert.are.same({ way[1], way[2] .. "the task is closed\n" }, { way[1], contents(path) })
      end
    end)
  end)

  it("counts from the claim, and not in the queue", function()
    with_pool({ workers = 1, timeout = 0.25 }, function(pool)
      local tasks = {}
      for i = 1, 6 do tasks[i] = pool:submit(function(x) os.execute "sleep 0.1" return x end, i) end
      for i = 1, 6 do assert.are.equal(i, tasks[i]:get()) end
    end)
  end)

  it("can be given for a pool, for what follows and for a task; the nearest one counts", function()
    with_pool({ workers = 2, timeout = 0.05 }, function(pool)
      local short, long = pool:submit(pause, 0.2), pool:with { timeout = 5 }:submit(pause, 0.2)
      local own = shmx.task { pause, 0.2, timeout = 5 }
      pool:execute(own)
      short:wait()
      assert.are.equal("timeout", short.status)
      assert.are.equal("done", long.status)
      assert.are.equal("done", own.status)
      local err = select(2, pcall(pool.map, pool, function(x) if x == 2 then while true do end end return x end,
        { 1, 2, 3 }))
      assert.are.equal("timeout", err.failures[1].status)
      assert.are.same({ 1, nil, 3, n = 3 }, err.results)
    end)
  end)

  it("gives back the arrays that the task had and made", function()
    with_pool({ workers = 1 }, function(pool)
      collectgarbage()
      local before = core.ledger()
      local array = shmx.range("i64", 1, 10000)
      local task = pool:with { timeout = 0.05 }:submit(function(a)
        local b = a:copy()
        while true do b[1] = 1 end
      end, array)
      task:wait()
      assert.are.equal("timeout", task.status)
      assert.are.equal(10000 * 10001 // 2, array:sum())
      assert.are.equal(2, pool:submit(double, 1):get())
      array:close()
      await(function()
        collectgarbage()
        pool:submit(collectgarbage):wait()
        return core.ledger() <= before
      end)
    end)
  end)

  it("must be a positive number of seconds", function()
    for _, bad in ipairs { 0, -1, 0 / 0, "1" } do
      assert.matches("bad option 'timeout' to 'pool' %(a positive number of seconds expected",
        raised(shmx.pool, { timeout = bad }))
      assert.matches("bad field 'timeout' to 'task' %(a positive number of seconds expected",
        raised(shmx.task, { double, 1, timeout = bad }))
    end
    with_pool({ workers = 1, timeout = 1e308 }, function(pool)
      assert.are.equal(2, pool:submit(double, 1):get())
      assert.are.equal(2, pool:with { timeout = math.huge }:submit(double, 1):get())
    end)
  end)
end)

describe("retries", function()
  local function dies_at_first(path, times)
    io.open(path, "a"):write("x"):close()
    local _, _, attempt = shmx.worker()
    if attempt <= times then os.execute("kill -9 " .. shmx.pid()) end
    return attempt
  end

  it("try a task again whose worker died, with the same arguments", function()
    with_pool({ workers = 2 }, function(pool)
      local path, array = temporary(), shmx.range("i64", 1, 1000)
      local function work(name, a) return dies_at_first(name, 2), a:sum() end
      local function with_helper(name, a) return work(name, a) end
      local task = pool:with { retries = 2 }:submit(with_helper, path, array)
      array:close()
      assert.are.same({ 3, 500500 }, { task:get() })
      assert.are.equal(3, task.attempt)
      assert.are.equal("xxx", contents(path))
    end)
  end)

  it("are no more than asked for, and the failure says which attempt it was", function()
    with_pool({ workers = 1, retries = 1 }, function(pool)
      local path = temporary()
      local task = pool:submit(dies_at_first, path, 10)
      task:wait()
      assert.are.equal("crashed", task.status)
      assert.are.equal(2, task.attempt)
      assert.are.equal(2, task.error.attempt)
      assert.are.equal("xx", contents(path))
      task = shmx.task { dies_at_first, path, 10, retries = 0 }
      pool:execute(task, { on_error = "return" })
      assert.are.equal("crashed", task.status)
      assert.are.equal("xxx", contents(path))
    end)
  end)

  it("try a task again that used up its time, in another worker", function()
    with_pool({ workers = 2 }, function(pool)
      local task = pool:with { timeout = 0.1, retries = 2 }:submit(function()
        local _, _, attempt = shmx.worker()
        if attempt < 3 then while true do end end
        return attempt, shmx.pid()
      end)
      assert.are.equal(3, task:get())
      task = pool:with { timeout = 0.1, retries = 1 }:submit(spin)
      task:wait()
      assert.are.same({ "timeout", 2 }, { task.status, task.attempt })
    end)
  end)

  it("never follow an error of the script", function()
    with_pool({ workers = 1, retries = 5 }, function(pool)
      local path = temporary()
      local task = pool:submit(function(name) io.open(name, "a"):write("x"):close() error("no", 0) end, path)
      task:wait()
      assert.are.same({ "failed", 1, "x" }, { task.status, task.attempt, contents(path) })
    end)
  end)

  it("must be a number that makes sense", function()
    assert.matches("bad option 'retries' to 'pool' %(a whole number from 0 to 100 expected, got %-1",
      raised(shmx.pool, { retries = -1 }))
    assert.matches("bad field 'retries' to 'task' %(a whole number from 0 to 100 expected, got 1.5",
      raised(shmx.task, { double, retries = 1.5 }))
  end)
end)

describe("cancelling", function()
  it("ends a running task at once for the caller, and soon for the worker", function()
    with_pool({ workers = 1, grace = 0.2 }, function(pool)
      local task = pool:submit(spin)
      wait_until_running(task)
      assert.are.same({ 1, 1 }, { task.worker, pool.workers[task.worker].task.worker })
      assert.is_true(task:cancel())
      assert.are.equal("cancelled", task.status)
      assert.matches("it was cancelled while it ran", raised(task.get, task))
      assert.is_false(task:cancel())
      assert.are.equal(4, pool:submit(double, 2):get(3))
    end)
  end)

  it("replaces a worker that does not react within the grace; others are unharmed", function()
    with_pool({ workers = 2, grace = 0.2 }, function(pool)
      local gate = shmx.array("bool", 1)
      local other = pool:submit(function(open) while not open[1] do end return "unharmed" end, gate)
      local task = pool:submit(os.execute, "sleep 20")
      wait_until_running(task)
      wait_until_running(other)
      task:cancel()
      assert.are.equal(4, pool:submit(double, 2):get(10))
      gate[1] = true
      assert.are.equal("unharmed", other:get())
    end)
  end)

  it("can be asked for in the task", function()
    with_pool({ workers = 1 }, function(pool)
      local path = temporary()
      local task = pool:submit(function(name)
        local ok = pcall(function()
          io.open(name, "w"):write("begun"):close()
          while not shmx.cancelled() do end
        end)
        io.open(name, "w"):write(tostring(shmx.cancelled()), " ", tostring(ok)):close()
      end, path)
      await(function() return contents(path) == "begun" end)
      task:cancel()
      assert.are.equal(2, pool:submit(double, 1):get())
      assert.matches("^true ", contents(path))
      assert.is_false(shmx.cancelled())
      assert.is_false(pool:submit(shmx.cancelled):get())
    end)
  end)

  it("many tasks, in whatever they are, leaves every slot free", function()
    with_pool({ workers = 2 }, function(pool)
      for _ = 1, 30 do
        local tasks = {}
        for i = 1, 20 do tasks[i] = pool:submit(i % 2 == 0 and double or spin, 1) end
        for i = 20, 1, -1 do tasks[i]:cancel() end
        for _, task in ipairs(tasks) do
          assert.is_true(task:wait(5))
          assert.is_true(task.status == "cancelled" or task.status == "done")
        end
      end
      assert.are.equal(2, pool:submit(double, 1):get(5))
    end)
  end)
end)

describe("a worker's limits", function()
  it("replace it after so many tasks", function()
    with_pool({ workers = 1, max_tasks_per_worker = 3 }, function(pool)
      local pids, count = {}, 0
      for _ = 1, 12 do
        local pid = pool:submit(shmx.pid):get()
        if not pids[pid] then count = count + 1 end
        pids[pid] = (pids[pid] or 0) + 1
      end
      assert.are.equal(4, count)
      for _, times in pairs(pids) do assert.are.equal(3, times) end
    end)
  end)

  it("refuse a task that needs a larger Lua heap, and replace the worker", function()
    with_pool({ workers = 1, max_memory_per_worker = "16M" }, function(pool)
      local pid = pool:submit(shmx.pid):get()
      local task = pool:submit(function() local list = {} for i = 1, 1e8 do list[i] = i end return #list end)
      task:wait()
      assert.are.equal("refused", task.status)
      assert.matches("larger than max_memory_per_worker allows %(16777216 bytes%)", task.error.message)
      assert.are_not.equal(pid, pool:submit(shmx.pid):get())
      local garbage = pool:submit(function()
        local text
        for i = 1, 200 do text = ("x"):rep(1 << 20) .. i end
        return #text
      end)
      assert.are.equal((1 << 20) + 3, garbage:get())
      local ok, err = pcall(pool.map, pool, function(n) return #("x"):rep(n) end, { 1, 2, 1 << 25, 4 })
      assert.is_false(ok)
      assert.are.equal("refused", err.failures[1].status)
      assert.are.same({ 1, 2, nil, 4, n = 4 }, err.results)
      assert.are.equal(8, #pool:submit(function() return shmx.range("i64", 1, 1 << 22) end):get() // (1 << 19))
    end)
  end)

  it("say so when a worker cannot even start within them", function()
    local text = "a worker's Lua heap is larger than max_memory_per_worker allows %(1024 bytes%) before its first task"
    local given = { workers = 1, max_memory_per_worker = "1K" }
    with_pool(given, function(pool) -- raised by `submit` or by `get`, by which of them runs when the news comes
      assert.matches("pool is broken: " .. text, raised(function() pool:submit(pause, 0):get() end))
    end)
    given.init = function() end
    assert.matches("the pool cannot start: " .. text, raised(shmx.pool, given))
  end)

  it("must make sense", function()
    assert.matches("bad option 'max_tasks_per_worker' to 'pool'", raised(shmx.pool, { max_tasks_per_worker = 0 }))
    assert.matches("bad option 'max_memory_per_worker' to 'pool'", raised(shmx.pool, { max_memory_per_worker = "x" }))
  end)
end)

describe("shmx.worker", function()
  it("tells a task its worker's number, its own and the attempt; init the number; main nothing", function()
    assert.are.equal(0, select("#", shmx.worker()))
    with_pool({ workers = 2, init = function() mine = { require("shmx").worker() } end }, function(pool) -- luacheck: ignore
      local task = pool:submit(shmx.worker)
      local number, id, attempt = task:get()
      assert.are.same({ task.worker, task.id, 1 }, { number, id, attempt })
      local here, there = pool:submit(function() return shmx.worker(), mine end):get() -- luacheck: ignore
      assert.are.same({ here }, there)
    end)
  end)
end)
