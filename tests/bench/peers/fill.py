# SPDX-License-Identifier: MIT
"""fill.py HOW: NumPy, 10^7 int64 i * i % 7, in milliseconds; HOW is "vector" or "loop"."""

import sys
import time

import numpy as np

N = 10_000_000


def vector(out):
    i = np.arange(1, N + 1)
    np.multiply(i, i, out=out)
    np.remainder(out, 7, out=out)


def loop(out):
    for i in range(N):
        out[i] = (i + 1) * (i + 1) % 7


def clock(f, out):
    begin = time.perf_counter()
    f(out)
    return (time.perf_counter() - begin) * 1000


run, out = {"vector": vector, "loop": loop}[sys.argv[1]], np.empty(N, np.int64)
print(f"fresh\t{clock(run, out):.5g}")
print(f"warm\t{clock(run, out):.5g}")
