-- SPDX-License-Identifier: MIT
--
-- Modules: `require "shmx"` in a stock Lua, modules of others under shmx-lua and in tasks, and where workers find them.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")
local shmx = require "shmx"

setup(child.open)
teardown(child.close)

-- Runs the script and returns what it prints; it must not fail, and nothing may be left.
local function output(code, given)
  local run = child.run(code, given)
  assert.are.same({ "", 0 }, { run.err, run.status })
  assert.are.equal("", child.left(run.mark))
  return run.out
end

describe("a stock Lua", function()
  local given = {
    program = child.stock,
    environment = ("LUA_PATH='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;;' LUA_CPATH='%s/lib/lua/5.4/?.so;;'")
      :format(child.root, child.root, child.root),
  }

  it("has arrays and pools after require 'shmx'", function()
    assert.are.equal("500500\ti64[1000] {1, 2, 3, ..., 999, 1000}\n6\n", output([[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 2 }
      local a = pool:submit(function(n) return shmx.range("i64", 1, n) end, 1000):get()
      print(a:sum(), a)
      print(pool:map(function(x) return x * 2 end, { 1, 2, 3 })[3])]], given))
  end)

  it("blames the script's line", function()
    local run = child.run('local shmx = require "shmx"\nlocal pool <close> = shmx.pool { workers = 1 }\n'
      .. 'pool:submit(print, io.stdout)', given)
    assert.matches("^lua5.4: script.lua:3: argument 1: userdata 'FILE%*' cannot be sent to a worker\n", run.err)
    run = child.run('require "shmx".pool { workers = -1 }', given)
    assert.matches("^lua5.4: script.lua:1: bad option 'workers'", run.err)
  end)

  it("names the tasks as shmx-lua does", function()
    assert.are.equal("work\tprint\tmath.abs\n", output([[
      local shmx = require "shmx"
      local function work() end
      local function name_of(f) return shmx.task(f).name end
      print(name_of(work), name_of(print), name_of(math.abs))]], given))
  end)

  it("is interrupted by Ctrl-C while it waits", function()
    local run = child.run([[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1, grace = 0 }
      os.execute(("(sleep 0.2; kill -INT %d) &"):format(shmx.pid()))
      pool:submit(os.execute, "sleep 20"):get()]], given)
    assert.are.equal(1, run.status)
    assert.matches("interrupted!", run.err)
    assert.are.equal("", child.left(run.mark))
  end)
end)

describe("modules of others", function()
  local code = [[
    local lfs, cjson, List = require "lfs", require "cjson", require "pl.List"
    local tablex, pretty = require "pl.tablex", require "pl.pretty"
    print(lfs.attributes("script.lua", "mode"), lfs.currentdir() ~= nil)
    print(cjson.encode { 1, 2, { 3 } }, cjson.decode('{"a":[1,2]}').a[2])
    print(List { 3, 1, 2 }:sort(), tablex.reduce("+", { 1, 2, 3 }), pretty.write({ 1 }, ""))]]

  it("work under shmx-lua as under lua", function()
    local expected = output(code, { program = child.stock })
    assert.are.equal(expected, output(code))
  end)

  it("work in tasks, as upvalues and by require", function()
    assert.are.equal('directory\n{"a":1}\n{1,2,3}\n6\n[1,2]\n', output([[
      local shmx = require "shmx"
      local lfs, cjson, List = require "lfs", require "cjson", require "pl.List"
      local tablex = require "pl.tablex"
      local pool <close> = shmx.pool { workers = 1 }
      local function run(f, ...) print(pool:submit(f, ...):get()) end
      run(function() return lfs.attributes(".", "mode") end)
      run(cjson.encode, { a = 1 })
      run(function() return tostring(List { 3, 1, 2 }:sort()) end)
      run(function(t) return tablex.reduce("+", t) end, { 1, 2, 3 })
      run(function(t) return require "cjson".encode(t) end, { 1, 2 })]]))
  end)
end)

