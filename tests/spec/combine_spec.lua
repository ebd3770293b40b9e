-- SPDX-License-Identifier: MIT
--
-- Products, putting arrays together and taking them apart, random elements: the examples of the manual, and what wrong
-- use gets. tests/numpy compares values.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

describe("dot and matmul", function()
  it("multiply vectors, matrices and stacks of them", function()
    local a, b = shmx.from { { 1, 2 }, { 3, 4 } }, shmx.from { { 0, 1 }, { 1, 0 } }
    assert.equal(11, shmx.from({ 1, 2 }):dot(shmx.from { 3, 4 }))
    assert.equal(5.0, shmx.from({ 1, 2 }):dot(shmx.from { 1.0, 2.0 }))
    assert.same({ { 2, 1 }, { 4, 3 } }, a:matmul(b):totable())
    assert.same({ 5, 11 }, a:matmul(shmx.from { 1, 2 }):totable())
    assert.same({ 7, 10 }, shmx.from({ 1, 2 }):dot(a):totable())
    assert.same({ 3, 2, 2 }, shmx.array("f32", { 3, 1, 2, 4 }):matmul(shmx.array("f32", { 4, 2 })):view(nil, 1).shape)
    assert.equal("f64", a:matmul(shmx.array("f64", { 2, 2 })).dtype)
    assert.same({ { 0, 0 } }, shmx.array("u8", { 1, 0 }):matmul(shmx.array("u8", { 0, 2 })):totable())
  end)

  it("wrap integers in their dtype, and sum vectors in 64 bits", function()
    local a = shmx.full("u8", { 1, 2 }, 200)
    assert.same({ { 200 * 200 * 2 % 256 } }, a:matmul(a:transpose()):totable())
    assert.equal(80000, a[1]:dot(a[1]))
  end)

  it("give an array of another dtype what they give without it", function()
    local a, out = shmx.full("i16", { 1, 3 }, 30000), shmx.array("i64", { 1, 1 })
    assert.equal(a:matmul(a:transpose()):get(1, 1), a:matmul(a:transpose(), { out = out }):get(1, 1))
    local mask = shmx.from { { true, true } }
    assert.same({ { 1 } }, mask:matmul(mask:transpose(), { out = out }):totable())
    local v, number = shmx.from { 1, 2 }, shmx.array("f64", 1)
    assert.equal(number, v:dot(v, { out = number }))
    assert.equal(5.0, number[1])
    assert.same({ 5 }, v:matmul(v, { out = v:view { 1, 1 } }):totable())
    refuses("bad out to 'dot' (it has the shape {2}, the result {1})", v.dot, v, v, { out = v })
    refuses("bad out to 'dot' (i8 cannot hold the result, which is f64)", v.dot, v, shmx.from { 0.5, 1 }, {
      out = shmx.array("i8", 1),
    })
  end)

  it("write into an array, also one of the factors", function()
    local a = shmx.from { { 1.0, 1.0 }, { 1.0, 0.0 } }
    local out = shmx.array("f64", { 2, 2 })
    assert.equal(out, a:matmul(a, { out = out:transpose() }) and out)
    assert.same({ { 2.0, 1.0 }, { 1.0, 1.0 } }, out:totable())
    assert.equal(a, a:matmul(a, { out = a }))
    assert.same({ { 2.0, 1.0 }, { 1.0, 1.0 } }, a:totable())
  end)

  it("refuse shapes that do not go together", function()
    local a = shmx.array("f64", { 2, 3 })
    refuses("bad shapes to 'matmul' ({2, 3} and {2, 3} do not go together)", a.matmul, a, a)
    refuses("bad shapes to 'dot' ({2} and {3} do not go together)", function()
      shmx.array("i8", 2):dot(shmx.array("i8", 3))
    end)
    refuses("bad shapes to 'matmul' ({2, 1, 1} and {3, 1, 1} do not go together)", function()
      shmx.array("i8", { 2, 1, 1 }):matmul(shmx.array("i8", { 3, 1, 1 }))
    end)
    refuses("bad argument #2 to 'matmul' (an array is expected, got 5)", a.matmul, a, 5)
    refuses("bad out to 'matmul' (it has the shape {2, 3}, the result {2, 2})", a.matmul, a, a:transpose(), { out = a })
    refuses("dot takes vectors and matrices", function() shmx.array("i8", { 1, 1, 1 }):dot(a) end)
  end)
end)

