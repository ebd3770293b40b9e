-- SPDX-License-Identifier: MIT
--
-- Blurs a grey picture (PGM, P5, 8 bits) in place in one shared array. The blur is done along each row, then along each
-- column; the workers take bands of rows, then bands of columns, so that no two of them touch the same pixel.
--
--   shmx-lua filter.lua [IN.pgm [OUT.pgm]]        without IN a chessboard, without OUT a temporary file

package.path = arg[0]:gsub("[^/]*$", "") .. "modules/?.lua;" .. package.path

local pnm = require "pnm"
local shmx = require "shmx"

-- Lines first .. last of the picture, a row or a column each: `count` pixels that lie `pixel` apart, and lines that lie
-- `line` apart. The weights are 1 4 6 4 1; outside the picture its border goes on.
local function blur(picture, first, last, line, pixel, count)
  for l = first, last do
    local start, old = (l - 1) * line + 1, {}
    for i = 1, count do old[i] = picture[start + (i - 1) * pixel] end
    old[-1], old[0], old[count + 1], old[count + 2] = old[1], old[1], old[count], old[count]
    for i = 1, count do
      local sum = old[i - 2] + 4 * old[i - 1] + 6 * old[i] + 4 * old[i + 1] + old[i + 2]
      picture[start + (i - 1) * pixel] = (sum + 8) // 16
    end
  end
end

-- One task for each band of lines; all of them have ended when this returns.
local function blur_lines(pool, picture, lines, ...)
  local band, tasks = 64, {}
  for first = 1, lines, band do
    tasks[#tasks + 1] = shmx.task(blur, picture, first, math.min(first + band - 1, lines), ...)
  end
  pool:execute(tasks)
end

local function chessboard(width, height)
  return shmx.array("u8", { height, width }):generate(function(y, x)
    return ((x - 1) // 32 + (y - 1) // 32) % 2 * 255
  end)
end

local input, output = arg[1], arg[2] or os.tmpname()
local picture = input and pnm.read(input) or chessboard(512, 512)
if picture.ndim ~= 2 or picture.dtype ~= "u8" then error(input .. " is not a grey picture of 8 bits", 0) end
local height, width = table.unpack(picture.shape)
local before = picture:mean()
do
  local pixels = picture:reshape(-1)
  local pool <close> = shmx.pool()
  blur_lines(pool, pixels, height, width, 1, width)
  blur_lines(pool, pixels, width, 1, width, height)
end
pnm.write(output, picture)
print(("%d x %d pixels, mean %.2f before and %.2f after, written to %s"):format(
  width, height, before, picture:mean(), output))
