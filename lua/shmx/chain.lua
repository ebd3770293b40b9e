-- SPDX-License-Identifier: MIT
--
-- Tasks as arguments of tasks. A task with an input that has not ended waits in main; when its last input is done it is
-- submitted, with the first result of each input in the place of that task. Arrays among them go from worker to worker:
-- main hands them on and does not look at their bytes. When an input fails, the task fails with the same cause, and so
-- on along the chain. Cycles cannot be built, since a task's arguments are there before it is.
--
-- Ends are noted while results are taken in, and looked at when that is over (core.on_chain), because submitting is not
-- possible everywhere.

local core = require "shmx.core"
local options = require "shmx.options"
local alone = require "shmx.alone"
local joblog = require "shmx.joblog"

local raw = core.pool_type.methods

local chain = {}

---@type table<shmx.Task, shmx.Task[]> an input and those that wait for it
local dependents = setmetatable({}, { __mode = "k" })
---@type table<shmx.Pool, table<shmx.Task, integer>> tasks that wait, and for how many inputs
local waiting = setmetatable({}, { __mode = "k" })
---@type table<shmx.Task, shmx.Pool>
local pool_of = setmetatable({}, { __mode = "k" })

local ready = {}      -- tasks that have their inputs, and could not be submitted yet
local resolving = false

local function forget(task)
  local pool = pool_of[task]
  if pool then waiting[pool][task] = nil end
  pool_of[task] = nil
end

-- The task ends without having begun.
local function fail(task, cancelled, value, cause)
  forget(task)
  core.fail(task, cancelled, value)
  task.error.cause = cause
end

local function word(status) return status == "timeout" and "timed out" or status end

-- In a long chain only the input and what began it are named: a text of all of them would grow with each task.
local function explain(input)
  local cause = input.error.cause
  if not cause then return ("its input %s %s: %s"):format(input.name, word(input.status), input.error.message) end
  return ("its input %s %s because task %s %s: %s"):format(input.name, word(input.status), cause.name,
    word(cause.status), cause.message)
end

local function fail_by(task, input)
  local cause = input.error
  fail(task, false, explain(input), cause.cause or cause)
end

-- Submits a task whose inputs are there. False: that is not possible now.
local function submit(task)
  local pool = pool_of[task]
  local can = core.can_submit(pool)
  if can == false then return false end
  if can == nil then
    fail(task, true, "its pool was closed before its inputs were there")
    return true
  end
  forget(task)
  core.set_pending(task, false)
  local ok, err = pcall(raw.publish, pool, task)
  if not ok then core.fail(task, false, err) end
  return true
end

-- The input is done, or has failed: those that wait for it are one step further. Returns them.
local function advance(input)
  local list = dependents[input] or {}
  dependents[input] = nil
  for _, task in ipairs(list) do
    local pool = task.status == "waiting" and pool_of[task] -- it may have been cancelled
    if pool and input.error then
      fail_by(task, input)
    elseif pool then
      waiting[pool][task] = waiting[pool][task] - 1
      if waiting[pool][task] == 0 then ready[#ready + 1] = task end
    end
  end
  return list
end

-- From the inputs that have ended on to all that fails with them.
local function spread(ended)
  for _, input in ipairs(ended) do
    for _, task in ipairs(advance(input)) do
      if dependents[task] and task.error then ended[#ended + 1] = task end
    end
  end
end

-- Looks at what has ended. Returns whether something is left that could not be submitted.
local function resolve()
  if resolving then return true end
  resolving = true
  repeat
    local ended = core.take_ended()
    spread(ended)
    local list, left = ready, {}
    ready = {}
    for _, task in ipairs(list) do
      if task.status == "waiting" and not submit(task) then left[#left + 1] = task end
    end
    for _, task in ipairs(left) do ready[#ready + 1] = task end
  until #ended == 0
  resolving = false
  return #ready > 0
end

-- The inputs of the task, each once. Refuses what nobody will ever run.
local function list_inputs(task)
  local list, seen = {}, {}
  for _, input in ipairs(core.inputs(task)) do
    if not core.is_submitted(input) then
      options.fail("task %s, an argument of %s, has not been submitted to a pool", input.name, task.name)
    end
    if not seen[input] then list[#list + 1] = input end
    seen[input] = true
  end
  return list
end

-- How many of them are done, and one that has failed, if any has.
local function look_at(inputs)
  local done, failed = 0, nil
  for _, input in ipairs(inputs) do
    if input:done() and input.error then failed = failed or input end
    if input.status == "done" then done = done + 1 end
  end
  return done, failed
end

-- From here on the ends of the inputs count. One that has come before, or comes in the middle of this, is noted now.
local function wait_for(pool, task, inputs)
  core.set_pending(task, true)
  pool_of[task] = pool
  waiting[pool] = waiting[pool] or {}
  waiting[pool][task] = #inputs
  for _, input in ipairs(inputs) do
    local list = dependents[input] or {}
    dependents[input] = list
    list[#list + 1] = task
    core.await(input)
  end
end

-- Submits the task to the pool when its inputs are there.
local function defer(pool, task)
  local inputs = list_inputs(task)
  local done, failed = look_at(inputs)
  if failed then return fail_by(task, failed) end
  if done == #inputs then return raw.publish(pool, task) end
  wait_for(pool, task, inputs)
end

core.on_chain(defer, resolve)
alone.fail_by = fail_by

-- Appends the task to `order`, behind those of its inputs that are listed, and so on; a chain may be longer than Lua's
-- stack is deep. A task that is `open` waits for what stands above it on the stack.
local function append_inputs_first(task, listed, order)
  local stack = { task }
  while #stack > 0 do
    local top = stack[#stack]
    if listed[top] == "open" or listed[top] == "done" then
      if listed[top] == "open" then order[#order + 1] = top end
      listed[top] = "done"
      stack[#stack] = nil
    else
      listed[top] = "open"
      for _, input in ipairs(core.inputs(top)) do
        if listed[input] == "new" then stack[#stack + 1] = input end
      end
    end
  end
end

-- The tasks, each once.
local function inputs_first(tasks)
  local listed, order = {}, {}
  for _, task in ipairs(tasks) do listed[task] = "new" end
  for _, task in ipairs(tasks) do append_inputs_first(task, listed, order) end
  return order
end

---Submits tasks that were made by shmx.task, inputs before those that have them as arguments. Only they can be skipped:
---the name that pool:with gives is that of many.
---@param pool shmx.Pool
---@param tasks shmx.Task[]
---@param timeout number?
---@param retries integer?
function chain.publish_all(pool, tasks, timeout, retries)
  local send = alone.is(pool) and alone.publish or raw.publish
  for _, task in ipairs(inputs_first(tasks)) do
    if not (joblog.resumes and core.skip(task)) then send(pool, task, timeout, retries) end
  end
end

---True while tasks of the pool wait for their inputs.
---@param pool shmx.Pool
---@return boolean
function chain.is_waiting(pool)
  for task in pairs(waiting[pool] or {}) do
    if task.status == "waiting" then return true end
    forget(task)
  end
  return false
end

---Ends those that wait for their inputs.
---@param pool shmx.Pool
function chain.cancel(pool)
  local list = {}
  for task in pairs(waiting[pool] or {}) do list[#list + 1] = task end
  for _, task in ipairs(list) do task:cancel() end
end

return chain
