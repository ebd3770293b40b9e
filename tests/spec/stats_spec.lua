-- SPDX-License-Identifier: MIT
--
-- What a pool says of itself: pool:stats(), pool:segments(), the task of a worker, and the fields of a segment.

local shmx = require "shmx"
local await = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/await.lua")

local function double(x) return 2 * x end
local function nap(seconds) os.execute("sleep " .. seconds) end
local function make(n) return shmx.array("u8", n) end
local function fail() error "on purpose" end

local function find(segments, id)
  for _, segment in ipairs(segments) do
    if segment.id == id then return segment end
  end
end

describe("pool:stats", function()
  it("counts tasks by what became of them", function()
    local pool <close> = shmx.pool { workers = 2 }
    for i = 1, 10 do pool:submit(double, i):wait() end
    pool:execute({ shmx.task(fail), shmx.task(fail) }, { on_error = "return" })
    local tasks = pool:stats().tasks
    assert.are.equal(10, tasks.done)
    assert.are.equal(2, tasks.failed)
    assert.are.equal(0, tasks.crashed)
    assert.are.equal(0, tasks.running)
  end)

  it("knows the queue, and what each worker is doing", function()
    local pool <close> = shmx.pool { workers = 1, grace = 0 }
    local first = pool:submit(nap, 5)
    for i = 1, 3 do pool:submit(double, i) end
    await(function() return first.status == "running" end)
    local stats = pool:stats()
    assert.are.equal(3, stats.queue)
    assert.are.equal(3, stats.tasks.queued)
    assert.are.equal(1, stats.tasks.running)
    assert.are.equal(first, stats.workers[1].task)
    assert.are.equal("ready", stats.workers[1].state)
    assert.are.equal(first, pool.workers[1].task)
    pool:close { cancel = true }
    assert.are.equal(3, pool:stats().tasks.cancelled)
    assert.are.equal(1, pool:stats().tasks.crashed)
  end)

  it("measures how long tasks ran and waited, and handovers took", function()
    local pool <close> = shmx.pool { workers = 1 }
    local tasks = {}
    for i = 1, 3 do tasks[i] = pool:submit(nap, 0.05) end
    for i = 1, 3 do tasks[i]:wait() end
    pool:submit(make, 100):wait()
    await(function() return pool:stats().handover.count == 1 end)
    local stats = pool:stats()
    assert.are.equal(4, stats.run.count)
    assert.is_true(stats.run.max >= 0.05)
    assert.is_true(stats.run.p50 >= 0.046 and stats.run.p50 <= stats.run.max)
    assert.is_true(stats.wait.max >= 0.1)
    assert.is_true(stats.handover.max > 0)
    assert.are.same({ count = 0 }, shmx.pool({ workers = 1 }):stats().run)
  end)

  it("measures how long a task waited that was tried again", function()
    local begin = shmx.clock()
    local pool <close> = shmx.pool { workers = 1, timeout = 0.05, retries = 1 }
    local task = pool:submit(function()
      local _, _, attempt = shmx.worker()
      while attempt == 1 do end
    end)
    task:wait()
    local wait = pool:stats().wait
    assert.are.equal(2, task.attempt)
    assert.are.equal(1, wait.count)
    assert.is_true(wait.max <= shmx.clock() - begin)
  end)

  it("knows the memory: live, warm, and its peak", function()
    local pool <close> = shmx.pool { workers = 1 }
    local a = pool:submit(make, 20 << 20):get()
    await(function() return pool:stats().memory.live >= 20 << 20 end)
    local held = pool:stats().memory
    assert.is_true(held.peak >= held.live)
    a:close()
    await(function() return pool:stats().memory.live < 20 << 20 end)
    assert.is_true(pool:stats().memory.peak >= held.live)
  end)

  it("is asked with a colon", function()
    local pool <close> = shmx.pool { workers = 1 }
    assert.has_error(function() pool.stats() end, "calling 'stats' without a pool: write pool:stats(...), with a colon")
  end)
end)

describe("pool:segments", function()
  it("tells what lives, how large it is, who holds it, and which task made it", function()
    local pool <close> = shmx.pool { workers = 1 }
    local task = pool:submit(make, 5000)
    local a = task:get()
    await(function() return #find(pool:segments(), a.segment.id).holders == 1 end)
    local segment = find(pool:segments(), a.segment.id)
    assert.are.equal(5000, segment.bytes)
    assert.are.same({ "main" }, segment.holders)
    assert.are.equal("held", segment.state)
    assert.are.equal("worker 1", segment.maker)
    assert.are.equal(task.id, segment.task)
    assert.are.equal(a.segment.chunk, segment.chunk)
    local id = a.segment.id
    a:close()
    await(function() return find(pool:segments(), id) == nil end)
  end)

  it("is told while arrays are collected", function() -- by making the list; what fails is seen by a sanitizer
    local pool <close> = shmx.pool { workers = 2 }
    for _ = 1, 5 do
      local tasks = {}
      for i = 1, 200 do tasks[i] = pool:submit(make, i) end
      for i = 1, 200 do tasks[i]:wait() end
      tasks = nil -- luacheck: ignore
      for _, segment in ipairs(pool:segments()) do assert.is_true(segment.bytes > 0) end
    end
  end)

  it("names a worker that keeps an array, and a task that brings one", function()
    local pool <close> = shmx.pool { workers = 1, grace = 0 }
    local a = shmx.array("u8", 100)
    pool:submit(function(array) _G.kept = array end, a):wait()
    local nine = pool:submit(nap, 5)
    pool:submit(nap, a)
    await(function() return nine.status == "running" end)
    assert.are.same({ "main", "worker 1", "a task" }, find(pool:segments(), a.segment.id).holders)
    pool:close { cancel = true }
  end)
end)

describe("a segment", function()
  it("says who holds it, and in what state it is", function()
    local pool <close> = shmx.pool { workers = 1 }
    local own = shmx.array("u8", 10)
    assert.are.equal("private", own.segment.state)
    assert.are.same({ "main" }, own.segment.holders)
    assert.is_nil(own.segment.task)
    local task = pool:submit(make, 10)
    local a = task:get()
    local segment = a.segment
    assert.are.equal(task.id, segment.task)
    assert.are.equal("held", segment.state)
    await(function() return #segment.holders == 1 end)
    a:close()
    await(function() return segment.state == "freed" end)
    assert.are.same({}, segment.holders)
  end)

  it("can be looked at in a task, too", function()
    local pool <close> = shmx.pool { workers = 1 }
    local a = shmx.array("u8", 10)
    local state, holders = pool:submit(function(array) return array.segment.state, array.segment.holders end, a):get()
    assert.are.equal("held", state)
    assert.are.equal("main", holders[1])
    assert.are.equal("private", pool:submit(function() return shmx.array("u8", 1).segment.state end):get())
  end)
end)
