-- SPDX-License-Identifier: MIT
--
-- Files in NumPy's format: a:save and shmx.load, alone and with NumPy at the other end.

local shmx = require "shmx"
local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local child, fails = dofile(here .. "/child.lua"), dofile(here .. "/fails.lua")

setup(child.open)
teardown(child.close)

local path = child.path
local dtypes = { "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "bool" }

local function elements(dtype)
  if dtype == "bool" then return shmx.from({ true, false, true, true, false, false }, dtype):reshape(2, 3) end
  return shmx.range(dtype, 1, 6):reshape(2, 3)
end

local function same(a, b)
  assert.equal(a.dtype, b.dtype)
  assert.same(a.shape, b.shape)
  assert.is_true(a:tobytes() == b:tobytes())
end

local numpy, python = child.has_numpy(), child.run_numpy

-- A test that needs NumPy.
local function with_numpy(what, test)
  if numpy then it(what, test) else pending(what .. " (python3-numpy is not installed)", test) end
end

describe("a saved array", function()
  it("is loaded with dtype, shape and every element", function()
    for _, dtype in ipairs(dtypes) do
      local a = elements(dtype)
      assert.equal(a, a:save(path "a.npy"))
      same(a, shmx.load(path "a.npy"))
      same(a, shmx.load(path "a.npy", { mmap = true }))
    end
  end)

  it("may be a view, have no elements, or be larger than any buffer", function()
    local big = shmx.range("i32", 1, 300000)
    local cube = shmx.range("f64", 1, 24):reshape(2, 3, 4)
    for _, a in ipairs {
      shmx.array("u8", 0), shmx.array("f64", { 3, 0, 2 }), big, big:view { 1, -1, 3 }, big:view { -1, 1, -1 },
      big:reshape(1000, 300):view({}, { 2, 100, 7 }), big:reshape(3, 100000):transpose(), cube:transpose(),
      cube:view({}, 2),
    } do
      a:save(path "a.npy")
      same(a:copy(), shmx.load(path "a.npy"):copy())
    end
  end)

  it("replaces a file as a whole, and keeps its mode and its links", function()
    child.write("old.npy", "something else")
    assert(os.execute(("cd '%s' && chmod 640 old.npy && ln -s old.npy link.npy"):format(path ".")))
    elements("i8"):save(path "link.npy")
    same(elements "i8", shmx.load(path "old.npy"))
    local lfs = require "lfs"
    assert.equal("link", lfs.symlinkattributes(path "link.npy", "mode"))
    assert.equal("rw-r-----", lfs.attributes(path "old.npy", "permissions"))
  end)

  it("makes the file that symbolic links lead to", function()
    local lfs = require "lfs"
    assert(os.execute(("cd '%s' && mkdir there && ln -s there/b far.npy && ln -s c there/b"):format(path ".")))
    elements("i8"):save(path "far.npy")
    same(elements "i8", shmx.load(path "there/c"))
    assert.equal("link", lfs.symlinkattributes(path "far.npy", "mode"))
    assert.equal("link", lfs.symlinkattributes(path "there/b", "mode"))
    assert(os.execute(("cd '%s' && ln -s round.npy round.npy"):format(path ".")))
    fails("cannot save [^\n]*/round.npy: Too many levels of symbolic links", shmx.array("i8", 1).save,
      shmx.array("i8", 1), path "round.npy")
  end)

  it("refuses a link to what is no file, such as /dev/stdout on a pipe, and leaves it", function()
    local lfs = require "lfs"
    local pipe <close> = assert(io.popen("cat >/dev/null", "w"))
    local link = path "out.npy"
    for name in lfs.dir "/proc/self/fd" do
      local target = lfs.symlinkattributes("/proc/self/fd/" .. name, "target") or ""
      if target:find "^pipe:" then assert(lfs.link("/proc/" .. shmx.pid() .. "/fd/" .. name, link, true)) break end
    end
    fails("cannot save [^\n]*/out.npy: it is no regular file", shmx.array("i8", 1).save, shmx.array("i8", 1), link)
    assert.equal("link", lfs.symlinkattributes(link, "mode"))
    pipe:write("")
  end)

  it("leaves the old file and nothing else when the new one is larger than a file may be", function()
    local run = child.run([[
      local shmx, lfs = require "shmx", require "lfs"
      shmx.range("i64", 1, 10):save "full.npy"
      local a = shmx.array("f64", 1000000)
      os.execute(("prlimit --fsize=65536 --pid %d"):format(shmx.pid()))
      print(pcall(function() a:save "full.npy" end))
      print(shmx.load("full.npy"):sum())
      for name in lfs.dir "." do if name:find "shmx" then print(name) end end]])
    assert.equal("", run.err)
    assert.equal("false\tscript.lua:5: cannot save full.npy: the elements take 8000000 bytes, and no file may be "
      .. "that large (ulimit -f)\n55\n", run.out)
  end)

  it("cannot be saved where there is no place for it", function()
    local a = elements "u8"
    fails("cannot save /no/such/file.npy: No such file or directory", a.save, a, "/no/such/file.npy")
    fails("cannot save /dev: it is no regular file", a.save, a, "/dev")
    fails("cannot save /dev/null: it is no regular file", a.save, a, "/dev/null")
    fails("bad argument #%d to 'save' %(the path of a file expected, got 1%)", a.save, a, 1)
    fails("bad argument #%d to 'save' %(a path has no zero byte in it%)", a.save, a, "a\0b")
  end)
end)

describe("load", function()
  it("names the file that it cannot load, and says why", function()
    elements("f64"):save(path "good.npy")
    local good = child.read "good.npy"
    for text, why in pairs {
      [""] = "it is no .npy file, or ends in its header",
      ["\x93NUMP"] = "it is no .npy file, or ends in its header",
      ["some text, but no array"] = "it is no .npy file",
      [good:sub(1, 100)] = "it is no .npy file, or ends in its header",
      [good:sub(1, -2)] = "it ends too early: its elements take 48 bytes, and it has 47",
      [good:gsub("%(2, 3%)", "(9, 9)")] = "it ends too early: its elements take 648 bytes, and it has 48",
      [good:gsub("<f8", "<f2")] = "it has elements of dtype '<f2', which no dtype here matches",
      [good:gsub("'<f8'", "'|O' ")] = "it has elements of dtype '|O', which no dtype here matches",
      [good:gsub("False", "12345")] = "it has a header that makes no sense",
      ["\x93NUMPY\2\0\xff\xff\xff\xff" .. ("x"):rep(100)] = "it has a header that is longer than any that makes sense",
    } do
      child.write("bad.npy", text)
      fails("cannot load [^\n]*/bad.npy: " .. why:gsub("%p", "%%%0"), shmx.load, path "bad.npy")
    end
    fails("cannot load /no/such: No such file or directory", shmx.load, "/no/such")
    fails("cannot load /dev: it is no regular file", shmx.load, "/dev")
    assert(os.execute(("mkfifo '%s'"):format(path "pipe")))
    fails("cannot load [^\n]*/pipe: it is no regular file", shmx.load, path "pipe")
    fails("bad argument #1 to 'load' %(the path of a file expected, got nothing%)", shmx.load)
    fails("bad option 'map' to 'load' %(known are: mmap%)", shmx.load, "x", { map = true })
    fails("bad argument #2 to 'load' %(a table of options is expected, got boolean%)", shmx.load, "x", true)
    fails("bad option 'mmap' to 'load' %(a boolean is expected, got 1%)", shmx.load, "x", { mmap = 1 })
  end)

  it("opens no descriptor that stays, whatever happens", function()
    local function count()
      local n = 0
      for _ in require "lfs".dir "/proc/self/fd" do n = n + 1 end
      return n
    end
    elements("f64"):save(path "good.npy")
    child.write("bad.npy", "bad")
    collectgarbage()
    local before = count()
    for _ = 1, 20 do
      pcall(shmx.load, path "bad.npy")
      pcall(shmx.load, path "nothing.npy")
      shmx.load(path "good.npy")
      shmx.load(path "good.npy", { mmap = true })
    end
    collectgarbage()
    assert.equal(before, count())
  end)
end)

describe("a mapped file", function()
  it("is read where it is, and refuses to be written", function()
    elements("i64"):save(path "mapped.npy")
    local a = shmx.load(path "mapped.npy", { mmap = true })
    assert.is_true(a.frozen)
    assert.equal(21, a:sum())
    fails("bad array for 'set' %(it is frozen", a.set, a, 1, 1, 5)
    fails("bad array for 'fill' %(it is frozen", a.fill, a, 5)
    fails("cannot set an element: the array is frozen", function() a[1][2] = 5 end)
    fails("bad array for 'put' %(it is frozen", a.put, a, { 1 }, 5)
    elements("f64"):save(path "floats.npy")
    local floats = shmx.load(path "floats.npy", { mmap = true })
    fails("bad array for 'uniform' %(it is frozen", floats.uniform, floats)
    fails("bad out to 'add' %(the array is frozen", shmx.add, a, 1, { out = a })
    fails("bad out to 'copy' %(the array is frozen", a.copy, a, { out = a })
    assert.equal(21, shmx.load(path "mapped.npy"):sum())
    local copy = a:copy()
    copy:fill(1)
    assert.is_false(copy.frozen)
  end)

  it("keeps nothing in memory that is counted", function()
    local run = child.run [[
      local shmx = require "shmx"
      shmx.array("u8", 3000000):save "large.npy"
      shmx.memory = "4M"
      collectgarbage()
      local list = {}
      for i = 1, 20 do list[i] = shmx.load("large.npy", { mmap = true }) end
      print(#list, #list[20])]]
    assert.equal("", run.err)
    assert.equal("20\t3000000\n", run.out)
  end)

  it("is loaded in the worker, not sent to it", function()
    local run = child.run [[
      local shmx = require "shmx"
      shmx.range("i64", 1, 4):save "sent.npy"
      local a = shmx.load("sent.npy", { mmap = true })
      local pool <close> = shmx.pool { workers = 1 }
      print(pool:submit(function() return shmx.load("sent.npy", { mmap = true }):sum() end):get())
      print(pool:submit(function(b) return b:sum() end, a:copy()):get())
      print(select(2, pcall(pool.submit, pool, print, a)))
      local function load() return shmx.load("sent.npy", { mmap = true }) end
      print(select(2, pcall(function() pool:submit(load):get() end)))]]
    assert.matches("^10\n10\n[^\n]*a mapped file cannot be handed over[^\n]*\n[^\n]*refused in worker 1: "
      .. "a mapped file cannot be handed over", run.out)
  end)
end)

describe("NumPy", function()
  with_numpy("reads what is saved here", function()
    for _, dtype in ipairs(dtypes) do elements(dtype):save(path(dtype .. ".npy")) end
    elements("i64"):transpose():save(path "turned.npy")
    assert.equal([=[
int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64 bool
(2, 3) 21.0
[[1, 4], [2, 5], [3, 6]]
]=],
      python [[
names = "i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 bool".split()
a = [np.load(n + ".npy") for n in names]
print(*[x.dtype for x in a])
print(a[9].shape, a[9].sum())
print(np.load("turned.npy").tolist())]])
  end)

  with_numpy("writes what is loaded here: each dtype, both orders of bytes and of dimensions", function()
    assert.equal("", python [[
for k in "i1 u1 i2 u2 i4 u4 i8 u8 f4 f8 b1".split():
    for order in "<>":
        a = (np.arange(24) - (0 if k[0] in "ub" else 12)).reshape(2, 3, 4).astype(order + k)
        np.save(k + order + "C.npy", a)
        np.save(k + order + "F.npy", np.asfortranarray(a))
np.save("none.npy", np.array(2.5))
np.save("wide.npy", np.zeros((0, 3)))]])
    for name, dtype in pairs {
      i1 = "i8", u1 = "u8", i2 = "i16", u2 = "u16", i4 = "i32", u4 = "u32", i8 = "i64", u8 = "u64", f4 = "f32",
      f8 = "f64",
    } do
      local first = name:match "u" and 0 or -12
      local expected = shmx.range(dtype, first, first + 23):reshape(2, 3, 4)
      for _, kind in ipairs { "<C", "<F", ">C", ">F" } do
        local file = path(name .. kind .. ".npy")
        same(expected, shmx.load(file):copy())
        if kind:match "<" or name:match "1" then same(expected, shmx.load(file, { mmap = true }):copy())
        else fails("cannot map [^\n]*: the bytes of its elements are in another", shmx.load, file, { mmap = true }) end
      end
    end
    local b = shmx.load(path "b1<F.npy")
    assert.same({ false, true, 23 }, { b:get(1, 1, 1), b:get(2, 3, 4), b:sum() })
    assert.equal("f64[1] {2.5}", tostring(shmx.load(path "none.npy")))
    assert.same({ 0, 3 }, shmx.load(path "wide.npy").shape)
  end)
end)
