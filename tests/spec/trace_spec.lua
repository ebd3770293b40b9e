-- SPDX-License-Identifier: MIT
--
-- --trace: what the file says, and that it is there and can be opened whatever happens to the processes and the disk.

local child = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/child.lua")
local cjson = require "cjson"
local shmx = require "shmx"

setup(child.open)
teardown(child.close)

local preamble = [[
  local shmx = require "shmx"
  local function double(x) return 2 * x end
  local function make(n) return shmx.full("i64", n, 1) end
  local function nap(seconds) os.execute("sleep " .. seconds) end
  local function await(condition)
    local till = shmx.clock() + 10
    while not condition() do assert(shmx.clock() < till) os.execute "sleep 0.01" end
  end
]]

local function run(code, given)
  given = given or {}
  given.options = given.options or "--trace trace.json"
  return child.run(preamble .. code, given)
end

local function exists(name)
  local file = io.open(child.path(name))
  return file ~= nil and file:close()
end

local function files()
  local pipe <close> = assert(io.popen("ls " .. child.path ""))
  return pipe:read "a"
end

-- The events of a trace file, which must be valid; and the names of its processes by number.
local function read_trace(name)
  local text = child.read(name or "trace.json")
  local trace = cjson.decode(text)
  local names = {}
  for _, event in ipairs(trace.traceEvents) do
    if event.name == "process_name" then names[event.pid] = event.args.name end
  end
  return trace.traceEvents, names
end

