-- SPDX-License-Identifier: MIT
--
-- Checks a reference such as lua/README.md: shmx-lua tests/reference.lua FILE FOLDER [-]. It prints what is wrong with
-- it, a line for each fault, and nothing if all is well. The examples run in the folder.
--
-- A row of a table with `code` --> `result` in its last cell is an entry for the names in its first cell. Examples know
-- the variables of those blocks of Lua before them in their section "## ...", and before the first section, that begin
-- with the word `local` and print nothing. A block of Lua that is followed by a block without a language prints just
-- that. With a third argument, names need no entries.

local lfs = require "lfs"
local shmx = require "shmx"

local path, folder, only_text = arg[1], arg[2], arg[3]
local lines = {}
for line in io.lines(path) do lines[#lines + 1] = line end

local faults = 0
local function complain(line, format, ...)
  faults = faults + 1
  print(("%s:%d: "):format(path, line) .. format:format(...))
end

-- What values look like in the reference: on one line, as printed; inside of tables as one would write them.

local show

local function show_field(key, value) return type(key) == "number" and show(value) or key .. " = " .. show(value) end

local function show_table(value)
  local parts, names = {}, {}
  for i = 1, #value do parts[i] = show(value[i]) end
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then names[#names + 1] = key end
  end
  table.sort(names)
  for _, key in ipairs(names) do parts[#parts + 1] = show_field(key, value[key]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function show(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) == "table" and not getmetatable(value) then return show_table(value) end
  return tostring(value)
end

local function on_one_line(text) return (text:gsub("%s+", " "):gsub("{ +", "{")) end

local function show_all(...)
  if select("#", ...) == 0 then return "nothing" end
  local parts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    parts[i] = type(value) == "string" and value or show(value)
  end
  return on_one_line(table.concat(parts, ", "))
end

-- The message without the place in the script and the worker's traceback.
local function show_error(err)
  local first_line = tostring(err):gsub("^[^\n]-:%d+: ", ""):match("[^\n]*")
  return "error: " .. on_one_line(first_line)
end

-- Runs `code`, whose last statement may be an expression; gives what it gives.
local function run(setup, code)
  local statements, expression = code:match("^(.*); (.-)$")
  local f = load(setup .. "\nreturn " .. code, "=example")
    or load(("%s\n%s; return %s"):format(setup, statements or code, expression or ""), "=example")
  if not f then return "error: " .. select(2, load(setup .. "\n" .. code, "=example")) end
  local function finish(ok, ...) return ok and show_all(...) or show_error((...)) end
  return finish(pcall(f))
end

-- Runs a block of Lua and gives what it printed.
local function printed_by(setup, code)
  local parts, real_print = {}, print
  rawset(_G, "print", function(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    parts[#parts + 1] = table.concat(words, "\t")
  end)
  local ok, err = pcall(assert(load(setup .. "\n" .. code, "=block")))
  rawset(_G, "print", real_print)
  if not ok then parts[#parts + 1] = show_error(err) end
  return table.concat(parts, "\n")
end

-- The reference, read --

local function cells_of(row)
  local cells = {}
  for cell in row:gsub("\\|", "\0"):gmatch("|([^|]*)%f[|]") do
    cells[#cells + 1] = cell:gsub("\0", "|"):match("^%s*(.-)%s*$")
  end
  return cells
end

-- The names that a first cell is about, each with its owner and a pattern that finds it in an example.
local owners = { a = "array", shmx = "shmx", pool = "pool", t = "task" }

local function names_in(cell)
  local names = {}
  for code in cell:gmatch("`([^`]+)`") do
    local owner, word = code:match("^(%a+)[.:]([%w_]+)")
    local operator = code:match("^a (%p+) b$") or code:match("^(%p)a$")
    if owners[owner] then
      names[#names + 1] = { owner = owners[owner], word = word, pattern = "[.:]" .. word .. "[^%w_]" }
    elseif operator then
      names[#names + 1] = { owner = "operator", word = operator, pattern = operator:gsub("%p", "%%%0") }
    end
  end
  return names
end

local function read_block(first)
  local last = first
  while lines[last] and lines[last] ~= "```" do last = last + 1 end
  return table.concat(lines, "\n", first, last - 1), last
end

local entries = {} -- "array add" -> true, for each that has an example

-- Whether the examples show all that the row is about; of an operator and its function, one will do.
local function shows(examples, names)
  local operator, all = false, true
  for _, name in ipairs(names) do
    local used = examples:find(name.pattern)
    if name.owner == "operator" then operator = operator or used else all = all and used end
  end
  return operator or all
end

local function check_row(setup, line)
  local cells, examples = cells_of(lines[line]), {}
  for code, result in cells[#cells]:gmatch("`([^`]+)` %-%-> `([^`]+)`") do
    examples[#examples + 1] = code
    local got = run(setup, code)
    collectgarbage() -- so that names are free again
    if got ~= result then complain(line, "`%s` gives `%s`, not `%s`", code, got, result) end
  end
  local names = names_in(cells[1])
  if #examples == 0 or #names == 0 then return end
  if not shows(table.concat(examples, " ") .. " ", names) then
    complain(line, "the example does not show what the row is about")
  end
  for _, name in ipairs(names) do entries[name.owner .. " " .. name.word] = true end
end

-- Checks the block of Lua that begins after this line; gives what it sets up for examples, and its last line.
local function check_block(setup, line)
  local code, last = read_block(line + 1)
  local f, problem = load(code, "=block")
  if not f then complain(line, "%s", problem) end
  if f and lines[last + 1] == "" and lines[last + 2] == "```" then
    local got = printed_by(setup, code)
    if got ~= read_block(last + 3) then complain(line, "the block prints\n%s", got) end
  elseif code:find("^local ") then
    setup = setup .. "\n" .. code
  end
  return setup, last
end

local function check_text()
  local general, setup, line = nil, "", 1
  while lines[line] do
    if lines[line]:find("^## ") then
      general = general or setup
      setup = general
    elseif lines[line] == "```lua" then
      setup, line = check_block(setup, line)
    elseif lines[line]:find("^|") then
      check_row(setup, line)
    end
    line = line + 1
  end
end

-- What there is --

local function upvalue(f, n) return select(2, debug.getupvalue(f, n)) end

local function check_names(owner, names, also)
  local missing = {}
  for name in pairs(names) do
    local known = entries[owner .. " " .. name] or also and entries[also .. " " .. name]
    if not known then missing[#missing + 1] = name end
  end
  table.sort(missing)
  if missing[1] then complain(#lines, "no entry with an example: %s: %s", owner, table.concat(missing, " ")) end
end

local operators = {
  __add = "+", __sub = "-", __mul = "*", __div = "/", __idiv = "//", __mod = "%", __pow = "^", __unm = "-",
  __band = "&", __bor = "|", __bxor = "~", __bnot = "~", __shl = "<<", __shr = ">>",
}

local function check_all_names()
  local array, pool <close> = shmx.array("u8", 1), shmx.pool { workers = 1 }
  local array_meta, task_meta = getmetatable(array), getmetatable(shmx.task(print))
  local symbols = {}
  for name, symbol in pairs(operators) do symbols[symbol] = array_meta[name] end
  check_names("array", upvalue(array_meta.__index, 1), "shmx")
  check_names("operator", symbols)
  local functions = { memory = true }
  for name in pairs(shmx) do functions[name] = true end
  check_names("shmx", functions, "array")
  check_names("task", upvalue(task_meta.__index, 1))
  check_names("pool", upvalue(getmetatable(pool).__index, 1))
end

assert(lfs.chdir(folder))
check_text()
if not only_text then check_all_names() end
os.exit(faults == 0, true)
