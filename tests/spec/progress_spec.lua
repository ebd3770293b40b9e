-- SPDX-License-Identifier: MIT
--
-- Progress as people see it: scripts run on a pseudo-terminal, whose bytes a small emulator turns into rows
-- (tests/c/pty_screen.c), or with standard error in a pipe or a file.

local lfs = require "lfs"

local program = arg[-1]
if program:find("/") and program:sub(1, 1) ~= "/" then program = lfs.currentdir() .. "/" .. program end
local pty_screen = program:gsub("[^/]*/[^/]*$", "") .. "pty_screen"

local folder

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function contents(name)
  local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
  return file:read("a")
end

local function write_script(text)
  local file <close> = assert(io.open(folder .. "/script.lua", "wb"))
  file:write('local shmx = require "shmx"\n', text)
end

local function run_shell(command)
  local pipe <close> = assert(io.popen("cd " .. quoted(folder) .. " && " .. command))
  return pipe:read("a")
end

-- Runs the script on a terminal of 24 rows and 120 columns. Returns its rows, a line on its state, and all bytes.
local function on_terminal(text, options)
  write_script(text)
  local environment = "LC_ALL=C.UTF-8 TERM=" .. (options and options.term or "xterm")
  local command = ("%s %s record 24 120 %s %s script.lua"):format(
    environment, quoted(pty_screen), quoted(program), options and options.flags or "")
  local rows = {}
  for row in run_shell(command):gmatch("([^\n]*)\n") do rows[#rows + 1] = row end
  return rows, table.remove(rows), contents "record"
end

-- Runs it with standard output and standard error in files. Returns what is in them.
local function in_files(text, flags)
  write_script(text)
  run_shell(("%s %s script.lua >out 2>err </dev/null"):format(quoted(program), flags or ""))
  return contents "out", contents "err"
end

local function count(rows, wanted)
  local n = 0
  for _, row in ipairs(rows) do if row == wanted then n = n + 1 end end
  return n
end

local function count_matching(rows, pattern)
  local n = 0
  for _, row in ipairs(rows) do if row:find(pattern) then n = n + 1 end end
  return n
end

local bar_frame = "\27%[24;1H"
local whole_screen = "region 1-24, wrapping on, column 1, "

local wait = "local function wait(s) local t = shmx.clock() while shmx.clock() < t + s do end end\n"

local busy = wait .. [[
  local function work(i) wait(0.04) return i end
  local pool <close> = shmx.pool { workers = 2 }
  local tasks = {}
  for i = 1, 20 do tasks[i] = pool:submit(work, i) end
  for i = 1, 20 do tasks[i]:get() end
]]

setup(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
end)

teardown(function() os.execute("rm -rf " .. quoted(folder)) end)

local function terminal_it(name, test)
  it(name, function()
    if not lfs.attributes(pty_screen) then return pending("pty_screen is not built") end
    test()
  end)
end

describe("on a terminal, progress", function()
  terminal_it("is drawn in the last row and leaves a line for each phase", function()
    local rows, state, bytes = on_terminal(busy)
    assert.equal(whole_screen .. "exit 0", state)
    assert.equal(3, #rows)
    assert.matches("^workers ready: 100%%|%S+| 2/2 %[", rows[1])
    assert.matches("^tasks: 100%%|%S+| 20/20 %[", rows[2])
    assert.matches("^workers stopping: 100%%|%S+| 2/2 %[", rows[3])
    assert.matches(bar_frame .. "[^\n]*tasks: .-task/s%] work%(%d+%)\27", bytes)
  end)

  terminal_it("shows how far a task says that it is", function()
    local _, _, bytes = on_terminal(wait .. [[
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(function() shmx.progress(3, 4) wait(0.6) shmx.progress(4, 4) end):get()
    ]])
    assert.matches("tasks:  75%%|[^\n]*| 0/1 %[", bytes)
  end)

  terminal_it("shows how far a task in C says that it is", function()
    local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
    assert(os.execute(("cc -shared -fPIC $(PKG_CONFIG_PATH=%s/lib/pkgconfig pkg-config --cflags shmx) -o %s %s"):format(
      quoted(program:gsub("/bin/[^/]*$", "")), quoted(folder .. "/probe.so"), quoted(here .. "/c/probe.c"))))
    local _, _, bytes = on_terminal(wait .. [[
      package.cpath = "./?.so"
      local probe = require "probe"
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(function() probe.progress(1, 4) wait(0.6) probe.progress(4, 4) end):get()
    ]])
    assert.matches("tasks:  25%%|[^\n]*| 0/1 %[", bytes)
  end)

  terminal_it("is not drawn when it is not wanted", function()
    for _, case in ipairs { { flags = "--no-progress" }, { term = "dumb" } } do
      local rows, state, bytes = on_terminal(busy .. "print 'done'", case)
      assert.same({ "done" }, rows)
      assert.equal(whole_screen .. "exit 0", state)
      assert.not_matches("\27", bytes)
    end
  end)

  terminal_it("tears no line of the workers or of main", function()
    local rows, state, bytes = on_terminal(wait .. [[
      local function work(i)
        print("worker out " .. i)
        io.stderr:write("worker error ", i)
        wait(0.005)
        io.stderr:write(" ends\n")
      end
      local pool <close> = shmx.pool { workers = 2 }
      local tasks = {}
      for i = 1, 150 do tasks[i] = pool:submit(work, i) end
      for i = 1, 150 do tasks[i]:get() print("main " .. i) end
    ]])
    for i = 1, 150 do
      assert.equal(1, count(rows, "worker out " .. i), i)
      assert.equal(1, count(rows, "worker error " .. i .. " ends"), i)
      assert.equal(1, count(rows, "main " .. i), i)
    end
    assert.equal(453, #rows)
    assert.matches(bar_frame, bytes)
    assert.equal(whole_screen .. "exit 0", state)
  end)

  terminal_it("keeps the order of a worker's lines, and its last words", function()
    local rows = on_terminal([[
      local function talk() for i = 1, 2000 do print("line " .. i) end io.write "and no more" end
      local function die()
        print "farewell"
        io.stderr:write "without an end"
        os.execute("kill -9 " .. shmx.pid())
      end
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(talk):get()
      print(pcall(function() pool:submit(die):get() end))
    ]])
    local next_line = 1
    for _, row in ipairs(rows) do
      if row == "line " .. next_line then next_line = next_line + 1 end
    end
    assert.equal(2001, next_line)
    assert.equal(1, count(rows, "and no more"))
    assert.equal(1, count(rows, "farewell"))
    assert.equal(1, count(rows, "without an end"))
    assert.equal(1, count_matching(rows, "killed by signal SIGKILL"))
    assert.equal(1, count_matching(rows, "^tasks: 100%%.* 1 failed%]"))
  end)

  terminal_it("does not wait for a descendant that keeps a worker's output open", function()
    local start = os.time()
    local rows = on_terminal([[
      local function leave() os.execute "sleep 20 &" print "left" end
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(leave):get()
    ]])
    assert.equal(1, count(rows, "left"))
    assert.is_true(os.time() - start < 10)
  end)

  terminal_it("shows one pool after the other", function()
    local rows, state = on_terminal(wait .. [[
      local function work() wait(0.02) end
      local one <close> = shmx.pool { workers = 1 }
      one:submit(work):get()
      local other <close> = shmx.pool { workers = 2 }
      local tasks = { other:submit(work), other:submit(work) }
      for _, task in ipairs(tasks) do task:get() end
      other:close()
      one:submit(work):get()
    ]])
    assert.equal(1, count_matching(rows, "^workers ready: 100%%.* 1/1 "))
    assert.equal(1, count_matching(rows, "^workers ready: 100%%.* 2/2 "))
    assert.equal(2, count_matching(rows, "^tasks: 100%%.* 2/2 "))
    assert.equal(whole_screen .. "exit 0", state)
  end)

  terminal_it("is taken away when main is killed", function()
    local rows, state, bytes = on_terminal(wait .. [[
      local pool = shmx.pool { workers = 2 }
      for i = 1, 4 do pool:submit(wait, 30) end
      print "main works"
      wait(0.5)
      os.execute "kill -9 $PPID"
    ]])
    assert.matches(bar_frame, bytes)
    assert.equal(whole_screen .. "signal 9", state)
    assert.equal(1, count(rows, "main works"))
    assert.equal(0, count_matching(rows, "^tasks"))
  end)

  terminal_it("is taken away when the supervisor is killed", function()
    local rows, state, bytes = on_terminal(wait .. [[
      local pool = shmx.pool { workers = 2 }
      local task = pool:submit(wait, 30)
      wait(0.5)
      os.execute "for p in $(cat /proc/$PPID/task/$PPID/children); do [ $p = $$ ] || kill -9 $p; done"
      print(pcall(task.get, task))
    ]])
    assert.matches(bar_frame, bytes)
    assert.equal(whole_screen .. "exit 0", state)
    assert.equal(1, count_matching(rows, "supervisor process of its pool has died"))
    assert.equal(0, count_matching(rows, "^tasks"))
  end)

  terminal_it("finds the terminal behind /dev/tty", function()
    write_script(busy)
    os.rename(folder .. "/script.lua", folder .. "/busy.lua")
    local rows, state, bytes = on_terminal("os.exit(os.execute(arg[-1] .. ' busy.lua 2>/dev/tty'))")
    assert.equal(whole_screen .. "exit 0", state)
    assert.equal(1, count_matching(rows, "^tasks: 100%%"))
    assert.matches(bar_frame, bytes)
  end)
end)

describe("without a terminal, progress", function()
  it("is silent unless it is asked for", function()
    local out, err = in_files(busy .. "print 'done'")
    assert.equal("done\n", out)
    assert.equal("", err)
  end)

  it("is plain lines when it is asked for", function()
    local out, err = in_files(busy .. "print 'done'", "--progress")
    assert.equal("done\n", out)
    assert.not_matches("\27", err)
    assert.matches("^workers ready: 100%% 2/2 %[[^\n]*%]\n", err)
    assert.matches("\ntasks: 100%% 20/20 %[[^\n]*%]\n", err)
    assert.matches("\nworkers stopping: 100%% 2/2 %[[^\n]*%]\n$", err)
  end)

  it("leaves a worker's output where main's goes", function()
    local out, err = in_files([[
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(function() print "out" io.stderr:write "error\n" end):get()
    ]], "--progress")
    assert.equal("out\n", out)
    assert.matches("%f[^\n\0]error\n", err)
  end)
end)

describe("a person at the terminal", function()
  terminal_it("has the prompt behind the line of the workers", function()
    local rows = on_terminal([[
      local input <close> = io.popen(arg[-1] .. " -i", "w")
      input:write('p = require "shmx".pool { workers = 3 }\nprint(7)\n')
    ]])
    for i, row in ipairs(rows) do
      if row:find "^workers ready: 100%%" then return assert.matches("^> 7", rows[i + 1]) end
    end
    error(table.concat(rows, "\n"))
  end)

  terminal_it("is told after Ctrl-C how long it takes", function()
    local rows = on_terminal([[
      local pool <close> = shmx.pool { workers = 1, grace = 20 }
      pool:submit(function() end):get()
      os.execute((("(sleep 0.1; kill -INT PID; sleep 2; kill -INT PID) &"):gsub("PID", shmx.pid())))
      pool:submit(os.execute, "sleep 10"):get()
    ]])
    assert.equal(1, count(rows, "running tasks have 20 s to end; Ctrl-C again ends them at once"))
  end)

  terminal_it("is not told after an error, whatever it says", function()
    local rows = on_terminal([[
      pcall(function()
        local pool <close> = shmx.pool { workers = 1, grace = 1 }
        local task = pool:submit(os.execute, "sleep 10")
        while task.status ~= "running" do os.execute "sleep 0.01" end
        error "interrupted!"
      end)
    ]])
    assert.equal(0, count_matching(rows, "running tasks have"))
  end)
end)

describe("an idle pool with progress", function()
  terminal_it("makes no system call", function()
    if not os.execute("strace -o /dev/null true 2>/dev/null") then return pending("strace cannot trace here") end
    local rows = on_terminal([[
      local pool <close> = shmx.pool { workers = 2 }
      for i = 1, 10 do pool:submit(function() return i end):get() end
      local supervisor = io.popen("cat /proc/" .. shmx.pid() .. "/task/" .. shmx.pid() .. "/children"):read("n")
      os.execute("sleep 2; timeout 3 strace -f -qq -o trace -p " .. supervisor .. " 2>/dev/null")
      pool:submit(function() end):get()
    ]])
    -- What was under way when strace came and went is shown, and nothing else.
    local calls = 0
    for _ in contents("trace"):gmatch("[^\n]+") do calls = calls + 1 end
    assert.is_true(calls <= 2, contents "trace")
    assert.equal(1, count_matching(rows, "^tasks: 100%%.* 11/11 "))
  end)
end)
