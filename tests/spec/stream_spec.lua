-- SPDX-License-Identifier: MIT
--
-- Streams: pool:imap and imap_unordered over iterators, pool:with, and waiting for lists of tasks.

local shmx = require "shmx"
local core = require "shmx.core"
local await = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/await.lua")

local pool
setup(function() pool = shmx.pool { workers = 2, progress = false } end)
teardown(function() pool:close() end)

local function square(x) return x * x end
local function pause(seconds) os.execute("sleep " .. seconds) end

-- 1, 2, 3, ... without an end; `source.pulled` is how far it got, `source.closed` with what it was closed.
local function naturals()
  local source = { pulled = 0 }
  local function next_number()
    source.pulled = source.pulled + 1
    return source.pulled
  end
  local closing = setmetatable({}, { __close = function(_, err) source.closed = err or true end })
  return source, next_number, nil, nil, closing
end

local failure = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/failure.lua")

local function raised(f, ...) return tostring(failure(f, ...)) end

describe("imap", function()
  it("yields the results in order, all of them, for what iterators of every kind give", function()
    local seen = {}
    for a, b in pool:imap(function(i, v) return v .. i, i end, ipairs { "a", "b", "c" }) do
      seen[#seen + 1] = a .. b
    end
    assert.are.same({ "a11", "b22", "c33" }, seen)
    seen = {}
    for text in pool:imap(string.upper, ("one two"):gmatch "%a+") do seen[#seen + 1] = text end
    assert.are.same({ "ONE", "TWO" }, seen)
    for array in pool:imap(function(n) return shmx.range("i64", 1, n) end, { 10, 20 }) do seen[#seen + 1] = #array end
    assert.are.same({ "ONE", "TWO", 10, 20 }, seen)
    for _ in pool:imap(square, {}) do error "there is nothing" end
  end)

  it("goes on without an end, with a bounded number under way", function()
    local source, next_number, state, control, closing = naturals()
    local yielded = 0
    for result in pool:with { ahead = 5 }:imap(square, next_number, state, control, closing) do
      yielded = yielded + 1
      assert.are.equal(yielded * yielded, result)
      assert.is_true(source.pulled <= yielded - 1 + 5)
      if yielded == 1000 then break end
    end
    assert.is_true(source.closed)
  end)

  it("takes back what is queued when the loop is left", function()
    local own <close> = shmx.pool { workers = 1, progress = false }
    local source, next_number = naturals()
    local gate, ran = shmx.array("bool", 1), shmx.array("i64", 8)
    local function work(x)
      ran[x] = 1
      while x > 1 and not gate[1] do pause(0.01) end
      return x
    end
    for result in own:with { ahead = 8 }:imap(work, next_number) do
      if result == 1 then break end
    end
    assert.are.equal(8, source.pulled)
    gate[1] = true
    own:close()
    assert.is_true(ran:sum() <= 2, "what was queued has run")
  end)

  it("closes its source, and is over, when the loop body raises an error", function()
    local source, next_number, state, control, closing = naturals()
    local message = raised(function()
      for _ in pool:imap(square, next_number, state, control, closing) do error("enough", 0) end
    end)
    assert.are.equal("enough", message)
    assert.are.equal("enough", source.closed)
  end)

  it("raises a failure in its turn, at the line of the loop", function()
    local seen = {}
    local function fussy(x)
      if x == 4 then error("no fours", 0) end
      return x
    end
    local message = raised(function()
      for x in pool:imap(fussy, { 1, 2, 3, 4, 5, 6 }) do seen[#seen + 1] = x end
    end)
    assert.are.same({ 1, 2, 3 }, seen)
    assert.matches("^[^\n]*stream_spec.lua:%d+: element 4: task fussy failed in worker %d: no fours\n", message)
  end)

  it("refuses nil as a first result, which would end the loop", function()
    local message = raised(function()
      for _ in pool:imap(function() return nil, 1 end, { 1 }) do error "not this" end
    end)
    assert.matches("^[^\n]*stream_spec.lua:%d+: the first result of .* is nil, which would end the loop", message)
  end)

  it("passes on the error of its source", function()
    local function broken() error("no source", 0) end
    assert.are.equal("no source", raised(function() for _ in pool:imap(square, broken) do print() end end))
  end)

  it("leaves no task, no array and no worker behind when it is stopped", function()
    local own, count = shmx.pool { workers = 2, progress = false }, 0
    local segments = core.ledger()
    local _, next_number = naturals()
    for array in own:imap(function(n) return shmx.full("i64", 1000, n) end, next_number) do
      count = count + 1
      assert.are.equal(1000 * count, array:sum())
      array:close()
      if count == 10 then break end
    end
    local pids = {}
    for i, worker in ipairs(own.workers) do pids[i] = worker.pid end
    own:close()
    for _, pid in ipairs(pids) do assert.is_nil(io.open("/proc/" .. pid .. "/status")) end
    for _ = 1, 50 do
      collectgarbage()
      if core.ledger() <= segments then break end
      pause(0.02)
    end
    assert.is_true(core.ledger() <= segments)
  end)

  it("says what is wrong with its arguments", function()
    assert.matches("bad argument #1 to 'imap' %(function expected, got nil%)", raised(pool.imap, pool))
    assert.matches("bad argument #3 to 'imap' %(nothing is expected after the list, got table;",
      raised(pool.imap, pool, square, { 1 }, { chunk = 2 }))
    assert.matches("bad argument #2 to 'imap' %(an iterator or a list expected, got number%)",
      raised(pool.imap, pool, square, 5))
    assert.matches("without a pool", raised(pool.imap, square))
  end)
end)

describe("imap_unordered", function()
  it("yields results as they come", function()
    local function work(x)
      if x == 1 then os.execute "sleep 0.3" end
      return x
    end
    local seen, sum = {}, 0
    for x in pool:imap_unordered(work, { 1, 2, 3, 4, 5, 6 }) do
      seen[#seen + 1] = x
      sum = sum + x
    end
    assert.are.equal(21, sum)
    assert.are.equal(1, seen[#seen])
  end)

  it("says of which element a failure is, whenever that comes", function()
    local gate = shmx.array("bool", 1)
    local function fussy(i, x)
      while x == 1 and not gate[1] do os.execute "sleep 0.01" end
      if x == 1 or x == 4 then error("no " .. x, 0) end
      return i
    end
    local count = 0
    local message = raised(function()
      for _ in pool:imap_unordered(fussy, ipairs { 5, 1, 5, 5, 5, 4 }) do count = count + 1 end
    end)
    gate[1] = true
    assert.is_true(count <= 4)
    assert.matches("^[^\n]*stream_spec.lua:%d+: element 6: task fussy failed in worker %d: no 4\n", message)
    local slowly = pool:with { ahead = 1 }
    message = raised(function() for _ in slowly:imap_unordered(fussy, ipairs { 5, 1, 5, 4 }) do count = 0 end end)
    assert.matches(": element 2: task fussy failed in worker %d: no 1\n", message)
  end)
end)

describe("a chunk", function()
  it("has errors that cannot be sent as text, and refusals as such", function()
    local function try(f)
      local seen = {}
      local ok, err = pcall(function()
        for x in pool:with { chunk = 5 }:imap(f, { 1, 2, 3, 4 }) do seen[#seen + 1] = x end
      end)
      assert.is_false(ok)
      assert.are.same({ 1, 2 }, seen)
      return err
    end
    local err = try(function(x)
      if x == 3 then error(setmetatable({}, { __tostring = function() return "said so" end })) end
      return x
    end)
    assert.are.same({ "said so", "element 3", "failed" }, { err.message, err.place, err.status })
    err = try(function(x) return x == 3 and shmx.array("u8", 1 << 50) or x end)
    assert.are.same({ "element 3", "refused" }, { err.place, err.status })
  end)

  it("is several elements in one task, each with its own results", function()
    local own <close> = shmx.pool { workers = 1, progress = false }
    local seen = {}
    for x, y in own:with { chunk = 10 }:imap(function(i, v) return v, nil, i end, ipairs { "a", "b", "c" }) do
      seen[#seen + 1] = x .. tostring(y)
    end
    assert.are.same({ "anil", "bnil", "cnil" }, seen)
    local count = 0
    for _ in own:with { chunk = 100 }:imap(square, (select(2, naturals()))) do
      count = count + 1
      if count == 250 then break end
    end
    own:close()
  end)

  it("gives the elements before a failure, and the worker's traceback", function()
    local function fussy(x)
      if x == 3 then error "no threes" end
      return x
    end
    local seen = {}
    local message = raised(function()
      for x in pool:with { chunk = 5 }:imap(fussy, { 1, 2, 3, 4 }) do seen[#seen + 1] = x end
    end)
    assert.are.same({ 1, 2 }, seen)
    assert.matches(": element 3: task fussy failed in worker %d: [^\n]*no threes\nstack traceback of the worker:",
      message)
  end)

  it("that is lost with its worker is named by its elements", function()
    local function deadly(x)
      if x == 6 then os.exit(3) end
      return x
    end
    for count, text in pairs { [7] = "elements 5 to 7", [9] = "elements 5 to 8" } do
      local list = table.move({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 1, count, 1, {})
      local seen = 0
      local chunks = pool:with { chunk = 4 }
      local message = raised(function() for x in chunks:imap(deadly, list) do seen = x end end)
      assert.are.equal(4, seen)
      assert.matches(": " .. text .. ": task deadly crashed in worker %d: ", message)
    end
  end)

  it("can be chosen for map", function()
    local list, expected = {}, { n = 100 }
    for i = 1, 100 do list[i], expected[i] = i, i * i end
    assert.are.same(expected, pool:with { chunk = 7 }:map(square, list))
    assert.are.same(expected, pool:with { chunk = 1000 }:map(square, list))
  end)
end)

describe("pool:with", function()
  it("returns a pool with options, which leaves the pool as it is", function()
    local named = pool:with { name = "a name" }
    assert.are.equal("a name", named:submit(square, 2).name)
    assert.are.equal("a name", named:submit(square, 3).name)
    assert.are.equal("square", pool:submit(square, 3).name)
    assert.are.equal("square", pool:submit(square, 3).name)
    assert.are.equal("a name", named:with { ahead = 3 }:submit(square, 3).name)
    assert.are.equal(9, named:execute(shmx.task(square, 3))[1].result)
    await(function() return #named.workers == 2 end) -- others may have killed one
    assert.matches("with options$", tostring(named))
  end)

  it("can close the pool", function()
    local own = shmx.pool { workers = 1, progress = false }
    own:with { name = "x" }:close()
    assert.are.equal("shmx.pool (closed)", tostring(own))
  end)

  it("says what is wrong with its options", function()
    assert.matches("bad option 'ahead' to 'with' %(a whole number from 1 to", raised(pool.with, pool, { ahead = 0 }))
    assert.matches("bad option 'name' to 'with' %(string expected, got number%)", raised(pool.with, pool, { name = 1 }))
    assert.matches("there is no option \"speed\"", raised(pool.with, pool, { speed = 1 }))
  end)
end)

describe("waiting for a list", function()
  it("ends when all have ended, or with the time", function()
    local tasks = { pool:submit(square, 1), pool:submit(pause, 0.3), pool:submit(square, 2) }
    assert.is_false(shmx.wait(tasks, 0.05))
    assert.is_true(shmx.wait(tasks))
    assert.is_true(shmx.wait({}, 0))
    for _, task in ipairs(tasks) do assert.are.equal("done", task.status) end
  end)

  it("for the first returns it and its place, of whatever pool it is", function()
    local other <close> = shmx.pool { workers = 1, progress = false }
    local slow, quick = pool:submit(pause, 0.4), other:submit(pause, 0.1)
    local task, place = shmx.first { slow, quick }
    assert.are.equal(quick, task)
    assert.are.equal(2, place)
    assert.is_nil(shmx.first({ slow }, 0.01))
    assert.are.equal(slow, (shmx.first { slow }))
    assert.is_nil(shmx.first {})
  end)

  it("refuses what is no submitted task", function()
    assert.matches("bad argument #1 to 'wait' %(a list of tasks expected, got number%)", raised(shmx.wait, 5))
    assert.matches("element 1 is not a task but a number", raised(shmx.first, { 5 }))
    assert.matches("element 1 has not been submitted to a pool", raised(shmx.first, { shmx.task(square, 1) }))
  end)

  it("gets an error of time, and the task goes on", function()
    local task = pool:submit(function() os.execute "sleep 0.3" return "late" end)
    assert.matches("^[^\n]*stream_spec.lua:%d+: timeout: task .* has not ended after 0.05 seconds$",
      raised(function() task:get(0.05) end))
    assert.are.equal("late", task:get())
  end)
end)
