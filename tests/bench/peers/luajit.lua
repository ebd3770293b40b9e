-- SPDX-License-Identifier: MIT
--
-- What one writes by hand in LuaJIT: fork, two pipes with a message for each task, and shared memory mapped before the
-- fork, or a named one for each array.
-- luajit.lua W1 WORKERS | W2 TASKS WORKERS | W3 ROUNDS | W4 BYTES | W5 | W6

local ffi = require "ffi"
local C = ffi.C
ffi.cdef [[
  struct message { int64_t what, value; };
  struct instant { long seconds, nanoseconds; };
  int fork(void);
  int waitpid(int pid, int *status, int options);
  void _exit(int status);
  int getpid(void);
  int pipe(int ends[2]);
  int close(int descriptor);
  long read(int descriptor, void *bytes, size_t size);
  long write(int descriptor, const void *bytes, size_t size);
  void *mmap(void *at, size_t size, int protection, int flags, int descriptor, long offset);
  int munmap(void *at, size_t size);
  int shm_open(const char *name, int flags, unsigned mode);
  int shm_unlink(const char *name);
  int ftruncate(int descriptor, long size);
  int clock_gettime(int clock, struct instant *now);
]]

local READ_WRITE, SHARED, ANONYMOUS = 3, 1, 0x20
local O_RDWR, O_CREAT, O_EXCL = 2, 0x40, 0x80
local MESSAGE = ffi.sizeof("struct message")

local instant = ffi.new("struct instant")
local function now()
  C.clock_gettime(1, instant)
  return tonumber(instant.seconds) + tonumber(instant.nanoseconds) * 1e-9
end

local function open_pipe()
  local ends = ffi.new("int[2]")
  assert(C.pipe(ends) == 0)
  return ends[0], ends[1]
end

local function map(size, flags, descriptor)
  local at = C.mmap(nil, size, READ_WRITE, flags, descriptor, 0)
  assert(ffi.cast("intptr_t", at) ~= -1, "mmap")
  return at
end

-- A named one; `flags` make it, or open what another has made.
local function map_named(name, size, flags)
  local descriptor = C.shm_open(name, O_RDWR + flags, 384)
  assert(descriptor >= 0 and (flags == 0 or C.ftruncate(descriptor, size) == 0), "shm_open")
  local at = map(size, SHARED, descriptor)
  C.close(descriptor)
  return at
end

-- Workers that answer each message after `work` has changed it.
local Pool = {}
Pool.__index = Pool

local function start(workers, work)
  local task_out, task_in = open_pipe()
  local result_out, result_in = open_pipe()
  local message = ffi.new("struct message")
  local pool = setmetatable({ task_in = task_in, result_out = result_out, message = message, pids = {} }, Pool)
  for i = 1, workers do
    local pid = C.fork()
    if pid == 0 then
      C.close(task_in)
      while C.read(task_out, message, MESSAGE) == MESSAGE do
        work(message)
        C.write(result_in, message, MESSAGE)
      end
      C._exit(0)
    end
    pool.pids[i] = pid
  end
  C.close(task_out)
  return pool
end

function Pool:put(what, value)
  self.message.what, self.message.value = what, value
  assert(C.write(self.task_in, self.message, MESSAGE) == MESSAGE)
end

function Pool:get()
  assert(C.read(self.result_out, self.message, MESSAGE) == MESSAGE)
  return self.message
end

function Pool:stop()
  C.close(self.task_in)
  for _, pid in ipairs(self.pids) do C.waitpid(pid, nil, 0) end
end

local function add(message) message.value = message.value + 1 end

local workloads = {}

function workloads.W1(workers)
  local prefix = "/bench-" .. C.getpid() .. "-"
  local function name(message) return prefix .. tostring(tonumber(message.what)) end
  local pool = start(tonumber(workers), function(message)
    local n = tonumber(message.value)
    local array = ffi.cast("int64_t *", map_named(name(message), n * 8, O_CREAT + O_EXCL))
    for i = 0, n - 1 do array[i] = i end
  end)
  for i = 7, 0, -1 do pool:put(i, 10 ^ i) end
  local count, sum, expected = 0, 0LL, 0LL
  for _ = 1, 8 do
    local message = pool:get()
    local n = tonumber(message.value)
    local array = ffi.cast("int64_t *", map_named(name(message), n * 8, 0))
    C.shm_unlink(name(message))
    for i = 0, n - 1 do sum = sum + array[i] end
    count, expected = count + n, expected + 1LL * n * (n - 1) / 2
  end
  pool:stop()
  assert(count == 11111111 and sum == expected)
end

function workloads.W2(count, workers)
  count = tonumber(count)
  local pool = start(tonumber(workers), add)
  for i = 1, 500 do
    pool:put(0, i)
    pool:get()
  end
  local sent, sum, begin = 0, 0, now()
  for got = 0, count - 1 do
    while sent < count and sent - got < 1024 do -- what the pipes hold
      pool:put(0, sent)
      sent = sent + 1
    end
    sum = sum + tonumber(pool:get().value)
  end
  print("rate", count / (now() - begin))
  assert(sum == count * (count + 1) / 2)
  pool:stop()
end

function workloads.W3(count)
  count = tonumber(count)
  local pool, times = start(1, add), {}
  for i = -500, count do
    local begin = now()
    pool:put(0, i)
    assert(pool:get().value == i + 1)
    if i > 0 then times[i] = now() - begin end
  end
  pool:stop()
  table.sort(times)
  print("p50", times[math.ceil(count / 2)] * 1e6)
  print("p99", times[math.ceil(count * 0.99)] * 1e6)
end

function workloads.W4(size)
  size = tonumber(size)
  local memory = ffi.cast("uint8_t *", map(size, SHARED + ANONYMOUS, -1))
  local pool = start(1, function(message) ffi.fill(memory, size, tonumber(message.value)) end)
  local count, seconds, begin = -1, 0, 0
  while count < 3 or seconds < 0.5 do
    if count <= 0 then begin = now() end
    local value = count % 100 + 1
    pool:put(0, value)
    pool:get()
    for at = 0, size - 1, 4096 do assert(memory[at] == value) end
    count, seconds = count + 1, now() - begin
  end
  print("rate", count / seconds)
  pool:stop()
end

function workloads.W5()
  local pool = start(8, add)
  for i = 1, 8 do pool:put(0, i) end
  for _ = 1, 8 do pool:get() end
  pool:stop()
end

function workloads.W6()
  local n = 10000000
  local out = ffi.cast("int64_t *", map(n * 8, SHARED + ANONYMOUS, -1))
  local function run()
    local begin = now()
    for i = 1, n do out[i - 1] = i * i % 7 end
    return (now() - begin) * 1e3
  end
  print("fresh", run())
  print("warm", math.min(run(), run(), run()))
end

workloads[arg[1]](arg[2], arg[3])