describe("concat and stack", function()
  it("join along an axis that is there, or a new one", function()
    local a, b = shmx.from { { 1, 2 } }, shmx.from { { 3, 4 }, { 5, 6 } }
    assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, shmx.concat({ a, b }):totable())
    assert.same({ { 1, 2, 1, 2 } }, shmx.concat({ a, a }, -1):totable())
    assert.same({ { { 1, 2 } }, { { 1, 2 } } }, shmx.stack({ a, a }):totable())
    assert.same({ { { 1, 1 }, { 2, 2 } } }, shmx.stack({ a, a }, { axis = -1 }):totable())
    assert.equal("f64", shmx.concat({ a, shmx.array("f64", { 1, 2 }) }).dtype)
    local small = { shmx.array("u16", 1), shmx.array("i8", 1), shmx.array("f32", 1) }
    assert.equal("f32", shmx.concat(small).dtype) -- it holds what either integer holds
    local out = shmx.array("f64", { 2, 2 })
    assert.equal(out, shmx.concat({ a, a }, { out = out }))
    shmx.concat({ b[2]:reshape(1, 2), b[1]:reshape(1, 2) }, { out = b })
    assert.same({ { 5, 6 }, { 3, 4 } }, b:totable())
  end)

  it("refuse what does not fit together", function()
    local a = shmx.array("i8", { 2, 2 })
    refuses("bad argument #1 to 'concat' (element 2 has the shape {2, 3}, the first one {2, 2})", shmx.concat,
      { a, shmx.array("i8", { 2, 3 }) })
    refuses("element 2 has the shape {2}, the first one {2, 2}", shmx.concat, { a, a[1] })
    refuses("element 3 has the shape {2, 3}, the first one {2, 2}", shmx.concat, { a, a, shmx.array("i8", { 2, 3 }) })
    refuses("bad argument #1 to 'stack' (element 2 has the shape {2}, the first one {2, 2})", shmx.stack, { a, a[1] })
    refuses("bad argument #1 to 'stack' (element 2 is no array but 5)", shmx.stack, { a, 5 })
    refuses("bad argument #1 to 'concat' (a list of arrays is expected, got one of 0)", shmx.concat, {})
    refuses("bad argument #1 to 'concat' (a list of arrays is expected, got 5)", shmx.concat, 5)
    refuses("bad argument #1 to 'concat' (a list of arrays is expected, got an array)", shmx.concat, a, a)
    refuses("bad argument #2 to 'concat' (axis 3 is out of range for an array of 2 dimensions)", shmx.concat, { a }, 3)
    refuses("which is the most there can be", shmx.stack, { shmx.array("i8", { 1, 1, 1, 1, 1, 1, 1, 1 }) })
    refuses("bad option 'axis' to 'concat' (it is given twice: 1 as an argument, 2 as an option)", shmx.concat,
      { a, a }, 1, { axis = 2 })
    refuses("bad option 'axis' to 'stack' (it is given twice: 1 as an argument, 2 as an option)", shmx.stack,
      { a, a }, 1, { axis = 2 })
    refuses("bad option 'axis' to 'concat' (it stands among the elements of a list, and belongs behind the list)",
      shmx.concat, { a, a, axis = 2 })
    refuses("bad option 'out' to 'stack' (it stands among the elements of a list", shmx.stack, { a, a, out = a })
    local closed = a:copy()
    closed:close()
    refuses("element 2: the array is closed", shmx.concat, { a, closed })
  end)
end)

describe("split and tile", function()
  it("take apart without a copy, and repeat", function()
    local a, parts = shmx.range("i64", 1, 7), {}
    for i, part in ipairs(a:split(3)) do parts[i] = part:totable() end
    assert.same({ { 1, 2, 3 }, { 4, 5 }, { 6, 7 } }, parts)
    a:split({ 3, 6 })[2]:fill(0)
    assert.same({ 1, 2, 0, 0, 0, 6, 7 }, a:totable())
    assert.same({ 2, 1 }, shmx.array("i8", { 2, 3 }):split(3, 2)[3].shape)
    assert.same({ 1, 2, 1, 2 }, shmx.from({ 1, 2 }):tile(2):totable())
    assert.same({ { 1, 2, 1, 2 }, { 1, 2, 1, 2 } }, shmx.from({ 1, 2 }):tile(2, 2):totable())
    assert.same({ 0, 2 }, shmx.from({ 1, 2 }):tile { 0, 1 }.shape)
  end)

  it("refuse what is no number of parts, position or repetition", function()
    local a = shmx.range("i64", 1, 7)
    refuses("bad argument #2 to 'split' (a number of parts or a list of positions is expected, got 0)", a.split, a, 0)
    refuses("bad argument #2 to 'split' (position 2 must be an integer from 4 to 8, not 3)", a.split, a, { 4, 3 })
    refuses("position 1 must be an integer from 1 to 8, not 9", a.split, a, { 9 })
    refuses("bad argument #3 to 'split' (axis 2 is out of range", a.split, a, 2, 2)
    refuses("bad option 'axis' to 'split' (it stands among the elements of a list", a.split, a, { 2, axis = 1 })
    refuses("bad argument #2 to 'tile' (a number of repetitions is expected, got -1)", a.tile, a, -1)
    refuses("bad argument #2 to 'tile' (1 to 8 integers are expected, got 0)", a.tile, a)
    refuses("that many elements are more than there can be", a.tile, a, math.maxinteger)
  end)
end)

