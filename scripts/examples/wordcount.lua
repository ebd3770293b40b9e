-- SPDX-License-Identifier: MIT
--
-- A parallel word count: one task for each text file below a folder, which returns a table of words; main adds them up.
--
--   shmx-lua wordcount.lua [FOLDER]        the project's own tree if no folder is named

local lfs = require "lfs"
local shmx = require "shmx"

local function files_below(folder, found)
  found = found or {}
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    local mode = not name:match("^%.") and lfs.symlinkattributes(path, "mode")
    if mode == "directory" then
      files_below(path, found)
    elseif mode == "file" then
      found[#found + 1] = path
    end
  end
  return found
end

-- The words of a file in lower case with their numbers, or false for a file that is no text or cannot be read.
local function count_words(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read("a")
  if not text or text:find("\0", 1, true) then return false end
  local words = {}
  for word in text:gmatch("%a[%w_]*") do
    word = word:lower()
    words[word] = (words[word] or 0) + 1
  end
  return words
end

local folder = arg[1] or arg[0]:gsub("[^/]*$", "") .. "../.."
local paths = files_below(folder)

local total, files, all = 0, 0, {}
do
  local pool <close> = shmx.pool()
  for _, words in ipairs(pool:map(count_words, paths)) do
    if words then files = files + 1 end
    for word, n in pairs(words or {}) do
      all[word] = (all[word] or 0) + n
      total = total + n
    end
  end
end

local order = {}
for word in pairs(all) do order[#order + 1] = word end
table.sort(order, function(a, b)
  if all[a] ~= all[b] then return all[a] > all[b] end
  return a < b
end)

for i = 1, math.min(20, #order) do print(("%8d  %s"):format(all[order[i]], order[i])) end
print(("%d words, %d different ones, in %d text files of %d files"):format(total, #order, files, #paths))
