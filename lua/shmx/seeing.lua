-- SPDX-License-Identifier: MIT
--
-- What is going on in a pool: pool:stats(), pool:segments(), and the handovers of a task.

local core = require "shmx.core"
local options = require "shmx.options"

local raw = core.pool_type.methods

---Times in seconds; percentiles are right within 7 %. Of many, a part is measured.
---@class shmx.Times
---@field count integer how many were measured; without any, it is the only field
---@field mean number?
---@field p50 number?
---@field p90 number?
---@field p99 number?
---@field max number?

---@class shmx.Stats
---@field workers shmx.Worker[]
---@field queue integer                  tasks that no worker has begun
---@field tasks table<string, integer>   by status
---@field run shmx.Times                 how long tasks ran
---@field wait shmx.Times                how long they waited for a worker
---@field handover shmx.Times            from NOTIFY to TRANSFER COMPLETE, of the workers' arrays
---@field memory {live: integer, warm: integer, peak: integer, segments: integer, budget: integer} bytes, of all pools

---A segment that was handed over and lives.
---@class shmx.SegmentInfo
---@field id integer
---@field bytes integer
---@field chunk integer
---@field maker string       "main", "worker 2"
---@field holders string[]   "main", "worker 2", "a task": as an argument on the board
---@field state "held"|"in transit"
---@field task integer?      the number of the task that brought it to main

local seeing = {}

---@param Pool table                                  the class, which gets the methods
---@param list_workers fun(pool: shmx.Pool, running: table?): shmx.Worker[]
function seeing.add_to(Pool, list_workers)
  ---@return shmx.Stats
  function Pool:stats(...)
    options.check_end("stats", 0, ...)
    core.ledger()
    local stats, running = raw.tally(self)
    stats.workers = list_workers(self, running)
    stats.queue = stats.tasks.queued
    return stats
  end

  ---What lives of all that was handed over, whichever pool it belongs to.
  ---@return shmx.SegmentInfo[]
  function Pool:segments(...)
    options.check_end("segments", 0, ...)
    raw.check(self, "segments")
    return core.survey() or {}
  end
end

---@class shmx.Handover
---@field segment shmx.Segment
---@field giver string          "worker 2"
---@field receiver string       "main"
---@field notify number?        seconds, as shmx.clock(); of these three what is known: in a traced run, not too late
---@field acknowledge number?
---@field complete number?      nil while the giver has not let go

-- Calls f with each array in the value, tables of tables included.
local function each_array(value, f, seen)
  if options.type(value) == "shmx.array" then return f(value) end
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for _, inner in pairs(value) do each_array(inner, f, seen) end
end

---The handovers of the arrays that a task has returned.
---@param task shmx.Task
---@return shmx.Handover[]?
local function handovers(task)
  local list, seen = {}, {}
  if not task.results then return nil end
  each_array(task.results, function(array)
    local ok, segment = pcall(function() return array.segment end) -- it may be closed
    if not ok or seen[segment.id] then return end
    seen[segment.id] = true
    local notify, acknowledge, complete = core.handover(segment.id)
    list[#list + 1] = {
      segment = segment, giver = "worker " .. task.worker, receiver = "main", notify = notify,
      acknowledge = acknowledge, complete = complete,
    }
  end, {})
  return list
end

core.on_handovers(handovers)

return seeing
