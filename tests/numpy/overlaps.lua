-- SPDX-License-Identifier: MIT
--
-- Results that are written where an operand lies, for session.lua: two views of one array, which overlap in any way, or
-- are turned around. What comes out is what a copy of the operand would have given, and the rest of the array is as it
-- was.

local draw = require "draw"
local shmx = require "shmx"

local operations = {}
local steps = {} -- what chains are made of: the operations that any array can take part in, and their functions

-- A range of `count` of `size` elements, in either direction.
local function range(size, count)
  local step = count > 1 and math.random(math.min(3, (size - 1) // (count - 1))) or 1
  local first = math.random(size - (count - 1) * step)
  local last = first + (count - 1) * step
  if draw.once_in(2) then return { last, first, -step } end
  return { first, last, step }
end

-- The ranges of two views of one shape.
local function two_views(a)
  local p, q = {}, {}
  for d, size in ipairs(a.shape) do
    local count = draw.once_in(4) and size or math.random(size)
    p[d], q[d] = range(size, count), range(size, count)
  end
  return { p = p, q = q }
end

local function some(dtype, wild)
  local shape = draw.shape()
  for d, size in ipairs(shape) do shape[d] = math.max(size, 1) end
  return { draw.array(dtype, shape, wild) }
end

-- f(x, y) writes into y; `numpy` is what it writes, of x and y.
local function add(name, dtypes, numpy, f, fields)
  local operation = {
    name = name .. " into a view of its operand", dtypes = dtypes, arrays = some, given = two_views,
    numpy = ("into(a, q, (lambda x, y: %s)(ranges(a, p), ranges(a, q)))"):format(numpy),
    shmx = function(given, a)
      f(a:view(table.unpack(given.p)), a:view(table.unpack(given.q)))
      return a
    end,
  }
  for key, value in pairs(fields or {}) do operation[key] = value end
  operations[#operations + 1] = operation
  if not (fields and fields.arrays) then steps[#steps + 1] = { numpy = operation.numpy, f = f, dtypes = dtypes } end
end

local function takes(step, dtype)
  for _, name in ipairs(step.dtypes) do
    if name == dtype then return true end
  end
  return false
end

local whole = { "i64", "u64" } -- whose running sums have their own dtype

add("copy", draw.all, "x", function(x, y) x:copy { out = y } end)
add("astype", draw.all, "x", function(x, y) x:astype(x.dtype, { out = y }) end)
add("unm", draw.numbers, "-x", function(x, y) x:unm { out = y } end)
add("add", draw.all, "x + y", function(x, y) x:add(y, { out = y }) end)
add("sub", draw.numbers, "y - x", function(x, y) y:sub(x, { out = y }) end)
add("a broadcast sum", draw.all, "x + y[:1]", function(x, y) x:add(y:view { 1, 1 }, { out = y }) end)
add("muladd", draw.all, "x * y + x", function(x, y) x:muladd(y, x, { out = y }) end)
add("clip", draw.integers, "np.clip(x, 1, 5)", function(x, y) x:clip(1, 5, { out = y }) end)
add("where", draw.all, "np.where(x, y, x)", function(x, y) shmx.where(x, y, x, { out = y }) end)
add("lt", { "bool" }, "x < y", function(x, y) x:lt(y, { out = y }) end)
add("map", { "i64", "f64" }, "(x + 1) * y - 3", function(x, y)
  x:map(function(u, v) return (u + 1) * v - 3 end, y, { out = y })
end)
add("sort", draw.all, "np.sort(x, 0)", function(x, y) x:sort { axis = 1, out = y } end, { ulp = 1 })
add("argsort", { "i64" }, "np.argsort(x, kind='stable') + 1", function(x, y) x:argsort { out = y } end)
add("cumsum", whole, "x.cumsum(0)", function(x, y) x:cumsum { axis = 1, out = y } end)
add("cumprod", whole, "x.cumprod(-1)", function(x, y) x:cumprod { axis = -1, out = y } end)
add("diff", draw.integers, "np.append(np.diff(x, axis=0), y[-1:], 0)", function(x, y)
  if #x > 1 then x:diff { axis = 1, out = y:view { 1, -2 } } end
end)
add("sum", whole, "np.append(x.sum(0, keepdims=True), y[1:], 0)", function(x, y)
  x:sum { axis = 1, keepdims = true, out = y:view { 1, 1 } }
end)
add("concat", draw.all, "np.concatenate([x[1:], y[:1]])", function(x, y)
  shmx.concat({ x:view { 2, #x }, y:view { 1, 1 } }, { out = y })
end)
add("take", draw.all, "x.take(np.arange(len(x))[::-1], 0)", function(x, y)
  x:take(shmx.range("i64", #x, 1, -1), { axis = 1, out = y })
end)
add("put", draw.all, "x", function(x, y)
  if x.size > 0 then y:put(shmx.range("i64", 1, x.size), x) end
end)
add("matmul", whole, "x @ y.T", function(x, y) x:matmul(y:transpose(), { out = y }) end, {
  arrays = function(dtype, wild) return { draw.array(dtype, { 7, 7 }, wild) } end,
  given = function()
    local n, views = math.random(7), { p = {}, q = {} }
    for d = 1, 2 do views.p[d], views.q[d] = range(7, n), range(7, n) end
    return views
  end,
})

-- Several such steps, one after another, on one array.
operations[#operations + 1] = {
  name = "a chain of results into views", dtypes = { "bool", table.unpack(draw.integers) }, arrays = some, times = 4,
  numpy = "chain(a, chosen)",
  given = function(a)
    local chosen = {}
    for i = 1, math.random(5, 10) do
      local number
      repeat number = math.random(#steps) until takes(steps[number], a.dtype)
      chosen[i] = two_views(a)
      chosen[i].number, chosen[i].numpy = number, steps[number].numpy
    end
    return { chosen = chosen }
  end,
  shmx = function(given, a)
    for _, step in ipairs(given.chosen) do
      steps[step.number].f(a:view(table.unpack(step.p)), a:view(table.unpack(step.q)))
    end
    return a
  end,
}

return operations
