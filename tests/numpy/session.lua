-- SPDX-License-Identifier: MIT
--
-- Runs operations on random arrays and has NumPy (check.py) do the same and compare.
--
-- An operation is a table:
--   name      what a failure calls it, and where its random numbers start
--   dtypes    of the arrays that it is tried with; default: all
--   count     how many arrays it takes, all of one dtype; default: 1
--   wild      give it values of any size too, infinite ones and NaN; default: true
--   arrays    function(dtype, wild): the arrays, if they are not just any
--   given     function(a, b, ...): a table of parameters that both sides see by name; default: none
--   shmx      function(given, a, b, ...): the results, up to three
--   numpy     a Python expression with a, b, ..., the parameters, and the functions of check.py
--   ulp       how many units in the last place floats may differ; default: 0, bit for bit
--   scale     a Python expression: floats may differ by `ulp` units in the last place of that
--   kind      true: the dtypes of the results need not be the same
--   times     how often it is tried, in proportion to others; default: 1
-- If one side refuses an operation, the other has to refuse it too.

local draw = require "draw"

local session = {}

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")

---Whether there is a Python with NumPy.
function session.available()
  return os.execute("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == true
end

---A value as Python writes it: a list if it has an element 1 or nothing, a dictionary otherwise.
local function literal(value)
  if math.type(value) == "float" then return ("float('%.17g')"):format(value) end
  if type(value) == "string" then return '"' .. value:gsub('[\n\\"]', "'") .. '"' end
  if type(value) == "boolean" then return value and "True" or "False" end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  if value[1] ~= nil or next(value) == nil then
    for i, element in ipairs(value) do parts[i] = literal(element) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  for key, element in pairs(value) do parts[#parts + 1] = ("%q: %s"):format(key, literal(element)) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function encode(value)
  if type(value) == "userdata" then return { dtype = value.dtype, shape = value.shape }, value:tobytes() end
  if math.type(value) == "integer" then return { dtype = "i64" }, string.pack("=i8", value) end
  if math.type(value) == "float" then return { dtype = "f64" }, string.pack("=d", value) end
  if type(value) == "boolean" then return { dtype = "bool" }, value and "\1" or "\0" end
  error("an operation returned a " .. type(value))
end

-- Appends what the values are to `list`; returns their bytes.
local function add(list, values)
  local bytes = {}
  for i, value in ipairs(values) do list[i], bytes[i] = encode(value) end
  return table.concat(bytes)
end

local function write_case(file, operation, given, arrays, results, problem)
  local header = {
    name = operation.name, numpy = operation.numpy, ulp = operation.ulp, scale = operation.scale, kind = operation.kind,
    given = given, problem = problem, arrays = {}, results = {},
  }
  local bytes = add(header.arrays, arrays) .. add(header.results, results)
  file:write(literal(header), "\n", bytes)
end

local function draw_arrays(operation)
  local dtype = draw.of(operation.dtypes or draw.all)
  local wild = operation.wild ~= false and draw.once_in(2)
  if operation.arrays then return operation.arrays(dtype, wild) end
  local arrays = {}
  for i, shape in ipairs(draw.shapes(operation.count or 1)) do arrays[i] = draw.array(dtype, shape, wild) end
  return arrays
end

local function run_case(file, operation)
  local arrays = draw_arrays(operation)
  local given = operation.given and operation.given(table.unpack(arrays)) or {}
  local copies = {} -- so that NumPy starts from the same, whatever is written
  for i, a in ipairs(arrays) do copies[i] = a:copy() end
  local results = table.pack(pcall(operation.shmx, given, table.unpack(arrays)))
  if results[1] then
    write_case(file, operation, given, copies, { table.unpack(results, 2, results.n) })
  else
    write_case(file, operation, given, copies, {}, tostring(results[2]))
  end
end

-- Where an operation's random numbers start does not depend on what other operations there are.
local function seed_for(operation, seed)
  local hash = 0
  for i = 1, #operation.name do hash = hash * 31 + operation.name:byte(i) end
  math.randomseed(seed, hash)
end

---Tries each operation `times` times. Returns how many cases NumPy compared, and what it found different (a text).
function session.run(operations, times, seed)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  for _, operation in ipairs(operations) do
    seed_for(operation, seed)
    for _ = 1, math.ceil(times * (operation.times or 1)) do run_case(file, operation) end
  end
  file:close()
  local pipe = assert(io.popen(("/usr/bin/python3 '%s/check.py' '%s' 2>&1"):format(here, path)))
  local report = pipe:read "a"
  pipe:close()
  os.remove(path)
  local count, differences = report:match("^(.-)(%d+) cases compared\n$")
  if not count then error("check.py did not come to its end:\n" .. report) end
  return tonumber(differences), count
end

return session
