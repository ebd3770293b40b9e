-- SPDX-License-Identifier: MIT
--
-- pool:fill: several workers write one array at the same time, in place. It is split along its first dimension into
-- slices that do not overlap, each of which is the argument of one task. Nothing comes back but the ends of the tasks.
--
-- The slices of a worker that died are done again, and only those; whatever the dead worker had written into them is
-- still there, so f writes and does not accumulate.

local core = require "shmx.core"
local options = require "shmx.options"
local failure = require "shmx.failure"

local SLICES = 4   -- for each worker, so that one that is quicker does more
local FIXED = 64   -- with a seed: the same slices with any number of workers have the same random numbers
local RETRIES = 2

local function count_slices(rows, state)
  return math.min(rows, state.seed and FIXED or SLICES * math.max(1, state.workers))
end

-- The array's own error would point at this file.
local function is_frozen(array)
  local open, frozen = pcall(function() return array.frozen end)
  if not open then options.fail("bad argument #1 to 'fill' (the array is closed)") end
  return frozen
end

-- The first and last row of slice i.
local function bounds(i, rows, slices) return (i - 1) * rows // slices + 1, i * rows // slices end

-- Cuts off the memory of a slice as soon as its task has it.
local function submit_slice(send, array, f, first, last, ...)
  local slice <close> = array:view({ first, last })
  return send(f, slice, first, ...)
end

---Calls f(slice, first, ...) in the workers for slices of the array, the first row of which is its row `first`.
---@param state {workers: integer, seed: integer?} of the pool
---@param send fun(f: function, ...): shmx.Task
---@param array shmx.Array
---@param f fun(slice: shmx.Array, first: integer, ...)
---@return shmx.Array
local function fill(state, send, array, f, ...)
  if options.type(array) ~= "shmx.array" then
    options.fail("bad argument #1 to 'fill' (array expected, got %s)", options.type(array))
  elseif is_frozen(array) then
    options.fail("bad argument #1 to 'fill' (the array is frozen; a:copy() makes one that is not)")
  elseif type(f) ~= "function" then
    options.fail("bad argument #2 to 'fill' (function expected, got %s)", options.type(f))
  end
  local rows, tasks = #array, {}
  local slices = count_slices(rows, state)
  for i = 1, slices do
    local first, last = bounds(i, rows, slices)
    tasks[i] = submit_slice(send, array, f, first, last, ...)
  end
  local failures = failure.await(tasks)
  for i, task in ipairs(tasks) do
    if task.error then failure.locate(task.error, "row", bounds(i, rows, slices)) end
  end
  if #failures > 0 then error(failure.several(tasks, failures, core.where(), #tasks), 0) end
  return array
end

return { fill = fill, retries = RETRIES }
