-- SPDX-License-Identifier: MIT
--
-- What a user sees when something goes wrong: the text on standard error, its position, the exit status.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

setup(child.open)
teardown(child.close)

-- The script fails; what it says, without the name of the program and the traceback of main.
local function message_of(code, given)
  local run = child.run(code, given)
  assert.are.equal(1, run.status, run.err)
  assert.are.equal("", child.left(run.mark))
  local text = run.err:gsub("^[^\n]-: ", "", 1):gsub("\nstack traceback:\n.*", "")
  return (text:gsub("\n$", ""))
end

local head = [[
local shmx = require "shmx"
local pool <close> = shmx.pool { workers = 1 }
]]

describe("an error at the user's line", function()
  local cases = {
    { "a negative number of workers", 'require "shmx".pool { workers = -1 }',
      "script.lua:1: bad option 'workers' to 'pool' (a whole number from 0 to 1024 expected, got -1)" },
    { "a broken number of workers", 'require "shmx".pool { workers = 1.5 }',
      "script.lua:1: bad option 'workers' to 'pool' (a whole number from 0 to 1024 expected, got 1.5)" },
    { "a word for workers", 'require "shmx".pool { workers = "x" }',
      "script.lua:1: bad option 'workers' to 'pool' (a whole number from 0 to 1024 expected, got \"x\")" },
    { "an unknown option", 'require "shmx".pool { worker = 1 }',
      "script.lua:1: bad argument #1 to 'pool' (there is no option \"worker\"; known are: grace, init, "
      .. "max_memory_per_worker, max_tasks_per_worker, memory, output, "
      .. "progress, retries, seed, timeout, workers)" },
    { "options that are no table", '\nrequire "shmx".pool(4)',
      "script.lua:2: bad argument #1 to 'pool' (table expected, got number)" },
    { "a bad size of memory", 'require "shmx".pool { memory = "12X" }',
      "script.lua:1: bad option 'memory' to 'pool' (a positive number of bytes, or a string like \"512M\" or \"50%\" "
      .. "expected, got \"12X\")" },
    { "a share above all there is", 'require "shmx".pool { memory = "150%" }',
      "script.lua:1: bad option 'memory' to 'pool' (a positive number of bytes, or a string like \"512M\" or \"50%\" "
      .. "expected, got \"150%\")" },
    { "a bad way of output", 'require "shmx".pool { output = "file" }',
      "script.lua:1: bad option 'output' to 'pool' (\"pass\", \"label\" or \"capture\" expected, got \"file\")" },
    { "a bad init", 'require "shmx".pool { init = "f" }',
      "script.lua:1: bad option 'init' to 'pool' (function expected, got string)" },
    { "a bad grace", 'require "shmx".pool { grace = -1 }',
      "script.lua:1: bad option 'grace' to 'pool' (a number of seconds from 0 on expected, got -1)" },
    { "an init that cannot travel", 'local f = io.stdout\nrequire "shmx".pool { init = function() f:write() end }',
      "script.lua:2: argument 1, field \"init\", upvalue \"f\": userdata 'FILE*' cannot be sent to a worker" },
    { "a bad budget", 'require "shmx".memory = -5',
      "script.lua:1: bad shmx.memory (a positive number of bytes, or a string like \"512M\" or \"50%\" expected, "
      .. "got -5)" },
    { "a misspelt budget", 'require "shmx".memroy = "1G"',
      "script.lua:1: shmx has no field \"memroy\"; what can be set is memory" },
    { "a dtype that does not exist", 'require "shmx".array("i65", 1)', "^script.lua:1: .*i65" },
    { "a negative size", 'require "shmx".array("i64", -1)', "^script.lua:1: .*%-1" },
    { "a misspelt field of a task", 'print(require "shmx".task(print).resutl)',
      "script.lua:1: a task has no field or method \"resutl\"" },
    { "a misspelt method of a pool", 'require "shmx".pool { workers = 0 }:summit(print)',
      "script.lua:1: a pool has no field or method \"summit\"" },
    { "a misspelt method of a pool with workers", head .. 'pool:summit(print)',
      "script.lua:3: a pool has no field or method \"summit\"" },
    { "a string and an array", 'local a = require "shmx".from { 1 }\nprint("x" + a)',
      "script.lua:2: bad operand of '+' (an array or a number is expected, got \"x\")" },
    { "arrays in what compares in C", 'local a = require "shmx".from { 1 }\nprint(math.max(a, 2))',
      "script.lua:2: arrays are compared element by element, by a:lt(b), a:le(b), a:gt(b) or a:ge(b)" },
    { "a field of a task", 'require "shmx".task(print).timeout = 5',
      "script.lua:1: field \"timeout\" of a task cannot be set" },
    { "a field of a pool", 'local pool <close> = require "shmx".pool { workers = 1 }\npool.timeout = 5',
      "script.lua:2: field \"timeout\" of a pool cannot be set; options are given to shmx.pool or to pool:with" },
    { "a field of a pool with options", 'local pool = require "shmx".pool():with { name = "x" }\npool.retries = 5',
      "script.lua:2: field \"retries\" of a pool cannot be set; options are given to shmx.pool or to pool:with" },
    { "a field of a pool without workers", 'local pool <close> = require "shmx".pool { workers = 0 }\npool.retries = 5',
      "script.lua:2: field \"retries\" of a pool cannot be set; options are given to shmx.pool or to pool:with" },
    { "a cancel that says neither yes nor no",
      'local pool <close> = require "shmx".pool { workers = 1 }\npool:close { cancel = "no" }',
      "script.lua:2: bad option 'cancel' to 'close' (boolean expected, got string)" },
    { "no function for a task", 'require "shmx".task(5)',
      "script.lua:1: bad argument #1 to 'task' (function expected, got number)" },
    { "an unknown field of a task", 'require "shmx".task { print, retires = 1 }',
      "script.lua:1: bad field 'retires' to 'task' (known are: n, name, retries, timeout, and from "
      .. "[1] on the function and its arguments)" },
    { "a bad number of arguments", 'require "shmx".task { print, n = "x" }',
      "script.lua:1: bad field 'n' to 'task' (the number of arguments expected, at most 999984, got \"x\")" },
    { "a word for seconds", 'require "shmx".task { print, timeout = "5" }',
      "script.lua:1: bad field 'timeout' to 'task' (a positive number of seconds expected, got \"5\")" },
    { "a name that is none", 'require "shmx".task { print, name = print }',
      "script.lua:1: bad field 'name' to 'task' (string expected, got function)" },
    { "a name with a zero byte", 'require "shmx".task { print, name = "a\\0b" }',
      "script.lua:1: bad field 'name' to 'task' (a string without zero bytes expected, got one whose byte 2 is zero)" },
    { "a name with a zero byte for many", head .. 'pool:with { name = "\\0" }', "script.lua:3: "
      .. "bad option 'name' to 'with' (a string without zero bytes expected, got one whose byte 1 is zero)" },
    { "a task that was not submitted", 'require "shmx".task(print):get()',
      "script.lua:1: the task has not been submitted to a pool" },
    { "no function to submit", head .. "pool:submit(4)",
      "script.lua:3: bad argument #1 to 'submit' (function expected, got number)" },
    { "a task to submit", head .. "pool:submit(shmx.task(print))",
      "script.lua:3: bad argument #1 to 'submit' (function expected, got shmx.task)" },
    { "an array to wait for", 'local shmx = require "shmx"\nshmx.wait(shmx.array("i8", 1))',
      "script.lua:2: bad argument #1 to 'wait' (a list of tasks expected, got shmx.array)" },
    { "a word for seconds to wait", head .. "local t = pool:submit(print)\nt:get 'soon'",
      "script.lua:4: bad argument #1 to 'get' (a number of seconds expected, got \"soon\")" },
    { "a number of seconds that is none", head .. "error(select(2, pcall(shmx.wait, {}, 0 / 0)), 0)",
      "script.lua:3: bad argument #2 to 'wait' (a number of seconds expected, got nan)" },
    { "a dot instead of a colon", head .. "pool.submit(print)",
      "script.lua:3: calling 'submit' without a pool: write pool:submit(...), with a colon" },
    { "a dot instead of a colon with execute", head .. "pool.execute({})",
      "script.lua:3: calling 'execute' without a pool: write pool:execute(...), with a colon" },
    { "a dot instead of a colon with close", head .. "pool.close()",
      "script.lua:3: calling 'close' without a pool: write pool:close(...), with a colon" },
    { "a dot instead of a colon with kill", head .. "pool:submit(print):wait()\npool.workers[1].kill()",
      "script.lua:4: calling 'kill' without a worker: write worker:kill(...), with a colon" },
    { "a dot instead of a colon without workers",
      "local pool = require 'shmx'.pool { workers = 0 }\npool.submit(print)",
      "script.lua:2: calling 'submit' without a pool: write pool:submit(...), with a colon" },
    { "a dot instead of a colon with stats, without workers",
      "local pool = require 'shmx'.pool { workers = 0 }\npool.stats()",
      "script.lua:2: calling 'stats' without a pool: write pool:stats(...), with a colon" },
    { "a dot instead of a colon with get", head .. "pool:submit(print).get()",
      "script.lua:3: calling 'get' without a task: write task:get(...), with a colon" },
    { "a dot instead of a colon with wait", head .. "pool:submit(print).wait(1)",
      "script.lua:3: calling 'wait' without a task: write task:wait(...), with a colon" },
    { "a dot instead of a colon with done", head .. "pool:submit(print).done()",
      "script.lua:3: calling 'done' without a task: write task:done(...), with a colon" },
    { "a dot instead of a colon with cancel", head .. "pool:submit(print).cancel()",
      "script.lua:3: calling 'cancel' without a task: write task:cancel(...), with a colon" },
    { "no task to execute", head .. "pool:execute(print)",
      "script.lua:3: bad argument #1 to 'execute' (a task or a list of tasks expected, got function)" },
    { "a function among the tasks", head .. "pool:execute { shmx.task(print), print }",
      "script.lua:3: bad argument #1 to 'execute' (element 2 is not a task but a function)" },
    { "a list of tasks with a hole", head .. "pool:execute { nil, shmx.task(print) }",
      "script.lua:3: bad argument #1 to 'execute' (element 1 is not a task but a nil)" },
    { "a list with a hole for imap", head .. "for _ in pool:imap(print, { nil, 1 }) do end",
      "script.lua:3: bad argument #2 to 'imap' (element 1 of the list is nil, which would end it)" },
    { "a bad on_error", head .. "pool:execute({}, { on_error = 'ignore' })",
      "script.lua:3: bad option 'on_error' to 'execute' (\"return\" or \"raise\" expected, got \"ignore\")" },
    { "a task twice", head .. "local t = shmx.task(math.abs, 1)\npool:execute(t)\npool:execute(t)",
      "script.lua:5: task math.abs has been submitted before; a task runs once" },
    { "a list to map over that is none", head .. "pool:map(print, 5)",
      "script.lua:3: bad argument #2 to 'map' (list expected, got number)" },
    { "a number of elements to map over that is none", head .. "pool:map(print, { 1, 2, n = 'two' })",
      "script.lua:3: bad field 'n' of argument #2 to 'map' (a whole number from 0 to 2147483647 expected, "
      .. "got \"two\")" },
    { "a closing value for imap that is none", head .. "pool:imap(print, print, nil, nil, {})",
      "script.lua:3: bad argument #5 to 'imap' (a value that can be closed expected, got table)" },
    { "a closed pool", head .. "pool:close()\npool:submit(print)", "script.lua:4: the pool is closed" },
    { "executing in a closed pool", head .. "pool:close()\n\npool:execute {}", "script.lua:5: the pool is closed" },
    { "a time-out", head .. "local t = pool:submit(function() os.execute 'sleep 0.2' end)\nt:get(0.01)",
      "script.lua:4: timeout: task function <script.lua:3> has not ended after 0.01 seconds" },
    { "a result without room", head .. "shmx.memory = '32M'\npool:submit(string.rep, 'x', 1 << 26):get()",
      "script.lua:4: task string.rep refused in worker 1: the memory budget has no room for the result; return less, "
      .. "or raise the budget (--memory, shmx.memory, or memory = of the pool)" },
    { "an error without room",
      head .. "shmx.memory = '1M'\npool:submit(function() error(('x'):rep(1 << 20)) end):get()",
      "script.lua:4: task function <script.lua:4> failed in worker 1: the memory budget has no room for its error; "
      .. "make that shorter, or raise the budget (--memory, shmx.memory, or memory = of the pool)" },
    { "what cannot be sent", head .. "pool:submit(print, 1, { conn = { socket = io.stdout } })",
      "script.lua:3: argument 2, field \"conn.socket\": userdata 'FILE*' cannot be sent to a worker" },
    { "what cannot be sent, of a task", head .. "local function f() end\npool:execute(shmx.task(f, io.stdout))",
      "script.lua:4: task f, argument 1: userdata 'FILE*' cannot be sent to a worker" },
    { "what a function refers to", head .. "local c = coroutine.create(print)\npool:submit(function() return c end)",
      "script.lua:4: function, upvalue \"c\": a coroutine cannot be sent to a worker" },
  }
  for _, case in ipairs(cases) do
    it("says: " .. case[1], function()
      local text = message_of(case[2])
      if case[3]:sub(1, 1) == "^" then assert.matches(case[3], text) else assert.are.equal(case[3], text) end
    end)
  end

  it("says that the budget is smaller than an array, however small both are", function()
    assert.are.equal("script.lua:1: cannot allocate 200000 bytes: the memory budget is smaller than that; make less, "
      .. "or raise the budget (--memory, shmx.memory, or memory = of the pool)",
      message_of('require "shmx".array("u8", 200000)', { options = "--memory 100K" }))
  end)

  it("says that the process may not have more memory", function()
    local code = 'require "shmx".array("u8", 1 << 30)'
    assert.are.equal("script.lua:1: cannot allocate 1073741824 bytes: the system has no memory left, or none for this "
      .. "process (ulimit -v, ulimit -d)", message_of(code, { before = "ulimit -v 1000000", options = "--memory 4G" }))
  end)
end)

