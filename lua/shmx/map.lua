-- SPDX-License-Identifier: MIT
--
-- How pool:map brings the elements of a list to the workers: quick ones in batches (bind/batch.h), all others one by
-- one.
--
-- The first elements go one by one. As long as they are quick, more and more go together, so that a batch runs about as
-- long as TARGET. A batch that ends early leaves elements over, which come next. With the first value that is neither
-- number nor string, boolean or nil, and for a function that batches could confuse, all that is left goes one by one.

local core = require "shmx.core"
local failure = require "shmx.failure"

local raw = core.pool_type.methods

local TARGET = 0.5e-3 -- seconds
local GROWTH = 8      -- times as many elements as in the batch before, at most
local AHEAD = 3       -- batches under way for each worker

---Elements first to last of the list.
---@class shmx.Range
---@field first integer
---@field last integer
---@field alone boolean? its task is f itself, not a batch

---@class shmx.Mapping
---@field pool shmx.Pool
---@field f function
---@field values table
---@field workers integer
---@field results table
---@field failed table<integer, shmx.Task> by element, or by the first one of a batch
---@field left shmx.Range[]   what has not been submitted; the last is next
---@field size number?        elements for the next batch; nil: no batches any more
---@field fixed boolean?      the size is not to be changed
---@field send fun(f: function, ...): shmx.Task
---@field tasks shmx.Task[]   under way
---@field ranges shmx.Range[] theirs
local Mapping = {}
Mapping.__index = Mapping

-- How many elements of the range a batch shall have: at the end of the list they are shared out evenly.
function Mapping:choose_size(range)
  if self.fixed then return math.min(self.size, range.last - range.first + 1) end
  local share = (range.last - range.first) // (2 * self.workers) + 1
  return math.max(1, math.min(self.size // 1, share))
end

function Mapping:add(task, first, last, alone)
  self.tasks[#self.tasks + 1] = task
  self.ranges[#self.ranges + 1] = { first = first, last = last, alone = alone }
end

-- Submits what comes next.
function Mapping:submit()
  local range = self.left[#self.left]
  local first, size, count = range.first, self:choose_size(range), 1
  if size > 1 then
    local task
    task, count = raw.submit_batch(self.pool, self.f, self.values, first, size)
    if count == 0 then
      self.size = nil
      return
    end
    self:add(task, first, first + count - 1)
  else
    self:add(self.send(self.f, self.values[first]), first, first, true)
  end
  range.first = first + count
  if range.first > range.last then self.left[#self.left] = nil end
end

-- `count` elements have run in so many seconds, if that is known.
function Mapping:adapt(count, seconds)
  if not self.size or not seconds or self.fixed then return end
  self.size = math.max(1, math.min(self.size * GROWTH, count * TARGET / seconds))
end

function Mapping:fail(index, task)
  failure.locate(task.error, "element", index, index)
  self.failed[index] = task
end

-- The element's task has ended.
function Mapping:take(index, task)
  if task.error then return self:fail(index, task) end
  self.results[index] = task.result
end

-- An element has ended its batch.
function Mapping:take_last(index, batch, how, value, traceback)
  if how == "value" then
    self.results[index] = value
    self.size = nil
    return
  end
  local task = core.task(self.f, self.values[index])
  core.fail_task(self.pool, task, batch, how, value, traceback)
  self:fail(index, task)
end

function Mapping:take_batch(range, batch)
  if batch.error then
    self.failed[range.first] = batch -- whose name says which elements it had
    return
  end
  local count, how, value, traceback = core.take_batch(batch, self.results, range.first)
  local next = range.first + count
  if how then
    self:take_last(next, batch, how, value, traceback)
    next = next + 1
  end
  if next <= range.last then self.left[#self.left + 1] = { first = next, last = range.last } end
  self:adapt(next - range.first, batch.seconds)
end

-- Waits until a task has ended.
function Mapping:collect()
  local tasks, ranges = self.tasks, self.ranges
  local _, at = core.first(tasks)
  local last = #tasks
  local task, range = tasks[at], ranges[at]
  tasks[at], ranges[at] = tasks[last], ranges[last]
  tasks[last], ranges[last] = nil, nil
  if range.alone then
    self:take(range.first, task)
    self:adapt(1, task.seconds)
  else
    self:take_batch(range, task)
  end
end

function Mapping:run_batches()
  while self.size do
    while self.size and #self.left > 0 and #self.tasks < AHEAD * self.workers do self:submit() end
    if #self.tasks == 0 then return end
    if self.size then self:collect() end
  end
end

-- Submits all that is left one by one, and notes the tasks by element.
function Mapping:submit_rest(tasks)
  for at = #self.left, 1, -1 do
    local range = self.left[at]
    self.left[at] = nil
    for i = range.first, range.last do tasks[i] = self.send(self.f, self.values[i]) end
  end
end

function Mapping:run()
  local tasks = {}
  self:run_batches()
  self:submit_rest(tasks)
  while #self.tasks > 0 do
    self:collect()
    self:submit_rest(tasks)
  end
  for i = 1, self.results.n do
    if tasks[i] then
      tasks[i]:wait()
      self:take(i, tasks[i])
    end
  end
end

-- One error for all failures, in the order of the elements.
function Mapping:raise()
  local tasks, failures = {}, {}
  for i = 1, self.results.n do
    local task = self.failed[i]
    if task then tasks[#tasks + 1], failures[#failures + 1] = task, task.error end
  end
  error(failure.several(tasks, failures, core.where(), self.results.n, self.results), 0)
end

---The first results of f for values[1] to values[count], with `n`. Raises one error for all failures.
---@param pool shmx.Pool
---@param f function
---@param values table
---@param count integer
---@param workers integer of the pool
---@param send fun(f: function, ...): shmx.Task
---@param chunk integer? elements of a batch; nil: as many as are good
---@return table
local function map(pool, f, values, count, workers, send, chunk)
  local results = core.new_list(count)
  results.n = count
  local self = setmetatable({
    pool = pool, f = f, values = values, workers = workers, results = results, failed = {},
    left = { { first = 1, last = count } }, size = core.is_batchable(f) and (chunk or 1) or nil, fixed = chunk ~= nil,
    tasks = {}, ranges = {}, send = send,
  }, Mapping)
  if count == 0 then return results end
  self:run()
  if next(self.failed) ~= nil then self:raise() end
  return results
end

return map
