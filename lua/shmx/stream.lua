-- SPDX-License-Identifier: MIT
--
-- Streams: pool:imap and pool:imap_unordered. Elements come from an iterator, of whatever length, and no more than
-- `ahead` tasks are under way at a time: a source without an end costs no more than that.
--
-- A chunk is one task for several elements, which run one after the other. Each has its own outcome, so that the
-- failure of one loses none of the others.

local core = require "shmx.core"
local options = require "shmx.options"
local failure = require "shmx.failure"

---What became of an element: its results, or its failure.
---@class shmx.Outcome
---@field n integer?              of its results, which are at 1 to n
---@field failure shmx.Failure?

---@class shmx.Stream
---@field send fun(f: function, ...): shmx.Task       submits
---@field send_chunk fun(f: function, ...): shmx.Task  the same under a name that says what f is
---@field f function
---@field iterator function
---@field state any
---@field control any
---@field closing any             of the source; closed with the stream
---@field over boolean            the source has ended
---@field ahead integer
---@field chunk integer
---@field ordered boolean
---@field under_way shmx.UnderWay
---@field count integer           of the tasks under way
---@field taken integer           elements that have come from the source
---@field outcomes shmx.Outcome[] of a chunk: what is to come, the last first
---@field closed boolean
local Stream = {}
Stream.__index = Stream
Stream.__name = "shmx.Stream"

--- the source ---

-- An iterator over a list, which may grow meanwhile. What stands behind a nil would be left out in silence.
local function values_of(method, list)
  local index = 0
  return function()
    index = index + 1
    if list[index] == nil and index < #list then
      options.fail("bad argument #2 to '%s' (element %d of the list is nil, which would end it)", method, index)
    end
    return list[index]
  end
end

local function check_iterator(method, iterator, closing)
  local meta = debug.getmetatable(iterator)
  if type(iterator) ~= "function" and not (meta and meta.__call) then
    options.fail("bad argument #2 to '%s' (an iterator or a list expected, got %s)", method, options.type(iterator))
  end
  meta = debug.getmetatable(closing)
  if closing and not (meta and meta.__close) then
    options.fail("bad argument #5 to '%s' (a value that can be closed expected, got %s)", method, options.type(closing))
  end
end

---Reads the source among the arguments of a method, from its second one on: an iterator with what belongs to it, or a
---list, whose values it gives.
---@param method string
---@param source function|table
---@return function iterator, any state, any control, any closing
local function read_source(method, source, state, control, closing, ...)
  options.check_end(method, 5, ...)
  if type(source) == "table" and not getmetatable(source) then
    options.refuse_more(method, state)
    return values_of(method, source)
  end
  check_iterator(method, source, closing)
  return source, state, control, closing
end

--- chunks ---

-- In a worker: f for one element after the other. An outcome is {true, n, results...} or {false, error, traceback,
-- how}.
local function run_chunk(f, elements)
  local pack, unpack, traceback = table.pack, table.unpack, debug.traceback
  local function handle(err) return { err, traceback(nil, 2) } end
  local outcomes = {}
  for i, element in ipairs(elements) do
    local results = pack(xpcall(f, handle, unpack(element, 1, element.n)))
    if results[1] then outcomes[i] = { true, results.n - 1, unpack(results, 2, results.n) }
    else
      local how, value = core.fail_element(results[2][1])
      outcomes[i] = { false, value, results[2][2], how }
    end
  end
  return outcomes
end

---@return shmx.Outcome
local function read_outcome(task, element, given)
  if given[1] then return { n = given[2], table.unpack(given, 3, 2 + given[2]) } end
  local err = failure.new(task, given[4], given[2], given[3])
  return { failure = failure.locate(err, "element", element, element) }
end

-- The outcomes of a task's elements, which are from `first` on, the last first.
local function read_outcomes(task, first)
  local list, outcomes = task.result, {}
  for i = #list, 1, -1 do outcomes[#outcomes + 1] = read_outcome(task, first + i - 1, list[i]) end
  return outcomes
end

