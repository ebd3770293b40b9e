-- SPDX-License-Identifier: MIT
--
-- Pools: opening with options, and what is put together from submitting, waiting and taking in (shmx.core): execute,
-- map, imap, the order of closing, the list of workers.
--
-- pool:with returns a view: the pool with other options for what is submitted through it. Methods take either.

local core = require "shmx.core"
local options = require "shmx.options"
local alone = require "shmx.alone"
local failure = require "shmx.failure"
local fill = require "shmx.fill"
local chain = require "shmx.chain"
local outputs = require "shmx.outputs"
local map = require "shmx.map"
local seeing = require "shmx.seeing"
local stream = require "shmx.stream"

---@class shmx.PoolOptions
---@field workers integer?         0: tasks run in the script; default: -w of the command, else the number of cores
---@field init (fun(): any)?       runs once in each worker before its first task; what it sets, tasks see
---@field memory integer|string?   bytes that its workers may make; a number or "512M"
---@field progress boolean?        default: if standard error is a terminal
---@field output "pass"|"label"|"capture"|nil  what becomes of what tasks print: it is passed on in whole lines, or with
---the task's name before each, or goes into task.output
---@field grace number?           seconds that a running task has when it, or the pool, is cancelled; default 5
---@field seed integer?           tasks draw their random numbers by it and by their own number
---@field timeout number?         seconds that an attempt of a task may take
---@field retries integer?        how often a task is tried again whose worker died, or which used up its time
---@field max_tasks_per_worker integer?          after so many tasks a worker is replaced
---@field max_memory_per_worker integer|string?  bytes that a worker's Lua heap may have

---A function and its arguments; after it has run, its results or its failure.
---@class shmx.Task
---@field id integer
---@field name string
---@field status "waiting"|"queued"|"running"|"done"|"failed"|"crashed"|"timeout"|"cancelled"|"refused"
---@field result any        its first result, nil until it has ended
---@field results table?    all of them, with `n`
---@field error shmx.Failure?
---@field worker integer?
---@field attempt integer
---@field seconds number?   how long it ran
---@field handovers shmx.Handover[]?
---@field skipped boolean  it was done in the run that is resumed
---@field output string?    what it has printed, if its pool captures that
---@field get fun(self: shmx.Task, seconds?: number): ...   waits; returns the results or raises the failure
---@field wait fun(self: shmx.Task, seconds?: number): boolean  waits; has it ended?
---@field done fun(self: shmx.Task): boolean                has it ended?
---@field cancel fun(self: shmx.Task): boolean              takes it back, also from a worker; false if it had ended

---@class shmx.WithOptions
---@field ahead integer?   tasks that imap has under way at a time; default: four for each worker
---@field chunk integer?   elements that map and imap give to a worker at a time
---@field name string?     of the tasks
---@field timeout number?  seconds that an attempt may take
---@field retries integer? how often a task is tried again whose worker died, or which used up its time

---@class shmx.Pool
---@field workers shmx.Worker[]
---@field stats fun(self: shmx.Pool): shmx.Stats
---@field segments fun(self: shmx.Pool): shmx.SegmentInfo[]
---@field submit fun(self: shmx.Pool, f: function, ...): shmx.Task
local Pool = {}

-- The methods that are written in C. Most are for this file alone.
local raw = core.pool_type.methods
Pool.submit = raw.submit

---@class shmx.Worker
---@field number integer
---@field pid integer
---@field state "starting"|"ready"
---@field task shmx.Task?   that it runs now
---@field tasks_done integer
local Worker = {}
Worker.__index = Worker
Worker.__name = "shmx.Worker"

local known_options = {
  workers = true, init = true, memory = true, progress = true, grace = true, output = true, timeout = true,
  retries = true, seed = true, max_tasks_per_worker = true, max_memory_per_worker = true,
}
local known_of_with = { ahead = true, chunk = true, name = true, timeout = true, retries = true }
local known_of_execute = { on_error = true }
local known_of_close = { cancel = true }

