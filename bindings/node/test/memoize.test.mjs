import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SMALL, directory, later, sleep, twat } from './helpers.mjs'

const { memoize, cached, TwatCacheError } = twat

/** A function that counts its calls. */
function counting(fn = (...args) => ({ args })) {
  const counted = function (...args) {
    counted.calls++
    return fn.apply(this, args)
  }
  counted.calls = 0
  return counted
}

test('a hit is the very object, whatever the arguments are', () => {
  const fn = counting()
  const memo = memoize(fn, { max: 100 })
  const when = new Date(5)
  const calls = [[], [1], ['1'], [1n], [null], [true], [NaN], [Symbol.for('s')], [1, 2], ['1', 2], [1, null], [1, 2, 3],
    [{ a: 1, b: [2] }], [[1]], [when], [Buffer.from('x')], [new Set([1])], [new Map([[1, 2]])], ['x', { y: 1 }],
    [new Float64Array([1])], [undefined, 1]]
  const first = calls.map((args) => memo(...args))
  const again = calls.map((args) => memo(...args))
  first.forEach((value, i) => assert.equal(value, again[i]))
  assert.equal(fn.calls, calls.length)
  assert.equal(memo({ b: [2], a: 1 }), memo({ a: 1, b: [2] }), 'order of fields makes no difference')
  assert.equal(memo(1, undefined), memo(1), 'trailing undefined is none')
  assert.equal(memo(undefined), memo())
  assert.equal(memo(0), memo(-0))
  assert.notEqual(memo(['1']), memo([1]))
})

test('null, undefined, false and NaN are results like others', () => {
  for (const result of [null, undefined, false, NaN]) {
    const fn = counting(() => result)
    const memo = memoize(fn)
    memo(1)
    assert.ok(Object.is(memo(1), result))
    assert.equal(fn.calls, 1)
  }
})

test('lru of one, two and three arguments is exact', () => {
  for (const spread of [(i) => [i], (i) => [i, 'x'], (i) => ['x', i], (i) => [i, 'x', 'y'], (i) => [{ i }]]) {
    const fn = counting()
    const memo = memoize(fn, { max: 3 })
    for (const i of [1, 2, 3, 1, 4]) memo(...spread(i)) // 2 leaves
    assert.equal(fn.calls, 4)
    for (const i of [1, 3, 4]) assert.ok(memo.has(...spread(i)))
    assert.equal(memo.has(...spread(2)), false)
    assert.equal(memo.cache.size, 3)
    assert.equal(memo.stats().evictions, 1)
  }
})

test('two arguments: few and many second ones for a first one, NaN, and their removal', () => {
  const fn = counting((a, b) => ({ a, b }))
  const memo = memoize(fn, { max: 1000, policy: 'fifo' })
  const pairs = []
  for (const a of [1, '1', null, NaN, true]) for (let b = 0; b < 30; b++) pairs.push([a, a === null ? `t${b}` : b])
  pairs.push([1, NaN], [NaN, NaN], [1, null], [1, '1'], [1, false])
  for (let round = 0; round < 2; round++) for (const [a, b] of pairs) assert.deepEqual(memo(a, b), { a, b })
  assert.equal(fn.calls, pairs.length)
  for (const [a, b] of pairs) assert.deepEqual([memo.delete(a, b), memo.has(a, b)], [true, false])
  assert.equal(memo.cache.size, 0)
  for (let i = 0; i < 5000; i++) memo(i % 7, i)
  assert.deepEqual([memo.cache.size, memo.has(4999 % 7, 4999), memo.has(3999 % 7, 3999)], [1000, true, false])
})

test('each policy keeps its bound and finds what it holds', () => {
  for (const policy of ['lru', 'lfu', 'fifo', 'lifo', 'mru', 'rr', 'sieve', 's3fifo', 'none']) {
    const fn = counting((i) => ({ i }))
    const memo = memoize(fn, { max: 50, policy, seed: 7 })
    let at = 1
    for (let n = 0; n < 20_000; n++) {
      at = (at * 16807) % 2147483647
      const i = Math.floor((at / 2147483647) ** 3 * 300)
      assert.equal(memo(i).i, i)
      assert.ok(memo.cache.size <= 50, policy)
    }
    const { hits, misses, entries } = memo.stats()
    assert.equal(hits + misses, 20_000)
    assert.equal(misses, fn.calls)
    assert.equal(entries, 50)
    assert.ok(hits > 3400, `${policy} ${hits}`)
  }
})

