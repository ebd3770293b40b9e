-- SPDX-License-Identifier: MIT
-- Comparisons of elements, and of whole arrays, as a script sees them.
local shmx = require "shmx"

local nan, inf = 0 / 0, math.huge

local _, refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

local function from(dtype, ...) return shmx.from({ ... }, dtype) end

describe("comparisons", function()
  it("give bools", function()
    local a, b = from("i32", 1, 2, 3), from("f64", 2, 2, 2)
    for name, expected in pairs { lt = { true, false, false }, le = { true, true, false }, gt = { false, false, true },
      ge = { false, true, true }, eq = { false, true, false }, ne = { true, false, true } } do
      local result = a[name](a, b)
      assert.equal("bool", result.dtype)
      assert.same(expected, result:totable())
    end
  end)

  it("take any number", function()
    assert.same({ true, true }, from("u8", 0, 255):lt(300):totable())
    assert.same({ false, false }, from("u8", 0, 255):le(-1):totable())
    assert.same({ false, true }, from("i8", -1, 1):gt(-0.5):totable())
  end)

  -- Numbers of 64 bits that a double tells apart, and their neighbours, which it does not.
  local wide = { i64 = {}, u64 = {}, f64 = { nan, inf, -inf, -0.0, 0.5, 1e300 } }
  for _, power in ipairs { 0, 53, 54, 62, 63, 64 } do
    for _, sign in ipairs { 1, -1 } do
      table.insert(wide.f64, sign * 2.0 ^ power)
      table.insert(wide.f64, sign * (2.0 ^ power - 2.0 ^ (power - 53)))
      for step = -1, 1 do
        table.insert(wide.i64, sign * ((power < 64 and 1 << power or 0) + step))
        table.insert(wide.u64, sign * ((power < 64 and 1 << power or 0) + step))
      end
    end
  end

  local signs = {
    lt = function(x, y) return x < y end, le = function(x, y) return x <= y end, eq = function(x, y) return x == y end,
    gt = function(x, y) return x > y end, ge = function(x, y) return x >= y end, ne = function(x, y) return x ~= y end,
  }

  -- A number less 2^63, as far as Lua must know it; u64 has numbers from there on, and Lua no such integers.
  local function shifted(x, dtype)
    if dtype == "u64" then return x < 0 and x & math.maxinteger or -inf end
    if dtype == "f64" then return (x >= 2.0 ^ 63 or x ~= x) and x - 2.0 ^ 63 or -inf end
    return -inf
  end

  local function expect(name, x, dtype_x, y, dtype_y)
    if dtype_x == "u64" and x < 0 or dtype_y == "u64" and y < 0 then
      x, y = shifted(x, dtype_x), shifted(y, dtype_y)
    end
    return signs[name](x, y)
  end

  local function each_pair(f)
    for _, dtype_x in ipairs { "i64", "u64", "f64" } do
      for _, dtype_y in ipairs { "i64", "u64", "f64" } do
        for name in pairs(signs) do f(name, dtype_x, dtype_y) end
      end
    end
  end

  it("are exact, whatever the dtypes are", function()
    each_pair(function(name, dtype_x, dtype_y)
      local xs, ys = wide[dtype_x], wide[dtype_y]
      local a, b = shmx.from(xs, dtype_x):reshape(#xs, 1), shmx.from(ys, dtype_y)
      local column, row = shmx.array(dtype_x, { #xs, #ys }):add(a), shmx.array(dtype_y, { #xs, #ys }):add(b)
      local result = a[name](a, b)
      for i, x in ipairs(xs) do
        for j, y in ipairs(ys) do
          assert(result:get(i, j) == expect(name, x, dtype_x, y, dtype_y),
            ("%s %s %s %s %s"):format(dtype_x, x, name, dtype_y, y))
        end
      end
      assert.is_true(column[name](column, row):equal(result))
      assert.is_true(column[name](column:transpose(), row:transpose()):transpose():equal(result))
    end)
  end)

  it("are exact with numbers too, which are Lua's 64 bits to u64", function()
    each_pair(function(name, dtype_x, dtype_y)
      if dtype_y == "u64" then return end
      local xs = wide[dtype_x]
      local a = shmx.from(xs, dtype_x)
      for _, y in ipairs(wide[dtype_y]) do
        local dtype = dtype_x == "u64" and dtype_y == "i64" and "u64" or dtype_y
        local result, opposite = a[name](a, y), shmx[name](y, a)
        for i, x in ipairs(xs) do
          assert.equal(expect(name, x, dtype_x, y, dtype), result[i])
          assert.equal(expect(name, y, dtype, x, dtype_x), opposite[i])
          if dtype_x ~= "u64" then assert.equal(result[i], shmx[name](x, y)) end
        end
      end
    end)
    assert.same({ true }, from("f32", 0.1):eq(0.1):totable()) -- which becomes an f32
  end)

  it("are false for NaN, except ne", function()
    local a = from("f64", nan, 1)
    assert.same({ false, true }, a:eq(a):totable())
    assert.same({ true, false }, a:ne(a):totable())
    assert.same({ false, false }, a:lt(nan):totable())
  end)

  it("are methods, which an error says of < and its like", function()
    local a = shmx.range("i64", 1, 3)
    local methods = "arrays are compared element by element, by a:lt(b), a:le(b), a:gt(b) or a:ge(b)"
    refuses(methods, function() return a < a end)
    refuses(methods, function() return a >= 2 end)
    refuses(methods, function() return 2 > a end)
  end)

  it("order false before true", function()
    local a, b = from("bool", true, true, false, false), from("bool", true, false, true, false)
    assert.same({ false, false, true, false }, a:lt(b):totable())
    assert.same({ true, false, false, true }, a:eq(b):totable())
  end)
end)

describe("comparing whole arrays", function()
  it("asks for the same shape and elements, whatever the dtype", function()
    local a = from("i32", { 1, 2 }, { 3, 4 })
    assert.is_true(a:equal(a) and a:equal(a:copy()) and a:equal(a:astype "f32"))
    assert.is_false(a:equal(a + 1) or a:equal(a:reshape(4)) or a:equal(3) or a:equal(nil))
    assert.is_false(from("f64", nan):equal(from("f64", nan)))
    local large = shmx.range("i64", 1, 5000)
    local other = large:copy()
    other[4999] = 0
    assert.is_false(large:equal(other))
    assert.is_true(large:view { 1, 4998 }:equal(other:view { 1, 4998 }))
    assert.is_true(shmx.array("u8", 0):equal(shmx.array("i8", 0)))
    local odd, even = from("i64", (1 << 53) + 1), from("i64", 1 << 53)
    for _, dtype in ipairs { "i64", "u64", "f64" } do
      assert.is_true(even:equal(even:astype(dtype)) and even:astype(dtype):equal(even))
      assert.is_false(odd:equal(even:astype(dtype)) or even:astype(dtype):equal(odd))
    end
    assert.is_false(from("i64", -1):equal(from("u64", -1)))
  end)

  it("allows for small differences", function()
    local a = from("f64", 1, 1000, inf)
    assert.is_true(a:allclose(a + 1e-9))
    assert.is_true(a:allclose(a * 1.000001))
    assert.is_false(a:allclose(a * 1.0001))
    assert.is_true(a:allclose(a * 1.0001, { rtol = 1e-3 }))
    assert.is_false(a:allclose(a + 1e-9, { rtol = 0, atol = 1e-10 }))
    assert.is_false(a:allclose(-a))
    assert.is_true(from("i32", 2, 2):allclose(2) and from("i32", { 1, 2 }, { 1, 2 }):allclose(from("f32", 1, 2)))
    assert.is_false(from("f64", nan):allclose(nan))
    assert.is_true(from("f64", nan):allclose(nan, { equal_nan = true }))
    refuses("bad shapes to 'allclose' ({3} and {2} do not go together)", function() a:allclose(shmx.array("i8", 2)) end)
    refuses("bad option 'rtol' to 'allclose' (a number from 0 on is expected, got -1.0)", function()
      a:allclose(a, { rtol = -1 })
    end)
    refuses("bad argument #2 to 'allclose' (a table of options is expected, got 1)", function() a:allclose(a, 1) end)
  end)
end)
