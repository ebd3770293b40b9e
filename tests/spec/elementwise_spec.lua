-- SPDX-License-Identifier: MIT
-- Elementwise operations as a script sees them: dtypes, shapes, `out`, Lua's meaning of the operators, wrong use.
local shmx = require "shmx"

local integers = { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64" }
local nan, inf = 0 / 0, math.huge

local _, refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

local function from(dtype, ...) return shmx.from({ ... }, dtype) end

describe("an elementwise operation", function()
  it("gives the dtype that NumPy gives", function()
    local cases = {
      { "i8", "u8", "i16" }, { "u16", "i16", "i32" }, { "u32", "i8", "i64" }, { "i64", "u64", "f64" },
      { "f32", "i16", "f32" }, { "f32", "i32", "f64" }, { "f32", "f64", "f64" }, { "bool", "u8", "u8" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], (shmx.array(case[1], 2) + shmx.array(case[2], 2)).dtype)
    end
  end)

  it("takes numbers for what the array is, unless that cannot be", function()
    for _, dtype in ipairs(integers) do
      assert.equal(dtype, (shmx.array(dtype, 2) + 1).dtype)
      assert.equal("f64", (shmx.array(dtype, 2) + 1.5).dtype)
      assert.equal("f64", (2.0 * shmx.array(dtype, 2)).dtype)
    end
    assert.equal("f32", (shmx.array("f32", 2) * 1.5).dtype)
    assert.equal("f32", (shmx.array("f32", 2) * 3).dtype)
    assert.equal("i64", (shmx.array("bool", 2) + 1).dtype)
    assert.equal("u8", (shmx.array("u8", 2) + true).dtype)
    refuses("bad operand of '+' (256 is not between 0 and 255)", function() return shmx.array("u8", 2) + 256 end)
    refuses("bad argument #1 to 'add' (-1 is not between 0 and 255)", function() return shmx.array("u8", 2):add(-1) end)
  end)

  it("broadcasts", function()
    local a, b = from("i32", { 1, 2, 3 }, { 4, 5, 6 }), from("i32", 10, 20, 30)
    assert.same({ { 11, 22, 33 }, { 14, 25, 36 } }, (a + b):totable())
    assert.same({ { 9, 18, 27 }, { 6, 15, 24 } }, (b - a):totable())
    local column = from("i32", { 100 }, { 200 })
    assert.same({ { 110, 120, 130 }, { 210, 220, 230 } }, (column + b):totable())
    assert.same({}, (shmx.array("i32", 0) + shmx.array("i32", 1)):totable())
    refuses("bad shapes to '+' ({2, 3} and {4} do not go together)", function() return a + shmx.array("i32", 4) end)
    refuses("bad shapes to 'add' ({2, 3} and {2} do not go together)", function() return a:add(shmx.array("i8", 2)) end)
  end)

  it("reads views in any direction", function()
    local a = shmx.range("i64", 1, 6)
    assert.same({ 7, 7, 7, 7, 7, 7 }, (a + a:view { 6, 1, -1 }):totable())
    assert.same({ 2, 6, 10 }, (a:view { 1, 6, 2 } * 2):totable())
    assert.same({ 2, 5 }, (a:reshape(2, 3):view(nil, 2) + shmx.array("u8", 2)):totable())
  end)

  it("writes into an array that exists", function()
    local a, c = from("i32", 1, 2, 3), shmx.array("i32", 3)
    assert.equal(c, a:add(10, { out = c }))
    assert.same({ 11, 12, 13 }, c:totable())
    assert.equal(a, a:mul(a, { out = a }))
    assert.same({ 1, 4, 9 }, a:totable())
    local wide = shmx.array("f64", 3)
    assert.same({ 2.0, 8.0, 18.0 }, a:add(a, { out = wide }):totable())
    local gaps = shmx.array("i64", 6)
    a:unm { out = gaps:view { 2, 6, 2 } }
    assert.same({ 0, -1, 0, -4, 0, -9 }, gaps:totable())
  end)

  it("may write over what it reads", function()
    local a = shmx.range("i64", 1, 2000)
    a:view { 2, 2000 }:add(a:view { 1, 1999 }, { out = a:view { 2, 2000 } })
    for i = 2, 2000 do assert.equal(2 * i - 1, a[i]) end
    local b = shmx.range("f32", 1, 1500)
    b:add(b:view { 1500, 1, -1 }, { out = b })
    for i = 1, 1500 do assert.equal(1501.0, b[i]) end
    local c = shmx.range("i16", 1, 9):reshape(3, 3)
    c:mul(c:view(1), { out = c })
    assert.same({ { 1, 4, 9 }, { 4, 10, 18 }, { 7, 16, 27 } }, c:totable())
  end)

  it("copies and converts into an array that exists", function()
    local a, c, d = from("f64", 1.5, -2.5), shmx.array("f64", 4), shmx.array("i8", 2)
    a:copy { out = c:view { 4, 3, -1 } }
    assert.same({ 0, 0, -2.5, 1.5 }, c:totable())
    assert.equal(d, a:astype("i8", { out = d }))
    assert.same({ 1, -2 }, d:totable())
    a:copy { out = a }
    c:view { 1, 3 }:copy { out = c:view { 2, 4 } }
    assert.same({ 0, 0, 0, -2.5 }, c:totable())
    refuses("bad out to 'copy' (i8 cannot hold the result, which is f64)", function() a:copy { out = d } end)
  end)

  it("refuses an out that does not suit", function()
    local a = shmx.array("i32", { 2, 3 })
    refuses("bad out to 'add' (it has the shape {3}, the result {2, 3})", function()
      return a:add(1, { out = shmx.array("i32", 3) })
    end)
    refuses("bad out to 'add' (i32 cannot hold the result, which is f64)", function()
      return a:add(1.5, { out = a })
    end)
    refuses("bad out to 'sub' (u64 cannot hold the result, which is i32)", function()
      return a:sub(1, { out = shmx.array("u64", { 2, 3 }) })
    end)
    refuses("bad option 'out' to 'add' (an array is expected, got 1)", function() return a:add(1, { out = 1 }) end)
    refuses("bad argument #2 to 'add' (a table of options is expected, got 5)", function()
      return a:add(1, 5)
    end)
    local closed = shmx.array("i32", { 2, 3 })
    closed:close()
    refuses("bad out to 'add' (the array is closed)", function() return a:add(1, { out = closed }) end)
    refuses("array is closed", function() return a + closed end)
  end)

  it("refuses what is no operand", function()
    local a = shmx.array("i32", 3)
    refuses("bad operand of '+' (an array or a number is expected, got \"x\")", function() return a + "x" end)
    refuses("bad argument #1 to 'add' (an array or a number is expected, got nil)", function() return a:add() end)
    refuses("bad argument #1 to 'where' (an array or a number is expected, got nil)", function() shmx.where() end)
    refuses("bad argument #2 to 'add' (an array or a number is expected, got table)", function()
      return shmx.add(a, {})
    end)
    refuses("bad operands of '&' (it is not defined for f64)", function() return a & 1.5 end)
    refuses("bad operands of '-' (it is not defined for bool)", function()
      return shmx.array("bool", 2) - shmx.array("bool", 2)
    end)
  end)

  it("is a function too, of numbers as well", function()
    assert.equal(3, shmx.add(1, 2))
    assert.equal(1.5, shmx.div(3, 2))
    assert.is_true(shmx.lt(1, 2.5))
    assert.equal("integer", math.type(shmx.mul(2, 3)))
    assert.equal(7, shmx.where(true, 7, 8))
    assert.same({ 3, 4 }, shmx.add(1, from("i8", 2, 3)):totable())
  end)
end)

describe("arithmetic of arrays", function()
  it("is that of Lua for 64-bit numbers", function()
    local values = { 0, 1, -1, 2, -2, 7, -7, 100, math.maxinteger, math.mininteger }
    local floats = { 0.0, 1.0, -1.0, 0.5, -2.5, 7.0, 1e300, -1e-300, inf, -inf, 0.1 }
    local operators = {
      add = function(x, y) return x + y end, sub = function(x, y) return x - y end,
      mul = function(x, y) return x * y end, div = function(x, y) return x / y end,
      idiv = function(x, y) return x // y end, mod = function(x, y) return x % y end,
      band = function(x, y) return x & y end, bor = function(x, y) return x | y end,
      bxor = function(x, y) return x ~ y end, shl = function(x, y) return x << y end,
      shr = function(x, y) return x >> y end,
    }
    local function check(name, x, y, dtype)
      local ok, expected = pcall(operators[name], x, y)
      local got = ok and operators[name](from(dtype, x), from(dtype, y))[1]
      if ok and expected ~= expected then
        assert.is_true(got ~= got, name)
      elseif ok then
        assert(expected == got, ("%s(%s, %s) is %s, not %s"):format(name, x, y, expected, got))
      end
    end
    for name in pairs(operators) do
      for _, x in ipairs(values) do
        for _, y in ipairs(values) do check(name, x, y, "i64") end
      end
      for _, x in ipairs(shmx.array("f64", 1)[name] and not name:find "^[bs]h?[alrox]" and floats or {}) do
        for _, y in ipairs(floats) do check(name, x, y, "f64") end
      end
    end
    for distance = -70, 70 do
      for _, x in ipairs(values) do
        check("shl", x, distance, "i64")
        check("shr", x, distance, "i64")
      end
    end
  end)

  it("wraps integers around in their width", function()
    assert.same({ -128, 127 }, (from("i8", 127, -128) + from("i8", 1, -1)):totable())
    assert.same({ 0, 255 }, (from("u8", 255, 0) + from("u8", 1, 255)):totable())
    assert.same({ 1 }, (from("u16", 65535) * from("u16", 65535)):totable())
    assert.same({ math.mininteger }, (from("i64", math.maxinteger) + 1):totable())
    assert.same({ -128 }, (-from("i8", -128)):totable())
    assert.same({ -128 }, (from("i8", -128) // -1):totable())
    assert.same({ -128 }, from("i8", -128):abs():totable())
    assert.same({ 255, 254 }, (-from("u8", 1, 2)):totable())
  end)

  it("divides u64 without a sign", function()
    assert.same({ math.maxinteger, 1 }, (from("u64", -1, -1) // from("u64", 2, -1)):totable())
    assert.same({ true }, from("u64", -1):gt(from("u64", 1)):totable())
  end)

  it("refuses to divide integers by 0, and writes nothing", function()
    local a = shmx.range("i32", 1, 2000)
    local b = shmx.full("i32", 2000, 1)
    b[1999] = 0
    refuses("bad divisor of '//' (integers cannot be divided by 0)", function() return a // b end)
    refuses("bad divisor of '%' (integers cannot be divided by 0)", function() return a % 0 end)
    refuses("bad divisor of 'idiv'", function() return a:idiv(b, { out = a }) end)
    for i = 1, 2000 do assert.equal(i, a[i]) end
    assert.same({ inf, -inf }, (from("i32", 1, -1) / 0):totable())
    assert.same({ inf }, (from("f64", 1.0) // 0):totable())
  end)

  it("rounds quotients down in every dtype", function()
    for _, dtype in ipairs { "i8", "i16", "i32", "i64", "f32", "f64" } do
      local a, b = from(dtype, 7, -7, 7, -7, 6, -6), from(dtype, 2, 2, -2, -2, 3, 3)
      assert.same(from(dtype, 3, -4, -4, 3, 2, -2):totable(), (a // b):totable())
      assert.same(from(dtype, 1, 1, -1, -1, 0, 0):totable(), (a % b):totable())
    end
    for _, dtype in ipairs { "u8", "u16", "u32", "u64" } do
      assert.same({ 36, 127 }, (from(dtype, 255, 127) // from(dtype, 7, 1)):totable())
      assert.same({ 3, 0 }, (from(dtype, 255, 127) % from(dtype, 7, 1)):totable())
    end
  end)

  it("adds and multiplies bools as or and and", function()
    local a, b = from("bool", true, true, false, false), from("bool", true, false, true, false)
    assert.same({ true, true, true, false }, (a + b):totable())
    assert.same({ true, false, false, false }, (a * b):totable())
  end)
end)

describe("logic and bits", function()
  it("take everything but 0 for true", function()
    local a, b = from("i32", 0, 5, 0, -1), from("f64", 0, 0, 0.5, nan)
    assert.same({ false, false, false, true }, a:logical_and(b):totable())
    assert.same({ false, true, true, true }, a:logical_or(b):totable())
    assert.same({ false, true, true, false }, a:logical_xor(b):totable())
    assert.same({ true, false, true, false }, a:logical_not():totable())
  end)

  it("have Lua's operators", function()
    local a = from("u8", 12, 255)
    assert.same({ 8, 8 }, (a & 8):totable())
    assert.same({ 13, 255 }, (a | 1):totable())
    assert.same({ 3, 240 }, (a ~ 15):totable())
    assert.same({ 243, 0 }, (~a):totable())
    assert.same({ 24, 254 }, (a << 1):totable())
    assert.same({ 3, 63 }, (a >> 2):totable())
    assert.same({ true, false }, (from("bool", true, true) & from("bool", true, false)):totable())
    assert.same({ false }, (~from("bool", true)):totable())
  end)

  it("shift zeros in, within the width", function()
    assert.same({ 127, 1 }, (from("i8", -1, -1) >> from("i8", 1, 7)):totable())
    assert.same({ 0, 0 }, (from("i8", -1, -1) >> from("i8", 8, 100)):totable())
    assert.same({ -2 }, (from("i8", -1) >> -1):totable())
    assert.same({ 0 }, (from("u32", 1) << 32):totable())
  end)
end)

describe("functions of one operand", function()
  it("round", function()
    local a = from("f64", -1.5, -0.5, 0.5, 1.5, 2.5, 1e300, -inf)
    assert.same({ -2, -1, 0, 1, 2, 1e300, -inf }, a:floor():totable())
    assert.same({ -1, 0, 1, 2, 3, 1e300, -inf }, a:ceil():totable())
    assert.same({ -1, 0, 0, 1, 2, 1e300, -inf }, a:trunc():totable())
    assert.same({ -2, 0, 0, 2, 2, 1e300, -inf }, a:round():totable())
    assert.equal("i16", from("i16", 3):floor().dtype)
  end)

  it("tell signs and kinds", function()
    assert.same({ -1, 0, 1 }, from("i32", -5, 0, 9):sign():totable())
    assert.same({ 5, 0, 9 }, from("i32", -5, 0, 9):abs():totable())
    assert.same({ 1, 0 }, from("u16", 65535, 0):sign():totable())
    local a = from("f32", -2.5, nan, inf, -inf, 0)
    assert.same({ false, true, false, false, false }, a:isnan():totable())
    assert.same({ false, false, true, true, false }, a:isinf():totable())
    assert.same({ true, false, false, false, true }, a:isfinite():totable())
    assert.same({ true, true }, from("i8", 1, 2):isfinite():totable())
  end)

  it("take roots, of integers as f64", function()
    assert.same({ 2.0, 3.0 }, from("i32", 4, 9):sqrt():totable())
    assert.equal("f32", from("f32", 4):sqrt().dtype)
    assert.is_true(from("f64", -1):sqrt():isnan()[1])
    assert.same({ 9, 16 }, from("i32", -3, 4):square():totable())
  end)
end)

describe("mathematical functions", function()
  local unary = { "exp", "log", "log2", "log10", "log1p", "expm1", "exp2", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "atanh", "cbrt" }

  it("are those of the C library, nearly", function()
    local a = shmx.range("f64", 0.05, 0.95, 0.05)
    for name, f in pairs { exp = math.exp, log = math.log, sin = math.sin, cos = math.cos, tan = math.tan,
      asin = math.asin, acos = math.acos, atan = math.atan } do
      local got = a[name](a)
      for i, x in ipairs(a) do assert.near(f(x), got[i], 4e-16 * math.max(1, math.abs(f(x)))) end
    end
    assert.same({ 3, 2 }, { shmx.log2(8), shmx.log10(100) })
    assert.near(5, shmx.hypot(3, 4), 1e-15)
    assert.near(math.atan(1, -2), shmx.atan2(1, -2), 1e-15)
    assert.near(2, shmx.acosh(shmx.cosh(2)), 1e-15)
  end)

  it("give floats, of f32 f32", function()
    for _, name in ipairs(unary) do
      assert.equal("f64", shmx[name](from("i16", 1, 0)).dtype)
      assert.equal("f32", shmx[name](from("f32", 0.5)).dtype)
      assert.equal("float", math.type(shmx[name](1)))
    end
    assert.equal("f64", (from("i64", 2) ^ 3).dtype)
    assert.equal("f32", (from("f32", 2) ^ 3).dtype)
    assert.same({ 8.0 }, (from("i64", 2) ^ 3):totable())
    assert.same({ 4.0, 8.0 }, (2 ^ from("i8", 2, 3)):totable())
  end)

  it("give the same for an element wherever it stands", function()
    local a = shmx.range("f64", -30, 30, 0.37)
    for _, name in ipairs(unary) do
      local together = shmx[name](a)
      for i, x in ipairs(a) do
        local y = shmx[name](x)
        assert(y == together[i] or y ~= y and together[i] ~= together[i], name)
      end
    end
  end)
end)

describe("choosing", function()
  it("takes the smaller and the larger, and NaN", function()
    local a, b = from("f64", 1, nan, 3), from("f64", 2, 2, nan)
    assert.equal(1, a:minimum(b)[1])
    assert.equal(2, a:maximum(b)[1])
    assert.same({ false, true, true }, a:minimum(b):isnan():totable())
    assert.same({ false, true, true }, a:maximum(b):isnan():totable())
  end)

  it("clips", function()
    assert.same({ 2, 2, 3, 4, 4 }, shmx.range("i8", 1, 5):clip(2, 4):totable())
    assert.same({ 1.5, 2, 2.5 }, shmx.range("i8", 1, 3):clip(1.5, 2.5):totable())
    local a = shmx.range("f32", 1, 5)
    a:clip(from("f32", 2, 2, 2, 2, 2), 3, { out = a })
    assert.same({ 2, 2, 3, 3, 3 }, a:totable())
  end)

  it("multiplies and adds at once, as the two operations do", function()
    local a, b = shmx.linspace("f64", 0.1, 1, 5), shmx.linspace("f64", 3, 4, 5)
    assert.is_true(a:muladd(b, b):equal(a * b + b))
    assert.is_true(a:muladd(2, -1):equal(a * 2 - 1))
    assert.same({ 127 * 2 % 256 + 3 - 256 }, from("i8", 127):muladd(from("i8", 2), 3):totable())
    assert.same({ { 3, 6 }, { 5, 8 } }, from("i64", { 1, 2 }, { 1, 2 }):muladd(3, from("i64", { 0 }, { 2 })):totable())
    assert.equal(7, shmx.muladd(2, 3, 1))
    local into = shmx.empty("f64", 5)
    assert.equal(into, a:muladd(b, a, { out = into }))
    assert.is_true(into:equal(a * b + a))
    refuses("bad argument #2 to 'muladd' (an array or a number is expected, got nil)", function() a:muladd(b) end)
  end)

  it("chooses by a condition", function()
    local a = from("i32", 1, 2, 3, 4)
    assert.same({ 0, 0, 3, 4 }, shmx.where(a:gt(2), a, 0):totable())
    assert.same({ 1.5, 2 }, shmx.where(from("bool", true, false), 1.5, from("i8", 2, 2)):totable())
    assert.same({ { 1, 2 }, { 1, 0 } }, shmx.where(from("bool", { true, true }, { true, false }), from("i8", 1, 2), 0)
      :totable())
  end)
end)
