-- SPDX-License-Identifier: MIT
--
-- The limit on the size of files, `ulimit -f`, which holds for shared memory too. The kernel ends a process by a signal
-- that goes beyond it; the library makes an error of that. What named arrays and .npy files do is in their own specs.

local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local child = dofile(here .. "/child.lua")

setup(child.open)
teardown(child.close)

-- 64 MiB, or twice that, as the shell counts; a pool needs less than that, and `large` is more.
local limit = "ulimit -f 131072"
local large = 300 << 20
local why = "shared memory counts as a file, and no file may be that large %(ulimit %-f%)"

local function run(code, before, options)
  code = ("local shmx = require 'shmx'\nlocal large = %d\n"):format(large) .. code
  return child.run(code, { before = before or limit, options = "--memory 1G " .. (options or "") })
end

describe("a limit on the size of files", function()
  it("is an error for an array that is larger, at the line of the script", function()
    local done = run [[
      print(pcall(function() return shmx.array("u8", large) end))
      print(shmx.full("u8", 1 << 20, 1):sum())]]
    assert.equal("", done.err)
    assert.matches("^false\tscript.lua:3: cannot allocate 314572800 bytes: " .. why .. "\n1048576\n$", done.out)
  end)

  it("leaves room for arrays that are smaller than what is made for them otherwise", function()
    local done = run("local a = {} for i = 1, 9 do a[i] = shmx.full('u8', 60000, 1) end print(#a, a[9]:sum())",
      "ulimit -f 256")
    assert.equal("9\t60000\n", done.out)
  end)

  it("refuses a task of which it stands in the way, and its worker goes on", function()
    local done = run [[
      local pool <close> = shmx.pool { workers = 1 }
      local function show(f, ...)
        local task = pool:submit(f, ...)
        task:wait()
        print(task.status, task.worker, task.error and task.error.message or task.result)
      end
      show(function(n) return shmx.array("u8", n) end, large)
      show(function(n) return ("x"):rep(n) end, large)
      show(function() return shmx.worker() end)
      print(pcall(function() return pool:submit(print, ("x"):rep(large)) end))]]
    assert.equal("", done.err)
    local made, returned, own, sent = done.out:match "^([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)\n$"
    assert.matches("^refused\t1\t.*script.lua:9: cannot allocate 314572800 bytes: " .. why .. "$", made)
    assert.matches("^refused\t1\t.*the system has no room for the result: " .. why .. "$", returned)
    assert.equal("done\t1\t1", own)
    assert.matches("^false\tscript.lua:12: a task cannot be submitted: " .. why, sent)
  end)

  it("is an error for a pool that needs more", function()
    for _, blocks in ipairs { 8, 1024 } do
      local done = run("print(pcall(function() return shmx.pool { workers = 1 } end))", "ulimit -f " .. blocks)
      assert.equal("", done.err)
      assert.matches("^false\tscript.lua:3: .*" .. why, done.out)
      assert.equal("", child.left(done.mark))
    end
  end)

  it("ends a trace and a job log with a warning, and not the run", function()
    local done = run([[
      local pool <close> = shmx.pool { workers = 1 }
      os.execute(("prlimit --fsize=4096 --pid %d"):format(shmx.pid()))
      local names = {}
      for i = 1, 100 do names[i] = shmx.task { math.abs, i, name = ("x"):rep(100) } end
      print(#pool:execute(names))]], limit, "--joblog log")
    assert.equal("100\n", done.out)
    assert.equal("shmx: the job log cannot be written any more: no file may be that large (ulimit -f)\n", done.err)
    done = run([[
      local pool <close> = shmx.pool { workers = 1 }
      for i = 1, 100 do pool:submit(math.abs, i) end
      pool:submit(function()
        local supervisor = io.open("/proc/self/stat"):read("a"):match "%) %a (%d+)"
        os.execute("prlimit --fsize=4096 --pid " .. supervisor)
      end):wait() ]], ":", "--trace trace")
    assert.equal("", done.out)
    assert.equal("shmx: the trace could not be written: trace: no file may be that large (ulimit -f); what was there "
      .. "before is unchanged\n", (done.err:gsub("/[^ ]*/", "")))
    assert.equal(0, done.status)
  end)

  it("stops the script's own writing as it stops that of lua", function()
    for _, program in ipairs { child.program, child.stock } do
      local done = child.run("io.stdout:write(('x'):rep(1 << 20)) io.stdout:flush() print 'on'",
        { program = program, before = "ulimit -f 8" })
      assert.equal(153, done.status) -- killed by SIGXFSZ
    end
  end)
end)
