-- SPDX-License-Identifier: MIT
--
-- Heat in a plate whose upper edge is kept at 100 degrees and whose other edges at 0. In each step every point becomes
-- the mean of its four neighbours. There are two arrays; all workers together fill the one from the other, in place.
--
--   shmx-lua heat.lua [POINTS [STEPS]]        along an edge, 49; 5,000

local shmx = require "shmx"

local function whole(text) return math.tointeger(tonumber(text)) or error(text .. " is no whole number", 0) end

local points, steps = whole(arg[1] or 49), whole(arg[2] or 5000)

-- The plate has an edge of one point around it. Row `first` of the inner part is row first + 1 of the plate.
local function inner(plate) return plate:view({ 2, -2 }, { 2, -2 }) end

-- Makes a slice of the new plate; the views share the memory of the old one, and nothing is copied.
local function step(slice, first, old)
  local last, columns = first + #slice - 1, slice.shape[2]
  local function shifted(down, right)
    return old:view({ first + 1 + down, last + 1 + down }, { 2 + right, 1 + right + columns })
  end
  shifted(-1, 0):add(shifted(1, 0), { out = slice })
  slice:add(shifted(0, -1), { out = slice }):add(shifted(0, 1), { out = slice }):mul(0.25, { out = slice })
end

local old, new = shmx.array("f64", { points + 2, points + 2 }), shmx.array("f64", { points + 2, points + 2 })
old:view(1):fill(100)
new:view(1):fill(100)

local begin = shmx.clock()
do
  local pool <close> = shmx.pool()
  for _ = 1, steps do
    pool:fill(inner(new), step, old)
    old, new = new, old
  end
end
print(("%d steps of %d x %d points in %.3f s"):format(steps, points, points, shmx.clock() - begin))
local middle = (points + 1) // 2
for _, depth in ipairs { 1, middle // 4, middle // 2, middle } do
  print(("%4d points below the upper edge: %5.1f degrees"):format(depth, old:get(1 + depth, 1 + middle)))
end
