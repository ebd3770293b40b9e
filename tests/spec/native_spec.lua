-- SPDX-License-Identifier: MIT
--
-- Task modules in C: built outside the tree against an installation, by CMake and by pkg-config, and run as tasks.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")
local sources = debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/c/"

local prefix -- where shmx is installed for these specs

-- Runs a command of the shell in the folder of the specs: true, or what it printed.
local function shell(command, ...)
  local line = ("cd '%s' && ( %s ) >log 2>&1"):format(child.path("."), command:format(...))
  return os.execute(line) and true or child.read("log")
end

local function must(command, ...)
  local done = shell(command, ...)
  if done ~= true then error(done, 2) end
end

-- Builds probe.c as `name`.so with pkg-config.
local function compile(name, options)
  must("cc -Wall -Wextra -Werror -shared -fPIC %s $(PKG_CONFIG_PATH=%s/lib/pkgconfig pkg-config --cflags shmx) "
    .. "-o %s.so probe.c", options or "", prefix, name)
end

setup(function()
  child.open()
  prefix = child.path("prefix")
  must("cmake --install '%s' --prefix '%s'", child.root, prefix)
  local probe <close> = assert(io.open(sources .. "probe.c"))
  child.write("probe.c", probe:read("a"))
  compile "probe"
end)
teardown(child.close)

local installed = {}
local stock = {
  program = child.stock,
  environment = "LUA_CPATH='./?.so;%s/lib/lua/5.4/?.so;;' "
    .. "LUA_PATH='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;;'",
}

setup(function()
  installed.program = prefix .. "/bin/shmx-lua"
  stock.environment = stock.environment:gsub("%%s", prefix)
end)

local head = [[
local shmx = require "shmx"
local probe = require "probe"
]]

local function output(code, given)
  local run = child.run(code, given or installed)
  assert.are.equal("", run.err)
  return run.out
end

local function failure(code, given)
  local run = child.run(code, given or installed)
  assert.are.equal(1, run.status)
  return run.err
end

