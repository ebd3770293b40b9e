-- SPDX-License-Identifier: MIT
--
-- Tasks: their names, fields and text, waiting for them, and what becomes of errors of every kind.

local shmx = require "shmx"
local await = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/await.lua")
local core = require "shmx.core"

local pool
setup(function() pool = shmx.pool { workers = 2 } end)
teardown(function() pool:close() end)

local function double(x) return 2 * x end
local function pause(seconds) os.execute("sleep " .. seconds) end

-- The failure of a task that runs f.
local function failure_of(f, ...)
  local t = pool:submit(f, ...)
  assert.is_true(t:wait(20))
  return assert(t.error, "it should have failed")
end

describe("the name of a task", function()
  it("is that of the variable that has the function", function()
    local function here() end
    assert.are.equal("here", shmx.task(here).name) -- a local variable
    assert.are.equal("double", shmx.task(double).name) -- an upvalue
    _G.a_global = function() end
    assert.are.equal("a_global", shmx.task(_G.a_global).name)
    _G.a_global = nil
    assert.are.equal("math.floor", shmx.task(math.floor).name)
    assert.are.equal("print", shmx.task(print).name)
    finally(function()
      package.loaded.crunch, package.loaded.hypot = nil, nil
    end)
    package.loaded.crunch = load "return 1"
    package.loaded.hypot = string.gmatch("a", "a") -- a C function that nobody else has
    assert.are.equal("crunch", shmx.task(require "crunch").name)
    assert.are.equal("hypot", shmx.task(require "hypot").name)
    for _ = 1, 2 do
      local t = shmx.task(load "return function() end" ())
      assert.matches('^function <%[string "return function%(%) end"%]:1>$', t.name)
    end
  end)

  it("is none that a zero byte would cut", function()
    _G["a\0global"] = load "return 1"
    assert.matches('^function <%[string "return 1"%]:0>$', shmx.task(_G["a\0global"]).name)
    _G["a\0global"] = nil
  end)

  it("is not that of a parameter on its way", function()
    local function submit(f) return pool:submit(f, 1) end
    local function mine(x) return x end
    assert.are.equal("mine", submit(mine).name)
    assert.matches("^function <[^\n]*task_spec.lua:%d+>$", submit(function() end).name)
    local t = pool:submit(error, "x", 0)
    assert.are.equal("error", t.name)
    local _, err = pcall(pool.map, pool, function(x) return x.y end, { 1, 2 })
    assert.matches("^function <", err.tasks[1].name)
    t:wait()
    assert.is_table(t.error)
  end)

  it("can be given", function()
    local t = shmx.task { double, 4, name = "twice" }
    assert.are.equal("twice", t.name)
    assert.are.equal("twice(4) --> waiting", tostring(t))
    assert.are.equal(8, pool:execute(t)[1].result)
  end)
end)

