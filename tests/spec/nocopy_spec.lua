-- SPDX-License-Identifier: MIT
--
-- The handover copies nothing: no system call carries the bytes of an array from one process to another. In the
-- example the workers make arrays in fresh memory, into which they write each byte once; in arrays that are filled
-- where they lie not even that is done by a system call. The memory of all processes together, shared pages counted
-- once, stays near the size of the arrays themselves.

local lfs = require "lfs"

local root = arg[0]:match("^(.*)/[^/]*$") .. "/.."
local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end
local handover = quoted(arg[-1]) .. " " .. quoted(root .. "/scripts/examples/handover.lua")
local mib = 1 << 20

local function contents(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

-- A process and all that descend from it.
local function family(ancestor)
  local children = {}
  for name in lfs.dir("/proc") do
    local stat = name:match("^%d+$") and contents("/proc/" .. name .. "/stat")
    local parent = stat and stat:match("%) %a (%d+)")
    if parent then
      children[parent] = children[parent] or {}
      table.insert(children[parent], name)
    end
  end
  local found = { ancestor }
  for _, pid in ipairs(found) do -- grows while it is walked
    for _, child in ipairs(children[pid] or {}) do found[#found + 1] = child end
  end
  return found
end

-- Bytes in memory; a page that k processes share counts as a k-th of a page in each.
local function proportional_size(pid)
  local rollup = contents("/proc/" .. pid .. "/smaps_rollup") or ""
  return (tonumber(rollup:match("\nPss:%s+(%d+) kB")) or 0) * 1024
end

local CALLS = "read,readv,pread64,preadv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,"
  .. "process_vm_readv,process_vm_writev,splice,vmsplice,sendfile,copy_file_range"

-- Bytes that system calls have carried, by process and call, and the first process; nil where nothing can be traced.
local function trace(command)
  local file = os.tmpname()
  local strace = ("strace -f -qq -e trace=%s -o %s "):format(CALLS, quoted(file))
  local can_trace = os.execute(strace .. "true 2>/dev/null")
  local ok = can_trace and os.execute(strace .. command .. " >/dev/null")
  local bytes, first, unfinished, lines = {}, nil, {}, 0
  for line in io.lines(file) do
    local pid, call = line:match "^(%d+) +(%w+)%("
    if not pid then pid = line:match "^(%d+) +<%.%.%." end
    call = call or unfinished[pid]
    if line:find("<unfinished", 1, true) then unfinished[pid] = call end
    local count = tonumber(line:match " = (%d+)$") or 0
    if pid and call then
      first = first or pid
      bytes[pid] = bytes[pid] or {}
      bytes[pid][call] = (bytes[pid][call] or 0) + count
      lines = lines + 1
    end
  end
  os.remove(file)
  if not can_trace then return nil end
  assert(ok and lines > 10)
  return bytes, first
end

local function total_of(bytes)
  local total = 0
  for _, calls in pairs(bytes) do
    for _, count in pairs(calls) do total = total + count end
  end
  return total
end

describe("the handover", function()
  it("makes no system call that carries array bytes, but that with which their makers write them", function()
    local bytes, main = trace(handover)
    if not bytes then return pending("strace cannot trace here") end
    local written = 0
    for pid, calls in pairs(bytes) do
      written = written + (calls.pwrite64 or 0)
      assert.is_true(pid ~= main or not calls.pwrite64, "main has written")
      calls.pwrite64 = nil
    end
    assert.is_true(written <= 8 * 11111111, ("%d bytes were written"):format(written))
    assert.is_true(total_of(bytes) < mib, ("%d bytes in other calls"):format(total_of(bytes)))
  end)

  it("makes none at all for arrays that are filled in place", function()
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    file:write [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 2, progress = false }
      local function make(n) return shmx.array("i64", n):fill(3) end
      local tasks = {}
      for i = 0, 6 do tasks[#tasks + 1] = pool:submit(make, 10 ^ i) end
      for i, task in ipairs(tasks) do assert(task:get():sum() == 3 * 10 ^ (i - 1)) end
    ]]
    file:close()
    local bytes = trace(quoted(arg[-1]) .. " " .. quoted(script))
    if not bytes then return pending("strace cannot trace here") end
    assert.is_true(total_of(bytes) < mib, ("%d bytes in calls"):format(total_of(bytes)))
  end)

  it("needs less than 150 MiB in all processes together", function()
    local pipe <close> = assert(io.popen("echo $$; exec " .. handover .. " >/dev/null"))
    local main, peak, most = pipe:read("l"), 0, 0
    repeat
      local size, pids = 0, family(main)
      for _, pid in ipairs(pids) do size = size + proportional_size(pid) end
      peak, most = math.max(peak, size), math.max(most, #pids)
      local stat = contents("/proc/" .. main .. "/stat") or ") Z"
    until stat:match("%) Z")
    assert.is_true(most >= 3, "main, supervisor and a worker were not seen")
    assert.is_true(peak > 80 * mib and peak < 150 * mib, ("%.1f MiB"):format(peak / mib))
  end)
end)
