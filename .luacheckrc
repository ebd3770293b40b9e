-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 120
codes = true
exclude_files = { ".build" }
files["tests"] = { std = "lua54+busted" }
