-- SPDX-License-Identifier: MIT
-- Arrays as a script sees them: making, indexing, views, whole-array operations, and what wrong use gets.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

local integers = { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64" }
local floats = { "f32", "f64" }
local nan, inf = 0 / 0, math.huge

local function each_dtype(f)
  for _, dtype in ipairs(integers) do f(dtype, 1, 0) end
  for _, dtype in ipairs(floats) do f(dtype, 1.5, 0.0) end
  f("bool", true, false)
end

describe("making an array", function()
  it("gives zeroed elements of every dtype", function()
    each_dtype(function(dtype, value, zero)
      local a = shmx.array(dtype, 5)
      assert.equal(dtype, a.dtype)
      for i = 1, 5 do assert.equal(zero, a[i]) end
      a[3] = value
      assert.equal(value, a[3])
      assert.equal(math.type(value), math.type(a[3]))
      assert.equal(zero, a[4])
    end)
  end)

  it("zeroes memory that was used before", function()
    for _ = 1, 100 do
      local a <close> = shmx.array("u8", 1000)
      assert.equal(0, a:sum())
      a:fill(255)
    end
  end)

  it("takes one size or a shape, and floats with an integer value", function()
    assert.equal(1000, #shmx.array("i64", 10 ^ 3))
    local a = shmx.empty("f32", { 2, 3.0, 4 })
    assert.same({ 2, 3, 4 }, a.shape)
    assert.same({ 12, 4, 1 }, a.strides)
    assert.same({ 3, 24, 96, 2 }, { a.ndim, a.size, a.nbytes, #a })
  end)

  it("makes empty arrays", function()
    local a = shmx.array("i64", 0)
    assert.same({ 0, 0, 0, {} }, { #a, a.size, a:sum(), a:totable() })
    assert.is_nil(a[1])
    assert.equal("i64[0] {}", tostring(a))
    assert.equal(0, shmx.array("f64", { 3, 0 }).size)
  end)

  it("fills with one value", function()
    assert.same({ { 7, 7 }, { 7, 7 } }, shmx.full("u16", { 2, 2 }, 7):totable())
    assert.same({ true, true }, shmx.full("bool", 2, true):totable())
    refuses("bad argument #3 to 'full' (256 is not between 0 and 255)", shmx.full, "u8", 2, 256)
    refuses("bad argument #3 to 'full' (a boolean is expected, got 1)", shmx.full, "bool", 2, 1)
  end)

  it("refuses sizes that are none", function()
    local cases = {
      { -1, "-1" }, { nan, "nan" }, { 1.5, "1.5" }, { 1e308, "1e+308" }, { inf, "inf" }, { "10", '"10"' },
      { true, "boolean" }, { nil, "nil" },
    }
    for _, name in ipairs { "array", "empty" } do
      for _, case in ipairs(cases) do
        local text = ("bad argument #2 to '%s' (size must be a non-negative integer, got %s)"):format(name, case[2])
        refuses(text, shmx[name], "i64", case[1])
      end
    end
    refuses("bad argument #2 to 'array' (size 2 must be a non-negative integer, got -1)", shmx.array, "i8", { 2, -1 })
    refuses("bad argument #2 to 'array' (a shape has 1 to 8 sizes, got 0)", shmx.array, "i8", {})
    refuses("bad argument #2 to 'array' (a shape has 1 to 8 sizes, got 9)", shmx.array, "i8",
      { 1, 1, 1, 1, 1, 1, 1, 1, 1 })
    refuses("bad argument #2 to 'array' (that many elements", shmx.array, "i64", math.maxinteger)
    refuses("bad argument #2 to 'array' (that many elements", shmx.array, "i8", { 2 ^ 40, 2 ^ 40 })
    refuses("bad argument #2 to 'array' (that many elements", shmx.array, "i8", { 2 ^ 40, 0, 2 ^ 40 })
    refuses("cannot allocate 4611686018427387904 bytes", shmx.array, "i8", 2 ^ 62)
  end)

  it("names the dtypes when one is not known", function()
    local known = "i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 bool"
    refuses("bad argument #1 to 'array' (unknown dtype \"int\"; the dtypes are " .. known, shmx.array, "int", 1)
    refuses("bad argument #1 to 'array' (a dtype is expected, got nothing", shmx.array)
    refuses("unknown dtype", shmx.array, "i64\0", 1)
  end)

  it("points at the line of the caller", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local message = refuses("bad argument #2 to 'array'", function() local a = shmx.array("i64", -1) return a end)
    assert.is_truthy(message:find("array_spec.lua:" .. line .. ":", 1, true), message)
  end)

  it("refuses arguments that it does not know", function()
    refuses("bad argument #4 to 'full' (nothing is expected here, got 5)", shmx.full, "u8", 1, 2, 5)
  end)

  it("stays bounded when arrays are dropped without collecting", function()
    for _ = 1, 20000 do shmx.empty("u8", 1 << 20) end
  end)
end)

describe("range", function()
  it("includes the last, as for does", function()
    local cases = { { 0, 9 }, { 0, -1 }, { 5, -5, -2 }, { 5, 4 }, { 1, 10, 4 }, { 3, 3 }, { 3, 3, -1 }, { -3, 3, 3 } }
    for _, r in ipairs(cases) do
      local expected = {}
      for i = r[1], r[2], r[3] or 1 do expected[#expected + 1] = i end
      for _, dtype in ipairs { "i8", "i32", "i64", "f32", "f64" } do
        assert.same(expected, shmx.range(dtype, r[1], r[2], r[3]):totable())
      end
    end
  end)

  it("computes floats from the index", function()
    local a = shmx.range("f64", 0, 100, 0.1)
    for i = 1, #a do assert.equal((i - 1) * 0.1, a[i]) end
    assert.equal(5, #shmx.range("f64", 0, 1, 0.25))
  end)

  it("rounds each whole number as its dtype does, also where it ends to hold them", function()
    for _, dtype in ipairs(floats) do
      local format, top = dtype == "f32" and "f" or "d", dtype == "f32" and 2 ^ 24 or 2 ^ 53
      for _, r in ipairs { { -150, 150, 1 }, { 150, -150, -1 }, { -1000, 1000, 7 }, { top - 400, top - 1, 1 },
        { top - 300, top + 300, 1 }, { 300 - top, -300 - top, -1 }, { 0, top / 2, top / 256 + 0.5 } } do
        local a = shmx.range(dtype, r[1], r[2], r[3])
        for i = 1, #a do
          assert.equal(string.unpack(format, string.pack(format, r[1] + (i - 1) * r[3])), a[i])
          assert.is_true(a[i] ~= 0 or 1 / a[i] > 0)
        end
      end
    end
  end)

  it("is the same in large pieces of fresh memory", function()
    local n = 2500000
    for _, dtype in ipairs { "i32", "f32", "f64" } do
      local a <close> = shmx.range(dtype, -7, -7 + 3 * (n - 1), 3)
      for i = 1, n, 4097 do assert.equal(-7 + 3 * (i - 1), a[i]) end
      assert.same({ n, -7 + 3 * (n - 1) }, { #a, a[n] })
      local full <close> = shmx.full(dtype, n, 5)
      assert.equal(5 * n, full:sum())
    end
  end)

  it("goes to the ends of the integers", function()
    assert.same({ math.maxinteger - 1, math.maxinteger },
      shmx.range("i64", math.maxinteger - 1, math.maxinteger):totable())
    assert.same({ math.mininteger, -1, math.maxinteger - 1 },
      shmx.range("i64", math.mininteger, math.maxinteger, math.maxinteger):totable())
    assert.same({ math.maxinteger, -1 }, shmx.range("i64", math.maxinteger, math.mininteger, math.mininteger):totable())
  end)

  it("refuses what the dtype cannot hold, a step of 0, and too much", function()
    refuses("bad argument #3 to 'range' (256 is not between 0 and 255)", shmx.range, "u8", 0, 256)
    refuses("bad argument #2 to 'range' (-129 is not between -128 and 127)", shmx.range, "i8", -129, 0)
    assert.equal(255, shmx.range("u8", 0, 300, 255)[2])
    for _, dtype in ipairs { "i64", "f64" } do
      refuses("bad argument #4 to 'range' (the step must not be 0)", shmx.range, dtype, 1, 2, 0)
      refuses("bad argument #3 to 'range' (that many elements", shmx.range, dtype, -2 ^ 62 | 0, math.maxinteger)
    end
    refuses("bad argument #3 to 'range' (that many elements", shmx.range, "i64", math.mininteger, math.maxinteger)
    refuses("bad argument #3 to 'range' (an integer is expected, got 1.5)", shmx.range, "i64", 0, 1.5)
    refuses("bad argument #3 to 'range' (a finite number is expected, got inf)", shmx.range, "f64", 0, inf)
    refuses("bad argument #2 to 'range' (a finite number is expected, got nan)", shmx.range, "f64", nan, 1)
    refuses("bad argument #1 to 'range'", shmx.range, "bool", 0, 1)
  end)
end)

describe("linspace", function()
  it("includes both ends, and rounds integers down", function()
    assert.same({ 0.0, 0.25, 0.5, 0.75, 1.0 }, shmx.linspace("f64", 0, 1, 5):totable())
    assert.same({ 10, 6, 3, 0 }, shmx.linspace("u8", 10, 0, 4):totable())
    assert.same({ -1, -1, 0, 1 }, shmx.linspace("i8", -1, 1, 4):totable())
    assert.same({ 3.0 }, shmx.linspace("f32", 3, 9, 1):totable())
    assert.same({}, shmx.linspace("f32", 3, 9, 0):totable())
    assert.equal(0.3, shmx.linspace("f64", 0.1, 0.3, 3000)[3000])
  end)

  it("refuses ends that the dtype cannot hold, and what is no number of elements", function()
    refuses("bad argument #3 to 'linspace' (256.0 is not between 0 and 255)", shmx.linspace, "u8", 0, 256, 2)
    refuses("bad argument #2 to 'linspace' (-0.5 is negative, which a u64 cannot be)", shmx.linspace, "u64", -0.5, 1, 2)
    refuses("bad argument #2 to 'linspace' (a finite number is expected, got inf)", shmx.linspace, "f64", inf, 1, 2)
    refuses("bad argument #3 to 'linspace' (the distance to the first is not finite)",
      shmx.linspace, "f64", -1e308, 1e308, 2)
    refuses("bad argument #4 to 'linspace' (a number of elements is expected, got -1)", shmx.linspace, "f64", 0, 1, -1)
    refuses("bad argument #4 to 'linspace' (an integer is expected, got 1.5)", shmx.linspace, "f64", 0, 1, 1.5)
    refuses("bad argument #1 to 'linspace' (a linspace has numbers", shmx.linspace, "bool", 0, 1, 2)
    refuses("bad argument #5 to 'linspace' (nothing is expected here", shmx.linspace, "f64", 0, 1, 2, 3)
  end)
end)

describe("frombytes", function()
  it("reads what tobytes wrote", function()
    local a = shmx.range("i16", 1, 6):reshape(2, 3)
    assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, shmx.frombytes(a:tobytes(), "i16", { 2, 3 }):totable())
    assert.same({ 1, 4, 2, 5, 3, 6 }, shmx.frombytes(a:transpose():tobytes(), "i16"):totable())
  end)

  it("refuses another number of bytes, and what is no string", function()
    refuses("bad argument #1 to 'frombytes' (the shape takes 8 bytes, the string has 4)",
      shmx.frombytes, "abcd", "i32", { 2 })
    refuses("bad argument #1 to 'frombytes' (5 bytes are not a multiple of the 4 of one f32)",
      shmx.frombytes, "abcde", "f32")
    refuses("bad argument #1 to 'frombytes' (a string is expected, got table)", shmx.frombytes, {}, "u8")
    refuses("bad argument #2 to 'frombytes' (a dtype is expected, got nil", shmx.frombytes, "a")
  end)
end)

describe("from", function()
  it("finds the dtype of a table", function()
    assert.equal("i64", shmx.from { 1, 2 }.dtype)
    assert.equal("f64", shmx.from { 1, 2.5 }.dtype)
    assert.equal("bool", shmx.from { true, false }.dtype)
    assert.equal("i64", shmx.from({}).dtype)
    assert.equal("u8", shmx.from({ 1.0, 2 }, "u8").dtype)
  end)

  it("makes dimensions of nested tables", function()
    local t = { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } }, { { 9, 10 }, { 11, 12 } } }
    local a = shmx.from(t)
    assert.same({ 3, 2, 2 }, a.shape)
    assert.same(t, a:totable())
    assert.same({ 2, 0 }, shmx.from({ {}, {} }).shape)
  end)

  it("says where a table is wrong", function()
    refuses("bad option 'dtype' to 'from' (it stands among the elements of a list, and belongs behind the list)",
      shmx.from, { 1, 2, dtype = "u8" })
    refuses("bad option 'name' to 'array' (it stands among the elements of a list, and belongs behind the list)",
      shmx.array, "u8", { 2, 3, name = "x" })
    refuses("bad argument #1 to 'from' (ragged: element 2 has length 1, those before it have 2)",
      shmx.from, { { 1, 2 }, { 3 } })
    refuses("element (2, 1): a table of 1 elements is expected, got 3", shmx.from, { { { 1 } }, { 3 } })
    refuses("element (1, 2): a number or a boolean is expected, got table", shmx.from, { { 1, {} } })
    refuses("element 2: a number or a boolean is expected, got \"2\"", shmx.from, { 1, "2" })
    refuses("element 2: a number or a boolean is expected, got nil", shmx.from, { 1, nil, 3 })
    refuses("element 3: a number like those before is expected, got boolean", shmx.from, { 1, 2, true })
    refuses("element 2: -1 is not between 0 and 255", shmx.from, { 1, -1 }, "u8")
    local cyclic = {}
    cyclic[1] = cyclic
    refuses("nested more than 8 deep", shmx.from, cyclic)
    refuses("a table or a string is expected, got 5", shmx.from, 5)
  end)

  it("reads the bytes of a string", function()
    assert.same({ 97, 0, 255 }, shmx.from("a\0\255"):totable())
    assert.same({ 1, -2 }, shmx.from(string.pack("=i4i4", 1, -2), "i32"):totable())
    assert.same({ false, true, true }, shmx.from("\0\1\7", "bool"):totable())
    assert.equal(0, #shmx.from "")
    refuses("5 bytes are not a multiple of the 4 of one f32", shmx.from, "abcde", "f32")
  end)
end)

describe("a[i]", function()
  it("reads nil one past the end, so that ipairs works", function()
    local a, t = shmx.range("i64", 10, 12), {}
    for i, v in ipairs(a) do t[i] = v end
    assert.same({ 10, 11, 12 }, t)
    local rows = 0
    for i, row in ipairs(shmx.array("u8", { 4, 2 })) do rows = rows + i + #row end
    assert.equal(18, rows)
  end)

  it("refuses any other index, by name", function()
    local a = shmx.range("i64", 1, 10)
    for _, i in ipairs { 0, -1, 12, 2 ^ 53 + 1 | 0, math.mininteger, math.maxinteger } do
      refuses(("index %d is out of range for an array of 10 elements"):format(i), function() return a[i] end)
      refuses(("index %d is out of range for an array of 10 elements"):format(i), function() a[i] = 1 end)
    end
    refuses("index 11 is out of range for an array of 10 elements", function() a[11] = 1 end)
    local wrong = { ["1.5"] = 1.5, ["nan"] = nan, ['"1"'] = "1", table = {}, boolean = true, ["1e+308"] = 1e308 }
    for text, i in pairs(wrong) do
      refuses("index must be an integer, not " .. text, function() return a[i] end)
      refuses("index must be an integer, not " .. text, function() a[i] = 1 end)
    end
    refuses("index must be an integer, not nil", function() return a[nil] end)
    assert.equal(3, a[3.0])
    refuses("no field or method \"foo\"", function() return a.foo end)
    refuses("field \"dtype\" of an array cannot be set", function() a.dtype = "u8" end)
    assert.equal(55, a:sum())
  end)

  it("gives the sub-array on more dimensions, in the same memory", function()
    local a = shmx.from { { 1, 2 }, { 3, 4 } }
    local row = a[2]
    row[1] = 30
    assert.equal(30, a:get(2, 1))
    assert.equal(a.segment, row.segment)
    refuses("a[1] is an array of its own", function() a[1] = 5 end)
    refuses("index 4 is out of range for dimension 1, which has 2 elements", function() return a[4] end)
    a:close()
    assert.same({ 30, 4 }, row:totable())
  end)

  it("holds exactly what the dtype can hold", function()
    local limits = {
      i8 = { -128, 127 }, u8 = { 0, 255 }, i16 = { -32768, 32767 }, u16 = { 0, 65535 },
      i32 = { -2 ^ 31 | 0, 2 ^ 31 - 1 | 0 }, u32 = { 0, 2 ^ 32 - 1 | 0 },
    }
    for dtype, l in pairs(limits) do
      local a = shmx.array(dtype, 3)
      for _, v in ipairs(l) do
        a[3] = v
        assert.equal(v, a[3])
        a[3] = v + 0.0
        assert.equal("integer", math.type(a[3]))
      end
      for _, v in ipairs { l[1] - 1, l[2] + 1, 1e300, math.mininteger } do
        refuses(("element 3 of %s %s array: %s is not between %d and %d"):format(
          dtype:sub(1, 1) == "i" and "an" or "a", dtype, v, l[1], l[2]), function() a[3] = v end)
      end
      assert.equal(l[2], a[3])
    end
    for _, dtype in ipairs(integers) do
      local a = shmx.array(dtype, 1)
      for _, v in ipairs { 1.5, nan, inf, -inf } do refuses("is not an integer", function() a[1] = v end) end
      for _, v in ipairs { "1", true, {} } do refuses("a number is expected", function() a[1] = v end) end
      refuses("a number is expected, got nil", function() a[1] = nil end)
    end
  end)

  it("keeps 64 bits", function()
    for _, dtype in ipairs { "i64", "u64" } do
      local a = shmx.array(dtype, 1)
      for _, v in ipairs { math.mininteger, math.maxinteger, -1, 2 ^ 53 + 1 | 0 } do
        a[1] = v
        assert.equal(v, a[1])
      end
    end
    local u = shmx.array("u64", 1)
    u[1] = 2 ^ 63
    assert.equal(math.mininteger, u[1])
    refuses("does not fit into 64 bits", function() u[1] = 2 ^ 64 end)
    local i = shmx.array("i64", 1)
    refuses("is not between -9223372036854775808 and 9223372036854775807", function() i[1] = 2 ^ 63 end)
  end)

  it("rounds into floats and takes only booleans into bool", function()
    local f, d, b = shmx.array("f32", 1), shmx.array("f64", 1), shmx.array("bool", 1)
    f[1] = 0.1
    assert.equal(string.unpack("f", string.pack("f", 0.1)), f[1])
    f[1] = 1e308
    assert.equal(inf, f[1])
    d[1] = 3
    assert.equal("float", math.type(d[1]))
    for _, v in ipairs { -0.0, inf, -inf, 5e-324 } do
      d[1] = v
      assert.equal(string.pack("d", v), string.pack("d", d[1]))
    end
    d[1] = nan
    assert.is_true(d[1] ~= d[1])
    refuses("a boolean is expected, got 1", function() b[1] = 1 end)
    refuses("a number is expected, got boolean", function() d[1] = true end)
  end)
end)

describe("get and set", function()
  it("take an index for each dimension, negative ones from the end", function()
    local a = shmx.array("i32", { 3, 4 })
    a:set(2, 3, 7)
    a:set(-1, -4, 9)
    assert.same({ 7, 9, 9 }, { a:get(2, 3), a:get(3, 1), a:get(-1, 1) })
    refuses("index 5 is out of range for dimension 2, which has 4 elements", a.get, a, 1, 5)
    refuses("index 0 is out of range for dimension 1", a.get, a, 0, 1)
    refuses("index -4 is out of range for dimension 1", a.set, a, -4, 1, 0)
    refuses("bad number of indices to 'get': the array has 2 dimensions, got 1", a.get, a, 1)
    refuses("bad number of indices to 'set': the array has 2 dimensions, got 3", a.set, a, 1, 1, 1, 1)
    refuses("bad number of indices to 'set'", a.set, a)
    refuses("bad value for element (2, 3) of an i32 array: 0.5 is not an integer", a.set, a, 2, 3, 0.5)
    assert.equal(4, shmx.range("i8", 1, 4):get(-1))
  end)
end)

describe("view and reshape", function()
  local function square() return shmx.range("i64", 1, 16):reshape(4, 4) end

  it("narrow, step, turn around and drop dimensions in the same memory", function()
    local a = square()
    assert.same({ { 5, 6 }, { 9, 10 } }, a:view({ 2, 3 }, { 1, 2 }):totable())
    assert.same({ 4, 8, 12, 16 }, a:view(nil, 4):totable())
    assert.same({ 13, 14, 15, 16 }, a:view(-1):totable())
    assert.same({ { 16, 14 }, { 8, 6 } }, a:view({ -1, 1, -2 }, { 4, 1, -2 }):totable())
    assert.same({ 9, 13 }, a:view({ 3 }, 1):totable())
    assert.same({ 4, 3, 2, 1 }, a[1]:view({ nil, nil, -1 }):totable())
    local v = a:view({ 1, -1, 2 }, 2)
    assert.same({ { 2 }, { 8 } }, { v.shape, v.strides })
    v:fill(0)
    assert.equal(136 - 2 - 10, a:sum())
    assert.same({ 0, 0 }, v:copy():totable())
    assert.same({ 1 }, v:copy().strides)
  end)

  it("can be empty, and cannot leave the array", function()
    local a = shmx.range("u8", 1, 5)
    for _, r in ipairs { { 1, 0 }, { 6, 5 }, { 3, 2 }, { 2, 4, -1 } } do assert.equal(0, #a:view(r)) end
    assert.equal(0, #shmx.array("u8", 0):view({ 1, -1 }))
    assert.same({ 3 }, a:view({ 3, 5, math.maxinteger }):totable())
    assert.same({ 3 }, a:view({ 3, 1, math.mininteger }):totable())
    for _, r in ipairs { { 0, 3 }, { 1, 6 }, { -6, 2 }, { 7, 6 }, { 1, math.maxinteger }, { 5, 0, -1 } } do
      refuses("is not within the 5 elements of dimension 1", a.view, a, r)
    end
    refuses("the step must not be 0", a.view, a, { 1, 2, 0 })
    refuses("last must be an integer, not \"2\"", a.view, a, { 1, "2" })
    refuses("a range is {first, last, step} and has no field \"first\"", a.view, a, { first = 2 })
    refuses("a range is {first, last, step} and has no field \"step\"", a.view, a, { 1, 5, step = 2 })
    refuses("a range is {first, last, step} and has no field 4", a.view, a, { 1, 2, 1, 3 })
    assert.same({ 5, 3, 1 }, a:view({ nil, nil, -2 }):totable())
    refuses("the last dimension cannot be dropped", a.view, a, 1)
    refuses("bad number of ranges to 'view': the array has 1 dimension, got 2", a.view, a, { 1 }, { 1 })
    refuses("index must be an integer, not \"1\"", function() square():view("1") end)
  end)

  it("reshape without a copy, or say that it takes one", function()
    local a = square()
    assert.same({ 2, 8 }, a:reshape { 2, 8 }.shape)
    a:reshape(16)[16] = 0
    assert.equal(0, a:get(4, 4))
    assert.same({ 1, 3, 5, 7, 9, 11, 13, 15 }, a:view(nil, { 1, 4, 2 }):reshape(8):totable())
    refuses("a:copy():reshape", function() a:view(nil, { 1, 3 }):reshape(12) end)
    refuses("bad argument #1 to 'reshape' (the array has 16 elements, the shape 15)", function() a:reshape(3, 5) end)
  end)

  it("reshape finds one size that is given as -1", function()
    local a = square()
    assert.same({ 2, 8 }, a:reshape(2, -1).shape)
    assert.same({ 16 }, a:reshape { -1 }.shape)
    local sizes = { -1, 2, 2 }
    assert.same({ 4, 2, 2 }, a:reshape(sizes).shape)
    assert.equal(-1, sizes[1])
    for _, bad in ipairs { { 0, -1 }, { -2, -1 } } do
      refuses("must be a non-negative integer, got -", a.reshape, a, bad)
    end
    refuses("bad argument #1 to 'reshape' (the array has 16 elements, which is no multiple of 3)", function()
      a:reshape(3, -1)
    end)
    refuses("bad argument #1 to 'reshape' (only one size can be -1)", function() a:reshape(-1, -1) end)
    refuses("bad argument #1 to 'reshape' (1 to 8 integers are expected, got 0)", function() a:reshape() end)
  end)

  it("reshape splits and merges dimensions of any view whose layout allows it", function()
    local a = shmx.range("i64", 1, 24):reshape(2, 3, 4)
    local v = a:view(nil, nil, { 4, 1, -1 }):reshape(6, 2, 2, 1)
    assert.same({ { { 4 }, { 3 } }, { { 2 }, { 1 } } }, v[1]:totable())
    assert.equal(a.segment, v.segment)
    refuses("a:copy():reshape", function() a:transpose():reshape(24) end)
    refuses("a:copy():reshape", function() a:view(nil, nil, { 1, 3 }):reshape(3, 6) end)
  end)

  it("transpose orders the dimensions in the same memory", function()
    local a = shmx.range("i64", 1, 6):reshape(2, 3)
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, a:transpose():totable())
    assert.same({ 1, 3 }, a:transpose().strides)
    local b = shmx.array("u8", { 2, 3, 4 })
    for _, t in ipairs { b:transpose(3, 1, 2), b:transpose { -1, 1, -2 } } do assert.same({ 4, 2, 3 }, t.shape) end
    a:transpose():set(3, 1, 30)
    assert.equal(30, a:get(1, 3))
    refuses("bad argument #1 to 'transpose' (the array has 2 dimensions, got 1 axis)", function() a:transpose(1) end)
    refuses("bad argument #1 to 'transpose' (axis 1 comes twice)", function() a:transpose(1, -2) end)
    refuses("bad argument #1 to 'transpose' (axis 3 is out of range for an array of 2 dimensions)",
      function() a:transpose(1, 3) end)
    refuses("bad argument #2 to 'transpose' (an axis must be an integer, not \"1\")", a.transpose, a, "1", 2)
  end)
end)

describe("whole-array operations", function()
  it("fill, copy and convert", function()
    local a = shmx.array("f32", { 2, 2 })
    assert.equal(a, a:fill(1.5))
    local b = a:copy()
    b:set(1, 1, 9)
    assert.equal(1.5, a:get(1, 1))
    assert.not_equal(a.segment, b.segment)
    assert.same({ 1, 0, 255, 0 }, shmx.from { 1.9, -5, 1e9, nan }:astype("u8"):totable())
    assert.same({ true, false }, shmx.from { 2, 0 }:astype("bool"):totable())
    assert.same({ 1, 0, 1 }, shmx.from { -1, 0, 5 }:astype("bool", { out = shmx.array("i32", 3) }):totable())
    local mixed = shmx.from { 1.9, -5, 1e9 }
    assert.same({ 1.0, 0.0, 255.0 }, mixed:astype("u8", { out = mixed }):totable())
    refuses("bad argument #1 to 'fill' (1.5 is not an integer)", function() shmx.array("u8", 1):fill(1.5) end)
    refuses("bad argument #1 to 'fill' (a number is expected, got nil)", function() shmx.array("u8", 1):fill() end)
  end)

  it("tobytes and totable", function()
    local a = shmx.from({ { 1, 2, 3 }, { 4, 5, 6 } }, "i16")
    assert.equal(string.pack("=i2i2i2i2i2i2", 1, 2, 3, 4, 5, 6), a:tobytes())
    assert.equal(string.pack("=i2i2", 3, 6), a:view(nil, 3):tobytes())
    assert.same({ { 3, 1 }, { 6, 4 } }, a:view(nil, { 3, 1, -2 }):totable())
    assert.same(a:totable(), shmx.from(a:tobytes(), "i16"):reshape(2, 3):totable())
  end)
end)

describe("segment", function()
  it("says which memory an array views", function()
    local a, b = shmx.array("i64", 10), shmx.array("i64", 10)
    local s = a.segment
    assert.equal(80, s.bytes)
    assert.same({ "integer", "integer" }, { math.type(s.id), math.type(s.chunk) })
    assert.is_true(s == a:view({ 2, 3 }).segment)
    assert.is_false(s == b.segment)
    assert.is_truthy(tostring(s):find "^segment %d+:%d+ %(80 bytes%)$")
    refuses("a segment has no field \"foo\"", function() return s.foo end)
    refuses("shmx.segment expected", getmetatable(s).__index, io.stdout, "id")
  end)
end)

describe("closing", function()
  it("is idempotent, and what comes after is an error", function()
    local a = shmx.array("i64", { 2, 2 })
    a:close()
    a:close()
    local uses = {
      function() return a[1] end, function() a[1] = 1 end, function() return #a end, function() return a.shape end,
      function() return a:get(1, 1) end, function() a:set(1, 1, 1) end, function() return a.segment end,
    }
    for _, name in ipairs { "fill", "copy", "astype", "sum", "min", "totable", "tobytes", "view", "reshape" } do
      uses[#uses + 1] = function() return a[name](a) end
    end
    for _, use in ipairs(uses) do refuses("array is closed", use) end
    assert.equal("array (closed)", tostring(a))
  end)

  it("happens at the end of a block, and leaves other views alone", function()
    local view, outer
    do
      local a <close> = shmx.range("i64", 1, 5)
      outer, view = a, a:view({ 2, 3 })
    end
    refuses("array is closed", function() return outer[1] end)
    assert.same({ 2, 3 }, view:totable())
  end)

  it("can be done by hand through the metatable", function()
    local a = shmx.array("i64", 3)
    local meta = getmetatable(a)
    meta.__gc(a)
    meta.__gc(a)
    meta.__close(a, nil)
    refuses("array is closed", function() return a[1] end)
  end)
end)

describe("misuse", function()
  it("by an argument too many raises, and nothing is written", function()
    local a = shmx.from { 1, 2 }
    refuses("bad argument #3 to 'from' (nothing is expected here, got table)", shmx.from, { 1, 2 }, "f64", { 2, 1 })
    refuses("bad argument #4 to 'attach' (nothing is expected here", shmx.attach, "prices", "f64", 3, {})
    refuses("bad argument #3 to 'equal' (nothing is expected here, got 0.5)", a.equal, a, a, 0.5)
    refuses("bad argument #3 to 'fill' (nothing is expected here", a.fill, a, 5, {})
    refuses("bad argument #3 to 'save' (nothing is expected here", a.save, a, "/nonexistent/a.npy", {})
    refuses("bad argument #2 to 'totable' (nothing is expected here", a.totable, a, true)
    refuses("bad argument #2 to 'tobytes' (nothing is expected here", a.tobytes, a, "<")
    refuses("bad argument #2 to 'path' (nothing is expected here", a.path, a, 1)
    assert.same({ 1, 2 }, a:totable())
  end)

  it("of metamethods and methods raises", function()
    local a = shmx.array("i64", 3)
    local functions = {}
    for _, name in ipairs { "__index", "__newindex", "__len", "__tostring", "__close", "__gc" } do
      functions[#functions + 1] = getmetatable(a)[name]
    end
    for name in ("get set fill copy astype sum min max totable tobytes view reshape close"):gmatch "%a+" do
      functions[#functions + 1] = a[name]
      refuses(("bad argument #1 to '%s' (shmx.array expected, got number)"):format(name), a[name], 3)
    end
    refuses("calling 'sum' on bad self (shmx.array expected, got table)", function() return ({ sum = a.sum }):sum() end)
    for _, f in ipairs(functions) do
      for _, wrong in ipairs { 1, "x", {}, io.stdout, a.segment, print, coroutine.create(print) } do
        refuses("shmx.array expected", f, wrong, 1, 1)
      end
      assert.is_false(pcall(f))
    end
  end)

  it("of __index and __newindex with too few arguments raises, wherever they are called", function()
    local a = shmx.full("i64", 3, 7)
    local read, write = getmetatable(a).__index, getmetatable(a).__newindex
    assert.equal(7, read(a, 2))
    write(a, 2, 8)
    for _, call in ipairs { pcall, function(...) return coroutine.resume(coroutine.create(...)) end } do
      for _, arguments in ipairs { {}, { a }, { 1 }, { a, "1" }, { a, 1.5 } } do
        assert.is_false(call(read, table.unpack(arguments)))
        assert.is_false(call(write, table.unpack(arguments)))
      end
      assert.is_false(call(write, a, 1))
      assert.is_false(call(write, 1, 1))
    end
    assert.same({ 7, 8, 7 }, a:totable())
  end)

  it("of the metatable does not confuse types", function()
    local a = shmx.array("i64", 3)
    local meta = getmetatable(a)
    local fake = debug.setmetatable(io.tmpfile(), meta)
    refuses("shmx.array expected", function() return fake[1] end)
    refuses("shmx.array expected", function() return #fake end)
    debug.setmetatable(fake, getmetatable(io.stdout))
    fake:close()
  end)

  it("names the function in a tail call and through another name", function()
    local make = shmx.array
    refuses("bad argument #2 to 'array'", function() return make("i64", -1) end)
    refuses("bad argument #2 to 'array'", function() local b = make("i64", -1) return b end)
  end)

  it("keeps arrays apart: equality is identity", function()
    local a, b = shmx.array("i8", 1), shmx.array("i8", 1)
    assert.is_true(a == a and a ~= b and a ~= a:view())
  end)
end)