test('a long row of hits before the next miss is told in order', () => {
  const memo = memoize((i) => ({ i }), { max: 3 })
  for (const i of [1, 2, 3]) memo(i)
  for (let n = 0; n < 10_000; n++) memo([3, 1][n & 1])
  memo(4)
  assert.deepEqual([1, 2, 3, 4].map((i) => memo.has(i)), [true, false, true, true])
})

test('policy tinylfu uses the byte engine', () => {
  const fn = counting((i) => ({ i }))
  const memo = memoize(fn, { max: 100, policy: 'tinylfu' })
  assert.deepEqual(memo(1), memo(1))
  assert.equal(memo.cache.info().engine, 'memory')
})

test('ttl ends an entry, on a monotonic clock', async (t) => {
  const fn = counting()
  const memo = memoize(fn, { ttl: 300, max: 10 })
  memo(1)
  const real = Date.now
  later(t, () => { Date.now = real })
  Date.now = () => real() + 1e9
  memo(1)
  assert.equal(fn.calls, 1, 'a step of the wall clock ends nothing')
  await sleep(330)
  memo(1)
  assert.equal(fn.calls, 2)
  assert.deepEqual([memo.stats().expirations, memo.cache.size], [1, 1])
  const sized = memoize(counting(), { ttl: 300, max: 10 })
  for (const args of [[], [2], [1, 2], [1, 3], [[1]]]) sized(...args)
  assert.equal(sized.cache.size, 5)
  await sleep(330)
  assert.equal(sized.cache.size, 0, 'what is over does not count, asked for or not')
  const ever = memoize(fn, { ttl: Infinity })
  assert.equal(ever(1), ever(1))
})

test('maxBytes counts what sizeOf says, and one that is too large is returned, not kept', () => {
  const fn = counting((n) => 'x'.repeat(n))
  const memo = memoize(fn, { maxBytes: 100_000, sizeOf: (text) => text.length })
  memo(60_000)
  memo(50_000)
  assert.deepEqual([memo.has(60_000), memo.has(50_000), memo.stats().bytes], [false, true, 50_000])
  assert.equal(memo(200_000).length, 200_000)
  assert.deepEqual([memo.has(200_000), memo.stats().rejected], [false, 1])
  const measured = memoize(fn, { maxBytes: 100_000 })
  measured(60_000)
  measured(50_000)
  assert.equal(measured.cache.size, 1)
})

test('many victims at once all leave', () => {
  const memo = memoize((n) => n, { maxBytes: 100_000, sizeOf: (n) => (n < 0 ? 100_000 : 100) })
  for (let i = 0; i < 1000; i++) memo(i)
  assert.equal(memo.cache.size, 1000)
  memo(-1)
  assert.deepEqual([memo.cache.size, memo.has(-1), memo.has(5)], [1, true, false])
})

test('delete, clear, key, cacheIf, this', () => {
  const fn = counting(function (user) { return this ? this.prefix + user.id : user.id })
  const memo = memoize(fn, { key: (user) => user.id, cacheIf: (result) => result !== 7 })
  assert.equal(memo({ id: 1, at: {} }), memo({ id: 1 }))
  memo({ id: 7 })
  memo({ id: 7 })
  assert.equal(fn.calls, 3)
  assert.deepEqual([memo.delete({ id: 1 }), memo.delete({ id: 1 }), memo.stats().deletes], [true, false, 1])
  memo({ id: 2 })
  memo.clear()
  assert.equal(memo.has({ id: 2 }), false)
  const object = { prefix: 'p', get: memoize(fn, { key: (user) => user.id }) }
  assert.equal(object.get({ id: 3 }), 'p3')
  assert.deepEqual([memoize(fn).name, memoize(Math.max).length], [fn.name, 2])
})

test('what throws is not kept and is run once a call', () => {
  const fn = counting(() => { throw new RangeError('no') })
  const memo = memoize(fn, { max: 10 })
  assert.throws(() => memo(1), RangeError)
  assert.throws(() => memo(1), RangeError)
  assert.deepEqual([fn.calls, memo.cache.size], [2, 0])
})

