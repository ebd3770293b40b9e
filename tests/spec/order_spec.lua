-- SPDX-License-Identifier: MIT
--
-- Sorting, running sums, and choosing elements by position and mask: the examples of the manual, and what wrong use
-- gets. tests/numpy compares values.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

local nan = 0 / 0

describe("sort and argsort", function()
  it("sort the last axis or another one, up or down", function()
    local a = shmx.from { { 3, 1, 2 }, { 6, 5, 7 } }
    assert.same({ { 1, 2, 3 }, { 5, 6, 7 } }, a:sort():totable())
    assert.same({ { 3, 2, 1 }, { 7, 6, 5 } }, a:sort { descending = true }:totable())
    assert.same({ { 2, 3, 1 }, { 2, 1, 3 } }, a:argsort():totable())
    assert.same({ { 1, 1, 1 }, { 2, 2, 2 } }, a:argsort(1):totable())
    assert.same({ { 3, 1, 2 }, { 6, 5, 7 } }, a:totable())
    assert.equal(a, a:sort { out = a, axis = -1 })
    assert.same({ { 1, 2, 3 }, { 5, 6, 7 } }, a:totable())
  end)

  it("keep the order of equal elements, and put NaN last", function()
    assert.same({ 2, 4, 1, 3 }, shmx.from({ 5, 1, 5, 1 }):argsort():totable())
    assert.same({ 1, 3, 2, 4 }, shmx.from({ 5, 1, 5, 1 }):argsort({ descending = true }):totable())
    local sorted = shmx.from({ nan, 2.0, -nan, 1.0 }):sort()
    assert.same({ 1.0, 2.0 }, sorted:view({ 1, 2 }):totable())
    assert.is_true(sorted[3] ~= sorted[3] and sorted[4] ~= sorted[4])
  end)

  it("refuse an output of another dtype or shape", function()
    local a = shmx.array("i32", 3)
    refuses("bad out to 'sort' (f64 is not the dtype of the result, which is i32)", a.sort, a,
      { out = shmx.array("f64", 3) })
    refuses("bad out to 'argsort' (i32 is not the dtype of the result, which is i64)", a.argsort, a, { out = a })
    refuses("bad out to 'sort' (it has the shape {2}, the result {3})", a.sort, a, { out = shmx.array("i32", 2) })
    refuses("bad argument #2 to 'sort' (axis 2 is out of range for an array of 1 dimension)", a.sort, a, 2)
    refuses("bad option 'reverse' to 'sort' (known are: axis, descending, out)", a.sort, a, { reverse = true })
  end)
end)

describe("cumsum, cumprod and diff", function()
  it("go along an axis, or through all elements", function()
    local a = shmx.from { { 1, 2 }, { 3, 4 } }
    assert.same({ 1, 3, 6, 10 }, a:cumsum():totable())
    assert.same({ { 1, 2 }, { 4, 6 } }, a:cumsum(1):totable())
    assert.same({ { 1, 2 }, { 3, 12 } }, a:cumprod(2):totable())
    assert.same({ { 1 }, { 1 } }, a:diff():totable())
    assert.same({ { 2, 2 } }, a:diff(1):totable())
    assert.same({ true, false }, shmx.from({ true, false, false }):diff():totable())
    assert.same({ 255, 1 }, shmx.from({ 1, 0, 1 }, "u8"):diff():totable())
    assert.same({}, shmx.array("f64", 1):diff():totable())
    assert.equal("u64", shmx.array("u8", 1):cumsum().dtype)
    assert.equal("f32", shmx.array("f32", 1):cumsum().dtype)
    assert.equal(-math.huge, 1 / shmx.from({ -0.0 }, "f64"):cumsum()[1])
  end)

  it("write into arrays that exist", function()
    local a = shmx.range("i64", 1, 4)
    assert.equal(a, a:cumsum { out = a })
    assert.same({ 1, 3, 6, 10 }, a:totable())
    a:diff { out = a:view({ 2, 4 }) }
    assert.same({ 1, 2, 3, 4 }, a:totable())
    refuses("bad out to 'cumsum' (i32 cannot hold the result, which is f64)", function()
      shmx.array("f64", 2):cumsum { out = shmx.array("i32", 2) }
    end)
  end)
end)