describe("a task", function()
  it("has fields that tell what became of it", function()
    local t = shmx.task(function(x) pause(0.05) return x, nil, "z", nil end, 7)
    assert.are.equal("waiting", t.status)
    assert.is_nil(t.result)
    assert.is_nil(t.worker)
    pool:execute(t)
    assert.are.equal("done", t.status)
    assert.are.equal(7, t.result)
    assert.are.same({ 7, nil, "z", nil, n = 4 }, t.results)
    assert.is_nil(t.error)
    assert.is_true(t.worker == 1 or t.worker == 2)
    assert.are.equal(1, t.attempt)
    assert.is_true(t.seconds >= 0.05 and t.seconds < 5)
    assert.is_true(shmx.task(double).id > t.id)
    local ok, err = pcall(function() return t.no_such_field end)
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: a task has no field or method \"no_such_field\"", err)
  end)

  it("has results and error only when it has ended, and never blocks for them", function()
    local t = pool:submit(function() pause(0.2) return 1 end)
    assert.is_nil(t.result)
    assert.is_nil(t.results)
    assert.is_nil(t.error)
    await(function() return t.status ~= "queued" end)
    assert.are.equal("running", t.status)
    assert.matches("%-%-> running$", tostring(t))
    assert.is_false(t:done())
    assert.are.equal(1, t:get())
    assert.is_true(t:done())
  end)

  it("shows its call and its result or error", function()
    local function work(n) return shmx.range("i64", 0, n - 1) end
    local t = pool:execute(shmx.task(work, 1000))[1]
    assert.matches("^work%(1000%) %-%-> Result: i64%[1000%]", tostring(t))
    assert.are.equal("work(1000) --> waiting", tostring(shmx.task(work, 10 ^ 3)))
    assert.are.equal("work(0.5) --> waiting", tostring(shmx.task(work, 0.5)))
    local function add(...) return select("#", ...), ... end
    t = pool:submit(add, 1, nil, "x", { 1 }, shmx.array("u8", 2), ("y"):rep(100))
    assert.matches("^add%(1, nil, x, table, [%w.]+, string of 100 bytes%) %-%-> ", tostring(t))
    t:wait()
    assert.matches("%-%-> Result: 6, 1, nil, x, table: 0x%x+, u8%[2%]", tostring(t))
    local function fail() error("no good", 0) end
    t = pool:submit(fail)
    t:wait()
    assert.are.equal("fail() --> Error: no good", tostring(t))
    assert.are.equal("none() --> Result: ", tostring(pool:execute(shmx.task { function() end, name = "none" })[1]))
  end)

  it("waits with a time-out, and can be waited for again", function()
    local gate = shmx.array("bool", 1)
    local t = pool:submit(function(open) while not open[1] do pause(0.01) end return "late" end, gate)
    assert.is_false(t:wait(0))
    assert.is_false(t:wait(0.05))
    assert.has_error(function() t:get(0.05) end)
    assert.has_error(function() t:get(-1) end)
    assert.has_error(function() t:get(0 / 0) end)
    gate[1] = true
    assert.are.equal("late", t:get(1e308))
    assert.are.equal("late", t:get(0))
    assert.is_true(t:wait(math.huge))
  end)

  it("without results has none", function()
    local t = pool:submit(function() end)
    assert.are.equal(0, select("#", t:get()))
    assert.is_nil(t.result)
    assert.are.same({ n = 0 }, t.results)
  end)

  it("can be made by hand, with nil arguments", function()
    local t = shmx.task { select, "#", nil, nil, n = 3 }
    assert.are.equal(2, pool:execute(t)[1].result)
    assert.has_error(function() shmx.task {} end)
    assert.has_error(function() shmx.task() end)
  end)

  it("takes no memory that stays, a hundred thousand times over", function()
    local sum, first, last = 0, nil, nil
    for round = 1, 10 do
      local tasks = {}
      for i = 1, 10000 do tasks[i] = pool:submit(double, i) end
      for i = 1, 10000 do sum = sum + tasks[i]:get() end
      collectgarbage()
      last = collectgarbage "count"
      if round == 3 then first = last end
    end
    assert.are.equal(10 * 10000 * 10001, sum)
    assert.is_true(last < first + 600) -- KiB; the table of tasks under way may have doubled, up to 256 KiB
  end)
end)

describe("submitting", function()
  it("goes on when the board is full, also with finalizers and hooks that submit", function()
    local refused = 0
    local function meddle()
      local ok, err = pcall(pool.submit, pool, double, 1)
      if not ok then
        assert(err:find("cannot be submitted while another is", 1, true), err)
        refused = refused + 1
      end
    end
    local function garbage() setmetatable({}, { __gc = meddle }) end
    local tasks, sum = {}, 0
    for i = 1, 80000 do
      tasks[i] = pool:submit(double, i)
      if i % 100 == 0 then garbage() end
    end
    for i = 1, 80000 do sum = sum + tasks[i]:get() end
    assert.are.equal(80000 * 80001, sum)
    local packed = setmetatable({}, { __shmx_pack = function() meddle() return double, 1 end })
    refused = 0
    assert.are.equal(4, pool:submit(double, packed):get())
    assert.are.equal(1, refused)
  end)

  it("raises the error of __shmx_pack, whatever it is, and can be tried again", function()
    local value = { "an error" }
    local bad = setmetatable({}, { __shmx_pack = function() error(value) end })
    local ok, err = pcall(pool.submit, pool, double, bad)
    assert.is_false(ok)
    assert.are.equal(value, err)
    local t = shmx.task(function(x) return x end, bad)
    assert.is_false(pcall(pool.execute, pool, t))
    assert.are.equal("waiting", t.status)
    getmetatable(bad).__shmx_pack = function() return double, 3 end
    assert.are.equal(6, pool:execute(t)[1].result)
  end)

  it("can be taken back until a worker has begun", function()
    local busy = { pool:submit(pause, 0.3), pool:submit(pause, 0.3) }
    await(function() return busy[1].status ~= "queued" and busy[2].status ~= "queued" end)
    local t = pool:submit(double, 1)
    assert.is_true(t:cancel())
    assert.are.equal("cancelled", t.status)
    assert.is_false(t:cancel())
    assert.is_false(shmx.task(double):cancel())
    assert.has_error(function() t:get() end)
    assert.are.equal("double(1) --> Error: it was cancelled before it began", tostring(t))
    busy[1]:get()
    assert.is_false(busy[1]:cancel())
  end)
end)

