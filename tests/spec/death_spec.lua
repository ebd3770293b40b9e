-- SPDX-License-Identifier: MIT
--
-- Ctrl-C, and the death of processes: what the script sees, and that nothing is left behind.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

setup(child.open)
teardown(child.close)

local head = [[
local shmx = require "shmx"
local core = require "shmx.core"
local function sleep(seconds) os.execute("sleep " .. seconds) end
local function spin() while true do end end
-- Does it to this process a moment from now.
local function soon(command)
  os.execute(("(sleep 0.2; %s) >/dev/null 2>&1 &"):format((command:gsub("PID", shmx.pid()))))
end
-- The number of the supervisor: the parent of any worker.
local function supervisor(pool)
  while not pool.workers[1] do sleep(0.01) end
  local stat = io.open("/proc/" .. pool.workers[1].pid .. "/stat"):read("a")
  return tonumber(stat:match("^%d+ %b() %a (%d+)"))
end
]]

-- Runs the script and expects that nothing is left a second after it.
local function run(code, given)
  local done = child.run(head .. code, given)
  assert.are.equal("", child.left(done.mark), done.err)
  return done
end

describe("Ctrl-C", function()
  local waits = {
    ["in get"] = "pool:submit(os.execute, 'sleep 20'):get()",
    ["in get with a time-out"] = "pool:submit(os.execute, 'sleep 20'):get(15)",
    ["in wait"] = "pool:submit(os.execute, 'sleep 20'):wait()",
    ["in execute"] = "pool:execute { shmx.task(os.execute, 'sleep 20'), shmx.task(os.execute, 'sleep 20') }",
    ["in map"] = "pool:map(os.execute, { 'sleep 20', 'sleep 20' })",
    ["in close"] = "pool:submit(os.execute, 'sleep 20') pool:close()",
    ["in a coroutine that waits"] = "coroutine.wrap(function() pool:submit(os.execute, 'sleep 20'):get() end)()",
    ["while init runs"] = "shmx.pool { workers = 1, init = function() os.execute 'sleep 20' end }",
  }
  for name, code in pairs(waits) do
    it(name .. " raises interrupted! and leaves nothing", function()
      local done = run("local pool <close> = shmx.pool { workers = 2, grace = 0.1 }\nsoon 'kill -INT PID'\n" .. code)
      assert.are.equal(1, done.status, done.err)
      assert.matches("^[^\n]*: interrupted!\nstack traceback:\n", done.err)
      assert.matches("script.lua:%d+: in main chunk\n", done.err)
      assert.not_matches("signal", done.err)
    end)
  end

  it("without <close> leaves nothing either", function()
    local done = run([[
      local pool = shmx.pool { workers = 2 }
      soon 'kill -INT PID'
      pool:map(os.execute, { 'sleep 20' })]])
    assert.are.equal(1, done.status)
    assert.matches("interrupted!", done.err)
  end)

  it("can be caught, and the pool goes on", function()
    local done = run([[
      local pool <close> = shmx.pool { workers = 2 }
      soon 'kill -INT PID'
      print(pcall(pool.map, pool, os.execute, { "sleep 1" }))
      print(pool:submit(math.abs, -3):get())]])
    assert.are.same({ "false\tscript.lua:17: interrupted!\n3\n", "", 0 }, { done.out, done.err, done.status })
  end)

  it("in a loop over imap is told at the line of the script that ran", function()
    local done = run([[
      local pool <close> = shmx.pool { workers = 1 }
      local function endless() while true do end end
      soon 'kill -INT PID'
      for _ in pool:imap(math.abs, endless) do end]])
    assert.are.equal(1, done.status)
    assert.matches("^[^\n]*: script.lua:16: interrupted!\nstack traceback:\n", done.err)
  end)

  it("twice ends everything at once", function()
    local done = run([[
      local pool <close> = shmx.pool { workers = 1, grace = 20 }
      soon 'kill -INT PID; sleep 0.3; kill -INT PID'
      pool:submit(os.execute, 'sleep 20'):get()]])
    assert.are.equal(130, done.status)
  end)

  it("does not reach workers: they are in process groups of their own", function()
    local done = run([[
      local function group(pid) return io.open("/proc/" .. pid .. "/stat"):read("a"):match("^%d+ %b() %a %d+ (%d+)") end
      local pool <close> = shmx.pool { workers = 1, init = function() end }
      print(group(shmx.pid()) ~= group(pool.workers[1].pid))]])
    assert.are.equal("true\n", done.out)
  end)
end)

