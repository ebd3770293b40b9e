-- SPDX-License-Identifier: MIT
--
-- The memory budget with backpressure: workers wait while results that nobody has taken fill it. SHMX_TEST_LONG makes
-- it the full size, 1,000 results of 64 MiB under 512 MiB.

local shmx = require "shmx"
local core = require "shmx.core"
local await = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/await.lua")

local long = os.getenv "SHMX_TEST_LONG"
local TASKS, SIZE, BUDGET = long and 1000 or 200, long and 64 << 20 or 4 << 20, long and 512 << 20 or 32 << 20
local WORKERS = 2

local function make(n, size) return (shmx.full("u8", size, n % 251)) end

-- No process goes over the budget: an allocation that would is taken back. That it is about to be may be seen.
local function check_charge()
  await(function()
    local charged = select(3, core.ledger())
    return charged <= BUDGET, charged .. " bytes are charged"
  end, 1)
end

describe("a budget", function()
  local before
  setup(function()
    before = shmx.memory
    shmx.memory = BUDGET
  end)
  teardown(function() shmx.memory = before end)

  it("holds while a consumer takes one result of many at a time", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    local tasks = {}
    for i = 1, TASKS do tasks[i] = pool:submit(make, i, SIZE) end
    for i, task in ipairs(tasks) do
      local array <close> = task:get()
      assert.are.same({ SIZE, i % 251, i % 251 }, { #array, array[1], array[SIZE] })
      tasks[i] = false
      if i % 20 == 0 then check_charge() end
    end
  end)

  it("holds for a stream that is not read", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    local count = 0
    local function numbers(_, n) return n + 1 end
    for array in pool:with { ahead = 30 }:imap(function(n, size) return shmx.full("u8", size, n % 251), n end,
      function(_, n) n = numbers(nil, n) return n, SIZE end, nil, 0) do
      count = count + 1
      if count % 10 == 0 then
        os.execute "sleep 0.05"
        check_charge()
      end
      array:close()
      if count == 60 then break end
    end
  end)

  it("holds for an ordered stream whose oldest task asks for memory last", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    local count = 0
    local function late(n, size)
      if n % 20 == 1 then os.execute "sleep 0.1" end
      return shmx.full("u8", size, n % 251)
    end
    local size = SIZE + (SIZE >> 4) -- seven fill the budget
    local function count_up(_, n) return n + 1, size end
    for array in pool:with { ahead = 30 }:imap(late, count_up, nil, 0) do
      count = count + 1
      array:close()
      if count == 60 then break end
    end
    assert.are.equal(60, count)
  end)

  -- An endless task, and results that main keeps until one more has room.
  local function with_one_seat_left(body)
    local pool = shmx.pool { workers = WORKERS, progress = false }
    local endless = pool:submit(function() repeat until shmx.cancelled() end)
    finally(function()
      endless:cancel()
      pool:close()
    end)
    local kept = {}
    for i = 1, BUDGET // SIZE - 2 do kept[i] = pool:submit(make, i, SIZE):get() end
    body(pool:submit(make, 1, SIZE))
    assert.are.equal(BUDGET // SIZE - 2, #kept)
  end

  it("has a last seat for the task that main waits for, though an older one goes on", function()
    with_one_seat_left(function(last) assert.is_true(last:wait(20)) end)
  end)

  it("has a last seat for the task that main asks for", function()
    with_one_seat_left(function(last)
      for _ = 1, 200 do
        if last:done() then break end
        os.execute "sleep 0.1"
      end
      assert.is_true(last:done())
    end)
  end)

  it("has a last seat while main waits for whatever ends first", function()
    with_one_seat_left(function(last) assert.are.equal(last, shmx.first({ last }, 20)) end)
  end)

  it("has room for what garbage of the script had", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    collectgarbage "stop"
    finally(function() collectgarbage "restart" end)
    for i = 1, 30 do pool:submit(make, i, SIZE):get() end
  end)

  it("has room for what garbage of the script had each time that this fills it", function()
    local pool <close> = shmx.pool { workers = 2 * WORKERS, progress = false }
    local tasks = {}
    for i = 1, 200 do tasks[i] = pool:submit(shmx.empty, "u8", SIZE) end
    for i = 1, 200 do
      assert.are.equal(SIZE, #tasks[i]:get())
      tasks[i] = false
    end
  end)

  it("has room for what garbage of the script had while a task goes on", function()
    local pool = shmx.pool { workers = WORKERS, progress = false }
    local endless = pool:submit(function() repeat until shmx.cancelled() end)
    collectgarbage "stop"
    finally(function()
      collectgarbage "restart"
      endless:cancel()
      pool:close()
    end)
    for i = 1, 12 do pool:submit(make, i, SIZE):get() end
  end)

  it("has room for what garbage of the script's own arrays had", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    collectgarbage "stop"
    finally(function() collectgarbage "restart" end)
    local own = {}
    while pcall(function() own[#own + 1] = shmx.array("u8", 1 << 20) end) do end
    assert.is_true(#own > 0)
    for i in pairs(own) do own[i] = nil end
    assert.are.equal(1 << 20, #pool:submit(make, 1, 1 << 20):get())
  end)

  it("is filled by small results that somebody keeps, and then refuses", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    local tasks, ends = {}, { done = 0, refused = 0 }
    for i = 1, 2 * BUDGET >> 20 do tasks[i] = pool:submit(make, i, 1 << 20) end
    for _, task in ipairs(tasks) do
      task:wait()
      ends[task.status] = ends[task.status] + 1
    end
    assert.is_true(ends.done >= BUDGET / 2 >> 20 and ends.refused > 0, ends.done .. " done")
    check_charge()
  end)

  it("does not take the time of a task that waits for memory", function()
    local pool <close> = shmx.pool { workers = WORKERS, timeout = 0.4, progress = false }
    local tasks = {}
    for i = 1, 20 do tasks[i] = pool:submit(make, i, SIZE) end
    os.execute "sleep 1"
    for _, task in ipairs(tasks) do task:get():close() end
  end)

  it("keeps a named array waiting as any other", function()
    local pool <close> = shmx.pool { workers = WORKERS, progress = false }
    local kept = {}
    for i = 1, BUDGET // SIZE - 1 do kept[i] = pool:submit(make, i, SIZE + (SIZE >> 4)):get() end
    local name = ("shmx-spec-%d-budget"):format(shmx.pid())
    local function make_named(size) return shmx.array("u8", size, { name = name }) end
    local task = pool:submit(make_named, SIZE + (SIZE >> 4))
    os.execute "sleep 0.2"
    assert.is_false(task:done())
    kept[1]:close()
    assert.are.equal(SIZE + (SIZE >> 4), #task:get())
  end)

  it("refuses what could never fit, at once", function()
    local pool <close> = shmx.pool { workers = 1, progress = false }
    local task = pool:submit(make, 1, 2 * BUDGET)
    task:wait()
    assert.are.equal("refused", task.status)
    assert.matches("the memory budget is smaller than that", task.error.message)
  end)
end)