describe("an uncaught failure", function()
  it("of get shows the task, the worker's line and traceback", function()
    assert.are.equal([[
script.lua:7: task work failed in worker 1: script.lua:4: no good
stack traceback of the worker:
	[C]: in function 'error'
	script.lua:4: in upvalue 'inner'
	script.lua:6: in function <script.lua:6>
	[C]: in ?]], message_of(head .. [[
local function inner()
  error "no good"
end
local function work() inner() end
pool:submit(work):get()]]))
  end)

  it("of a single task in execute shows the same", function()
    assert.matches("^script.lua:4: task work failed in worker 1: script.lua:3: no good\nstack traceback of the worker:",
      message_of(head .. "local function work() error 'no good' end\npool:execute(shmx.task(work))"))
  end)

  it("of several tasks lists them", function()
    local text = message_of(head .. [[
local function work(i) if i > 1 then error("no " .. i, 0) end end
pool:execute { shmx.task(work, 1), shmx.task(work, 2), shmx.task(work, 3) }]])
    assert.matches("^script.lua:4: 2 of 3 tasks failed:\n1. task work failed in worker 1: no 2\nstack traceback of the "
      .. "worker:\n.-\n2. task work failed in worker 1: no 3\n", text)
  end)

  it("of very many tasks shows the first twenty", function()
    local text = message_of(head .. "pool:map(function() error 'no' end, table.move({}, 1, 0, 1, { n = 50 }))")
    assert.matches("^script.lua:3: 50 of 50 tasks failed:\n1. element 1: task", text)
    assert.matches("\n20. element 20: task", text)
    assert.not_matches("\n21. element", text)
    assert.matches("\nand 30 more: see `tasks` of this error$", text)
  end)

  it("because of a global of the script says what to do", function()
    assert.matches("^script.lua:4: task work failed in worker 1: script.lua:3: attempt to call a nil value "
      .. "%(global 'helper'%); 'helper' is a global of your script, which workers do not have: make it local, or "
      .. "define it in `init`\n", message_of(head .. "local function work() helper() end function helper() end\n"
        .. "pool:submit(work):get()"))
  end)

  it("because of a result names it", function()
    assert.are.equal("script.lua:3: task function <script.lua:3> failed in worker 1: result 2, field \"f\": userdata "
      .. "'FILE*' cannot be sent from a worker",
      message_of(head .. "pool:submit(function() return 1, { f = io.stdout } end):get()"))
  end)

  it("because of a signal names it", function()
    assert.are.equal("script.lua:3: task work crashed in worker 1: its worker was killed by signal SIGKILL (Killed)",
      message_of(head .. [[local function work() os.execute("kill -9 " .. shmx.pid()) end pool:submit(work):get()]]))
  end)

  it("because of os.exit names the code", function()
    for _, code in ipairs { 0, 7 } do
      assert.are.equal("script.lua:3: task os.exit crashed in worker 1: its worker ended in it with exit code " .. code,
        message_of(head .. "pool:submit(os.exit, " .. code .. "):get()"))
    end
  end)

  it("of memory says so, without another's traceback", function()
    local run = child.run(head .. [[
      print(select(2, pcall(function() pool:submit(function() error "first" end):get() end)))
      pool:submit(function() local s = "x" while true do s = s .. s end end):get()]], { before = "ulimit -v 3000000" })
    assert.are.equal(1, run.status)
    assert.matches("worker:\n", run.out)
    assert.matches("^[^\n]*script.lua:4: task function <script.lua:4> failed in worker 1: not enough memory\n", run.err)
    assert.not_matches("worker:\n", run.err)
  end)

  it("of init points at the pool and shows init's line", function()
    assert.matches("^script.lua:2: the pool cannot start: script.lua:3: no good\nstack traceback of the worker:\n",
      message_of('local shmx = require "shmx"\nshmx.pool { workers = 2, init = function()\n  error "no good" end }'))
  end)

  it("of init because of a global of the script says what to do", function()
    assert.matches("^script.lua:2: the pool cannot start: script.lua:3: attempt to index a nil value "
      .. "%(global 'shmx'%); 'shmx' is a global of your script, which workers do not have: make it local, or "
      .. "define it in `init`",
      message_of('shmx = require "shmx"\nshmx.pool { workers = 2, init = function()\n  shmx.clock() end }'))
  end)

  it("of every worker at its start is told", function()
    assert.are.equal("script.lua:1: the pool cannot start: workers end while they start: exit code 3 at script.lua:1",
      message_of('require "shmx".pool { workers = 2, init = function() os.exit(3) end }'))
  end)

  it("to start workers because of a limit names it", function()
    assert.matches("^script.lua:1: the pool cannot start: a worker cannot be started: the limit of open files .*ulimit "
      .. "%-n.*; ask for fewer workers$",
      message_of('require "shmx".pool { workers = 100, init = function() end }', { before = "ulimit -n 64" }))
    assert.matches("^script.lua:4: task os.execute crashed: its pool is broken: a worker cannot be started: the limit "
      .. "of open files .*ulimit %-n.*; ask for fewer workers$",
      message_of([[
local pool = require "shmx".pool { workers = 100 }
local tasks = {}
for i = 1, 10 do tasks[i] = pool:submit(os.execute, "sleep 10") end
for i = 1, 10 do tasks[i]:get() end]], { before = "ulimit -n 64" }))
    assert.matches("^script.lua:1: the supervisor .*/shmx%-host cannot be started: the limit of open files is reached",
      message_of('require "shmx".pool { workers = 1 }', { before = "ulimit -n 8" }))
  end)

  it("to have another process because of a limit names it", function()
    local stranger = "setpriv --reuid=54321 --clear-groups " .. child.program
    local can = os.execute(stranger .. " -e 'require [[shmx]].pool { workers = 1 }:close()' 2>/dev/null")
    if not can then return pending "needs to be root, and a program that others may run" end
    assert.matches(" cannot be started: the limit of processes is reached %(ulimit %-u, or that of the cgroup%)",
      message_of('require "shmx".pool { workers = 4, init = function() end }',
        { program = "prlimit", options = "--nproc=2 " .. stranger }))
  end)

  it("to have memory for a pool because of a limit names it", function()
    assert.are.equal("script.lua:1: a pool cannot be opened: the system has no memory left, or none for this process "
      .. "(ulimit -v, ulimit -d)", message_of('require "shmx".pool { workers = 1 }', { before = "ulimit -d 3000" }))
  end)

  it("of LUA_INIT in a worker only breaks the pool with its text", function()
    local text = message_of('require "shmx".pool { workers = 1 }:submit(print):get()',
      { environment = "LUA_INIT='if not arg then error [[no main]] end'" })
    -- Raised by `submit` or by `get`, by which of them runs when the news comes.
    assert.matches("pool is broken: LUA_INIT:1: no main", text)
  end)
end)

