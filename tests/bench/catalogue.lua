-- SPDX-License-Identifier: MIT
--
-- What is measured: workloads with their figures, and which program of which system gives them.

---One thing that is measured of several systems, side by side.
---@class bench.Chart
---@field key string
---@field title string
---@field unit string
---@field better "more"|"less"
---@field line boolean?      one line is enough for it

---A program that gives figures.
---@class bench.Entry
---@field system string               as people call it
---@field kind "ours"|"limit"|"hand"|"peer"   limit: hand-written C; hand: written by hand for this workload
---@field command string[]
---@field needs bench.Need[]
---@field figures table<string, {chart: string, scale: number?}>  by the name that the program prints
---@field slow boolean?               runs twice at most

---What a program needs that may not be there.
---@class bench.Need
---@field package string    what to install, or which option to give
---@field found boolean

local SIZES = { { "1 KiB", 1 << 10 }, { "64 KiB", 1 << 16 }, { "1 MiB", 1 << 20 }, { "64 MiB", 1 << 26 },
  { "512 MiB", 1 << 29 } }
local LARGE = 1 << 20 -- from here on speed is told in GB/s

-- Operations on arrays, as the programs name them; those of floats alone.
local OPERATIONS = { "fill", "range", "copy", "a+b", "a+b_new", "a*b+c", "sum", "dot", "min_max", "cumsum", "a<b",
  "mask", "take", "transpose", "sort", "argsort", "astype" }
local FLOAT_OPERATIONS = { "sqrt", "exp" }

---@class bench.Places
---@field shmx string     the command
---@field here string     this folder
---@field limits string   the folder with the compiled limits
---@field peers string?   a folder with peers that are no packages
---@field seed string?    the seed program

---@class bench.Catalogue
---@field workloads string[]
---@field charts table<string, bench.Chart[]>     by workload
---@field entries table<string, bench.Entry[]>    by workload, in the order in which they run
local Catalogue = {}
Catalogue.__index = Catalogue

local function succeeds(command) return os.execute(command .. " >/dev/null 2>&1") == true end

local function exists(path)
  local file = path and io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- Python as Debian has it, whose packages these are.
local function find_python() return exists "/usr/bin/python3" and "/usr/bin/python3" or "python3" end

local function find_needs(places)
  local python, peers = find_python(), places.peers or "--peers"
  local needs = { -- packages are Debian's
    luajit = { package = "luajit", found = succeeds "luajit -v" },
    node = { package = "nodejs", found = succeeds "node --version" },
    python = { package = "python3", found = succeeds(python .. " --version") },
    lanes = { package = "a folder with it by --peers", found = exists(peers .. "/lanes.lua") },
    seed = { package = "its path by --seed", found = exists(places.seed) },
  }
  for _, module in ipairs { "numpy", "joblib", "torch" } do
    needs[module] = { package = "python3-" .. module, found = succeeds(python .. " -c 'import " .. module .. "'") }
  end
  return needs, python, peers
end

