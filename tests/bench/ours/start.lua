-- SPDX-License-Identifier: MIT
--
-- W5: 8 workers start, run a task that does nothing each, and stop.

local shmx = require "shmx"

local function nothing() end

local pool <close> = shmx.pool { workers = 8, progress = false }
local tasks = {}
for i = 1, 8 do tasks[i] = shmx.task(nothing) end
pool:execute(tasks)
