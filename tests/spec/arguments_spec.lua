-- SPDX-License-Identifier: MIT
--
-- Every function of the library with all the arguments that it knows, which it takes, and with one more, which it
-- refuses: an argument that nobody reads is better an error than ignored.

local lfs = require "lfs"
local shmx = require "shmx"

local function upvalue(f, n) return select(2, debug.getupvalue(f, n)) end
local function double(x) return 2 * x end

local folder = os.tmpname()
local name = "arguments-" .. shmx.pid()
local named
setup(function()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  shmx.array("i64", 3):save(folder .. "/a.npy")
  named = shmx.array("i64", 3, { name = name })
end)
teardown(function()
  named:close()
  for file in lfs.dir(folder) do os.remove(folder .. "/" .. file) end
  os.remove(folder)
end)

-- What a function is called with, made anew for each call; `n` where the last ones are nil.
local function vector() return shmx.from { 3, 1, 2 } end
local function floats() return shmx.array("f64", 3) end
local function nothing() return {} end
local function options() return { {} } end
local function axis() return { 1, {} } end

local elementwise = {}
for _, arity in ipairs {
  { "unm bnot logical_not abs sign square floor ceil trunc round sqrt isnan isinf isfinite exp exp2 expm1 log log2 "
    .. "log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh cbrt", options },
  { "add sub mul div idiv mod pow minimum maximum eq ne lt le gt ge band bor bxor shl shr logical_and logical_or "
    .. "logical_xor atan2 hypot", function() return { 2, {} } end },
  { "clip muladd where", function() return { 1, 2, {} } end },
} do
  for word in arity[1]:gmatch "%S+" do elementwise[word] = arity[2] end
end

local methods = {
  allclose = function() return { vector(), {} } end, astype = function() return { "f64", {} } end,
  bincount = options, close = nothing, copy = options, dot = function() return { vector(), {} } end,
  equal = function() return { vector() } end, fill = function() return { 5 } end, freeze = nothing,
  generate = function() return { double } end, histogram = function() return { 2, {} } end,
  integers = function() return { 1, 6, {} } end, matmul = function() return { vector(), {} } end, nonzero = nothing,
  normal = function() return { 0, 1, {} } end, path = nothing, put = function() return { shmx.from { 1 }, 5 } end,
  save = function() return { folder .. "/b.npy" } end, searchsorted = function() return { 2, {} } end,
  split = function() return { 3, 1 } end, take = function() return { shmx.from { 1 }, 1, {} } end, tobytes = nothing,
  totable = nothing, uniform = function() return { 0, 1, {} } end, unique = options,
  reshape = function() return { { 3, 1 } } end, transpose = function() return { { 1 } } end,
  tile = function() return { { 2 } } end,
}
local along = "sum prod mean var std min max minmax argmin argmax any all sort argsort cumsum cumprod diff"
for word in along:gmatch "%S+" do methods[word] = axis end
local wants_floats = { normal = true, uniform = true }
local counts_itself = { get = true, map = true, set = true, view = true } -- any number, or an error that says how many

local functions = {
  array = function() return { "i64", 3, {} } end, attach = function() return { name, "i64", 3 } end,
  cancelled = nothing, clock = nothing, concat = function() return { { vector() }, 1, {} } end, cpus = nothing,
  empty = function() return { "i64", 3 } end, from = function() return { { 1 }, "u8" } end,
  frombytes = function() return { "ab", "u8", 2 } end, full = function() return { "i64", 3, 7 } end,
  linspace = function() return { "f64", 0, 1, 3 } end, load = function() return { folder .. "/a.npy", {} } end,
  load_tasks = function() return { folder } end, pid = nothing, pool = function() return { { workers = 0 } } end,
  progress = function() return { 1, 2 } end, range = function() return { "i64", 1, 3, 1 } end,
  stack = function() return { { vector() }, 1, {} } end, worker = nothing,
  wait = function() return { {}, 1 } end, first = function() return { {}, 1 } end,
}

