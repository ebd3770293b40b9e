-- SPDX-License-Identifier: MIT
-- Reductions: of whole arrays, along an axis, into arrays that exist; and what wrong use gets. Values: tests/numpy.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

local nan = 0 / 0

local function square() return shmx.from { { 3, 1, 2 }, { 6, 5, 4 } } end

describe("a reduction", function()
  it("of a whole array gives a number", function()
    local a = square()
    assert.same({ 21, 720, 1, 6, 3.5 }, { a:sum(), a:prod(), a:min(), a:max(), a:mean() })
    assert.same({ 2, 4, true, true }, { a:argmin(), a:argmax(), a:any(), a:all() })
    assert.equal(35 / 12, a:var())
    assert.equal(3.5, a:var { ddof = 1 })
    assert.equal(2.0, shmx.from { 1, 5 }:std())
    assert.equal("integer", math.type(a:sum()))
    assert.equal("float", math.type(shmx.from({ 1, 2 }, "f32"):sum()))
  end)

  it("along an axis gives an array with one dimension less", function()
    local a = square()
    assert.same({ 9, 6, 6 }, a:sum(1):totable())
    assert.same({ 6, 15 }, a:sum(-1):totable())
    assert.same({ 2, 3 }, a:argmin(2):totable())
    assert.same({ 2.0, 5.0 }, a:mean { axis = 2 }:totable())
    assert.same({ true, false }, shmx.from { { 0, 0 }, { 1, 0 } }:any(1):totable())
    assert.equal(6, shmx.range("i8", 1, 3):sum(1))
  end)

  it("keeps the dimension when asked", function()
    local a = square()
    assert.same({ { 6 }, { 15 } }, a:sum(2, { keepdims = true }):totable())
    assert.same({ { 21 } }, a:sum { keepdims = true }:totable())
    assert.same({ 1 }, shmx.range("i8", 1, 3):min { keepdims = true }:totable())
  end)

  it("writes into an array that exists, also one of a wider dtype or in its own memory", function()
    local a, out = square(), shmx.array("i64", 3)
    assert.equal(out, a:max(1, { out = out }))
    assert.same({ 6, 5, 4 }, out:totable())
    local wide = shmx.array("f64", 2)
    a:sum { axis = 2, out = wide }
    assert.same({ 6.0, 15.0 }, wide:totable())
    a:sum(1, { out = a[1] })
    assert.same({ 9, 6, 6 }, a[1]:totable())
    local one = shmx.array("i64", 1)
    assert.equal(one, out:sum { out = one })
    assert.equal(15, one[1])
  end)

  it("has the dtype that NumPy gives it", function()
    local expected = {
      i8 = "i64 i64 i8 bool f64 i64", u32 = "u64 u64 u32 bool f64 i64", bool = "i64 i64 bool bool f64 i64",
      f32 = "f32 f32 f32 bool f32 i64", f64 = "f64 f64 f64 bool f64 i64",
    }
    for dtype, results in pairs(expected) do
      local a, found = shmx.array(dtype, { 2, 2 }), {}
      for name in ("sum prod min all mean argmax"):gmatch "%a+" do found[#found + 1] = a[name](a, 1).dtype end
      assert.equal(results, table.concat(found, " "))
    end
  end)

  it("of integers wraps at 64 bits, and counts true", function()
    assert.equal(math.mininteger, shmx.from { math.maxinteger, 1 }:sum())
    assert.equal(0, shmx.full("i64", 64, 2):prod())
    assert.equal(2, shmx.from { true, false, true }:sum())
  end)

  it("of floats is accurate", function()
    assert.is_true(math.abs(shmx.full("f64", 1000000, 0.1):sum() - 100000) < 1e-9)
    assert.is_true(math.abs(shmx.full("f64", { 100000, 3 }, 0.1):sum(1)[2] - 10000) < 1e-10)
  end)

  it("gives NaN where there is one, and its position", function()
    local a = shmx.from { { 1.0, nan, -1.0 }, { 1.0, 2.0, nan } }
    for _, name in ipairs { "sum", "prod", "min", "max", "mean", "var", "std" } do
      local x = a[name](a)
      assert.is_true(x ~= x, name)
    end
    assert.same({ 2, 2 }, { a:argmin(), a:argmax() })
    assert.same({ 2, 3 }, a:argmax(2):totable())
    assert.is_true(a:any())
  end)

  it("of nothing is what it begins with, or an error", function()
    local none, flat = shmx.array("f64", 0), shmx.array("i8", { 2, 0 })
    assert.same({ 0.0, 1.0, false, true }, { none:sum(), none:prod(), none:any(), none:all() })
    assert.is_true(none:mean() ~= none:mean())
    assert.same({ 0, 0 }, flat:sum(2):totable())
    assert.same({}, flat:max(1):totable())
    for _, name in ipairs { "min", "max", "argmin", "argmax" } do
      refuses("an empty array has no " .. name, none[name], none)
      refuses(("there is no %s along axis 2, which has no elements"):format(name), flat[name], flat, 2)
    end
  end)

  it("refuses a result that is more than there can be", function()
    local none = shmx.array("i8", { 2, 0, 1 << 60 })
    refuses("bad shapes to 'sum' ({2, 1152921504606846976} of i64 is more than there can be)", none.sum, none, 2)
  end)

  it("refuses axes, options and outputs that do not fit", function()
    local a = square()
    refuses("bad argument #2 to 'sum' (axis 3 is out of range for an array of 2 dimensions)", a.sum, a, 3)
    refuses("bad argument #2 to 'mean' (axis 0 is out of range", a.mean, a, 0)
    refuses("bad argument #2 to 'max' (an axis must be an integer, not \"1\")", a.max, a, "1")
    refuses("bad option 'ddof' to 'sum' (known are: axis, keepdims, out)", a.sum, a, { ddof = 1 })
    refuses("bad option 'ddof' to 'sum' (known are: axis, keepdims, out)", a.sum, a, 1, { ddof = 1 })
    refuses("bad option '[1]' to 'sum' (known are: axis, keepdims, out)", a.sum, a, { 1 })
    refuses("bad option 'ddof' to 'var' (a number is expected, got \"1\")", a.var, a, { ddof = "1" })
    refuses("bad option 'keepdims' to 'sum' (a boolean is expected, got 1)", a.sum, a, 1, { keepdims = 1 })
    refuses("bad argument #3 to 'sum' (a table of options is expected, got 5)", a.sum, a, 1, 5)
    refuses("bad argument #4 to 'sum' (nothing is expected here, got 5)", a.sum, a, 1, {}, 5)
    refuses("bad option 'out' to 'sum' (an array is expected, got 5)", a.sum, a, 1, { out = 5 })
    refuses("bad out to 'sum' (it has the shape {2}, the result {3})", a.sum, a, 1, { out = shmx.array("i64", 2) })
    refuses("bad out to 'mean' (i64 cannot hold the result, which is f64)", a.mean, a, 1,
      { out = shmx.array("i64", 3) })
    local closed = shmx.array("i64", 3)
    closed:close()
    refuses("bad out to 'sum' (the array is closed)", a.sum, a, 1, { out = closed })
    refuses("shmx.array expected", a.sum, 5)
    local axis_twice = "bad option 'axis' to '%s' (it is given twice: 1 as an argument, 2 as an option)"
    for _, name in ipairs { "sum", "prod", "min", "max", "any", "all", "mean", "var", "std", "argmin", "argmax",
      "minmax", "sort", "argsort", "cumsum", "cumprod", "diff" } do
      refuses(axis_twice:format(name), a[name], a, 1, { axis = 2 })
      assert.is_true((a[name](a, nil, { axis = 2 })):equal((a[name](a, 2))))
    end
    refuses(axis_twice:format "take", a.take, a, shmx.from { 1 }, 1, { axis = 2 })
    assert.same({ { 3, 1, 2 }, { 6, 5, 4 } }, a:totable())
  end)
end)

describe("minmax", function()
  it("gives the smallest and the largest: two numbers, or two arrays along an axis", function()
    local a = square()
    assert.same({ 1, 6 }, { a:minmax() })
    assert.same({ 1, 3 }, { shmx.range("u8", 1, 3):minmax(1) })
    assert.same({ false, true }, { shmx.from({ true, false, true }):minmax() })
    local low, high = a:minmax(1)
    assert.same({ { 3, 1, 2 }, { 6, 5, 4 }, "i64" }, { low:totable(), high:totable(), low.dtype })
    low, high = a:transpose():minmax { axis = -2 }
    assert.same({ { 1, 4 }, { 3, 6 } }, { low:totable(), high:totable() })
    low, high = a:minmax(2, { keepdims = true })
    assert.same({ { { 1 }, { 4 } }, { { 3 }, { 6 } } }, { low:totable(), high:totable() })
    low, high = a:minmax { keepdims = true }
    assert.same({ { { 1 } }, { { 6 } } }, { low:totable(), high:totable() })
  end)

  it("gives NaN twice where there is one", function()
    local a = shmx.full("f32", { 3, 100 }, 1)
    a:set(2, 77, nan)
    local low, high = a:minmax()
    assert.is_true(low ~= low and high ~= high)
    low, high = a:minmax(2)
    assert.same({ { false, true, false }, { false, true, false } }, { low:isnan():totable(), high:isnan():totable() })
  end)

  it("of nothing is an error, unless nothing is asked for", function()
    local none, flat = shmx.array("f64", 0), shmx.array("i8", { 2, 0 })
    refuses("an empty array has no minmax", none.minmax, none)
    refuses("an empty array has no minmax", flat.minmax, flat, { keepdims = true })
    refuses("there is no minmax along axis 2, which has no elements", flat.minmax, flat, 2)
    local low, high = flat:minmax(1)
    assert.same({ {}, {} }, { low:totable(), high:totable() })
  end)

  it("refuses axes and options that do not fit, and arrays to write into", function()
    local a = square()
    refuses("bad argument #2 to 'minmax' (axis 3 is out of range for an array of 2 dimensions)", a.minmax, a, 3)
    refuses("bad option 'out' to 'minmax' (known are: axis, keepdims)", a.minmax, a,
      { out = a })
    refuses("bad option 'keepdims' to 'minmax' (a boolean is expected, got 1)", a.minmax, a, { keepdims = 1 })
    refuses("bad argument #4 to 'minmax' (nothing is expected here, got 5)", a.minmax, a, 1, {}, 5)
    refuses("shmx.array expected", a.minmax, 5)
    a:close()
    refuses("closed", a.minmax, a)
  end)
end)
