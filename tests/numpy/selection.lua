-- SPDX-License-Identifier: MIT
-- Choosing elements by position and mask, and putting arrays together, for session.lua.

local draw = require "draw"
local shmx = require "shmx"

-- An array with elements in each dimension.
local function some(dtype, wild, ndim)
  local shape = draw.shape(ndim)
  for d, size in ipairs(shape) do shape[d] = math.max(size, 1) end
  return draw.array(dtype, shape, wild)
end

-- Positions among n elements, some of them from the end.
local function positions(n)
  local most = math.min(n, 99)
  local p = draw.indices(draw.of { "i8", "i16", "i32", "i64" }, draw.shape(draw.of { 1, 1, 2 }), -most, most)
  return p:eq(0):where(1, p):astype(p.dtype)
end

local function mask_of(a) return draw.array("bool", a.shape) end

-- Positions as NumPy counts them.
local zero_based = "np.where(%s > 0, %s.astype('q') - 1, %s)"
local p = zero_based:gsub("%%s", "b")

-- Three arrays that differ along one axis, which is added to them as `axis`, and in their dtype.
local function alike(dtype, wild)
  local shape, arrays = draw.shape(draw.of { 1, 2, 3 }), {}
  local axis = math.random(#shape)
  for i = 1, 3 do
    shape[axis] = draw.size()
    arrays[i] = draw.array(draw.once_in(4) and draw.of(draw.all) or dtype, shape, wild and dtype ~= "bool")
  end
  return arrays
end

-- The axis along which three arrays differ, or any.
local function axis_of(a, b, c)
  for d = 1, a.ndim do
    if a.shape[d] ~= b.shape[d] or a.shape[d] ~= c.shape[d] then return { axis = d } end
  end
  return { axis = draw.axis(a) }
end

local operations = {
  {
    name = "take", numpy = "a.take(" .. p .. ")", times = 2,
    arrays = function(dtype, wild)
      local a = some(dtype, wild)
      return { a, positions(a.size) }
    end,
    shmx = function(_, a, b) return a:take(b) end,
  },
  {
    name = "take, clipped", numpy = "a.take(b - 1, mode='clip')", kind = true, wild = false,
    arrays = function(dtype)
      local b = draw.indices("i64", draw.shape(draw.of { 1, 1, 2 }), 1, 999)
      return { some(dtype, false), b }
    end,
    shmx = function(_, a, b)
      local out = draw.once_in(2) and shmx.empty(a.dtype, b.shape) or nil
      return a:take(b, { out = out, mode = "clip" })
    end,
  },
  {
    name = "take along an axis", numpy = "a.take(" .. p .. ", axis=axis0(axis))", times = 2,
    given = function(a) return { axis = draw.axis(a) } end,
    arrays = function(dtype, wild)
      local a = some(dtype, wild)
      return { a, positions(math.min(table.unpack(a.shape))) }
    end,
    shmx = function(given, a, b) return a:take(b, given.axis) end,
  },
  {
    name = "take into an array", numpy = "a.take(" .. p .. ")", kind = true, wild = false,
    arrays = function(dtype)
      local a = some(dtype, false)
      return { a, positions(a.size) }
    end,
    shmx = function(_, a, b)
      local out = draw.array(draw.of { a.dtype, "f64" }, b.shape)
      return a:take(b, { out = out })
    end,
  },
  {
    name = "take by a mask", numpy = "a[b]",
    arrays = function(dtype, wild)
      local a = draw.array(dtype, nil, wild)
      return { a, mask_of(a) }
    end,
    shmx = function(_, a, b) return a:take(b) end,
  },
  {
    name = "take by a mask along an axis", numpy = "a.compress(b, axis=axis0(axis))",
    given = function(a, b)
      for d, size in ipairs(a.shape) do
        if size == #b then return { axis = d } end
      end
    end,
    arrays = function(dtype, wild)
      local a = some(dtype, wild)
      return { a, draw.array("bool", { draw.of(a.shape) }) }
    end,
    shmx = function(given, a, b) return a:take(b, given.axis) end,
  },
  {
    name = "put", numpy = "(np.put(a, " .. p .. ", c), a)[1]",
    arrays = function(dtype, wild)
      local a = some(dtype, wild)
      local b = positions(a.size)
      return { a, b, draw.array(dtype, b.shape, wild) }
    end,
    shmx = function(_, a, b, values) return a:put(b, values) end,
  },
  {
    name = "put a number", numpy = "(np.put(a, " .. p .. ", value), a)[1]",
    given = function(a) return { value = draw.value(a.dtype, false) } end,
    arrays = function(dtype, wild)
      local a = some(dtype, wild)
      return { a, positions(a.size) }
    end,
    shmx = function(given, a, b) return a:put(b, given.value) end,
  },
  {
    name = "put by a mask", numpy = "(np.place(a, b, c) if b.any() else None, a)[1]",
    arrays = function(dtype, wild)
      local a = draw.array(dtype, nil, wild)
      local mask = mask_of(a)
      return { a, mask, draw.array(dtype, { mask:sum() }, wild) }
    end,
    shmx = function(_, a, mask, values) return a:put(mask, values) end,
  },
  {
    name = "put a number by a mask", numpy = "(np.putmask(a, b, value), a)[1]",
    given = function(a) return { value = draw.value(a.dtype, false) } end,
    arrays = function(dtype, wild)
      local a = draw.array(dtype, nil, wild)
      return { a, mask_of(a) }
    end,
    shmx = function(given, a, mask) return a:put(mask, given.value) end,
  },
  {
    name = "concat", arrays = alike, wild = false, given = axis_of, times = 2,
    numpy = "np.concatenate([a, b, c], axis0(axis))",
    shmx = function(given, ...) return shmx.concat({ ... }, given.axis) end,
  },
  {
    name = "stack", numpy = "np.stack([a, b], axis0(axis))",
    arrays = function(dtype, wild)
      local shape = draw.shape()
      return { draw.array(dtype, shape, wild), draw.array(dtype, shape, wild) }
    end,
    given = function(a) return { axis = draw.of { math.random(a.ndim + 1), -math.random(a.ndim + 1) } } end,
    shmx = function(given, a, b) return shmx.stack({ a, b }, given.axis) end,
  },
  {
    name = "split", numpy = "tuple(np.array_split(a, parts, axis0(axis)))",
    given = function(a) return { axis = draw.axis(a), parts = math.random(5) } end,
    shmx = function(given, a) return table.unpack(a:split(given.parts, given.axis)) end,
  },
  {
    name = "split at positions", numpy = "tuple(np.split(a, [i - 1 for i in positions]))",
    given = function(a)
      local list = { math.random(#a + 1), math.random(#a + 1) }
      table.sort(list)
      return { positions = list }
    end,
    shmx = function(given, a) return table.unpack(a:split(given.positions)) end,
  },
  {
    name = "tile", numpy = "np.tile(a, repeats)",
    given = function()
      local repeats = {}
      for i = 1, math.random(4) do repeats[i] = math.random(0, 3) end
      return { repeats = repeats }
    end,
    shmx = function(given, a) return a:tile(table.unpack(given.repeats)) end,
  },
  {
    name = "nonzero", numpy = "tuple(i + 1 for i in a.nonzero())",
    shmx = function(_, a) return a:nonzero() end,
  },
}

return operations
