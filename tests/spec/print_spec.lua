-- SPDX-License-Identifier: MIT
-- Arrays as text: what tostring shows of them. tests/c/test_page.c has more about floats.
local shmx = require "shmx"
local lines = table.concat

local function shows(expected, array) assert.equal(expected, tostring(array)) end

describe("a printed vector", function()
  it("is one line with dtype, size and elements", function()
    shows("i8[3] {1, -2, 3}", shmx.from({ 1, -2, 3 }, "i8"))
    shows("f64[2] {1.0, 2.5}", shmx.from { 1, 2.5 })
    shows("bool[2] {true, false}", shmx.from { true, false })
    shows("u64[2] {18446744073709551615, 0}", shmx.from({ -1, 0 }, "u64"))
    shows("i64[0] {}", shmx.array("i64", 0))
  end)

  it("shows all elements that fit into a line", function()
    shows("i64[20] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}", shmx.range("i64", 1, 20))
    local a = shmx.range("i64", 100, 113)
    a[14] = 12345
    assert.equal("i64[14] {" .. lines(a:totable(), ", ") .. "}", tostring(a))
    assert.equal(80, #tostring(a))
    a[14] = 123456
    shows("i64[14] {100, 101, 102, ..., 112, 123456}", a)
  end)

  it("is shortened to its first and last elements otherwise", function()
    shows("i64[1000] {0, 1, 2, ..., 998, 999}", shmx.range("i64", 0, 999))
    shows("f64[101] {0.00, 0.01, 0.02, ..., 0.99, 1.00}", shmx.linspace("f64", 0, 1, 101))
  end)

  it("may be a view with any stride", function()
    shows("i64[4] {10, 7, 4, 1}", shmx.range("i64", 1, 10):view { 10, 1, -3 })
    shows("i64[3] {3, 1003, 2003}", shmx.range("i64", 1, 3000):reshape(3, 1000):view(nil, 3))
  end)
end)

describe("an array of several dimensions", function()
  it("is printed row by row, in columns", function()
    shows(lines({
      "i64[3, 3]",
      "{{  1,  -2, 3},",
      " { 10,  20, 3},",
      " {100, 200, 3}}",
    }, "\n"), shmx.from { { 1, -2, 3 }, { 10, 20, 3 }, { 100, 200, 3 } })
    shows("bool[2, 2]\n{{ true, false},\n {false,  true}}", shmx.from { { true, false }, { false, true } })
  end)

  it("has the same digits in all columns", function()
    shows(lines({
      "f64[2, 3]",
      "{{   1.00, 2.50, nan},",
      " {1000.25, 0.00, inf}}",
    }, "\n"), shmx.from { { 1, 2.5, 0 / 0 }, { 1000.25, 0, math.huge } })
  end)

  it("has an empty line between blocks of rows", function()
    shows(lines({
      "i64[2, 2, 2]",
      "{{{1, 2},",
      "  {3, 4}},",
      "",
      " {{5, 6},",
      "  {7, 8}}}",
    }, "\n"), shmx.range("i64", 1, 8):reshape(2, 2, 2))
  end)

  it("is shortened when there are many rows, and so are rows that do not fit", function()
    shows(lines({
      "i64[1000, 1000]",
      "{{     1,      2,      3, ...,    999,    1000},",
      " {  1001,   1002,   1003, ...,   1999,    2000},",
      " {  2001,   2002,   2003, ...,   2999,    3000},",
      " ...,",
      " {998001, 998002, 998003, ..., 998999,  999000},",
      " {999001, 999002, 999003, ..., 999999, 1000000}}",
    }, "\n"), shmx.range("i64", 1, 1000000):reshape(1000, 1000))
    local whole = tostring(shmx.array("u8", { 40, 2 }))
    assert.equal(40, select(2, whole:gsub("{0, 0}", "")))
    assert.is_nil(whole:find("...", 1, true))
    assert.equal(5, select(2, tostring(shmx.array("u8", { 41, 2 })):gsub("{0, 0}", "")))
  end)

  it("is shortened in all dimensions before the last", function()
    shows(lines({
      "u8[9, 2, 9, 9, 1]",
      "{{{{{1},",
      "    ...,",
      "    {1}},",
      "",
      "   ...,",
      "",
      "   {{1},",
      "    ...,",
      "    {1}}},",
      "",
      "  {{{1},",
      "    ...,",
      "    {1}},",
      "",
      "   ...,",
      "",
      "   {{1},",
      "    ...,",
      "    {1}}}},",
      "",
      " ...,",
      "",
      " {{{{1},",
    }, "\n"), tostring(shmx.full("u8", { 9, 2, 9, 9, 1 }, 1)):sub(1, 170))
    assert.is_true(#tostring(shmx.array("u8", { 9, 9, 9, 9, 9, 9, 9, 9 })) < 8000)
  end)

  it("is only braces when there is nothing in it", function()
    shows("i64[3, 0] {}", shmx.array("i64", { 3, 0 }))
    shows("f32[0, 1000, 5] {}", shmx.array("f32", { 0, 1000, 5 }))
  end)

  it("may be a view", function()
    local a = shmx.range("i64", 1, 12):reshape(3, 4)
    shows("i64[4, 2]\n{{ 9, 1},\n {10, 2},\n {11, 3},\n {12, 4}}", a:transpose():view(nil, { 3, 1, -2 }))
  end)
end)

describe("printing", function()
  it("reads no more of an array than it shows", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    shmx.array("f64", 0):save(path)
    local file <close> = assert(io.open(path, "r+b"))
    local size = 1 << 39
    local header = file:read("a"):gsub("%(0,%), }" .. (" "):rep(#tostring(size) - 1), ("(%d,), }"):format(size))
    file:seek("set", 0)
    file:write(header)
    file:seek("set", #header + 8 * size - 1) -- four tebibytes of zeros, which take no room on the disk
    file:write("\0")
    file:close()
    shows("f64[549755813888] {0.0, 0.0, 0.0, ..., 0.0, 0.0}", shmx.load(path, { mmap = true }))
  end)

  it("is done by print and by tasks as well", function()
    local a = shmx.range("i64", 1, 4):reshape(2, 2)
    local task = shmx.task { function() return a end, name = "same" }
    local pool <close> = shmx.pool { workers = 1 }
    pool:execute(task)
    assert.equal("same() --> Result: " .. tostring(a), tostring(task))
  end)

  it("of a closed array says so", function()
    local a = shmx.array("i64", 1)
    a:close()
    shows("array (closed)", a)
  end)
end)
