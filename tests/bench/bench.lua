-- SPDX-License-Identifier: MIT
--
-- Runs what the catalogue has, system after system and that again and again, so that all of them meet the same machine,
-- and tells medians, spread and ratios. scripts/bench calls it; see there for the options.

local here = arg[0]:match "^(.*)/[^/]*$"
package.path = here .. "/?.lua;" .. package.path
local json = require "cjson"
local core = require "shmx.core"
local catalogue = require "catalogue"
local report = require "report"

local SLOW_RUNS = 2
local LIMIT = 120 -- seconds that a program may run

local function complain(...)
  io.stderr:write("bench: ", string.format(...), "\n")
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- The figures that a program prints, by name; nil and why it gave none.
local function run(command)
  local words = { "timeout " .. LIMIT }
  for _, word in ipairs(command) do words[#words + 1] = quote(word) end
  local errors = os.tmpname()
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>" .. quote(errors)))
  local figures = {}
  for line in pipe:lines() do
    local name, value = line:match "^(%S+)%s+(%S+)$"
    if tonumber(value) then figures[name] = tonumber(value) end
  end
  local ok, how, code = pipe:close()
  local file <close> = assert(io.open(errors))
  local text = file:read "a"
  os.remove(errors)
  if ok then return figures end
  if how == "exit" and code == 124 then return nil, ("it did not end within %d seconds"):format(LIMIT) end
  return nil, ("%s %d: %s"):format(how, code, text:match "([^\n]*)\n*$")
end

-- Where we are, on a terminal.
local function show(text)
  if core.terminal() then io.stderr:write("\r", text, "\27[K") end
end

-- What the entry lacks, or nil.
local function find_missing(entry)
  local missing = {}
  for _, need in ipairs(entry.needs) do
    if not need.found then missing[#missing + 1] = need.package end
  end
  return #missing > 0 and table.concat(missing, ", ") or nil
end

---One system in a chart.
---@class bench.Row
---@field system string
---@field kind string
---@field values number[]
---@field median number
---@field least number
---@field most number

-- Rows by chart and system.
local Results = {}
Results.__index = Results

local function new_results() return setmetatable({ rows = {} }, Results) end

function Results:add(workload, chart, entry, value)
  local key = workload .. "/" .. chart
  self.rows[key] = self.rows[key] or {}
  local rows = self.rows[key]
  local row = rows[entry.system]
  if not row then
    row = { system = entry.system, kind = entry.kind, values = {} }
    rows[entry.system], rows[#rows + 1] = row, row
  end
  table.insert(row.values, value)
end

local function summarise(row)
  table.sort(row.values)
  local n = #row.values
  row.least, row.most = row.values[1], row.values[n]
  row.median = n % 2 == 1 and row.values[n // 2 + 1] or (row.values[n // 2] + row.values[n // 2 + 1]) / 2
end

-- The rows of a chart, ours first, then the limits, then the others from the best on.
function Results:list(workload, chart)
  local rows, rank = {}, { ours = 1, limit = 2, hand = 3, peer = 3 }
  for _, row in ipairs(self.rows[workload .. "/" .. chart.key] or {}) do
    summarise(row)
    rows[#rows + 1] = row
  end
  table.sort(rows, function(a, b)
    if rank[a.kind] ~= rank[b.kind] then return rank[a.kind] < rank[b.kind] end
    if a.median ~= b.median then return (a.median < b.median) == (chart.better == "less") end
    return a.system < b.system
  end)
  return rows
end

-- Each program leaves something to the next one: memory that the machine has at hand, or none. So that it is not always
-- the same one that gains by that, every second turn goes backwards.
local function run_workload(workload, entries, runs, results, skipped)
  for turn = 1, runs do
    for i = 1, #entries do
      local entry = entries[turn % 2 == 1 and i or #entries + 1 - i]
      local missing = find_missing(entry)
      if missing then
        skipped[missing] = skipped[missing] or {}
        skipped[missing][entry.system] = true
      elseif turn <= SLOW_RUNS or not entry.slow then
        local figures, why = run(entry.command)
        if not figures then complain("%s: %s failed: %s", workload, entry.system, why) end
        for name, to in pairs(figures and entry.figures or {}) do
          if figures[name] then results:add(workload, to.chart, entry, figures[name] * (to.scale or 1)) end
        end
      end
      show(("%s %d/%d %s"):format(workload, turn, runs, entry.system))
    end
  end
  show ""
end

-- How many times better ours is than the row; below 1 it is worse.
local function ratio(chart, ours, row)
  if not ours then return nil end
  return chart.better == "more" and ours.median / row.median or row.median / ours.median
end

local function format_number(x)
  local digits = x >= 100 and 0 or x >= 10 and 1 or x >= 1 and 2 or 3
  local text = ("%." .. digits .. "f"):format(x)
  local count
  repeat text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2") until count == 0
  return text
end

-- A chart of one line: each system's figure, and how many times as good ours is; returns these by system.
local function print_line(workload, chart, rows, first)
  if first then print(("\n%s  %s"):format(workload, chart.unit)) end
  local ours, times, cells = rows[1] and rows[1].kind == "ours" and rows[1] or nil, {}, {}
  for i, row in ipairs(rows) do
    times[row.system] = row ~= ours and ratio(chart, ours, row) or nil
    cells[i] = ("%s %s%s"):format(row.system, format_number(row.median),
      times[row.system] and (" (%s times)"):format(format_number(times[row.system])) or "")
  end
  print(("  %s  %s"):format(chart.title, table.concat(cells, ", ")))
  return times
end

-- The geometric means of the ratios of all charts of one line, by system.
local function print_means(lists)
  for system, list in pairs(lists) do
    local sum, least = 0, math.huge
    for _, times in ipairs(list) do sum, least = sum + math.log(times), math.min(least, times) end
    print(("  shmx-lua beside %s: %s times as good in the geometric mean of %d, %s at least"):format(system,
      format_number(math.exp(sum / #list)), #list, format_number(least)))
  end
end

local function print_chart(workload, chart, rows)
  print(("\n%s  %s"):format(workload, chart.title))
  print(("  %-44s %12s %24s   %s"):format("", chart.unit, "least to most", "shmx-lua is as good"))
  local ours = rows[1] and rows[1].kind == "ours" and rows[1] or nil
  for _, row in ipairs(rows) do
    local times = row ~= ours and ratio(chart, ours, row)
    local spread = ("%s to %s"):format(format_number(row.least), format_number(row.most))
    local name = row.system .. (row.kind == "limit" and "  (limit)" or row.kind == "hand" and "  (by hand)" or "")
    local line = ("  %-44s %12s %24s   %s"):format(name, format_number(row.median), spread,
      times and format_number(times) .. " times" or "")
    print((line:gsub("%s+$", "")))
  end
end

local function first_line(command)
  local pipe <close> = io.popen(command .. " 2>/dev/null")
  return pipe:read "l" or "?"
end

-- What the figures depend on.
local function describe_machine()
  return {
    date = os.date "!%Y-%m-%d",
    machine = ("%s, %s cores, Linux %s"):format(first_line "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo",
      first_line "nproc", first_line "uname -r"),
    versions = { shmx = core.version, cc = first_line "cc --version", luajit = first_line "luajit -v",
      node = first_line "node --version", python = first_line "/usr/bin/python3 --version" },
  }
end

---@class bench.Options
---@field runs integer
---@field json string?
---@field html string?
---@field workloads string[]
---@field peers string?
---@field seed string?
---@field limits string
---@field shmx string
---@field command string   as it was given

local function read_options()
  local options, i = { runs = 5, shmx = "shmx-lua", limits = ".", command = "bench", workloads = {} }, 1
  local known = { runs = true, json = true, html = true, peers = true, seed = true, limits = true, shmx = true,
    command = true }
  while i <= #arg do
    local name = arg[i]:match "^%-%-(%a+)$"
    if name and known[name] and arg[i + 1] then
      options[name], i = arg[i + 1], i + 2
    elseif arg[i]:match "^%-" then
      complain("unknown option or missing value: %s", arg[i])
      os.exit(2)
    else
      table.insert(options.workloads, arg[i])
      i = i + 1
    end
  end
  options.runs = math.tointeger(tonumber(options.runs))
  if not options.runs or options.runs < 1 then
    complain "--runs takes a number from 1 on"
    os.exit(2)
  end
  return options
end

local function choose(options, all)
  local known = {}
  for _, name in ipairs(all) do known[name] = true end
  for _, name in ipairs(options.workloads) do
    if not known[name] then
      complain("there is no workload '%s'; there are: %s", name, table.concat(all, " "))
      os.exit(2)
    end
  end
  return #options.workloads > 0 and options.workloads or all
end

local function tell_skipped(skipped)
  local lines = {}
  for missing, systems in pairs(skipped) do
    local names = {}
    for system in pairs(systems) do names[#names + 1] = system end
    table.sort(names)
    lines[#lines + 1] = ("skipped %s: wants %s"):format(table.concat(names, ", "), missing)
  end
  table.sort(lines)
  for _, line in ipairs(lines) do complain("%s", line) end
end

local function write_lines(path, lines)
  local file <close> = assert(io.open(path, "w"))
  for _, line in ipairs(lines) do file:write(line, "\n") end
end

local function main()
  local options = read_options()
  local all = catalogue.new {
    shmx = options.shmx, here = here, limits = options.limits, peers = options.peers, seed = options.seed,
  }
  local machine, results, skipped = describe_machine(), new_results(), {}
  local sections, lines = {}, {}
  print(("%s\n%s\n%d runs in turn; medians"):format(options.command, machine.machine, options.runs))
  for _, workload in ipairs(choose(options, all.workloads)) do
    run_workload(workload, all.entries[workload], options.runs, results, skipped)
    local ratios = {}
    for i, chart in ipairs(all.charts[workload]) do
      local rows = results:list(workload, chart)
      if chart.line then
        for system, times in pairs(print_line(workload, chart, rows, i == 1)) do
          ratios[system] = ratios[system] or {}
          table.insert(ratios[system], times)
        end
      else
        print_chart(workload, chart, rows)
      end
      sections[#sections + 1] = { workload = workload, chart = chart, rows = rows }
      for _, row in ipairs(rows) do
        lines[#lines + 1] = json.encode {
          workload = workload, figure = chart.key, title = chart.title, unit = chart.unit, better = chart.better,
          system = row.system, kind = row.kind, median = row.median, values = row.values,
          date = machine.date, machine = machine.machine, versions = machine.versions,
        }
      end
    end
    print_means(ratios)
  end
  tell_skipped(skipped)
  if options.json then write_lines(options.json, lines) end
  if options.html then write_lines(options.html, { report.page(options.command, machine, sections, format_number) }) end
end

main()
