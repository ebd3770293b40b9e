-- SPDX-License-Identifier: MIT
--
-- shmx.load_tasks: a folder of task definitions. Each file is a module whose name is its absolute path (see
-- host/bind/files.h), loaded once in main and once in each worker that runs one of its functions.

local core = require "shmx.core"
local options = require "shmx.options"

-- The files of the folder that define tasks, sorted: {name =, path =}.
local function list(lfs, dir)
  local files, seen = {}, {}
  for entry in lfs.dir(dir) do
    local name = entry:match "^([^.].*)%.lua$" or entry:match "^([^.].*)%.so$"
    if name then files[#files + 1] = { name = name, path = dir .. "/" .. entry } end
  end
  table.sort(files, function(a, b) return a.path < b.path end)
  for _, file in ipairs(files) do
    if seen[file.name] then options.fail("load_tasks: %s and %s define the same name", seen[file.name], file.path) end
    seen[file.name] = file.path
  end
  return files
end

-- Gives the functions of a module the names that their tasks are to have. Returns whether there is any.
local function name_functions(name, module)
  if type(module) == "function" then core.name_function(module, name) return true end
  local found = false
  if type(module) ~= "table" then return found end
  for key, value in next, module do
    if type(key) == "string" and type(value) == "function" then
      core.name_function(value, name .. "." .. key)
      found = true
    end
  end
  return found
end

-- An error always names the file.
local function fail(path, message)
  message = tostring(message)
  if not message:find(path, 1, true) then message = path .. ": " .. message end
  options.fail("load_tasks: %s", message)
end

local function load(file)
  local ok, module = pcall(require, file.path)
  if not ok then fail(file.path, module) end
  if name_functions(file.name, module) then return module end
  package.loaded[file.path] = nil
  local got = type(module) == "table" and "a table without any" or options.type(module)
  if module == true then got = "nothing" end
  fail(file.path, ("it returns %s; a function or a table of functions expected"):format(got))
end

local function open_folder(lfs, dir)
  if dir:sub(1, 1) ~= "/" then dir = lfs.currentdir() .. "/" .. dir end
  dir = dir:gsub("(.)/+$", "%1")
  local mode, why = lfs.attributes(dir, "mode")
  if mode == "directory" then return dir end
  options.fail("load_tasks: %s", mode and dir .. " is no folder" or why)
end

---Loads each *.lua file and each C module (*.so) of a folder.
---@param dir string
---@return table<string, function|table<string, function>>  by the names of the files
return function(dir, ...)
  options.check_end("load_tasks", 1, ...)
  if type(dir) ~= "string" then
    options.fail("bad argument #1 to 'load_tasks' (the path of a folder expected, got %s)", options.type(dir))
  end
  local ok, lfs = pcall(require, "lfs")
  if not ok then options.fail("load_tasks needs LuaFileSystem: %s", lfs) end
  dir = open_folder(lfs, dir)
  local tasks = {}
  for _, file in ipairs(list(lfs, dir)) do tasks[file.name] = load(file) end
  return tasks
end
