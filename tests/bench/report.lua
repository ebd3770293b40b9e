-- SPDX-License-Identifier: MIT
--
-- The figures as a page with bars, in one file.

-- Pixels: of a chart, of its left column, of a line, of the right column.
local WIDTH, LABEL, ROW, FIGURE = 920, 300, 24, 190
local SPACE = WIDTH - LABEL - FIGURE
local WIDE_RANGE = 25 -- from this ratio on a logarithmic scale shows more

local STYLE = [[
:root { color-scheme: light dark; --ours: #0b7a5c; --limit: #8a8f98; --hand: #c08a1e; --peer: #4a72b0;
  --ink: #1d2126; --paper: #fff; --line: #d9dce1; }
@media (prefers-color-scheme: dark) { :root { --ours: #35c295; --limit: #868d99; --hand: #e0b04a; --peer: #7fa4dd;
  --ink: #e6e8eb; --paper: #15181c; --line: #363b43; } }
body { margin: 2rem auto; max-width: 960px; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); } h3 { margin-bottom: .2rem;
  font-size: 1rem; }
svg { display: block; max-width: 100%; height: auto; font-size: 13px; } text { fill: var(--ink); }
.ours { fill: var(--ours); } .limit { fill: var(--limit); } .hand { fill: var(--hand); } .peer { fill: var(--peer); }
.spread { stroke: var(--ink); stroke-width: 1.2; } .bold { font-weight: 600; } .faint { opacity: .7; }
dt { float: left; clear: left; width: 7rem; opacity: .7; } dd { margin-left: 7rem; }
.key span { margin-right: 1.2rem; } .key svg { display: inline; vertical-align: -2px; }
]]

local KINDS = {
  { "ours", "shmx-lua" },
  { "limit", "the limit: C written by hand" },
  { "hand", "written by hand for this one workload" },
  { "peer", "others" },
}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text) return (tostring(text):gsub('[&<>"]', ENTITIES)) end

-- A function from values to lengths, and whether it is logarithmic.
local function make_scale(rows)
  local least, most = math.huge, 0
  for _, row in ipairs(rows) do least, most = math.min(least, row.least), math.max(most, row.most) end
  if least <= 0 or most / least < WIDE_RANGE then
    return function(x) return most > 0 and x / most * SPACE or 0 end, false
  end
  local low, high = math.log(least / 3), math.log(most)
  return function(x) return (math.log(x) - low) / (high - low) * SPACE end, true
end

local function draw_row(row, at, length, format, best)
  local middle = at + ROW / 2
  local class = row.kind == "ours" and ' class="bold"' or ""
  return ([[<text%s x="%d" y="%.1f" text-anchor="end">%s</text>
<rect class="%s" x="%d" y="%.1f" width="%.1f" height="%d" rx="2"/>
<line class="spread" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>
<text%s x="%.1f" y="%.1f">%s%s</text>]]):format(
    class, LABEL - 8, middle + 4, escape(row.system),
    row.kind, LABEL, at + 4, math.max(1, length(row.median)), ROW - 8,
    LABEL + length(row.least), LABEL + length(row.most), middle, middle,
    class, LABEL + SPACE + 10, middle + 4, format(row.median), best)
end

local function draw_chart(section, format)
  local rows, chart = section.rows, section.chart
  if #rows == 0 then return "" end
  local length, logarithmic = make_scale(rows)
  local parts = {}
  for i, row in ipairs(rows) do
    local ours, best = rows[1], ""
    if ours.kind == "ours" and row ~= ours then
      local times = chart.better == "more" and ours.median / row.median or row.median / ours.median
      best = ('<tspan class="faint" dx="8">ours %s&#215;</tspan>'):format(format(times))
    end
    parts[i] = draw_row(row, (i - 1) * ROW, length, format, best)
  end
  local head = ('<h3>%s</h3>\n<div class="faint">%s, %s is better%s</div>'):format(escape(chart.title),
    escape(chart.unit), chart.better, logarithmic and "; logarithmic scale" or "")
  return ('%s\n<svg viewBox="0 0 %d %d" width="%d" role="img">\n%s\n</svg>'):format(head, WIDTH, #rows * ROW, WIDTH,
    table.concat(parts, "\n"))
end

local function draw_key()
  local parts = {}
  for i, kind in ipairs(KINDS) do
    parts[i] = ('<span><svg width="13" height="13"><rect class="%s" width="13" height="13" rx="2"/></svg> %s</span>')
      :format(kind[1], kind[2])
  end
  return '<p class="key">' .. table.concat(parts) .. "<br>Medians; the line on a bar goes from the least to the most. "
    .. "&ldquo;Ours 2&#215;&rdquo;: shmx-lua is twice as good, &ldquo;ours 0.5&#215;&rdquo;: half.</p>"
end

local function list_facts(command, machine)
  local parts = { ("<dt>command</dt><dd><code>%s</code></dd>"):format(escape(command)),
    ("<dt>machine</dt><dd>%s</dd>"):format(escape(machine.machine)), ("<dt>date</dt><dd>%s</dd>"):format(machine.date) }
  local names = {}
  for name in pairs(machine.versions) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = ("<dt>%s</dt><dd>%s</dd>"):format(name, escape(machine.versions[name]))
  end
  return "<dl>" .. table.concat(parts, "\n") .. "</dl>"
end

---@param command string
---@param machine table
---@param sections {workload: string, chart: bench.Chart, rows: bench.Row[]}[]
---@param format fun(x: number): string
---@return string
local function page(command, machine, sections, format)
  local parts, last = {}, nil
  for _, section in ipairs(sections) do
    if section.workload ~= last then parts[#parts + 1] = ("<h2>%s</h2>"):format(escape(section.workload)) end
    last = section.workload
    parts[#parts + 1] = draw_chart(section, format)
  end
  return ([[<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>How fast shmx-lua is</title>
<style>%s</style>
<h1>How fast shmx-lua is</h1>
%s
%s
%s
</html>]]):format(STYLE, list_facts(command, machine), draw_key(), table.concat(parts, "\n"))
end

return { page = page }
