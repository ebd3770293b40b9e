-- SPDX-License-Identifier: MIT
-- Making arrays and looking at them in other ways, for session.lua.

local draw = require "draw"
local shmx = require "shmx"

-- A range of a dimension of `size` elements, both ends included; never empty, as NumPy counts empty ones otherwise.
local function range(size)
  local first, last = math.random(size), math.random(size)
  local step = math.random(3)
  return { first, last, first <= last and step or -step }
end

-- For each dimension a range, an index, which drops it, or "all"; a dimension stays.
local function parts_of(a)
  local parts, dropped = {}, 0
  for d = 1, a.ndim do
    local size = a.shape[d]
    if size == 0 or draw.once_in(4) then
      parts[d] = "all"
    elseif dropped < a.ndim - 1 and draw.once_in(3) then
      dropped = dropped + 1
      parts[d] = draw.once_in(2) and math.random(size) or -math.random(size)
    else
      parts[d] = range(size)
    end
  end
  return { parts = parts }
end

local function view(given, a)
  local parts = {}
  for d, part in ipairs(given.parts) do
    if part ~= "all" then parts[d] = part end
  end
  return a:view(table.unpack(parts, 1, #given.parts))
end

-- The sizes of an array, some of them put together.
local function merged(a)
  local shape = { 1 }
  for _, size in ipairs(a.shape) do
    if draw.once_in(2) then shape[#shape] = shape[#shape] * size else shape[#shape + 1] = size end
  end
  return { shape = shape }
end

return {
  { name = "view", given = parts_of, shmx = view, numpy = "ranges(a, parts)", times = 3 },
  {
    name = "view of a view", given = parts_of, numpy = "np.flip(ranges(a, parts), 0)",
    shmx = function(given, a)
      local v = view(given, a)
      return v:view({ nil, nil, -1 })
    end,
  },
  { name = "transpose", shmx = function(_, a) return a:transpose() end, numpy = "a.T" },
  {
    name = "transpose by axes", numpy = "a.transpose([axis0(i) for i in axes])",
    given = function(a)
      local axes = draw.permutation(a.ndim)
      for i, axis in ipairs(axes) do axes[i] = draw.once_in(3) and axis - a.ndim - 1 or axis end
      return { axes = axes }
    end,
    shmx = function(given, a) return a:transpose(given.axes) end,
  },
  {
    name = "reshape", given = merged, numpy = "a.reshape(shape)",
    shmx = function(given, a)
      local ok, reshaped = pcall(a.reshape, a, given.shape)
      if ok then return reshaped end
      assert(reshaped:find("cannot be reshaped without a copy", 1, true), reshaped)
      return a:copy():reshape(given.shape)
    end,
  },
  {
    name = "reshape with a size to be found", numpy = "a.reshape(-1, a.shape[-1])",
    shmx = function(_, a) return a:copy():reshape(-1, a.shape[a.ndim]) end,
  },
  {
    name = "element", numpy = "a[tuple(axis0(i) for i in index)]",
    arrays = function(dtype, wild)
      local shape = draw.shape()
      for d, size in ipairs(shape) do shape[d] = math.max(size, 1) end
      return { draw.array(dtype, shape, wild) }
    end,
    given = function(a)
      local index = {}
      for d, size in ipairs(a.shape) do index[d] = draw.once_in(2) and math.random(size) or -math.random(size) end
      return { index = index }
    end,
    shmx = function(given, a) return a:get(table.unpack(given.index)) end,
  },
  { name = "copy", shmx = function(_, a) return a:copy() end, numpy = "a" },
  {
    name = "astype", wild = false, numpy = "a.astype(dtype(to))",
    -- A float that the dtype cannot hold becomes anything in NumPy.
    given = function(a)
      return { to = draw.of(a.dtype:sub(1, 1) == "f" and { "f32", "f64", "bool", "i8", "i32", "i64" } or draw.all) }
    end,
    shmx = function(given, a) return a:astype(given.to) end,
  },
  {
    name = "fill", numpy = "np.full_like(a, value)",
    given = function(a) return { value = draw.value(a.dtype, false) } end,
    shmx = function(given, a) return a:fill(given.value) end,
  },
  {
    name = "frombytes", numpy = "a",
    shmx = function(_, a) return shmx.frombytes(a:tobytes(), a.dtype, a.shape) end,
  },
  {
    name = "from and totable", numpy = "a",
    shmx = function(_, a) return a.size > 0 and shmx.from(a:totable(), a.dtype) or a end,
  },
  {
    name = "linspace", dtypes = draw.numbers, numpy = "np.linspace(first, last, count, dtype=a.dtype)",
    arrays = function(dtype) return { shmx.array(dtype, 1) } end,
    given = function(a)
      return { first = draw.value(a.dtype, false), last = draw.value(a.dtype, false), count = math.random(0, 1100) }
    end,
    shmx = function(given, a) return shmx.linspace(a.dtype, given.first, given.last, given.count) end,
  },
}
