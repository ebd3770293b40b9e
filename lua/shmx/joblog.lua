-- SPDX-License-Identifier: MIT
--
-- --joblog and --resume: opens the log of this run (bind/joblog.c writes it), and reads that of an earlier one.

local core = require "shmx.core"
local options = require "shmx.options"

local joblog = { resumes = false }

local unescaped = { t = "\t", n = "\n", ["\\"] = "\\" }

local entry = "^[%d.]+\t[%d.]+\t%d+\t%d+\t" -- how the line of a task begins: its status and name follow

-- A log begins with its head, which may have been cut off, or with the line of a task if somebody has taken that away.
local function is_log(text)
  local head = core.joblog_head
  return text:sub(1, #head) == head:sub(1, #text) or text:find(entry .. "%l+\t") ~= nil
end

-- The names that the log lists as done, and whether its last line was cut off, which is nobody's.
local function read_done(path, file, value)
  local done = {}
  local text, problem = file:read "a"
  if not text then options.fail("the job log cannot be read: %s: %s", path, problem) end
  if not is_log(text) then options.fail("cannot resume from %s: it is no job log", path) end
  for line in text:gmatch "([^\n]*)\n" do
    local name = line:match(entry .. "done\t([^\t]*)$")
    if name then done[name:gsub("\\(.)", unescaped)] = value end
  end
  return done, text:find "[^\n]$" ~= nil
end

---Does what the command's options say. A log to resume from that does not exist lists nothing, so that a first run
---needs no other command than the next ones.
---@param settings table
function joblog.open(settings)
  local same = settings.joblog and settings.resume and core.same_file(settings.joblog, settings.resume) or false
  local cut = false
  if settings.resume then
    local file <close>, problem, code = io.open(settings.resume, "rb")
    if not file and code ~= 2 then options.fail("the job log cannot be read: %s", problem) end
    local done = {}
    if file then done, cut = read_done(settings.resume, file, same) end
    core.resume(done)
    joblog.resumes = true
  end
  if settings.joblog then core.joblog(settings.joblog, same, cut) end
end

return joblog
