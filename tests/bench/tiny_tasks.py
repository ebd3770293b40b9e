# SPDX-License-Identifier: MIT
"""Tiny tasks through multiprocessing.Pool, each a message of its own (chunksize=1). Prints tasks per second.
Usage: python3 tiny_tasks.py [TASKS [WORKERS]]"""
import multiprocessing
import sys
import time


def increment(x):
    return x + 1


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    with multiprocessing.Pool(workers) as pool:
        pool.map(increment, range(100), chunksize=1)
        begin = time.perf_counter()
        results = pool.map(increment, range(1, count + 1), chunksize=1)
        seconds = time.perf_counter() - begin
    assert sum(results) == count * (count + 3) // 2, "wrong results"
    print(f"{count / seconds:.0f}")


if __name__ == "__main__":
    main()