local AHEAD = 4 -- tasks for each worker that imap has under way
local AHEAD_MAX = 1 << 20
local RETRIES_MAX = 100
local ELEMENTS_MAX = (1 << 31) - 1

-- What a pool remembers besides its userdata.
---@type table<shmx.Pool, {workers: integer, grace: number}>
local states = setmetatable({}, { __mode = "k" })

--- opening ---

local function read_workers(given, settings)
  if given ~= nil then return options.count(given, "option 'workers' to 'pool'", 0, core.workers_max) end
  return settings.workers or math.min(core.cpus(), core.workers_max)
end

-- The limits of tasks among the options of a function, put into `read`.
local function read_limits(given, method, read)
  local function name(option) return ("option '%s' to '%s'"):format(option, method) end
  if given.timeout ~= nil then read.timeout = options.time(given.timeout, name "timeout") end
  if given.retries ~= nil then read.retries = options.count(given.retries, name "retries", 0, RETRIES_MAX) end
  return read
end

-- What one worker may do before another takes its place.
local function read_worker_limits(given, read)
  local tasks = given.max_tasks_per_worker
  if tasks ~= nil then
    read.tasks = options.count(tasks, "option 'max_tasks_per_worker' to 'pool'", 1, math.maxinteger)
  end
  if given.max_memory_per_worker ~= nil then
    read.heap = options.bytes(given.max_memory_per_worker, "option 'max_memory_per_worker' to 'pool'")
  end
end

local function read_options(given)
  given = options.read(given, "argument #1 to 'pool'", known_options)
  local settings = core.settings()
  local read = {
    workers = read_workers(given.workers, settings),
    init = options.typed(given.init, "option 'init' to 'pool'", "function"),
    grace = given.grace ~= nil and options.seconds(given.grace, "option 'grace' to 'pool'") or 5,
    memory = given.memory ~= nil and options.bytes(given.memory, "option 'memory' to 'pool'") or 0,
    progress = options.typed(given.progress, "option 'progress' to 'pool'", "boolean"),
  }
  if read.progress == nil then read.progress = settings.progress end
  read.output = options.choice(given.output, "option 'output' to 'pool'", { "pass", "label", "capture" })
  if given.seed ~= nil then
    read.seed = options.count(given.seed, "option 'seed' to 'pool'", math.mininteger, math.maxinteger)
  end
  read_worker_limits(given, read)
  read_limits(given, "pool", read)
  return read
end

-- How the supervisor shows progress: 0 not at all, 1 by bars on the terminal, 2 by plain lines.
local function progress_mode(wish)
  if wish == false then return 0 end
  if core.terminal() then return 1 end
  return wish and 2 or 0
end

local function wait_until_ready(pool)
  while true do
    local ready, why = raw.ready(pool)
    if ready then return end
    if ready == nil then
      raw.stop(pool, 0)
      while not raw.stopped(pool) do raw.wait(pool) end
      raw.release(pool)
      why = why:gsub("\nstack traceback:\n", "\nstack traceback of the worker:\n")
      options.fail("the pool cannot start: %s", failure.add_advice(why))
    end
    raw.wait(pool)
  end
end

-- A pool with its workers, or without any.
local function start(read, configuration)
  local given = { init = read.init } -- apart: it is read where the configuration is in force
  if read.workers == 0 then
    local pool, why = alone.open(configuration, given, Pool)
    return pool or options.fail("the pool cannot start: %s", failure.add_advice(why))
  end
  local mode = progress_mode(read.progress)
  local pool = core.open(read.workers, read.memory, configuration, mode, read.output, read.grace,
    read.tasks or 0, read.timeout, read.retries, given)
  if read.init or (mode == 1 and core.settings().interactive) then wait_until_ready(pool) end
  return pool
end

