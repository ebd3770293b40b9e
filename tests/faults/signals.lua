-- SPDX-License-Identifier: MIT
--
-- signals.lua MOMENT SIGNAL...: the signals come to this script, one after another, while it is at a certain moment.

local shmx = require "shmx"

local moment = arg[1]
local line = "sleep 0.1"
for i = 2, #arg do line = line .. ("; kill -%s %d; sleep 0.2"):format(arg[i], shmx.pid()) end
os.execute("(" .. line .. ") >/dev/null 2>&1 &")

local pool <close> = shmx.pool { workers = 2, grace = #arg > 2 and 20 or 0.1 }

local function range(n) return require("shmx").range("i64", 1, n) end

local moments = {}

function moments.idle()
  while true do end -- luacheck: ignore
end

function moments.submitting()
  while true do pool:submit(range, 100) end
end

function moments.running()
  pool:execute { shmx.task(os.execute, "sleep 20"), shmx.task(os.execute, "sleep 20") }
end

function moments.receiving()
  while true do pool:map(range, { 1, 10, 100, 1000, 10000, 100000 }) end
end

function moments.closing()
  pool:submit(os.execute, "sleep 20")
  pool:close()
end

function moments.opening()
  while true do
    local other <close> = shmx.pool { workers = 3 }
    other:submit(range, 10):get()
  end
end

moments[moment]()
