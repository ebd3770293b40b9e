-- SPDX-License-Identifier: MIT
--
-- arrays.lua DTYPE N: what operations on arrays of N elements cost, in nanoseconds for an element. They take turns, a
-- sample at a time, so that whatever else the machine does for a moment disturbs one sample of each, not all of one.

local shmx = require "shmx"

local LEAST = 0.01 -- seconds that a sample takes, or one call if that takes longer
local MANY, FEW = 7, 3 -- samples, and samples of such calls

local function time(f, calls)
  local begin = shmx.clock()
  for _ = 1, calls do f() end
  return shmx.clock() - begin
end

-- How many calls of f a sample has.
local function calibrate(f)
  local calls, seconds = 1, time(f, 1)
  while seconds < LEAST do
    calls = calls * 4
    seconds = time(f, calls)
  end
  return math.ceil(calls * LEAST / seconds)
end

local other = { f64 = "f32", f32 = "f64", i64 = "f64", i32 = "i64" }

-- Values in no order: of integers all bits, of floats from 0 to 1.
local function scramble(dtype, n)
  local x = shmx.range("i64", 1, n) * 0x9E3779B97F4A7C15
  if dtype == "i64" or dtype == "i32" then return x:astype(dtype) end
  return ((x >> 11) * 2.0 ^ -53):astype(dtype)
end

local function operations(dtype, n)
  local a = (shmx.range("i64", 1, n) % 1000 * 0.1 + 1):astype(dtype)
  local b, c, result = a:view({ n, 1, -1 }):copy(), shmx.full(dtype, n, 1), shmx.empty(dtype, n)
  local out, mask = { out = result }, { out = shmx.empty("bool", n) }
  local cast, half = { out = shmx.empty(other[dtype], n) }, a:lt(50)
  local shuffled, places = scramble(dtype, n), scramble("i64", n):shr(1) % n + 1
  local clipped = { out = result, mode = "clip" } -- as NumPy is asked to
  local side = math.floor(n ^ 0.5)
  local square = a:view({ 1, side * side }):reshape(side, side)
  local turned = { out = shmx.empty(dtype, { side, side }) }
  local list = {
    fill = function() result:fill(7) end,
    range = function() return shmx.range(dtype, 0, n - 1) end,
    copy = function() a:copy(out) end,
    ["a+b"] = function() a:add(b, out) end,
    ["a+b new"] = function() return a + b end,
    ["a*b+c"] = function() a:muladd(b, c, out) end,
    sum = function() return a:sum() end,
    dot = function() return a:dot(b) end,
    ["min max"] = function() return a:minmax() end,
    cumsum = function() a:cumsum(out) end,
    ["a<b"] = function() a:lt(b, mask) end,
    mask = function() return a:take(half) end,
    take = function() a:take(places, clipped) end,
    transpose = function() square:transpose():copy(turned) end,
    sort = function() shuffled:sort(out) end,
    argsort = function() return shuffled:argsort() end,
    astype = function() a:astype(other[dtype], cast) end,
  }
  if dtype == "f64" or dtype == "f32" then
    list.sqrt = function() a:sqrt(out) end
    list.exp = function() shuffled:exp(out) end
  end
  return list
end

local dtype, n = arg[1], math.tointeger(tonumber(arg[2]))
local timings = {}
for name, f in pairs(operations(dtype, n)) do
  collectgarbage()
  if pcall(f) then timings[#timings + 1] = { name = name:gsub(" ", "_"), f = f, calls = calibrate(f), samples = {} } end
end
for turn = 1, MANY do
  for _, t in ipairs(timings) do
    collectgarbage()
    if turn <= FEW or t.calls > 1 then t.samples[turn] = time(t.f, t.calls) / t.calls end
  end
end
for _, t in ipairs(timings) do
  table.sort(t.samples)
  print(("%s\t%.5g"):format(t.name, t.samples[(#t.samples + 1) // 2] / n * 1e9))
end
