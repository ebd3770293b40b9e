# SPDX-License-Identifier: MIT
"""What Python has: multiprocessing.Pool, ProcessPoolExecutor, joblib and torch.multiprocessing.

python.py pool|executor|joblib|torch WORKLOAD
  W1 WORKERS                  arrays in SharedMemory (pool)
  W2 TASKS WORKERS            one by one: chunksize=1 (pool), submit (executor)
  W2map TASKS WORKERS         with the default chunks (pool), with chunks of 1000 (executor), batch_size="auto" (joblib)
  W3 ROUNDS
  W4 BYTES                    SharedMemory with NumPy (pool), tensors (torch)
  W5
"""
import sys
import time


def add(x):
    return x + 1


def nothing(_):
    return None


def make_range(n):
    """Fills a new shared memory with 0 to n - 1, and returns its name and n."""
    import numpy
    from multiprocessing.shared_memory import SharedMemory
    memory = SharedMemory(create=True, size=n * 8)
    array = numpy.ndarray((n,), numpy.int64, buffer=memory.buf)
    array[:] = numpy.arange(n)
    name = memory.name
    del array
    memory.close()
    return name, n


def make_filled(size_and_value):
    import numpy
    from multiprocessing.shared_memory import SharedMemory
    size, value = size_and_value
    memory = SharedMemory(create=True, size=size)
    array = numpy.ndarray((size,), numpy.uint8, buffer=memory.buf)
    array.fill(value)
    name = memory.name
    del array
    memory.close()
    return name


def make_tensor(size_and_value):
    import torch
    size, value = size_and_value
    return torch.full((size,), value, dtype=torch.uint8)


class Pool:
    """multiprocessing.Pool."""

    def __init__(self, workers):
        from multiprocessing import Pool as Peer
        self.peer = Peer(workers)

    def one_by_one(self, f, values):
        return self.peer.map(f, values, chunksize=1)

    def in_chunks(self, f, values):
        return self.peer.map(f, values)

    def call(self, f, value):
        return self.peer.apply(f, (value,))

    def stop(self):
        self.peer.close()
        self.peer.join()


class Executor:
    """concurrent.futures.ProcessPoolExecutor."""

    def __init__(self, workers):
        from concurrent.futures import ProcessPoolExecutor
        self.peer = ProcessPoolExecutor(workers)

    def one_by_one(self, f, values):
        return [future.result() for future in [self.peer.submit(f, value) for value in values]]

    def in_chunks(self, f, values):
        return list(self.peer.map(f, values, chunksize=1000))

    def call(self, f, value):
        return self.peer.submit(f, value).result()

    def stop(self):
        self.peer.shutdown()


class Joblib:
    """joblib.Parallel with its default, loky. It has at least two workers: with one it runs tasks in the script itself."""

    def __init__(self, workers):
        from joblib import Parallel, delayed
        self.delayed = delayed
        self.peer = Parallel(n_jobs=max(workers, 2), batch_size="auto")
        self.peer.__enter__()

    def in_chunks(self, f, values):
        return self.peer(self.delayed(f)(value) for value in values)

    one_by_one = in_chunks

    def call(self, f, value):
        return self.peer([self.delayed(f)(value)])[0]

    def stop(self):
        from joblib.externals.loky import get_reusable_executor
        self.peer.__exit__(None, None, None)
        get_reusable_executor().shutdown(wait=True)


class Torch:
    """torch.multiprocessing.Pool."""

    def __init__(self, workers):
        import torch.multiprocessing
        self.peer = torch.multiprocessing.Pool(workers)

    call = Pool.call
    stop = Pool.stop


def take(name):
    """Maps the memory of that name, and removes the name."""
    from multiprocessing.shared_memory import SharedMemory
    memory = SharedMemory(name)
    memory.unlink()
    return memory


def run_job(pool):
    import numpy
    count = 0
    for name, n in pool.one_by_one(make_range, [10**i for i in range(8)]):
        memory = take(name)
        array = numpy.ndarray((n,), numpy.int64, buffer=memory.buf)
        assert int(array.sum()) == n * (n - 1) // 2
        count += n
        del array
        memory.close()
    assert count == 11111111


def run_tasks(run, count):
    run(add, range(1000))
    begin = time.perf_counter()
    results = run(add, range(count))
    print("rate", count / (time.perf_counter() - begin))
    assert sum(results) == count * (count + 1) // 2


def run_rounds(pool, count):
    times = []
    for i in range(-20, count):
        begin = time.perf_counter()
        assert pool.call(add, i) == i + 1
        times.append(time.perf_counter() - begin)
    times = sorted(times[20:])
    print("p50", times[count // 2] * 1e6)
    print("p99", times[int(count * 0.99)] * 1e6)


def hand_over_memory(pool, size, value):
    import numpy
    memory = take(pool.call(make_filled, (size, value)))
    array = numpy.ndarray((size,), numpy.uint8, buffer=memory.buf)
    pages = array[::4096]
    assert int(pages.sum()) == value * len(pages)
    del array, pages
    memory.close()


def hand_over_tensor(pool, size, value):
    pages = pool.call(make_tensor, (size, value))[::4096]
    assert int(pages.sum()) == value * len(pages)


def run_handovers(hand_over, pool, size):
    hand_over(pool, size, 1)
    count, begin, seconds = 0, time.perf_counter(), 0
    while count < 3 or seconds < 0.5:
        hand_over(pool, size, count % 100 + 1)
        count += 1
        seconds = time.perf_counter() - begin
    print("rate", count / seconds)


def main():
    system, workload = sys.argv[1:3]
    numbers = [int(text) for text in sys.argv[3:]]
    workers = {"W1": 0, "W2": 1, "W2map": 1}.get(workload)
    count = numbers[workers] if workers is not None else 8 if workload == "W5" else 1
    if workload in ("W1", "W4"):
        from multiprocessing import resource_tracker
        resource_tracker.ensure_running()  # one for all processes, or each tracks, and removes, what is not its own
    pool = {"pool": Pool, "executor": Executor, "joblib": Joblib, "torch": Torch}[system](count)
    if workload == "W1":
        run_job(pool)
    elif workload == "W2":
        run_tasks(pool.one_by_one, numbers[0])
    elif workload == "W2map":
        run_tasks(pool.in_chunks, numbers[0])
    elif workload == "W3":
        run_rounds(pool, numbers[0])
    elif workload == "W4":
        run_handovers(hand_over_tensor if system == "torch" else hand_over_memory, pool, numbers[0])
    else:
        pool.one_by_one(nothing, range(8))
    pool.stop()


if __name__ == "__main__":
    main()