describe("an error value", function()
  it("of a string keeps the worker's position", function()
    local e = failure_of(function() error "no good" end)
    assert.matches("task_spec.lua:%d+: no good$", e.value)
    assert.are.equal("failed", e.status)
    assert.matches("^stack traceback:\n.*task_spec.lua", e.traceback)
  end)

  it("arrives as it was raised", function()
    local e = failure_of(function() error { code = 5, list = { 1, 2 } } end)
    assert.are.same({ code = 5, list = { 1, 2 } }, e.value)
    assert.are.equal("(error object is a table value)", e.message)
    assert.is_nil(failure_of(function() error() end).value)
    assert.are.equal(7, failure_of(function() error(7) end).value)
    assert.is_false(failure_of(function() error(false) end).value)
    local cyclic = failure_of(function() local t = { 1 } t.t = t error(t) end).value
    assert.are.equal(cyclic, cyclic.t)
    assert.are.equal(15, failure_of(function() error(shmx.range("i64", 1, 5)) end).value:sum())
  end)

  it("that cannot travel arrives as text", function()
    local e = failure_of(function() error(setmetatable({}, { __tostring = function() return "my text" end })) end)
    assert.are.equal("my text", e.value)
    assert.matches("^file %(0x", failure_of(function() error(io.stdout) end).value)
    assert.matches("^function: ", failure_of(function() error(function() end) end).value)
  end)

  it("whose __tostring fails does not hide that the task failed", function()
    local e = failure_of(function() error(setmetatable({}, { __tostring = function() error "again" end })) end)
    assert.matches("__tostring fails", e.value)
    assert.matches("task_spec.lua", e.traceback)
    e = failure_of(function() error(setmetatable({}, { __tostring = function() return {} end })) end)
    assert.matches("__tostring fails", e.value)
  end)

  it("of a hundred million bytes is cut", function()
    local e = failure_of(function() error(("x"):rep(100000000), 0) end)
    assert.is_true(#e.value < 1100000)
    assert.matches("xxx%.%.%. %(100000000 bytes in all%)$", e.value)
  end)

  it("in __close is the task's error; in __gc it is not", function()
    local meta = { __close = function() error "closing" end }
    local e = failure_of(function() local _ <close> = setmetatable({}, meta) end)
    assert.matches("closing$", e.value)
    local function collect()
      setmetatable({}, { __gc = function() error "collecting" end })
      collectgarbage()
      return "fine"
    end
    assert.are.equal("fine", pool:submit(collect):get())
  end)
end)

describe("a task that goes wrong", function()
  it("by recursion without end fails", function()
    local function forever() return 1 + forever() end
    assert.matches("stack overflow", failure_of(forever).value)
    local function deep(s) return (s:gsub(".", deep)) end
    assert.matches("stack overflow", failure_of(deep, "a").value)
    assert.are.equal(4, pool:submit(double, 2):get())
  end)

  it("by asking for too much memory fails", function()
    assert.matches("too large", failure_of(function() return ("x"):rep(1 << 62) end).value)
  end)

  it("by yielding fails", function()
    assert.matches("outside a coroutine", failure_of(coroutine.yield, 1).value)
  end)

  it("by os.exit or a signal crashes alone", function()
    local other = pool:submit(function() pause(0.2) return "untouched" end)
    local e = failure_of(os.exit, 9)
    assert.are.same({ "crashed", 9 }, { e.status, e.code })
    e = failure_of(os.exit, true, true)
    assert.are.same({ "crashed", 0 }, { e.status, e.code })
    e = failure_of(function() os.execute("kill -11 " .. shmx.pid()) end)
    assert.are.same({ "crashed", "SIGSEGV" }, { e.status, e.signal })
    e = failure_of(function() core.kill(shmx.pid()) end)
    assert.are.same({ "crashed", "SIGKILL" }, { e.status, e.signal })
    assert.are.equal("untouched", other:get())
  end)

  it("by a global of the script says what to do", function()
    _G.helper = function() end
    local e = failure_of(function() helper() end) -- luacheck: ignore
    assert.matches("global 'helper'%); 'helper' is a global of your script, .* make it local, or define it in `init`$",
      e.value)
    e = failure_of(function() return helper.field end) -- luacheck: ignore
    assert.matches("make it local", e.value)
    _G.helper = nil
    assert.not_matches("make it local", failure_of(function() helper() end).value) -- luacheck: ignore
  end)
end)
