// The Node rows of the targets, each peer in the same run.
//
//   node --expose-gc bench/run.mjs [target/bench/node.json]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Keyv from 'keyv'
import { open as openLmdb } from 'lmdb'
import { LRUCache } from 'lru-cache'
import memoizee from 'memoizee'
import QuickLRU from 'quick-lru'
import twat from '../lib/index.js'
import { measure, measureAsync } from './harness.mjs'
import { structured } from './structured.mjs'

const { Cache, KeyvTwat, memoize } = twat
const folder = mkdtempSync(join(tmpdir(), 'twat-bench-'))
const rows = []

function row(what, ours, peer, target, unit = 'ns') {
  const ratio = ours / peer
  rows.push({ what, ours, peer, ratio, target: target === undefined ? '' : `<= ${target}`, unit, met: target === undefined || ratio <= target })
}

// --- memoized hits: 10,000 keys, Zipf(0.99) --------------------------------------

const N = 10_000
const TURN = 1 << 16

function zipf(count, exponent = 0.99) {
  const sums = new Float64Array(count)
  let total = 0
  for (let i = 0; i < count; i++) sums[i] = total += 1 / (i + 1) ** exponent
  let state = 1
  return Int32Array.from({ length: TURN }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const at = (state / 2 ** 32) * total
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] < at) low = middle + 1
      else high = middle
    }
    return low
  })
}

const picks = zipf(N)
const texts = Array.from({ length: N }, (_, i) => `user:${i}`)
const keys = Array.from(picks, (i) => texts[i])
const second = Int32Array.from(picks, (i) => i % 7)
/** A loop of its own for each call, so that none is slowed by what V8 learnt of another. */
const fresh = (given) => (call) => new Function('call', 'keys', 'second', `return (n) => {
  let last
  for (let i = 0; i < n; i++) { const at = i & ${TURN - 1}; last = call(${given}) }
  return last
}`)(call, keys, second)
const loop = fresh('keys[at]')
const loop2 = fresh('keys[at], second[at]')

const slow = (user) => ({ user })
const slow2 = (user, page) => ({ user, page })
/** How one memoizes by hand over a cache with get and set. */
const byHand = (cache) => (user) => {
  let value = cache.get(user)
  if (value === undefined) cache.set(user, (value = slow(user)))
  return value
}
const byHand2 = (cache) => (user, page) => {
  const key = `${user}:${page}`
  let value = cache.get(key)
  if (value === undefined) cache.set(key, (value = slow2(user, page)))
  return value
}

function memoized() {
  const max = N
  const calls = {
    'twat one': loop(memoize(slow, { max })),
    'twat one ttl': loop(memoize(slow, { max, ttl: 3_600_000 })),
    'twat one s3fifo': loop(memoize(slow, { max, policy: 's3fifo' })),
    'lru-cache one': loop(byHand(new LRUCache({ max }))),
    'lru-cache one ttl': loop(byHand(new LRUCache({ max, ttl: 3_600_000 }))),
    'quick-lru one': loop(byHand(new QuickLRU({ maxSize: max }))),
    'memoizee one': loop(memoizee(slow, { max, primitive: true })),
    'twat two': loop2(memoize(slow2, { max })),
    'twat two ttl': loop2(memoize(slow2, { max, ttl: 3_600_000 })),
    'lru-cache two ttl': loop2(byHand2(new LRUCache({ max, ttl: 3_600_000 }))),
    'memoizee two': loop2(memoizee(slow2, { max, primitive: true })),
  }
  // A peer that times out entries must not meet a clock that stands still, so rounds are short.
  const t = measure(Object.entries(calls), { rounds: 25, ms: 20 })
  const at = (name) => t.get(name)
  row('memoize hit, one argument: lru-cache with ttl', at('twat one'), at('lru-cache one ttl'), 1.2)
  row('memoize hit, one argument: memoizee', at('twat one'), at('memoizee one'), 0.3)
  row('memoize hit, two arguments: lru-cache with ttl', at('twat two'), at('lru-cache two ttl'), 1.2)
  row('memoize hit, two arguments: memoizee', at('twat two'), at('memoizee two'), 0.3)
  row('memoize hit with ttl, one argument: lru-cache with ttl', at('twat one ttl'), at('lru-cache one ttl'))
  row('memoize hit with ttl, two arguments: lru-cache with ttl', at('twat two ttl'), at('lru-cache two ttl'))
  row('memoize hit, one argument: lru-cache without ttl', at('twat one'), at('lru-cache one'))
  row('memoize hit, s3fifo, one argument: lru-cache without ttl', at('twat one s3fifo'), at('lru-cache one'))
  row('memoize hit, one argument: quick-lru', at('twat one'), at('quick-lru one'))
}

// --- bytes -------------------------------------------------------------------------

const object = (i) => ({ id: i, name: `user number ${i}`, tags: ['a', 'b'], score: i / 3, last: null })