local as_task = head .. [[
  local function make(n)
    local a = probe.squares(n)
    return a, a.segment.id, shmx.pid()
  end
  local pool <close> = shmx.pool { workers = 1 }
  local a, segment, pid = pool:submit(make, 1000000):get()
  print(#a, a.dtype, a[1000000], segment == a.segment.id, pid ~= shmx.pid())
  print(pool:submit(probe.squares, 3):get())]]
local result = "1000000\tf64\t1000000000000.0\ttrue\ttrue\nf64[3] {1.0, 4.0, 9.0}\n"

describe("a C module outside the tree", function()
  it("is built by pkg-config and returns an array from a task, not copied", function()
    assert.are.equal(result, output(as_task))
  end)

  it("is built by CMake", function()
    must("mkdir -p project")
    child.write("project/CMakeLists.txt", [[
      cmake_minimum_required(VERSION 3.24)
      project(outside LANGUAGES C)
      find_package(shmx 0.1 REQUIRED)
      shmx_add_task_module(probe ../probe.c)
      install(TARGETS probe DESTINATION ${shmx_MODULE_DIR})]])
    must("cmake -S project -B project/build -DCMAKE_PREFIX_PATH='%s' && cmake --build project/build", prefix)
    must("cmake --install project/build --prefix tree")
    assert.are.equal(result, output(as_task, {
      program = installed.program, environment = "LUA_CPATH='tree/lib/lua/5.4/?.so'" }))
  end)

  it("works in a stock Lua", function()
    assert.are.equal(result, output(as_task, stock))
  end)

  it("loads shmx when the script has not", function()
    assert.are.equal("true\ttrue\n", output([[
      local shmx = package.loaded.shmx
      print(require "probe".squares(2)[2] == 4.0, package.loaded.shmx ~= shmx)]]))
  end)

  it("moves with the installation", function()
    must "cp -r prefix moved && PKG_CONFIG_PATH=moved/lib/pkgconfig pkg-config --cflags shmx | grep -q moved/"
    assert.are.equal(result, output(as_task, { program = child.path "moved/bin/shmx-lua" }))
  end)
end)

describe("the header", function()
  local use = [[
    #include <shmx/shmx.h>
    static int f(lua_State *L) {
      struct shmx_array_view a;
      shmx_check_array(L, 1, SHMX_ANY, SHMX_ANY, SHMX_CONTIGUOUS | SHMX_WRITABLE, &a);
      shmx_new_array(L, shmx_check_dtype(L, 2), a.ndim, a.shape, SHMX_ZEROED, &a);
      lua_pushstring(L, shmx_dtype_text(L, a.dtype));
      shmx_progress(L, 1, 2);
      shmx_check_cancelled(L);
      return shmx_to_array(L, -2, &a) && !shmx_cancelled(L);
    }
    SHMX_MODULE(used) {
      shmx_open(L);
      lua_pushcfunction(L, f);
      return 1;
    }]]
  local warnings = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

  for language, standards in pairs { c = { "c99", "c11", "c17" }, ["c++"] = { "c++11", "c++17", "c++20" } } do
    it("is clean " .. language, function()
      child.write("used.c", use)
      for _, standard in ipairs(standards) do
        must("cc -x %s -std=%s %s $(PKG_CONFIG_PATH=prefix/lib/pkgconfig pkg-config --cflags shmx) -fPIC -c -o used.o "
          .. "used.c", language, standard, warnings)
      end
    end)
  end

  it("makes modules of several files, in C++ too", function()
    child.write("used.c", use)
    child.write("more.c", '#include <shmx/shmx.h>\nextern "C" int more(lua_State *L);\n'
      .. "int more(lua_State *L) { struct shmx_array_view a; return shmx_to_array(L, 1, &a); }")
    must("cc -x c++ -shared -fPIC $(PKG_CONFIG_PATH=prefix/lib/pkgconfig pkg-config --cflags shmx) -o used.so used.c "
      .. "more.c && test 1 = $(nm used.so | grep -c shmx_api_here)")
    assert.are.equal("f32\n", output 'print(require "used"(require "shmx".array("u8", 2), "f32"))')
  end)
end)

describe("a C module", function()
  it("sees dtype, shape, strides and flags of an array, and nothing in other values", function()
    assert.are.equal([[
i16	6	2	3	{3, 2}	{4, 2}
u64	2	8	2	{2}	{-16}
nil	nil	nil
]], output(head .. [[
      local function show(view)
        local text = {}
        for i, list in ipairs { view.shape, view.strides } do text[i] = "{" .. table.concat(list, ", ") .. "}" end
        print(view.dtype, view.count, view.bytes, view.flags, text[1], text[2])
      end
      show(probe.view(shmx.array("i16", { 3, 2 })))
      show(probe.view(shmx.range("u64", 1, 4):view { -1, 1, -2 }))
      local closed = shmx.array("u8", 1)
      closed:close()
      print(probe.view {}, probe.view(closed), probe.view(io.stdout))]]))
  end)

  it("is told at the script's line what is wrong with an argument", function()
    for call, message in pairs {
      ["probe.check(1)"] = "shmx.array expected, got number",
      ["probe.check(closed)"] = "array is closed",
      ["probe.check(a, 'f32')"] = "an array of f32 expected, got one of u8",
      ["probe.check(a, nil, 1)"] = "an array of 1 dimensions expected, got 2",
      ["probe.check(a:view({}, 1), nil, nil, 1)"] =
        "a contiguous array expected, got a view with gaps; give a copy of it %(a:copy%(%)%)",
    } do
      assert.matches("script.lua:6: bad argument #1 to 'check' %(" .. message .. "%)",
        failure(head .. "local closed = shmx.array('u8', 1)\nclosed:close()\n"
          .. "local a = shmx.array('u8', { 2, 2 })\n" .. call))
    end
    assert.matches('script.lua:3: bad argument #2 to \'check\' %(unknown dtype "f16"; the dtypes are i8 u8 .* bool%)',
      failure(head .. "probe.check(shmx.array('u8', 1), 'f16')"))
  end)

  it("is told that an array is frozen, and cannot write a large one even if it does not ask", function()
    assert.are.equal("1\t1\nfalse\tan array to write to expected, got a frozen one\ncrashed\tSIGSEGV\tfalse\n",
      output(head .. [[
      local small, large = shmx.array("u8", 3):freeze(), shmx.array("u8", 6 << 20):freeze()
      print(probe.view(small).flags, probe.view(large).flags)
      local ok, message = pcall(probe.check, small, nil, nil, 2)
      print(ok, message:match("%((.-)%)"))
      local pool <close> = shmx.pool { workers = 1 }
      local task = pool:submit(probe.poke, large)
      task:wait()
      print(task.status, task.error.signal, large:any())]]))
  end)

  it("cannot make an array that cannot be", function()
    for call, message in pairs {
      ["probe.new(11, 1)"] = "there is no dtype 11",
      ["probe.new(-1, 1)"] = "there is no dtype %-1",
      ["probe.new(0)"] = "1 to 8 dimensions, none of them negative",
      ["probe.new(0, 1, 1, 1, 1, 1, 1, 1, 1, 1)"] = "1 to 8 dimensions, none of them negative",
      ["probe.new(0, 2, -1)"] = "1 to 8 dimensions, none of them negative",
      ["probe.new(9, math.maxinteger)"] = "more elements than there can be",
    } do
      assert.matches("script.lua:3: cannot make an array: " .. message, failure(head .. call))
    end
    assert.matches("script.lua:3: cannot allocate 4611686018427387904 bytes", failure(head .. "probe.new(0, 1 << 62)"))
  end)

  it("makes arrays of every shape, zeroed when asked for", function()
    assert.are.equal("f32\t2\t3\tfalse\nbool\t0\tnil\tfalse\n", output(head .. [[
      do local warm <close> = shmx.full("f32", { 2, 3 }, 1) end
      for _, a in ipairs { probe.new(8, 2, 3), probe.new(10, 0) } do
        print(a.dtype, a.shape[1], a.shape[2], a:any())
      end]]))
  end)

  it("that was compiled for an earlier revision of the interface works as it did", function()
    child.write("earlier.c", [[
      #include <lauxlib.h>
      #include <lua.h>
      #include <stdint.h>
      struct view {
        void *data; int64_t count; int32_t dtype, ndim; uint32_t bytes, flags; int64_t shape[8], strides[8];
      };
      struct api_1_0 {
        uint32_t abi, revision;
        void (*accept)(lua_State *, uint32_t, uint32_t, const void *);
        int (*to_array)(lua_State *, int, struct view *);
        void (*check_array)(lua_State *, int, int, int, unsigned, struct view *);
        void (*new_array)(lua_State *, int, int, const int64_t *, unsigned, struct view *);
        int (*check_dtype)(lua_State *, int);
        const char *(*dtype_name)(int);
      };
      static const struct api_1_0 *api;
      static int zeros_like(lua_State *L) {
        struct view a, b;
        api->check_array(L, 1, -1, -1, 1, &a);
        api->new_array(L, api->check_dtype(L, 2), a.ndim, a.shape, 4, &b);
        lua_pushstring(L, api->dtype_name(b.dtype));
        return 1 + api->to_array(L, -2, &b);
      }
      int luaopen_earlier(lua_State *L) {
        lua_getfield(L, LUA_REGISTRYINDEX, "shmx.api");
        api = lua_touserdata(L, -1);
        api->accept(L, 1, 0, &api);
        lua_pushcfunction(L, zeros_like);
        return 1;
      }]])
    must "cc -Wall -Wextra -Werror -shared -fPIC $(pkg-config --cflags lua5.4) -o earlier.so earlier.c"
    assert.are.equal("f32[2] {0.0, 0.0}\tf32\n", output [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1 }
      print(pool:submit(require "earlier", shmx.range("u8", 1, 2), "f32"):get())]])
  end)

  it("of another version of the interface is refused: file, wanted and found", function()
    for name, wanted in pairs { SHMX_ABI = "2.%d+", SHMX_ABI_REVISION = "1.2" } do
      must("mkdir -p %s/shmx && sed 's/define %s  *[0-9]*$/define %s 2/' prefix/include/shmx/shmx.h >%s/shmx/shmx.h",
        name, name, name, name)
      compile(name .. "/probe", "-I" .. name)
      local message = "script.lua:1: %./" .. name .. "/probe.so wants version " .. wanted .. " of shmx's interface for "
        .. "C modules, but shmx %d+.%d+.%d+ has version 1.%d+; compile the module"
      local given = { environment = ("LUA_CPATH='./%s/?.so'"):format(name), program = installed.program }
      assert.matches(message, failure('require "probe"', given))
      assert.matches("task .* failed in worker 1: " .. message, failure([[
        local function load() return require "probe" end local pool <close> = require "shmx".pool { workers = 1 }
        pool:submit(load):get()]], given))
    end
  end)

  it("with a missing symbol is refused: file and symbol", function()
    must "mkdir -p missing"
    compile("missing/probe", "-DPROBE_MISSING")
    assert.matches("error loading module 'probe' from file 'missing/probe.so':\n\t[^\n]*missing/probe.so: "
      .. "undefined symbol: there_is_no_such_function", failure('require "probe"', {
        program = installed.program, environment = "LUA_CPATH='missing/?.so'" }))
  end)
