-- SPDX-License-Identifier: MIT
--
-- Paints a colour picture of waves that meet: all workers fill one array, each its rows. Then the picture is written,
-- read again, and made a grey one.
--
--   shmx-lua waves.lua [WIDTH [NAME]]        writes NAME.ppm and NAME.pgm; without NAME temporary files

package.path = arg[0]:gsub("[^/]*$", "") .. "modules/?.lua;" .. package.path

local pnm = require "pnm"
local shmx = require "shmx"

local width = math.tointeger(tonumber(arg[1] or 600)) or error("the width is no whole number", 0)
local name = arg[2] or os.tmpname()
local height = width * 2 // 3

-- The rows from `first` on. What is computed for a pixel has no branches, so the function is not called for each: it is
-- read once, and the kernels do what it says for many pixels at a time.
local function paint(rows, first)
  local scale, hypot, sin = 100 / width, shmx.hypot, shmx.sin
  rows:generate(function(y, x, colour)
    local right, down = (x - 1) * scale, (y + first - 2) * scale
    local one, other = hypot(right - 20, down - 30), hypot(right - 70, down - 50)
    return (sin(one + colour * 0.4) + sin(other * 1.3 - colour * 0.7) + 2) * 63.75 // 1
  end)
end

local picture
local begin = shmx.clock()
do
  local pool <close> = shmx.pool()
  picture = pool:fill(shmx.array("u8", { height, width, 3 }), paint)
end
print(("%d x %d pixels in %.3f s"):format(width, height, shmx.clock() - begin))

pnm.write(name .. ".ppm", picture)
local again = pnm.read(name .. ".ppm")
print(("%s.ppm, read again, is %s"):format(name, again:equal(picture) and "the same" or "another picture"))

local weights = shmx.from { 0.299, 0.587, 0.114 } -- how bright the colours are
local grey = (again * weights):sum(3):round():astype("u8")
pnm.write(name .. ".pgm", grey)
local low, high = grey:minmax()
print(("%s.pgm is grey, from %d to %d, %.1f in the mean"):format(name, low, high, grey:mean()))
