-- SPDX-License-Identifier: MIT
--
-- What workers print: whole lines, in order, and not lost with a worker; labelled or captured on request.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

setup(child.open)
teardown(child.close)

local preamble = [[
  local shmx = require "shmx"
  local function die() os.execute("kill -9 " .. shmx.pid()) end
]]

local function run(code)
  local done = child.run(preamble .. code)
  assert.are.equal(0, done.status, done.err)
  return done
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

-- Each worker prints lines of one letter, in pieces and of any length, with numbers that rise.
local chatter = [[
  local function chat(letter)
    for i = 1, 60 do
      local length = i % 20 == 0 and 200000 or i * 37
      io.write(letter, i, " ", letter:rep(length // 2))
      if i % 3 == 0 then io.flush() end
      print(letter:rep(length // 2))
      io.stderr:write("error of ", letter, " ", i)
      io.stderr:write "\n"
    end
  end
  local pool <close> = shmx.pool { workers = 4 }
  local tasks = {}
  for i = 1, 4 do tasks[i] = pool:submit(chat, ("abcd"):sub(i, i)) end
  for i = 1, 4 do tasks[i]:get() end]]

local function check_chatter(out, err)
  local last, last_error = {}, {}
  local lines = lines_of(out)
  assert.are.equal(240, #lines)
  for _, line in ipairs(lines) do
    local letter, number, rest = line:match "^(%l)(%d+) (%l+)$"
    assert(letter, "a torn line")
    number = tonumber(number)
    local length = number % 20 == 0 and 200000 or number * 37
    assert.is_true(rest == letter:rep(length // 2 * 2))
    assert.are.equal((last[letter] or 0) + 1, number)
    last[letter] = number
  end
  for _, line in ipairs(lines_of(err)) do
    local letter, number = line:match "^error of (%l) (%d+)$"
    assert.are.equal((last_error[letter] or 0) + 1, tonumber(number))
    last_error[letter] = tonumber(number)
  end
  assert.are.same({ a = 60, b = 60, c = 60, d = 60 }, last_error)
end

describe("what workers print", function()
  it("comes in whole lines, each worker's in order, in a file", function()
    local done = run(chatter)
    check_chatter(done.out, done.err)
  end)

  it("comes so through a pipe, too, longer lines than it holds", function()
    child.write("inner.lua", preamble .. chatter)
    local done = run [[
      local pipe <close> = io.popen(arg[-1] .. " inner.lua 2>errors")
      io.write(pipe:read "a")]]
    check_chatter(done.out, child.read "errors")
  end)

  it("ends its last line when its task ends", function()
    assert.are.equal("ab\ncd\n", run([[
      local pool <close> = shmx.pool { workers = 1 }
      local function say(...) for _, text in ipairs { ... } do io.write(text) end end
      pool:submit(say, "a", "b"):get()
      pool:submit(say, "c", "d"):get()]]).out)
  end)

  it("is not lost up to the last flush when the worker dies", function()
    local done = run [[
      local pool <close> = shmx.pool { workers = 1 }
      local task = pool:submit(function()
        print "whole"
        io.write "begun"
        io.flush()
        io.write " and lost"
        io.stderr:write "an error without an end"
        die()
      end)
      task:wait()
      print(task.error.signal)]]
    assert.are.equal("whole\nbegun\nSIGKILL\n", done.out)
    assert.are.equal("an error without an end\n", done.err)
  end)

  it("is what `init` prints, too", function()
    assert.are.equal("ready\n1\n", run([[
      local pool <close> = shmx.pool { workers = 1, output = "capture", init = function() io.write "ready" end }
      print(pool:submit(math.abs, -1):get())]]).out)
  end)
end)

describe("output = \"label\"", function()
  it("puts the task's name before each line", function()
    local done = run [[
      local pool <close> = shmx.pool { workers = 2, output = "label" }
      local function say() print "one" io.write "two\n\nthree" io.stderr:write "oh\n" end
      pool:submit(say):get()
      pool:execute(shmx.task { say, name = "named" })]]
    assert.are.equal("say: one\nsay: two\nsay: \nsay: three\nnamed: one\nnamed: two\nnamed: \nnamed: three\n", done.out)
    assert.are.equal("say: oh\nnamed: oh\n", done.err)
  end)
end)

describe("output = \"capture\"", function()
  it("puts the text into task.output, errors among it, in order", function()
    local done = run [[
      local pool <close> = shmx.pool { workers = 1, output = "capture" }
      local function say(...) print "one" io.stderr:write "two\n" io.write "three" return ... end
      local task = pool:submit(say, 1, nil, { "x" })
      local a, b, c = task:get()
      print(a, b, c[1], task.results.n, ("%q"):format(task.output))
      task = pool:submit(function(...) return ... end, 7)
      print(task:get(), task.output)
      print(pool:submit(print):get())]]
    assert.are.equal('1\tnil\tx\t3\t"one\\\ntwo\\\nthree"\n7\tnil\n\n', done.out)
    assert.are.equal("", done.err)
  end)

  it("has what a task printed that failed, also by what it returned, or died", function()
    local done = run [[
      local pool <close> = shmx.pool { workers = 1, output = "capture" }
      local function show(f)
        local task = pool:submit(f)
        task:wait()
        print(task.status, task.output, (tostring(task.error.value):gsub("^.*: ", "")))
      end
      show(function() io.write "failing" error "on purpose" end)
      show(function() io.write "returning" return 1, io.stdout end)
      show(function() io.write "dying" io.flush() io.write "lost" die() end)
      show(function() error "silent" end)]]
    local lines = lines_of(done.out)
    assert.are.equal("failed\tfailing\ton purpose", lines[1])
    assert.matches("^failed\treturning\t", lines[2])
    assert.are.equal("crashed\tdying\tits worker was killed by signal SIGKILL (Killed)", lines[3])
    assert.are.equal("failed\tnil\tsilent", lines[4])
  end)

  it("names results by their own number in errors", function()
    assert.matches("result 2", run([[
      local pool <close> = shmx.pool { workers = 1, output = "capture" }
      local task = pool:submit(function() print "x" return 1, io.stdout end)
      task:wait()
      print(task.error.value)]]).out)
  end)

  it("takes any amount", function()
    assert.are.equal("10000000\t32760\n", run([[
      local pool <close> = shmx.pool { workers = 1, output = "capture" }
      local function talk(last) for _ = 1, 100000 do io.write(("x"):rep(99), "\n") end if last then die() end end
      local one, two = pool:submit(talk), pool:submit(talk, true)
      one:wait() two:wait()
      print(#one.output, #two.output)
      assert(two.error)]]).out)
  end)
end)

describe("the option output", function()
  it("is checked", function()
    local done = run [[
      print(pcall(shmx.pool, { output = "loud" }))
      print(pcall(shmx.pool, { output = 1 }))]]
    assert.matches("bad option 'output' to 'pool' %(\"pass\", \"label\" or \"capture\" expected, got \"loud\"%)",
      done.out)
    assert.matches("expected, got 1%)", done.out)
  end)
end)