async function bytes() {
  const cache = new Cache({ engine: 'memory', max: N })
  const disk = new Cache({ engine: 'disk', path: join(folder, 'disk'), mapSize: 2 ** 30, maxBytes: 2 ** 28 })
  const raw = openLmdb({ path: join(folder, 'raw'), encoding: 'binary', mapSize: 2 ** 30 })
  const packed = openLmdb({ path: join(folder, 'packed'), encoding: 'msgpack', mapSize: 2 ** 30 })
  for (let i = 0; i < N; i++) {
    const value = Buffer.alloc(100, i)
    cache.setBuffer(`b${texts[i]}`, value).set(texts[i], object(i))
    disk.setBuffer(`b${texts[i]}`, value).set(texts[i], object(i))
    raw.put(texts[i], value)
    packed.put(texts[i], object(i))
  }
  await Promise.all([raw.flushed, packed.flushed])
  const binaryKeys = keys.map((key) => `b${key}`)
  const loopBinary = (call) => (n) => { for (let i = 0; i < n; i++) call(binaryKeys[i & (TURN - 1)]) }
  cache.clear()
  for (let i = 0; i < N; i++) cache.setBuffer(`b${texts[i]}`, Buffer.alloc(100, i))
  const decoded = new Cache({ engine: 'memory', max: N })
  for (let i = 0; i < N; i++) decoded.set(texts[i], object(i))
  const t = measure([
    ['get', loopBinary((key) => cache.getBuffer(key))],
    ['lmdb getBinary', loop((key) => raw.getBinary(key))],
    ['decoded', loop((key) => decoded.get(key))],
    ['lmdb msgpack', loop((key) => packed.get(key))],
    ['disk get', loopBinary((key) => disk.getBuffer(key))],
    ['disk decoded', loop((key) => disk.get(key))],
  ], { rounds: 20, ms: 25 })
  row('byte mode get, memory: lmdb getBinary', t.get('get'), t.get('lmdb getBinary'), 0.5)
  row('byte mode get, memory, decoded: lmdb msgpack', t.get('decoded'), t.get('lmdb msgpack'), 0.6)
  row('byte mode get, disk: lmdb getBinary', t.get('disk get'), t.get('lmdb getBinary'))
  row('byte mode get, disk, decoded: lmdb msgpack', t.get('disk decoded'), t.get('lmdb msgpack'))
  for (const each of [cache, disk, decoded]) each.close()
  await Promise.all([raw.close(), packed.close()])
}

async function keyv() {
  const ours = new Keyv({ store: new KeyvTwat({ engine: 'memory', max: N }), serialize: undefined, deserialize: undefined })
  const peer = new Keyv({ store: new LRUCache({ max: N }) })
  const direct = memoize(async (user) => slow(user), { max: N })
  for (const text of texts.slice(0, 1000)) {
    await ours.set(text, slow(text))
    await peer.set(text, slow(text))
  }
  const few = keys.filter((key) => Number(key.slice(5)) < 1000)
  const turn = (get) => async (n) => { for (let i = 0; i < n; i++) await get(few[i % few.length]) }
  const t = await measureAsync([['ours', turn((key) => ours.get(key))], ['peer', turn((key) => peer.get(key))],
    ['direct', turn((key) => direct(key))]])
  row('memoized async function, awaited: keyv over lru-cache', t.get('direct'), t.get('peer'))
  row('keyv over KeyvTwat (memory): keyv over lru-cache', t.get('ours'), t.get('peer'))
}

// --- garbage collection --------------------------------------------------------------

function pause() {
  let best = Infinity
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    gc()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

function collections() {
  if (typeof gc !== 'function') throw new Error('run with --expose-gc')
  const COUNT = 500_000
  let cache = new Cache({ engine: 'memory', max: COUNT })
  const bare = pause()
  for (let i = 0; i < COUNT; i++) cache.set(`key ${i}`, { id: i, name: `name ${i}`, tags: ['a', 'b'] })
  const ours = pause()
  cache.close()
  cache = null
  const lru = new LRUCache({ max: COUNT })
  for (let i = 0; i < COUNT; i++) lru.set(`key ${i}`, { id: i, name: `name ${i}`, tags: ['a', 'b'] })
  const peer = pause()
  if (lru.size !== COUNT) throw new Error('lru-cache lost entries')
  row('500,000 entries, full gc pause: lru-cache', ours, peer, 0.1, 'ms')
  row('500,000 entries, full gc pause: without entries', ours, bare, undefined, 'ms')
}

memoized()
await bytes()
await structured(folder, row)
await keyv()
collections()
rmSync(folder, { recursive: true, force: true })

const text = (value, unit) => `${value.toFixed(1)} ${unit}`
const cells = [['what', 'ours', 'peer', 'ratio', 'target', ''],
  ...rows.map(({ what, ours, peer, ratio, target, unit, met }) =>
    [what, text(ours, unit), text(peer, unit), ratio.toFixed(2), target, met ? '' : 'BEHIND'])]
const widths = cells[0].map((_, i) => Math.max(...cells.map((line) => line[i].length)))
for (const line of cells) console.log(line.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd())
if (process.argv[2]) writeFileSync(process.argv[2], `${JSON.stringify(rows, null, 1)}\n`)
