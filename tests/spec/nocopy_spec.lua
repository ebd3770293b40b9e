-- SPDX-License-Identifier: MIT
--
-- The handover example copies nothing: no system call carries array bytes, and the memory of all its processes
-- together, shared pages counted once, stays near the size of the arrays themselves.

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

describe("the handover example", function()
  it("makes no system call that carries array bytes", function()
    local trace = os.tmpname()
    finally(function() os.remove(trace) end)
    local calls = "read,readv,pread64,preadv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,"
      .. "process_vm_readv,process_vm_writev,splice,vmsplice,sendfile,copy_file_range"
    local strace = ("strace -f -qq -e trace=%s -o %s "):format(calls, quoted(trace))
    if not os.execute(strace .. "true 2>/dev/null") then return pending("strace cannot trace here") end
    assert(os.execute(strace .. handover .. " >/dev/null"))
    local lines, total = 0, 0
    for line in io.lines(trace) do
      lines, total = lines + 1, total + (tonumber(line:match(" = (%d+)$")) or 0)
    end
    assert.is_true(lines > 10)
    assert.is_true(total < mib, ("%d bytes in %d calls"):format(total, lines))
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
