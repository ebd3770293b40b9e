-- SPDX-License-Identifier: MIT
--
-- Reads the columns of numbers in a CSV file, all workers at once, says what is in them, and writes the rows again,
-- sorted by the last column.
--
--   shmx-lua columns.lua [IN.csv [OUT.csv]]        without IN some temperatures, without OUT a temporary file

package.path = arg[0]:gsub("[^/]*$", "") .. "modules/?.lua;" .. package.path

local csv = require "csv"
local shmx = require "shmx"

-- A year of hourly temperatures at ten places, some of which are missing.
local function make_temperatures(pool, path)
  local count = 10 * 24 * 365
  local columns = {
    hour = shmx.range("i64", 0, count - 1) // 10,
    place = shmx.range("i64", 0, count - 1) % 10 + 1,
    temperature = shmx.array("f64", count):normal(0, 2, { seed = 1 }),
  }
  local hour = columns.hour
  local day, year = (hour * (math.pi / 12)):sin(), (hour * (math.pi / 12 / 365)):cos()
  columns.temperature = ((columns.temperature + 9.5 + day * -4 + year * -9) * 10):round() / 10
  columns.temperature:put(shmx.array("i64", 100):integers(1, count, { seed = 2 }), 0 / 0)
  csv.write(pool, path, columns, { "hour", "place", "temperature" })
end

local input, output = arg[1] or os.tmpname(), arg[2] or os.tmpname()
local pool <close> = shmx.pool()
if not arg[1] then make_temperatures(pool, input) end

local begin = shmx.clock()
local columns, names = csv.read(pool, input)
if #names == 0 then error(input .. " has no columns of numbers", 0) end
print(("%d rows of %d columns read from %s in %.3f s"):format(#columns[names[1]], #names, input, shmx.clock() - begin))
print("column          dtype   missing       smallest           mean        largest")
for _, name in ipairs(names) do
  local column = columns[name]
  local known = column:take(column:isnan():logical_not())
  print(("%-16s %-4s %9d %14.6g %14.6g %14.6g"):format(
    name, column.dtype, #column - #known, known:min(), known:mean(), known:max()))
end

local order = columns[names[#names]]:argsort()
for _, name in ipairs(names) do columns[name] = columns[name]:take(order) end
csv.write(pool, output, columns, names)
print("sorted by " .. names[#names] .. ", written to " .. output)
