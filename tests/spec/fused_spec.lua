-- SPDX-License-Identifier: MIT
-- map and generate: a function that is traced and one that is called for each element give the same, whatever it does.
local shmx = require "shmx"

local nan, inf = 0 / 0, math.huge

local function from(dtype, ...) return shmx.from({ ... }, dtype) end

local _, refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

-- The function in a form that cannot be traced, and a function that tells how often it was called.
local function calls_of(f)
  local calls = 0
  return function(...)
    calls = calls + 1
    return f(...)
  end, function() return calls end
end

describe("map", function()
  it("gives f of each element", function()
    local a = shmx.range("i64", 1, 2000)
    local b = a:map(function(x) return x * x % 7 + 1 end)
    assert.equal("i64", b.dtype)
    for i = 1, 2000 do assert.equal(i * i % 7 + 1, b[i]) end
  end)

  it("takes several arrays and numbers, which are broadcast", function()
    local a = from("i32", { 1, 2, 3 }, { 4, 5, 6 })
    local b = a:map(function(x, y, z) return x * y + z end, from("i32", 10, 20, 30), 7)
    assert.same({ { 17, 47, 97 }, { 47, 107, 187 } }, b:totable())
    assert.equal("i32", b.dtype)
    assert.same({ { 11, 12 }, { 21, 22 } }, from("i8", { 1 }, { 2 })
      :map(function(x, y) return x * 10 + y end, from("i8", 1, 2)):totable())
    refuses("bad shapes to 'map' ({2, 3} and {4} do not go together)", function()
      return a:map(function(x) return x end, shmx.array("i8", 4))
    end)
  end)

  it("gives the same for short rows, where kernels take longer ones", function()
    local a, b = shmx.range("f64", 1, 6000):reshape(1000, 2, 3), from("f64", 1, 2, 3)
    local function f(x, y) return x * y - x // y end
    local called = calls_of(f)
    local expected = a:map(called, b)
    assert.is_true(a:map(f, b):equal(expected))
    assert.is_true(a:transpose():map(f, b:reshape(3, 1, 1)):equal(expected:transpose()))
    local divisors = from("i64", 1, 2, 3)
    a, expected = a:astype("i64"), a:astype("i64"):map(called, divisors)
    assert.is_true(a:map(f, divisors):equal(expected))
    a:map(f, divisors, { out = a })
    assert.is_true(a:equal(expected))
  end)

  it("compares integers with floats exactly, as Lua does", function()
    local limit = 1 << 53
    local a, b = from("i64", limit, limit + 1, limit + 2), shmx.full("f64", 3, limit)
    local no, yes = false, true
    for name, expected in pairs { lt = { no, no, no }, le = { yes, no, no }, eq = { yes, no, no },
      ne = { no, yes, yes }, gt = { no, yes, yes }, ge = { yes, yes, yes } } do
      local compare = shmx[name]
      assert.same(expected, a:map(function(x, y) return compare(x, y) end, b):totable())
      assert.same(expected, a:map(function(x) return compare(x, 0x1p53) end):totable())
      assert.same(expected, a:map(calls_of(compare), b):totable())
    end
  end)

  it("names the first element that went wrong, however long the rows are", function()
    local a = shmx.range("i64", 1, 300):reshape(100, 3)
    for _, position in ipairs { { 50, 1 }, { 20, 3 }, { 40, 2 } } do a:set(position[1], position[2], 1000) end
    refuses("bad result of the function for element (20, 3) (1000 is not between -128 and 127)", function()
      return a:map(function(x, y) return x - x % 1000 + y * 0 end, from("i64", 1, 2, 3), { dtype = "i8" })
    end)
  end)

  it("makes the dtype of what the function gives", function()
    local a, f = from("i16", 1, 2), from("f32", 1, 2)
    for _, test in ipairs { false, true } do
      local function map(x, g, ...)
        if not test then return x:map(g, ...) end
        return x:map(function(...) if x then return g(...) end end, ...)
      end
      assert.equal("i16", map(a, function(x) return x + 1 end).dtype)
      assert.equal("f64", map(a, function(x) return x / 2 end).dtype)
      assert.equal("f32", map(f, function(x) return x / 2 end).dtype)
      assert.equal("i64", map(f, function(_, y) return y end, 3).dtype)
      assert.equal("bool", map(a, function(x) return shmx.lt(x, 2) end).dtype)
      assert.equal("i64", map(a, function(x, y) return x + y end, from("i64", 1, 2)).dtype)
      assert.equal("u8", map(a, function(x) return x end, { dtype = "u8" }).dtype)
      assert.equal("i16", map(shmx.array("i16", 0), function(x) return x / 2 end).dtype)
    end
  end)

  it("refuses a dtype that is not that of the array it is to write into", function()
    local a, out = from("i16", 1, 2), shmx.array("f64", 2)
    local function f(x) return x / 2 end
    assert.equal(out, a:map(f, { dtype = "f64", out = out }))
    refuses("bad option 'dtype' to 'map' (it says f32, and out has the dtype f64)", function()
      a:map(f, { dtype = "f32", out = out })
    end)
  end)

  it("has nothing to do where there are no elements, however many rows there are", function()
    local none = shmx.array("i8", { 1 << 60, 0 })
    assert.same({ 1 << 60, 0 }, none:map(function(x) return x + 1 end).shape)
    assert.equal(none, none:generate(function(i) return i end))
  end)

  it("writes into an array that exists, also into what it reads", function()
    local a = shmx.range("f64", 1, 1500)
    assert.equal(a, a:map(function(x) return x * 2 end, { out = a }))
    assert.equal(3000.0, a[1500])
    a:view { 2, 1500 }:map(function(x, y) return x + y end, a:view { 1, 1499 }, { out = a:view { 2, 1500 } })
    for i = 2, 1500 do assert.equal(4.0 * i - 2, a[i]) end
    refuses("bad out to 'map' (it has the shape {2}, the result {1500})", function()
      return a:map(function(x) return x end, { out = shmx.array("f64", 2) })
    end)
  end)

  it("calls a function that it cannot trace in order, once for each element", function()
    local seen = {}
    local b = shmx.range("i64", 1, 1000):map(function(x)
      seen[#seen + 1] = x
      if x > 500 then return x end
      return -x
    end)
    assert.same(shmx.range("i64", 1, 1000):totable(), seen)
    assert.same({ -500, 501 }, { b[500], b[501] })
  end)

  it("does not call a function that it can trace", function()
    local a, up = shmx.range("i64", 1, 10), 3
    local function is_called(f)
      local called = false
      debug.sethook(function() called = called or debug.getinfo(2, "f").func == f end, "call")
      a:map(f, 2.5)
      debug.sethook()
      return called
    end
    assert.is_false(is_called(function(x) return x * x % 7 + up end))
    assert.is_false(is_called(function(x, y) local z = x // 2 return shmx.where(shmx.lt(z, y), 1 << z, ~x & 3) end))
    assert.is_false(is_called(function(x, y) return -y ^ 2 / math.sqrt(x) + math.abs(y) - shmx.sin(x) * 1e10, x end))
    for _, f in ipairs {
      function(x) return x > 3 and 1 or 2 end, function(x) up = x return x end, function(x) return x ^ 3 end,
      function(x) return math.sin(x) end, function(...) return ... end, function(x) return #{ x } end,
      function(x) for _ = 1, 2 do x = x + 1 end return x end, function(x) return tonumber(x) end, math.abs,
      function(x) return x + "1" end, function(x) return x + #a end, function(x) return (function() return x end)() end,
    } do
      assert.is_true(is_called(f))
    end
  end)

  it("reads upvalues, fields and library functions as the function would", function()
    local factor, tools = 3, { sqrt = shmx.sqrt, deep = { two = 2 } }
    local a = shmx.range("f64", 1, 700)
    local b = a:map(function(x) return tools.sqrt(x * factor) + tools.deep.two + math.abs(-x) end)
    for i = 1, 700 do assert.equal(shmx.sqrt(i * 3.0) + 2 + i, b[i]) end
    local meta = setmetatable({}, { __index = function() return 5 end })
    assert.same({ 6, 7 }, from("i8", 1, 2):map(function(x) return x + meta.five end):totable())
    local count, sqrt = 0, math.sqrt
    math.sqrt = function(x) count = count + 1 return x end -- luacheck: ignore
    local c = from("f64", 4, 9):map(function(x) return math.sqrt(x) end)
    math.sqrt = sqrt -- luacheck: ignore
    assert.same({ 4, 9 }, c:totable())
    assert.equal(2, count)
  end)

  it("raises the function's own errors, at its own lines", function()
    local a = shmx.range("i64", -1000, 1000)
    local ok, message = pcall(a.map, a, function(x) return 10 // x end)
    assert.is_false(ok)
    assert.is_truthy(message:find("fused_spec.lua:%d+: attempt to [dp]%w+ "), message)
    ok, message = pcall(a.map, a, function(x) return x % (x - 3) end)
    assert.is_truthy(not ok and message:find("attempt to perform 'n%%0'"), message)
    ok, message = pcall(a.map, a, function(x) return x .. {} end)
    assert.is_truthy(not ok and message:find "attempt to concatenate a table value", message)
    ok, message = pcall(a.map, a, function(x) return x & 1.5 end)
    assert.is_truthy(not ok and message:find "number has no integer representation", message)
    refuses("bad argument #1 to 'map' (a function is expected, got 1)", function() return a:map(1) end)
    refuses("bad option 'dtype' to 'map' (unknown dtype \"i9\"; the dtypes are i8 ", function()
      return a:map(math.abs, { dtype = "i9" })
    end)
  end)

  it("refuses results that the dtype cannot hold", function()
    local a = shmx.range("i16", 1, 1000)
    refuses("bad result of the function for element 4 (40000 is not between -32768 and 32767)", function()
      return a:map(function(x) return x * 10000 end)
    end)
    refuses("bad result of the function for element 1 (0.5 is not an integer)", function()
      return a:map(function(x) return x / 2 end, { dtype = "i64" })
    end)
    refuses("bad result of the function for element 1 (a number is expected, got boolean)", function()
      return a:map(function(x) return shmx.lt(x, 5) end, { dtype = "i64" })
    end)
    refuses("bad result of the function for element (2, 1) (a number is expected, got nil)", function()
      return a:view { 1, 4 }:reshape(2, 2):map(function(x) if x ~= 3 then return x end end)
    end)
    assert.same({ 2, 4 }, a:view { 1, 2 }:map(function(x) return x / 0.5 end, { dtype = "u8" }):totable())
  end)

  it("outlives what the function does to the arrays", function()
    local a, b = shmx.range("i64", 1, 1000), shmx.range("i64", 1, 1000)
    local c = a:map(function(x, y)
      if x == 10 then a:close() b:close() collectgarbage() end
      return x + y
    end, b)
    assert.equal(2000, c[1000])
  end)
end)

describe("generate", function()
  it("gives f of the indices", function()
    local a = shmx.array("i64", 3000)
    assert.equal(a, a:generate(function(i) return i * i % 7 end))
    for i = 1, 3000 do assert.equal(i * i % 7, a[i]) end
    local b = shmx.array("f32", { 2, 3, 4 }):generate(function(i, j, k) return i * 100 + j * 10 + k end)
    for i = 1, 2 do
      for j = 1, 3 do
        for k = 1, 4 do assert.equal(i * 100.0 + j * 10 + k, b:get(i, j, k)) end
      end
    end
    local c = shmx.array("u8", { 3, 3 })
    c:transpose():generate(function(i, j) if i > j then return 1 end return 2 end)
    assert.same({ { 2, 1, 1 }, { 2, 2, 1 }, { 2, 2, 2 } }, c:totable())
    assert.same({ 7, 7 }, shmx.array("i8", 2):generate(function() return 7 end):totable())
    assert.equal(0, shmx.array("i8", { 3, 0 }):generate(function() error "called" end).size)
  end)

  it("gives the same for short rows, where kernels take another axis", function()
    local function f(i, j, k) return i * 1.5 + j * j % 7 - shmx.sin(k) end
    for _, shape in ipairs { { 2000, 2, 3 }, { 3, 700, 2 }, { 2, 600, 1 }, { 1, 1, 5 }, { 600, 0, 2 } } do
      local called, calls = calls_of(f)
      local expected = shmx.array("f64", shape):generate(called)
      assert.equal(expected.size, calls())
      assert.is_true(shmx.array("f64", shape):generate(f):equal(expected))
      local turned = shmx.array("f64", { shape[3], shape[2], shape[1] }):transpose()
      assert.is_true(turned:generate(f):equal(expected))
    end
  end)

  it("names the element that went wrong", function()
    refuses("bad result of the function for element (300, 3) (200 is not between -128 and 127)", function()
      shmx.array("i8", { 1000, 3 }):generate(function(i, j) return i // (1200 - 300 * j) * 200 end)
    end)
    refuses("bad result of the function for element (2, 3) (203 is not between -128 and 127)", function()
      shmx.array("i8", { 2, 3 }):generate(function(i, j) return i * j // 6 * 200 + j end)
    end)
    refuses("bad argument #1 to 'generate' (a function is expected, got nothing)", function()
      shmx.array("i8", 2):generate()
    end)
  end)
end)

-- Random expressions, as text: `x` and `y` are the arguments.
local function new_random(seed)
  local state = seed
  return function(n)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % n + 1
  end
end

local binary = { "+", "-", "*", "/", "//", "%", "&", "|", "~", "<<", ">>", "^ 2 +" }
local calls1 = { "shmx.sqrt", "shmx.floor", "shmx.exp", "shmx.abs", "shmx.sign", "shmx.sin", "math.sqrt", "math.abs",
  "shmx.round", "shmx.isnan", "shmx.bnot" }
local calls2 = { "shmx.minimum", "shmx.maximum", "shmx.add", "shmx.mod", "shmx.idiv", "shmx.lt", "shmx.ne",
  "shmx.hypot" }
local leaves = { "x", "y", "x", "y", "2", "7", "-3", "0.5", "1e10", "up", "3.0", "math.maxinteger", "0" }

local function expression(random, depth)
  local kind = random(depth > 3 and 4 or 12)
  if kind <= 4 then return leaves[random(#leaves)] end
  local first = expression(random, depth + 1)
  if kind <= 9 then return ("(%s %s %s)"):format(first, binary[random(#binary)], expression(random, depth + 1)) end
  if kind == 10 then return ("%s(%s)"):format(calls1[random(#calls1)], first) end
  local second = expression(random, depth + 1)
  if kind == 11 then return ("%s(%s, %s)"):format(calls2[random(#calls2)], first, second) end
  return ("shmx.where(shmx.gt(%s, %s), %s, -(%s))"):format(first, second, first, second)
end

local operands = {
  i64 = from("i64", 0, 1, -1, 2, 7, -7, 63, 64, math.maxinteger, math.mininteger, 1000, 3),
  i16 = from("i16", 0, 1, -1, 2, 7, -7, 63, 64, 32767, -32768, 1000, 3),
  u8 = from("u8", 0, 1, 255, 2, 7, 249, 63, 64, 127, 128, 100, 3),
  f64 = from("f64", 0, -0.0, 1, -1.5, 2, 7.25, nan, inf, -inf, 1e300, 0x1p63, 3),
  f32 = from("f32", 0, -0.0, 1, -1.5, 2, 7.25, nan, inf, -inf, 1e30, 0x1p63, 3),
}
local names = { "i64", "i16", "u8", "f64", "f32" }

local function same(a, b)
  if a.dtype ~= b.dtype then return false end
  for i = 1, #a do
    local x, y = a[i], b[i]
    if not (x == y or x ~= x and y ~= y) then return false end
    if x == 0 and math.type(x) == "float" and 1 / x ~= 1 / y then return false end
  end
  return true
end

describe("random expressions", function()
  local function compare(random, count)
    local succeeded = 0
    for _ = 1, count do
      local text = expression(random, 0)
      local make = load(("local shmx, up = ... return function(x, y) return %s end"):format(text))
      local f = make(shmx, 5)
      local a, b = operands[names[random(#names)]], operands[names[random(#names)]]
      local option = { dtype = ({ nil, "i64", "f64", "i16", "f32", "u8", "u64" })[random(7)] }
      local plain, counted = calls_of(f)
      local ok1, one = pcall(a.map, a, f, b, option)
      local ok2, two = pcall(a.map, a, plain, b, option)
      assert(ok1 == ok2, text .. ": " .. tostring(one) .. " and " .. tostring(two))
      if ok1 then
        assert(same(one, two), ("%s of %s and %s: %s and %s"):format(text, a.dtype, b.dtype, one, two))
        assert.equal(#a, counted())
      else
        local function strip(message) return (message:gsub("^[^%s]*:%d+: ", "")) end
        assert.equal(strip(two), strip(one), text)
      end
      succeeded = succeeded + (ok1 and 1 or 0)
    end
    assert.is_true(succeeded > count / 10)
  end

  it("give the same when they are traced and when they are not", function()
    compare(new_random(1), 3000)
    compare(new_random(os.time()), 1000)
  end)
end)