test('recursion, and a function that clears its own cache', () => {
  const fib = memoize((n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)), { max: 3 })
  assert.equal(fib(78), 8944394323791464)
  const self = memoize((a, b) => { self.clear(); return a + b }, { max: 2 })
  for (let i = 0; i < 10; i++) assert.equal(self(i, i), 2 * i)
  const inner = memoize((a, b) => (b > 0 ? inner(a, b - 1) : a), { max: 2 })
  assert.deepEqual([inner('x', 5), inner.cache.size], ['x', 2])
})

test('an async function runs once for concurrent callers', async () => {
  for (const where of [{ max: 10 }, { max: 10, policy: 'tinylfu' }]) {
    const fn = counting(async (x) => { await sleep(10); return { x } })
    const memo = memoize(fn, { ...where, async: true })
    const all = await Promise.all([1, 1, 2, 1].map((x) => memo(x)))
    assert.deepEqual(all.map(({ x }) => x), [1, 1, 2, 1])
    assert.equal(fn.calls, 2)
    await memo(1)
    assert.equal(fn.calls, 2)
  }
})

test('a rejected promise is not kept, and is told to all that wait', async () => {
  for (const where of [{ max: 10 }, { max: 10, policy: 'tinylfu' }]) {
    let fail = true
    const fn = counting(async () => { await sleep(5); if (fail) throw new RangeError('no'); return 'yes' })
    const memo = memoize(fn, where)
    const outcomes = await Promise.allSettled([memo(1), memo(1)])
    assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'rejected'])
    assert.equal(fn.calls, 1)
    fail = false
    assert.equal(await memo(1), 'yes')
    assert.equal(fn.calls, 2)
  }
})

test('a store: what was under way when it was cleared is not kept, and is run again', async () => {
  for (const async of [true, false]) {
    const fn = counting((x) => sleep(20).then(() => x))
    const memo = memoize(fn, { max: 10, policy: 'tinylfu', async })
    const under = memo(1)
    await sleep(5)
    memo.clear()
    const again = memo(1)
    assert.deepEqual(await Promise.all([under, again]), [1, 1])
    assert.equal(fn.calls, 2)
    assert.equal(memo.has(1), true)
    const last = memo(2)
    await sleep(5)
    memo.clear()
    await last
    assert.equal(memo.has(2), false)
  }
})

test('what has a then of its own kind is awaited like a promise', async () => {
  const fn = counting((x) => ({ then(resolve) { resolve(x + 1) } }))
  const memo = memoize(fn, { max: 10 })
  assert.equal(await memo(1), 2)
  assert.equal(await memo(1), 2)
  assert.equal(fn.calls, 1)
})

test('async: cacheIf, ttl, clear while under way', async () => {
  const fn = counting(async (x) => { await sleep(20); return x })
  const memo = memoize(fn, { cacheIf: (x) => x !== 7, ttl: 300 })
  await memo(7)
  assert.equal(memo.has(7), false)
  await memo(1)
  assert.equal(memo.has(1), true)
  await sleep(320)
  assert.equal(memo.has(1), false)
  const under = memo(2)
  memo.clear()
  assert.equal(await under, 2)
  assert.equal(memo.has(2), false)
  const throwing = memoize(fn, { cacheIf: () => { throw new Error('cacheIf') } })
  assert.equal(await throwing(1), 1)
  assert.equal(throwing.cache.size, 0)
})

