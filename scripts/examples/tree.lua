-- SPDX-License-Identifier: MIT
--
-- Tasks as arguments of tasks. Many tasks throw balls at a row of bins; others add up what two of them have counted,
-- and so on, until one array is left, of which the last task makes a picture. All is submitted before anything has
-- ended. The arrays go from worker to worker, and the script sees but the picture.
--
--   shmx-lua tree.lua [THROWS [BALLS]]        tasks, 64; balls of each, 10,000

local shmx = require "shmx"

local function whole(text) return math.tointeger(tonumber(text)) or error(text .. " is no whole number", 0) end

local throws, balls, bins = whole(arg[1] or 64), whole(arg[2] or 10000), 21

local function throw(seed)
  local counts = shmx.array("i64", bins)
  local places = shmx.empty("f64", balls):normal((bins + 1) / 2, bins / 7, { seed = seed })
  places:round({ out = places }):clip(1, bins, { out = places })
  for i = 1, balls do
    local bin = places[i]
    counts[bin] = counts[bin] + 1
  end
  return counts
end

local function add(a, b) return a + b end

local function draw(counts)
  local lines, most = {}, counts:max()
  for i = 1, #counts do lines[i] = ("%7d %s"):format(counts[i], ("*"):rep(counts[i] * 60 // most)) end
  lines[#lines + 1] = ("%d balls"):format(counts:sum())
  return table.concat(lines, "\n")
end

local pool <close> = shmx.pool()
local row = {}
for seed = 1, throws do row[seed] = pool:submit(throw, seed) end
while #row > 1 do
  local next_row = {}
  for i = 1, #row, 2 do next_row[#next_row + 1] = row[i + 1] and pool:submit(add, row[i], row[i + 1]) or row[i] end
  row = next_row
end
print(pool:submit(draw, row[1]):get())
