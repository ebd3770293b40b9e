-- SPDX-License-Identifier: MIT
--
-- --report: the page has what happened, needs nothing from anywhere, and a browser draws it.

local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/")
local await, child = dofile(here .. "/await.lua"), dofile(here .. "/child.lua")
local cjson = require "cjson"

setup(child.open)
teardown(child.close)

local chromium = "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
  .. "--disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr "

local script = [[
  local shmx = require "shmx"
  local function make(n) return shmx.array("i64", n) end
  local function flaky(i) if i == 3 then error "<i>three</i>" end end
  local function die() os.execute("kill -9 " .. shmx.pid()) end
  local pool <close> = shmx.pool { workers = 2 }
  for i = 1, 5 do pool:submit(make, 1000 * i):wait() end
  local tasks = { shmx.task(die) }
  for i = 1, 10 do tasks[i + 1] = shmx.task(flaky, i) end
  pool:execute(tasks, { on_error = "return" })]]

local function run(code, options) return child.run(code, { options = options or "--report report.html" }) end

local function read_data()
  local page = child.read "report.html"
  return cjson.decode(page:match "\nconst D = (.-);\n"), page
end

-- What the browser has made of the page, and what it complained of.
local function open_page(flags)
  local probe = io.popen "command -v chromium"
  local found = probe:read "l"
  probe:close()
  if not found then return end
  local line = ("%s %s --user-data-dir=%s --dump-dom file://%s 2>%s"):format(chromium, flags, child.path "profile",
    child.path "report.html", child.path "log")
  local pipe <close> = assert(io.popen(line))
  return pipe:read "a", child.read "log"
end

describe("a report", function()
  it("has the counts, the functions, the slowest, the failures and the handovers", function()
    assert.are.equal(0, run(script).status)
    local data = read_data()
    assert.are.same({ 14, 1, 1 }, data.results)
    assert.are.equal(16, data.run[1])
    assert.are.equal(2, data.workers)
    assert.are.equal(16, #data.slowest)
    local counts = {}
    for _, f in ipairs(data.functions) do counts[f[1]] = f[2] end
    assert.are.same({ make = 5, flaky = 10, die = 1 }, counts)
    local results = {}
    for _, ill in ipairs(data.ill) do results[#results + 1] = ill[8] end
    table.sort(results)
    assert.are.same({ "failed", "killed by SIGKILL" }, results)
    assert.is_true(data.handed[1] >= 5)
    local whole = 0
    for _, h in ipairs(data.handovers) do
      assert.is_true(h[2] > 0 and h[2] <= h[3])
      if h[3] <= h[5] then whole = whole + 1 end
    end
    assert.is_true(whole >= 1)
    assert.is_true(#data.samples > 0 and data.peak > 0)
    assert.is_true(data.duration > 0)
    assert.matches("shmx%-lua %-%-report report.html script.lua", data.command)
  end)

  it("counts by function, whatever the arguments are, also with bars, and the batches of map", function()
    run([[
      local function make(n) return { n } end
      local function square(x) return x * x end
      local pool <close> = require("shmx").pool { workers = 2 }
      local list = {}
      for i = 1, 10000 do list[i] = i end
      for i = 1, 5 do pool:submit(make, i) end
      pool:map(square, list)
      pool:imap(square, { 1, 2, 3 })()]], "--progress --report report.html")
    local names = {}
    for _, f in ipairs(read_data().functions) do names[#names + 1] = f[1] end
    table.sort(names)
    assert.are.same({ "make", "square" }, names)
  end)

  it("has the elements of map that failed, as have the job log and the pool's numbers", function()
    local code = [[
      local shmx = require "shmx"
      local pool <close> = shmx.pool { workers = 1 }
      local function odd(x) if x % 1000 == 0 then error("even " .. x, 0) end return x end
      local list = {}
      for i = 1, 2500 do list[i] = i end
      print(#select(2, pcall(pool.map, pool, odd, list)).tasks, pool:stats().tasks.failed)]]
    assert.are.equal("2\t2\n", run(code, "--report report.html --joblog log").out)
    local data = read_data()
    assert.are.equal(2, data.results[2])
    local texts, said = {}, {}
    for _, failure in ipairs(data.failures) do texts[failure[1]] = failure[2] end
    for _, ill in ipairs(data.ill) do said[#said + 1] = texts[ill[1]] end
    table.sort(said)
    assert.are.same({ "even 1000", "even 2000" }, said)
    assert.are.equal(2, select(2, child.read("log"):gsub("\tfailed\todd\n", "")))
  end)

  it("needs nothing from the network", function()
    run(script)
    local _, page = read_data()
    for _, word in ipairs { "http:", "https:", "src=", "href=", "@import", "fetch(", "url(" } do
      assert.is_nil(page:find(word, 1, true), word)
    end
  end)

  it("is drawn by a browser, light and dark", function()
    run(script)
    for _, flags in ipairs { "", "--blink-settings=preferredColorScheme=0" } do
      local dom, log = open_page(flags)
      if not dom then return pending "needs chromium" end
      assert.matches('<body data%-ready="yes"', dom)
      assert.not_matches("CONSOLE", log)
      assert.matches("killed by SIGKILL", dom)
      assert.matches("&lt;i&gt;three&lt;/i&gt;", dom)
      assert.matches("<code>make</code>", dom)
    end
  end)

  it("is drawn of a run without any task", function()
    run "local pool <close> = require('shmx').pool { workers = 1, init = function() end }"
    local dom, log = open_page ""
    if not dom then return pending "needs chromium" end
    assert.matches('<body data%-ready="yes"', dom)
    assert.not_matches("CONSOLE", log)
    assert.matches("Every task was done", dom)
  end)

  it("is written when main is killed, too, and beside a trace", function()
    assert.are.equal(137, run(script:gsub("pool:execute.*$", [[
      pool:submit(os.execute, "kill -9 " .. shmx.pid()):wait()]]), "--trace t.json --report killed.html").status)
    await(function() return io.open(child.path "killed.html") end, 5)
    assert.matches("const D = ", child.read "killed.html")
    assert.matches('"name":"make"', child.read "t.json")
  end)

  it("of a run without worker processes is not written, which the command says, and so of a trace", function()
    local missing = "shmx-lua: no %s was written: no pool has started workers\n"
    for _, code in ipairs { "", "local pool <close> = require('shmx').pool { workers = 0 }" } do
      local done = run(code, "--report none.html --trace none.json")
      assert.are.equal(missing:format "trace" .. missing:format "report", (done.err:gsub("[^\n]*/", "")))
      assert.are.equal(0, done.status)
      assert.is_nil(io.open(child.path "none.html"))
    end
    assert.are.equal("", run("require('shmx').pool { workers = 1 }:close()", "--report one.html").err)
    assert.matches("^[^\n]*: no\n[^\n]*traceback", run("error('no', 0)", "--report none.html").err)
    assert.are.equal("", run("os.remove 'x'", "").err)
  end)

  it("is named in the error when it cannot be written", function()
    local done = run("\nrequire('shmx').pool()", "--report nowhere/report.html --trace t2.json")
    assert.are.equal(1, done.status)
    assert.matches("script.lua:2: the report cannot be written: nowhere/report.html: No such file", done.err)
    local pipe <close> = io.popen("ls " .. child.path "")
    assert.is_nil(pipe:read "a":find "t2")
  end)
end)
