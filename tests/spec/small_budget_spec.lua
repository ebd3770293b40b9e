-- SPDX-License-Identifier: MIT
--
-- Small memory budgets: they hold for arrays of every size, several workers can work with them, and what has to arrive
-- does so when nothing is left.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")

local head = [[
local shmx = require "shmx"
local function make(n, size) return (shmx.full("u8", size, n % 251)) end
local function fill_up(pool) -- whose only worker counts from then on
  pool:submit(function() end):get()
  local kept = {}
  for _, size in ipairs { 10000, 1000, 1 } do
    while pcall(function() kept[#kept + 1] = shmx.array("u8", size) end) do end
  end
  return kept
end
]]

local function run(options, code)
  local done = child.run(head .. code, { options = options })
  assert.are.equal("", done.err)
  return done.out
end

describe("a small memory budget", function()
  setup(child.open)
  teardown(child.close)

  it("is what arrays of any size can have, and no more", function()
    for _, size in ipairs { 1000, 10000, 100000 } do
      local out = run("--memory 300K", ([[
        local size, kept, message = %d, {}, nil
        repeat
          local ok, result = pcall(shmx.array, "u8", size)
          if ok then kept[#kept + 1] = result else message = result end
        until not ok
        print(#kept * size, message)]]):format(size))
      local bytes, message = out:match "^(%d+)\t(.*)"
      assert.is_true(tonumber(bytes) <= 300 << 10 and tonumber(bytes) > 200 << 10, bytes)
      assert.matches("cannot allocate " .. size .. " bytes: the memory budget is used up", message)
    end
  end)

  it("can be one array", function()
    assert.are.equal("102400\n", run("--memory 100K", 'print(#shmx.array("u8", 100 << 10))'))
  end)

  -- Of each size no more than a fifth of the budget is in use at a time, but for whole pages.
  it("is enough for several workers", function()
    for _, budget in ipairs { "1M", "3M", "4M" } do
      for _, size in ipairs { 100, 50000 } do
        local out = run("-w 4 --memory " .. budget, ([[
          local pool <close> = shmx.pool()
          for _ = 1, 100 do
            local tasks = {}
            for i = 1, 4 do tasks[i] = pool:submit(make, i, %d) end
            for i, task in ipairs(tasks) do assert(task:get()[1] == i) task.result:close() end
          end
          print(pool:stats().memory.peak <= shmx.memory)]]):format(size))
        assert.are.equal("true\n", out)
      end
    end
  end)

  it("of a pool is enough for its workers", function()
    local out = run("", [[
      local pool <close> = shmx.pool { workers = 4, memory = "1M" }
      for i = 1, 200 do assert(pool:submit(make, i, 50000):get()[1] == i) end
      local kept, refused = {}, nil
      for i = 1, 40 do kept[i] = pool:submit(make, i, 50000) end
      for _, task in ipairs(kept) do if not pcall(task.get, task) then refused = task.status end end
      print(refused)]])
    assert.are.equal("refused\n", out)
  end)

  it("holds while workers make small arrays that somebody keeps", function()
    local out = run("-w 4 --memory 2M", [[
      local pool <close> = shmx.pool()
      local kept, bytes, status, message = {}, 0, nil, nil
      for i = 1, 300 do kept[i] = pool:submit(make, i, 10000) end
      for _, task in ipairs(kept) do
        task:wait()
        if task.result then bytes = bytes + #task.result else status, message = task.status, task.error.message end
      end
      print(bytes > shmx.memory // 2 and bytes <= shmx.memory, pool:stats().memory.peak <= shmx.memory, status)
      print(message)]])
    assert.are.equal("true\ttrue\trefused\nscript.lua:2: cannot allocate 10000 bytes: the memory budget is used up; "
      .. "close arrays you need no more, or raise the budget (--memory, shmx.memory, or memory = of the pool)\n", out)
  end)
end)

describe("when the memory budget is used up", function()
  setup(child.open)
  teardown(child.close)

  it("functions, arguments and errors still arrive", function()
    local out = run("-w 1 --memory 1M", [[
      local pool <close> = shmx.pool()
      local kept = fill_up(pool)
      local function fail(text) error(text .. "!") end
      local texts, tasks = {}, {}
      for i = 1, 20 do texts[i] = ("x"):rep(2000 + i) end
      for i = 1, 20 do tasks[i] = pool:submit(fail, texts[i]) end
      for i, task in ipairs(tasks) do
        task:wait()
        assert(task.status == "failed" and task.error.message == "script.lua:13: " .. texts[i] .. "!", task.error)
        assert(task.error.traceback:find("in upvalue 'fail'", 1, true) or task.error.traceback:find "script.lua:13")
      end
      print(#kept > 0, pool:stats().memory.peak <= shmx.memory)]])
    assert.are.equal("true\ttrue\n", out)
  end)

  it("a result is refused, and an error that is too long is cut to that", function()
    local out = run("-w 1 --memory 1M", [[
      local pool <close> = shmx.pool()
      local kept = fill_up(pool)
      local function show(task)
        task:wait()
        print(task.status, task.error and task.error.message or task.result)
      end
      show(pool:submit(string.rep, "x", 5000))
      show(pool:submit(function() error(("x"):rep(300000), 0) end))
      show(pool:submit(function() return 1 end))]])
    local room = "or raise the budget (--memory, shmx.memory, or memory = of the pool)\n"
    assert.are.equal("refused\tthe memory budget has no room for the result; return less, " .. room
      .. "failed\tthe memory budget has no room for its error; make that shorter, " .. room .. "done\t1\n", out)
  end)

  it("a function that is too long cannot be sent, which says why", function()
    local done = child.run(head .. [[
      local pool <close> = shmx.pool()
      local kept = fill_up(pool)
      pool:submit(load("return '" .. ("x"):rep(300000) .. "'"))]], { options = "-w 1 --memory 256K" })
    assert.matches("script.lua:13: the bytecode of a function %(%d+ bytes%) cannot be sent: it is larger than the "
      .. "memory budget %(%-%-memory, shmx.memory%)", done.err)
  end)
end)
