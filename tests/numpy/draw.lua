-- SPDX-License-Identifier: MIT
--
-- Random arrays for the comparison with NumPy: of any shape and dtype, in every layout that views can give them. All of
-- it comes from math.random, so that a seed says which arrays there are.

local shmx = require "shmx"

local random = math.random

local draw = {}

draw.integers = { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64" }
draw.floats = { "f32", "f64" }
draw.numbers = { table.unpack(draw.integers) }
table.move(draw.floats, 1, #draw.floats, #draw.numbers + 1, draw.numbers)
draw.all = { table.unpack(draw.numbers) }
draw.all[#draw.all + 1] = "bool"

---One of a list.
function draw.of(list) return list[random(#list)] end

---True once in `n` times.
function draw.once_in(n) return random(n) == 1 end

---A size: sometimes 0 or 1, seldom large.
function draw.size()
  if draw.once_in(25) then return 0 end
  if draw.once_in(8) then return 1 end
  return random(2, 7)
end

---A shape of `ndim` dimensions, or of 1 to 4. A vector may be long enough for blocks and their rests.
function draw.shape(ndim)
  ndim = ndim or draw.of { 1, 1, 1, 2, 2, 2, 3, 3, 4 }
  if ndim == 1 and draw.once_in(2) then return { draw.once_in(4) and random(200, 3000) or random(8, 150) } end
  local shape = {}
  for d = 1, ndim do shape[d] = draw.size() end
  return shape
end

---Several shapes that broadcast to one another: some sizes are 1, some leading dimensions are missing.
function draw.shapes(count)
  local whole, shapes = draw.shape(), {}
  for i = 1, count do
    local first = draw.once_in(4) and random(1, #whole) or 1
    shapes[i] = {}
    for d = first, #whole do
      table.insert(shapes[i], draw.once_in(5) and 1 or whole[d])
    end
  end
  return shapes
end

---An axis of an array, 1-based or from the end.
function draw.axis(a)
  local axis = random(a.ndim)
  return draw.once_in(3) and axis - a.ndim - 1 or axis
end

---The order of `n` things.
function draw.permutation(n)
  local order = {}
  for i = 1, n do table.insert(order, random(i), i) end
  return order
end

local limits = {
  i8 = { -128, 127 }, u8 = { 0, 255 }, i16 = { -32768, 32767 }, u16 = { 0, 65535 },
  i32 = { -1 << 31, (1 << 31) - 1 }, u32 = { 0, (1 << 32) - 1 },
  i64 = { math.mininteger, math.maxinteger }, u64 = { math.mininteger, math.maxinteger },
}

local function integer(dtype, wild)
  local low, high = limits[dtype][1], limits[dtype][2]
  if not wild or draw.once_in(3) then return random(dtype:sub(1, 1) == "u" and 0 or -9, 10) end
  return draw.once_in(5) and draw.of { low, high } or random(low, high)
end

local specials = { 0.0, -0.0, math.huge, -math.huge, 0 / 0, 1e-310, 3e38, -1e308 }

local function float(wild)
  if not wild or draw.once_in(2) then return draw.once_in(3) and random(-9, 10) + 0.0 or random() * 200 - 100 end
  return draw.once_in(3) and draw.of(specials) or (random() - 0.5) * 2.0 ^ random(-60, 60)
end

---One value that the dtype holds. `wild` ones are of any size, infinite, or not a number.
function draw.value(dtype, wild)
  if dtype == "bool" then return draw.once_in(2) end
  return limits[dtype] and integer(dtype, wild) or float(wild)
end

-- How one dimension of `n` elements lies in a larger one: its size there, and the range that picks it.
local function layout(n)
  if not draw.once_in(3) then return n, { 1, n } end
  local step, before, after = random(1, 3), random(0, 2), random(0, 2)
  local size = before + (n > 0 and (n - 1) * step + 1 or 0) + after
  if n > 0 and draw.once_in(2) then return size, { size - after, before + 1, -step } end
  return size, n > 0 and { before + 1, size - after, step } or { 1, 0 }
end

---An array with these elements, in a random layout: with gaps, turned around, its dimensions in any order in memory.
---`value(i)` gives element i of the memory that it lies in.
local function laid_out(dtype, shape, value)
  local ndim = #shape
  local order = draw.once_in(2) and draw.permutation(ndim) or nil
  local sizes, ranges, back = {}, {}, {}
  for d = 1, ndim do
    local place = order and order[d] or d
    sizes[place], ranges[place] = layout(shape[d])
    back[d] = place
  end
  local whole = shmx.empty(dtype, sizes)
  local flat = whole:reshape(whole.size)
  for i = 1, #flat do flat[i] = value(i) end
  local view = whole:view(table.unpack(ranges, 1, ndim))
  return order and view:transpose(back) or view
end

---A random array of that dtype and shape. `wild`: with values of any size; tame ones are small, and finite.
function draw.array(dtype, shape, wild)
  return laid_out(dtype, shape or draw.shape(), function() return draw.value(dtype, wild) end)
end

---An array of floats whose product has the same value in whatever order it is formed, rounding aside: near 1 or -1, and
---rarely 0. Of others a part may be infinite, and nothing times that is not a number.
function draw.factors(dtype, shape)
  local function factor()
    if draw.once_in(1000) then return 0.0 end
    return (draw.once_in(2) and 1 or -1) * (0.98 + random() * 0.04)
  end
  return laid_out(dtype, shape or draw.shape(), factor)
end

---An array of 64-bit numbers, many of which differ by less than doubles do there.
function draw.near_powers(dtype, shape)
  return laid_out(dtype, shape, function()
    local power = draw.of { 0, 52, 53, 54, 62, 63, 64 }
    if dtype == "f64" then
      local x = 2.0 ^ power + random(-2, 2) * 2.0 ^ (power - 52)
      return draw.once_in(9) and draw.of(specials) or draw.once_in(3) and -x or x
    end
    local n = (power < 64 and 1 << power or 0) + random(-2, 2)
    return dtype == "i64" and draw.once_in(3) and -n or n
  end)
end

---An array of integers from `first` to `last`.
function draw.indices(dtype, shape, first, last)
  return laid_out(dtype, shape, function() return random(first, last) end)
end

return draw