describe("the death of the supervisor", function()
  it("is told by the call that waits; arrays stay, and a new pool works", function()
    local done = run([[
      local a = shmx.range("i64", 1, 1000)
      local pool = shmx.pool { workers = 2 }
      local b = pool:submit(function(x) return x:copy() end, a):get()
      local t = pool:submit(spin)
      local pid = supervisor(pool)
      soon("kill -9 " .. pid)
      print(pcall(t.get, t))
      print(t.status)
      print(pcall(pool.submit, pool, math.abs, 1))
      print(a:sum(), b:sum())
      print(pcall(shmx.pool, { workers = 1 }))
      pool:close()
      local new <close> = shmx.pool { workers = 2 }
      print(new:submit(math.abs, -7):get())
      print(new:submit(function(x) return x:sum() end, shmx.range("i64", 1, 10)):get())
      print(pcall(new.submit, new, print, b))
      print(new:submit(function(x) return x:sum() end, b:copy()):get())
    ]])
    assert.are.equal("", done.err)
    local expected = {
      "false\tscript.lua:%d+: task spin crashed in worker %d: the supervisor process of its pool has died",
      "crashed",
      "false\tscript.lua:%d+: a task cannot be submitted: the supervisor process of its pool has died",
      "500500\t500500",
      "false\tscript.lua:%d+: the supervisor process has died; close the pools that it had, then open new ones",
      "7",
      "55",
      "false\tscript.lua:%d+: [^\n]*copy[^\n]*",
      "500500",
    }
    assert.matches("^" .. table.concat(expected, "\n") .. "\n$", done.out)
  end)

  for name, code in pairs {
    execute = "pool:execute(shmx.task(spin))",
    close = "local t = pool:submit(spin) pool:close() t:get()",
    map = "pool:map(spin, { 1, 2, 3 })",
  } do
    it("ends " .. name .. " with an error", function()
      local open = "local pool = shmx.pool { workers = 2 }\nsoon('kill -9 ' .. supervisor(pool))\n"
      local done = run(open .. code)
      assert.are.equal(1, done.status)
      assert.matches("^[^\n]*: script.lua:%d+: ", done.err)
      assert.matches("the supervisor process of its pool has died", done.err)
    end)
  end
end)

describe("the death of main", function()
  it("by SIGKILL ends every process", function()
    local done = run([[
      local pool = shmx.pool { workers = 2 }
      for i = 1, 4 do pool:submit(os.execute, "sleep 20") end
      while #pool.workers < 2 or pool.workers[1].tasks_done > 0 do end
      os.execute("sleep 0.2; kill -9 " .. shmx.pid())]])
    assert.are.equal(137, done.status)
  end)

  it("ends every process also while the supervisor is stopped", function()
    local done = run([[
      local pool = shmx.pool { workers = 2 }
      local task = pool:submit(spin)
      while task.status ~= "running" do end
      os.execute(("kill -STOP %d; sleep 0.1; kill -9 %d"):format(supervisor(pool), shmx.pid()))]])
    assert.are.equal(137, done.status)
  end)

  it("by os.exit ends every process", function()
    for _, code in ipairs { "os.exit(3)", "os.exit(3, true)" } do
      local open = "local pool = shmx.pool { workers = 2 }\npool:submit(os.execute, 'sleep 20')\nsleep(0.1) "
      local done = run(open .. code)
      assert.are.equal(3, done.status)
    end
  end)

  it("by an error outside of every pool's block ends every process", function()
    local done = run("pool = shmx.pool { workers = 2 }\npool:submit(os.execute, 'sleep 20')\nsleep(0.1) error 'oh'")
    assert.are.equal(1, done.status)
    assert.matches("^[^\n]*: script.lua:%d+: oh\n", done.err)
  end)
end)

describe("a worker that never ends", function()
  it("does not keep the script when the pool is closed by an error", function()
    local done = run([[
      local pool <close> = shmx.pool { workers = 2, grace = 0.1 }
      pool:submit(function() while true do end end)
      error "enough"]])
    assert.are.equal(1, done.status)
    assert.matches("enough", done.err)
  end)
end)