describe("random elements", function()
  it("are the same for a seed, on every machine, and do not depend on where they are written", function()
    local a = shmx.array("u64", 4):integers(0, -1, { seed = 0 })
    assert.equal("e169c58d6627e8d5 9b00dbd8bc57ac4c", ("%016x %016x"):format(a[1], a[2])) -- published for Philox
    local whole, parts = shmx.array("f64", 1001), shmx.array("f64", { 7, 143 })
    whole:normal { seed = 7 }
    for i, row in ipairs(parts) do row:normal(0, 1, { seed = 7, first = (i - 1) * 143 + 1 }) end
    assert.equal(whole:tobytes(), parts:tobytes())
    local odd = whole:view { 1, 1001, 2 }
    assert.equal(shmx.array("f64", 501):uniform({ seed = 1 }):tobytes(), odd:uniform({ seed = 1 }):tobytes())
  end)

  it("come from math.random's seed otherwise", function()
    local function draw()
      math.randomseed(5)
      return shmx.array("f32", 9):uniform():tobytes(), shmx.array("f32", 9):uniform():tobytes()
    end
    local a, b = draw()
    assert.not_equal(a, b)
    assert.same({ a, b }, { draw() })
  end)

  it("have the distribution that was asked for", function()
    local u = shmx.array("f64", 100000):uniform(-2, 4, { seed = 3 })
    assert.is_true(u:min() >= -2 and u:max() < 4)
    assert.is_true(math.abs(u:mean() - 1) < 0.03 and math.abs(u:var() - 3) < 0.05)
    local g = shmx.array("f64", 100000):normal(10, 2, { seed = 3 })
    assert.is_true(math.abs(g:mean() - 10) < 0.03 and math.abs(g:std() - 2) < 0.03)
    assert.is_true(math.abs(g:lt(12):sum() / 100000 - 0.8413) < 0.005)
    local n = shmx.array("i8", 60000):integers(-1, 4, { seed = 3 })
    for v = -1, 4 do assert.is_true(math.abs(n:eq(v):sum() - 10000) < 400) end
    assert.same({ 5, 5 }, shmx.array("u8", 2):integers(5, 5):totable())
  end)

  it("stay below the upper end, also where that is what a dtype makes of them", function()
    local near = { seed = 3, first = 9505347 }
    local f64, f32 = shmx.array("f64", 1):uniform(0, 1, near), shmx.array("f32", 1):uniform(0, 1, near)
    assert.is_true(f64[1] > 1 - 2.0 ^ -25 and f64[1] < 1)
    assert.equal(1 - 2.0 ^ -24, f32[1])
    assert.is_true(shmx.array("f64", 100):uniform(1, 1 + 2.0 ^ -52, { seed = 3 }):eq(1):all())
    local high = shmx.array("f32", 1000):uniform(0.7 - 2.0 ^ -22, 0.7, { seed = 3 })
    assert.is_true(high:lt(0.7):all() and high:ge(0.7 - 2.0 ^ -22):all())
    assert.same({ 0.5, 0.5 }, shmx.array("f32", 2):uniform(0.5, 0.5):totable())
    assert.same({ 1, 1 }, shmx.array("f32", 2):uniform(1, 1 + 1e-9):totable())
  end)

  it("refuse limits that make no sense, and write nothing", function()
    local a = shmx.array("u8", 2)
    local single = shmx.array("f32", 2)
    refuses("bad argument #3 to 'integers' (f32 does not hold 16777217 exactly)", single.integers, single, 0, 16777217)
    refuses("bad argument #2 to 'integers' (f32 does not hold 9223372036854775807 exactly)", single.integers, single,
      math.maxinteger, math.maxinteger)
    assert.same({ 16777218, 16777218 }, single:integers(16777218, 16777218):totable())
    refuses("bad argument #3 to 'integers' (256 is not between 0 and 255)", a.integers, a, 0, 256)
    refuses("bad argument #3 to 'integers' (1 is less than 2)", a.integers, a, 2, 1)
    refuses("bad argument #2 to 'integers' (an integer is expected, got nil)", a.integers, a)
    refuses("bad array for 'uniform' (f32 or f64 is expected, not u8)", a.uniform, a)
    local b = shmx.array("bool", 1)
    refuses("bad array for 'integers' (numbers are expected, not bool)", b.integers, b, 0, 1)
    local f = shmx.array("f64", 2)
    refuses("bad argument #3 to 'uniform' (1.0 is not a finite distance above 2.0)", f.uniform, f, 2, 1)
    refuses("bad argument #2 to 'uniform' (a finite number is expected, got nan)", f.uniform, f, 0 / 0)
    refuses("bad argument #3 to 'normal' (a deviation cannot be negative, got -1.0)", f.normal, f, 0, -1)
    refuses("bad option 'first' to 'normal' (it must be 1 or more, got 0)", f.normal, f, { first = 0 })
    refuses("bad option 'seed' to 'normal' (an integer is expected, got 1.5)", f.normal, f, { seed = 1.5 })
    assert.same({ 0.0, 0.0 }, f:totable())
  end)
end)
