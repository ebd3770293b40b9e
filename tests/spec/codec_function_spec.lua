-- SPDX-License-Identifier: MIT
--
-- Functions as they travel to workers, and what a packet keeps of them. Run by the C test `codec` (see codec_spec.lua).

if not package.loaded.loopback then return end
local failure = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/failure.lua")
local loopback = require "loopback"
local shmx = require "shmx"

describe("functions", function()
  local worker
  before_each(function() worker = loopback.worker() end)
  after_each(function() worker:close() end)

  it("run in a worker with the values of their upvalues", function()
    local a, b, t = 1, "two", { 3 }
    assert.same({ 1, "two", { 3 }, "arg" }, { worker:run(function(x) return a, b, t, x end, "arg") })
  end)

  it("get fresh upvalues each time", function()
    local count = 0
    local function work()
      count = count + 1
      return count
    end
    assert.equal(1, worker:run(work))
    assert.equal(1, worker:run(work))
    assert.equal(0, count)
    count = 10
    assert.equal(11, worker:run(work))
  end)

  it("share upvalues within a message", function()
    local n = 0
    local function set(v) n = v end
    local function get() return n end
    local function work(v)
      set(v)
      return get(), n
    end
    assert.same({ 5, 5 }, { worker:run(work, 5) })
    assert.same({ 6 }, { worker:run(function(s, g)
      s(6)
      return g()
    end, set, get) })
  end)

  it("may call themselves and each other", function()
    local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
    assert.equal(120, worker:run(factorial, 5))
    local even, odd
    function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    assert.is_true(worker:run(even, 10))
    assert.is_false(worker:run(odd, 10))
  end)

  it("keep their identity within a message", function()
    local function f() end
    local t = { f = f }
    assert.same({ true, true }, { worker:run(function(x, y, z) return x == y.f, x == z[1] end, f, t, { f }) })
  end)

  it("have the worker's globals", function()
    worker:eval "colour = 'red'"
    _G.colour = "blue"
    assert.equal("red", worker:run(function() return colour end)) -- luacheck: ignore
    worker:run(function() stays = 1 end) -- luacheck: ignore
    assert.equal(1, worker:run(function() return stays end)) -- luacheck: ignore
    _G.colour = nil
  end)

  it("have the worker's globals even if a task has replaced its _ENV", function()
    local function spoil() _ENV = {} end -- luacheck: ignore
    local function look() return type(print) end
    local function both(f) return f(), spoil() end
    worker:run(spoil)
    worker:run(both, look)
    worker:run(spoil)
    assert.equal("function", worker:run(look))
  end)

  it("without debug information are understood too", function()
    local n = 41
    local stripped = load(string.dump(function() return type(print) end, true))
    assert.equal("function", worker:run(stripped))
    local function inner() return n end
    local two = load(string.dump(function() return type(print), inner() + 1 end, true))
    debug.setupvalue(two, 1, _G)
    debug.setupvalue(two, 2, inner)
    local first, second = debug.getupvalue(two, 1)
    assert.equal("(no name)", first)
    assert.equal(_G, second)
    assert.same({ "function", 42 }, { worker:run(two) })
  end)

  it("whose _ENV is something else are refused", function()
    local f = load("return x", "f", "t", { x = 1 })
    assert.equal("function, upvalue \"_ENV\": an environment other than the globals cannot be sent to a worker",
      failure(worker.run, worker, f))
  end)

  it("whose first upvalue is not _ENV do not get the globals for it", function()
    local nothing -- luacheck: ignore
    local function f() return nothing, type(print) end
    assert.same({ nil, "function" }, { worker:run(f) })
    assert.is_nil((worker:run(function() return nothing end)))
  end)

  it("use modules and C functions as upvalues", function()
    local str, rep, arr = string, string.rep, shmx
    assert.same({ "aaa", true, 3 }, { worker:run(function()
      return rep("a", 3), str == string, #arr.array("u8", 3)
    end) })
  end)

  it("take arrays along as upvalues, and return them", function()
    local a = shmx.array("i64", 3)
    local got = worker:run(function()
      a[2] = 22
      return a
    end)
    assert.equal(22, a[2])
    assert.equal(22, got[2])
  end)

  it("do not come back from workers", function()
    assert.equal("result 1, field \"f\": functions travel from main to workers only",
      failure(worker.run, worker, function() return { f = function() end } end))
    assert.equal("message does not decode: it carries a function", failure(loopback.decode, (loopback.encode(failure))))
  end)

  it("are dumped once per closure", function()
    local _, _, before = loopback.stats()
    local function work(x) return x end
    for i = 1, 10 do assert.equal(i, worker:run(work, i)) end
    local _, _, after = loopback.stats()
    assert.equal(before + 1, after)
  end)

  it("travel as one prototype, however many closures it has", function()
    local entries = loopback.stats()
    local list = {}
    for i = 1, 100 do list[i] = function() return i end end
    local _, _, codes = loopback.encode(table.unpack(list))
    assert.equal(1, codes)
    assert.equal(entries + 1, (loopback.stats()))
    assert.equal(5050, worker:run(function(...)
      local sum = 0
      for _, f in ipairs { ... } do sum = sum + f() end
      return sum
    end, table.unpack(list)))
  end)

  it("have bounded caches on both sides", function()
    local first = load("return 'first'")
    for i = 1, 1200 do
      assert.equal(i, worker:run(load("return " .. i)))
      if i % 100 == 0 then assert.equal("first", worker:run(first)) end
    end
    local entries = loopback.stats()
    assert.is_true(entries <= 512)
    assert.equal("first", worker:run(first))
  end)

  it("with a damaged prototype are refused", function()
    for i = 1, 200 do
      local f = load("return 'damaged', " .. i)
      local body = loopback.encode(f)
      assert.equal("message does not decode: the bytecode of a function is damaged",
        failure(loopback.decode, body, f, nil, i))
      assert.is_function((loopback.decode(body, f)))
    end
  end)

  it("may have 255 upvalues", function()
    local source = { "local t = {}\n" }
    for i = 1, 3 do
      source[#source + 1] = "do local function f() return 0"
      for j = 1, 80 do source[#source + 1] = (" + t%d_%d"):format(i, j) end
      source[#source + 1] = " end t[#t + 1] = f end\n"
    end
    -- 240 locals do not fit into one function, so they are spread over three.
    local text = {}
    for i = 1, 3 do
      text[#text + 1] = "local function f" .. i .. "(up)\n"
      for j = 1, 80 do text[#text + 1] = ("local v%d_%d = %d\n"):format(i, j, j) end
    end
    text[#text + 1] = "return function() return 0"
    for i = 1, 3 do
      for j = 1, 80 do text[#text + 1] = (" + v%d_%d"):format(i, j) end
    end
    text[#text + 1] = " end\nend return f3() end return f2() end return f1()"
    local f = assert(load(table.concat(text)))()
    assert.equal(3 * 3240, f())
    assert.equal(3 * 3240, worker:run(f))
  end)
end)

describe("a packet's cargo", function()
  it("keeps segments and codes until it is dropped", function()
    local a = shmx.array("u8", 8)
    assert.same({ 2, 0, 2, 0, 1, 0 }, { loopback.cargo(a, { a }) })
    local function f() end
    local before = { loopback.cargo(f) }
    assert.same({ 1, 2, 1, 2, 1, 1 }, before)
    assert.same({ 2, 2, 2, 2, 1, 1 }, { loopback.cargo(a, shmx.array("u8", 8), shmx.array("u8", 8), f) })
  end)
end)