end)

describe("a C module that works long", function()
  -- A task that ends when it learns that it is to stop; the worker is the same afterwards, and ready.
  local stop = head .. [[
    local function work(way, begun)
      local _ <close> = setmetatable({}, { __close = function(_, err) print(way, "is closed", err) end })
      begun[1] = 1
      local result = probe.work(way)
      local sum = 0
      for i = 1, 100 do sum = sum + i end -- whoever has been told is not interrupted
      print(way, result, sum, probe.cancelled())
    end
    local pool <close> = shmx.pool { workers = 1, grace = 20, timeout = TIMEOUT }
    local pid = pool:submit(shmx.pid):get()
    for _, way in ipairs { "ask", "thread", "check" } do
      local begun = shmx.array("u8", 1)
      local task = pool:submit(work, way, begun)
      while begun[1] == 0 do end
      STOP
      task:wait()
      print(task.status, pid == pool:submit(shmx.pid):get())
    end]]
  local printed = [[
ask	ask	5050	true
ask	is closed	nil
STATUS	true
thread	thread	5050	true
thread	is closed	nil
STATUS	true
check	is closed	script.lua:6: the task REASON
STATUS	true
]]

  for status, given in pairs {
    cancelled = { TIMEOUT = "nil", STOP = "task:cancel()", REASON = "was cancelled" },
    timeout = { TIMEOUT = "0.2", STOP = "", REASON = "has used up its time" },
  } do
    it("learns that its task is to stop: " .. status, function()
      given.STATUS = status
      local code, expected = stop:gsub("%u%u+", given), printed:gsub("%u%u+", given)
      assert.are.equal(expected, output(code))
    end)
  end

  it("is told nothing where there is no task to be stopped, and may say what it likes", function()
    local out = [[
      for _, pair in ipairs { { 1, 2 }, { 1, 0 }, { -1, 2 }, { 3, 2 }, { 0 / 0, 1 } } do
        probe.progress(table.unpack(pair))
      end
      print(probe.cancelled())]]
    assert.are.equal("false\n", output(head .. out))
    for workers = 0, 1 do
      assert.are.equal("false\n", output(head .. "local function f() " .. out .. " end\n"
        .. "local pool <close> = shmx.pool { workers = " .. workers .. " }\n pool:submit(f):get()"))
    end
  end)
end)

