-- SPDX-License-Identifier: MIT
--
-- CSV files as columns of numbers. The first line has the names. A column becomes an array, i64 if it has only integers
-- in it, otherwise f64. What is missing, or is no number, is NaN. Columns that do not begin with a number are left
-- out. Fields may stand in quotes, but there are no line breaks in them.
--
--   local csv = require "csv"
--   local columns, names = csv.read(pool, "in.csv")        -- columns.price, columns.amount, ...
--   csv.write(pool, "out.csv", columns, names)
--
-- Several tasks read parts of a file at the same time, and hand over the columns of their parts; and several make the
-- text of a file, which is written in order as it comes.

local shmx = require "shmx"

local csv = {}

local PART = 1 << 20 -- bytes that a task reads
local ROWS = 1 << 14 -- rows that a task makes text of

local function hide_commas(text) return (text:gsub(",", "\0")) end

-- The fields of a line. Of quotes in quoted fields nothing remains.
local function split(line)
  local fields = {}
  if line:find('"', 1, true) then line = line:gsub('"([^"]*)"', hide_commas) end
  for field in line:gmatch("[^,]*") do fields[#fields + 1] = field:gsub("\0", ",") end
  return fields
end

-- The wanted columns of all lines that begin in the bytes first .. last - 1. It reads from the byte before these, since
-- a line begins behind the end of another one.
local function read_part(path, first, last, wanted)
  local file <close> = assert(io.open(path, "rb"))
  file:seek("set", first - 1)
  local text = file:read(last - first) .. (file:read("L") or "")
  local columns, row = {}, 0
  for i = 1, #wanted do columns[i] = {} end
  for line in text:gmatch("[^\r\n]+", text:match("\n()") or #text + 1) do
    local fields = split(line)
    row = row + 1
    for i, place in ipairs(wanted) do columns[i][row] = tonumber(fields[place]) or 0 / 0 end
  end
  for i, column in ipairs(columns) do columns[i] = shmx.from(column) end
  return columns
end

---@param pool shmx.Pool
---@param path string
---@return table<string, shmx.Array> columns
---@return string[] names  of the columns, in their order
function csv.read(pool, path)
  local file <close> = assert(io.open(path, "rb"))
  local titles, begin = split((file:read("l") or ""):match("[^\r]*")), file:seek()
  local wanted, names = {}, {}
  for place, field in ipairs(split(file:read("l") or "")) do
    if tonumber(field) then
      wanted[#wanted + 1] = place
      names[#names + 1] = titles[place] or tostring(place)
    end
  end
  local tasks, size = {}, file:seek("end")
  for first = begin, size - 1, PART do
    tasks[#tasks + 1] = shmx.task(read_part, path, first, math.min(first + PART, size), wanted)
  end
  pool:execute(tasks)
  local columns = {}
  for i, name in ipairs(names) do
    local parts = {}
    for k, task in ipairs(tasks) do parts[k] = task.result[i] end
    columns[name] = shmx.concat(parts)
  end
  return columns, names
end

-- A number in as few digits as are read as the same again.
local function number_text(x)
  if x ~= x then return "" end
  if math.type(x) == "integer" then return tostring(x) end
  local text = ("%.15g"):format(x)
  if tonumber(text) ~= x then text = ("%.17g"):format(x) end
  return text:find("^-?%d+$") and text .. ".0" or text
end

local function name_text(name) return name:find('[,"]') and '"' .. name:gsub('"', '""') .. '"' or name end

---@param pool shmx.Pool
---@param path string
---@param columns table<string, shmx.Array>  vectors of one size
---@param names string[]  which of them, and in what order
function csv.write(pool, path, columns, names)
  local titles, list = {}, {}
  for i, name in ipairs(names) do titles[i], list[i] = name_text(name), columns[name] end
  local count = #list[1]

  local function next_row(_, row) return row + ROWS <= count and row + ROWS or nil end
  local function write_rows(first)
    local cells, lines = {}, {}
    for i, array in ipairs(list) do cells[i] = array:view({ first, math.min(first + ROWS - 1, count) }):totable() end
    for row = 1, #cells[1] do
      local words = {}
      for i = 1, #cells do words[i] = number_text(cells[i][row]) end
      lines[row] = table.concat(words, ",")
    end
    return table.concat(lines, "\n") .. "\n"
  end

  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(table.concat(titles, ","), "\n"))
  for text in pool:imap(write_rows, next_row, nil, 1 - ROWS) do assert(file:write(text)) end
end

return csv
