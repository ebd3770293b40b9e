-- SPDX-License-Identifier: MIT
-- Reductions of whole arrays and along an axis, for session.lua.

local draw = require "draw"

local operations = {}

local function add(operation) operations[#operations + 1] = operation end

-- Arrays with at least one element, for what nothing has none of.
local function some(dtype, wild)
  local shape = draw.shape()
  for d, size in ipairs(shape) do shape[d] = math.max(size, 1) end
  return { draw.array(dtype, shape, wild) }
end

local function axis(a) return { axis = draw.axis(a), keepdims = draw.once_in(4) } end

-- Adds an operation, once for the whole array and once along an axis. `numpy` has its arguments in %s.
local function both(operation)
  local name, numpy, scale = operation.name, operation.numpy, operation.scale
  local function copy(fields)
    for key, value in pairs(operation) do
      if fields[key] == nil then fields[key] = value end
    end
    return fields
  end
  add(copy {
    numpy = numpy:gsub("%%s", ""), scale = scale and scale:gsub("%%s", ""),
    shmx = function(_, a) return a[name](a) end,
  })
  local arguments = "axis=axis0(axis), keepdims=keepdims"
  add(copy {
    name = name .. " along an axis",
    numpy = numpy:gsub("%%s", arguments), scale = scale and scale:gsub("%%s", arguments),
    arrays = function(dtype, wild)
      local a = (operation.arrays or function() return { draw.array(dtype, nil, wild) } end)(dtype, wild)[1]
      return { a.ndim > 1 and a or (operation.draw or draw.array)(dtype, { #a, 5 }, wild) }
    end,
    given = axis, times = 2,
    shmx = function(given, a)
      if draw.once_in(2) then return a[name](a, given.axis, { keepdims = given.keepdims }) end
      return a[name](a, given)
    end,
  })
end

both { name = "sum", dtypes = draw.integers, numpy = "a.sum(%s)" }
both { name = "sum", dtypes = { "bool" }, numpy = "a.sum(%s)" }
both {
  name = "sum", dtypes = draw.floats, wild = false, numpy = "a.astype('g').sum(%s).astype(a.dtype)",
  ulp = 4, scale = "np.abs(a).sum(%s)",
}
both { name = "prod", dtypes = draw.integers, numpy = "a.prod(%s)" }
both { name = "prod", dtypes = { "bool" }, numpy = "a.prod(%s)" }
both {
  name = "prod", dtypes = draw.floats, numpy = "a.astype('g').prod(%s).astype(a.dtype)", ulp = 512,
  arrays = function(dtype) return { draw.factors(dtype) } end, draw = draw.factors,
}
both { name = "any", numpy = "a.any(%s)" }
both { name = "all", numpy = "a.all(%s)" }
for _, name in ipairs { "min", "max" } do
  both { name = name, arrays = some, numpy = "a." .. name .. "(%s)", ulp = 1 }
end
both { name = "minmax", arrays = some, numpy = "(a.min(%s), a.max(%s))", ulp = 1 }
both {
  name = "mean", wild = false, numpy = "a.astype('g').mean(%s).astype(a.mean().dtype)",
  ulp = 4, scale = "np.abs(a.astype(a.mean().dtype)).mean(%s)",
}
both {
  name = "var", wild = false, numpy = "a.astype('g').var(%s).astype(a.mean().dtype)",
  ulp = 64, scale = "a.astype('d').var(%s)",
}
both { name = "std", wild = false, numpy = "a.astype('g').std(%s).astype(a.mean().dtype)", ulp = 64 }

for _, name in ipairs { "argmin", "argmax" } do
  add {
    name = name, arrays = some, numpy = "a." .. name .. "() + 1",
    shmx = function(_, a) return a[name](a) end,
  }
  add {
    name = name .. " along an axis", numpy = "np." .. name .. "(a, axis0(axis), keepdims=keepdims) + 1", given = axis,
    arrays = function(dtype, wild)
      local a = some(dtype, wild)[1]
      return { a.ndim > 1 and a or draw.array(dtype, { #a, 5 }, wild) }
    end,
    shmx = function(given, a) return a[name](a, given) end,
  }
end

add {
  name = "sum into an array", dtypes = draw.integers, numpy = "a.sum(axis0(axis))", kind = true,
  arrays = function(dtype) return { draw.array(dtype, draw.shape(3), true) } end,
  given = function(a) return { axis = draw.axis(a) } end,
  shmx = function(given, a)
    local shape = a:sum(given.axis).shape
    local out = draw.array(draw.of { "i64", "f64" }, shape)
    if out.dtype == "f64" or a.dtype:sub(1, 1) == "u" then out = draw.array(a.dtype:sub(1, 1) .. "64", shape) end
    assert(a:sum { axis = given.axis, out = out } == out)
    return out
  end,
}
add {
  name = "largest into a part of the array itself", dtypes = draw.numbers, wild = false, numpy = "a.max(0)",
  arrays = function(dtype, wild) return { draw.array(dtype, { math.random(2, 9), math.random(9) }, wild) } end,
  shmx = function(_, a) return a:max(1, { out = a[1] }) end,
}
add {
  name = "var with ddof", dtypes = { "f64", "i32" }, wild = false, numpy = "a.astype('g').var(ddof=ddof).astype('d')",
  ulp = 64, given = function() return { ddof = math.random(0, 2) } end,
  shmx = function(given, a) return a:var(given) end,
}
add {
  name = "long sums", dtypes = draw.floats, wild = false, numpy = "a.astype('g').sum(axis0(axis)).astype(a.dtype)",
  ulp = 4, scale = "np.abs(a).sum(axis0(axis))", times = 0.1,
  arrays = function(dtype)
    local shape = draw.of { { 3000, 7 }, { 7, 3000 }, { 2, 1500, 3 }, { 600, 40 } }
    return { draw.array(dtype, shape) }
  end,
  given = function(a) return { axis = draw.axis(a) } end,
  shmx = function(given, a) return a:sum(given.axis) end,
}

return operations