---Opens a pool of worker processes.
---@param given shmx.PoolOptions?
---@return shmx.Pool
local function open(given, ...)
  options.check_end("pool", 1, ...)
  local read = read_options(given)
  if core.in_worker() then
    options.fail("a task cannot open a pool; return what is to be done to the script, and submit it there")
  end
  local settings = core.settings()
  local configuration = {
    path = package.path, cpath = package.cpath, libraries = settings.libraries,
    environment = settings.environment ~= false, warnings = settings.warnings, heap = read.heap,
    output = read.output, seed = read.seed, task_before = core.last_task(),
  }
  outputs.open(settings)
  local pool = start(read, configuration)
  states[pool] = {
    workers = read.workers, grace = read.grace, retries = read.retries, seed = read.seed,
    limited = read.timeout ~= nil or (read.retries or 0) > 0,
  }
  return pool
end

--- views ---

---@class shmx.View: shmx.Pool
local View = { __name = "shmx.pool with options" }

---@type table<shmx.View, {pool: shmx.Pool, options: shmx.WithOptions}>
local views = setmetatable({}, { __mode = "k" })
local none = {} -- the options of a pool itself
local takes_views = { submit = true, execute = true, map = true, imap = true, imap_unordered = true,
  fill = true, with = true }

-- The pool that a method was called with, perhaps by a view, and the options for what it submits.
local function target(self, method)
  local view = views[self]
  local pool = view and view.pool or self
  if alone.is(pool) then alone.check(pool, method) else raw.check(pool, method) end
  return pool, view and view.options or none
end

local function submit_with(pool, with, name, f, ...)
  if alone.is(pool) then return alone.submit(pool, name, f, ...) end
  return raw.submit_with(pool, name, with.timeout, with.retries, f, ...)
end

-- A function that submits to the pool with these options; tasks have their own names unless there is one for all.
local function sender(pool, with, name)
  name = with.name or name
  if alone.is(pool) then return function(f, ...) return alone.submit(pool, name, f, ...) end end
  if with == none and not name then return function(f, ...) return raw.submit(pool, f, ...) end end
  return function(f, ...) return submit_with(pool, with, name, f, ...) end
end

local function read_with(given, before)
  given = options.read(given, "argument #1 to 'with'", known_of_with)
  local read = {}
  for key, value in pairs(before) do read[key] = value end
  if given.ahead ~= nil then read.ahead = options.count(given.ahead, "option 'ahead' to 'with'", 1, AHEAD_MAX) end
  if given.chunk ~= nil then read.chunk = options.count(given.chunk, "option 'chunk' to 'with'", 1, AHEAD_MAX) end
  if given.name ~= nil then read.name = core.task_name(given.name, "option 'name' to 'with'") end
  return read_limits(given, "with", read)
end

---The pool with these options for what is submitted through it.
---@param given shmx.WithOptions
---@return shmx.View
function Pool:with(given, ...)
  local pool, before = target(self, "with")
  options.check_end("with", 1, ...)
  local view = setmetatable({}, View)
  views[view] = { pool = pool, options = read_with(given, before) }
  return view
end

-- Methods of the pool that have nothing to do with options are called with the pool itself.
function View:__index(key)
  local pool = views[self].pool
  if takes_views[key] then return View[key] or Pool[key] end
  local value = pool[key]
  if type(value) ~= "function" then return value end
  return function(given, ...) return value(given == self and pool or given, ...) end
end

View.__newindex = options.refuse_field

function View:__tostring() return tostring(views[self].pool) .. " with options" end

function View:__close(err)
  local pool = views[self].pool
  debug.getmetatable(pool).__close(pool, err)
end

function View:submit(f, ...)
  local pool, with = target(self, "submit")
  return submit_with(pool, with, with.name, f, ...)
end

--- running tasks ---

