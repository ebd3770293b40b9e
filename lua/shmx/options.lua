-- SPDX-License-Identifier: MIT
--
-- Reading options: values that people wrote, checked. Errors name the option and the function, and point at the line of
-- the script that called into this library.

local core = require "shmx.core"

local options = {}

local suffixes = { [""] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30 }

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

---Raises an error that points at the script's line.
---@param format string
---@param ... any
function options.fail(format, ...)
  error(core.where() .. format:format(...), 0)
end

---Raises the error of a method that was called with a dot, and so without what it belongs to.
---@param what string  such as "pool"
---@param method string
function options.fail_without(what, method)
  options.fail("calling '%s' without a %s: write %s:%s(...), with a colon", method, what, what, method)
end

---The type of a value, also of one of our own.
---@param value any
---@return string
function options.type(value)
  local meta = debug.getmetatable(value)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

---A size in bytes: a number, or a string such as "512M" or "50%" (of what is free now).
---@param value any
---@param name string  as errors call it
---@return integer
function options.bytes(value, name)
  local bytes = type(value) == "number" and math.tointeger(value)
  if type(value) == "string" then
    local number, suffix = value:match "^(%d+)([KkMmGg%%]?)$"
    if suffix == "%" then
      bytes = tonumber(number) <= 100 and core.available() // 100 * tonumber(number)
    elseif number then
      bytes = math.tointeger(tonumber(number) * suffixes[suffix:upper()])
    end
  end
  if bytes and bytes > 0 then return math.tointeger(bytes) end
  options.fail("bad %s (a positive number of bytes, or a string like \"512M\" or \"50%%\" expected, got %s)", name,
    show(value))
end

---A whole number from `least` to `most`.
---@param value any
---@param name string  as errors call it
---@param least integer
---@param most integer
---@return integer
function options.count(value, name, least, most)
  local count = type(value) == "number" and math.tointeger(value)
  if count and count >= least and count <= most then return count end
  options.fail("bad %s (a whole number from %d to %d expected, got %s)", name, least, most, show(value))
end

---A number from 0 on.
---@param value any
---@param name string  as errors call it
---@return number
function options.seconds(value, name)
  if type(value) == "number" and value >= 0 then return value end
  options.fail("bad %s (a number of seconds from 0 on expected, got %s)", name, show(value))
end

---A number of seconds above 0.
---@param value any
---@param name string  as errors call it
---@return number
function options.time(value, name)
  if type(value) == "number" and value > 0 then return value end
  options.fail("bad %s (a positive number of seconds expected, got %s)", name, show(value))
end

---A value of the given Lua type, or nil.
---@param value any
---@param name string  as errors call it
---@param kind string
function options.typed(value, name, kind)
  if value == nil or type(value) == kind then return value end
  options.fail("bad %s (%s expected, got %s)", name, kind, options.type(value))
end

---One of the given strings, or nil.
---@param value any
---@param name string  as errors call it
---@param choices string[]
---@return string?
function options.choice(value, name, choices)
  local quoted = {}
  for i, choice in ipairs(choices) do
    if value == choice then return choice end
    quoted[i] = show(choice)
  end
  if value == nil then return nil end
  local list = table.concat(quoted, ", ", 1, #quoted - 1) .. " or " .. quoted[#quoted]
  options.fail("bad %s (%s expected, got %s)", name, list, show(value))
end

---The table of options of a function; an empty one for nil. Refuses options that nobody knows.
---@param given any
---@param place string  such as "argument #1 to 'pool'"
---@param known table<string, true>
---@return table
function options.read(given, place, known)
  if given == nil then return {} end
  options.typed(given, place, "table")
  for key in pairs(given) do
    if not known[key] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      options.fail("bad %s (there is no option %s; known are: %s)", place, show(key), table.concat(names, ", "))
    end
  end
  return given
end

---Refuses what a function was given behind argument number `last`: one that nobody reads is better an error than
---ignored. Nil is none.
---@param name string
---@param last integer  the object before a colon does not count
---@param ... any       what stands behind it
function options.check_end(name, last, ...)
  for i = 1, select("#", ...) do
    local more = select(i, ...)
    if more ~= nil then
      options.fail("bad argument #%d to '%s' (nothing is expected here, got %s)", last + i, name, options.type(more))
    end
  end
end

---The same behind the list of map and imap, where other libraries have more lists, or options.
---@param method string
---@param more any
function options.refuse_more(method, more)
  if more == nil then return end
  local text = "bad argument #3 to '%s' (nothing is expected after the list, got %s; options are for pool:with)"
  options.fail(text, method, options.type(more))
end

---The __newindex of pools.
function options.refuse_field(_, key)
  options.fail("field %s of a pool cannot be set; options are given to shmx.pool or to pool:with", show(key))
end

return options
