import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, directory, open, sleep, twat, SMALL } from './helpers.mjs'

const { Cache, NdArray, TwatCacheError } = twat

const VALUES = {
  null: null, true: true, zero: 0, 'minus zero': -0, float: 1.5, NaN, Infinity: Infinity, negative: -70000,
  'beyond 32 bits': 2 ** 40 + 1, 'largest exact': 2 ** 53 - 1, 'big integer': 2n ** 100n, 'negative big': -(2n ** 64n),
  'empty text': '', text: 'grüße 🎉', 'long text': 'ä'.repeat(5000), list: [1, [2, [3]]], object: { a: { b: [null] } },
  undefined, 'a field undefined': { a: undefined }, 'small big integer': [0n, 1n, -1n, 127n, 128n, -128n, -129n, 2n ** 63n], bytes: Buffer.from([0, 255, 1]), date: new Date(1700000000123),
  'early date': new Date(-1), map: new Map([[1, 'x'], [[2], 'y']]), set: new Set([1, 'a']),
  floats: new Float64Array([1.5, -2]), 'nested array': [new Int16Array([1, -1])],
  matrix: new NdArray(new Float32Array([1, 2, 3, 4]), [2, 2]), 'field __proto__': JSON.parse('{"__proto__": 1}'),
  edges: [2 ** 53 - 1, 2 ** 53, -(2 ** 53), 2 ** 53 + 2, 2n ** 53n + 1n],
  large: Array.from({ length: 20000 }, (_, i) => ({ i, text: `n${i}` })),
}

