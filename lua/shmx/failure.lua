-- SPDX-License-Identifier: MIT
--
-- Failures: what a task that did not succeed leaves as its `error`, and the error that pool:execute raises for several.
-- Both are objects that print as text, so that an uncaught one reads well.

local core = require "shmx.core"

---@class shmx.Failure
---@field status "failed"|"crashed"|"timeout"|"cancelled"|"refused"
---@field name string         of the task
---@field task integer        its id
---@field worker integer?     the number of the worker that ran it
---@field attempt integer
---@field value any           the error value of the task, or a sentence
---@field message string      the value as text
---@field traceback string?   the worker's
---@field signal string?      the worker was killed by it, for example "SIGKILL"
---@field code integer?       the worker's exit code, if it ended by itself
---@field cause shmx.Failure?  of the input that failed, when the task failed for that
---@field where string?       the line of the script where it was raised again
---@field place string?       what of many it is of, such as "element 3"
local Failure = { __name = "shmx.Failure" }
Failure.__index = Failure

local LISTED = 20 -- failures that the text for several shows

---What happened, without the line of the script.
---@return string
function Failure:describe()
  local before = self.place and self.place .. ": " or ""
  local worker = self.worker and (" in worker %d"):format(self.worker) or ""
  local what = self.status == "timeout" and "timed out" or self.status
  local text = ("%stask %s %s%s: %s"):format(before, self.name, what, worker, self.message)
  if not self.traceback then return text end
  return text .. "\n" .. self.traceback:gsub("^stack traceback:", "stack traceback of the worker:")
end

function Failure:__tostring() return (self.where or "") .. self:describe() end

-- As lua shows what an error is raised with.
local function as_text(value)
  if type(value) == "string" or type(value) == "number" then return tostring(value) end
  local meta = debug.getmetatable(value)
  if meta and rawget(meta, "__tostring") then
    local ok, text = pcall(tostring, value)
    if ok then return text end
  end
  return ("(error object is a %s value)"):format(type(value))
end

---A global that the script has and a worker has not is everyone's first mistake: an error about one says what to do.
---@generic T
---@param value T
---@return T
local function add_advice(value)
  if type(value) ~= "string" then return value end
  local before, name, after = value:match "^([^\n]*nil value %(global '([^']+)'%))(.*)"
  if not name or rawget(_G, name) == nil then return value end
  local advice = "; '%s' is a global of your script, which workers do not have: make it local, or define it in `init`"
  return before .. advice:format(name) .. after
end

-- A traceback without a line of Lua says nothing.
local function worth_showing(traceback)
  if traceback and traceback:gsub("%[C%]: in %?", ""):find(":", #"stack traceback:" + 1, true) then return traceback end
end

---@param task shmx.Task
---@param status string
---@param value any
---@param traceback string?
---@param signal string?
---@param code integer?
---@return shmx.Failure
local function new(task, status, value, traceback, signal, code)
  value = add_advice(value)
  local message = as_text(value)
  core.trace_failure(task.id, message)
  return setmetatable({
    status = status, name = task.name, task = task.id, worker = task.worker, attempt = task.attempt,
    value = value, message = message, traceback = worth_showing(traceback), signal = signal, code = code,
  }, Failure)
end

---@class shmx.Failures
---@field tasks shmx.Task[]         of execute all of them, ended; of map those that failed
---@field failures shmx.Failure[]
---@field total integer             how many there were
---@field results table?            of map: those of the elements that did not fail
---@field where string
local Failures = { __name = "shmx.Failures" }
Failures.__index = Failures

function Failures:__tostring()
  local count = #self.failures
  if self.total == 1 then return self.where .. self.failures[1]:describe() end
  local lines = { ("%s%d of %d tasks failed:"):format(self.where, count, self.total) }
  for i = 1, math.min(count, LISTED) do
    lines[#lines + 1] = ("%d. %s"):format(i, self.failures[i]:describe())
  end
  if count > LISTED then lines[#lines + 1] = ("and %d more: see `tasks` of this error"):format(count - LISTED) end
  return table.concat(lines, "\n")
end

---@param tasks shmx.Task[]
---@param failures shmx.Failure[]
---@param where string
---@param total integer
---@param results table?
---@return shmx.Failures
local function several(tasks, failures, where, total, results)
  return setmetatable({
    tasks = tasks, failures = failures, where = where, total = total, results = results,
  }, Failures)
end

---Says of which of many things a failure is, by their kind ("element") and their numbers from 1 on. What is only a
---text, because there was no memory for more, stays one.
---@param err shmx.Failure
---@param kind string
---@param first integer
---@param last integer
---@return shmx.Failure
local function locate(err, kind, first, last)
  if type(err) ~= "table" then return err end
  err.place = first == last and ("%s %d"):format(kind, first) or ("%ss %d to %d"):format(kind, first, last)
  return err
end

---Raises a failure as one of the script's line.
---@param err shmx.Failure
local function raise(err)
  err.where = core.where()
  error(err, 0)
end

---Waits for all of the tasks, and returns the failures.
---@param tasks shmx.Task[]
---@return shmx.Failure[]
local function await(tasks)
  local failures = {}
  for _, task in ipairs(tasks) do
    task:wait()
    failures[#failures + 1] = task.error
  end
  return failures
end

return { new = new, several = several, locate = locate, raise = raise, await = await, add_advice = add_advice }