describe("a result that is more than there can be", function()
  it("is refused, though it has no elements either", function()
    local a = shmx.array("i8", { 0, 1 << 61 })
    local function refuse(name, dtype, f, ...)
      local message = "bad shapes to '%s' ({0, 2305843009213693952} of %s is more than there can be)"
      refuses(message:format(name, dtype), f, ...)
    end
    refuse("argsort", "i64", a.argsort, a)
    refuse("cumsum", "i64", a.cumsum, a, 1)
    refuse("astype", "f64", a.astype, a, "f64")
    refuse("add", "f64", a.add, a, 0.5)
    refuse("searchsorted", "i64", a.searchsorted, shmx.array("i8", 1), a)
  end)
end)

describe("take", function()
  it("chooses by position, along an axis or of all elements", function()
    local a = shmx.from { { 10, 20, 30 }, { 40, 50, 60 } }
    assert.same({ 20, 60, 60 }, a:take(shmx.from { 2, -1, 6 }):totable())
    assert.same({ { 10, 40 } }, a:take(shmx.from { { 1, 4 } }):totable())
    assert.same({ { 30, 10 }, { 60, 40 } }, a:take(shmx.from { 3, 1 }, 2):totable())
    assert.same({ { 40, 50, 60 }, { 40, 50, 60 } }, a:take(shmx.from { 2, 2 }, 1):totable())
    assert.same({ 3, 1 }, shmx.range("i64", 1, 9):view({ 1, 9, 2 }):take(shmx.from { 2, 1 }):totable())
    local out = shmx.array("f64", 2)
    assert.equal(out, a:take(shmx.from { 1, 2 }, { out = out }))
    assert.same({ 10.0, 20.0 }, out:totable())
  end)

  it("chooses by a mask of the same shape, or of one axis", function()
    local a = shmx.from { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ 4, 5, 6 }, a:take(a:gt(3)):totable())
    assert.same({ { 1, 3 }, { 4, 6 } }, a:take(shmx.from { true, false, true }, 2):totable())
    assert.same({}, a:take(a:gt(9)):totable())
  end)

  -- The kernels go through positions and masks in vectors, which have ends.
  local lengths = { 1, 7, 8, 9, 31, 33, 64, 65, 130, 300 }
  local dtypes = { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "bool" }

  ---@return shmx.array
  local function numbers(dtype, n)
    local some = shmx.range("i64", 1, n) * 7919 % 100
    return dtype == "bool" and some:gt(50) or some:astype(dtype)
  end

  it("gives the same by positions of any number, dtype and stride, from near and far", function()
    for _, dtype in ipairs(dtypes) do
      local far = (dtype == "f64" or dtype == "i32") and 2200000 or nil -- more than the caches hold
      for _, size in ipairs { 120, 50000, far } do
        local a = numbers(dtype, size)
        local apart = a:view({ -1, 1, -3 })
        for i, n in ipairs(lengths) do
          local places = (shmx.range("i64", 1, n) * 31 % 39 + 1) * (i % 2 * 2 - 1)
          local expected, of_view = {}, {}
          for k = 1, n do expected[k], of_view[k] = a:get(places[k]), apart:get(places[k]) end
          assert.same(expected, a:take(places):totable())
          assert.same(expected, a:take(places:astype("i8")):totable())
          assert.same(expected, a:take(shmx.stack({ places, places }, 2):view({}, 2)):totable())
          assert.same(expected, a:take(places, { out = shmx.empty(dtype, n) }):totable())
          assert.same(of_view, apart:take(places):totable())
        end
      end
    end
  end)

  it("finds a position that is none wherever it is, and then writes nothing", function()
    for _, size in ipairs { 120, 50000, 2200000 } do
      local a = shmx.range("i32", 1, size)
      for _, n in ipairs(lengths) do
        for _, wrong in ipairs { 0, size + 1, -size - 1, math.mininteger, math.maxinteger } do
          local places, out = shmx.full("i64", n, 1), shmx.full("i32", n, -1)
          places[n] = wrong
          local complaint = ("position %d, which is number %d, is out of range for %d elements"):format(wrong, n, size)
          refuses(complaint, a.take, a, places)
          refuses(complaint, a.take, a, places, { out = out })
          assert.equal(-n, out:sum())
        end
      end
    end
    refuses("position 1, which is number 1, is out of range for 0 elements", function()
      shmx.array("f64", 0):take(shmx.from { 1 })
    end)
    refuses("position 3, which is number 1, is out of range for 2 elements", function()
      shmx.array("f64", { 2, 0 }):take(shmx.from { 3 }, 1)
    end)
  end)

  it("clips positions if it is told to", function()
    for _, size in ipairs { 120, 50000, 2200000 } do
      local a = shmx.range("i32", 1, size)
      for _, n in ipairs(lengths) do
        local places, expected = shmx.range("i64", 1, n), {}
        for k = 1, n do
          local wild = ({ 0, size + 1, -size - 1, math.mininteger, math.maxinteger, -2, 5 })[k % 7 + 1]
          places[k] = wild
          expected[k] = wild == -2 and size - 1 or wild == 5 and 5 or wild > 0 and size or 1
        end
        local out = shmx.empty("i32", n)
        assert.same(expected, a:take(places, { mode = "clip" }):totable())
        assert.equal(out, a:take(places, { mode = "clip", out = out }))
        assert.same(expected, out:totable())
        assert.same(expected, a:reshape(size, 1):take(places, { mode = "clip", axis = 1 }):reshape(n):totable())
        assert.same(expected, a:take(places, { mode = "clip", out = shmx.empty("f64", n) }):astype("i32"):totable())
      end
    end
    local a, one = shmx.range("i64", 1, 3), shmx.from { 4 }
    assert.equal(3, a:take(one, { mode = "clip" })[1])
    refuses("position 4, which is number 1, is out of range", a.take, a, one, { mode = "raise" })
    refuses("bad option 'mode' to 'take' (\"raise\" or \"clip\" is expected, got \"wrap\")",
      a.take, a, one, { mode = "wrap" })
    refuses("bad option 'mode' to 'take' (\"raise\" or \"clip\" is expected, got 1)", a.take, a, one, { mode = 1 })
    refuses("bad option 'mode' to 'take' (it is for positions, not for a mask)", a.take, a, a:gt(1), { mode = "clip" })
    refuses("bad option 'mode' to 'take' (it is for positions, not for a mask)", a.take, a, a:gt(1),
      { mode = "clip", out = shmx.array("i64", 2) })
    for _, options in ipairs { { mode = "clip" }, { mode = "clip", out = shmx.array("i64", 1) } } do
      refuses("position 4, which is number 1, is out of range for 0 elements", function()
        shmx.array("i64", 0):take(one, options)
      end)
    end
  end)

  it("does without what is closed, frozen or in the way", function()
    local a, places, out = shmx.range("i64", 1, 4), shmx.from { 4, 3, 2, 1 }, shmx.array("i64", 4)
    places:take(places, { out = places })
    assert.same({ 1, 2, 3, 4 }, places:totable())
    a:take(shmx.from { 4, 3, 2, 1 }, { out = a })
    assert.same({ 4, 3, 2, 1 }, a:totable())
    assert.same({ 4, 3 }, a:take(a:gt(2), { out = a:view { 2, 3 } }):totable())
    refuses("bad out to 'take' (it has the shape {4}, the result {2})", a.take, a, a:gt(3), { out = out })
    refuses("bad option 'axes' to 'take' (known are: axis, mode, out)", a.take, a, places, { out = out, axes = 1 })
    local frozen = shmx.array("i64", 4):freeze()
    refuses("bad out to 'take' (the array is frozen", a.take, a, places, { out = frozen })
    places:close()
    refuses("array is closed", a.take, a, places)
    refuses("array is closed", a.take, a, places, { out = out })
  end)

  it("gives the same by masks of any length, density and stride", function()
    local rules = { -- whether element k is wanted
      function() return true end, function() return false end, function(k) return k % 2 == 0 end,
      function(k) return k > 70 and k < 200 end, function(k) return k * k % 11 < 3 end,
    }
    for _, dtype in ipairs(dtypes) do
      for _, n in ipairs(lengths) do
        local a = numbers(dtype, n)
        for _, rule in ipairs(rules) do
          local mask, expected = shmx.array("bool", n), {}
          for k = 1, n do
            mask[k] = rule(k)
            if rule(k) then expected[#expected + 1] = a[k] end
          end
          assert.same(expected, a:take(mask):totable())
          assert.same(expected, a:take(shmx.stack({ mask, mask }, 2):view({}, 2)):totable())
          assert.same(expected, a:view({ -1, 1, -1 }):copy():view({ -1, 1, -1 }):take(mask):totable())
        end
      end
    end
  end)

  it("refuses positions and masks that do not fit, and writes nothing", function()
    local a, out = shmx.range("i64", 1, 3), shmx.array("i64", 2)
    refuses("bad argument #2 to 'take' (position 4, which is number 2, is out of range for 3 elements)", a.take, a,
      shmx.from { 1, 4 }, { out = out })
    assert.same({ 0, 0 }, out:totable())
    refuses("position 0, which is number 1, is out of range", a.take, a, shmx.from { 0 })
    refuses("position -4, which is number 1, is out of range", a.take, a, shmx.from { -4 })
    refuses("positions are integers, not f64", a.take, a, shmx.from { 1.0 })
    refuses("an array of positions or a mask is expected, got table", a.take, a, { 1 })
    refuses("the mask has the shape {2}, the array {3}", a.take, a, shmx.array("bool", 2))
    refuses("the mask has the shape {2}, axis 1 has 3 elements", a.take, a, shmx.array("bool", 2), 1)
    refuses("the result of {1, 1, 1, 1, 1} by {1, 1, 1, 1, 1} is more than there can be",
      function() shmx.array("u8", { 1, 1, 1, 1, 1 }):take(shmx.full("i8", { 1, 1, 1, 1, 1 }, 1), 1) end)
  end)
end)

