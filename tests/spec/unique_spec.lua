-- SPDX-License-Identifier: MIT
--
-- unique and searchsorted: what they give, and what wrong use gets. tests/numpy compares values.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

describe("unique", function()
  it("gives the distinct elements in order, and what else is asked for", function()
    local a = shmx.from { { 3, 1, 3 }, { 2, 3, 1 } }
    assert.same({ 1, 2, 3 }, a:unique():totable())
    local values, counts = a:unique { counts = true }
    assert.same({ { 1, 2, 3 }, { 2, 1, 3 } }, { values:totable(), counts:totable() })
    local _, index, inverse, numbers = a:unique { counts = true, index = true, inverse = true }
    assert.same({ 2, 4, 1 }, index:totable())
    assert.same({ 2, 1, 3 }, numbers:totable())
    assert.same({ { 3, 1, 3 }, { 2, 3, 1 } }, inverse:totable())
    assert.is_true(values:take(inverse):equal(a))
    assert.is_true(a:take(index):equal(values))
  end)

  it("leaves the array as it is, and takes views", function()
    local a = shmx.from { 5, 4, 5, 4, 1 }
    assert.same({ 1, 5 }, a:view { 5, 1, -2 }:unique():totable())
    assert.same({ 5, 4, 5, 4, 1 }, a:totable())
  end)

  it("knows that NaN equals NaN, and 0 equals -0", function()
    local values, counts = shmx.from({ 0 / 0, 1.0, -0.0, 0 / 0, 0.0 }):unique { counts = true }
    assert.same({ 2, 1, 2 }, counts:totable())
    assert.same({ 0, 1 }, { values[1], values[2] })
    assert.is_true(values[3] ~= values[3])
  end)

  it("takes arrays of every dtype, and empty ones", function()
    for _, dtype in ipairs { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64" } do
      assert.same({ 1, 2, 7 }, shmx.from({ 7, 1, 2, 2, 7 }, dtype):unique():totable())
      assert.equal(dtype, shmx.array(dtype, 3):unique().dtype)
    end
    assert.same({ false, true }, shmx.from({ true, false, true }):unique():totable())
    local values, inverse, counts = shmx.array("f64", { 3, 0 }):unique { inverse = true, counts = true }
    assert.same({ { 0 }, { 3, 0 }, { 0 } }, { values.shape, inverse.shape, counts.shape })
  end)

  it("knows two bools, whatever bytes they are", function()
    local a = shmx.frombytes("\2\0\255\1\0\4", "bool")
    local values, index, inverse, counts = a:unique { counts = true, index = true, inverse = true }
    assert.same({ { false, true }, { 2, 1 } }, { values:totable(), index:totable() })
    assert.same({ { 2, 1, 2, 2, 1, 2 }, { 2, 4 } }, { inverse:totable(), counts:totable() })
  end)

  it("refuses what it does not know", function()
    local a = shmx.from { 1 }
    refuses("bad option 'count' to 'unique' (known are: counts, index, inverse)", a.unique, a, { count = true })
    refuses("bad option 'counts' to 'unique' (a boolean is expected, got 1)", a.unique, a, { counts = 1 })
    refuses("nothing is expected here", a.unique, a, {}, 1)
    a:close()
    refuses("closed", a.unique, a)
  end)
end)

describe("searchsorted", function()
  it("says where values belong", function()
    local a = shmx.from { 1, 3, 3, 7 }
    assert.same({ 1, 2, 5 }, { a:searchsorted(0), a:searchsorted(3), a:searchsorted(8) })
    assert.equal(4, a:searchsorted(3, { side = "right" }))
    assert.same({ { 2, 2 }, { 4, 5 } }, a:searchsorted(shmx.from { { 3, 2 }, { 7, 9 } }):totable())
    local out = shmx.array("i32", 2)
    assert.equal(out, a:searchsorted(shmx.from { 3, 3 }, { side = "right", out = out }))
    assert.same({ 4, 4 }, out:totable())
    assert.equal(1, shmx.array("f64", 0):searchsorted(5))
  end)

  it("compares in a dtype that holds both", function()
    local bytes = shmx.from({ 0, 100, 255 }, "u8")
    assert.same({ 4, 1, 3, 2 }, { bytes:searchsorted(300), bytes:searchsorted(-1), bytes:searchsorted(100.5),
      bytes:searchsorted(0, { side = "right" }) })
    assert.equal(1, shmx.from({ 0.1 }, "f32"):searchsorted(0.1, { side = "right" })) -- f32 rounds it up
    assert.equal(2, shmx.from({ math.maxinteger - 1, math.maxinteger }):searchsorted(math.maxinteger))
    assert.equal(2, shmx.from({ false, true }):searchsorted(true))
    local bools = shmx.frombytes("\0\2\1", "bool") -- both are true
    assert.same({ 2, 4 }, { bools:searchsorted(true), bools:searchsorted(true, { side = "right" }) })
    assert.equal(3, shmx.from({ 1.0, 2.0, 0 / 0 }):searchsorted(0 / 0))
  end)

  it("compares with numbers exactly, as Lua does", function()
    local numbers = { -1, 0, 1, 2, 254, 255, 300, 1 << 53, (1 << 53) + 1, math.maxinteger, math.mininteger, -0.5, -0.0,
      0.1, 0.5, 1.5, 255.5, -1e300, 1e300, 2.0 ^ 53, 2.0 ^ 63, math.huge, -math.huge, 0.1 + 2.0 ^ -40 }
    local sorted = {
      shmx.from({ 0, 0, 1, 2, 255 }, "u8"), shmx.from({ -128, -1, -1, 0, 1, 127 }, "i8"),
      shmx.from { math.mininteger, -1, 0, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 53) + 2, math.maxinteger },
      shmx.from { -math.huge, -1e300, -0.5, 0, 0.1, 0.1, 1, 2.0 ^ 53, 2.0 ^ 53 + 2, 2.0 ^ 63, 1e300, math.huge },
      shmx.from({ -math.huge, -0.5, -0.0, 0.1, 0.1, 0.5, 2.0 ^ 53, 1e38, math.huge }, "f32"),
    }
    for _, a in ipairs(sorted) do
      for _, x in ipairs(numbers) do
        local left, right = 1, 1
        for i = 1, #a do
          left, right = left + (a[i] < x and 1 or 0), right + (a[i] <= x and 1 or 0)
        end
        assert.same({ left, right }, { a:searchsorted(x), a:searchsorted(x, { side = "right" }) }, a.dtype .. " " .. x)
      end
      assert.equal(#a + 1, a:searchsorted(0 / 0))
    end
    local large = shmx.from({ 0, 1, math.maxinteger, math.mininteger, -1 }, "u64")
    assert.same({ 1, 2, 4, 6, 5, 1 }, { large:searchsorted(-1.0), large:searchsorted(0.5), large:searchsorted(2.0 ^ 63),
      large:searchsorted(2.0 ^ 64), large:searchsorted(-1), large:searchsorted(-math.huge) })
  end)

  it("takes values that overlap out", function()
    local a, b = shmx.from { 10, 20, 30 }, shmx.from { 25, 5, 30 }
    assert.same({ 3, 1, 3 }, a:searchsorted(b, { out = b }):totable())
    assert.same({ 1, 2, 3 }, a:searchsorted(a, { out = a }):totable())
  end)

  it("refuses what is no vector, no value and no side", function()
    local a = shmx.from { 1, 2 }
    refuses("bad array for 'searchsorted' (a vector is expected, not one of 2 dimensions)", a.searchsorted,
      a:reshape(1, 2), 1)
    refuses("an array or a number is expected, got \"x\"", a.searchsorted, a, "x")
    refuses("an array or a number is expected, got nil", a.searchsorted, a)
    refuses("bad option 'side' to 'searchsorted' (\"left\" or \"right\" is expected, got \"up\")",
      a.searchsorted, a, 1, { side = "up" })
    refuses("bad option 'out' to 'searchsorted' (known are: side)", a.searchsorted, a, 1, { out = a })
    refuses("bad out to 'searchsorted' (it has the shape {2}, the result {1})", a.searchsorted, a, shmx.from { 1 },
      { out = a })
    refuses("u8 cannot hold the result, which is i64", a.searchsorted, a, a, { out = shmx.array("u8", 2) })
  end)
end)
