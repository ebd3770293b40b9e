-- SPDX-License-Identifier: MIT
--
-- --trace: what the file says, and that it is there and can be opened whatever happens to the processes and the disk.

local here = debug.getinfo(1, "S").source:match "^@(.*)/spec/"
local await, child = dofile(here .. "/await.lua"), dofile(here .. "/child.lua")
local schema = dofile(here .. "/trace_schema.lua")
local cjson = require "cjson"
local lfs = require "lfs"

setup(child.open)
teardown(child.close)

local preamble = [[
  local shmx = require "shmx"
  local function double(x) return 2 * x end
  local function make(n) return shmx.full("i64", n, 1) end
  local function nap(seconds) os.execute("sleep " .. seconds) end
  local await = dofile "]] .. child.tests .. [[/await.lua"
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

local function files(folder)
  local pipe <close> = assert(io.popen("ls " .. child.path(folder or "")))
  return pipe:read "a"
end

-- The events of a trace file, which must be valid; and the names of its processes by number.
local function read_trace(name)
  local trace = cjson.decode(child.read(name or "trace.json"))
  assert.are.same({}, schema.complaints(trace))
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
    local _, names = read_trace() -- it looks at every event
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
    local file <close> = assert(io.open(here .. "/../scripts/examples/handover.lua"))
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
    for _, phase in ipairs { "s", "f" } do assert.is_true(#select(events, { ph = phase }) >= 16) end
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

describe("a trace to which nothing is added", function()
  local idle = [[
    local pool <close> = shmx.pool { workers = 1, init = function() end }
    local function read(path) local file <close> = assert(io.open(path)) return file:read "a" end
    local supervisor = read("/proc/" .. pool.workers[1].pid .. "/stat"):match "^%d+ %b() %a (%d+)"
    local function count_rests()
      return read("/proc/" .. supervisor .. "/status"):match "\nvoluntary_ctxt_switches:%s*(%d+)"
    end
    local function await_rest()
      await(function()
        local before = count_rests()
        nap(0.3)
        return count_rests() == before
      end)
    end
    local function await_text(pattern)
      await(function() return read("trace.json." .. shmx.pid()):find(pattern) end)
    end
    await_rest()
  ]]

  it("lets the supervisor sleep, and goes on with the next task", function()
    local done = run(idle .. [[
      pool:submit(double, 1):get()
      await_text '"name":"double"'
      await_rest()
      local function twice(x) return 2 * x end
      pool:submit(twice, 1):get()
      await_text '"name":"twice"']])
    assert.are.equal("", done.err)
  end)

  it("goes on with the next array of the script", function()
    local done = run(idle .. [[
      local a = shmx.array("u8", 32 << 20)
      await_text '"in chunks":3%d%d%d%d%d%d%d[^%d]']])
    assert.are.equal("", done.err)
  end)
end)

describe("the trace of a task that was stopped", function()
  local function results(options, code)
    run(([[
      local function spin() while true do end end
      local pool <close> = shmx.pool { workers = 1, grace = 0.1, %s }
      local function stop(f, ...)
        local t = pool:submit(f, ...)
        await(function() return t.status ~= "queued" end)
        %s
        assert(t:wait(10) and t.error)
      end
      stop(nap, 20)
      stop(spin)
      pool:submit(double, 1):get()]]):format(options, code))
    local events, list = read_trace(), {}
    for _, name in ipairs { "nap", "spin", "double" } do
      for _, event in ipairs(select(events, { name = name, ph = "X" })) do
        list[#list + 1] = name .. ": " .. event.args.result
      end
    end
    return table.concat(list, "; ")
  end

  it("says that it used up its time, and that its worker was killed for it", function()
    assert.are.equal("nap: timeout, killed by SIGKILL; spin: timeout; double: done", results("timeout = 0.1", ""))
    assert.are.equal("nap: timeout, killed by SIGKILL; nap: timeout, killed by SIGKILL; spin: timeout; spin: timeout; "
      .. "double: done", results("timeout = 0.1, retries = 1", ""))
  end)

  it("says that it was cancelled", function()
    assert.are.equal("nap: cancelled, killed by SIGKILL; spin: cancelled; double: done",
      results("output = 'capture'", "t:cancel()"))
  end)
end)

describe("the check of traces", function()
  local good = { name = "f", ph = "X", pid = 1, tid = 1, ts = 10, dur = 5 }
  local function with(changes)
    local event = {}
    for key, value in pairs(good) do event[key] = value end
    for key, value in pairs(changes) do event[key] = value end
    return event
  end
  local function complaint(...)
    local events = { ... }
    for _, what in ipairs { "process_name", "thread_name" } do
      table.insert(events, with { name = what, ph = "M", args = { name = "main" } })
    end
    return schema.complaints({ traceEvents = events })[1]
  end

  it("has nothing to say of a good one", function()
    assert.is_nil(complaint(good, with { ts = 15 }, with { ts = 11, dur = 2 }, with { ts = 13, dur = 2 },
      with { ph = "B", ts = 1 }, with { ph = "B", ts = 2, name = "g" }, with { ph = "E", ts = 3, name = "g" },
      with { ph = "E", ts = 4 }, with { ph = "f", id = 7, cat = "c", ts = 15 }, with { ph = "s", id = 7, cat = "c" }))
  end)

  it("sees what would be dropped or drawn wrongly", function()
    for expected, events in pairs {
      ["its dur is nil, and no number"] = { { name = "f", ph = "X", pid = 1, tid = 1, ts = 10 } },
      ["nan, and no number"] = { with { ts = 0 / 0 } },
      ["its pid is 1.5, and no integer"] = { with { pid = 1.5 } },
      ["its name is 5"] = { with { name = 5 } },
      ["its args is none"] = { with { args = "none" } },
      ["there is no such phase"] = { with { ph = "Z" } },
      ["it has no length"] = { with { dur = 0 } },
      ["it is before the beginning"] = { with { ts = -1 } },
      ["its process has no name"] = { with { pid = 2 } },
      ["its thread has no name"] = { with { tid = 2 } },
      ["it is named twice"] = { with { ph = "M", name = "thread_name", args = { name = "x" } } },
      ["it has no name"] = { with { ph = "M", name = "process_name", args = {} } },
      ["its counter n is no number"] = { with { ph = "C", args = { n = "1" } } },
      ["it ends at 16.000, after 'f', in which it begins"] = { good, with { ts = 12, dur = 4 } },
      ["it ends what has not begun"] = { with { ph = "B" }, with { ph = "E", ts = 11, name = "g" } },
      ["it does not end"] = { with { ph = "B" } },
      ["the flow 7 has not begun"] = { good, with { ts = 15 }, with { ph = "s", id = 7, cat = "c" },
        with { ph = "f", id = 7, cat = "c" }, with { ph = "t", id = 7, cat = "c", ts = 15 } },
      ["nothing runs there"] = { good, with { ph = "s", id = 7, cat = "c", ts = 11 } },
    } do
      local found = complaint(table.unpack(events))
      assert.is_truthy(found and found:find(expected, 1, true), expected .. " <> " .. tostring(found))
    end
    assert.are.same({ "it has no traceEvents" }, schema.complaints {})
    assert.are.same({ "its displayTimeUnit is neither ms nor ns" },
      schema.complaints { traceEvents = {}, displayTimeUnit = "s" })
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
    await(function() return exists "trace.json" end, 5)
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
    assert.matches("script.lua:6: the trace cannot be written: nowhere/trace.json: No such file or directory", done.err)
    assert.matches("Is a directory", run("shmx.pool()", { options = "--trace ./" }).err)
    assert.matches("the report cannot be written: /dev/null: it is no regular file",
      run("shmx.pool()", { options = "--report /dev/null" }).err)
  end)

  it("can be named by SHMX_TRACE", function()
    local code = "local pool <close> = shmx.pool { workers = 1 }"
    run(code, { options = "-E", environment = "SHMX_TRACE=trace.json" })
    assert.is_falsy(exists "trace.json")
    run(code, { options = "", environment = "SHMX_TRACE=trace.json" })
    assert.is_truthy(read_trace())
  end)

  it("leaves alone what has the name that it would be written under", function()
    child.write("victim", "untouched")
    assert.are.equal(0, run([[
      for _, name in ipairs { "trace.json.", "report.html." } do
        os.execute("ln -s victim " .. name .. shmx.pid())
      end
      local pool <close> = shmx.pool { workers = 1 }
      pool:submit(double, 1):get()]], { options = "--trace trace.json --report report.html" }).status)
    assert.are.equal("untouched", child.read "victim")
    assert.are.equal(1, #select(read_trace(), { name = "double", ph = "X" }))
    assert.matches("</html>%s*$", child.read "report.html")
    assert.matches("\nreport.html\nreport.html.%d+\nscript.lua\n.*\ntrace.json\ntrace.json.%d+\nvictim\n$",
      "\n" .. files())
    os.execute(("cd %s && rm trace.json.* report.html* victim"):format(child.path ""))
  end)

  it("may be read by whom the process lets read its files", function()
    run("local pool <close> = shmx.pool { workers = 1 }",
      { options = "--trace trace.json --report report.html", before = "umask 027" })
    for _, name in ipairs { "trace.json", "report.html" } do
      assert.are.equal("rw-r-----", lfs.attributes(child.path(name), "permissions"))
    end
    os.remove(child.path "report.html")
  end)

  it("is made where a link leads, and may be read by whom the file before it might", function()
    os.execute(("cd %s && mkdir there && ln -s there/next trace.json && ln -s last there/next"):format(child.path ""))
    run("local pool <close> = shmx.pool { workers = 1 }")
    assert.is_truthy(read_trace "there/last")
    os.execute("chmod 660 " .. child.path "there/last")
    run("require 'lfs'.chdir 'there' local pool <close> = shmx.pool { workers = 1 } require 'lfs'.chdir '/'",
      { options = "--trace ../trace.json --report report.html" })
    assert.is_truthy(read_trace "there/last")
    assert.are.equal("rw-rw----", lfs.attributes(child.path "there/last", "permissions"))
    assert.are.equal("link", lfs.symlinkattributes(child.path "trace.json", "mode"))
    assert.are.equal("link", lfs.symlinkattributes(child.path "there/next", "mode"))
    assert.are.equal("last\nnext\nreport.html\n", files "there")
    os.execute("rm -r " .. child.path "there")
  end)

  it("is not left half-made by a run without a pool", function()
    run "print(1)"
    run("shmx.pool { workers = 1000000 }")
    assert.is_nil(files():find "trace")
  end)
end)

describe("the files of a run", function()
  local function refusal(options, given)
    given = given or {}
    given.options = options
    local done = run("shmx.pool { workers = 1 }", given)
    assert.are.equal(1, done.status)
    return done.err:match "script.lua:[^\n]*"
  end

  it("are not the same one, by whatever name", function()
    assert.are.equal("script.lua:6: the trace and the report cannot be one file, as both and ./both are",
      refusal "--trace both --report ./both")
    assert.are.equal("script.lua:6: the trace and the job log cannot be one file, as both and both are",
      refusal("--joblog both", { environment = "SHMX_TRACE=both" }))
    assert.is_falsy(exists "both")
    os.execute(("cd %s && ln -s both link && ln -s link far"):format(child.path ""))
    assert.matches("the report and the job log cannot be one file, as far and both are$",
      refusal "--report far --joblog both")
    child.write("both", "1.5\t0.1\t1\t1\tdone\ta\n")
    assert.matches("the trace and the job log to resume from cannot be one file, as link and both are$",
      refusal "--trace link --resume both")
    assert.are.equal("1.5\t0.1\t1\t1\tdone\ta\n", child.read "both")
    os.execute(("cd %s && rm both link far"):format(child.path ""))
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
