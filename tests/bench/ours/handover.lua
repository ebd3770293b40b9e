-- SPDX-License-Identifier: MIT
--
-- W4: a worker makes and fills BYTES bytes, main reads one of each page and lets go. Also the handover itself: the same
-- round without the filling and the reading, in microseconds.

local shmx = require "shmx"

local PAGE, SECONDS = 4096, 0.5

local size = tonumber(arg[1])

local function make(n) return (shmx.empty("u8", n)) end

local function make_filled(n, value)
  local array = shmx.empty("u8", n)
  array:fill(value)
  return array
end

local function hand_over(pool) pool:submit(make, size):get():close() end

-- One element of each page has the value. For many pages a sum is quicker.
local function check(array, value)
  if size >= 100 * PAGE then
    local firsts <close> = array:view { 1, -1, PAGE }
    assert(firsts:sum() == value * ((size + PAGE - 1) // PAGE))
    return
  end
  for at = 1, size, PAGE do assert(array[at] == value) end
end

local function hand_over_filled(pool, value)
  local array <close> = pool:submit(make_filled, size, value):get()
  check(array, value)
end

-- How often f runs in a second, and the times that it took, sorted.
local function measure(f, pool)
  for i = 1, 3 do f(pool, i) end
  local times, begin = {}, shmx.clock()
  local last = begin
  while #times < 3 or last - begin < SECONDS do
    f(pool, #times % 250 + 1)
    local now = shmx.clock()
    times[#times + 1], last = now - last, now
  end
  table.sort(times)
  return #times / (last - begin), times
end

local pool <close> = shmx.pool { workers = 1, progress = false }
print("rate", (measure(hand_over_filled, pool)))
local _, times = measure(hand_over, pool)
print("handover", times[(#times + 1) // 2] * 1e6)