-- Takes the next elements from the source, as many as a chunk has.
function Stream:next_chunk()
  local elements = {}
  local function add(...)
    if (...) == nil then
      self.over = true
    else
      self.control = ...
      elements[#elements + 1] = table.pack(...)
    end
  end
  while not self.over and #elements < self.chunk do add(self.iterator(self.state, self.control)) end
  if #elements > 0 then self:add(self.send_chunk(run_chunk, self.f, elements), #elements) end
end

--- tasks under way ---

---@class shmx.UnderWay
---@field tasks table<integer, shmx.Task>
---@field add fun(task: shmx.Task, first: integer)  with the number of its first element
---@field take fun(): shmx.Task, integer            takes the next one out

-- The next one is the oldest. Each has one of `ahead` places, in turn.
---@return shmx.UnderWay
local function in_order(ahead)
  local tasks, elements, added, taken = {}, {}, 0, 0
  local function add(task, first)
    local at = added % ahead + 1
    added, tasks[at], elements[at] = added + 1, task, first
  end
  local function take()
    local at = taken % ahead + 1
    local task = tasks[at]
    taken, tasks[at] = taken + 1, nil
    return task, elements[at]
  end
  return { tasks = tasks, add = add, take = take }
end

-- The next one is the oldest of those that have ended, so that none waits for ever. Those behind it move up.
---@return shmx.UnderWay
local function as_they_end()
  local tasks, elements = {}, {}
  local function add(task, first)
    local at = #tasks + 1
    tasks[at], elements[at] = task, first
  end
  local function take()
    local _, at = core.first(tasks)
    return table.remove(tasks, at), table.remove(elements, at)
  end
  return { tasks = tasks, add = add, take = take }
end

function Stream:add(task, count)
  self.under_way.add(task, self.taken + 1)
  self.count, self.taken = self.count + 1, self.taken + count
end

function Stream:submit_element(...)
  if (...) == nil then
    self.over = true
  else
    self.control = ...
    self:add(self.send(self.f, ...), 1)
  end
end

-- Keeps as many tasks under way as there shall be.
function Stream:fill()
  while not self.over and self.count < self.ahead do
    if self.chunk > 1 then self:next_chunk()
    else self:submit_element(self.iterator(self.state, self.control)) end
  end
end

-- The results of a task; its failure says of which elements it is.
function Stream:get(task, first)
  task:wait()
  local err = task.error
  if type(err) ~= "table" then return task:get() end
  failure.raise(failure.locate(err, "element", first, math.min(first + self.chunk - 1, self.taken)))
end

-- The first result ends a loop when it is nil.
local function check(name, ...)
  if (...) ~= nil then return ... end
  options.fail("the first result of %s is nil, which would end the loop; return another value, or use pool:map", name)
end

local function yield(outcome)
  if outcome.failure then failure.raise(outcome.failure) end
  return check("an element", table.unpack(outcome, 1, outcome.n))
end

-- The results of the next element; nothing after the last one.
function Stream:step()
  if self.closed then return nil end
  if #self.outcomes > 0 then return yield(table.remove(self.outcomes)) end
  self:fill()
  if self.count == 0 then return nil end
  local task, element = self.under_way.take()
  self.count = self.count - 1
  if self.chunk == 1 then return check(task.name, self:get(task, element)) end
  self:get(task, element)
  self.outcomes = read_outcomes(task, element)
  return yield(table.remove(self.outcomes))
end

---Takes back what no worker has begun, forgets the rest, and closes the source.
---@param err any the error that ends the loop
function Stream:close(err)
  if self.closed then return end
  self.closed = true
  for _, task in pairs(self.under_way.tasks) do core.abandon(task) end
  self.under_way, self.outcomes = nil, {}
  local meta = self.closing and debug.getmetatable(self.closing)
  if meta then meta.__close(self.closing, err) end
end

Stream.__close = Stream.close

---@param given table the fields send, send_chunk, f, iterator, state, control, closing, ahead, chunk, ordered
---@return shmx.Stream
local function open(given)
  given.over, given.closed = false, false
  given.under_way = given.ordered and in_order(given.ahead) or as_they_end()
  given.count, given.taken, given.outcomes = 0, 0, {}
  return setmetatable(given, Stream)
end

---The four values of the generic `for`.
---@param stream shmx.Stream
local function loop(stream)
  return function() return stream:step() end, nil, nil, stream
end

return { source = read_source, open = open, loop = loop }
