-- SPDX-License-Identifier: MIT
-- Sorting, running sums, and what follows from order, for session.lua.

local draw = require "draw"
local shmx = require "shmx"

local function axis(a) return { axis = draw.axis(a) } end

-- Arrays with many equal elements, and now and then long lines of them, up, down or mixed.
local function ties(dtype, wild)
  local a = draw.array(dtype, draw.once_in(4) and { math.random(1000, 6000) } or nil, wild)
  if a.ndim == 1 and draw.once_in(3) then a = a:sort { descending = draw.once_in(2) } end
  return { a }
end

local operations = {
  { name = "sort", arrays = ties, numpy = "np.sort(a, axis0(axis))", ulp = 1, given = axis, times = 3,
    shmx = function(given, a) return a:sort(given.axis) end },
  { name = "sort in place", arrays = ties, numpy = "np.sort(a)", ulp = 1,
    shmx = function(_, a) return a:sort { out = a } end },
  { name = "sort downwards", arrays = ties, numpy = "np.flip(np.sort(a), -1)", ulp = 1,
    shmx = function(_, a) return a:sort { descending = true } end },
  { name = "argsort", arrays = ties, numpy = "np.argsort(a, axis0(axis), kind='stable') + 1", given = axis, times = 3,
    shmx = function(given, a) return a:argsort(given.axis) end },
  { name = "argsort downwards", dtypes = draw.integers, arrays = ties,
    numpy = "np.argsort(~a, kind='stable') + 1",
    shmx = function(_, a) return a:argsort { descending = true } end },
  { name = "cumsum", wild = false, numpy = "a.cumsum()", shmx = function(_, a) return a:cumsum() end },
  { name = "cumsum along an axis", numpy = "a.cumsum(axis0(axis))", given = axis, times = 2,
    shmx = function(given, a) return a:cumsum(given.axis) end },
  { name = "cumsum in place", dtypes = { "i64", "u64", "f32", "f64" }, numpy = "a.cumsum(axis0(axis))", given = axis,
    shmx = function(given, a) return a:cumsum(given.axis, { out = a }) end },
  { name = "cumsum into a wider array", dtypes = draw.integers, wild = false, kind = true, numpy = "a.cumsum(0)",
    shmx = function(_, a) return a:cumsum(1, { out = shmx.array("f64", a.shape) }) end },
  { name = "cumprod", dtypes = { "i8", "u32", "i64", "bool" }, numpy = "a.cumprod(axis0(axis))", given = axis,
    shmx = function(given, a) return a:cumprod(given.axis) end },
  { name = "cumprod of floats", dtypes = draw.floats, wild = false, numpy = "a.cumprod(axis0(axis))", given = axis,
    shmx = function(given, a) return a:cumprod(given.axis) end },
  { name = "diff", numpy = "np.diff(a, axis=axis0(axis))", given = axis,
    shmx = function(given, a) return a:diff(given.axis) end },
}
return operations
