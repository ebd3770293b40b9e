-- SPDX-License-Identifier: MIT
--
-- Tasks as arguments of tasks: the dependent one starts when its inputs are there, gets their first results, and fails
-- with the cause if one failed.

local shmx = require "shmx"
local core = require "shmx.core"

local pool
setup(function() pool = shmx.pool { workers = 2, progress = false } end)
teardown(function() pool:close() end)

local function increment(x) return x + 1 end
local function slowly(x) os.execute "sleep 0.2" return x end
local function add(a, b) return a + b end

local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("a task as an argument", function()
  it("is replaced by its first result, when that is there", function()
    local input = pool:submit(slowly, 20)
    local task = pool:submit(add, input, 3)
    assert.are.equal("waiting", task.status)
    assert.is_false(task:done())
    assert.are.equal(23, task:get())
    assert.are.equal("add(20, 3) --> Result: 23", tostring(task))
    assert.are.equal(40, pool:submit(add, input, input):get()) -- it has ended already
    local several = pool:submit(function() return 1, 2 end)
    assert.are.same({ 1, 5 }, { pool:submit(function(...) return ... end, several, 5):get() })
    local none = pool:submit(function() end)
    assert.are.same({ n = 2, nil, 5 }, table.pack(pool:submit(function(...) return ... end, none, 5):get()))
  end)

  it("hands its array from worker to worker, the same memory", function()
    local made = pool:submit(function() return shmx.range("i64", 1, 100000) end)
    local changed = pool:submit(function(a) a[1] = 0 return a end, made)
    local sum = pool:submit(function(a) return a:sum(), a.segment.id end, changed)
    local total, segment = sum:get()
    assert.are.equal(100000 * 100001 // 2 - 1, total)
    assert.are.equal(segment, made.result.segment.id)
    assert.are.equal(0, made.result[1])
  end)

  it("can be in a chain of a thousand", function()
    local task = pool:submit(increment, 0)
    for _ = 2, 1000 do task = pool:submit(increment, task) end
    assert.are.equal(1000, task:get())
  end)

  it("can be in a tree over 1,024 arrays", function()
    local level = {}
    for i = 1, 1024 do level[i] = pool:submit(function(n) return shmx.full("i64", 1000, n) end, i) end
    while #level > 1 do
      local next_level = {}
      for i = 1, #level, 2 do next_level[#next_level + 1] = pool:submit(add, level[i], level[i + 1]) end
      level = next_level
    end
    assert.are.equal(1000 * 1024 * 1025 // 2, level[1]:get():sum())
  end)

  it("can be of another pool", function()
    local other <close> = shmx.pool { workers = 1, progress = false }
    local task = other:submit(increment, pool:submit(increment, other:submit(slowly, 1)))
    assert.are.equal(task, (shmx.first { task }))
    assert.are.equal(3, task:get())
    local late = other:submit(increment, pool:submit(slowly, 1))
    other:close()
    assert.are.equal(2, late.result)
  end)

  it("can be made before it is submitted, in any order", function()
    local a = shmx.task(increment, 1)
    local b = shmx.task(increment, a)
    local c = shmx.task(add, a, b)
    pool:execute { c, b, a }
    assert.are.same({ 2, 3, 5 }, { a.result, b.result, c.result })
  end)

  it("can be last in a list that begins with the end of the chain, however long", function()
    local task, list, count = nil, {}, 20000
    for i = count, 1, -1 do
      task = shmx.task(increment, task or 0)
      list[i] = task
    end
    local function execute(...) return pool:execute((...)) end
    assert.are.equal(count, execute(list, table.unpack({}, 1, 900000))[1].result) -- on a stack that is nearly full
  end)

  it("must be submitted to a pool, some time", function()
    assert.matches("^[^\n]*chain_spec.lua:%d+: task increment, an argument of increment, has not been submitted",
      raised(pool.submit, pool, increment, shmx.task(increment, 1)))
    local task = shmx.task(increment, shmx.task(increment, 1))
    assert.matches("has not been submitted", raised(pool.execute, pool, task))
    assert.are.equal("waiting", task.status)
  end)

  it("works with map, with imap and with limits", function()
    local inputs = { pool:submit(slowly, 1), pool:submit(increment, 1), 3 }
    assert.are.same({ 2, 3, 4, n = 3 }, pool:map(increment, inputs))
    local seen = {}
    for x in pool:imap(increment, { pool:submit(slowly, 1), 2 }) do seen[#seen + 1] = x end
    assert.are.same({ 2, 3 }, seen)
    local task = pool:with { timeout = 0.1, name = "hasty" }:submit(slowly, pool:submit(slowly, 1))
    task:wait()
    assert.are.same({ "timeout", "hasty" }, { task.status, task.name })
  end)
end)

describe("a failed input", function()
  it("fails all that depend on it, with the cause", function()
    local bad = pool:submit(function() os.execute "sleep 0.1" error("no bread", 0) end)
    local first = pool:submit(increment, bad)
    local second = pool:submit(add, pool:submit(increment, 1), first)
    assert.matches("task add failed: its input increment failed because task function <.*> failed: no bread",
      raised(second.get, second))
    assert.are.same({ "failed", "failed" }, { first.status, second.status })
    assert.are.equal(bad.error, first.error.cause)
    assert.are.equal(bad.error, second.error.cause)
    local late = pool:submit(increment, bad)
    assert.are.equal("failed", late.status)
    assert.are.equal(bad.error, late.error.cause)
  end)

  it("may be one that crashed, timed out or was cancelled", function()
    local function die() os.execute("kill -9 " .. shmx.pid()) end
    assert.matches("its input die crashed: its worker was killed",
      raised(function() pool:submit(increment, pool:submit(die)):get() end))
    local function hang() while true do end end
    assert.matches("its input hang timed out",
      raised(function() pool:submit(increment, pool:with { timeout = 0.05 }:submit(hang)):get() end))
    local input = pool:submit(slowly, 1)
    local task = pool:submit(increment, input)
    input:cancel()
    assert.matches("its input slowly cancelled", raised(task.get, task))
  end)

  it("does not hang a chain of a thousand", function()
    local task = pool:submit(function() os.execute "sleep 0.1" error "first" end)
    for _ = 1, 1000 do task = pool:submit(increment, task) end
    assert.is_true(task:wait(20))
    assert.are.equal("failed", task.status)
    assert.matches("first", task.error.cause.message)
  end)

  it("makes texts in a long chain that do not grow with it", function()
    local task = pool:submit(increment, pool:submit(error, "first"))
    for _ = 1, 500 do task = pool:submit(increment, task) end
    task:wait()
    assert.are.equal("its input increment failed because task error failed: first", task.error.message)
  end)
end)

describe("a task that waits for its inputs", function()
  it("can be cancelled, and with it what depends on it", function()
    local input = pool:submit(slowly, 1)
    local task = pool:submit(increment, input)
    local after = pool:submit(increment, task)
    assert.is_true(task:cancel())
    assert.are.equal("cancelled", task.status)
    assert.is_false(task:cancel())
    assert.is_true(after:wait(1))
    assert.are.same({ "failed", "cancelled" }, { after.status, after.error.cause.status })
    assert.are.equal(1, input:get())
  end)

  it("is cancelled with its pool, or waited for by it", function()
    local own = shmx.pool { workers = 1, progress = false, grace = 0.1 }
    local task = own:submit(increment, pool:submit(slowly, 1))
    own:close { cancel = true }
    assert.are.equal("cancelled", task.status)
    own = shmx.pool { workers = 1, progress = false }
    task = own:submit(increment, own:submit(slowly, 1))
    own:close()
    assert.are.equal(2, task.result)
  end)

  it("can be waited for with a time-out", function()
    local task = pool:submit(increment, pool:submit(slowly, 1))
    assert.is_false(task:wait(0.02))
    assert.matches("timeout: task increment has not ended after 0.02 seconds", raised(task.get, task, 0.02))
    assert.are.equal(2, task:get())
  end)

  it("is not kept, nor what it had, when it is over", function()
    local before
    for round = 1, 3 do
      local task = pool:submit(function() return shmx.full("u8", 100000, 1) end)
      for _ = 1, 20 do task = pool:submit(function(a) return a:copy() end, task) end
      assert.are.equal(100000, task:get():sum())
      task = nil -- luacheck: ignore
      for _ = 1, 50 do
        collectgarbage()
        pool:map(collectgarbage, { "collect", "collect", "collect", "collect" })
        if before and core.ledger() <= before then break end
        os.execute "sleep 0.01"
      end
      if round > 1 then assert.is_true(core.ledger() <= before) end
      before = before or core.ledger()
    end
  end)
end)
