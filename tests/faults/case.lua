-- SPDX-License-Identifier: MIT
--
-- Runs the scripts of this folder as cases: each in a process of its own, with a mark in its environment by which the
-- oracle finds what it leaves, and a time limit, which shows as exit status 124.

local lfs = require "lfs"

local case = {}

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
local child = dofile(here .. "/../child.lua") -- which knows the program that runs this

case.long = os.getenv("SHMX_TEST_LONG") ~= nil
case.folder = here

local folder, count = nil, 0

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function absolute(path) return path:sub(1, 1) == "/" and path or lfs.currentdir() .. "/" .. path end

-- The build with injection points: named by SHMX_FAULTS_BUILD, or nil.
case.faults_build = os.getenv("SHMX_FAULTS_BUILD") and absolute(os.getenv("SHMX_FAULTS_BUILD"))
case.build = child.root

package.cpath = child.root .. "/tests/?.so;" .. package.cpath
package.path = absolute(here) .. "/?.lua;" .. package.path
local oracle = require "oracle"

function case.open()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
end

function case.close() os.execute("rm -rf " .. quote(folder)) end

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

---Runs SCRIPT.lua of this folder with arguments. `given`: `build`, `before` (a shell command, such as ulimit),
---`environment` (NAME=value ...), `beside` (a shell command that runs meanwhile), `seconds` (the time limit, 30).
---`$MARK` in commands is a file name of the case's own.
---@return {out: string, err: string, status: integer, marked: string, left: string}
function case.run(script, arguments, given)
  given = given or {}
  count = count + 1
  local build, place = given.build or case.build, folder .. "/" .. count
  local mark = ("SHMX_FAULTS_CASE=%s.%d"):format(folder:match("[^/]*$"), count)
  local names = oracle.shared_memory()
  local line = ([[MARK=%s; ulimit -c 0; %s; { %s; } >/dev/null 2>&1 & env -u LUA_INIT %s SHMX_FAULT_MARK=$MARK %s \
    timeout -k 5 %d %s %s %s >%s.out 2>%s.err </dev/null; echo $?]]):format(place, given.before or ":",
    given.beside or ":", mark, given.environment or "", given.seconds or 30, quote(build .. "/bin/shmx-lua"),
    quote(absolute(here) .. "/" .. script .. ".lua"), arguments or "", place, place)
  local path = ("LUA_CPATH='%s/tests/?.so;;' LUA_PATH='%s/?.lua;;'"):format(build, absolute(here))
  local pipe <close> = assert(io.popen("export " .. path .. "; " .. line))
  local status = pipe:read("n")
  local left = oracle.processes(mark)
  for _, name in ipairs(oracle.new_names(names)) do left[#left + 1] = name end
  return { out = read(place .. ".out"), err = read(place .. ".err"), status = status, marked = read(place .. ".done"),
           left = table.concat(left, "\n") }
end

---Runs a case that is to end with exit status 0, without a word on standard error and leaving nothing.
function case.pass(script, arguments, given)
  local done = case.run(script, arguments, given)
  assert.are.same({ left = "", err = "", status = 0 }, { left = done.left, err = done.err, status = done.status })
  return done
end

return case
