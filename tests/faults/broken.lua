-- SPDX-License-Identifier: MIT
--
-- broken.lua CASE: does on purpose what the oracle is there to find.

local shmx = require "shmx"
local process = require "process"
local oracle = require "oracle"

local before = oracle.baseline()
local cases = {}

-- A process that outlives everything, for a while.
function cases.process() os.execute("sleep 5 >/dev/null 2>&1 &") end

function cases.array()
  do
    local pool <close> = shmx.pool { workers = 1 }
    Kept = pool:submit(function() return require("shmx").range("i64", 1, 10) end):get() -- luacheck: ignore
  end
  oracle.demand(oracle.residue(before))
end

function cases.descriptor()
  Kept = io.open("/dev/null") -- luacheck: ignore
  oracle.demand(oracle.residue(before))
end

function cases.mapping()
  Kept = shmx.array("u8", 64 << 20) -- luacheck: ignore
  oracle.demand(oracle.residue(before))
end

function cases.name()
  io.open("/dev/shm/shmx-broken-" .. shmx.pid(), "w"):close()
  io.stderr:write(shmx.pid())
end

function cases.verdict() oracle.demand(oracle.verdicts { { status = "queued" } }) end
function cases.two_verdicts() oracle.demand(oracle.verdicts { { status = "done", results = {}, error = {} } }) end
function cases.other_verdict()
  oracle.demand(oracle.verdicts { { status = "crashed", error = { status = "failed" } } })
end

function cases.strength()
  local pool <close> = shmx.pool { workers = 2 }
  oracle.demand(oracle.strength(pool, 3))
end

function cases.contents()
  local workload = require "workload"
  local array = shmx.range("i64", 6, 105)
  workload.check { array, 5, 100 }
  array[50], array[51] = array[50] + 2, array[51] - 1
  workload.check { array, 5, 100 }
end

function cases.hang()
  while true do process.sleep(1) end
end

cases[arg[1]]()
