-- SPDX-License-Identifier: MIT
--
-- Runs scripts in a child process, for specs that look at what a user sees: output, messages, exit status, and whether
-- anything is left behind. A spec loads it with dofile and calls child.open() in setup, child.close() in teardown.
--
-- Every child, and whatever it starts, carries a mark in its environment, by which what is left is found; and a time
-- limit of 30 seconds, which shows as exit status 124.

local child = {}

local folder, marks = nil, 0

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  local pwd <close> = assert(io.popen("pwd"))
  return pwd:read("l") .. "/" .. path
end

-- The interpreter that runs this file: what stands before all options in `arg`.
local function this_program()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local program = arg[first]
  return program:find("/", 1, true) and absolute(program) or program
end

child.program = this_program()
-- The folder of this file, for scripts that need what else is in it.
child.tests = absolute(debug.getinfo(1, "S").source:match "^@(.*)/")
child.stock = "lua5.4"
-- The build tree, or the installation, that the program is part of.
child.root = child.program:match("^(.*)/bin/[^/]*$")

function child.open()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. quote(folder)))
end

function child.close() os.execute("rm -rf " .. quote(folder)) end

function child.path(name) return folder .. "/" .. name end

function child.write(name, text)
  local file <close> = assert(io.open(child.path(name), "wb"))
  file:write(text)
end

function child.read(name)
  local file <close> = assert(io.open(child.path(name), "rb"))
  return file:read("a")
end

-- Whether there is a Python that has NumPy.
function child.has_numpy() return os.execute("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == true end

---Runs Python code in the folder, as script.py, with NumPy as np. Returns all that it prints.
---@return string
function child.run_numpy(code)
  child.write("script.py", "import numpy as np\n" .. code)
  local pipe <close> = assert(io.popen(("cd %s && /usr/bin/python3 script.py 2>&1"):format(quote(folder))))
  return pipe:read("a")
end

---Runs a script in the folder, as script.lua. `given`: `program`, `options` (a string, before the script), `before` (a
---shell command, such as ulimit), `environment` (a string, as in NAME=value).
---@return {out: string, err: string, status: integer, mark: string}
function child.run(code, given)
  given = given or {}
  marks = marks + 1
  local mark = ("SHMX_SPEC_MARK=%s.%d"):format(folder:match("[^/]*$"), marks)
  child.write("script.lua", code)
  local command = "cd %s && ( %s; exec env -u LUA_INIT %s %s timeout 30 %s %s script.lua ) <stdin >stdout 2>stderr"
  local program = given.program or child.program
  local line = command:format(quote(folder), given.before or ":", mark, given.environment or "", quote(program),
    given.options or "")
  child.write("stdin", given.input or "")
  local pipe <close> = assert(io.popen("exec 2>/dev/null; " .. line .. "; echo $?"))
  local status = pipe:read("n")
  return { out = child.read("stdout"), err = child.read("stderr"), status = status, mark = mark }
end

---The processes that carry the mark of a run, after at most a second of waiting for them to go.
---@return string
function child.left(mark)
  local line = [[for i in 1 2 3 4 5 6 7 8 9 10; do
      left=$(grep -lsaw '%s' /proc/[0-9]*/environ)
      [ -z "$left" ] && break
      sleep 0.1
    done
    echo $left]]
  line = line:format((mark:gsub("%.", "\\.")))
  local pipe <close> = assert(io.popen(line))
  return pipe:read("l")
end

return child
