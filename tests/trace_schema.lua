-- SPDX-License-Identifier: MIT
--
-- Checks a trace against the Trace Event Format that Perfetto and chrome://tracing read, stricter than they are: what
-- they would drop or draw wrongly in silence is a complaint here. Events need not be in the order of their times.

local schema = {}

local TOLERANCE_US = 0.0015 -- times are written with three digits

local fields = { ts = "number", pid = "integer", tid = "integer", name = "string", cat = "string", args = "table" }
local optional = { cat = true, args = true }

-- What an event of each phase must have besides.
local needed = {
  X = { dur = "number" }, B = {}, E = {}, i = {}, C = { args = "table" }, M = { args = "table" },
}
for _, phase in ipairs { "s", "t", "f" } do needed[phase] = { id = "integer", cat = "string" } end

local metadata = {
  process_name = { "name", "string" },
  thread_name = { "name", "string" },
  process_sort_index = { "sort_index", "integer" },
}

local function is_a(value, kind)
  if kind == "integer" then return math.type(value) and math.tointeger(value) ~= nil end
  return type(value) == kind and (kind ~= "number" or value == value and math.abs(value) < math.huge)
end

---@class Trace.Check
---@field complaints string[]
local Check = {}
Check.__index = Check

function Check:complain(event, format, ...)
  local text = ("%s '%s' of thread %s at %s us: "):format(event.ph, event.name, event.tid, event.ts)
  self.complaints[#self.complaints + 1] = text .. format:format(...)
end

function Check:fields(event, wanted)
  for field, kind in pairs(wanted) do
    local value = event[field]
    if not is_a(value, kind) and not (value == nil and optional[field] and wanted == fields) then
      self:complain(event, "its %s is %s, and no %s", field, tostring(value), kind)
    end
  end
end

function Check:metadata(event)
  local wanted = metadata[event.name]
  if not wanted then return self:complain(event, "there is no such metadata") end
  if not is_a(event.args and event.args[wanted[1]], wanted[2]) then
    self:complain(event, "it has no %s", wanted[1])
  end
  local names = self.names[event.name]
  local key = event.name == "thread_name" and event.tid or event.pid
  if names and names[key] then self:complain(event, "it is named twice") end
  if names then names[key] = true end
end

function Check:event(event)
  if not needed[event.ph] then return self:complain(event, "there is no such phase") end
  self:fields(event, fields)
  self:fields(event, needed[event.ph])
  if event.ph == "M" then return self:metadata(event) end
  if is_a(event.ts, "number") and event.ts < 0 then self:complain(event, "it is before the beginning") end
  if event.ph == "X" and is_a(event.dur, "number") and event.dur <= 0 then self:complain(event, "it has no length") end
  if event.ph == "C" then
    for key, value in pairs(event.args or {}) do
      if not is_a(value, "number") then self:complain(event, "its counter %s is no number", key) end
    end
  end
end

-- Groups events of the phases by a key, in the order of their times; longer ones first, as they enclose the others.
local function groups(events, phases, key)
  local list = {}
  for place, event in ipairs(events) do
    if phases[event.ph] then
      local k = key(event)
      list[k] = list[k] or {}
      table.insert(list[k], { event = event, place = place })
    end
  end
  for _, group in pairs(list) do
    table.sort(group, function(a, b)
      if a.event.ts ~= b.event.ts then return a.event.ts < b.event.ts end
      local long, short = a.event.dur or 0, b.event.dur or 0
      if long ~= short then return long > short end
      return a.place < b.place
    end)
  end
  return list
end

local function thread_of(event) return event.pid .. "/" .. event.tid end

-- What runs in a thread is a stack: one thing lies within another, or after it.
function Check:nesting(events)
  for _, group in pairs(groups(events, { X = true }, thread_of)) do
    local stack = {}
    for _, item in ipairs(group) do
      local event = item.event
      local finish = event.ts + event.dur
      while stack[1] and stack[#stack].finish <= event.ts + TOLERANCE_US do table.remove(stack) end
      local around = stack[#stack]
      if around and finish > around.finish + TOLERANCE_US then
        self:complain(event, "it ends at %.3f, after '%s', in which it begins and which ends at %.3f", finish,
          around.name, around.finish)
      end
      stack[#stack + 1] = { finish = finish, name = event.name }
    end
  end
end

-- B and E come in pairs.
function Check:pairs(events)
  for _, group in pairs(groups(events, { B = true, E = true }, thread_of)) do
    local stack = {}
    for _, item in ipairs(group) do
      local event = item.event
      if event.ph == "B" then stack[#stack + 1] = event
      elseif not stack[1] or stack[#stack].name ~= event.name then self:complain(event, "it ends what has not begun")
      else table.remove(stack) end
    end
    for _, event in ipairs(stack) do self:complain(event, "it does not end") end
  end
end

-- A flow begins, goes on, and ends; each step of it is in something that runs.
function Check:flows(events)
  local begins = {}
  for _, event in ipairs(events) do
    if event.ph == "X" then begins[thread_of(event) .. "@" .. event.ts] = true end
  end
  local function key(event) return event.cat .. "/" .. event.name .. "/" .. event.id end
  for _, group in pairs(groups(events, { s = true, t = true, f = true }, key)) do
    local open = 0
    for _, item in ipairs(group) do
      local event = item.event
      if event.ph == "s" then open = open + 1
      elseif open == 0 then self:complain(event, "the flow %d has not begun", event.id)
      elseif event.ph == "f" then open = open - 1 end
      if not begins[thread_of(event) .. "@" .. event.ts] then self:complain(event, "nothing runs there") end
    end
  end
end

function Check:threads(events)
  for _, event in ipairs(events) do
    if event.ph ~= "M" then
      if not self.names.process_name[event.pid] then self:complain(event, "its process has no name") end
      if not self.names.thread_name[event.tid] then self:complain(event, "its thread has no name") end
    end
  end
end

---What is wrong with a trace, as it was decoded from JSON: a list of sentences, which is empty for a good one.
---@param trace table
---@return string[]
function schema.complaints(trace)
  local check = setmetatable({ complaints = {}, names = { process_name = {}, thread_name = {} } }, Check)
  if type(trace.traceEvents) ~= "table" then return { "it has no traceEvents" } end
  if trace.displayTimeUnit and trace.displayTimeUnit ~= "ms" and trace.displayTimeUnit ~= "ns" then
    return { "its displayTimeUnit is neither ms nor ns" }
  end
  for _, event in ipairs(trace.traceEvents) do check:event(event) end
  if #check.complaints > 0 then return check.complaints end -- the rest would only stumble over it
  check:threads(trace.traceEvents)
  check:nesting(trace.traceEvents)
  check:pairs(trace.traceEvents)
  check:flows(trace.traceEvents)
  return check.complaints
end

return schema
