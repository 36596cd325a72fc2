import assert from 'node:assert/strict'
import { test } from 'node:test'
import { directory, open, twat, SMALL } from './helpers.mjs'

/** Numbers that are the same in each run. */
function random(seed) {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

const value = (pick) => {
  const i = pick(1000)
  switch (pick(6)) {
    case 0: return i
    case 1: return `text ${i} ü`
    case 2: return { i, list: [i, null, true], text: `t${i}` }
    case 3: return Buffer.from(`bytes ${i}`)
    case 4: return i / 7
    default: return 'x'.repeat(i * 3)
  }
}

const STEPS = [
  (cache, model, key, pick) => { const v = value(pick); cache.set(key, v); model.set(key, v) },
  (cache, model, key, pick) => { const v = value(pick); cache.set(key, v); model.set(key, v) },
  (cache, model, key) => assert.deepStrictEqual(cache.get(key), model.get(key)),
  (cache, model, key) => assert.deepStrictEqual(cache.get(key), model.get(key)),
  (cache, model, key) => assert.deepStrictEqual(cache.get(key), model.get(key)),
  (cache, model, key) => assert.equal(cache.has(key), model.has(key)),
  (cache, model, key) => assert.equal(cache.delete(key), model.delete(key)),
  (cache, model, key, pick) => {
    const v = value(pick)
    assert.equal(cache.add(key, v), !model.has(key))
    if (!model.has(key)) model.set(key, v)
  },
]

function play(cache, steps, seed) {
  const pick = random(seed)
  const model = new Map()
  for (let n = 0; n < steps; n++) {
    const i = pick(2000)
    const key = i % 3 === 0 ? i : `key ${i}`
    STEPS[pick(STEPS.length)](cache, model, key, pick)
    if (n % 100_000 === 99_999) {
      assert.equal(cache.size, model.size)
      assert.deepEqual(new Set(cache.keys()), new Set(model.keys()))
    }
  }
}

test('one million random operations on memory agree with a Map', (t) => {
  play(open(t, { engine: 'memory' }), 1_000_000, 42)
})

test('random operations on disk agree with a Map', (t) => {
  play(open(t, { engine: 'disk', path: directory(t), ...SMALL }), 50_000, 43)
})

test('one million random calls of a memoized function agree with the function', () => {
  const pick = random(44)
  let calls = 0
  const memo = twat.memoize((a, b) => { calls++; return [a, b] }, { max: 300, policy: 's3fifo' })
  for (let n = 0; n < 1_000_000; n++) {
    const a = pick(30)
    const b = pick(2) ? pick(30) : `t${pick(30)}`
    const found = memo(a, b)
    assert.ok(found[0] === a && found[1] === b)
    if (pick(50) === 0) memo.delete(a, b)
  }
  const { hits, misses, entries } = memo.stats()
  assert.ok(entries <= 300)
  assert.deepEqual([hits + misses, misses], [1_000_000, calls])
})
