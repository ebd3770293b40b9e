-- SPDX-License-Identifier: MIT
--
-- Raw pictures as arrays: PGM (P5) is {height, width}, PPM (P6) is {height, width, 3} with red, green and blue; u8, or
-- u16 if values go beyond 255.
--
--   local pnm = require "pnm"
--   local picture = pnm.read("in.ppm")
--   pnm.write("out.pgm", picture:mean(3):astype("u8"))

local shmx = require "shmx"

local pnm = {}

-- The file has the high byte first.
local function swap_bytes(a)
  if string.pack("=I2", 1) == string.pack(">I2", 1) then return a end
  return (a << 8) | (a >> 8)
end

-- The four words of a header, the magic number, width, height and the largest value, and where the pixels begin. There
-- may be comments between the words.
local function read_header(bytes)
  local words, at = {}, 1
  while #words < 4 do
    local word, after = bytes:match("^%s*([^%s#]+)()", at)
    if word then words[#words + 1] = word end
    at = after or bytes:match("^%s*#[^\n]*()", at)
    if not at then return nil end
  end
  return words[1], math.tointeger(words[2]), math.tointeger(words[3]), math.tointeger(words[4]), at + 1
end

---@param path string
---@return shmx.Array picture
---@return integer largest  the value of white
function pnm.read(path)
  local file <close> = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  local magic, width, height, largest, at = read_header(bytes)
  local shape = ({ P5 = { height, width }, P6 = { height, width, 3 } })[magic]
  if not (shape and width and height and largest and largest > 0 and largest < 65536) then
    error(path .. " is not a raw picture (P5 or P6)", 0)
  end
  local dtype = largest < 256 and "u8" or "u16"
  local size = width * height * (shape[3] or 1) * (dtype == "u8" and 1 or 2)
  if #bytes - at + 1 < size then error(path .. " ends too early", 0) end
  local picture = shmx.frombytes(bytes:sub(at, at + size - 1), dtype, shape)
  return dtype == "u8" and picture or swap_bytes(picture), largest
end

---@param path string
---@param picture shmx.Array  u8 or u16, {height, width} or {height, width, 3}
---@param largest integer?    the value of white; the dtype's largest one
function pnm.write(path, picture, largest)
  local height, width, colours = table.unpack(picture.shape)
  if picture.ndim < 2 or picture.ndim > 3 or (colours or 3) ~= 3 or not picture.dtype:find("^u[81]") then
    local got = picture.dtype .. " {" .. table.concat(picture.shape, ", ") .. "}"
    error("a picture is u8 or u16, {height, width} or {height, width, 3}, not " .. got, 2)
  end
  local wide = picture.dtype == "u16"
  local file <close> = assert(io.open(path, "wb"))
  file:write(("%s\n%d %d\n%d\n"):format(colours and "P6" or "P5", width, height, largest or wide and 65535 or 255))
  assert(file:write((wide and swap_bytes(picture) or picture):tobytes()))
end

return pnm
