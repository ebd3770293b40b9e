# SPDX-License-Identifier: MIT
#
# A tool of the build: cmake -D FROM=FILE -D TO=FILE -P embed.cmake writes the bytes of a file as the elements of a table
# of C.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "${bytes}")
