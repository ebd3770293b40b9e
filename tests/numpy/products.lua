-- SPDX-License-Identifier: MIT
-- Products of vectors and matrices, for session.lua.

local draw = require "draw"

local random = math.random

-- A size that now and then goes beyond a tile or a block of the kernels.
local function size() return draw.once_in(8) and random(90, 300) or random(0, 20) end

local function vectors(dtype, wild)
  local n = draw.once_in(3) and random(500, 3000) or random(0, 40)
  return { draw.array(dtype, { n }, wild), draw.array(dtype, { n }, wild) }
end

local function matrices(dtype, wild)
  local k = size()
  return { draw.array(dtype, { size(), k }, wild), draw.array(dtype, { k, size() }, wild) }
end

-- Stacks of matrices that broadcast, and vectors.
local function stacks(dtype, wild)
  local m, k, n = random(0, 5), random(0, 5), random(0, 5)
  local shapes = draw.of {
    { { 3, m, k }, { k, n } }, { { m, k }, { 2, k, n } }, { { 2, 1, m, k }, { 3, k, n } }, { { k }, { k, n } },
    { { m, k }, { k } }, { { k }, { 2, k, n } }, { { 3, 2, m, k }, { k } }, { { 1, m, k }, { 4, k, n } },
  }
  return { draw.array(dtype, shapes[1], wild), draw.array(dtype, shapes[2], wild) }
end

local function matmul(_, a, b) return a:matmul(b) end
local function dot(_, a, b) return a:dot(b) end

local products = "np.matmul(np.abs(a), np.abs(b))"

return {
  { name = "dot of integers", dtypes = draw.integers, arrays = vectors, shmx = dot,
    numpy = "a.astype('q').dot(b.astype('q'))" },
  { name = "dot of floats", dtypes = draw.floats, arrays = vectors, wild = false, shmx = dot, ulp = 8,
    numpy = "a.astype('d').dot(b.astype('d'))", scale = "np.abs(a.astype('d')).dot(np.abs(b.astype('d')))" },
  { name = "dot of two dtypes", dtypes = draw.integers, wild = false, shmx = dot, ulp = 8,
    numpy = "a.astype('d').dot(b)", scale = "np.abs(a.astype('d')).dot(np.abs(b))",
    arrays = function(dtype)
      local n = random(0, 700)
      return { draw.array(dtype, { n }), draw.array("f64", { n }) }
    end },
  { name = "matmul of integers", dtypes = draw.integers, arrays = matrices, shmx = matmul, numpy = "a @ b" },
  { name = "matmul of bools", dtypes = { "bool" }, arrays = matrices, shmx = matmul, numpy = "a @ b", times = 0.5 },
  { name = "matmul of floats", dtypes = draw.floats, arrays = matrices, wild = false, shmx = matmul, ulp = 64,
    numpy = "(a.astype('d') @ b.astype('d')).astype(a.dtype)", scale = products, times = 2 },
  { name = "matmul of stacks", dtypes = draw.numbers, arrays = stacks, wild = false, shmx = matmul, ulp = 16,
    numpy = "a @ b", scale = products, times = 3 },
  { name = "dot of matrices", dtypes = { "i64", "u8" }, arrays = matrices, shmx = dot, numpy = "a.dot(b)" },
  { name = "matmul in place", dtypes = { "f64", "i32", "i8" }, wild = false, ulp = 16, numpy = "a @ a",
    scale = "np.abs(a) @ np.abs(a)",
    arrays = function(dtype)
      local n = random(1, 12)
      return { draw.array(dtype, { n, n }) }
    end,
    shmx = function(_, a) return a:matmul(a, { out = a }) end },
}
