-- SPDX-License-Identifier: MIT
--
-- Blurs a grey picture (PGM, P5, 8 bits) in place in one shared array. The blur is done along each row, then along each
-- column; the workers take bands of rows, then bands of columns, so that no two of them touch the same pixel.
--
--   shmx-lua filter.lua [IN.pgm [OUT.pgm]]        without IN a chessboard, without OUT a temporary file

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
  local picture = shmx.array("u8", width * height)
  for y = 0, height - 1 do
    for x = 0, width - 1 do picture[y * width + x + 1] = (x // 32 + y // 32) % 2 * 255 end
  end
  return picture, width, height
end

local function read_pgm(path)
  local file <close> = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  local header, at = {}, 1
  while #header < 4 do -- the magic number, width, height and the largest value, with comments between them
    local word, after = bytes:match("^%s*([^%s#]+)()", at)
    if word then header[#header + 1] = word end
    at = after or bytes:match("^%s*#[^\n]*()", at) or error(path .. " is not a PGM picture", 0)
  end
  local width, height = math.tointeger(header[2]), math.tointeger(header[3])
  if header[1] ~= "P5" or not (width and height) or header[4] ~= "255" then
    error(path .. " is not a grey picture of 8 bits (P5, 255)", 0)
  end
  local pixels = bytes:sub(at + 1, at + width * height)
  if #pixels ~= width * height then error(path .. " ends too early", 0) end
  return shmx.from(pixels, "u8"), width, height
end

local function write_pgm(path, picture, width, height)
  local file <close> = assert(io.open(path, "wb"))
  file:write(("P5\n%d %d\n255\n"):format(width, height), picture:tobytes())
end

local input, output = arg[1], arg[2] or os.tmpname()
local picture, width, height
if input then
  picture, width, height = read_pgm(input)
else
  picture, width, height = chessboard(512, 512)
end
local before = picture:sum()
do
  local pool <close> = shmx.pool()
  blur_lines(pool, picture, height, width, 1, width)
  blur_lines(pool, picture, width, 1, width, height)
end
write_pgm(output, picture, width, height)
print(("%d x %d pixels, mean %.2f before and %.2f after, written to %s"):format(
  width, height, before / #picture, picture:sum() / #picture, output))
