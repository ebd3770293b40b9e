-- SPDX-License-Identifier: MIT
--
-- Named arrays, shmx.attach and a:path(): memory that other programs find, and which is gone when nobody holds it.

local shmx, lfs = require "shmx", require "lfs"
local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local await, child, fails = dofile(here .. "/await.lua"), dofile(here .. "/child.lua"), dofile(here .. "/fails.lua")

setup(child.open)
teardown(child.close)

local prefix = "shmx-spec-" .. shmx.pid() .. "-"

-- What of ours, and of any register, is in /dev/shm.
local function names()
  local found = {}
  for name in lfs.dir "/dev/shm" do
    if name:find(prefix, 1, true) or name:find("^%.shmx%-") then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

local function there(name) return lfs.attributes("/dev/shm/" .. name, "mode") ~= nil end

-- Nothing of ours is there, or soon will not be.
local function await_nothing()
  await(function()
    local found = table.concat(names(), ", ")
    return found == "", found
  end, 5)
end

local function run(code, given)
  local done = child.run(("local shmx = require 'shmx'\nlocal prefix = %q\n"):format(prefix) .. code, given)
  return done
end

local python = child.has_numpy()

local function run_python(code)
  return child.run_numpy("from multiprocessing import shared_memory, resource_tracker\n" .. code)
end

local function with_python(what, test)
  if python then it(what, test) else pending(what .. " (python3-numpy is not installed)", test) end
end

