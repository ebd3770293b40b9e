-- SPDX-License-Identifier: MIT
--
-- Packs a file as gzip does, on all cores: FILE becomes FILE.gz, which gzip and zcat read.
--
--   scripts/run scripts/examples/gzip.lua FILE [LEVEL]
--
-- modules/deflate.c makes functions of zlib tasks. Each block of the file is packed by itself: several gzip files one
-- after another are a gzip file again.

-- Where scripts/run builds the modules; an installed one is found without this line.
package.cpath = arg[0]:gsub("[^/]*$", "") .. "../../.build/release/examples/?.so;" .. package.cpath

local shmx = require "shmx"
local deflate = require "deflate"

local path = arg[1]
if not path then
  io.stderr:write "usage: gzip.lua FILE [LEVEL]\n"
  os.exit(1)
end
local level = math.tointeger(tonumber(arg[2] or 6))
local block, ahead = 1 << 20, 4 * shmx.cpus() -- bytes of a block, and blocks under way

local input <close> = assert(io.open(path, "rb"))
local output <close> = assert(io.open(path .. ".gz", "wb"))
local pool <close> = shmx.pool()
local tasks, first, last, read, written = {}, 1, 0, 0, 0

local function submit(bytes)
  last, read = last + 1, read + #bytes
  tasks[last] = pool:submit(deflate.gzip, shmx.from(bytes, "u8"), level)
end

-- Writes the oldest block under way.
local function write()
  local packed <close> = tasks[first]:get()
  tasks[first], first = nil, first + 1
  written = written + #packed
  assert(output:write(packed:tobytes()))
end

repeat
  local bytes = input:read(block) or ""
  submit(bytes)
  if last - first >= ahead then write() end
until #bytes < block
while first <= last do write() end

print(("%s.gz: %d bytes of %d, in %d blocks"):format(path, written, read, last))
