// The core of the package on another host: core.cjs STORE. Prints "core" when all holds.
const assert = require('node:assert/strict')
const { Cache, memoize, KeyvTwat, TwatCacheError } = require('twat-cache')

const store = { engine: 'disk', path: process.argv[2], maxBytes: 64 << 20, mapSize: 1 << 30 }
const VALUES = [null, true, 0, -0, 1.5, NaN, 2 ** 40, 2n, 2n ** 70n, '', 'grüße 🎉', 'x'.repeat(70_000), [1, [2]], { a: { b: null } }, undefined,
  new Date(5), new Map([['a', 1]]), new Map([[1, 2]]), new Set([1]), new Uint8Array([1, 2]), new Float64Array([1.5]), new Float64Array(20_000).fill(2.5),
  Buffer.from('bytes'), Buffer.alloc(100_000, 7), new URL('https://a.b/'), /a/g, new ArrayBuffer(3), Array.from({ length: 20_000 }, (_, i) => ({ i }))]

async function main() {
  for (const options of [{ engine: 'memory' }, store]) {
    const cache = new Cache(options)
    cache.clear()
    VALUES.forEach((value, i) => cache.set(i, value))
    VALUES.forEach((value, i) => assert.deepStrictEqual(cache.get(i), value, `value ${i}`))
    for (const [i, value] of VALUES.entries()) {
      await cache.setAsync(`async ${i}`, value)
      assert.deepStrictEqual(await cache.getAsync(`async ${i}`), value, `async ${i}`)
    }
    cache.setMany(VALUES.map((value, i) => [`many ${i}`, value]), { tags: ['many'], ttl: 60_000 })
    assert.deepStrictEqual(cache.getMany(VALUES.map((_, i) => `many ${i}`)), VALUES)
    assert.equal(cache.invalidateTag('many'), true)
    assert.deepEqual([cache.incr('n'), cache.incr('n', 41), cache.get('n'), cache.has('many 0'), cache.get('none')], [1, 42, 42, false, undefined])
    assert.throws(() => cache.get({}), { code: 'TWAT_E_ARG' })
    assert.throws(() => cache.set('k', () => 1), { code: 'TWAT_E_ARG' })
    assert.throws(() => cache.get('\ud800'), TwatCacheError)
    assert.ok([...cache.keys()].includes('async 3'))
    cache.close()
  }
  let calls = 0
  for (const options of [{ max: 2 }, { ...store, name: 'f' }]) {
    calls = 0
    const memo = memoize((x) => { calls++; return { x } }, options)
    memo.clear()
    for (const x of [1, 1, { a: [1] }, { a: [1] }]) assert.deepEqual(memo(x), { x })
    assert.equal(calls, 2)
    const slow = memoize(async (x) => { calls++; return x }, { ...options, ...(options.name && { name: 'g' }) })
    slow.clear()
    assert.deepEqual(await Promise.all([slow(1), slow(1)]), [1, 1])
    assert.equal(calls, 3)
    await assert.rejects(memoize(() => Promise.reject(new Error('no')))(), /no/)
    memo.cache.close()
    slow.cache.close()
  }
  const keyv = new KeyvTwat({ max: 10 })
  await keyv.set('k', '{}')
  assert.equal(await keyv.get('k'), '{}')
  console.log('core')
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
