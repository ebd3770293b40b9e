-- SPDX-License-Identifier: MIT
--
-- a:freeze(): nobody writes the array any more, in whatever process and by whatever function; and who may do that.

local shmx = require "shmx"
local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local await, child, refuses = dofile(here .. "/await.lua"), dofile(here .. "/child.lua"), dofile(here .. "/refuses.lua")

setup(child.open)
teardown(child.close)

local LARGE = 6 << 20 -- bytes: such an array has a chunk of its own

-- Functions that write an f64 array of one dimension, and the name by which an error calls them.
local writers = {
  ["cannot set an element"] = function(a) a[1] = 5 end,
  ["'set'"] = function(a) a:set(-1, 5) end,
  ["'fill'"] = function(a) a:fill(5) end,
  ["'put'"] = function(a) a:put(a:eq(0), 5) end,
  ["'generate'"] = function(a) a:generate(function(i) return i end) end,
  ["'uniform'"] = function(a) a:uniform() end,
  ["'normal'"] = function(a) a:normal() end,
  ["'add'"] = function(a) a:add(1, { out = a }) end,
  ["'copy'"] = function(a) a:copy { out = a } end,
  ["'sort'"] = function(a) a:sort { out = a } end,
  ["'cumsum'"] = function(a) a:cumsum { out = a } end,
  ["'take'"] = function(a) a:take(a:eq(a), { out = a }) end,
  ["'map'"] = function(a) a:map(function(x) return x + 1 end, { out = a }) end,
  ["'sum'"] = function(a) a:reshape(1, -1):sum(1, { out = a }) end,
  ["'concat'"] = function(a) require("shmx").concat({ a }, { out = a }) end,
  ["'matmul'"] = function(a) a:matmul(require("shmx").array("f64", { #a, 0 }), { out = a:view { 1, 0 } }) end,
}

-- In a task or in the script: each writer raises an error that names it, and nothing is written.
local function all_refuse(a)
  local sum = a:sum()
  for name, write in pairs(writers) do
    local ok, message = pcall(write, a)
    message = tostring(message)
    if ok then return name .. " has written" end
    if not message:find(name, 1, true) or not message:find("frozen", 1, true) then return message end
  end
  return a.frozen and a:sum() == sum and "right" or "it has changed"
end

local function inode_of(array) return require("lfs").attributes((array:path()), "ino") end

-- How a process (or this one) has mapped the chunk of that inode, or all chunks: "r--s" or "rw-s".
local function mapped(inode, pid)
  local found = {}
  for line in io.lines(("/proc/%s/maps"):format(pid or "self")) do
    local how, number = line:match "^%S+ (%S+) %x+ %x+:%x+ (%d+) .*memfd:shmx"
    if number and (not inode or tonumber(number) == inode) then found[#found + 1] = how end
  end
  return table.concat(found, " ")
end

local function protection_of(array) return mapped(array and inode_of(array)) end

describe("a frozen array", function()
  for _, size in ipairs { 10, LARGE // 8 } do
    it(("of %d elements refuses every function that writes"):format(size), function()
      local a = shmx.range("f64", 1, size)
      assert.is_false(a.frozen)
      assert.equal(a, a:freeze())
      assert.is_true(a.frozen)
      assert.equal("right", all_refuse(a))
      assert.equal(a, a:freeze())
      assert.equal(size * (size + 1) / 2, a:sum())
      local copy = a:copy()
      copy[1] = 0
      assert.is_false(copy.frozen)
    end)

    it(("of %d elements stays so wherever it goes"):format(size), function()
      local pool <close> = shmx.pool { workers = 2 }
      local function check(a) return all_refuse(a), all_refuse(a:view { 2, 3 }), a end
      local function make(n)
        local a = require("shmx").range("f64", 1, n):freeze()
        return { a = a, view = a:view { 1, 3 } }
      end
      local a = shmx.range("f64", 1, size):freeze()
      for _ = 1, 4 do
        local first, second, back = pool:submit(check, a):get()
        assert.same({ "right", "right", true }, { first, second, back.frozen })
      end
      local made = pool:submit(make, size):get()
      assert.same({ "right", "right" }, { all_refuse(made.a), all_refuse(made.view) })
      assert.equal("right", (pool:submit(check, made.view):get()))
      local passed = pool:submit(check, pool:submit(function(n) return make(n).a end, size)):get()
      assert.equal("right", passed)
      assert.equal("right", (pool:map(check, { a, made.a }))[2])
    end)
  end

  it("freezes with all its views", function()
    local a = shmx.array("i64", { 4, 5 })
    local row, turned = a[2], a:transpose()
    row:freeze()
    assert.same({ true, true, true }, { a.frozen, row.frozen, turned.frozen })
    refuses("frozen", turned.set, turned, 1, 1, 5)
    assert.is_true(a:view(nil, { 2, 3 }).frozen)
  end)

  it("can come from a task that froze what main gave up, and from one that got it back", function()
    local pool <close> = shmx.pool { workers = 1 }
    local function keep(n) kept = require("shmx").full("f64", n, 1) return kept end -- luacheck: ignore
    local function drop() kept = nil return collectgarbage() end -- luacheck: ignore
    for _, size in ipairs { 10, LARGE // 8 } do
      local a = pool:submit(keep, size):get()
      refuses("cannot freeze the array: it is also held by worker 1", a.freeze, a)
      a[1] = 2
      pool:submit(drop):get()
      assert.is_true(a:freeze().frozen)
      assert.same({ "right", size + 1.0 }, { pool:submit(all_refuse, a):get(), a:sum() })
    end
  end)

  it("can be frozen as soon as the task that made it has ended", function()
    local pool <close> = shmx.pool { workers = 2 }
    local function make(n) return require("shmx").full("i64", n, n) end
    for i = 1, 20 do
      local a = pool:submit(make, i % 5 == 0 and LARGE // 8 or i):get()
      assert.is_true(a:freeze().frozen)
    end
    local function name(text) return require("shmx").array("i64", 10, { name = text }) end
    for i = 1, 20 do
      local a <close> = pool:submit(name, ("shmx-spec-frozen-%d-%d"):format(shmx.pid(), i)):get()
      assert.is_true(a:freeze().frozen)
    end
  end)

  it("outlives the one that made it, and the pool", function()
    local pool = shmx.pool { workers = 1 }
    local a = pool:submit(function(n) return require("shmx").range("f64", 1, n):freeze() end, LARGE // 8):get()
    pool.workers[1]:kill()
    assert.equal("right", pool:submit(all_refuse, a):get())
    pool:close()
    assert.equal("right", all_refuse(a))
  end)
end)

describe("freezing", function()
  it("is for who holds the array alone", function()
    local pool <close> = shmx.pool { workers = 1 }
    local function wait_until_told(a, flag)
      while flag[1] == 0 do require("shmx").clock() end
      return #a
    end
    local a, flag = shmx.array("f64", 10), shmx.array("u8", 1)
    local task = pool:submit(wait_until_told, a, flag)
    await(function() return task.status == "running" end)
    refuses("cannot freeze the array: it is also held by", a.freeze, a)
    assert.is_false(a.frozen)
    a[1] = 1
    flag[1] = 1
    assert.equal(10, task:get())
    assert.is_true(a:freeze().frozen)
    assert.matches("cannot freeze the array: it is also held by main, a task", pool:submit(function(b)
      return select(2, pcall(b.freeze, b))
    end, shmx.array("f64", 3)):get())
    assert.matches("cannot freeze the array: it is also held by main, a task", pool:submit(function(b)
      return select(2, pcall(b.freeze, b))
    end, shmx.array("u8", LARGE)):get())
  end)

  it("takes in that the worker of a task that was cancelled has let go", function()
    local pool <close> = shmx.pool { workers = 1 }
    local function run(a) while not require("shmx").cancelled() do end return #a end
    local a = shmx.array("f64", 10)
    local task = pool:submit(run, a)
    await(function() return task.status == "running" end)
    assert.is_true(task:cancel())
    await(function() return (pcall(a.freeze, a)) end)
    assert.is_true(a.frozen)
  end)

  it("is refused to closed arrays, and takes no arguments", function()
    local a = shmx.array("f64", 10)
    refuses("bad argument #2 to 'freeze' (", a.freeze, a, 1)
    a:close()
    refuses("closed", a.freeze, a)
  end)

  it("waits for what is being written by a function of the script", function()
    local a = shmx.array("f64", LARGE // 8)
    refuses("frozen", a.generate, a, function(i)
      if i == 5 then a:freeze() end
      return i
    end)
    assert.same({ 4, 0 }, { a[4], a[5] })
    local out = shmx.array("f64", 5)
    refuses("bad out to 'map' (the array is frozen", a.map, a:view { 1, 5 }, function(x)
      out:freeze()
      return x
    end, { out = out })
    assert.equal(0, out:sum())
  end)

  it("does nothing more to a mapped file", function()
    shmx.range("i64", 1, 4):save(child.path "a.npy")
    local a = shmx.load(child.path "a.npy", { mmap = true })
    assert.equal(a, a:freeze())
    assert.equal(10, a:sum())
  end)

  it("keeps pool:fill away", function()
    local pool <close> = shmx.pool { workers = 1 }
    refuses("bad argument #1 to 'fill' (the array is frozen", pool.fill, pool, shmx.array("i64", 10):freeze(), print)
    local a = shmx.array("i64", 10)
    pool:fill(a, function(slice, first) slice:fill(first) end)
    assert.is_true(a:freeze().frozen)
  end)

  it("is the same without workers", function()
    local pool <close> = shmx.pool { workers = 0 }
    local a = shmx.array("f64", 10)
    assert.matches("cannot freeze the array: it is also held by main, a task",
      pool:submit(function(b) return select(2, pcall(b.freeze, b)) end, a):get())
    assert.equal("right", pool:submit(all_refuse, a:freeze()):get())
    assert.is_true(pool:submit(function() return require("shmx").array("u8", 3):freeze() end):get().frozen)
  end)

  it("concerns all who attach a named array from then on", function()
    local name = "shmx-spec-frozen-" .. shmx.pid()
    local pool <close> = shmx.pool { workers = 1 }
    local function attach() return require("shmx").attach(name, "f64", 10) end
    local function make() return require("shmx").array("f64", 10, { name = name }) end
    for _, shared in ipairs { false, true } do
      for _, by_worker in ipairs { false, true } do
        local a <close> = by_worker and pool:submit(make):get() or make()
        if shared then pool:submit(function(b) return #b end, a):get() end
        a:freeze()
        assert.equal("right", all_refuse(a))
        assert.equal("right", pool:submit(all_refuse, a):get())
        local other <close> = attach()
        local theirs <close> = pool:submit(attach):get()
        for _, b in ipairs { other, theirs } do
          assert.is_true(b.frozen)
          assert.equal("right", all_refuse(b))
          assert.equal("right", pool:submit(all_refuse, b):get())
        end
        a:close()
        collectgarbage() -- views of it
        await(function() return not require("lfs").attributes("/dev/shm/" .. name) end)
      end
    end
  end)

  it("is refused as long as somebody who has attached the memory could write it", function()
    local name = "shmx-spec-frozen-" .. shmx.pid()
    local pool <close> = shmx.pool { workers = 1 }
    local function keep(n) kept = require("shmx").attach(n, "f64", 10) end -- luacheck: ignore
    local function drop() kept = kept:close() end -- luacheck: ignore
    local message = "another array has the same memory (shmx.attach)"
    local a <close> = shmx.array("f64", 10, { name = name })
    local other = shmx.attach(name, "f64", 10)
    refuses(message, a.freeze, a)
    refuses(message, other.freeze, other)
    a[1], other[2] = 5, 6
    assert.same({ 6, 5 }, { a[2], other[1] })
    assert.equal(11, pool:submit(function(b) return b:sum() end, other):get())
    other:close()
    pool:submit(keep, name):get()
    refuses(message, a.freeze, a)
    pool:submit(drop):get()
    assert.is_true(a:freeze().frozen)
  end)

  it("is an error while the supervisor is dead that would have to be asked", function()
    local done = child.run [[
      local shmx = require "shmx"
      local pool = shmx.pool { workers = 1 }
      local function keep(n) kept = require("shmx").full("f64", n, 1) return kept end
      local small, large = pool:submit(keep, 10):get(), pool:submit(keep, 1000000):get()
      local private = shmx.array("f64", 1000000)
      local stat = io.open("/proc/" .. pool.workers[1].pid .. "/stat"):read("a")
      os.execute("kill -9 " .. stat:match("^%d+ %b() %a (%d+)") .. "; sleep 0.1")
      print(pcall(small.freeze, small))
      pcall(pool.close, pool)
      shmx.pool { workers = 1 }:close()
      print(small:freeze().frozen, large:freeze().frozen, private:freeze().frozen)
      print(pcall(large.fill, large, 1))
    ]]
    assert.equal("", done.err)
    assert.matches("^false\t[^\n]*cannot freeze the array: the supervisor process has died\n", done.out)
    assert.matches("\ntrue\ttrue\ttrue\nfalse\t[^\n]*bad array for 'fill' %(it is frozen[^\n]*\n$", done.out)
  end)
end)

describe("a large frozen array", function()
  local python = child.has_numpy()

  local function open_for_writing(path)
    return child.run_numpy(([[
print(np.memmap(%q, dtype="u1", mode="r").sum())
np.memmap(%q, dtype="u1", mode="r+")[0] = 5]]):format(path, path))
  end

  it("is mapped to be read only, in every process, whoever made and whoever froze it", function()
    local pool <close> = shmx.pool { workers = 1 }
    local function make() return require("shmx").array("u8", LARGE) end
    local a = shmx.array("u8", LARGE)
    assert.same({ "rw-s", "rw-s" }, { protection_of(a), pool:submit(protection_of, a):get() })
    a:freeze()
    assert.same({ "r--s", "r--s" }, { protection_of(a), pool:submit(protection_of, a):get() })
    local b = pool:submit(make):get():freeze()
    assert.same({ "r--s", "r--s" }, { protection_of(b), pool:submit(protection_of, b):get() })
    local c = pool:submit(function() return make():freeze() end):get()
    assert.same({ "r--s", "r--s" }, { protection_of(c), pool:submit(protection_of, c):get() })
  end)

  it("is gone soon when nobody holds it, though the script has other things to do", function()
    local pool <close> = shmx.pool { workers = 2 }
    local a = pool:submit(function(n) return require("shmx").full("u8", n, 1) end, LARGE):get():freeze()
    for _ = 1, 8 do assert.equal(LARGE, pool:submit(function(b) return b:sum() end, a):get()) end
    local inode, pids = inode_of(a), { "self", pool.workers[1].pid, pool.workers[2].pid }
    local function everywhere() return mapped(inode, pids[1]) .. mapped(inode, pids[2]) .. mapped(inode, pids[3]) end
    assert.matches("r%-%-s", everywhere())
    a:close()
    for _ = 1, 100 do
      if everywhere() == "" then break end
      os.execute "sleep 0.02"
    end
    assert.equal("", everywhere())
  end)

  it("gives memory back that nobody gets in its stead", function()
    local pool <close> = shmx.pool { workers = 1 }
    local function take(a) return #a end
    local function make(n, freeze)
      local a = require("shmx").empty("u8", n)
      a:fill(1)
      return freeze and a:freeze() or a
    end
    local warm = shmx.empty("u8", LARGE)
    pool:submit(take, warm):get() -- the supervisor knows its chunk, and the worker has it mapped
    warm:close()
    for i = 1, 12 do
      local a = i % 2 == 0 and shmx.full("u8", LARGE, 1) or pool:submit(make, LARGE, i % 3 == 0):get()
      a:freeze()
      assert.equal(LARGE, pool:submit(take, a):get())
      assert.equal(LARGE, a:sum())
      a:close()
      local other = pool:submit(make, LARGE):get()
      other:fill(2)
      assert.equal(2 * LARGE, pool:submit(function(b) b[1] = b[1] return b:sum() end, other):get())
      other:close()
    end
    collectgarbage()
    await(function()
      local protection = protection_of()
      if not protection:find "r%-%-s" then return true end
      pool:submit(take, shmx.array("u8", 1)):get()
      return false, protection
    end, 5)
    assert.is_nil(pool:submit(protection_of):get():find "r%-%-s")
  end)

  it("is sealed: nobody can map it for writing any more", function()
    if not python then return pending "python3-numpy is not installed" end
    local pool <close> = shmx.pool { workers = 1 }
    local alone = shmx.full("u8", LARGE, 1)
    local shared = pool:submit(function(n) return require("shmx").full("u8", n, 1) end, LARGE):get()
    for _, a in ipairs { alone, shared } do
      local path = a:freeze():path()
      assert.matches("^" .. LARGE .. "\n.*PermissionError", open_for_writing(path))
      assert.equal(LARGE, a:sum())
    end
  end)
end)
