-- SPDX-License-Identifier: MIT
--
-- numbers.lua ROUNDS: more workers than there are numbers for them (SHMX_FAULT_PEERS), so that numbers are given again,
-- while arrays of their former owners live on. No id is ever given twice, and each array is what its maker made it.

local shmx = require "shmx"
local oracle = require "oracle"

local NUMBERS, rounds = tonumber(os.getenv "SHMX_FAULT_PEERS"), tonumber(arg[1])
local before = oracle.baseline()

local function make(i, other)
  local a = require("shmx").full("i64", 1000 + i, i)
  return a, other and other:sum()
end

local ids, shelf = {}, {}

local function keep(array, i)
  local id = array.segment.id
  assert(not ids[id], ("segment %s was made twice"):format(id))
  ids[id] = true
  shelf[#shelf + 1] = { array = array, sum = (1000 + i) * i }
end

local function drop(position)
  local item = table.remove(shelf, position)
  assert(item.array:sum() == item.sum)
  item.array:close()
end

do
  local short <close> = shmx.pool { workers = 3, max_tasks_per_worker = 1 }
  local long <close> = shmx.pool { workers = 1 } -- whose worker sees several rounds
  for i = 1, rounds * NUMBERS do
    local other = shelf[i % 7 + 1]
    local array, sum = (i % 5 == 0 and long or short):submit(make, i, other and other.array):get()
    assert(sum == (other and other.sum))
    keep(array, i)
    if #shelf > 6 then drop(i % #shelf + 1) end
    if i % (2 * NUMBERS) == 0 then long.workers[1]:kill() end
  end
  while #shelf > 0 do drop(1) end
  oracle.demand(oracle.strength(long, 1))
end
oracle.demand(oracle.residue(before))
