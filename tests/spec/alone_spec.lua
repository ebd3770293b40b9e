-- SPDX-License-Identifier: MIT
--
-- Pools without workers: tasks run in the script's process, with the same results and errors.

local shmx = require "shmx"
local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

setup(child.open)
teardown(child.close)

local raised = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/failure.lua")

-- Calls f with a pool without workers and with one of two, and expects the same of both.
local function compare(f, given)
  local seen = {}
  for _, workers in ipairs { 0, 2 } do
    local options = { workers = workers, progress = false }
    for key, value in pairs(given or {}) do options[key] = value end
    local pool <close> = shmx.pool(options)
    seen[#seen + 1] = table.pack(f(pool))
  end
  assert.are.same(seen[2], seen[1])
  return seen[1]
end

describe("a pool without workers", function()
  it("gives the same results", function()
    local base = 10
    local function work(x, ...) return base + x, select("#", ...), { x, { y = ... } }, nil end
    compare(function(pool) return pool:submit(work, 1, nil, "a", nil):get() end)
    compare(function(pool) return pool:map(work, { 1, 2, 3 }), pool:map(math.sqrt, { 4, 9 }) end)
    compare(function(pool)
      local list = {}
      for a, b in pool:imap(work, ipairs { 5, 6 }) do list[#list + 1] = { a, b } end
      for a in pool:with { chunk = 2 }:imap(work, { 1, 2, 3 }) do list[#list + 1] = a end
      for a in pool:imap_unordered(work, { 4 }) do list[#list + 1] = a end
      return list
    end)
    compare(function(pool)
      local tasks = pool:execute { shmx.task(work, 1), shmx.task { work, 2, nil, n = 2, name = "named" } }
      return tasks[1].results, tasks[2].results, tasks[2].name, tasks[1].status, tasks[1].attempt
    end)
    compare(function(pool)
      return pool:submit(work, pool:submit(work, 1)):get()
    end)
  end)

  it("hands over arrays, which are the same memory", function()
    local pool <close> = shmx.pool { workers = 0 }
    local array = pool:submit(function(n) return shmx.range("i64", 1, n) end, 1000):get()
    assert.are.equal(500500, array:sum())
    local again = pool:submit(function(a) a[1] = 7 return a end, array):get()
    assert.are.same({ 7, array.segment.id }, { array[1], again.segment.id })
    compare(function(p)
      return p:fill(shmx.array("i32", { 20, 2 }), function(slice) slice:fill(3) end):sum()
    end)
  end)

  it("gives the same errors", function()
    local function describe_error(task)
      task:wait()
      local err = task.error
      return task.status, err.value, err.message, err.traceback and err.traceback:match "alone_spec.lua:%d+"
    end
    local function fail(value) error(value, 0) end
    compare(function(pool) return describe_error(pool:submit(fail, "no")) end)
    compare(function(pool) return describe_error(pool:submit(fail, { 1, code = 2 })) end)
    compare(function(pool) return describe_error(pool:submit(function() return io.stdout end)) end)
    compare(function(pool) return describe_error(pool:submit(function() return shmx.pool {} end)) end)
    compare(function(pool)
      local bad = pool:submit(fail, "first")
      local after = pool:submit(fail, bad)
      after:wait()
      return after.status, after.error.message, after.error.cause == bad.error
    end)
    compare(function(pool) return raised(pool.submit, pool, print, io.stdout):match "argument 1: .*" end)
    compare(function(pool) return raised(pool.submit, pool, 5):match "bad argument #1 to 'submit'.*" end)
    compare(function(pool) return #raised(pool.map, pool, fail, { 1, 2 }).failures end)
    compare(function(pool)
      pool:close()
      return raised(pool.submit, pool, print):match "the pool is closed"
    end)
  end)

  it("has globals of its own, which its tasks share, and init sets", function()
    _G.of_the_script = 1
    compare(function(pool) return pool:submit(function() return of_the_script, base end):get() end, -- luacheck: ignore
      { init = function() base = 5 end }) -- luacheck: ignore
    local pool <close> = shmx.pool { workers = 0 }
    pool:submit(function() kept = 41 end) -- luacheck: ignore
    assert.are.equal(42, pool:submit(function() return kept + 1 end):get()) -- luacheck: ignore
    assert.is_nil(rawget(_G, "kept"))
    local other <close> = shmx.pool { workers = 0 }
    assert.is_nil(other:submit(function() return kept end):get()) -- luacheck: ignore
    _G.of_the_script = nil
    assert.matches("the pool cannot start: .*no bread", raised(shmx.pool, { workers = 0, init = function()
      error "no bread"
    end }))
  end)

  it("draws the same random numbers with a seed", function()
    compare(function(pool)
      return pool:map(function() return math.random(1 << 40) end, { 1, 2, 3 }), pool:submit(math.random, 1 << 40):get()
    end, { seed = 7 })
  end)

  it("does with what tasks print what workers do", function()
    local printing = [[
      local shmx = require "shmx"
      print "of main"
      local function say(x)
        print("a line", x)
        io.stderr:write "an error\n"
        io.write "no line"
        return x
      end
      for _, mode in ipairs { "label", "capture", "pass" } do
        local pool <close> = shmx.pool { workers = WORKERS, output = mode, init = function() print "of init" end }
        local task = pool:submit(say, mode)
        print(task:get(), task.output)
        print(pool:submit(function() print "" error "no" end):wait(), pool:submit(math.abs, -1).output)
        if WORKERS > 0 and mode == "pass" then print "" end -- workers end the last line of a task
      end
      io.stdout:write "of main"]]
    local function run(workers)
      local done = child.run(printing:gsub("WORKERS", workers), { environment = "LC_ALL=C" })
      return { done.out:gsub("no line\n?", "no line\n"), done.err, done.status }
    end
    local alone, others = run "0", run "1"
    assert.matches("^of main\nof init\nsay: a line\tlabel\nsay: no line\n", alone[1])
    assert.matches("capture\ta line\tcapture\nan error\nno line\n", alone[1])
    assert.are.equal(0, alone[3])
    assert.are.same(others[2], alone[2])
  end)

  it("counts what its tasks became", function()
    local pool <close> = shmx.pool { workers = 0 }
    for i = 1, 3 do pool:submit(math.abs, -i) end
    pool:submit(error, "no"):wait()
    local stats = pool:stats()
    assert.are.same({ 3, 1, 0, 0, {}, 4 },
      { stats.tasks.done, stats.tasks.failed, stats.tasks.queued, stats.queue, stats.workers, stats.run.count })
    assert.is_true(stats.run.max >= stats.run.p50 and stats.run.p50 > 0)
    assert.is_table(pool:segments())
    pool:close()
    assert.matches("the pool is closed", raised(pool.segments, pool))
    assert.are.equal(3, pool:stats().tasks.done)
  end)

  it("says what it is", function()
    local pool <close> = shmx.pool { workers = 0 }
    assert.are.equal("shmx.pool (workers: 0, tasks run in the script)", tostring(pool))
    assert.are.same({}, pool.workers)
    local task = pool:submit(shmx.worker)
    assert.are.same({ 0, task.id, 1 }, { task:get() })
    assert.is_false(task:cancel())
    pool:close()
    assert.are.equal("shmx.pool (closed)", tostring(pool))
  end)

  it("can be asked for on the command line, and starts no process", function()
    local run = child.run([[
      local shmx = require "shmx"
      local pool <close> = shmx.pool()
      print(pool:submit(function() return shmx.pid() end):get() == shmx.pid())
      print(io.popen("pgrep -P " .. shmx.pid() .. " shmx"):read("a") == "")]], { options = "-w 0" })
    assert.are.same({ "true\ntrue\n", "", 0 }, { run.out, run.err, run.status })
  end)
end)
