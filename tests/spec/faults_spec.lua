-- SPDX-License-Identifier: MIT
--
-- Faults: processes are killed, stopped and starved at every moment that has a name and at random ones, and afterwards
-- all holds that tests/faults/oracle.lua knows of. Each case is a script of tests/faults in a process of its own.
--
-- SHMX_FAULTS_BUILD names a build with injection points (scripts/build NAME -DSHMX_FAULTS=ON); without it, what needs
-- them is pending. SHMX_TEST_LONG makes everything longer.

local case = dofile(debug.getinfo(1, "S").source:match("^@(.*)/spec/") .. "/faults/case.lua")

setup(case.open)
teardown(case.close)

local seed = tonumber(os.getenv("SHMX_TEST_SEED")) or os.time()

describe("random kills", function()
  local rounds = { { kills = 1000, workers = 4 }, { kills = 100, workers = 1 }, { kills = 300, workers = 13 } }
  if case.long then
    for _, workers in ipairs { 2, 5, 13, 30 } do rounds[#rounds + 1] = { kills = 4000, workers = workers } end
  end
  for i, round in ipairs(rounds) do
    local arguments = ("%d %d %d"):format(seed + i, round.kills, round.workers)
    it("lose no task and no byte (random_kills.lua " .. arguments .. ")", function()
      local done = case.pass("random_kills", arguments, { seconds = 120 })
      assert.matches("^%d+\t%d+\n$", done.out)
    end)
  end
end)

describe("deaths of workers", function()
  for _, name in ipairs { "all_at_once", "themselves", "siblings", "after_the_commit", "every_start", "supervisor" } do
    for _, workers in ipairs { 1, 2, 5, 13 } do
      it(("%s, of %d"):format(name, workers), function() case.pass("deaths", name .. " " .. workers) end)
    end
  end
end)

-- Which points a role has, and what can happen at each. A stopped process is told to go on after a moment.
local points = { w = 12, m = 8, s = 10 }
local actions = { w = { "kill", "stop" }, m = { "kill", "stop" }, s = { "kill", "stop" } }
if case.long then
  actions = { w = { "kill", "stop", "abort", "exit" }, m = { "kill", "stop", "term", "abort" },
              s = { "kill", "stop", "abort", "exit" } }
end
local go_on = "for i in $(seq 1000); do [ -s $MARK.done ] && sleep 0.1 && kill -CONT $(cat $MARK.done) && break; "
  .. "sleep 0.01; done"
local status_of_main = { kill = 137, term = 143, abort = 134 }

describe("at each point", function()
  local roles = { w = "a worker", m = "main", s = "the supervisor" }

  local function try(role, point, action)
    local given = { build = case.faults_build, environment = ("SHMX_FAULT=%s:%s"):format(point, action),
                    beside = action == "stop" and go_on or nil, seconds = 60 }
    local done = case.run("points", point .. " " .. action, given)
    assert.matches("^%d+\n$", done.marked, "the process never came by this point\n" .. done.err)
    local ends = role == "m" and status_of_main[action]
    assert.are.same({ left = "", err = ends and done.err or "", status = ends or 0 },
      { left = done.left, err = done.err, status = done.status })
    assert.is_nil(done.err:match("Sanitizer"), done.err)
  end

  for role, last in pairs(points) do
    for number = 0, last do
      for _, action in ipairs(actions[role]) do
        local point = role .. number
        it(("%s, %s: %s"):format(point, roles[role], action), function()
          if not case.faults_build then return pending("there is no build with injection points") end
          try(role, point, action)
        end)
      end
    end
  end
end)

describe("numbers of workers", function()
  it("are given again when all have been given", function()
    if not case.faults_build then return pending("there is no build with injection points") end
    case.pass("numbers", case.long and 200 or 20, { build = case.faults_build, environment = "SHMX_FAULT_PEERS=32" })
  end)
end)

describe("stopped processes", function()
  local names = { "idle_worker", "idle_worker_closing", "wake_up", "all_workers", "busy_worker", "waiting_worker",
                  "supervisor", "supervisor_closing", "main" }
  for _, name in ipairs(names) do
    it(name .. " hold nobody up and are not taken for dead", function()
      case.pass("stops", name .. (case.long and " 10" or " 1"), { seconds = 60 })
    end)
  end
end)

describe("limits of tasks", function()
  local names = {
    "retries", "timeouts", "cancels", "chains", "stopped_worker", "stopped_supervisor", "stopped_main", "first_task",
  }
  for _, name in ipairs(names) do
    it("hold whatever happens: " .. name, function() case.pass("limits", name .. " " .. seed, { seconds = 60 }) end)
  end
end)

describe("descriptors and mappings", function()
  it("are flat over many handovers", function()
    case.pass("descriptors", "flat " .. (case.long and 200000 or 20000), { seconds = 120 })
  end)
  it("are not inherited by what a script or a task starts", function() case.pass("descriptors", "popen") end)
  it("are few with many live arrays", function()
    case.pass("descriptors", "few " .. (case.long and 100000 or 20000), { before = "ulimit -n 128", seconds = 120 })
  end)
  it("that a pool cannot have are an error that names the limit", function()
    case.pass("descriptors", "too_many 200", { before = "ulimit -n 64" })
  end)
  it("that the supervisor cannot have are told with the limit's name", function()
    case.pass("descriptors", "crowd 160", { before = "ulimit -n 128" })
    case.pass("descriptors", "chunks 60", { before = "ulimit -n 40" })
    case.pass("descriptors", "answers 60", { before = "ulimit -n 40" })
  end)
end)

describe("a forked child", function()
  it("cannot use shmx and harms nobody", function() case.pass("forks") end)
end)

describe("signals", function()
  for _, moment in ipairs { "idle", "submitting", "running", "receiving", "closing", "opening" } do
    it("Ctrl-C while " .. moment, function()
      local done = case.run("signals", moment .. " INT")
      assert.are.same({ left = "", status = 1 }, { left = done.left, status = done.status }, done.err)
      assert.matches("^[^\n]*interrupted!\n", done.err)
    end)
    for signal, status in pairs { TERM = 143, HUP = 129, KILL = 137 } do
      it(("SIG%s while %s"):format(signal, moment), function()
        local done = case.run("signals", moment .. " " .. signal)
        assert.are.same({ left = "", status = status }, { left = done.left, status = done.status }, done.err)
      end)
    end
  end
  for _, moment in ipairs { "running", "closing" } do
    it("Ctrl-C twice while " .. moment, function()
      local done = case.run("signals", moment .. " INT INT")
      assert.are.same({ left = "", status = 130 }, { left = done.left, status = done.status }, done.err)
    end)
  end
end)

describe("the oracle finds", function()
  local function expect(name, words)
    it(words, function()
      local done = case.run("broken", name)
      assert.are.equal(1, done.status)
      assert.matches(words, done.err, 1, true)
    end)
  end
  expect("array", "the ledger still has 1 segments of 80 bytes")
  expect("descriptor", "descriptors, there were")
  expect("mapping", "mappings of shared memory, there were")
  expect("verdict", "task 1 has no verdict but is queued")
  expect("two_verdicts", "task 1 is done, its error is")
  expect("other_verdict", "task 1 is crashed and also failed")
  expect("strength", "2 of 3 workers are ready")
  expect("contents", "of 100 elements from 6 is wrong")

  it("a process that is left", function()
    local done = case.run("broken", "process")
    assert.matches("^process %d+ is left: sleep 5 ", done.left)
    for pid in done.left:gmatch("process (%d+) is left: sleep 5 ") do os.execute("kill " .. pid) end
  end)

  it("a name in /dev/shm", function()
    local done = case.run("broken", "name")
    os.remove("/dev/shm/shmx-broken-" .. done.err)
    assert.are.equal("/dev/shm has a new name: shmx-broken-" .. done.err, done.left)
  end)

  it("a script that hangs", function()
    assert.are.equal(124, case.run("broken", "hang", { seconds = 1 }).status)
  end)
end)
