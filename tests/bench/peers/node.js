// SPDX-License-Identifier: MIT
//
// Node's worker threads: by messages (`messages`), or by a ring over a SharedArrayBuffer that one writes by hand (`ring`).
// node.js messages W1 WORKERS | W2 TASKS WORKERS | W3 ROUNDS | W4 BYTES | W5
// node.js ring W2 TASKS WORKERS | W3 ROUNDS
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const print = (name, value) => console.log(`${name} ${value}`);
const seconds = () => performance.now() / 1e3;
const check = (right) => { if (!right) throw new Error('wrong result'); };

// --- a ring of integers: head, tail, whether its reader sleeps, and the rest ---

const ROOM = 1024, HEAD = 0, TAIL = 16, SLEEPS = 32, FIRST = 48, LOOKS = 500, STOP = -1;

const makeRing = () => new Int32Array(new SharedArrayBuffer(4 * (FIRST + ROOM)));

function put(ring, value) {
  const head = ring[HEAD];
  if (head - Atomics.load(ring, TAIL) === ROOM) return false;
  ring[FIRST + head % ROOM] = value;
  Atomics.store(ring, HEAD, head + 1);
  if (Atomics.load(ring, SLEEPS)) Atomics.notify(ring, HEAD);
  return true;
}

function take(ring) {
  const tail = ring[TAIL];
  for (let looks = 0; Atomics.load(ring, HEAD) === tail; looks++) {
    if (looks < LOOKS) continue;
    Atomics.store(ring, SLEEPS, 1);
    Atomics.wait(ring, HEAD, tail);
    Atomics.store(ring, SLEEPS, 0);
  }
  const value = ring[FIRST + tail % ROOM];
  Atomics.store(ring, TAIL, tail + 1);
  return value;
}

// --- workers ---

const tasks = {
  nothing: () => null,
  add: (x) => x + 1,
  range: (n) => {
    const array = new Float64Array(n);
    for (let i = 0; i < n; i++) array[i] = i;
    return array;
  },
  fill: ([size, value]) => new Uint8Array(size).fill(value),
};

function workByMessages() {
  parentPort.on('message', ({ id, name, argument }) => {
    const result = tasks[name](argument);
    parentPort.postMessage({ id, result }, result && result.buffer ? [result.buffer] : []);
  });
}

function workByRing([toDo, done]) {
  for (let x; (x = take(toDo)) !== STOP;) while (!put(done, x + 1));
}

// --- main ---

// Workers that take the next task when they have done one.
class Pool {
  constructor(size) {
    this.queue = [];
    this.waiting = new Map();
    this.last = 0;
    this.workers = Array.from({ length: size }, () => new Worker(__filename));
    this.idle = [...this.workers];
    for (const worker of this.workers) {
      worker.on('message', ({ id, result }) => {
        this.waiting.get(id)(result);
        this.waiting.delete(id);
        this.idle.push(worker);
        this.next();
      });
    }
  }

  next() {
    while (this.idle.length > 0 && this.queue.length > 0) this.idle.pop().postMessage(this.queue.shift());
  }

  run(name, argument) {
    return new Promise((resolve) => {
      const id = ++this.last;
      this.waiting.set(id, resolve);
      this.queue.push({ id, name, argument });
      this.next();
    });
  }

  stop() { return Promise.all(this.workers.map((worker) => worker.terminate())); }
}

function printTimes(times) {
  times.sort();
  print('p50', times[times.length >> 1] * 1e6);
  print('p99', times[Math.floor(times.length * 0.99)] * 1e6);
}

const messages = {
  async W1(workers) {
    const pool = new Pool(workers), lengths = [7, 6, 5, 4, 3, 2, 1, 0].map((i) => 10 ** i);
    const arrays = await Promise.all(lengths.map((n) => pool.run('range', n)));
    let count = 0;
    for (const array of arrays) {
      const n = array.length;
      let sum = 0;
      for (let i = 0; i < n; i++) sum += array[i];
      check(sum === n * (n - 1) / 2);
      count += n;
    }
    check(count === 11111111);
    await pool.stop();
  },

  async W2(count, workers) {
    const pool = new Pool(workers);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => pool.run('add', i)));
    const begin = seconds();
    const results = await Promise.all(Array.from({ length: count }, (_, i) => pool.run('add', i)));
    print('rate', count / (seconds() - begin));
    check(results[count - 1] === count);
    await pool.stop();
  },

  async W3(count) {
    const pool = new Pool(1), times = new Float64Array(count);
    for (let i = -500; i < count; i++) {
      const begin = seconds();
      check(await pool.run('add', i) === i + 1);
      if (i >= 0) times[i] = seconds() - begin;
    }
    printTimes(times);
    await pool.stop();
  },

  async W4(size) {
    const pool = new Pool(1);
    let begin = 0, count = -1;
    for (; count < 3 || seconds() - begin < 0.5; count++) {
      if (count <= 0) begin = seconds();
      const value = (count + 1) % 100 + 1, array = await pool.run('fill', [size, value]);
      for (let at = 0; at < size; at += 4096) check(array[at] === value);
    }
    print('rate', count / (seconds() - begin));
    await pool.stop();
  },

  async W5() {
    const pool = new Pool(8);
    await Promise.all(pool.workers.map(() => pool.run('nothing')));
    await pool.stop();
  },
};

function startRings(workers) {
  const rings = Array.from({ length: workers }, () => [makeRing(), makeRing()]);
  for (const pair of rings) new Worker(__filename, { workerData: pair });
  for (let i = 0; i < 2000; i++) for (const [toDo, done] of rings) { put(toDo, i); take(done); }
  return rings;
}

const stopRings = (rings) => rings.forEach(([toDo]) => put(toDo, STOP));

const ring = {
  W2(count, workers) {
    const rings = startRings(workers), begin = seconds();
    let sent = 0, got = 0, sum = 0;
    while (got < count) {
      for (; sent < count && sent - got < ROOM / 2; sent++) put(rings[sent % workers][0], sent);
      for (const [, done] of rings) if (got < count) { sum += take(done); got++; }
    }
    print('rate', count / (seconds() - begin));
    check(sum === count * (count + 1) / 2);
    stopRings(rings);
  },

  W3(count) {
    const rings = startRings(1), [[toDo, done]] = rings, times = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const begin = seconds();
      put(toDo, i);
      check(take(done) === i + 1);
      times[i] = seconds() - begin;
    }
    printTimes(times);
    stopRings(rings);
  },
};

if (!isMainThread) {
  if (workerData) workByRing(workerData);
  else workByMessages();
} else {
  const [how, workload, ...given] = process.argv.slice(2);
  ({ messages, ring })[how][workload](...given.map(Number));
}