describe("a function of a module", function()
  it("travels by its name each time, and finds what the worker's module has kept", function()
    child.write("counter.lua", [[
      local counter, calls, out = {}, 0, io.stdout
      function counter.call() calls = calls + 1 return calls, out == io.stdout end
      function counter.count() calls = calls + 1 return calls end
      return counter]])
    child.write("alone.lua", "local calls = 0 return function() calls = calls + 1 return calls end")
    assert.are.equal("1\ttrue\n2\ttrue\n3\ttrue\n4 5 6\n7\n1 2 3\n4\n", output [[
      local shmx = require "shmx"
      local counter, alone = require "counter", require "alone"
      local pool <close> = shmx.pool { workers = 1 }
      for _ = 1, 3 do print(pool:submit(counter.call):get()) end
      print(table.concat(pool:map(counter.count, { 1, 2, 3 }), " "))
      print(pool:submit(counter.count):get())
      print(table.concat(pool:map(alone, { 1, 2, 3 }), " "))
      print(pool:submit(alone):get())]])
  end)

  it("is the script's own when the script has added it to Lua's library", function()
    assert.are.equal("x\nx\n3\n3\n", output [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1 }
      function string.trim(s) return s:match "^%s*(.-)%s*$" end
      function table.sum(t) return t[1] + t[2] end
      local sum = table.sum
      for _ = 1, 2 do print(pool:submit(string.trim, " x "):get()) end
      for _ = 1, 2 do print(pool:submit(function(t) return sum(t) end, { 1, 2 }):get()) end]])
  end)
end)

describe("workers", function()
  it("find modules as main does, also when it has changed its paths and its directory", function()
    os.execute("mkdir -p " .. child.path("sub/lib"))
    child.write("sub/lib/mine.lua", "return { name = 'mine', where = ... }")
    child.write("sub/near.lua", "return 'near'")
    child.write("sub/data.txt", "contents")
    assert.are.equal("mine\tmine\tnear\tcontents\n/nowhere/?.so\n", output([[
      local shmx, lfs = require "shmx", require "lfs"
      lfs.chdir "sub"
      package.path = "lib/?.lua;" .. package.path
      local mine = require "mine"
      local cpath = package.cpath
      package.cpath = "/nowhere/?.so"
      local pool <close> = shmx.pool { workers = 1 }
      package.cpath = cpath
      print(pool:submit(function()
        return mine.name, require "mine".where, require "near", io.open("data.txt"):read("a")
      end):get())
      print(pool:submit(function() return package.cpath end):get())]]))
  end)

  it("find the modules that init refers to as main does", function()
    os.execute("mkdir -p " .. child.path("far/lib"))
    child.write("far/lib/theirs.lua", "return { name = 'theirs' }")
    for workers = 0, 1 do
      assert.are.equal("theirs\tfrom LUA_INIT\n", output([[
        local shmx = require "shmx"
        package.path = "far/lib/?.lua;" .. package.path
        local theirs, made = require "theirs", require "made"
        local pool <close> = shmx.pool {
          workers = ]] .. workers .. [[, init = function() found, there = theirs.name, made end,
        }
        print(pool:submit(function() return found, there end):get())]],
        { environment = "LUA_INIT='package.preload.made = function() return [[from LUA_INIT]] end'" }))
    end
  end)

  it("have main's environment, LUA_INIT and -l, but not the script", function()
    child.write("lib_a.lua", "return { loaded = 'lib_a' }")
    assert.are.equal("value\tfrom init\tlib_a\tlib_a\tnil\n", output([[
      local shmx = require "shmx"
      a_global = 1
      local pool <close> = shmx.pool { workers = 1 }
      print(pool:submit(function()
        return os.getenv "A_VARIABLE", from_init, lib_a.loaded, short.loaded, a_global
      end):get())]], {
        options = "-l lib_a -l short=lib_a",
        environment = "A_VARIABLE=value LUA_INIT='from_init=[[from init]]'",
      }))
  end)

  it("ignore the environment when main does", function()
    assert.are.equal("nil\n", output([[
      local pool <close> = require "shmx".pool { workers = 1 }
      print(pool:submit(function() return from_init end):get())]],
      { options = "-E", environment = "LUA_INIT='from_init=1'" }))
  end)

  it("say where they looked for a module that is missing", function()
    local run = child.run([[
      local pool <close> = require "shmx".pool { workers = 1 }
      pool:submit(function() require "no.such.module" end):get()]])
    assert.are.equal(1, run.status)
    assert.matches("module 'no.such.module' not found:\n.*no file '[^\n]*/no/such/module.lua'", run.err)
  end)

  it("have all of the library though a task was interrupted while it loaded that", function()
    local function interrupt_at(n)
      local loaded = pcall(function()
        debug.sethook(function() debug.sethook() error "interrupted" end, "", n)
        require "shmx"
        debug.sethook()
      end)
      local again = require "shmx"
      return loaded, again.range("i64", 1, 3):sum() == 6 and again.clock() > 0 and again.worker() == 1
    end
    local pool <close> = shmx.pool { workers = 1, max_tasks_per_worker = 1 }
    local function try(n)
      local loaded, whole = pool:submit(interrupt_at, n):get()
      assert.is_true(whole)
      return loaded
    end
    local instructions = 1
    while not try(instructions) do instructions = instructions + 1 end
    assert.is_true(instructions > 100)
  end)

  it("write to main's standard output, read nothing, and keep whole lines", function()
    local out = output([[
      local pool = require "shmx".pool { workers = 2 }
      for i = 1, 100 do pool:submit(function() print("a line of task", i) end) end
      print(pool:submit(function() return io.read() end):get())
      pool:close()]], { input = "not for workers\n" })
    assert.are.equal(101, select(2, out:gsub("\n", "")))
    assert.are.equal(100, select(2, out:gsub("a line of task\t%d+\n", "")))
    assert.matches("nil\n", out)
  end)
end)

