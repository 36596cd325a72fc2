import assert from 'node:assert/strict'
import { execFile, fork } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { SMALL, directory, open, sleep, twat, until } from './helpers.mjs'

const program = (name) => fileURLToPath(new URL(`programs/${name}`, import.meta.url))
const run = promisify(execFile)

test('fifty workers are terminated in the middle of calls; the main thread and the store go on', async (t) => {
  const path = directory(t)
  const mine = open(t, { engine: 'disk', path, ...SMALL })
  const errors = []
  for (let round = 0; round < 10; round++) {
    const workers = Array.from({ length: 5 }, (_, i) => new Worker(program('busy-worker.mjs'), { workerData: { path, id: round * 5 + i } }))
    await Promise.all(workers.map((worker) => new Promise((started) => {
      worker.on('error', (error) => { errors.push(error); started() })
      worker.once('message', started)
    })))
    await sleep(20 + round * 3)
    mine.set(`main ${round}`, round)
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  assert.deepEqual(errors, [])
  for (let round = 0; round < 10; round++) assert.equal(mine.get(`main ${round}`), round)
  assert.equal(mine.check().bad, 0)
})

test('a process ends with work pending: by exit, by an exception, by running out, after close', async (t) => {
  const outcomes = {}
  for (const how of ['exit', 'throw', 'run-out', 'close']) {
    const path = directory(t)
    const { code, signal } = await run(process.execPath, [program('exit-pending.mjs'), how, path], { timeout: 60_000 })
      .then(() => ({ code: 0, signal: null }), (error) => error)
    assert.equal(signal ?? null, null, how)
    outcomes[how] = code
    const after = new twat.Cache({ engine: 'disk', path, ...SMALL })
    assert.equal(after.check().bad, 0)
    // Close and running out wait for what was acknowledged to be under way.
    if (how === 'close' || how === 'run-out') assert.equal(after.size, 200)
    after.close()
  }
  assert.deepEqual(outcomes, { exit: 3, throw: 1, 'run-out': 0, close: 4 })
})

test('forked processes share a store', async (t) => {
  const path = directory(t)
  const children = [0, 1, 2, 3].map((id) => fork(program('writer.mjs'), [path, String(id), '500']))
  const replies = await Promise.all(children.map((child) => new Promise((resolve, reject) => {
    let reply
    child.on('message', (message) => { reply = message })
    child.on('exit', (code) => (code === 0 ? resolve(reply) : reject(new Error(`child ended with ${code}`))))
  })))
  assert.deepEqual(replies, [{ wrong: 0 }, { wrong: 0 }, { wrong: 0 }, { wrong: 0 }])
  const cache = open(t, { engine: 'disk', path, ...SMALL })
  assert.equal(cache.get('shared'), 2000)
  assert.deepEqual(cache.get('3:499'), { id: 3, i: 499, text: 't'.repeat(199) })
  assert.equal(cache.size, 2001)
})

test('close waits for pending work, and works twice', async () => {
  const cache = new twat.Cache({ engine: 'memory' })
  const pending = Array.from({ length: 100 }, (_, i) => cache.setAsync(`k${i}`, 'x'.repeat(10_000)))
  cache.close()
  cache.close()
  assert.equal((await Promise.allSettled(pending)).filter(({ status }) => status === 'fulfilled').length, 100)
})

test('handles and buffers that nobody holds are collected, with what they own', async (t) => {
  assert.equal(typeof gc, 'function', 'run with --expose-gc')
  const path = directory(t)
  let handles = 0
  const registry = new FinalizationRegistry(() => { handles-- })
  const make = (i) => {
    const cache = new twat.Cache(i % 2 ? { engine: 'disk', path, ...SMALL } : { engine: 'memory' })
    cache.setBuffer('k', Buffer.alloc(50_000, i))
    const scan = cache.keys()
    scan.next()
    handles++
    registry.register(cache, i)
    const memo = twat.memoize((x) => ({ x }), { max: 10 })
    memo(i)
    return cache.getBuffer('k', { copy: false })
  }
  let kept = Array.from({ length: 200 }, (_, i) => make(i))
  await until(() => { gc(); return handles === 0 }, 'caches are collected')
  // Values outlive their cache.
  kept.forEach((buffer, i) => assert.ok(buffer.length === 50_000 && buffer[49_999] === i % 256))
  const before = process.memoryUsage().external
  assert.ok(before > 200 * 50_000)
  kept = null
  await until(() => { gc(); return process.memoryUsage().external < before - 190 * 50_000 }, 'buffers are released')
})

test('memory behind large values is given back: of copies in a long loop, of views when the loop turns', async (t) => {
  const cache = open(t, { engine: 'memory', max: 1 })
  const value = Buffer.alloc(1 << 20, 7)
  const round = async (count, read, turns) => {
    for (let i = 0; i < count; i++) {
      cache.setBuffer('k', value)
      assert.equal(read().length, 1 << 20)
      if (i % 20 === 0) {
        gc()
        if (turns) await sleep(0)
      }
    }
    gc()
    return process.memoryUsage().rss
  }
  for (const [read, turns] of [[() => cache.get('k'), false], [() => cache.getBuffer('k'), false],
    [() => cache.getBuffer('k', { copy: false }), true]]) {
    const early = await round(60, read, turns)
    const late = await round(400, read, turns)
    assert.ok(late < early + (100 << 20), `${read}: grew from ${early >> 20} to ${late >> 20} MiB`)
  }
})

test('the same large value may be held many times', (t) => {
  const cache = open(t, { engine: 'memory' })
  cache.setBuffer('k', Buffer.alloc(1 << 20, 9))
  for (let i = 0; i < 500; i++) {
    const buffers = [cache.getBuffer('k', { copy: false }), cache.getBuffer('k', { copy: false })]
    assert.equal(buffers[0][i], buffers[1][i])
    if (i % 100 === 0) gc()
  }
})

test('a walk goes on after its cache is closed only as an error', () => {
  const cache = new twat.Cache({ engine: 'memory' })
  for (let i = 0; i < 1000; i++) cache.set(i, i)
  const keys = cache.keys()
  keys.next()
  cache.close()
  assert.throws(() => { for (const key of keys) void key }, { code: 'TWAT_E_CLOSED' })
})

test('memory stays flat over ten million sets and gets', () => {
  const cache = new twat.Cache({ engine: 'memory', max: 10_000 })
  const value = Buffer.alloc(100, 1)
  const round = (from, to) => {
    for (let i = from; i < to; i++) {
      cache.setBuffer(`key ${i % 30_000}`, value)
      cache.getBuffer(`key ${(i * 7) % 30_000}`)
    }
    gc()
    return process.memoryUsage().rss
  }
  const total = 5_000_000
  const early = round(0, total / 10)
  let late = early
  for (let tenth = 1; tenth < 10; tenth++) late = round((tenth * total) / 10, ((tenth + 1) * total) / 10)
  assert.equal(cache.size, 10_000)
  // 14 bytes a turn: less than any key or value that is not given back, more
  // than the collector's own ups and downs (24 MiB under Node 22).
  assert.ok(late < early + (64 << 20), `grew from ${early >> 20} to ${late >> 20} MiB`)
  cache.close()
})
