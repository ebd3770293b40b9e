-- SPDX-License-Identifier: MIT
--
-- A kernel in C fills a picture of the Mandelbrot set, each worker some of its rows.
--
--   scripts/run scripts/examples/mandelbrot.lua [WIDTH [PICTURE.pgm]]
--
-- The kernel, modules/mandelbrot.c, is a function of a C module, and so is a task like any other. The picture is one
-- array; each task gets a view of some rows of it and fills them where they are.

-- Where scripts/run builds the modules; an installed one is found without this line.
local here = arg[0]:gsub("[^/]*$", "")
package.cpath = here .. "../../.build/release/examples/?.so;" .. package.cpath
package.path = here .. "modules/?.lua;" .. package.path

local mandelbrot = require "mandelbrot"
local pnm = require "pnm"
local shmx = require "shmx"

local width = math.tointeger(tonumber(arg[1] or 600)) or error("the width is no whole number")
local path = arg[2] or os.tmpname()
local height, limit, rows = width * 2 // 3, 255, 16
local step = 3 / width

local picture = shmx.array("u8", { height, width })
local begin = shmx.clock()
do
  local pool <close> = shmx.pool()
  local tasks = {}
  for first = 1, height, rows do
    local part = picture:view { first, math.min(first + rows - 1, height) }
    tasks[#tasks + 1] = shmx.task(mandelbrot.fill, part, -2.0, (first - 1) * step - 1, step, limit)
  end
  pool:execute(tasks)
end
print(("%d x %d points in %.3f s, %d steps"):format(width, height, shmx.clock() - begin, picture:sum()))

pnm.write(path, picture)
print("written to " .. path)