for (const [engine, make] of Object.entries(ENGINES)) {
  test(`${engine}: every kind of value comes back as it was`, (t) => {
    const cache = make(t)
    for (const [name, value] of Object.entries(VALUES)) {
      cache.set(name, value)
      assert.deepStrictEqual(cache.get(name), value, name)
    }
    assert.equal(cache.size, Object.keys(VALUES).length)
  })

  test(`${engine}: a miss is undefined, null is a value, a stored undefined is there`, (t) => {
    const cache = make(t)
    assert.equal(cache.get('none'), undefined)
    assert.equal(cache.has('none'), false)
    cache.set('null', null).set('undefined', undefined)
    assert.equal(cache.get('null'), null)
    assert.equal(cache.has('undefined'), true)
  })

  test(`${engine}: keys of text, bytes, numbers and lists are told apart and listed as given`, (t) => {
    const cache = make(t)
    const keys = ['', 'a', 'ключ', '1', 1, -1, 12345678901, Buffer.from([0xff, 0]), ['user', 1], ['user', '1'], [1, ['x']],
      'x'.repeat(600), `${'y'.repeat(509)}😀`, 'z'.repeat(100_000)]
    keys.forEach((key, i) => cache.set(key, i))
    keys.forEach((key, i) => assert.equal(cache.get(key), i))
    const listed = new Set([...cache.keys()].map((key) => JSON.stringify(key)))
    assert.deepEqual(listed, new Set(keys.map((key) => JSON.stringify(key))))
  })

  test(`${engine}: ttl of a call, of the cache, and no expiry`, async (t) => {
    const cache = make(t, { ttl: 600 })
    cache.set('own', 1).set('short', 1, { ttl: 100 }).set('never', 1, { ttl: Infinity })
    cache.set('touched', 1)
    assert.equal(cache.touch('touched', Infinity), true)
    await sleep(130)
    assert.equal(cache.get('short'), undefined)
    await sleep(550)
    assert.equal(cache.get('own'), undefined)
    assert.deepEqual([cache.get('never'), cache.get('touched'), cache.touch('none', 5)], [1, 1, false])
  })

  test(`${engine}: add, delete, counters, many, tags, prefixes, clear`, (t) => {
    const cache = make(t)
    assert.deepEqual([cache.add('k', 1), cache.add('k', 2), cache.get('k')], [true, false, 1])
    assert.deepEqual([cache.delete('k'), cache.delete('k')], [true, false])
    assert.deepEqual([cache.incr('n'), cache.incr('n', 41), cache.decr('n', 2n), cache.get('n')], [1, 42, 40, 40])
    assert.equal(cache.incr('big', 1, { initial: 2n ** 62n }), 2n ** 62n + 1n)
    assert.throws(() => cache.incr('big', 2n ** 62n), { code: 'TWAT_E_TOO_LARGE', message: /sum from -9223372036854775808/ })
    for (const [stored, sum] of [[2, 3], [-40000, -39999], [2 ** 40, 2 ** 40 + 1], [2n, 3n]]) {
      cache.set('set', stored)
      const kind = typeof cache.get('set')
      assert.equal(Number(cache.incr('set')), Number(sum))
      assert.deepEqual([Number(cache.get('set')), typeof cache.get('set')], [Number(sum), kind])
    }
    for (const [stored, name] of [['1', /got text/], [1.5, /got a float/], [null, /got nil/], [Buffer.from('1'), /got bytes/]]) {
      cache.set('set', stored)
      assert.throws(() => cache.incr('set'), { code: 'TWAT_E_UNSUPPORTED', message: name })
    }
    cache.setMany(new Map([['p:1', 1], ['p:2', new Float32Array([2])], ['q', 'ü'.repeat(40000)]]))
    assert.deepEqual(cache.getMany(['p:2', 'none', 'q', 'p:1']), [new Float32Array([2]), undefined, 'ü'.repeat(40000), 1])
    assert.deepEqual([...cache.keys('p:')].sort(), ['p:1', 'p:2'])
    assert.deepEqual(new Map(cache.entries('p:')).get('p:1'), 1)
    assert.equal(cache.deletePrefix('p:'), 2)
    assert.equal(cache.deleteMany(['q', 'none']), 1)
    cache.set('a', 1, { tag: 'x' }).set('b', 2, { tags: ['x', 'y'] }).set('c', 3)
    assert.equal(cache.evict('x'), true)
    const { size } = cache
    assert.deepEqual([cache.has('c'), size], [true, [...cache].length], 'what is invalidated does not count')
    assert.deepEqual(cache.getMany(['a', 'b', 'c']), [undefined, undefined, 3])
    cache.clear()
    assert.deepEqual([cache.size, [...cache]], [0, []])
  })

  test(`${engine}: raw bytes, copied and not`, (t) => {
    const cache = make(t)
    for (const size of [0, 1, 1000, 16383, 16384, 100_000, 3_000_000]) {
      const bytes = Buffer.alloc(size, size % 251)
      cache.setBuffer('b', bytes)
      const copy = cache.getBuffer('b')
      assert.ok(copy.equals(bytes), `${size}`)
      if (size > 0) copy[0] ^= 1
      assert.ok(cache.getBuffer('b', { copy: false }).equals(bytes), 'a copy is the own of its caller')
      assert.ok(cache.get('b').equals(bytes))
    }
    cache.set('o', {})
    assert.throws(() => cache.getBuffer('o'), { code: 'TWAT_E_UNSUPPORTED', message: /MessagePack/ })
    assert.equal(cache.getBuffer('none'), undefined)
  })

  test(`${engine}: the async twins give what the sync calls give`, async (t) => {
    const cache = make(t)
    for (const [name, value] of Object.entries(VALUES)) {
      await cache.setAsync(name, value)
      assert.deepStrictEqual(await cache.getAsync(name), value, name)
    }
    assert.deepEqual([await cache.getAsync('none'), await cache.hasAsync('text'), await cache.deleteAsync('text')],
      [undefined, true, true])
    await cache.setManyAsync([['a', 1], ['b', [2]]], { ttl: 60_000, tags: ['t'] })
    assert.deepEqual(await cache.getManyAsync(['b', 'none', 'a']), [[2], undefined, 1])
    assert.equal(cache.evict('t'), true)
    assert.deepEqual([await cache.addAsync('a', 5), await cache.addAsync('a', 6)], [true, false])
    await cache.setBufferAsync('raw', Buffer.from('xyz'))
    assert.equal(String(await cache.getBufferAsync('raw')), 'xyz')
    assert.equal(await cache.deleteManyAsync(['raw', 'none']), 1)
    await cache.setManyAsync({ 'p:1': 1, 'p:2': 2 })
    assert.equal(await cache.deletePrefixAsync('p:'), 2)
    await cache.flushAsync()
    await cache.clearAsync()
    assert.equal(cache.size, 0)
  })

  test(`${engine}: figures, words and a check`, (t) => {
    const cache = make(t)
    cache.set('a', 1)
    cache.get('a')
    cache.get('b')
    const stats = cache.stats()
    assert.deepEqual([stats.hits, stats.misses, stats.sets, stats.entries, stats.hitRatio], [1, 1, 1, 1, 0.5])
    assert.equal(cache.info().engine, engine)
    assert.deepEqual([cache.check().entries, cache.check({ repair: true }).bad], [1, 0])
    assert.equal(cache.expire(), 0)
    cache.flush()
  })

  test(`${engine}: an exported cache is imported`, (t) => {
    const cache = make(t)
    cache.set('a', { x: 1 }).set('b', 'b'.repeat(100_000))
    const file = `${directory(t)}/export`
    assert.equal(cache.export(file), 2)
    const other = make(t)
    assert.equal(other.import(file), 2)
    assert.deepEqual(other.get('a'), { x: 1 })
  })
}