test('a memoized function on disk is found by the next program', async (t) => {
  const path = directory(t)
  const options = { engine: 'disk', path, name: 'report', ...SMALL }
  const fn = counting((...args) => ({ args }))
  const memo = memoize(fn, options)
  assert.deepEqual(memo(1, { b: 1, a: [2] }), { args: [1, { b: 1, a: [2] }] })
  memo.cache.close()
  const again = memoize(fn, options)
  assert.deepEqual(again(1, { a: [2], b: 1 }), { args: [1, { b: 1, a: [2] }] })
  assert.equal(fn.calls, 1)
  const other = memoize(fn, { ...options, name: 'another' })
  other(1)
  assert.equal(fn.calls, 2, 'another name is another function')
  again.clear()
  assert.deepEqual([again.has(1, { a: [2], b: 1 }), other.has(1)], [false, true])
  const slow = memoize(async (x) => { fn(x); return x }, { ...options, name: 'slow' })
  assert.deepEqual(await Promise.all([slow(1), slow(1)]), [1, 1])
  assert.deepEqual([await slow(1), fn.calls], [1, 3])
  const nothing = memoize(fn, { ...options, name: 'nothing' })
  fn.calls = 0
  const undef = memoize(counting(() => undefined), { ...options, name: 'undefined' })
  assert.deepEqual([undef(1), undef(1), undef.stats().hits], [undefined, undefined, 1])
  for (const f of [again, other, slow, nothing, undef]) f.cache.close()
})

test('a result that cannot be stored for want of room is returned all the same', (t) => {
  const memo = memoize(() => 'x'.repeat(200_000), { engine: 'memory', policy: 'tinylfu', maxBytes: 65_536 })
  assert.equal(memo(1).length, 200_000)
  memo.cache.close()
  const store = memoize(() => 'x'.repeat(3 << 20),
    { engine: 'disk', path: directory(t), name: 'f', maxBytes: 1 << 20, mapSize: 64 << 20 })
  assert.equal(store(1).length, 3 << 20)
  store.cache.close()
})

test('a decorated method has a cache for each instance', () => {
  const decorate = cached({ max: 10 })
  class Report {
    constructor(scale) { this.scale = scale; this.calls = 0 }
    run(x) { this.calls++; return { x: x * this.scale } }
  }
  Report.prototype.run = decorate(Report.prototype.run, { kind: 'method', name: 'run', static: false })
  const [a, b] = [new Report(2), new Report(3)]
  assert.deepEqual([a.run(1).x, b.run(1).x, a.run(1) === a.run(1), a.calls], [2, 3, true, 1])
  assert.equal(typeof cached(function m() {}, { kind: 'method', name: 'm' }), 'function')
  assert.throws(() => cached()(class {}, { kind: 'class' }), TypeError)
  assert.throws(() => cached({ max: -1 })(() => 1, { kind: 'method' }), TwatCacheError)
})

test('wrong options are told when memoize is called', () => {
  const wrong = [
    [{ maxx: 1 }, /did you mean 'max'/], [{ max: -1 }, /max: expected/], [{ max: 1.5 }, /max: expected/],
    [{ policy: 'lruu' }, /policy: expected one of/], [{ ttl: -1 }, /ttl/], [{ ttl: '5' }, /ttl/], [{ key: 5 }, /key: expected a function/],
    [{ compression: 'zstd' }, /compression: is for stores/], [{ engine: 'disk', path: '/tmp/x' }, /name: /],
    [{ engine: 'memory', max: 1, maxEntries: 2 }, /both/], [{ sizeOf: () => 1 }, /maxBytes/], [null, /options: expected/], [5, /options: expected/],
  ]
  for (const [options, message] of wrong) {
    assert.throws(() => memoize(() => 1, options), { name: 'TwatCacheError', code: 'TWAT_E_CONFIG', message }, JSON.stringify(options))
  }
  assert.throws(() => memoize(5), TypeError)
})

test('an argument that cannot be a key is named with the two ways out', async () => {
  class Thing {}
  const memo = memoize(() => 1, { name: 'area' })
  const message = /argument 2 of area: .*Thing.*key.*twat\.cacheKey/
  assert.throws(() => memo(1, new Thing()), { name: 'TypeError', code: 'TWAT_E_ARG', message })
  assert.throws(() => memo(() => 1), TypeError)
  assert.throws(() => memo({ text: '\ud800' }), TypeError)
  const byBytes = memoize(async () => 1, { policy: 'tinylfu', name: 'area' })
  await assert.rejects(byBytes(1, new Thing()), { message })
  class Keyed { constructor(id) { this.id = id } [Symbol.for('twat.cacheKey')]() { return ['keyed', this.id] } }
  const objects = memoize((o) => ({ id: o.id }))
  assert.equal(objects(new Keyed(1)), objects(new Keyed(1)))
  assert.notEqual(objects(new Keyed(1)), objects(new Keyed(2)))
})