describe("put", function()
  it("writes a number or values to positions, or where a mask is true", function()
    local a = shmx.array("i64", { 2, 2 })
    assert.equal(a, a:put(shmx.from { 1, -1 }, 7))
    a:put(shmx.from { 2, 3 }, shmx.from { 5, 6 })
    assert.same({ { 7, 5 }, { 6, 7 } }, a:totable())
    a:put(a:eq(7), shmx.from { 1, 2 })
    a:put(a:gt(4), 0)
    assert.same({ { 1, 0 }, { 0, 2 } }, a:totable())
    local v = shmx.range("i64", 1, 3)
    v:put(v, v:view({ 3, 1, -1 }))
    assert.same({ 3, 2, 1 }, v:totable())
  end)

  it("refuses what does not fit, and writes nothing", function()
    local a = shmx.array("u8", 3)
    refuses("bad argument #2 to 'put' (position 4, which is number 2, is out of range for 3 elements)", a.put, a,
      shmx.from { 1, 4 }, 9)
    refuses("bad argument #3 to 'put' (an array or a number is expected, got table)", a.put, a, shmx.from { 1 }, {})
    refuses("bad argument #3 to 'put' (256 is not between 0 and 255)", a.put, a, shmx.from { 1 }, 256)
    refuses("bad argument #3 to 'put' (there are 2 values for 3 elements)", a.put, a, shmx.from { 1, 2, 3 },
      shmx.from({ 1, 2 }, "u8"))
    refuses("bad argument #3 to 'put' (u8 cannot hold the values, which are f64)", a.put, a, shmx.from { 1 },
      shmx.from { 1.5 })
    refuses("the mask has the shape {2}, the array {3}", a.put, a, shmx.array("bool", 2), 1)
    assert.same({ 0, 0, 0 }, a:totable())
  end)
end)

