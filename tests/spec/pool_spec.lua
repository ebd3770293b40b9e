-- SPDX-License-Identifier: MIT
--
-- Pools: running tasks in them, their workers, closing them, and what is left when somebody is killed or interrupted.

local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local await, child = dofile(here .. "/await.lua"), dofile(here .. "/child.lua")
local core = require "shmx.core"
local shmx = require "shmx"

setup(child.open)
teardown(child.close)

local function double(x) return 2 * x end
local function pause(seconds) os.execute("sleep " .. seconds) end

-- Calls f with an open pool, which is closed afterwards.
local function with_pool(given, f)
  local pool <close> = shmx.pool(given)
  return f(pool)
end

describe("pool:execute", function()
  it("returns the tasks in the order given, all ended", function()
    with_pool({ workers = 2 }, function(pool)
      local tasks = {}
      for i = 1, 20 do tasks[i] = shmx.task(double, i) end
      local done = pool:execute(tasks)
      assert.are.equal(20, #done)
      for i, task in ipairs(done) do
        assert.are.equal(tasks[i], task)
        assert.are.equal("done", task.status)
        assert.are.equal(2 * i, task.result)
      end
    end)
  end)

  it("takes a single task, and an empty list", function()
    with_pool({ workers = 1 }, function(pool)
      local done = pool:execute(shmx.task(double, 4))
      assert.are.equal(1, #done)
      assert.are.equal(8, done[1].result)
      assert.are.same({}, pool:execute {})
    end)
  end)

  local function odd(i)
    if i % 2 == 0 then error("even " .. i) end
    return i
  end

  it("raises one error after all have ended, which carries the tasks", function()
    with_pool({ workers = 2 }, function(pool)
      local tasks = {}
      for i = 1, 6 do tasks[i] = shmx.task(odd, i) end
      local ok, err = pcall(pool.execute, pool, tasks)
      assert.is_false(ok)
      assert.are.equal(6, #err.tasks)
      assert.are.equal(3, #err.failures)
      for i, task in ipairs(err.tasks) do
        assert.are.equal(i % 2 == 1 and "done" or "failed", task.status)
        assert.are.equal(i % 2 == 1 and i or nil, task.result)
      end
      assert.matches("3 of 6 tasks failed:.*even 2\nstack traceback of the worker:.*even 4.*even 6", tostring(err))
    end)
  end)

  it("returns failures with the others when asked", function()
    with_pool({ workers = 2 }, function(pool)
      local done = pool:execute({ shmx.task(odd, 1), shmx.task(odd, 2) }, { on_error = "return" })
      assert.are.equal(1, done[1].result)
      assert.is_nil(done[1].error)
      assert.is_nil(done[2].result)
      assert.are.equal("failed", done[2].error.status)
      assert.matches("even 2$", done[2].error.value)
      assert.matches("^stack traceback:\n", done[2].error.traceback)
    end)
  end)
end)

describe("pool:map", function()
  it("returns the first results in order, nil among them", function()
    with_pool({ workers = 2 }, function(pool)
      local function even(i) if i % 2 == 0 then return i, "second" end end
      assert.are.same({ n = 5, [2] = 2, [4] = 4 }, pool:map(even, { 1, 2, 3, 4, 5 }))
      assert.are.same({ n = 3, false, false, true },
        pool:map(function(x) return x == nil end, { 1, 2, nil, n = 3 }))
      assert.are.same({ n = 0 }, pool:map(double, {}))
      assert.are.same({ 1.0, 2.0, n = 2 }, pool:map(math.sqrt, { 1, 4 }))
    end)
  end)

  it("raises failures after all have ended", function()
    with_pool({ workers = 2 }, function(pool)
      local ok, err = pcall(pool.map, pool, function(x) return x.field end, { {}, 1, {} })
      assert.is_false(ok)
      assert.are.equal(1, #err.failures)
      assert.matches("^" .. "[^\n]*pool_spec.lua:%d+: 1 of 3 tasks failed:", tostring(err))
    end)
  end)
end)

describe("a pool's workers", function()
  it("are listed with number, pid, state and count", function()
    with_pool({ workers = 2, init = function() end }, function(pool)
      pool:map(double, { 1, 2, 3 })
      local workers, done = pool.workers, 0
      assert.are.equal(2, #workers)
      for number, worker in ipairs(workers) do
        assert.are.equal(number, worker.number)
        assert.are.equal("ready", worker.state)
        assert.is_true(worker.pid > 1)
        done = done + worker.tasks_done
      end
      assert.are.equal(3, done)
      pool:close()
      assert.are.same({}, pool.workers)
    end)
  end)

  it("keep their globals from task to task", function()
    with_pool({ workers = 1 }, function(pool)
      pool:submit(function() kept = 41 end):get() -- luacheck: ignore
      assert.are.equal(42, pool:submit(function() return kept + 1 end):get()) -- luacheck: ignore
      assert.is_nil(rawget(_G, "kept"))
    end)
  end)

  it("begin each task without the hook of another", function()
    local function leave() debug.sethook(function() hooked = true end, "l") end -- luacheck: ignore
    local function look() return debug.gethook() ~= nil, hooked end -- luacheck: ignore
    for workers = 0, 1 do
      with_pool({ workers = workers }, function(pool)
        pool:submit(leave):get()
        assert.are.same({ false, n = 2 }, table.pack(pool:submit(look):get()))
      end)
    end
  end)

  it("begin each task with the hook that init has set", function()
    local function init()
      lines = 0 -- luacheck: ignore
      debug.sethook(function() lines = lines + 1 end, "l") -- luacheck: ignore
    end
    local function count()
      local before = lines -- luacheck: ignore
      local _, mask = debug.gethook()
      return lines - before, mask -- luacheck: ignore
    end
    local function remove() debug.sethook() end
    local function replace() debug.sethook(math.abs, "r") end
    local function endless() while true do end end
    for workers = 0, 1 do
      with_pool({ workers = workers, init = init }, function(pool)
        local limited = pool:with { timeout = 0.05 }
        for _, meddle in ipairs { remove, replace, workers > 0 and endless or nil } do
          limited:submit(meddle):wait()
          assert.are.same({ 2, "l" }, { pool:submit(count):get() })
        end
      end)
    end
  end)

  it("run init before their first task", function()
    local step = 5
    with_pool({ workers = 2, init = function() base = 100 + step end }, function(pool) -- luacheck: ignore
      assert.are.same({ 106, 107, n = 2 }, pool:map(function(x) return base + x end, { 1, 2 })) -- luacheck: ignore
    end)
  end)

  it("are replaced when they are killed, and the pool goes on", function()
    with_pool({ workers = 2 }, function(pool)
      local t = pool:submit(function() core.kill(shmx.pid()) end)
      t:wait()
      assert.are.equal("crashed", t.status)
      assert.are.equal("SIGKILL", t.error.signal)
      assert.are.same({ 2, 4, 6, n = 3 }, pool:map(double, { 1, 2, 3 }))
      pool.workers[1]:kill()
      assert.are.same({ 2, 4, 6, n = 3 }, pool:map(double, { 1, 2, 3 }))
    end)
  end)

  it("cannot open pools", function()
    with_pool({ workers = 1 }, function(pool)
      local t = pool:submit(function() local p = shmx.pool {} return p end)
      assert.is_true(t:wait(10))
      assert.matches("a task cannot open a pool", t.error.message)
    end)
  end)
end)

describe("several pools", function()
  it("work side by side and one after the other", function()
    local first, second = shmx.pool { workers = 1 }, shmx.pool { workers = 2 }
    local a, b = first:submit(double, 1), second:submit(double, 2)
    assert.are.equal(4, b:get())
    first:close()
    assert.are.equal(2, a:get())
    assert.are.equal(6, second:submit(double, 3):get())
    second:close()
    with_pool({ workers = 1 }, function(pool) assert.are.equal(8, pool:submit(double, 4):get()) end)
  end)

  it("hand arrays from one to the other through main", function()
    local first <close> = shmx.pool { workers = 1 }
    local second <close> = shmx.pool { workers = 1 }
    local a = first:submit(function() return shmx.range("i64", 1, 1000) end):get()
    assert.are.equal(500500, second:submit(function(x) return x:sum() end, a):get())
  end)

  it("can be used within a coroutine", function()
    local run = coroutine.wrap(function()
      local pool <close> = shmx.pool { workers = 1 }
      for i = 1, 3 do coroutine.yield(pool:submit(double, i):get()) end
    end)
    assert.are.same({ 2, 4, 6 }, { run(), run(), run() })
    assert.is_nil(run())
  end)
end)

describe("closing a pool", function()
  it("waits for what was submitted; results can be fetched afterwards", function()
    local pool, tasks = shmx.pool { workers = 2 }, {}
    for i = 1, 10 do tasks[i] = pool:submit(function(x) pause(0.01) return shmx.full("f64", 100, x) end, i) end
    pool:close()
    assert.are.equal("shmx.pool (closed)", tostring(pool))
    for i, task in ipairs(tasks) do
      assert.is_true(task:done())
      assert.are.equal(100 * i, task:get():sum())
    end
    pool:close()
    assert.has_error(function() pool:map(double, {}) end)
  end)

  it("with cancel takes back what is queued and ends what runs after the grace", function()
    local pool, before = shmx.pool { workers = 1, grace = 0.2 }, shmx.clock()
    local running = pool:submit(function() while true do pause(1) end end)
    await(function() return running.status == "running" end)
    local queued = pool:submit(double, 1)
    assert.are.equal("queued", queued.status)
    pool:close { cancel = true }
    assert.is_true(shmx.clock() - before < 3)
    assert.are.equal("crashed", running.status)
    assert.are.equal("cancelled", queued.status)
    assert.matches("cancelled", select(2, pcall(queued.get, queued)).message)
  end)

  it("happens when its block is left, and by an error in a hurry", function()
    local t, long
    do
      local pool <close> = shmx.pool { workers = 1 }
      t = pool:submit(function() pause(0.1) return 5 end)
    end
    assert.are.equal(5, t.result)
    assert.has_error(function()
      local pool <close> = shmx.pool { workers = 1, grace = 0 }
      long = pool:submit(pause, 20)
      t = pool:submit(double, 1)
      await(function() return long.status == "running" end)
      error "out of here"
    end)
    assert.are.equal("crashed", long.status)
    assert.are.equal("cancelled", t.status)
  end)

  it("is what <close> does to a pool with options", function()
    local t, long
    do
      local pool <close> = shmx.pool({ workers = 1 }):with { name = "view" }
      t = pool:submit(function() pause(0.1) return 5 end)
    end
    assert.are.same({ 5, "view" }, { t.result, t.name })
    assert.has_error(function()
      local pool <close> = shmx.pool({ workers = 1, grace = 0 }):with { name = "view" }
      long = pool:submit(pause, 20)
      await(function() return long.status == "running" end)
      error "out of here"
    end)
    assert.are.equal("crashed", long.status)
    do
      local pool <close> = shmx.pool({ workers = 0 }):with { name = "view" }
      t = pool
    end
    assert.are.equal("shmx.pool (closed) with options", tostring(t))
  end)

  it("happens at once when it is collected", function()
    local run = child.run([[
      local shmx = require "shmx"
      local pool = shmx.pool { workers = 2 }
      for i = 1, 10 do pool:submit(os.execute, "sleep 20") end
      pool = nil
      collectgarbage() collectgarbage()
      print "on we go"]])
    assert.are.same({ "on we go\n", "", 0 }, { run.out, run.err, run.status })
    assert.are.equal("", child.left(run.mark))
  end)

  it("in the middle of a submit or a wait is an error there", function()
    local own = shmx.pool { workers = 1 }
    local closer = setmetatable({}, { __shmx_pack = function() own:close() return double, 1 end })
    local ok, err = pcall(own.submit, own, double, closer)
    assert.is_false(ok)
    assert.matches("the pool is closed", err)
    own = shmx.pool { workers = 1 }
    local t = own:submit(pause, 0.1)
    local calls = 0
    debug.sethook(function()
      calls = calls + 1
      if calls == 1 then debug.sethook() getmetatable(own).__gc(own) end
    end, "c")
    ok, err = pcall(t.get, t)
    debug.sethook()
    assert.is_false(ok)
    assert.matches("closed before the task ended", tostring(err))
  end)

  it("by a finalizer that runs in a submit is an error there", function()
    local run = child.run([[
      local shmx = require "shmx"
      local function add(x) return x + 1 end
      for round = 1, 20 do
        local pool = shmx.pool { workers = 1 }
        for i = 1, 5 do assert(pool:submit(add, i):get() == i + 1) end -- from here on it takes the short way
        setmetatable({}, { __gc = function() pool:close { cancel = true } end })
        local ok, err = true, nil
        while ok do ok, err = pcall(pool.submit, pool, add, 1) end
        assert(err:find("the pool is closed", 1, true), err)
      end]])
    assert.are.same({ "", 0 }, { run.err, run.status })
  end)

  it("by calling metamethods does no harm", function()
    local pool = shmx.pool { workers = 1 }
    local t = pool:submit(pause, 0.1)
    local meta = getmetatable(pool)
    meta.__gc(pool)
    meta.__gc(pool)
    meta.__close(pool)
    assert.are.equal("cancelled", t.status)
    assert.matches("cancelled", tostring(t))
    assert.has_error(function() t:get() end)
    assert.is_false(t:done())
  end)
end)
