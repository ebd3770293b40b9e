-- SPDX-License-Identifier: MIT
-- Distinct elements, places among sorted ones, and counts by bins, for session.lua.

local draw = require "draw"

-- A sorted vector, in any layout.
local function sorted(dtype, wild, n)
  local a = draw.array(dtype, { n or draw.size() + math.random(0, 30) }, wild):sort()
  if draw.once_in(3) then a = a:view { 1, #a, 2 } end
  return a
end

local function some_dtype(dtype) return draw.once_in(3) and draw.of(draw.all) or dtype end

local function sorted_and_values(dtype, wild)
  local other = some_dtype(dtype)
  return { sorted(dtype, wild), draw.array(other, nil, wild and other ~= "bool") }
end

local function side() return { side = draw.of { "left", "right" } } end

-- Numbers of bins, and weights for them.
local function bins_and_weights(dtype)
  local a = draw.indices(draw.of(draw.integers), draw.shape(), 1, draw.of { 1, 20, 100 })
  return { a, draw.array(dtype, a.shape, false) }
end

local function values_and_weights(dtype, wild)
  local a = draw.array(draw.of(draw.numbers), nil, wild)
  local weights = draw.array(dtype, a.shape, false)
  return { a, dtype:sub(1, 1) == "u" and weights or weights:abs() }
end

local function values_and_edges(dtype, wild)
  local edges = sorted(some_dtype(dtype), false, math.random(4, 30)):astype(draw.of(draw.numbers)):sort()
  return { draw.array(dtype, nil, wild), edges }
end

local function bins() return { bins = draw.of { 1, 7, 10, 64, 1000 } } end

local function bins_in_range()
  local low = draw.of { math.random(-10, 5), math.random() * 20 - 10 }
  local high = low + draw.of { 0, math.random(1, 9), math.random() * 20 }
  return { bins = draw.of { 1, 3, 10, 100 }, low = low, high = high }
end

local of_bins = "a.ravel().astype('q') - 1"

local operations = {
  { name = "unique", ulp = 1, numpy = "np.unique(a)", times = 2, shmx = function(_, a) return a:unique() end },
  {
    name = "unique with counts", ulp = 1, numpy = "np.unique(a, return_counts=True)",
    shmx = function(_, a) return a:unique { counts = true } end,
  },
  {
    name = "unique with everything", times = 2, ulp = 1,
    numpy = "(lambda s, u, i, v, n: (u, i + 1, v.reshape(s) + 1, n))(a.shape, *np.unique(a, True, True, True))",
    shmx = function(_, a) return a:unique { counts = true, index = true, inverse = true } end,
  },
  {
    name = "unique of many equal ones", wild = false, dtypes = draw.integers,
    arrays = function(dtype) return { draw.array(dtype, { math.random(1000, 5000) }, false) } end,
    numpy = "(lambda u, v: (u, v + 1))(*np.unique(a, return_inverse=True))",
    shmx = function(_, a) return a:unique { inverse = true } end,
  },
  {
    name = "searchsorted", arrays = sorted_and_values, given = side, times = 3,
    numpy = "np.searchsorted(a, b, side) + 1",
    shmx = function(given, a, b) return a:searchsorted(b, { side = given.side }) end,
  },
  {
    name = "searchsorted into an array", wild = false, arrays = sorted_and_values, kind = true,
    numpy = "np.searchsorted(a, b) + 1",
    shmx = function(_, a, b)
      local out = draw.array(draw.of { "i64", "f64", "i32" }, b.shape)
      return a:searchsorted(b, { out = out })
    end,
  },
  {
    name = "searchsorted of a number", arrays = function(dtype, wild) return { sorted(dtype, wild) } end,
    given = function(a)
      local value = draw.value(draw.of { "i8", "f64" }, false)
      return { side = side().side, value = a.dtype:sub(1, 1) == "u" and math.abs(value) or value }
    end,
    numpy = "np.searchsorted(a, value, side) + 1",
    shmx = function(given, a) return a:searchsorted(given.value, { side = given.side }) end,
  },
  {
    name = "bincount", arrays = bins_and_weights, numpy = "np.bincount(" .. of_bins .. ")",
    shmx = function(_, a) return a:bincount() end,
  },
  {
    name = "bincount of weights", arrays = bins_and_weights, kind = true, -- NumPy makes integers of no weights
    given = function() return { least = math.random(0, 40) } end,
    numpy = "np.bincount(" .. of_bins .. ", b.ravel().astype('d'), least)",
    shmx = function(given, a, b) return a:bincount { weights = b, minlength = given.least } end,
  },
  {
    name = "histogram", wild = false, given = bins, ulp = 1, times = 2, numpy = "histogram(a, bins)",
    shmx = function(given, a) return a:histogram(given.bins) end,
  },
  {
    name = "histogram in a range", dtypes = draw.numbers, given = bins_in_range, ulp = 1, times = 2,
    numpy = "histogram(a, bins, (low, high))",
    shmx = function(given, a) return a:histogram(given.bins, { range = { given.low, given.high } }) end,
  },
  {
    name = "histogram between edges", dtypes = draw.numbers, arrays = values_and_edges, times = 2,
    numpy = "np.histogram(a, b)", shmx = function(_, a, b) return a:histogram(b) end,
  },
  {
    name = "histogram of weights", dtypes = draw.numbers, arrays = values_and_weights, wild = false, given = bins,
    kind = true, ulp = 1, numpy = "histogram(a, bins, weights=b.astype('d'))",
    shmx = function(given, a, b) return a:histogram(given.bins, { weights = b }) end,
  },
  {
    name = "density", dtypes = { "f64", table.unpack(draw.integers) }, wild = false, given = bins, ulp = 4,
    numpy = "np.histogram(a, bins, density=True)",
    shmx = function(given, a) return a:histogram(given.bins, { density = true }) end,
  },
  {
    name = "density of weights between edges", dtypes = { "f64" }, arrays = values_and_weights, wild = false,
    kind = true, ulp = 1000, scale = "1.0", -- NumPy subtracts running sums of the weights
    numpy = "np.histogram(a, [-50, -3, 0, 0.5, 4, 100], weights=b, density=True)",
    shmx = function(_, a, b) return a:histogram({ -50, -3, 0, 0.5, 4, 100 }, { weights = b, density = true }) end,
  },
}
return operations