local function check_tasks(tasks)
  if core.is_task(tasks) then return { tasks } end
  if type(tasks) ~= "table" then
    options.fail("bad argument #1 to 'execute' (a task or a list of tasks expected, got %s)", options.type(tasks))
  end
  for i = 1, #tasks do -- not by ipairs: what stands behind a nil would not be run, and nobody would know
    if not core.is_task(tasks[i]) then
      options.fail("bad argument #1 to 'execute' (element %d is not a task but a %s)", i, options.type(tasks[i]))
    end
  end
  return tasks
end

---Runs a task or a list of tasks, and returns them in a list when every one has ended. Raises one error that lists the
---failures, unless `on_error` is "return"; `err.tasks` has the tasks.
---@param tasks shmx.Task|shmx.Task[]
---@param given {on_error: "return"|"raise"|nil}?
---@return shmx.Task[]
function Pool:execute(tasks, given, ...)
  local pool, with = target(self, "execute")
  options.check_end("execute", 2, ...)
  local list = check_tasks(tasks)
  given = options.read(given, "argument #2 to 'execute'", known_of_execute)
  local on_error = options.choice(given.on_error, "option 'on_error' to 'execute'", { "return", "raise" })
  chain.publish_all(pool, list, with.timeout, with.retries)
  local failures = failure.await(list)
  if #failures > 0 and on_error ~= "return" then error(failure.several(list, failures, core.where(), #list), 0) end
  return list
end

---Calls `f` with each value of a list in the workers, and returns the list of first results, with `n`. Raises one error
---that lists the failures and the elements that they are of, with the tasks that failed in `err.tasks` and the other
---results in `err.results`.
---@param f function
---@param values table
---@return table
function Pool:map(f, values, ...)
  local pool, with = target(self, "map")
  options.refuse_more("map", ...)
  if type(f) ~= "function" then
    options.fail("bad argument #1 to 'map' (function expected, got %s)", options.type(f))
  elseif type(values) ~= "table" then
    options.fail("bad argument #2 to 'map' (list expected, got %s)", options.type(values))
  end
  local count, state, chunk = #values, states[pool], with.chunk
  if values.n ~= nil then count = options.count(values.n, "field 'n' of argument #2 to 'map'", 0, ELEMENTS_MAX) end
  local one_by_one = state.limited or with.timeout or with.retries or state.seed or state.workers == 0
  if one_by_one then chunk = 1 end -- limits, and random numbers, are those of an element and not of a batch
  return map(pool, f, values, count, state.workers, sender(pool, with), chunk)
end

local function open_stream(self, method, ordered, f, ...)
  local pool, with = target(self, method)
  if type(f) ~= "function" then
    options.fail("bad argument #1 to '%s' (function expected, got %s)", method, options.type(f))
  end
  local iterator, state, control, closing = stream.source(method, ...)
  return stream.loop(stream.open {
    send = sender(pool, with), send_chunk = sender(pool, with, core.name(f)), f = f, ordered = ordered,
    iterator = iterator, state = state, control = control, closing = closing,
    ahead = with.ahead or AHEAD * math.max(1, states[pool].workers), chunk = with.chunk or 1,
  })
end

---For a generic `for`: the results of `f` for what an iterator gives, in that order. At most `ahead` tasks (pool:with)
---are under way, so that an iterator without an end will do. The loop may be left at any time. A failure is raised in
---its turn.
---@param f function
---@param iterator function|table  as ipairs and others return it, with its state, control and closing value; or a list
---@param ... any
function Pool:imap(f, iterator, ...) return open_stream(self, "imap", true, f, iterator, ...) end

---The same in the order in which the tasks end.
---@param f function
---@param iterator function|table
---@param ... any
function Pool:imap_unordered(f, iterator, ...) return open_stream(self, "imap_unordered", false, f, iterator, ...) end

-- The values, with the first result of each task in its place.
local function first_results(...)
  local values = table.pack(...)
  for i = 1, values.n do
    if core.is_task(values[i]) then values[i] = (values[i]:get()) end
  end
  return table.unpack(values, 1, values.n)
end

