-- SPDX-License-Identifier: MIT
--
-- Values that go to a worker and come back: plain ones, tables, arrays, functions, and what is refused.

local shmx = require "shmx"

local pool
setup(function() pool = shmx.pool { workers = 2 } end)
teardown(function() pool:close() end)

local function echo(...) return ... end

-- There and back again.
local function travel(...) return pool:submit(echo, ...):get() end

-- What submit says about a value that is refused, without the position.
local function refusal(...)
  local ok, err = pcall(pool.submit, pool, ...)
  assert.is_false(ok)
  return (err:gsub("^[^\n]-:%d+: ", ""))
end

describe("plain values", function()
  it("are exact", function()
    for _, x in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, 0.1, -0.5, 1e308, 5e-324, math.huge, -math.huge,
      true, false, "", "text", "\0\255\n", ("x"):rep(100000) } do
      local y = travel(x)
      assert.are.equal(x, y)
      assert.are.equal(math.type(x), math.type(y))
    end
    assert.are.equal(-math.huge, 1 / travel(-0.0))
    local nan = travel(0 / 0)
    assert.are_not.equal(nan, nan)
  end)

  it("may be nil, in the middle and at the end", function()
    assert.are.same({ nil, 1, nil, nil, n = 4 }, table.pack(travel(nil, 1, nil, nil)))
    assert.are.same({ n = 0 }, table.pack(travel()))
  end)

  it("may be many", function()
    local values = {}
    for i = 1, 300 do values[i] = i end
    assert.are.same(values, { travel(table.unpack(values)) })
    for i = 301, 100000 do values[i] = i end
    assert.are.equal(100000, select("#", travel(table.unpack(values))))
  end)

  it("may be large", function()
    local text = ("0123456789"):rep(5000000)
    assert.is_true(travel(text) == text)
  end)
end)

describe("tables", function()
  it("keep shared and cyclic references", function()
    local inner = { 1 }
    local t = { a = inner, b = inner, [inner] = "key", list = { 1, 2, nil, 4 } }
    t.self = t
    local u = travel(t)
    assert.are.equal(u, u.self)
    assert.are.equal(u.a, u.b)
    assert.are.equal("key", u[u.a])
    assert.are.same({ 1, 2, nil, 4 }, u.list)
    local x, y = travel(inner, inner)
    assert.are.equal(x, y)
  end)
end)

