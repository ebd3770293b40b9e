-- SPDX-License-Identifier: MIT
--
-- killer.lua PID SEED COUNT: kills random children of the process, at random moments, so many times. Young ones, which
-- may just be starting, are spared after two in a row: a pool gives up when start after start fails, and is right.

local process = require "process"
local clock = require("shmx").clock

local pid, seed, count = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local YOUNG, YOUNG_IN_A_ROW, GIVE_UP = 0.02, 2, 3 -- seconds, victims, seconds without a child
math.randomseed(seed)

local seen = {} -- when a child was first seen

local function children()
  local list, now = {}, clock()
  local file <close> = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  for number in file and file:lines("n") or function() end do
    seen[number] = seen[number] or now
    list[#list + 1] = number
  end
  return list
end

local young, met = 0, clock()
while count > 0 and clock() - met < GIVE_UP do
  process.sleep(math.random() * 0.008)
  local list = children()
  local victim = list[math.random(math.max(#list, 1))]
  if victim then
    met = clock()
    local is_young = met - seen[victim] < YOUNG
    if not (is_young and young >= YOUNG_IN_A_ROW) and process.kill(victim, "KILL") then
      count = count - 1
      young = is_young and young + 1 or 0
    end
  end
end