---Calls `f(slice, first, ...)` in the workers for slices of the array, which they write in place and at the same time.
---The slices of a worker that died are done again, twice unless `retries` says otherwise. Tasks among the arguments are
---waited for.
---@param array shmx.Array
---@param f fun(slice: shmx.Array, first: integer, ...)  `first` is the row of the array that is the slice's first
---@param ... any
---@return shmx.Array array
function Pool:fill(array, f, ...)
  local pool, with = target(self, "fill")
  local state = states[pool]
  local patient = setmetatable({ retries = with.retries or state.retries or fill.retries }, { __index = with })
  return fill.fill(state, sender(pool, patient), array, f, first_results(...))
end

--- closing ---

local SILENCE = 0.5 -- seconds; a wait that is longer is told

local stderr = io.stderr

local function is_over(pool) return raw.stopped(pool) and raw.in_flight(pool) == 0 end

-- Who has pressed Ctrl-C sees nothing happen while tasks have their grace.
local function tell_of_grace(pool, seconds)
  local deadline = core.clock() + SILENCE
  while not is_over(pool) and core.clock() < deadline do raw.wait(pool, deadline - core.clock()) end
  if is_over(pool) then return end
  local text = ("running tasks have %g s to end; Ctrl-C again ends them at once\n"):format(seconds)
  pcall(stderr.write, stderr, text) -- the script may have closed it
end

local function finish(pool, seconds)
  raw.stop(pool, seconds)
  if seconds and seconds > SILENCE and core.interrupted() and core.terminal() then tell_of_grace(pool, seconds) end
  while not is_over(pool) do raw.wait(pool) end
  raw.release(pool)
end

local function close_in_a_hurry(pool)
  chain.cancel(pool)
  raw.cancel_queued(pool)
  finish(pool, states[pool].grace)
end

---Waits for what was submitted, then ends the workers. With `cancel`, what is queued is taken back, and what runs has
---the pool's `grace` seconds. Results that were not fetched can be fetched afterwards.
---@param given {cancel: boolean?}?
function Pool:close(given, ...)
  options.check_end("close", 1, ...)
  local read = options.read(given, "argument #1 to 'close'", known_of_close)
  local cancel = options.typed(read.cancel, "option 'cancel' to 'close'", "boolean")
  if alone.is(self) then return alone.close(self) end
  if core.is_pool(self) and not raw.is_open(self) then return end
  raw.check(self, "close")
  if cancel then return close_in_a_hurry(self) end
  while chain.is_waiting(self) do core.wait_everywhere() end
  while raw.in_flight(self) > 0 do raw.wait(self) end
  finish(self)
end

--- workers ---

---Kills the worker's process; the pool starts another in its place.
function Worker:kill(...)
  if getmetatable(self) ~= Worker then options.fail_without("worker", "kill") end
  options.check_end("kill", 0, ...)
  core.kill(self.pid)
end

local function list_workers(pool, running)
  local list = {}
  if not raw.is_open(pool) then return list end
  if not running then
    local _
    _, running = raw.tally(pool)
  end
  for number = 1, states[pool].workers do
    local pid, state, done = raw.worker(pool, number)
    if pid then
      local task = running[number] or nil
      list[#list + 1] =
        setmetatable({ number = number, pid = pid, state = state, task = task, tasks_done = done }, Worker)
    end
  end
  return list
end

seeing.add_to(Pool, list_workers)

local meta = core.pool_type

meta.__index = core.pool_index(Pool, list_workers)

function meta.__close(pool, err)
  if err == nil or not raw.is_open(pool) then return Pool.close(pool) end
  close_in_a_hurry(pool)
end

meta.__newindex = options.refuse_field

function meta.__tostring(pool)
  if not raw.is_open(pool) then return "shmx.pool (closed)" end
  return ("shmx.pool (workers: %d, tasks on the board: %d)"):format(states[pool].workers, raw.in_flight(pool))
end

return open