describe("arrays", function()
  local function range(n) return shmx.range("i64", 1, n) end

  it("come back as they were made, and outlive the worker and the pool", function()
    local other = shmx.pool { workers = 1 }
    local a = other:submit(range, 1000):get()
    other.workers[1]:kill()
    assert.are.equal("i64", a.dtype)
    other:close()
    assert.are.equal(500500, a:sum())
    a[1] = 11
    assert.are.equal(500510, a:sum())
  end)

  it("are shared, not copied, in both directions", function()
    local a = shmx.array("f64", 100)
    pool:submit(function(x) for i = 1, #x do x[i] = i end end, a):get()
    assert.are.equal(5050, a:sum())
    local b, id = pool:submit(function(x) return x, x.segment.id end, a):get()
    assert.are.equal(a.segment.id, b.segment.id)
    assert.are.equal(a.segment.id, id)
    b[1] = 100
    assert.are.equal(100, a[1])
  end)

  it("may be nested in tables, and views keep their memory", function()
    local r = pool:submit(function()
      local a = shmx.range("i32", 1, 12):reshape(3, 4)
      return { whole = a, list = { a:view(2), { a:view({ 1, 3 }, 4) } } }
    end):get()
    assert.are.same({ 3, 4 }, r.whole.shape)
    assert.are.equal(26, r.list[1]:sum())
    assert.are.equal(24, r.list[2][1]:sum())
    assert.are.equal(r.whole.segment.id, r.list[1].segment.id)
    r.whole:set(2, 1, 100)
    assert.are.equal(121, r.list[1]:sum())
    r.whole:close()
    assert.are.equal(121, r.list[1]:sum())
  end)

  it("that appear twice are one segment, and the same object", function()
    local a, b, t = pool:submit(function()
      local x = shmx.full("u8", 10, 1)
      return x, x, { x }
    end):get()
    assert.are.equal(a, b)
    assert.are.equal(a, t[1])
    local n = pool:submit(function(x, y) x[1] = 9 return rawequal(x, y) and y[1] end, a, a):get()
    assert.are.equal(9, n)
  end)

  it("of all dtypes and of no elements", function()
    for _, dtype in ipairs { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64" } do
      local a = pool:submit(function(d) return shmx.range(d, 1, 9) end, dtype):get()
      assert.are.same({ dtype, 45 }, { a.dtype, a:sum() // 1 | 0 })
    end
    assert.is_true(pool:submit(function() return shmx.full("bool", 3, true) end):get()[3])
    local empty = travel(shmx.array("f64", 0), shmx.array("i8", { 3, 0 }))
    assert.are.equal(0, #empty)
  end)

  it("may be views of no elements at the end of a dimension", function()
    local a = shmx.array("f64", { 0, 100000 }):view(nil, { 90000 })
    assert.same({ 0, 10001 }, pool:submit(function(view) return view.shape end, a):get())
  end)

  it("go from worker to worker through main", function()
    local a = range(10)
    for _ = 1, 20 do
      a = pool:submit(function(x)
        local y = x:copy()
        for i = 1, #y do y[i] = y[i] + 1 end
        return y
      end, a):get()
    end
    assert.are.equal(55 + 200, a:sum())
  end)

  it("may be let go in main while a task uses them", function()
    local a = range(1000)
    local t = pool:submit(function(x) os.execute "sleep 0.1" return x:sum() end, a)
    a:close()
    local others = {}
    for i = 1, 20 do others[i] = shmx.full("i64", 1000, 7) end
    assert.are.equal(500500, t:get())
    assert.are.equal(7000, others[20]:sum())
    assert.are.equal("argument 1: a closed array cannot be sent to a worker", refusal(echo, a))
  end)

  it("stay intact through many handovers", function()
    local tasks = {}
    for i = 1, 500 do tasks[i] = pool:submit(function(k) return shmx.full("i64", k, k) end, i) end
    for i = 1, 500 do
      local a = tasks[i]:get()
      assert.are.equal(i * i, a:sum())
      a:close()
    end
  end)
end)

describe("functions", function()
  it("take the values of their upvalues along, afresh for every task", function()
    local count, list = 0, { 1 }
    local function step()
      count = count + 1
      list[#list + 1] = count
      return count, #list
    end
    for _ = 1, 3 do assert.are.same({ 1, 2 }, { pool:submit(step):get() }) end
    count = 10
    assert.are.same({ 11, 2 }, { pool:submit(step):get() })
    assert.are.same({ 10, { 1 } }, { count, list })
  end)

  it("share upvalues within a message", function()
    local n = 0
    local function up() n = n + 1 end
    local function read() return n end
    assert.are.equal(2, pool:submit(function() up() up() return read() end):get())
    assert.are.equal(1, pool:submit(function(f, g) f() return g() end, up, read):get())
  end)

  it("may be recursive, one alone or two together", function()
    local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
    assert.are.equal(55, pool:submit(fib, 10):get())
    local odd
    local function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    assert.is_true(pool:submit(even, 10):get())
  end)

  it("may use modules and their functions as upvalues", function()
    local floor, lfs = math.floor, require "lfs"
    assert.are.equal(3, pool:submit(function(x) return floor(x) end, 3.5):get())
    assert.are.equal("directory", pool:submit(function() return lfs.attributes("/", "mode") end):get())
    assert.are.equal(shmx.version, pool:submit(function() return shmx.version end):get())
  end)

  it("do not come back", function()
    local t = pool:submit(function() return { f = function() end } end)
    t:wait()
    assert.are.equal('result 1, field "f": functions travel from main to workers only', t.error.message)
  end)
end)

describe("what cannot travel", function()
  it("is refused at submit with its path", function()
    local co = coroutine.create(print)
    local cases = {
      { 'argument 1: userdata \'FILE*\' cannot be sent to a worker', echo, io.stdout },
      { 'argument 3: a coroutine cannot be sent to a worker', echo, nil, 1, co },
      { 'argument 2, field "a.b[3].c": a coroutine cannot be sent to a worker', echo, 1,
        { a = { b = { 1, 2, { c = co } } } } },
      { 'argument 1, a key: a coroutine cannot be sent to a worker', echo, { [co] = 1 } },
      { 'function, upvalue "co": a coroutine cannot be sent to a worker', function() return co end },
    }
    for _, case in ipairs(cases) do assert.are.equal(case[1], refusal(table.unpack(case, 2, 6))) end
    assert.matches("^argument 1: .*metatable", refusal(echo, setmetatable({}, {})))
    local deep = {}
    for _ = 1, 1000000 do deep = { deep } end
    assert.matches("^argument 1.*levels deep", refusal(echo, deep))
    assert.are.equal(1, travel(1))
  end)

  it("in a result is the error of that task, and others are untouched", function()
    local bad = pool:submit(function() return 1, { out = io.stdout } end)
    local good = pool:submit(echo, 1)
    bad:wait()
    assert.are.equal("failed", bad.status)
    assert.are.equal("result 2, field \"out\": userdata 'FILE*' cannot be sent from a worker", bad.error.value)
    assert.are.equal(1, good:get())
  end)

  it("includes pools", function()
    assert.are.equal("argument 1: userdata 'shmx.pool' cannot be sent to a worker", refusal(echo, pool))
  end)
end)

describe("the memory budget", function()
  it("of a pool refuses what is beyond it, and then everything works again", function()
    local small <close> = shmx.pool { workers = 2, memory = "64M" }
    local function make(mib) return shmx.full("u8", mib << 20, 1) end
    for _ = 1, 3 do
      local t = small:submit(make, 100)
      assert.is_true(t:wait(20))
      assert.matches("budget", t.error.message)
      assert.are.equal("refused", t.status)
      for _ = 1, 4 do assert.are.equal(20 << 20, small:submit(make, 20):get():sum()) collectgarbage() end
    end
  end)

  it("of all can be read and set", function()
    local before = shmx.memory
    assert.is_true(before > 1 << 20)
    shmx.memory = "64M"
    assert.are.equal(64 << 20, shmx.memory)
    assert.has_error(function() shmx.array("u8", 100 << 20) end)
    local t = pool:submit(function() return shmx.array("u8", 100 << 20) end)
    assert.is_true(t:wait(20))
    assert.matches("budget", t.error.message)
    shmx.memory = before
    assert.are.equal(100 << 20, shmx.array("u8", 100 << 20).size)
    assert.has_error(function() pool:submit(function() shmx.memory = 1 end):get() end)
  end)
end)
