-- SPDX-License-Identifier: MIT
--
-- Pools without workers (workers = 0), for debugging: every task runs in main, at once when it is submitted, through
-- the same messages and with globals of their own, so that results and errors are the same. Nothing can stop one: there
-- are no time limits, and os.exit ends the script.

local core = require "shmx.core"
local options = require "shmx.options"

---@class shmx.Alone: shmx.Pool
---@field room userdata
local Alone = {}

local alone = {}

local meta = { __name = "shmx.pool" }
---@type table<shmx.Alone, userdata>
local rooms = setmetatable({}, { __mode = "k" })

---The task fails because its input has failed; shmx.chain says how.
---@type fun(task: shmx.Task, input: shmx.Task)
alone.fail_by = nil

---True for a pool without workers.
function alone.is(pool) return rooms[pool] ~= nil end

-- What belongs to the pool with which a method was called.
local function own(pool, method) return rooms[pool] or options.fail_without("pool", method) end

---Raises an error unless it is a pool without workers, and open.
function alone.check(pool, method)
  if not own(pool, method).open then options.fail("the pool is closed") end
end

-- The first of the task's inputs that has failed, when all have ended.
local function wait_for_inputs(task)
  local failed
  for _, input in ipairs(core.inputs(task)) do
    input:wait()
    if input.error then failed = failed or input end
  end
  return failed
end

---Runs a task that was made by shmx.task.
function alone.publish(pool, task)
  alone.check(pool, "execute")
  if task.status ~= "waiting" or core.is_submitted(task) then
    options.fail("task %s has been submitted before; a task runs once", task.name)
  end
  local failed = wait_for_inputs(task)
  if failed then return alone.fail_by(task, failed) end
  rooms[pool].room:run(task)
end

---Makes a task and runs it.
---@return shmx.Task
function alone.submit(pool, name, f, ...)
  alone.check(pool, "submit")
  if type(f) ~= "function" then
    options.fail("bad argument #1 to 'submit' (function expected, got %s)", options.type(f))
  end
  local task = name and core.task { f, n = select("#", ...), name = name, ... } or core.task(f, ...)
  alone.publish(pool, task)
  return task
end

function Alone:submit(f, ...) return alone.submit(self, nil, f, ...) end

---Ends a pool without workers, which is done with what was submitted.
function alone.close(pool)
  local mine = rooms[pool]
  if not mine.open then return end
  mine.open = false
  mine.room:close()
end

function Alone:stats(...)
  options.check_end("stats", 0, ...)
  local stats = own(self, "stats").room:tally()
  stats.workers, stats.queue = {}, 0
  return stats
end

---What other pools have handed over; here nothing is.
function Alone:segments(...)
  options.check_end("segments", 0, ...)
  alone.check(self, "segments")
  return core.survey() or {}
end

---@param settings table
---@param given table    as of core.open
---@param methods table  those of pools
---@return shmx.Alone?
---@return string? why
function alone.open(settings, given, methods)
  local room, why = core.room(settings, given)
  if not room then return nil, why end
  local pool = setmetatable({}, meta)
  rooms[pool] = { room = room, open = true }
  alone.methods = methods
  return pool
end

function meta.__index(_, key)
  if key == "workers" then return {} end
  return Alone[key] or alone.methods[key] or options.fail("a pool has no field or method \"%s\"", tostring(key))
end

meta.__newindex = options.refuse_field

function meta.__close(pool) alone.close(pool) end

function meta.__tostring(pool)
  return rooms[pool].open and "shmx.pool (workers: 0, tasks run in the script)" or "shmx.pool (closed)"
end

return alone