describe("a crash in a C module", function()
  local ends = {
    memory = "was killed by signal SIGSEGV %(Segmentation fault%)",
    library = "was killed by signal SIGSEGV %(Segmentation fault%)",
    abort = "was killed by signal SIGABRT %(Aborted%)",
    division = "was killed by signal SIGFPE %(Floating point exception%)",
    overflow = "was killed by signal SIGSEGV %(Segmentation fault%)",
    exit = "ended in it with exit code 3",
    signal = "was killed by signal SIGBUS %(Bus error%)",
  }

  for way, what in pairs(ends) do
    it("(" .. way .. ") ends its task with what happened, the module and the line, and the pool goes on", function()
      local out = output(head .. ("local way = %q\n"):format(way) .. [[
        local pool <close> = shmx.pool { workers = 1 }
        local function crash() probe.crash(way) return 1 end
        local function inside() coroutine.wrap(function() pcall(crash) end)() end
        for _, f in ipairs { crash, inside } do
          local kept = pool:submit(probe.squares, 10)
          local task = pool:submit(f)
          task:wait()
          print(task.error, kept:get():sum())
        end
        local task = pool:submit(probe.crash, way)
        task:wait()
        print(task.error)
        print(pool:submit(probe.squares, 1):get())]])
      local path = "[^\n]*/probe.so"
      assert.matches("^task crash crashed in worker 1: its worker " .. what .. " in " .. path
        .. ", called at script.lua:5\t385.0\ntask inside crashed in worker 1: its worker " .. what .. " in " .. path
        .. ", called at script.lua:5\t385.0\ntask [^\n]+ crashed in worker 1: its worker " .. what .. " in " .. path
        .. "\nf64%[1%] {1.0}\n$", out)
    end)
  end

  it("that is in no module names the line alone", function()
    local err = failure [[
      local pool <close> = require "shmx".pool { workers = 1 }
      pool:submit(function()
        os.exit(7)
      end):get()
    ]]
    assert.matches("its worker ended in it with exit code 7 at script.lua:3\n", err)
  end)

  it("has nothing to say when the task has closed the Lua state before it exits", function()
    assert.matches("its worker ended in it with exit code 7\n", failure [[
      local pool <close> = require "shmx".pool { workers = 1 }
      pool:submit(function() os.exit(7, true) end):get()]])
  end)

  it("in each start ends the pool with where it was", function()
    assert.matches("workers die while they start: signal SIGABRT %(Aborted%) in [^\n]*/probe.so, "
      .. "called at script.lua:3\n", failure(head .. "shmx.pool { init = function() probe.crash 'abort' end }"))
  end)
end)