describe("a named array", function()
  it("can be attached under its name, until it is closed", function()
    local a = shmx.array("f64", { 2, 3 }, { name = prefix .. "a" })
    assert.equal(0, a:sum())
    a:set(2, 3, 5)
    local b = shmx.attach(prefix .. "a", "f64", { 2, 3 })
    assert.equal(5, b:get(2, 3))
    b:set(1, 1, 7)
    assert.equal(7, a:get(1, 1))
    a:close()
    assert.same({}, names())
    assert.equal(12, b:sum())
  end)

  it("can have the name of one that was closed, at once", function()
    for i = 1, 50 do
      local a <close> = shmx.array("i64", 10, { name = prefix .. "again" })
      a:fill(i)
    end
    assert.same({}, names())
  end)

  it("refuses a name that is taken, by us or by anybody", function()
    local first <close> = shmx.array("u8", 1, { name = prefix .. "one" })
    fails("cannot make the named array '" .. prefix:gsub("%-", "%%-") .. "one': there is one of that name; shmx.attach",
      shmx.array, "u8", 1, { name = prefix .. "one" })
    local theirs = assert(io.open("/dev/shm/" .. prefix .. "theirs", "w"))
    theirs:close()
    fails("cannot make", shmx.array, "u8", 1, { name = prefix .. "theirs" })
    os.remove("/dev/shm/" .. prefix .. "theirs")
    assert.is_true(there(prefix .. "one"))
    assert.equal(0, first[1])
  end)

  it("refuses what is no name, and options that it does not know", function()
    for _, name in ipairs { "", "a/b", ".", "..", ".shmx-0", ("x"):rep(200) } do
      fails("cannot make the named array .*: that is no name for one", shmx.array, "u8", 1, { name = name })
    end
    fails("bad option 'nam' to 'array' %(known are: name%)", shmx.array, "u8", 1, { nam = "x" })
    fails("bad option 'name' to 'array' %(a text is expected, got 1%)", shmx.array, "u8", 1, { name = 1 })
    assert.equal(0, shmx.array("u8", 3, {}):sum())
    fails("bad option 'name' to 'array' %(a text is expected, got ", shmx.array, "u8", 1, { name = "\0" })
  end)

  it("leaves a name alone that is another object's by now", function()
    local a = shmx.array("u8", 1, { name = prefix .. "moved" })
    os.remove("/dev/shm/" .. prefix .. "moved")
    local file = assert(io.open("/dev/shm/" .. prefix .. "moved", "w"))
    file:close()
    a:close()
    assert.is_true(there(prefix .. "moved"))
    os.remove("/dev/shm/" .. prefix .. "moved")
    assert.same({}, names())
  end)

  it("crosses to workers and back, and loses its name with the last hold", function()
    local pool <close> = shmx.pool { workers = 2 }
    local a = shmx.array("i64", 1000, { name = prefix .. "crossing" })
    pool:submit(function(x) x:fill(2) end, a):get()
    assert.equal(2000, a:sum())
    local function make(name)
      local b = shmx.array("i64", { 10 }, { name = name })
      b:fill(3)
      return b
    end
    local b = pool:submit(make, prefix .. "made"):get()
    assert.equal(30, shmx.attach(prefix .. "made", "i64", 10):sum())
    assert.equal(30, b:sum())
    a:close()
    b:close()
    await_nothing()
  end)

  it("keeps its name when its maker dies, as long as somebody holds it", function()
    local pool <close> = shmx.pool { workers = 1 }
    local a = pool:submit(function(name) return shmx.array("i64", 4, { name = name }) end, prefix .. "orphan"):get()
    pool.workers[1]:kill()
    assert.equal(5, pool:submit(function() return 5 end):get())
    assert.is_true(there(prefix .. "orphan"))
    a:fill(1)
    assert.equal(4, shmx.attach(prefix .. "orphan", "i64", 4):sum())
    a:close()
    await_nothing()
  end)

  it("is gone when a pool is closed whose workers alone held it", function()
    for _ = 1, 60 do
      local pool <close> = shmx.pool { workers = 2 }
      pool:submit(function(name)
        kept = shmx.array("i64", 4, { name = name }) -- luacheck: ignore
      end, prefix .. "workers"):get()
      assert.is_true(there(prefix .. "workers"))
      pool:close()
      assert.is_false(there(prefix .. "workers"))
    end
  end)

  it("gives its name to another as soon as main lets go of it after its maker's end", function()
    local function make(name) return shmx.array("i64", 4, { name = name }) end
    for _ = 1, 20 do
      local pool <close> = shmx.pool { workers = 2 }
      local a, task = pool:submit(make, prefix .. "first"):get(), pool:submit(make, prefix .. "second")
      pool:close()
      a:close()
      make(prefix .. "first"):close()
      task:get():close()
      make(prefix .. "second"):close()
    end
  end)

  it("is gone when its maker died before it gave it to anybody", function()
    local pool <close> = shmx.pool { workers = 1 }
    local task = pool:submit(function(name)
      kept = shmx.array("i64", 4, { name = name }) -- luacheck: ignore
      os.exit(1)
    end, prefix .. "lost")
    task:wait()
    assert.equal("crashed", task.status)
    await_nothing()
  end)

  it("is gone when main ends, also by a signal", function()
    for _, how in ipairs { "os.exit(0)", "error 'x'", "os.execute('kill -9 ' .. shmx.pid())" } do
      run("a = shmx.array('u8', 10, { name = prefix .. 'main' })\n" .. how)
      await_nothing()
    end
  end)

  it("is removed by the next start when everything was killed at once", function()
    run([[
      a = shmx.array('u8', 10, { name = prefix .. 'killed' })
      local pool = shmx.pool { workers = 1 }
      local stat = io.open("/proc/" .. pool.workers[1].pid .. "/stat"):read("a")
      os.execute(("kill -9 %d %d"):format(stat:match("^%d+ %b() %a (%d+)"), shmx.pid()))]])
    -- It is there now, unless another shmx has just been started on this machine.
    local file = assert(io.open("/dev/shm/" .. prefix .. "other", "w"))
    file:close()
    run "shmx.pool { workers = 1 }:close()"
    assert.same({ prefix .. "other" }, names())
    os.remove("/dev/shm/" .. prefix .. "other")
  end)

  it("takes the place of one that is gone in what is written down of them", function()
    local function register() -- bytes of them all, of which others may come and go meanwhile
      local bytes = 0
      for name in lfs.dir "/dev/shm" do
        if name:find "^%.shmx%-" then bytes = bytes + (lfs.attributes("/dev/shm/" .. name, "size") or 0) end
      end
      return bytes
    end
    local kept <close> = shmx.array("u8", 1, { name = prefix .. "kept" })
    for i = 1, 200 do shmx.array("u8", 1, { name = prefix .. "round" .. i }):close() end
    assert.near(0, register(), 200 * 100)
    kept:fill(1)
  end)

  it("counts in the memory budget", function()
    local done = run [[
      shmx.memory = "8M"
      do local a <close> = shmx.array("u8", 6000000, { name = prefix .. "large" }) end
      do local a <close> = shmx.array("u8", 6000000, { name = prefix .. "large" }) end
      print(pcall(function() return shmx.array("u8", 9000000, { name = prefix .. "large" }) end))]]
    assert.matches("^false\tscript.lua:6: cannot make the named array '[^']*': the memory budget is used up", done.out)
  end)

  it("that has no room in /dev/shm is an error, not a signal", function()
    local small = "unshare -rm sh -c 'mount -t tmpfs -o size=64k none /dev/shm && exec \"$@\"' sh"
    if not os.execute(small .. " true 2>/dev/null") then return pending "file systems cannot be mounted here" end
    local done = run([[
      print(#shmx.array("u8", 30000, { name = prefix .. "fits" }))
      print(pcall(function() return shmx.array("u8", 1 << 20, { name = prefix .. "full" }) end))]],
      { environment = small })
    assert.matches("^30000\nfalse\tscript.lua:4: cannot make the named array '[^']*': there is no room left", done.out)
  end)

  it("that is larger than a file may be is an error, not a signal", function()
    local done = run([[
      print(pcall(function() return shmx.array("u8", 1 << 24, { name = prefix .. "full" }) end))]],
      { before = "ulimit -f 4096" })
    assert.matches("^false\tscript.lua:3: cannot make the named array '[^']*': it has 16777216 bytes, and no file may "
      .. "be that large %(ulimit %-f%)", done.out)
    assert.same({}, names())
  end)
end)

describe("attach", function()
  it("says why an array cannot be had", function()
    fails("cannot attach 'shmx%-none': there is no array of that name", shmx.attach, "shmx-none", "u8", 1)
    fails("cannot attach '../etc': there is no array of that name", shmx.attach, "../etc", "u8", 1)
    local ten <close> = shmx.array("u8", 10, { name = prefix .. "ten" })
    assert.equal(#ten, #shmx.attach(prefix .. "ten", "u8", 10))
    fails("cannot attach '[^']*': it has 10 bytes, and these elements take 16", shmx.attach, prefix .. "ten", "i64", 2)
    fails("bad argument #1 to 'attach' %(a name expected, got nothing%)", shmx.attach)
    fails("bad argument #2 to 'attach' %(unknown dtype", shmx.attach, "x", "f16", 1)
  end)

  it("of what is cut short later is an error of who hands it over, and nobody else notices", function()
    local name = prefix .. "cut"
    local file <close> = assert(io.open("/dev/shm/" .. name, "w"))
    file:write(("\1"):rep(100000)):flush()
    local pool <close> = shmx.pool { workers = 1 }
    local a = shmx.attach(name, "u8", 100000)
    local b = shmx.attach(name, "u8", 100000)
    assert.equal(100000, pool:submit(function(x) return #x end, b):get())
    assert(os.execute("truncate -s 10 /dev/shm/" .. name))
    local why = "another program has cut short the memory that has a name"
    fails("a task cannot be submitted: " .. why, pool.submit, pool, function(x) return #x end, a)
    pool.workers[1]:kill() -- which has mapped the other before
    local task = pool:submit(function(x) return #x end, b)
    fails("[^\n]*cannot be had: " .. why, task.get, task)
    assert.equal(5, pool:submit(math.abs, -5):get())
    os.remove("/dev/shm/" .. name)
  end)

  it("never takes away a name", function()
    local file = assert(io.open("/dev/shm/" .. prefix .. "kept", "w"))
    file:write(("\1"):rep(80))
    file:close()
    do
      local pool <close> = shmx.pool { workers = 1 }
      local a <close> = shmx.attach(prefix .. "kept", "u8", 80)
      assert.equal(80, pool:submit(function(x) x[1] = 2 return x:sum() - 1 end, a):get())
      assert.equal(2, a[1])
    end
    collectgarbage()
    assert.is_true(there(prefix .. "kept"))
    local again <close> = assert(io.open("/dev/shm/" .. prefix .. "kept"))
    assert.equal("\2" .. ("\1"):rep(79), again:read("a"))
    os.remove("/dev/shm/" .. prefix .. "kept")
  end)
end)

describe("path", function()
  it("leads to the elements as long as the array lives", function()
    local pool <close> = shmx.pool { workers = 1 }
    local small, large = shmx.range("u8", 1, 100), shmx.full("u8", 8 << 20, 7)
    local from_worker = pool:submit(function() return shmx.range("u8", 11, 20) end):get()
    local named <close> = shmx.array("u8", 5, { name = prefix .. "path" })
    named:fill(9)
    for _, case in ipairs {
      { small, 1 }, { small:view { 50, 60 }, 50 }, { large, 7 }, { from_worker, 11 }, { named, 9 },
    } do
      local path, offset = case[1]:path()
      local file <close> = assert(io.open(path, "rb"))
      file:seek("set", offset)
      assert.equal(case[2], file:read(1):byte())
      pool:submit(function(a) return a:sum() end, case[1]):get()
      assert.same({ path, offset }, { case[1]:path() })
    end
  end)

  with_python("is what numpy.memmap maps without a copy", function()
    local a = shmx.range("i32", 1, 6):reshape(2, 3)
    local path, offset = a:path()
    assert.equal("21\n", run_python(([[
m = np.memmap(%q, dtype="int32", mode="r+", offset=%d, shape=(2, 3))
print(m.sum())
m[1, 2] = 100]]):format(path, offset)))
    assert.equal(100, a:get(2, 3))
  end)
end)

describe("Python's shared_memory", function()
  with_python("finds an array by its name and writes into it", function()
    local a <close> = shmx.array("f64", { 3, 4 }, { name = prefix .. "py" })
    a:fill(1)
    assert.equal("12.0\n", run_python(([[
s = shared_memory.SharedMemory(name=%q)
resource_tracker.unregister(s._name, "shared_memory")
x = np.ndarray((3, 4), dtype="f8", buffer=s.buf)
print(x.sum())
x[2, 3] = 5
del x
s.close()]]):format(prefix .. "py")))
    assert.equal(5, a:get(3, 4))
  end)

  with_python("makes memory that attach finds", function()
    assert.equal("", run_python(([[
s = shared_memory.SharedMemory(name=%q, create=True, size=80)
resource_tracker.unregister(s._name, "shared_memory")
np.ndarray((10,), dtype="i8", buffer=s.buf)[:] = range(10)
s.close()]]):format(prefix .. "theirs")))
    local a <close> = shmx.attach(prefix .. "theirs", "i64", 10)
    assert.equal(45, a:sum())
    a[1] = 100
    assert.equal("100\n", run_python(([[
s = shared_memory.SharedMemory(name=%q)
print(np.ndarray((10,), dtype="i8", buffer=s.buf)[0])
s.close()
s.unlink()]]):format(prefix .. "theirs")))
    assert.same({}, names())
  end)
end)