local function stream() return { double, next, {}, nil, nil, n = 5 } end
local pool_methods = {
  close = options, execute = function() return { {}, { on_error = "return" } } end,
  map = function() return { double, { 1 } } end, imap = stream, imap_unordered = stream, segments = nothing,
  stats = nothing, with = options,
}
local task_methods = {
  get = function() return { 1 } end, wait = function() return { 1 } end, done = nothing, cancel = nothing,
}

-- Calls what has the name with the arguments, and then with one more.
local function check(word, f, arguments, self)
  local given = arguments()
  local count = given.n or #given
  if self then
    table.move(given, 1, count, 2)
    given[1], count = self(), count + 1
  end
  local ok, err = pcall(f, table.unpack(given, 1, count))
  assert.is_true(ok, word .. ": " .. tostring(err))
  if self then given[1] = self() end
  given[count + 1] = "more"
  ok, err = pcall(function() return f(table.unpack(given, 1, count + 1)) end)
  local text = ("arguments_spec.lua:%%d+: bad argument #%%d+ to '%s' %%(nothing is expected "):format(word)
  assert.is_false(ok, word .. " takes more than it knows")
  assert.matches(text, err)
end

local function check_all(owner, known, exempt, self)
  for word, f in pairs(owner) do
    if type(f) == "function" and not exempt[word] then
      assert.is_truthy(known[word] or elementwise[word], "no arguments are known for " .. word)
      check(word, f, known[word] or elementwise[word], wants_floats[word] and floats or self)
    end
  end
end

describe("an argument too many", function()
  it("is refused by the methods of arrays", function()
    check_all(upvalue(getmetatable(vector()).__index, 1), methods, counts_itself, vector)
  end)

  it("is refused by the functions of the module", function()
    for word, arguments in pairs(elementwise) do
      local f = shmx[word]
      functions[word] = function() return { 1, table.unpack(arguments()) } end
      assert.is_function(f)
    end
    check_all(shmx, functions, { task = true })
  end)

  it("is refused behind one that is nil, and by __close of an array not taken for one", function()
    local a = vector()
    local ok, err = pcall(a.add, a, 1, nil, 5)
    assert.is_false(ok)
    assert.matches("bad argument #4 to 'add' %(nothing is expected here, got 5%)", err)
    assert.has_error(function() local _ <close> = a error "out" end)
    assert.matches("closed", tostring(a))
  end)

  for kind, open in pairs {
    ["a pool"] = function() return shmx.pool { workers = 1 } end,
    ["a pool with options"] = function() return shmx.pool({ workers = 1 }):with { name = "x" } end,
    ["a pool without workers"] = function() return shmx.pool { workers = 0 } end,
  } do
    it("is refused by the methods of " .. kind, function()
      local pool = open()
      for word, arguments in pairs(pool_methods) do
        if word ~= "close" then check(word, pool[word], arguments, function() return pool end) end
      end
      local task = pool:submit(double, 1)
      task:wait() -- then `cancel`, in whatever order they come, takes nothing from `get`
      check_all(upvalue(getmetatable(task).__index, 1), task_methods, {}, function() return task end)
      check("close", pool.close, options, function() return pool end)
    end)
  end

  it("leaves no method of pools out", function()
    local pool <close> = shmx.pool { workers = 1 }
    local known = { submit = true, fill = true }
    for word in pairs(upvalue(getmetatable(pool).__index, 1)) do
      assert.is_truthy(known[word] or pool_methods[word], word)
    end
  end)

  it("is refused by worker:kill, which kills nobody then", function()
    local pool <close> = shmx.pool { workers = 1, init = function() end }
    local worker = pool.workers[1]
    local ok, err = pcall(worker.kill, worker, 9)
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'kill' %(nothing is expected here, got number%)", err)
    assert.are.equal(worker.pid, pool:submit(shmx.pid):get())
  end)
end)
