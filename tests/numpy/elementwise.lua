-- SPDX-License-Identifier: MIT
-- Elementwise operations, with broadcasting and promotion, for session.lua.

local draw = require "draw"
local shmx = require "shmx"

local operations = {}

local function add(operation) operations[#operations + 1] = operation end

-- Two arrays whose shapes go together; the second has a dtype of `others`.
local function pair(others)
  return function(dtype, wild)
    local shapes = draw.shapes(2)
    return { draw.array(dtype, shapes[1], wild), draw.array(others and draw.of(others) or dtype, shapes[2], wild) }
  end
end

-- The same, and the second has no zeros.
local function divisors(dtype, wild)
  local arrays = pair()(dtype, wild)
  arrays[2] = shmx.where(arrays[2]:eq(0), 3, arrays[2])
  return arrays
end

local function binary(name, numpy, dtypes, fields)
  local operation = {
    name = name, numpy = numpy, dtypes = dtypes, arrays = pair(dtypes), times = 2,
    shmx = function(_, a, b)
      if draw.once_in(2) then return a[name](a, b) end
      local result = a[name](a, b)
      return a[name](a, b, { out = shmx.empty(result.dtype, result.shape) })
    end,
  }
  for key, value in pairs(fields or {}) do operation[key] = value end
  add(operation)
end

local function unary(name, numpy, dtypes, fields)
  local operation = { name = name, numpy = numpy, dtypes = dtypes, shmx = function(_, a) return a[name](a) end }
  for key, value in pairs(fields or {}) do operation[key] = value end
  add(operation)
end

local bits = { table.unpack(draw.integers) }
bits[#bits + 1] = "bool"

binary("add", "a + b", draw.all)
binary("sub", "a - b", draw.numbers)
binary("mul", "a * b", draw.all)
binary("div", "a / b", draw.all)
binary("idiv", "a // b", draw.integers, { arrays = divisors })
binary("mod", "a % b", draw.integers, { arrays = divisors })
binary("idiv of floats", "np.floor(a / b)", draw.floats, { shmx = function(_, a, b) return a // b end })
binary("band", "a & b", bits)
binary("bor", "a | b", bits)
binary("bxor", "a ^ b", bits)
binary("minimum", "np.minimum(a, b)", draw.all, { ulp = 1 })
binary("maximum", "np.maximum(a, b)", draw.all, { ulp = 1 })
for name, sign in pairs { lt = "<", le = "<=", gt = ">", ge = ">=", eq = "==", ne = "!=" } do
  binary(name, ("exactly('%s', a, b)"):format(sign), draw.all)
  binary(name .. " of wide numbers", ("exactly('%s', a, b)"):format(sign), { "i64", "u64", "f64" }, {
    arrays = function(dtype)
      local shapes = draw.shapes(2)
      return { draw.near_powers(dtype, shapes[1]), draw.near_powers(draw.of { "i64", "u64", "f64" }, shapes[2]) }
    end,
    shmx = function(_, a, b) return a[name](a, b) end,
  })
end
for _, name in ipairs { "logical_and", "logical_or", "logical_xor" } do
  binary(name, "np." .. name .. "(a, b)", draw.all)
end
for name, numpy in pairs { pow = "power", atan2 = "arctan2", hypot = "hypot" } do
  binary(name, ("np.%s(a.astype('g'), b.astype('g')).astype(a.dtype)"):format(numpy), draw.floats,
    { arrays = pair(), ulp = 2 })
end

unary("unm", "-a", draw.numbers)
unary("abs", "np.abs(a)", draw.numbers)
unary("sign", "np.sign(a)", draw.numbers)
unary("square", "np.square(a)", draw.numbers)
unary("bnot", "~a", bits)
unary("logical_not", "np.logical_not(a)")
for name, numpy in pairs { floor = "floor", ceil = "ceil", trunc = "trunc", round = "rint", sqrt = "sqrt" } do
  unary(name, "np." .. numpy .. "(a)", draw.floats)
end
for _, name in ipairs { "isnan", "isinf", "isfinite" } do unary(name, "np." .. name .. "(a)") end
for name, numpy in pairs {
  exp = "exp", exp2 = "exp2", expm1 = "expm1", log = "log", log2 = "log2", log10 = "log10", log1p = "log1p",
  sin = "sin", cos = "cos", tan = "tan", asin = "arcsin", acos = "arccos", atan = "arctan",
  sinh = "sinh", cosh = "cosh", tanh = "tanh", asinh = "arcsinh", acosh = "arccosh", atanh = "arctanh", cbrt = "cbrt",
} do
  unary(name, ("np.%s(a.astype('g')).astype(a.dtype)"):format(numpy), draw.floats, { ulp = 2 })
end

add {
  name = "numbers beside arrays", dtypes = draw.integers, wild = false, numpy = "(a + n, n * a, a < n)",
  given = function() return { n = math.random(0, 9) } end,
  shmx = function(given, a) return a + given.n, given.n * a, a:lt(given.n) end,
}
add {
  name = "shifts", dtypes = draw.integers, numpy = "(a << n, a >> n if a.dtype.kind == 'u' else a)",
  given = function() return { n = math.random(0, 7) } end,
  shmx = function(given, a) return a << given.n, a.dtype:match "^u" and a >> given.n or a end,
}
add {
  name = "where", numpy = "np.where(a, b, c)", times = 2,
  arrays = function(dtype, wild)
    local shapes = draw.shapes(3)
    return { draw.array("bool", shapes[1]), draw.array(dtype, shapes[2], wild),
      draw.array(draw.of(draw.all), shapes[3], wild) }
  end,
  shmx = function(_, a, b, c) return shmx.where(a, b, c) end,
}
add {
  name = "muladd", numpy = "np.add(np.multiply(a, b), c)", times = 2,
  arrays = function(dtype, wild)
    local arrays = draw.shapes(3)
    for i, shape in ipairs(arrays) do arrays[i] = draw.array(dtype, shape, wild) end
    return arrays
  end,
  shmx = function(_, a, b, c) return a:muladd(b, c) end,
}
add {
  name = "clip", dtypes = draw.numbers, numpy = "np.clip(a, low, high).astype(a.dtype)", ulp = 1,
  given = function() return { low = math.random(0, 4), high = math.random(5, 9) } end,
  shmx = function(given, a) return a:clip(given.low, given.high) end,
}
add {
  name = "astype", dtypes = bits, numpy = "a.astype(dtype(to))", times = 3,
  given = function() return { to = draw.of(draw.all) } end,
  shmx = function(given, a) return a:astype(given.to) end,
}
add {
  name = "map", dtypes = { "i64", "f64" }, numpy = "(a + 1) * a - 3",
  shmx = function(_, a) return a:map(function(x) return (x + 1) * x - 3 end) end,
}

return operations