describe("the command's options", function()
  it("-w sets the number of workers, and --memory the budget", function()
    assert.are.equal("3\t67108864\n1\n", output([[
      local shmx = require "shmx"
      local function count(given)
        local pool <close> = shmx.pool(given)
        return #pool.workers
      end
      local function init() end
      print(count { init = init }, shmx.memory)
      print(count { init = init, workers = 1 })]], { options = "-w 3 --memory 64M" }))
  end)
end)

describe("small functions", function()
  it("tell time, process, processors and version", function()
    local a = shmx.clock()
    os.execute "sleep 0.02"
    local passed = shmx.clock() - a
    assert.is_true(passed >= 0.02 and passed < 2)
    local stat <close> = assert(io.open("/proc/self/stat"))
    assert.are.equal(stat:read("n"), shmx.pid())
    assert.is_true(shmx.cpus() >= 1)
    assert.matches("^%d+%.%d+%.%d+$", shmx.version)
  end)

  it("have one name each, by which Lua and tasks call them", function()
    local names = {}
    for name, f in pairs(shmx) do
      if type(f) == "function" then names[f] = "shmx." .. name end
    end
    for module, value in pairs(package.loaded) do
      assert.is_true(names[value] == nil or names[value] == module)
      for field, f in pairs(module:find "^shmx%." and type(value) == "table" and value or {}) do
        assert.is_nil(names[f], module .. "." .. field)
      end
    end
  end)

  it("leave no global behind", function()
    assert.are.equal("", output([[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      local shmx = require "shmx"
      do local pool <close> = shmx.pool { workers = 1 } pool:map(math.abs, { 1 }) end
      for name in pairs(_G) do if not before[name] then print(name) end end]]))
  end)
end)