describe("an installation that is not complete", function()
  it("is told at the user's line", function()
    local program = child.path "shmx-lua"
    os.execute(("cp '%s' '%s'"):format(child.program, program))
    local text = message_of('local shmx = require "shmx"\nshmx.pool()', { program = program })
    assert.matches("^script.lua:2: shmx is not installed completely: libexec/shmx/shmx%-host is in none of", text)
  end)
end)

describe("a failure that nobody looked at", function()
  local code = [[
local shmx = require "shmx"
local pool = shmx.pool { workers = 1 }
local function work(...) error("no good", 0) end
pool:submit(work, "a", 1)
pool:submit(work, 2).name:len()
pool:submit(print, 1)
pool:close()]]

  it("is told once by warn", function()
    local run = child.run(code, { options = "-W" })
    assert.are.equal(0, run.status)
    assert.are.equal(2, select(2, run.err:gsub("\n", "")), run.err)
    assert.matches("Lua warning: a task failed and nobody looked at it: work%(a, 1%) %-%-> Error: no good\n", run.err)
    assert.matches("Lua warning: a task failed and nobody looked at it: work%(2%) %-%-> Error: no good\n", run.err)
  end)

  it("is silent when warnings are off", function() assert.are.equal("", child.run(code).err) end)

  it("is not told when somebody did", function()
    local run = child.run([[
      local shmx = require "shmx"
      local pool = shmx.pool { workers = 1 }
      local function work() error "no good" end
      local t = pool:submit(work)
      pcall(t.get, t)
      t = pool:submit(work)
      t:wait()
      local _ = t.error
      t = pool:submit(work)
      t:wait()
      tostring(t)
      pool:execute(shmx.task(work), { on_error = "return" })
      pool:close()]], { options = "-W" })
    assert.are.same({ "", "", 0 }, { run.out, run.err, run.status })
  end)
end)
