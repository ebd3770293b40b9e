-- SPDX-License-Identifier: MIT
--
-- Handovers of every shape, with contents that can be checked: the array with `seed` and `n` has the elements seed + 1
-- to seed + n. Results are described by a list of {array, seed, n}.

local shmx = require "shmx"

local workload = {}

local function filled(seed, n) return shmx.range("i64", seed + 1, seed + n) end

-- The tasks. They return a list of {array, seed, n}, at whatever depth, and perhaps more values.
local tasks = {}

function tasks.make(seed, n) return { { filled(seed, n), seed, n } } end

function tasks.nested(seed, n)
  local a, b = filled(seed, n), filled(seed + 7, n // 2 + 1)
  return { { a, seed, n }, { b, seed + 7, n // 2 + 1 } }, { deep = { b, { a } } }, a
end

function tasks.twice(seed, n)
  local a = filled(seed, n)
  return { { a, seed, n }, { a, seed, n } }, a
end

-- In memory with a name, which has to go with the array, whoever dies.
function tasks.named(seed, n)
  count = (count or 0) + 1 -- luacheck: ignore
  local name = ("shmx-faults-%d-%d"):format(require("shmx").pid(), count) -- luacheck: ignore
  local a = require("shmx").array("i64", n, { name = name })
  filled(seed, n):copy { out = a }
  return { { a, seed, n } }, seed % 2 == 0 and a:freeze() or nil
end

function tasks.dropped(seed, n)
  for i = 1, 3 do filled(seed, n + i) end
  return {}
end

-- With arguments: what came is checked, changed nowhere, and returned beside something new.
function tasks.passed(seed, n, ...)
  local out = { { filled(seed, n), seed, n } }
  for _, given in ipairs { ... } do
    local array, first, count = given[1], given[2], given[3]
    assert(#array == count and array[1] == first + 1 and array[count] == first + count, "an argument is wrong")
    assert(array:sum() == count * first + count * (count + 1) // 2, "the sum of an argument is wrong")
    out[#out + 1] = { array, first, count }
  end
  return out
end

function tasks.summed(_, _, ...)
  local sum = 0
  for _, given in ipairs { ... } do sum = sum + given[1]:sum() end
  return {}, sum
end

local names = { "make", "nested", "twice", "named", "dropped", "passed", "passed", "passed", "summed" }

---Submits a task of a random kind. `shelf` is a list of {array, seed, n} to take arguments from.
function workload.submit(pool, random, shelf)
  local name = names[random(#names)]
  local n = random(20) == 1 and random(700000) or random(4) == 1 and random(60000) or random(300)
  local given = {}
  if #shelf > 0 and (name == "passed" or name == "summed") then
    for i = 1, random(0, 3) do given[i] = shelf[random(#shelf)] end
  end
  return pool:submit(tasks[name], random(1 << 20), n, table.unpack(given))
end

---Closes a random array of the shelf, which may lie on it more than once.
function workload.drop(random, shelf)
  local array = shelf[random(#shelf)][1]
  for i = #shelf, 1, -1 do
    if shelf[i][1] == array then table.remove(shelf, i) end
  end
  array:close()
end

---Freezes a random array of the shelf, unless others hold it too.
function workload.freeze(random, shelf)
  local array = shelf[random(#shelf)][1]
  local ok, message = pcall(array.freeze, array)
  if not ok and not message:find "held" and not message:find "on its way" then error(message, 0) end
end

---Raises an error unless the array has its contents.
function workload.check(item)
  local array, seed, n = item[1], item[2], item[3]
  local right = #array == n and array[1] == seed + 1 and array[n] == seed + n and array:min() == seed + 1
    and array:max() == seed + n and array:sum() == n * seed + n * (n + 1) // 2
  if not right then error(("array %d of %d elements from %d is wrong: %s"):format(array.segment.id, n, seed + 1,
    tostring(array)), 0) end
end

return workload
