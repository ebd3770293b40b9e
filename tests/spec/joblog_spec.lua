-- SPDX-License-Identifier: MIT
--
-- --joblog writes a line for each task that has ended, --resume skips what it lists as done.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

setup(child.open)
teardown(child.close)
before_each(function()
  for _, name in ipairs { "log", "other" } do os.remove(child.path(name)) end
end)

local script = [[
  local shmx = require "shmx"
  local function work(i)
    if i == 2 and not os.getenv "WELL" then error "not well" end
    if i == 3 and not os.getenv "WELL" then os.exit(7) end
    return i * i
  end
  local pool <close> = shmx.pool { workers = 1 }
  local tasks = {}
  for i = 1, 4 do tasks[i] = shmx.task { work, i, name = "part\t" .. i } end
  tasks[5] = shmx.task(work, 5)
  for i, t in ipairs(pool:execute(tasks, { on_error = "return" })) do print(i, t.status, t.result, t.skipped) end]]

local function run(options, code, environment)
  local done = child.run(code or script, { options = options, environment = environment })
  return done
end

local function lines(name)
  local list = {}
  for line in child.read(name):gmatch "([^\n]*)\n" do list[#list + 1] = line end
  return list
end

describe("a job log", function()
  it("has a line for each task that has ended", function()
    assert.are.equal(0, run("--joblog log").status)
    local list = lines "log"
    assert.are.equal("ended\tseconds\tworker\tattempt\tstatus\tname", table.remove(list, 1))
    local seen = {}
    for _, line in ipairs(list) do
      local ended, seconds, worker, attempt, status, name = line:match "^([%d.]+)\t([%d.]+)\t(%d)\t(%d)\t(%l+)\t(.*)$"
      assert.is_true(math.abs(tonumber(ended) - os.time()) < 100)
      assert.is_true(tonumber(seconds) >= 0)
      assert.are.same({ "1", "1" }, { worker, attempt })
      seen[name] = status
    end
    assert.are.same({ ["part\\t1"] = "done", ["part\\t2"] = "failed", ["part\\t3"] = "crashed", ["part\\t4"] = "done",
      work = "done" }, seen)
  end)

  it("has those that never began, too", function()
    assert.are.equal(0, run("--joblog log", [[
      local shmx = require "shmx"
      local function fail() error "no" end
      local pool <close> = shmx.pool { workers = 1 }
      local input = pool:with { name = "input" }:submit(fail)
      local heir = pool:with { name = "heir", retries = 3, timeout = 9 }:submit(print, input)
      heir:wait()
      print(heir.status, heir.attempt, heir.seconds)
      local slow = pool:submit(os.execute, "sleep 0.2")
      local late = pool:with { name = "late" }:submit(print, slow)
      late:cancel()
      slow:wait()]]).status)
    assert.are.equal("failed\t0\tnil\n", child.read "stdout")
    local seen = {}
    for _, line in ipairs(lines "log") do
      local worker, attempt, status, name = line:match "\t(%d)\t(%d)\t(%l+)\t(.*)$"
      if name then seen[name] = ("%s %s %s"):format(worker, attempt, status) end
    end
    assert.are.same({ "1 1 failed", "0 0 failed", "0 0 cancelled" }, { seen.input, seen.heir, seen.late })
  end)

  it("is written and resumed without workers", function()
    local alone = script:gsub("workers = 1", "workers = 0"):gsub("os.exit", "error")
    run("--joblog log --resume log", alone)
    local list = lines "log"
    assert.are.equal(6, #list)
    assert.matches("\t0\t1\tdone\tpart\\t1$", list[2])
    assert.are.equal("1\tdone\tnil\ttrue\n2\tdone\t4\tfalse\n3\tdone\t9\tfalse\n4\tdone\tnil\ttrue\n"
      .. "5\tdone\t25\tfalse\n", run("--joblog log --resume log", alone, "WELL=1").out)
  end)

  it("is written anew by each run", function()
    run("--joblog log")
    run("--joblog log")
    assert.are.equal(6, #lines "log")
  end)

  it("has what had ended when main is killed", function()
    run("--joblog log", script .. "\nos.execute('kill -9 ' .. shmx.pid())")
    assert.are.equal(6, #lines "log")
  end)

  it("is named in the error when it cannot be written", function()
    assert.matches("script.lua:7: the job log cannot be written: no/log: No such file or directory",
      run("--joblog no/log").err)
  end)

  it("says so once when the disk is full, and the run goes on", function()
    local done = run("--joblog /dev/full")
    assert.are.equal(0, done.status)
    assert.are.equal("shmx: the job log cannot be written any more: No space left on device\n", done.err)
    assert.matches("^1\tdone\t1", done.out)
  end)
end)

describe("a resumed run", function()
  it("skips the named tasks that are listed as done, and runs the others", function()
    assert.are.equal("1\tdone\t1\tfalse\n2\tfailed\tnil\tfalse\n3\tcrashed\tnil\tfalse\n4\tdone\t16\tfalse\n"
      .. "5\tdone\t25\tfalse\n", run("--joblog log --resume log").out)
    assert.are.equal("1\tdone\tnil\ttrue\n2\tdone\t4\tfalse\n3\tdone\t9\tfalse\n4\tdone\tnil\ttrue\n"
      .. "5\tdone\t25\tfalse\n", run("--joblog log --resume log", script, "WELL=1").out)
    assert.are.equal("1\tdone\tnil\ttrue\n2\tdone\tnil\ttrue\n3\tdone\tnil\ttrue\n4\tdone\tnil\ttrue\n"
      .. "5\tdone\t25\tfalse\n", run("--joblog log --resume log").out)
    assert.are.equal(1 + 5 + 3 + 1, #lines "log")
  end)

  it("skips no task whose name is that of pool:with, which others have as well", function()
    for workers = 0, 1 do
      os.remove(child.path "log")
      local code = ("local workers = %d\n"):format(workers) .. [[
        local shmx = require "shmx"
        local function add(x, y) if y == 2 and not os.getenv "WELL" then error "not well" end return x + y end
        local pool <close> = shmx.pool { workers = workers }
        local named = pool:with { name = "sum" }
        local input = pool:submit(add, 1, 0)
        local one, two = named:submit(add, input, 1), named:submit(add, input, 2)
        print((pcall(one.get, one)), (pcall(two.get, two)))
        print(two.result, two.skipped, table.unpack(named:map(math.abs, { -1, -2 })))]]
      assert.are.equal("true\tfalse\nnil\tfalse\t1\t2\n", run("--joblog log --resume log", code).out)
      assert.are.equal("true\ttrue\n3\tfalse\t1\t2\n", run("--joblog log --resume log", code, "WELL=1").out)
    end
  end)

  it("lists them in another log, too, so that that one can be resumed", function()
    run("--joblog log")
    run("--joblog other --resume log", script, "WELL=1")
    assert.are.equal(1 + 5, #lines "other")
    assert.matches("2\tdone\tnil\ttrue\n", run("--resume other").out)
  end)

  it("does not believe a line that was cut off", function()
    child.write("log", "1.5\t0.1\t1\t1\tdone\tpart\\t1\n1.5\t0.1\t1\t1\tdone\tpart\\t4")
    local out = run("--resume log", script, "WELL=1").out
    assert.matches("1\tdone\tnil\ttrue\n", out)
    assert.matches("4\tdone\t16\tfalse\n", out)
  end)

  it("shows what a skipped task is", function()
    child.write("log", "1.5\t0.1\t1\t1\tdone\ta\n")
    local done = run("--resume log", [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1 }
      local task = shmx.task { math.abs, -1, name = "a" }
      pool:execute(task)
      print(task, task:done(), task.results.n, select("#", task:get()))]])
    assert.are.equal("a(-1) --> done before\ttrue\t0\t0\n", done.out)
  end)

  it("goes on in a line of its own behind one that was cut off, which is not believed later either", function()
    local cut = "1.5\t0.1\t1\t1\tdone\tpart\\t2"
    child.write("log", cut)
    for _ = 1, 2 do assert.matches("2\tfailed\tnil\tfalse\n", run("--joblog log --resume log").out) end
    local list = lines "log"
    assert.are.equal(cut .. "\t(cut off)", list[1])
    for i = 2, #list do assert.matches("^[%d.]+\t[%d.]+\t1\t1\t%l+\t[^\t]+$", list[i]) end
  end)

  it("keeps what its log lists, by whatever name it writes it", function()
    run("--joblog log")
    assert.are.equal(0, run("--joblog ./log --resume log", "require('shmx').pool { workers = 1 }:close()").status)
    assert.are.equal(6, #lines "log")
  end)

  it("refuses a log that cannot be read, and what is none", function()
    assert.matches("script.lua:7: the job log cannot be read: %.: Is a directory", run("--resume .").err)
    local text = "something of value"
    child.write("log", text)
    assert.matches("script.lua:7: cannot resume from log: it is no job log", run("--joblog log --resume log").err)
    assert.are.equal(text, child.read "log")
  end)

  it("takes a log in which nothing has been written, or only a part of its first line", function()
    for _, text in ipairs { "", "ended\tsec" } do
      child.write("log", text)
      assert.matches("1\tdone\t1\tfalse\n", run("--joblog log --resume log").out)
    end
  end)
end)
