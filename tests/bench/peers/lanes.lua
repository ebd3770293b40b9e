-- SPDX-License-Identifier: MIT
--
-- Lua Lanes: threads with a Lua state each, to which values are copied.
-- lanes.lua FOLDER W1 WORKERS | W2 TASKS WORKERS | W3 ROUNDS | W4 BYTES | W5

local folder = table.remove(arg, 1)
package.path, package.cpath = folder .. "/?.lua;" .. package.path, folder .. "/?.so;" .. package.cpath
local lanes = require("lanes").configure()
local linda = lanes.linda()

local STOP, WINDOW, PAGE = "stop", 1000, 4096

local function work()
  while true do
    local _, task = linda:receive "task"
    if task == STOP then return end
    local result
    if type(task) == "number" then
      result = task + 1
    elseif task.length then
      result = {}
      for i = 1, task.length do result[i] = i - 1 end
    else
      result = string.char(task.value):rep(task.size)
    end
    linda:send("result", result)
  end
end

local function put(task) linda:send("task", task) end

local function get()
  local _, result = linda:receive "result"
  return result
end

-- Starts workers, and returns a function that stops them.
local function start(count)
  local threads = {}
  for i = 1, count do threads[i] = lanes.gen("*", work)() end
  return function()
    for _ = 1, count do put(STOP) end
    for _, thread in ipairs(threads) do thread:join() end
  end
end

local workloads = {}

function workloads.W1(workers)
  local stop = start(workers)
  for i = 7, 0, -1 do put { length = math.tointeger(10 ^ i) } end
  local count = 0
  for _ = 1, 8 do
    local list, sum = get(), 0
    for _, x in ipairs(list) do sum = sum + x end
    assert(sum == #list * (#list - 1) // 2)
    count = count + #list
  end
  assert(count == 11111111)
  stop()
end

function workloads.W2(count, workers)
  local stop, sent, sum = start(workers), 0, 0
  for i = 1, 100 do
    put(i)
    get()
  end
  local begin = lanes.now_secs()
  for got = 0, count - 1 do
    for i = sent, math.min(count - 1, got + WINDOW) do
      put(i)
      sent = i + 1
    end
    sum = sum + get()
  end
  print("rate", count / (lanes.now_secs() - begin))
  assert(sum == count * (count + 1) // 2)
  stop()
end

function workloads.W3(count)
  local stop, times = start(1), {}
  for i = -100, count do
    local begin = lanes.now_secs()
    put(i)
    assert(get() == i + 1)
    times[i] = lanes.now_secs() - begin
  end
  stop()
  table.sort(times)
  print("p50", times[(count + 1) // 2] * 1e6)
  print("p99", times[math.ceil(count * 0.99)] * 1e6)
end

function workloads.W4(size)
  local stop, count, begin = start(1), -1, 0
  while count < 3 or lanes.now_secs() - begin < 0.5 do
    if count <= 0 then begin = lanes.now_secs() end
    local value = (count + 1) % 100 + 1
    put { size = size, value = value }
    local bytes = get()
    for at = 1, size, PAGE do assert(bytes:byte(at) == value) end
    count = count + 1
  end
  print("rate", count / (lanes.now_secs() - begin))
  stop()
end

function workloads.W5()
  local stop = start(8)
  for i = 1, 8 do put(i) end
  for _ = 1, 8 do get() end
  stop()
end

workloads[arg[1]](tonumber(arg[2]), tonumber(arg[3]))
