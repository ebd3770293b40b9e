-- SPDX-License-Identifier: MIT
--
-- fill.lua HOW [N]: 10^7 (N) integers i * i % 7, in milliseconds: "fresh" into memory that nobody has touched, "warm"
-- after that. HOW is "generate", "loop" (a[i] = ...) or "table" (the same loop over a Lua table that has grown).

local shmx = require "shmx"

local N = math.tointeger(tonumber(arg[2])) or 10000000

local function loop(a)
  for i = 1, N do a[i] = i * i % 7 end
end

local how = {
  generate = function(a) a:generate(function(i) return i * i % 7 end) end,
  loop = loop,
  table = loop,
}

local function time(a)
  local begin = shmx.clock()
  how[arg[1]](a)
  return (shmx.clock() - begin) * 1000
end

local a = arg[1] == "table" and {} or shmx.empty("i64", N)
print("fresh", time(a))
local warm = {}
for i = 1, 3 do warm[i] = time(a) end
table.sort(warm)
print("warm", warm[2])