---@param places bench.Places
---@return bench.Catalogue
local function new(places)
  local needs, python, peers = find_needs(places)
  local self = setmetatable({ workloads = {}, charts = {}, entries = {} }, Catalogue)
  local current

  local function workload(name)
    current = name
    table.insert(self.workloads, name)
    self.charts[name], self.entries[name] = {}, {}
  end

  local function chart(key, title, unit, better)
    local new_chart = { key = key, title = title, unit = unit, better = better }
    table.insert(self.charts[current], new_chart)
    return new_chart
  end

  local function add(kind, system, figures, command, ...)
    local entry = { kind = kind, system = system, command = command, needs = {}, figures = {} }
    for name, to in pairs(figures) do entry.figures[name] = type(to) == "string" and { chart = to } or to end
    for _, name in ipairs { ... } do table.insert(entry.needs, needs[name]) end
    table.insert(self.entries[current], entry)
    return entry
  end

  local function ours(file, ...) return { places.shmx, places.here .. "/ours/" .. file .. ".lua", ... } end
  local function limit(file, ...) return { places.limits .. "/" .. file, ... } end
  local function luajit(...) return { "luajit", places.here .. "/peers/luajit.lua", ... } end
  local function node(...) return { "node", places.here .. "/peers/node.js", ... } end
  local function py(...) return { python, places.here .. "/peers/python.py", ... } end
  local function lanes(...) return { "lua5.4", places.here .. "/peers/lanes.lua", peers, ... } end
  local function seed(...) return { python, places.here .. "/peers/seed.py", places.seed, ... } end
  local function measured(how, command) return { places.limits .. "/measure", how, table.unpack(command) } end

  workload "W1"
  local jobs = {
    { "ours", "shmx-lua", function(n) return ours("job", n) end },
    { "limit", "C, filled through the mapping", function(n) return limit("job", n, "map") end },
    { "limit", "C, filled by write()", function(n) return limit("job", n, "write") end },
    { "hand", "LuaJIT and fork", function(n) return luajit("W1", n) end, "luajit" },
    { "peer", "Node, messages", function(n) return node("messages", "W1", n) end, "node" },
    { "peer", "Python Pool, SharedMemory", function(n) return py("pool", "W1", n) end, "python", "numpy" },
    { "peer", "Lua Lanes", function(n) return lanes("W1", n) end, "lanes" },
    { "peer", "the seed program", function(n) return seed(n) end, "seed", "python", "numpy" },
  }
  for _, n in ipairs { "2", "8" } do
    chart("time " .. n, "the handover job, whole process, " .. n .. " workers", "ms", "less")
    chart("peak " .. n, "its memory at most, with all processes, " .. n .. " workers", "MiB", "less")
    for _, job in ipairs(jobs) do
      for _, how in ipairs { "time", "peak" } do
        add(job[1], job[2], { [how] = how .. " " .. n }, measured(how, job[3](n)), table.unpack(job, 4))
      end
    end
  end

  workload "W2"
  local N = "100000"
  chart("single", "100,000 tasks x + 1 one by one, each with its own future, 2 workers", "tasks/s", "more")
  chart("map", "the same in batches of the system's own choice", "tasks/s", "more")
  local single, map = { rate = "single" }, { rate = "map" }
  add("ours", "shmx-lua", single, ours("tasks", "W2", N, "2"))
  add("limit", "C, rings, a bell for each run of messages", single, limit("tasks", "W2", "1000000", "2"))
  add("hand", "Node, a ring of Atomics", single, node("ring", "W2", "500000", "2"), "node")
  add("hand", "LuaJIT, fork and pipes", single, luajit("W2", N, "2"), "luajit")
  add("peer", "Node, messages", single, node("messages", "W2", N, "2"), "node")
  add("peer", "Python Pool, chunksize=1", single, py("pool", "W2", N, "2"), "python")
  add("peer", "ProcessPoolExecutor", single, py("executor", "W2", "20000", "2"), "python")
  add("peer", "Lua Lanes", single, lanes("W2", N, "2"), "lanes")
  add("ours", "shmx-lua", map, ours("tasks", "W2map", "1000000", "2"))
  add("peer", "Python Pool, default chunks", map, py("pool", "W2map", "1000000", "2"), "python")
  add("peer", "ProcessPoolExecutor, chunks of 1000", map, py("executor", "W2map", "200000", "2"), "python")
  add("peer", "joblib", map, py("joblib", "W2map", "50000", "2"), "python", "joblib")

  workload "W3"
  chart("p50", "round trip of one task, one after the other, median", "us", "less")
  chart("p99", "the same, 99th percentile", "us", "less")
  chart("asleep", "round trip when the worker sleeps, median", "us", "less")
  local awake, asleep = { p50 = "p50", p99 = "p99" }, { p50 = "asleep" }
  add("ours", "shmx-lua", awake, ours("tasks", "W3", "20000", "awake"))
  add("limit", "C, rings, spinning", awake, limit("tasks", "W3", "20000", "awake"))
  add("hand", "Node, a ring of Atomics", awake, node("ring", "W3", "20000"), "node")
  add("hand", "LuaJIT, fork and pipes", awake, luajit("W3", "20000"), "luajit")
  add("peer", "Node, messages", awake, node("messages", "W3", "10000"), "node")
  add("peer", "Python Pool", awake, py("pool", "W3", "3000"), "python")
  add("peer", "ProcessPoolExecutor", awake, py("executor", "W3", "2000"), "python")
  add("peer", "joblib", awake, py("joblib", "W3", "500"), "python", "joblib")
  add("peer", "Lua Lanes", awake, lanes("W3", "20000"), "lanes")
  add("ours", "shmx-lua", asleep, ours("tasks", "W3", "500", "asleep"))
  add("limit", "C, futexes", asleep, limit("tasks", "W3", "500", "asleep"))

  workload "W4"
  for _, pair in ipairs(SIZES) do
    local title, size = pair[1], tostring(pair[2])
    local large = pair[2] >= LARGE
    local unit, scale = large and "GB/s" or "handovers/s", large and pair[2] / 1e9 or nil
    local figure = { rate = { chart = title, scale = scale } }
    chart(title, title .. ", made and filled in the worker, read in main, one at a time", unit, "more")
    chart(title .. " itself", title .. ", the round without filling and reading, median", "us", "less")
    add("ours", "shmx-lua", { rate = figure.rate, handover = title .. " itself" }, ours("handover", size))
    add("limit", "C, recycled memory, rings", figure, limit("handover", size, "recycled"))
    add("hand", "LuaJIT, fork, recycled memory, pipes", figure, luajit("W4", size), "luajit")
    add("peer", "C, a memfd each", figure, limit("handover", size, "fresh"))
    add("peer", "Node, transfer", figure, node("messages", "W4", size), "node")
    add("peer", "Python Pool, SharedMemory", figure, py("pool", "W4", size), "python", "numpy")
    add("peer", "torch.multiprocessing", figure, py("torch", "W4", size), "python", "torch")
    add("peer", "Lua Lanes, strings", figure, lanes("W4", size), "lanes")
  end

  workload "W5"
  chart("start", "8 workers start, run a task each, and stop; whole process", "ms", "less")
  local start = { time = "start" }
  add("ours", "shmx-lua", start, measured("times", ours "start"))
  add("limit", "C, fork and socketpairs", start, measured("times", limit "start"))
  add("hand", "LuaJIT and fork", start, measured("times", luajit "W5"), "luajit")
  add("peer", "Python Pool", start, measured("times", py("pool", "W5")), "python")
  add("peer", "ProcessPoolExecutor", start, measured("times", py("executor", "W5")), "python")
  add("peer", "Node, messages", start, measured("times", node("messages", "W5")), "node")
  add("peer", "joblib", start, measured("times", py("joblib", "W5")), "python", "joblib").slow = true
  add("peer", "Lua Lanes", start, measured("times", lanes "W5"), "lanes")

  workload "W6"
  for _, memory in ipairs { "warm", "fresh" } do
    chart(memory, "10^7 i64 filled with i * i % 7, " .. memory .. " memory", "ms", "less")
  end
  local fill = { warm = "warm", fresh = "fresh" }
  add("ours", "shmx-lua, generate", fill, ours("fill", "generate"))
  add("ours", "shmx-lua, a[i] = ...", fill, ours("fill", "loop"))
  add("limit", "C", fill, limit "fill")
  add("hand", "LuaJIT", fill, luajit "W6", "luajit")
  add("peer", "the same loop over a Lua table", fill, ours("fill", "table"))
  add("peer", "NumPy", fill, { python, places.here .. "/peers/fill.py", "vector" }, "python", "numpy")
  add("peer", "a Python loop over a NumPy array", fill, { python, places.here .. "/peers/fill.py", "loop" }, "python",
    "numpy").slow = true

  workload "W7"
  for _, n in ipairs { "1000", "1000000", "10000000" } do
    for _, dtype in ipairs { "f64", "f32", "i64", "i32" } do
      local figures = {}
      local function operation(name)
        local key = ("%s %s %s"):format(name, dtype, n)
        chart(key, ("%-10s %s  n = %8s"):format(name:gsub("_", " "), dtype, n), "ns", "less").line = true
        figures[name] = key
      end
      for _, name in ipairs(OPERATIONS) do operation(name) end
      for _, name in ipairs(dtype:match "^f" and FLOAT_OPERATIONS or {}) do operation(name) end
      add("ours", "shmx-lua", figures, ours("arrays", dtype, n))
      add("limit", "C", figures, limit("arrays", dtype, n))
      add("peer", "NumPy", figures, { "env", "-u", "OPENBLAS_CORETYPE", "-u", "OPENBLAS_L2_SIZE",
        "OPENBLAS_NUM_THREADS=1", python, places.here .. "/peers/arrays.py", dtype, n }, "python", "numpy")
    end
  end

  workload "scale"
  local function scale(key, title, unit, better, figure, ...)
    chart(key, title, unit, better)
    add("ours", "shmx-lua", { [figure] = key }, ours("scale", ...)).slow = true
  end
  scale("arrays", "a million live arrays: made and handed over", "arrays/s", "more", "rate", "arrays", "1000000")
  for _, power in ipairs { 3, 4, 5, 6, 7 } do
    local title = ("10^%d tasks in a sliding window"):format(power)
    scale("window " .. power, title, "tasks/s", "more", "rate", "window", ("%d"):format(10 ^ power))
  end
  chart("growth", "by how much main grows meanwhile", "MiB", "less")
  self.entries.scale[#self.entries.scale].figures.growth = { chart = "growth" }
  for _, power in ipairs { 3, 4, 5, 6 } do
    local title = ("10^%d small arrays handed over in a sliding window"):format(power)
    scale("handovers " .. power, title, "arrays/s", "more", "rate", "handovers", ("%d"):format(10 ^ power))
  end
  for _, n in ipairs { "1", "2", "8", "32", "128", "256" } do
    scale("workers " .. n, "100,000 tasks one by one, " .. n .. " workers", "tasks/s", "more", "rate", "workers", n)
  end
  return self
end

return { new = new }