describe("nonzero", function()
  it("gives the same for any length, dtype and stride", function()
    for _, n in ipairs { 1, 7, 8, 9, 17, 1030, 2500 } do
      for _, dtype in ipairs { "bool", "u8", "i64", "f32" } do
        for _, every in ipairs { 1, 2, 13, 5000 } do
          local there, expected = (shmx.range("i64", 1, n) % every):eq(0), {}
          for k = every, n, every do expected[#expected + 1] = k end
          local a = there:astype(dtype)
          assert.same(expected, a:nonzero():totable())
          assert.same(expected, a:view({ -1, 1, -1 }):copy():view({ -1, 1, -1 }):nonzero():totable())
          local rows, columns = shmx.stack({ a, a }, 2):nonzero()
          local twice, sides = {}, {}
          for i, k in ipairs(expected) do
            twice[2 * i - 1], twice[2 * i] = k, k
            sides[2 * i - 1], sides[2 * i] = 1, 2
          end
          assert.same({ twice, sides }, { rows:totable(), columns:totable() })
        end
      end
    end
  end)

  it("gives the indices for each dimension", function()
    local rows, columns = shmx.from({ { 0, 1, 2 }, { 3, 0, 0 } }):nonzero()
    assert.same({ { 1, 1, 2 }, { 2, 3, 1 } }, { rows:totable(), columns:totable() })
    assert.same({ 2 }, shmx.from({ false, true }):nonzero():totable())
    assert.equal(0, #shmx.array("f64", 5):nonzero())
  end)
end)
