-- SPDX-License-Identifier: MIT
--
-- pool:map brings quick elements to the workers in batches. Nobody may notice, except by the time it takes.

local shmx = require "shmx"

local function with_pool(options, f)
  options.progress = false
  local pool <close> = shmx.pool(options)
  return f(pool)
end

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function tasks_done(pool)
  local count = 0
  for _, worker in ipairs(pool.workers) do count = count + worker.tasks_done end
  return count
end

local function spin(seconds)
  local till = shmx.clock() + seconds
  while shmx.clock() < till do end
end

local N = 5000

describe("map over many quick elements", function()
  it("returns every first result in its place, with far fewer tasks", function()
    with_pool({ workers = 2 }, function(pool)
      local results = pool:map(function(x) return x * x, "second" end, numbers(N))
      assert.are.equal(N, results.n)
      for i = 1, N do assert.are.equal(i * i, results[i]) end
      assert.is_true(tasks_done(pool) < N / 10)
    end)
  end)

  it("keeps types, and nils inside and at the end", function()
    local kinds = { true, false, 1.5, "text", math.mininteger, -1, 1 << 40, ("x"):rep(300), -0.0, "" }
    local list = { n = N }
    for i = 1, N do list[i] = kinds[i % 12] end
    with_pool({ workers = 2 }, function(pool)
      local results = pool:map(function(x) return x end, list)
      assert.are.equal(N, results.n)
      for i = 1, N do
        assert.are.equal(list[i], results[i])
        assert.are.equal(math.type(list[i]), math.type(results[i]))
      end
    end)
  end)

  it("works with functions of the library, methods of modules and helpers", function()
    local factor = 3
    local function helper(x) return x * factor end
    with_pool({ workers = 2 }, function(pool)
      assert.are.equal(70.0, pool:map(math.sqrt, numbers(4900))[4900])
      assert.are.equal("4900", pool:map(function(x) return ("%d"):format(x) end, numbers(4900))[4900])
      assert.are.equal(14701, pool:map(function(x) return helper(x) + 1 end, numbers(4900))[4900])
    end)
  end)

  it("gives each element the function as the script has it", function()
    local count, list = 0, { 0 }
    local function counts() count = count + 1 return count end
    local function appends(x) list[#list + 1] = x return #list end
    local function makes() local inner = function() count = count + 1 end inner() return count end
    with_pool({ workers = 2 }, function(pool)
      for i, result in ipairs(pool:map(counts, numbers(300))) do assert.are.equal(1, result, i) end
      for i, result in ipairs(pool:map(appends, numbers(300))) do assert.are.equal(2, result, i) end
      for i, result in ipairs(pool:map(makes, numbers(300))) do assert.are.equal(1, result, i) end
    end)
    assert.are.equal(0, count)
    assert.are.same({ 0 }, list)
  end)

  it("takes results that are no scalars, from whichever element on", function()
    with_pool({ workers = 2 }, function(pool)
      local results = pool:map(function(x)
        if x % 1000 == 0 then return require("shmx").range("i64", 1, x) end
        if x % 1000 == 1 then return { x } end
        return x
      end, numbers(N))
      for i = 1, N do
        if i % 1000 == 0 then assert.are.equal(i, #results[i])
        elseif i % 1000 == 1 then assert.are.same({ i }, results[i])
        else assert.are.equal(i, results[i]) end
      end
    end)
  end)

  it("takes elements that are no scalars, from whichever on", function()
    local list = numbers(N)
    list[N // 2] = { 7 }
    list[N - 1] = shmx.full("u8", 10, 1)
    with_pool({ workers = 2 }, function(pool)
      local results = pool:map(function(x) return type(x) == "number" and x or x[1] end, list)
      assert.are.equal(7, results[N // 2])
      assert.are.equal(1, results[N - 1])
      assert.are.equal(N, results[N])
    end)
  end)

  it("takes one list and no options", function()
    with_pool({ workers = 0 }, function(pool)
      for _, more in ipairs { { 3, 4 }, { chunk = 2 } } do
        local ok, err = pcall(pool.map, pool, math.max, { 1, 2 }, more)
        assert.is_false(ok)
        assert.matches("map_spec.lua:%d+: bad argument #3 to 'map' %(nothing is expected after the list", err)
      end
    end)
  end)

  it("copes with results that become large", function()
    with_pool({ workers = 2 }, function(pool)
      local results = pool:map(function(x) return x > 1000 and ("x"):rep(10000) or "y" end, numbers(2000))
      for i = 1, 2000 do assert.are.equal(i > 1000 and 10000 or 1, #results[i]) end
    end)
  end)

  it("shares out elements that become slow", function()
    with_pool({ workers = 2 }, function(pool)
      local list, ran = numbers(3040), {}
      local results = pool:map(function(x)
        if x > 3000 then spin(0.012) end
        return shmx.pid()
      end, list)
      for i = 3001, 3040 do ran[results[i]] = (ran[results[i]] or 0) + 1 end
      for _, worker in ipairs(pool.workers) do assert.is_true((ran[worker.pid] or 0) >= 4) end
    end)
  end)
end)

describe("an element that fails among many", function()
  local function map(f, n, given)
    return with_pool(given or { workers = 2 }, function(pool)
      local ok, err = pcall(pool.map, pool, f, numbers(n or N))
      assert.is_false(ok)
      return err
    end)
  end

  it("is the only one, and costs no other its result", function()
    local function work(x) if x == 4000 then error("no good") end return x + 1 end
    local err = map(work)
    assert.are.equal(1, #err.failures)
    assert.are.equal(1, #err.tasks)
    assert.are.equal("failed", err.tasks[1].status)
    assert.matches("^f%(4000%) %-%-> Error: [^\n]*map_spec.lua:%d+: no good$", tostring(err.tasks[1]))
    assert.matches("[^\n]*map_spec.lua:%d+: 1 of 5000 tasks failed:\n1. element 4000: task f failed in worker %d: "
      .. "[^\n]*: no good\nstack traceback of the worker:\n.*map_spec.lua:%d+: in function", tostring(err))
    assert.are.equal(N, err.results.n)
    for i = 1, N do assert.are.equal(i ~= 4000 and i + 1 or nil, err.results[i]) end
  end)

  it("is told with all others that do, in their order", function()
    local err = map(function(x) if x % 10 == 0 then error({ code = x }) end return x end)
    assert.are.equal(N // 10, #err.failures)
    for i, failure in ipairs(err.failures) do assert.are.same({ code = i * 10 }, failure.value) end
    for i = 1, N do assert.are.equal(i % 10 ~= 0 and i or nil, err.results[i]) end
  end)

  it("may fail with what cannot be sent", function()
    local err = map(function(x)
      local coroutine = coroutine.create(print)
      if x == 3000 then error(setmetatable({ coroutine }, { __tostring = function() return "odd" end })) end
      if x == 3100 then error(coroutine) end
      if x == 3200 then error(setmetatable({ coroutine }, { __tostring = function() error "x" end })) end
    end)
    assert.are.equal(3, #err.failures)
    assert.are.equal("odd", err.failures[1].message)
    assert.matches("^thread: ", err.failures[2].message)
    assert.matches("__tostring fails", err.failures[3].message)
  end)

  it("may return what cannot be sent", function()
    local err = map(function(x) if x == 3000 then return coroutine.create(print) end return x end)
    assert.are.equal(1, #err.failures)
    assert.matches("^result 1: a coroutine cannot be sent", err.failures[1].message)
    assert.are.equal(2999, err.results[2999])
    assert.are.equal(N, err.results[N])
  end)

  it("may meet the memory budget", function()
    local err = map(function(x) if x == 3000 then shmx.array("u8", 64 << 20) end return x end, N,
      { workers = 2, memory = "16M" })
    assert.are.equal(1, #err.failures)
    assert.are.equal("refused", err.failures[1].status)
    assert.are.equal(N, err.results[N])
  end)

  it("may take its worker with it: the batch is named, and the others go on", function()
    local err = map(function(x) if x == 3000 then os.exit(3) end return x end)
    assert.are.equal(1, #err.failures)
    local first, last = err.failures[1].name:match "of elements (%d+) to (%d+)$"
    assert.is_true(tonumber(first) <= 3000 and 3000 <= tonumber(last))
    assert.are.equal(3, err.failures[1].code)
    for i = 1, N do
      local lost = i >= tonumber(first) and i <= tonumber(last)
      assert.are.equal(not lost and i or nil, err.results[i])
    end
  end)
end)