local function select(events, wanted)
  local list = {}
  for _, event in ipairs(events) do
    local fits = true
    for key, value in pairs(wanted) do fits = fits and event[key] == value end
    if fits then list[#list + 1] = event end
  end
  return list
end

before_each(function() os.remove(child.path "trace.json") end)

describe("a trace", function()
  it("has complete events, and names for all processes and threads", function()
    assert.are.equal(0, run([[
      local pool <close> = shmx.pool { workers = 2 }
      for i = 1, 8 do pool:submit(make, 10 * i):wait() end]]).status)
    local events, names = read_trace()
    local threads = {}
    for _, event in ipairs(select(events, { name = "thread_name" })) do threads[event.tid] = event.args.name end
    for _, event in ipairs(events) do
      assert.is_string(event.name)
      assert.matches("^[XstfiCM]$", event.ph)
      for _, field in ipairs { "ts", "pid", "tid" } do assert.is_number(event[field]) end
      assert.is_true(event.ph ~= "X" or event.dur > 0)
      assert.is_string(names[event.pid])
      assert.is_string(threads[event.tid])
    end
    local seen = {}
    for _, name in pairs(names) do seen[#seen + 1] = name end
    table.sort(seen)
    assert.are.same({ "main", "supervisor", "worker 1", "worker 2" }, seen)
    assert.are.equal("script.lua\nstderr\nstdin\nstdout\ntrace.json\n", files())
  end)

  it("shows every task: name, number, attempt, result", function()
    assert.are.equal(0, run([[
      local pool <close> = shmx.pool { workers = 2 }
      for i = 1, 20000 do pool:submit(double, i) end
      local function boom() error "no" end
      local t = pool:submit(boom)
      t:wait()
      assert(t.error)]]).status)
    local events, names = read_trace()
    local tasks = select(events, { cat = "task", ph = "X", name = "double" })
    assert.are.equal(20000, #tasks)
    local numbers = {}
    for _, task in ipairs(tasks) do
      assert.matches("^worker ", names[task.pid])
      assert.are.equal("done", task.args.result)
      assert.are.equal(1, task.args.attempt)
      numbers[task.args.task] = true
    end
    for i = 1, 20000 do assert.is_true(numbers[i]) end
    local failed = select(events, { cat = "task", ph = "X", name = "boom" })
    assert.are.equal("failed", failed[1].args.result)
    assert.matches("script.lua:%d+: no", select(events, { name = "failure" })[1].args.error)
  end)

  it("has NOTIFY, ACKNOWLEDGE and TRANSFER COMPLETE for each array, in that order", function()
    local root = debug.getinfo(1, "S").source:match "^@(.*)tests/spec/"
    local file <close> = assert(io.open(root .. "scripts/examples/handover.lua"))
    assert.are.equal(0, child.run(file:read "a", { options = "-w 2 --trace trace.json" }).status)
    local events, names = read_trace()
    local arrays = 0
    for _, notify in ipairs(select(events, { name = "NOTIFY" })) do
      local function step(name)
        for _, event in ipairs(select(events, { name = name })) do
          if event.args.segment == notify.args.segment then return event end
        end
      end
      local acknowledge, complete, hold = step "ACKNOWLEDGE", step "TRANSFER COMPLETE", step "HOLD"
      assert.matches("^worker ", names[notify.pid])
      assert.are.equal("supervisor", names[acknowledge.pid])
      assert.are.equal(notify.pid, complete.pid)
      assert.are.equal("main", names[hold.pid])
      assert.is_true(notify.ts <= acknowledge.ts and acknowledge.ts <= complete.ts)
      arrays = arrays + 1
    end
    assert.is_true(arrays >= 8)
    for _, phase in ipairs { "s", "t", "f" } do assert.is_true(#select(events, { ph = phase }) >= 8) end
  end)

  it("shows an attempt that never ended, and how its worker did", function()
    run([[
      local pool <close> = shmx.pool { workers = 1 }
      local t = pool:submit(nap, 20)
      await(function() return pool.workers[1] and pool.workers[1].task end)
      pool.workers[1]:kill()
      t:wait()
      assert(t.error)
      pool:submit(double, 1):get()]])
    local events = read_trace()
    local nap = select(events, { name = "nap", ph = "X" })
    assert.are.equal(1, #nap)
    assert.are.equal("killed by SIGKILL", nap[1].args.result)
    assert.are.equal(1, #select(events, { name = "double", ph = "X" }))
  end)
end)

describe("the trace of a retried task", function()
  it("shows every attempt", function()
    assert.are.equal("ok\n", run([[
      local function flaky()
        if select(3, shmx.worker()) < 3 then os.execute("kill -9 " .. shmx.pid()) end
        return "ok"
      end
      local pool <close> = shmx.pool { workers = 2, retries = 2 }
      print(pool:submit(flaky):get())]]).out)
    local results = {}
    for _, event in ipairs(select(read_trace(), { name = "flaky", ph = "X" })) do
      results[event.args.attempt] = event.args.result
    end
    assert.are.same({ "killed by SIGKILL", "killed by SIGKILL", "done" }, results)
  end)
end)

describe("the file of a trace", function()
  it("is there, up to the last second, when main is killed", function()
    assert.are.equal(137, run([[
      local pool = shmx.pool { workers = 1 }
      for i = 1, 10 do pool:submit(double, i):get() end
      pool:submit(nap, 20)
      await(function() return pool.workers[1].task end)
      os.execute("kill -9 " .. shmx.pid())]]).status)
    local till = shmx.clock() + 5
    while not exists "trace.json" do assert.is_true(shmx.clock() < till) end
    local events = read_trace()
    assert.are.equal(10, #select(events, { name = "double", ph = "X" }))
    assert.are.equal("not finished", select(events, { name = "nap", ph = "X" })[1].args.result)
  end)

  it("is there when the supervisor is killed, and the next one writes another", function()
    assert.are.equal(0, run([[
      local pool = shmx.pool { workers = 1 }
      pool:submit(double, 1):get()
      os.execute "sleep 0.5"
      os.execute("pkill -9 -P " .. shmx.pid() .. " shmx-host")
      await(function() return not pcall(function() pool:submit(double, 1):get() end) end)
      pcall(pool.close, pool)
      local second <close> = shmx.pool { workers = 1 }
      second:submit(make, 1):get()]]).status)
    assert.are.equal(1, #select(read_trace(), { name = "double", ph = "X" }))
    assert.are.equal(1, #select(read_trace "trace.json.2", { name = "make", ph = "X" }))
    os.remove(child.path "trace.json.2")
  end)

  it("is as it was when the disk is full, and a warning says so", function()
    child.write("inner.lua", preamble .. [[
      local pool <close> = shmx.pool { workers = 1 }
      for i = 1, 5000 do pool:submit(double, i) end]])
    local code = [[
      assert(os.execute "mkdir -p small && mount -t tmpfs -o size=64k none small && echo old > small/trace.json")
      assert(os.execute(arg[-1] .. " --trace small/trace.json inner.lua"))
      os.execute "cat small/trace.json; ls small"]]
    local done = child.run(code, { program = "unshare", options = "-m -- " .. child.program })
    if done.err:find("unshare", 1, true) or done.err:find("mount", 1, true) then
      return pending "needs the right to mount a small file system"
    end
    assert.are.equal(0, done.status)
    assert.are.equal("old\ntrace.json\n", done.out)
    assert.matches("the trace could not be written: [^\n]*/small/trace.json: No space left on device; what was there "
      .. "before is unchanged\n$", done.err)
  end)

  it("is named in the error when it cannot be written", function()
    local done = run("shmx.pool()", { options = "--trace nowhere/trace.json" })
    assert.are.equal(1, done.status)
    assert.matches("script.lua:9: the trace cannot be written: nowhere/trace.json: No such file or directory", done.err)
    assert.matches("Is a directory", run("shmx.pool()", { options = "--trace ./" }).err)
  end)

  it("can be named by SHMX_TRACE", function()
    local code = "local pool <close> = shmx.pool { workers = 1 }"
    run(code, { options = "-E", environment = "SHMX_TRACE=trace.json" })
    assert.is_falsy(exists "trace.json")
    run(code, { options = "", environment = "SHMX_TRACE=trace.json" })
    assert.is_truthy(read_trace())
  end)

  it("is not left half-made by a run without a pool", function()
    run "print(1)"
    run("shmx.pool { workers = 1000000 }")
    assert.is_nil(files():find "trace")
  end)
end)

describe("task.handovers", function()
  local report = [[
    local pool <close> = shmx.pool { workers = 1 }
    local t = pool:submit(function(a) return { shmx.array("u8", 9) }, a end, shmx.array("u8", 5))
    local first = t:get()[1]
    if traced then await(function() return t.handovers[1].complete end) end
    for _, h in ipairs(t.handovers) do
      print(h.segment.bytes, h.giver, h.receiver, h.notify and h.notify <= h.acknowledge, first.segment == h.segment)
    end
    local h = t.handovers[1]
    print(h.complete and h.acknowledge <= h.complete and h.complete <= shmx.clock())
    local plain = pool:submit(double, 1)
    print(plain.handovers)
    plain:wait()
    print(#plain.handovers)]]

  it("has the times of each step in a traced run", function()
    local done = run("local traced = true\n" .. report)
    assert.are.equal("", done.err)
    assert.are.equal("9\tworker 1\tmain\ttrue\ttrue\n5\tworker 1\tmain\ttrue\tfalse\ntrue\nnil\n0\n", done.out)
  end)

  it("has who gave what to whom without a trace", function()
    local done = run("local traced\n" .. report, { options = "" })
    assert.are.equal("", done.err)
    assert.are.equal("9\tworker 1\tmain\tnil\ttrue\n5\tworker 1\tmain\tnil\tfalse\nnil\nnil\n0\n", done.out)
  end)
end)
