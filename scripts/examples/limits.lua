-- SPDX-License-Identifier: MIT
--
-- Work that cannot be trusted: it crashes the process that it runs in, hangs, or would take for ever. With a time limit
-- and retries the rest goes on, and what fails nevertheless is an error like any other.
--
--   shmx-lua limits.lua [SECONDS]        the time limit of an attempt, 0.3 if it is not named

local shmx = require "shmx"

-- The things that a library with faults might do.
local faults = {
  { "works", function() return 42 end },
  { "crashes once", function()
    local _, _, attempt = shmx.worker()
    if attempt == 1 then os.execute("kill -SEGV " .. shmx.pid()) end
    return 42
  end },
  { "crashes always", function() os.execute("kill -SEGV " .. shmx.pid()) end },
  { "hangs once", function()
    local _, _, attempt = shmx.worker()
    while attempt == 1 do end
    return 42
  end },
  { "is in C for years", function() return (("a"):rep(100000):find ".-.-.-b") end }, -- no hook interrupts that
  { "is wrong", function() error("it would be wrong again", 0) end },                -- so this is not tried again
}

local seconds = tonumber(arg[1] or 0.3) or error("the time limit is no number", 0)
local pool <close> = shmx.pool { timeout = seconds, retries = 1 }
local tasks = {}
for i, fault in ipairs(faults) do tasks[i] = shmx.task { fault[2], name = fault[1] } end

for _, task in ipairs(pool:execute(tasks, { on_error = "return" })) do
  local outcome = task.error and task.error.message or task.result
  print(("%-17s %-8s attempt %d  %s"):format(task.name, task.status, task.attempt, outcome))
end
