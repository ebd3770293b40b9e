-- SPDX-License-Identifier: MIT
--
-- Calls of plain functions take a short way (bind/plain.h), and workers use closures again. What a task sees must be
-- the same as on the long way: these functions are submitted often enough to take it.

local shmx = require "shmx"

local TIMES = 20

local pool

setup(function() pool = shmx.pool { workers = 1, progress = false } end)
teardown(function() pool:close() end)

local function repeatedly(f)
  for i = 1, TIMES do f(i) end
end

describe("a function that is submitted again and again", function()
  it("takes and returns every scalar", function()
    local values = { 0, 1, -1, 127, 128, -32, -33, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 65535, 65536,
      (1 << 31) - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1, (1 << 32) - 1, 1 << 32, math.maxinteger, math.mininteger,
      0.0, -0.0, 0.5, -1e300, 1 / 0, -1 / 0, true, false, "", "x", ("y"):rep(31), ("z"):rep(32), ("w"):rep(300) }
    local function same(x, y) return x, y end
    repeatedly(function()
      for _, value in ipairs(values) do
        local a, b = pool:submit(same, value, nil):get()
        assert.are.equal(value, a)
        assert.are.equal(math.type(value), math.type(a))
        assert.is_nil(b)
      end
      local nan = pool:submit(same, 0 / 0):get()
      assert.is_true(nan ~= nan)
    end)
    assert.are.equal("-0.0", tostring((pool:submit(same, -0.0):get())))
  end)

  it("takes what is more, or other, than scalars", function()
    local function list(...) return #{ ... }, ... end
    local function count(x, t, y) return x + #t + y end
    repeatedly(function(i)
      local values = {}
      for j = 1, i % 12 do values[j] = j % 3 == 0 and "three" or j * i end
      local results = table.pack(pool:submit(list, table.unpack(values)):get())
      assert.are.same({ #values, n = #values + 1, table.unpack(values) }, results)
      assert.are.equal(i + 102, pool:submit(count, i, i % 2 == 0 and { 1, 2 } or "xy", 100):get())
    end)
  end)

  it("finds its upvalues as they are then", function()
    local factor = 1
    local function times(x) return x * factor end
    repeatedly(function(i)
      factor = i
      assert.are.equal(7 * i, pool:submit(times, 7):get())
    end)
    factor = 0.5
    assert.are.equal(3.5, pool:submit(times, 7):get())
    factor = { 4 }
    local _, err = pcall(function() pool:submit(times, 7):get() end)
    assert.matches("arithmetic on a table value", tostring(err))
    debug.setupvalue(times, 1, 6)
    assert.are.equal(42, pool:submit(times, 7):get())
  end)

  it("may find other functions in its upvalues", function()
    local step
    local function run(x) return step(x) end
    repeatedly(function(i)
      step = i % 2 == 0 and function(x) return x + i end or math.abs
      assert.are.equal(i % 2 == 0 and i - 5 or 5, pool:submit(run, -5):get())
    end)
  end)

  it("does not see what its other calls did to its variables", function()
    local count, seen = 0, nil
    local function counts() count = count + 1 return count end
    local function sees(x) local before = seen seen = x return before end
    local function hands_on(x) hook = function() count = count + x end hook() return count end -- luacheck: ignore
    repeatedly(function(i)
      assert.are.equal(1, pool:submit(counts):get())
      assert.is_nil((pool:submit(sees, i):get()))
      assert.are.equal(i, pool:submit(hands_on, i):get())
    end)
    assert.are.equal(0, count)
  end)

  it("has the globals of the worker", function()
    local reads = assert(load "return marked")
    repeatedly(function(i)
      pool:submit(function(x) marked = x end, i):get() -- luacheck: ignore
      assert.are.equal(i, pool:submit(reads):get())
    end)
    debug.setupvalue(reads, 1, { marked = "mine" })
    local _, err = pcall(pool.submit, pool, reads)
    assert.matches("an environment other than the globals cannot be sent", tostring(err))
    debug.setupvalue(reads, 1, _G)
    assert.are.equal(TIMES, pool:submit(reads):get())
  end)

  it("finds modules by their names, as long as they are these", function()
    local text = string
    local function upper(x) return text.upper(x) end
    repeatedly(function() assert.are.equal("AB", pool:submit(upper, "ab"):get()) end)
    text = { upper = "none" }
    assert.is_false((pcall(function() pool:submit(upper, "ab"):get() end)))
    text = string
    assert.are.equal("AB", pool:submit(upper, "ab"):get())
  end)

  it("finds a module that is a C function by its name, as long as it is one", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local file <close> = assert(io.open(folder .. "/shouts.lua", "w"))
    file:write "return coroutine.wrap(function(x) while true do x = coroutine.yield(x:upper()) end end)"
    file:close()
    local path = package.path
    package.path = folder .. "/?.lua;" .. path
    finally(function()
      package.path, package.loaded.shouts = path, nil
      os.execute("rm -r " .. folder)
    end)
    local own <close> = shmx.pool { workers = 1, progress = false }
    local shouts = require "shouts"
    local function upper(x) return shouts(x) end
    repeatedly(function() assert.are.equal("AB", own:submit(upper, "ab"):get()) end)
    package.loaded.shouts = "another"
    local _, err = pcall(own.submit, own, upper, "ab")
    assert.matches('upvalue "shouts": a C function that is no field of a loaded module', tostring(err))
    package.loaded.shouts = shouts
    assert.are.equal("AB", own:submit(upper, "ab"):get())
  end)

  it("may stop to be what it was: another of the same definition takes its place", function()
    for i = 1, TIMES do
      local function add(x) return x + i end
      assert.are.equal(i + 1, pool:submit(add, 1):get())
      assert.are.equal(i + 2, pool:submit(add, 2):get())
      assert.are.equal(i + 3, pool:submit(add, 3):get())
      collectgarbage()
    end
  end)

  it("shows its arguments", function()
    local function work() end
    repeatedly(function(i)
      local task = pool:submit(work, i, "x", nil, -0.5)
      assert.are.equal(("work(%d, x, nil, -0.5) --> Result: "):format(i), (tostring(task:wait() and task)))
    end)
  end)
end)

describe("math.random", function()
  it("draws other numbers in each worker, and in each replacement", function()
    local three <close> = shmx.pool { workers = 3, progress = false }
    local seen, drawn = {}, 0
    local function draw() os.execute("sleep 0.02") return math.random(0) end
    for _ = 1, 3 do
      for _, number in ipairs(three:map(draw, { 1, 2, 3, 4, 5, 6 })) do
        assert.is_nil(seen[number])
        seen[number], drawn = true, drawn + 1
      end
      for _, worker in ipairs(three.workers) do worker:kill() end
    end
    assert.are.equal(18, drawn)
  end)
end)