test('encodings json and binary', (t) => {
  const json = open(t, { encoding: 'json' })
  json.set('k', { a: [1, 'x'] })
  assert.deepEqual(json.get('k'), { a: [1, 'x'] })
  const binary = open(t, { encoding: 'binary' })
  binary.set('k', new Uint8Array([1, 2]))
  assert.deepEqual(binary.get('k'), Buffer.from([1, 2]))
  assert.throws(() => binary.set('k', 'text'), TypeError)
  assert.throws(() => json.set('k', () => 1), TypeError)
  assert.throws(() => new Cache({ encoding: 'xml' }), { code: 'TWAT_E_CONFIG' })
})

test('a bounded cache keeps its bound and the recently used', (t) => {
  const cache = open(t, { max: 100 })
  for (let i = 0; i < 1000; i++) {
    cache.set(i, i)
    cache.get(0)
  }
  assert.deepEqual([cache.size, cache.get(0), cache.get(999), cache.get(1)], [100, 0, 999, undefined])
})

test('a store on disk is found again, its namespaces are apart', (t) => {
  const path = directory(t)
  const first = new Cache({ path, ...SMALL })
  assert.equal(first.info().engine, 'disk')
  first.set('k', { kept: true })
  first.close()
  const again = open(t, { path, ...SMALL })
  assert.deepEqual(again.get('k'), { kept: true })
  const other = open(t, { path, namespace: 'other', ...SMALL })
  assert.equal(other.get('k'), undefined)
})

test('an object that encodes itself while it is encoded does no harm', (t) => {
  const cache = open(t)
  const nested = { get inner() { cache.set('b', { x: 'b'.repeat(10) }); return cache.get('b') } }
  cache.set('a', [1, nested, 2])
  assert.deepEqual(cache.get('a'), [1, { inner: { x: 'b'.repeat(10) } }, 2])
})

test('using: disposal closes', async () => {
  const cache = new Cache()
  cache[Symbol.dispose ?? Symbol.for('nodejs.dispose')]()
  assert.throws(() => cache.get('a'), { name: 'TwatCacheError', code: 'TWAT_E_CLOSED' })
  const other = new Cache()
  const pending = other.setAsync('a', 1)
  await other[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]()
  await pending
  await assert.rejects(other.getAsync('a'), TwatCacheError)
})
