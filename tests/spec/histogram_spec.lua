-- SPDX-License-Identifier: MIT
--
-- bincount and histogram: what they give, and what wrong use gets. tests/numpy compares values.
local shmx = require "shmx"
local refuses = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/refuses.lua")

describe("bincount", function()
  it("counts how often each number occurs, from 1 on", function()
    local counts = shmx.from({ 1, 3, 3, 1, 6 }):bincount()
    assert.same({ 2, 0, 2, 0, 0, 1 }, counts:totable())
    assert.equal("i64", counts.dtype)
    assert.same({ 2, 2 }, shmx.from({ { 1, 2 }, { 2, 1 } }, "u8"):bincount():totable())
    assert.same({ 0, 1, 0, 0 }, shmx.from({ 2 }):bincount { minlength = 4 }:totable())
    assert.same({ 0 }, shmx.array("i64", 0):bincount().shape)
    assert.same({ 0, 0 }, shmx.array("i64", 0):bincount { minlength = 2 }:totable())
  end)

  it("adds weights of any dtype", function()
    local a = shmx.from { 2, 1, 2 }
    local sums = a:bincount { weights = shmx.from { 0.5, 10, 0.25 } }
    assert.same({ 10, 0.75 }, sums:totable())
    assert.equal("f64", sums.dtype)
    assert.same({ 1, 1 }, a:bincount { weights = shmx.from { true, true, false } }:totable())
  end)

  it("refuses what is no bin, and weights that do not fit", function()
    local a = shmx.from { 1, 2, 0 }
    refuses("bad array for 'bincount' (element 3 is 0, and bins are numbered from 1)", a.bincount, a)
    refuses("element 1 is -1, and bins are numbered from 1", a.bincount, shmx.from { -1 })
    refuses("element 1 is -1, and bins", a.bincount, shmx.from({ -1 }, "u64"))
    refuses("bad array for 'bincount' (integers are expected, not f64)", a.bincount, shmx.from { 1.0 })
    refuses("bad array for 'bincount' (integers are expected, not bool)", a.bincount, shmx.from { true })
    refuses("bad option 'minlength' to 'bincount' (it must not be negative, got -1)", a.bincount, a, { minlength = -1 })
    refuses("bad option 'weights' to 'bincount' (they have the shape {2}, the array {3})",
      a.bincount, a, { weights = shmx.from { 1, 2 } })
    refuses("bad option 'weights' to 'bincount' (an open array is expected, got table)",
      a.bincount, a, { weights = {} })
    refuses("cannot allocate", a.bincount, shmx.from { 1 << 59 })
    refuses("more than there can be", a.bincount, shmx.from { math.maxinteger })
  end)
end)

describe("histogram", function()
  local function both(counts, edges) return { counts:totable(), edges:totable() } end

  it("counts elements between edges with equal distances", function()
    local a = shmx.from { 1, 2, 1, 4, 3, 5 }
    assert.same({ { 2, 1, 1, 2 }, { 1, 2, 3, 4, 5 } }, both(a:histogram(4)))
    assert.same({ 11 }, select(2, a:histogram()).shape)
    assert.same({ { 2, 3 }, { 0, 2, 4 } }, both(a:histogram(2, { range = { 0, 4 } })))
    local counts, edges = a:histogram { bins = 2 }
    assert.same({ "i64", "f64", 6 }, { counts.dtype, edges.dtype, counts:sum() })
    assert.equal("f32", select(2, a:astype("f32"):histogram(3)).dtype)
  end)

  it("takes edges as an array or a list; the last bin has its last edge", function()
    local a = shmx.from { { 0, 1, 2 }, { 3, 4, 5 } }
    assert.same({ { 1, 3 }, { 0, 1, 3 } }, both(a:histogram { 0, 1, 3 }))
    local edges = shmx.from { 0.5, 2, 4 }
    local counts, same = a:histogram(edges)
    assert.same({ 1, 3 }, counts:totable())
    assert.equal(edges, same)
    assert.same({ { 3, 1 }, { 0, 2.5, 3 } }, both(a:histogram { 0, 2.5, 3 }))
  end)

  it("adds weights, and makes densities", function()
    local a = shmx.from { 1, 2, 2 }
    local sums = a:histogram(2, { weights = shmx.from { 0.5, 1, 2 } })
    assert.same({ 0.5, 3 }, sums:totable())
    local density, edges = a:histogram(2, { density = true })
    assert.is_true(math.abs((density * edges:diff()):sum() - 1) < 1e-12)
  end)

  it("leaves out NaN and what is out of range", function()
    local a = shmx.from { 0 / 0, 1, 1 / 0, -1 / 0, 2 }
    assert.same({ 1, 1 }, a:histogram(2, { range = { 0.5, 2 } }):totable())
    assert.same({ 1, 1 }, a:histogram { 0, 2, 3 }:totable())
    refuses("no finite distance; give a range", a.histogram, a)
    assert.same({ { 0, 0 }, { 0, 0.5, 1 } }, both(shmx.array("f64", 0):histogram(2)))
    assert.same({ { 0, 3 }, { 4.5, 5, 5.5 } }, both(shmx.full("i16", 3, 5):histogram(2)))
  end)

  it("refuses bins, ranges and edges that are none", function()
    local a = shmx.from { 1, 2 }
    refuses("at least 1 bin is expected, got 0", a.histogram, a, 0)
    refuses("bins are more than there can be", a.histogram, a, math.maxinteger)
    refuses("a number of bins or their edges are expected, got \"x\"", a.histogram, a, "x")
    refuses("an edge must not be less than the one before it", a.histogram, a, { 1, 3, 2 })
    refuses("an edge must not be less than the one before it", a.histogram, a, shmx.from { 0 / 0, 1 })
    refuses("edges are a vector of at least two numbers, not i64 of the shape {1}", a.histogram, a, { 1 })
    refuses("edges are a vector of at least two numbers, not f64 of the shape {2, 2}", a.histogram, a,
      shmx.array("f64", { 2, 2 }))
    refuses("edges are a vector of at least two numbers, not bool of the shape {2}", a.histogram, a,
      shmx.array("bool", 2))
    refuses("edge 2 is no number but \"x\"", a.histogram, a, { 1, "x" })
    refuses("bad option 'range' to 'histogram' ({low, high} is expected, two numbers in this order)",
      a.histogram, a, 5, { range = { 2, 1 } })
    refuses("bad option 'range' to 'histogram' ({low, high} is expected, got 5)", a.histogram, a, 5, { range = 5 })
    refuses("two numbers in this order", a.histogram, a, 5, { range = { 0, 1, 2 } })
    refuses("bad option 'bins' to 'histogram' (it is given twice: 5 as an argument, 6 as an option)", a.histogram, a, 5,
      { bins = 6 })
    refuses("bad option 'density' to 'histogram' (it stands among the elements of a list, and belongs behind the list)",
      a.histogram, a, { 1, 2, density = true })
    refuses("no finite distance", a.histogram, a, 5, { range = { -1e308, 1e308 } })
    refuses("bad option 'range' to 'histogram' (it is for a number of bins",
      a.histogram, a, { 1, 2 }, { range = { 1, 2 } })
    refuses("bad option 'weight' to 'histogram' (known are: bins, density, range, weights)",
      a.histogram, a, { weight = a })
    refuses("bad option 'weights' to 'histogram' (they have the shape {1}, the array {2})",
      a.histogram, a, 5, { weights = shmx.from { 1 } })
  end)
end)
