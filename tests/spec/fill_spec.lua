-- SPDX-License-Identifier: MIT
--
-- Work in place: pool:fill. And random numbers that do not depend on who draws them.

local shmx = require "shmx"

local pool
setup(function() pool = shmx.pool { workers = 2, progress = false } end)
teardown(function() pool:close() end)

local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function write_rows(slice, first)
  for i = 1, #slice do slice[i] = first + i - 1 end
end

describe("fill", function()
  it("writes the very array, in slices that cover it and do not overlap", function()
    for _, rows in ipairs { 1, 2, 7, 8, 9, 1000, 100003 } do
      local array = shmx.array("i64", rows)
      assert.are.equal(array, pool:fill(array, write_rows))
      assert.are.same({ 1, rows, rows * (rows + 1) // 2 }, { array[1], array[rows], array:sum() })
    end
    local counts = pool:fill(shmx.array("i32", 1000), function(slice)
      for i = 1, #slice do slice[i] = slice[i] + 1 end
    end)
    assert.are.same({ 1000, 1, 1 }, { counts:sum(), counts:min(), counts:max() })
  end)

  it("takes more dimensions, views, and more arguments", function()
    local array = shmx.array("f64", { 50, 4 })
    pool:fill(array, function(slice, first, factor)
      for i = 1, #slice do for j = 1, 4 do slice:set(i, j, (first + i - 1) * factor + j) end end
    end, 10)
    assert.are.same({ 11, 504 }, { array:get(1, 1), array:get(50, 4) })
    local part = array:view({ 11, 20 })
    pool:fill(part, function(slice) slice:fill(-1) end)
    assert.are.same({ 104, -1, -1, 211 }, { array:get(10, 4), array:get(11, 1), array:get(20, 4), array:get(21, 1) })
    local base = shmx.range("i64", 1, 100)
    local sums = pool:fill(shmx.array("i64", 100), function(slice, first, other)
      for i = 1, #slice do slice[i] = 2 * other[first + i - 1] end
    end, base)
    assert.are.equal(2 * base:sum(), sums:sum())
  end)

  it("waits for tasks among its arguments, and gives f their results", function()
    local input = pool:submit(function() os.execute "sleep 0.05" return 7, 8 end)
    local array = pool:fill(shmx.array("i64", 20), function(slice, _, x, y) slice:fill(x + y) end, input, 5)
    assert.are.same({ 12, 12 }, { array:min(), array:max() })
    local bad = pool:submit(error, "no input", 0)
    local ok, err = pcall(pool.fill, pool, array, write_rows, bad)
    assert.is_false(ok)
    assert.matches("task error failed in worker %d: no input", tostring(err))
  end)

  it("works at the same time in several workers", function()
    local workers = pool:fill(shmx.array("u8", 8), function(slice)
      os.execute "sleep 0.05"
      slice[1] = (shmx.worker())
    end)
    assert.are.same({ 1, 2 }, { workers:min(), workers:max() })
  end)

  it("leaves an empty array alone", function()
    assert.are.equal(0, #pool:fill(shmx.array("i64", 0), function() error "there is nothing" end))
  end)

  it("does only the slices of a worker that died again", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local array = shmx.array("i64", 80)
    pool:fill(array, function(slice, first, name)
      io.open(name, "a"):write(first, "\n"):close()
      for i = 1, #slice do slice[i] = first + i - 1 end
      local _, _, attempt = shmx.worker()
      if first == 31 and attempt == 1 then os.execute("kill -9 " .. shmx.pid()) end
    end, path)
    assert.are.equal(80 * 81 // 2, array:sum())
    local times = {}
    for line in io.lines(path) do times[line] = (times[line] or 0) + 1 end
    for i = 1, 8 do assert.are.equal(i == 4 and 2 or 1, times[tostring(10 * i - 9)]) end
  end)

  it("gives up on a slice that kills every worker; the others are written", function()
    local array = shmx.array("i64", 16)
    local ok, err = pcall(pool.fill, pool, array, function(slice, first)
      if first == 1 then os.execute("kill -9 " .. shmx.pid()) end
      slice:fill(1)
    end)
    assert.is_false(ok)
    assert.are.same({ 1, "crashed", 3 }, { #err.failures, err.failures[1].status, err.failures[1].attempt })
    assert.are.equal("rows 1 to 2", err.failures[1].place)
    assert.are.equal(14, array:sum())
  end)

  it("raises the errors of slices after all have ended, at the script's line", function()
    local array = shmx.array("i64", 16)
    local message = raised(pool.fill, pool, array, function(slice, first)
      if first == 3 then error("not this one", 0) end
      slice:fill(1)
    end)
    assert.matches("^[^\n]*fill_spec.lua:%d+: 1 of 8 tasks failed:\n1. rows 3 to 4: task [^\n]*: not this one", message)
    assert.are.equal(14, array:sum())
    assert.matches("bad argument #1 to 'fill' %(array expected, got number%)", raised(pool.fill, pool, 1, print))
    assert.matches("bad argument #2 to 'fill' %(function expected, got nil%)", raised(pool.fill, pool, array))
    array:close()
    assert.matches("^[^\n]*fill_spec.lua:%d+: bad argument #1 to 'fill' %(the array is closed%)",
      raised(pool.fill, pool, array, write_rows))
  end)
end)

describe("a seed", function()
  local function draw(workers, seed)
    local own <close> = shmx.pool { workers = workers, seed = seed, progress = false }
    local numbers = own:map(function() return math.random(1 << 40) end, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
    for i = 1, 5 do numbers[#numbers + 1] = own:submit(function(n) return n + math.random() end, i):get() end
    for x in own:imap(math.random, { 1000, 1000, 1000 }) do numbers[#numbers + 1] = x end
    numbers[#numbers + 1] = own:fill(shmx.array("i64", 500), function(slice)
      for i = 1, #slice do slice[i] = math.random(1 << 30) end
    end):sum()
    return numbers
  end

  it("gives the same numbers with any number of workers, and others to each task", function()
    local numbers = draw(1, 42)
    assert.are.same(numbers, draw(2, 42))
    assert.are.same(numbers, draw(5, 42))
    assert.are_not.same(numbers, draw(2, 43))
    local seen = {}
    for i = 1, 10 do
      assert.is_nil(seen[numbers[i]])
      seen[numbers[i]] = true
    end
  end)

  it("gives a retry the same numbers", function()
    local own <close> = shmx.pool { workers = 1, seed = 1, retries = 3, progress = false }
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    own:submit(function(name)
      io.open(name, "a"):write(math.random(1 << 30), "\n"):close()
      local _, _, attempt = shmx.worker()
      if attempt < 3 then os.execute("kill -9 " .. shmx.pid()) end
    end, path):get()
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    assert.are.same({ lines[1], lines[1], lines[1] }, lines)
  end)

  it("must be a whole number", function()
    assert.matches("bad option 'seed' to 'pool' %(a whole number", raised(shmx.pool, { seed = 1.5 }))
  end)
end)
