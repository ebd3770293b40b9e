-- SPDX-License-Identifier: MIT
--
-- What crosses between processes, and what does not. Run by the C test `codec`, which has both sides of the codec in
-- one process (tests/c/loopback.c); shmx-lua itself has no loopback, and there this file has nothing to say.

if not package.loaded.loopback then return end
local failure = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/failure.lua")
local loopback = require "loopback"
local shmx = require "shmx"

local arguments, results = loopback.arguments, loopback.results

-- A table nested `depth` deep.
local function nested(depth)
  local t = {}
  for _ = 2, depth do t = { t } end
  return t
end

describe("scalars", function()
  it("arrive exactly", function()
    local values = {
      0, 1, -1, 127, 128, 255, 256, 65535, 65536, 2 ^ 31 | 0, 2 ^ 32 | 0, -32, -33, -128, -129, -32768, -32769,
      -2147483648, -2147483649, -4294967296, -4294967297, -8589934593, math.maxinteger, math.mininteger,
      math.mininteger + 1, 0.0, 1.5, 0.1, 5e-324, 1e308, 1 / 0, -1 / 0, 2.0 ^ 53, true, false, "", "a", "\0\255",
      ("x"):rep(31), ("x"):rep(32), ("x"):rep(255), ("x"):rep(65536),
    }
    for i, value in ipairs(values) do
      local got = arguments(value)
      assert.equal(math.type(value), math.type(got), "value " .. i)
      assert.is_true(rawequal(value, got), "value " .. i .. ": " .. tostring(value))
    end
  end)

  it("keep the sign of zero, and NaN", function()
    assert.equal(-1 / 0, 1 / arguments(-0.0))
    local nan = arguments(0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("survive random integers and floats", function()
    for _ = 1, 20000 do
      local n = math.random(0) >> math.random(0, 63)
      if math.random(2) == 1 then n = -n end
      local x = string.unpack("d", string.pack("j", math.random(0)))
      local n1, x1 = results(n, x)
      assert.is_true(rawequal(n, n1))
      assert.equal(string.pack("d", x), string.pack("d", x1))
    end
  end)

  it("keep their number, nils included", function()
    assert.equal(0, select("#", arguments()))
    assert.equal(4, select("#", arguments(nil, 1, nil, nil)))
    assert.equal(300, select("#", arguments(table.unpack({}, 1, 300))))
  end)

  it("may be long strings", function()
    local s = ("0123456789abcdef"):rep(2 ^ 20)
    assert.is_true(s == arguments(s))
  end)
end)

describe("tables", function()
  it("arrive with all kinds of keys", function()
    local t = { 1, 2, "x", { y = 1 }, [0] = 0, [-1] = "m", [1.5] = "f", [true] = false, name = { {} } }
    assert.same(t, (arguments(t)))
    assert.same(t, (results(t)))
  end)

  it("are sequences or maps, with or without holes", function()
    local tables = { {}, { 1 }, { 1, 2, 3 }, { 1, nil, 3 }, { [2] = 1 }, { 1, 2, [4] = 4 }, { n = 0 }, { 1, n = 1 } }
    for _, t in ipairs(tables) do
      assert.same(t, (arguments(t)))
    end
    assert.equal("\0\1\x93\1\2\3", (loopback.encode { 1, 2, 3 }))
    assert.equal("\0\1\x81\xa1a\1", (loopback.encode { a = 1 }))
    local backwards = {}
    for i = 20, 1, -1 do backwards[i] = i end
    assert.same(backwards, (arguments(backwards)))
  end)

  it("that are shared or cyclic keep their identity", function()
    local shared = { "shared" }
    local t = { shared, shared, deep = { shared } }
    t.self = t
    local got, again = arguments(t, shared)
    assert.equal(got, got.self)
    assert.equal(got[1], got[2])
    assert.equal(got[1], got.deep[1])
    assert.equal(got[1], again)
    assert.not_equal(shared, again)
  end)

  it("can be keys", function()
    local key = {}
    local got, got_key = arguments({ [key] = "value" }, key)
    assert.equal("value", got[got_key])
  end)

  it("are read raw", function()
    local name = "loopback_raw"
    local function never() error("a metamethod ran") end
    package.loaded[name] = { __index = never, __pairs = never, __len = never, __eq = never }
    local got = results(setmetatable({ 1, 2, a = 3 }, package.loaded[name]))
    package.loaded[name] = nil
    assert.same({ 1, 2, a = 3 }, setmetatable(got, nil))
  end)

  it("may be large", function()
    local t = {}
    for i = 1, 100000 do t[i] = { i } end
    local got = results(t)
    assert.equal(100000, #got)
    assert.equal(99999, got[99999][1])
  end)

  it("may nest some thousand levels deep, and not more", function()
    local got, depth = arguments(nested(4000)), 0
    while got do got, depth = got[1], depth + 1 end
    assert.equal(4000, depth)
    local message = failure(arguments, nested(4001))
    assert.matches("^argument 1, field \"%[1%]%[1%].* %.%.%. .*%[1%]\": values nest more than 4000 levels", message)
    assert.is_true(#message < 300)
    assert.matches("4000 levels", failure(results, nested(1000000)))
  end)

  it("may nest as deep in a coroutine", function()
    local got = coroutine.wrap(function() return arguments(nested(4000)) end)()
    assert.is_table(got)
  end)
end)

describe("tables with a metatable", function()
  local class = { __name = "point" }
  class.__index = class
  local module = { class = class, new = function(x) return setmetatable({ x = x }, class) end }
  module.__index = module

  before_each(function() package.loaded.loopback_points = module end)
  after_each(function() package.loaded.loopback_points = nil end)

  it("travel when a module has it", function()
    local direct = setmetatable({ 1, 2 }, module)
    local field = setmetatable({ x = 1, twice = { direct, direct } }, class)
    field.self = field
    for _, send in ipairs { arguments, results } do
      local got = send(field)
      assert.equal(class, getmetatable(got))
      assert.equal(got, got.self)
      assert.equal(module, getmetatable(got.twice[1]))
      assert.equal(got.twice[1], got.twice[2])
      assert.equal(2, #got.twice[2])
    end
  end)

  it("are refused otherwise", function()
    local message = failure(arguments, 1, { a = { setmetatable({}, {}) } })
    assert.equal("argument 2, field \"a[1]\": table with a metatable that is in no loaded module and has no "
      .. "__shmx_pack cannot be sent to a worker", message)
    assert.matches("^result 1: table 'thing' with a metatable .* from a worker$",
      failure(results, setmetatable({}, { __name = "thing" })))
  end)

  it("can say how to make them again", function()
    local meta = { __shmx_pack = function(p) return module.new, p.x end }
    local object = setmetatable({ x = { 7 } }, meta)
    for _, send in ipairs { arguments, results } do
      local got, other = send({ object, object }, object)
      assert.equal(7, got[1].x[1])
      assert.equal(class, getmetatable(got[1]))
      assert.equal(got[1], got[2])
      assert.equal(got[1], other)
    end
  end)

  it("can be made again by any Lua function in a worker", function()
    local function make(...) return { ... } end
    local object = setmetatable({}, { __shmx_pack = function() return make, 1, { 2 } end })
    assert.same({ 1, { 2 } }, (arguments(object)))
    assert.matches("result 1: in a result, __shmx_pack must return a function that is a", failure(results, object))
  end)

  it("cannot make main call what could end it", function()
    local object = setmetatable({}, { __shmx_pack = function() return os.getenv, "HOME" end })
    assert.equal(os.getenv "HOME", (arguments(object)))
    assert.matches("must not return a function of Lua's own library", failure(results, object))
  end)

  it("cannot contain themselves in what remakes them", function()
    local object = setmetatable({}, { __shmx_pack = function(self) return module.new, { self } end })
    assert.matches("^argument 1, result 2 of __shmx_pack, field \"%[1%]\": .*cannot contain the object itself",
      failure(arguments, object))
  end)

  it("say what is wrong with __shmx_pack", function()
    local function with(f) return setmetatable({}, { __shmx_pack = f }) end
    assert.matches("must return a function", failure(arguments, with(function() end)))
    assert.matches("must return a function", failure(arguments, with(function() return 1 end)))
    assert.matches("too many values", failure(arguments, with(function()
      return print, table.unpack({}, 1, 1000)
    end)))
    assert.matches("oops", failure(arguments, with(function() error "oops" end)))
    assert.matches("^argument 1, field \"a%[2%]\": __shmx_pack must be a function, not a string$",
      failure(arguments, { a = { 1, with "x" } }))
    assert.matches("^result 1: __shmx_pack must be a function, not a table$", failure(results, with {}))
    local callable = setmetatable({}, { __call = function() return module.new, "called" end })
    assert.equal("called", arguments(with(callable)).x)
    assert.matches("^argument 1, result 2 of __shmx_pack: a coroutine cannot", failure(arguments, with(function()
      return print, coroutine.create(print)
    end)))
  end)

  it("keeps temporary values apart", function()
    local objects = {}
    for i = 1, 200 do
      objects[i] = setmetatable({}, { __shmx_pack = function()
        collectgarbage()
        return module.new, { i }
      end })
    end
    local got = results(objects)
    for i = 1, 200 do assert.equal(i, got[i].x[1]) end
  end)
end)

describe("modules", function()
  it("travel by name, and the globals are the receiver's", function()
    assert.equal(string, (arguments(string)))
    assert.equal(shmx, (results(shmx)))
    assert.equal(_G, (results(_G)))
    assert.equal("\0\1\xc7\6\4string", (loopback.encode(string)))
  end)

  it("are noticed when they are loaded later, or no longer", function()
    local t = { 1 }
    assert.not_equal(t, (arguments(t)))
    package.loaded.loopback_later = t
    assert.equal(t, (arguments(t)))
    package.loaded.loopback_later = nil
    assert.not_equal(t, (arguments(t)))
  end)

  it("may be functions, and have functions", function()
    package.loaded.loopback_function = function() end
    assert.equal(package.loaded.loopback_function, (results(package.loaded.loopback_function)))
    package.loaded.loopback_function = nil
    package.loaded.loopback_fields = { f = function() end }
    local f = package.loaded.loopback_fields.f
    assert.equal(f, (results(f)))
    assert.equal(f, (arguments(f)))
    package.loaded.loopback_fields = nil
    assert.not_equal(f, (arguments(f)))
  end)

  it("lend C functions their name", function()
    assert.equal(print, (results(print)))
    assert.equal(string.rep, (arguments(string.rep)))
    assert.matches("string\0rep", (loopback.encode(string.rep)))
    assert.equal("argument 1: a C function that is no field of a loaded module cannot be sent to a worker",
      failure(arguments, string.gmatch("", "")))
  end)

  it("that are C functions cost no more than other modules", function()
    local function cost(value)
      local least = math.huge
      for _ = 1, 5 do
        local before = os.clock()
        for _ = 1, 200 do loopback.encode(value) end
        least = math.min(least, os.clock() - before)
      end
      return least
    end
    package.loaded.loopback_function, package.loaded.loopback_table = string.gmatch("", ""), {}
    assert.matches("loopback_function", (loopback.encode(package.loaded.loopback_function)))
    assert.is_true(cost(package.loaded.loopback_function) < 4 * cost(package.loaded.loopback_table))
    package.loaded.loopback_function, package.loaded.loopback_table = nil, nil
  end)

  it("that the receiver does not have are an error with the search path", function()
    package.loaded.loopback_here_only = {}
    local body = loopback.encode(package.loaded.loopback_here_only)
    package.loaded.loopback_here_only = { f = function() end }
    local field = loopback.encode(package.loaded.loopback_here_only.f)
    package.loaded.loopback_here_only = nil
    assert.matches("module 'loopback_here_only' not found:\n.*package.preload", failure(loopback.decode, body))
    package.loaded.loopback_here_only = {}
    assert.equal("module 'loopback_here_only' has no field 'f' here", failure(loopback.decode, field))
    package.loaded.loopback_here_only = nil
  end)
end)

describe("what cannot travel", function()
  it("is named by its path", function()
    local tcp = loopback.tcp()
    assert.equal("argument 2, field \"conn.socket\": userdata 'tcp{client}' cannot be sent to a worker",
      failure(arguments, 1, { conn = { socket = tcp } }))
    assert.equal("result 1, field \"x\": userdata 'tcp{client}' cannot be sent from a worker",
      failure(results, { x = tcp }))
    assert.equal("argument 1: userdata 'tcp{client}' cannot be sent to a worker", failure(arguments, tcp))
    assert.equal("result 1, field \"[3]\": a coroutine cannot be sent from a worker",
      failure(results, { 1, 2, coroutine.create(print) }))
    assert.equal("argument 1, field \"a[true][1.5][2].b\": light userdata cannot be sent to a worker",
      failure(arguments, { a = { [true] = { [1.5] = { 1, { b = loopback.light() } } } } }))
    assert.equal("argument 1, field \"a\", a key: light userdata cannot be sent to a worker",
      failure(arguments, { a = { [loopback.light()] = 1 } }))
    assert.equal("argument 1, field \"a?b\": userdata 'tcp{client}' cannot be sent to a worker",
      failure(arguments, { ["a\nb"] = tcp }))
  end)

  it("is named within functions", function()
    local worker = loopback.worker()
    local conn = { socket = loopback.tcp() }
    local function helper() return conn end
    local function work() return helper end
    assert.equal("function, upvalue \"helper\", upvalue \"conn\", field \"socket\": userdata 'tcp{client}' cannot "
      .. "be sent to a worker", failure(worker.run, worker, work))
    assert.equal("argument 1: userdata 'tcp{client}' cannot be sent to a worker",
      failure(worker.run, worker, print, conn.socket))
  end)

  it("is named briefly when its path is long", function()
    local t = loopback.tcp()
    for i = 1, 1000 do t = { ["field_" .. i] = t } end
    local message = failure(arguments, t)
    assert.matches('^argument 1, field "field_1000%.field_999%..* %.%.%. .*%.field_2%.field_1": userdata', message)
    assert.is_true(#message < 300)
    assert.is_true(#failure(arguments, { [("k"):rep(100000)] = loopback.tcp() }) < 300)
  end)
end)

describe("arrays", function()
  it("arrive as the same memory", function()
    local a = shmx.range("i64", 1, 10)
    local got, list, again = arguments(a, { a, nested = { a } }, a)
    assert.equal(got, list[1])
    assert.equal(got, list.nested[1])
    assert.equal(got, again)
    assert.not_equal(a, got)
    got[3] = 33
    assert.equal(33, a[3])
    assert.equal(10, #got)
  end)

  it("carry each segment once", function()
    local a, b = shmx.array("u8", 10), shmx.array("f32", { 2, 3 })
    local _, segments = loopback.encode(a, b, { a, b })
    assert.equal(2, segments)
  end)

  it("keep dtype and shape, empty ones too", function()
    for _, dtype in ipairs { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "bool" } do
      local got = results(shmx.array(dtype, { 2, 0, 3 }))
      assert.equal(dtype, got.dtype)
      assert.equal(0, got.size)
      assert.equal(3, got.ndim)
      assert.equal(2, #got)
    end
  end)

  it("outlive the sender's", function()
    local a = shmx.range("i32", 1, 1000)
    local got = results(a)
    a:close()
    collectgarbage()
    assert.equal(1000, got[1000])
  end)

  it("are refused when closed", function()
    local a = shmx.array("u8", 1)
    a:close()
    assert.equal("argument 1, field \"a\": a closed array cannot be sent to a worker", failure(arguments, { a = a }))
  end)

  it("may be many", function()
    local list = {}
    for i = 1, 5000 do list[i] = shmx.full("i32", 1, i) end
    local got = results(list)
    for i = 1, 5000 do assert.equal(i, got[i][1]) end
  end)

  it("are checked against their segment", function()
    local a = shmx.array("i64", 4)
    local body = loopback.encode(a)
    assert.equal(4, #loopback.decode(body, nil, a))
    assert.matches("segment that is not in the message", failure(loopback.decode, body))
    local head = "\0\1\xc7\x20\3" -- ext 8 of 32 bytes
    local function array(...)
      return failure(loopback.decode, head .. string.pack("<I4I2I2i8i8i8", ...), nil, a)
    end
    assert.matches("not in the message", array(1, 6, 1, 0, 4, 8))
    assert.matches("unknown type", array(0, 11, 1, 0, 4, 8))
    assert.matches("unknown type", array(0, 6, 9, 0, 4, 8))
    assert.matches("unknown type", array(0, 6, 0, 0, 4, 8))
    assert.matches("wrong size", array(0, 6, 2, 0, 4, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 0, 5, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 8, 4, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 0, 4, -8))
    assert.matches("exceeds its segment", array(0, 6, 1, 4, 1, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 0, -1, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 0, math.maxinteger, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, 0, 2, math.mininteger))
    assert.matches("exceeds its segment", array(0, 6, 1, math.mininteger, 1, 8))
    assert.matches("exceeds its segment", array(0, 6, 1, -8, 1, 8))
  end)
end)
