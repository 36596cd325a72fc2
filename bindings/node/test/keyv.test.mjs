import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from 'cache-manager'
import Keyv from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { SMALL, directory, later, sleep, twat } from './helpers.mjs'

const { KeyvTwat } = twat

test('cache-manager works over KeyvTwat', async (t) => {
  const store = new KeyvTwat({ engine: 'disk', path: directory(t), ...SMALL })
  later(t, () => store.disconnect())
  const cache = createCache({ stores: [new Keyv({ store })], ttl: 60_000 })
  await cache.set('k', { a: [1, null] })
  assert.deepEqual(await cache.get('k'), { a: [1, null] })
  let calls = 0
  const wrapped = () => cache.wrap('w', async () => { calls++; return { n: calls } }, { ttl: 5000 })
  assert.deepEqual([await wrapped(), await wrapped(), calls], [{ n: 1 }, { n: 1 }, 1])
  await cache.mset([{ key: 'a', value: 1 }, { key: 'b', value: 2, ttl: 30 }])
  assert.deepEqual(await cache.mget(['a', 'b', 'none']), [1, 2, undefined])
  await sleep(60)
  assert.equal(await cache.get('b'), undefined)
  assert.equal(await cache.del('a'), true)
  await cache.mdel(['k', 'w'])
  await cache.set('last', 1)
  await cache.clear()
  assert.equal(await cache.get('last'), undefined)
})

for (const [version, Kind] of [[5, Keyv], [6, Keyv6]]) {
  test(`Keyv ${version}: namespaces, many, ttl, iteration`, async (t) => {
    const store = new KeyvTwat({ engine: 'disk', path: directory(t), ...SMALL })
    later(t, () => store.disconnect())
    const keyv = new Kind({ store, namespace: 'one' })
    await keyv.set('k', { v: 1 })
    await keyv.set('short', 1, 20)
    await keyv.setMany([{ key: 'a', value: 1 }, { key: 'b', value: [2], ttl: 60_000 }])
    assert.deepEqual(await keyv.getMany(['a', 'none', 'b']), [1, undefined, [2]])
    await sleep(50)
    assert.equal(await keyv.get('short'), undefined)
    const seen = new Map()
    for await (const [key, value] of keyv.iterator()) seen.set(key, value)
    assert.deepEqual(seen, new Map([['k', { v: 1 }], ['a', 1], ['b', [2]]]))
    const other = new Kind({ store: new KeyvTwat(store.cache), namespace: 'two' })
    await other.set('k', 2)
    await keyv.clear()
    assert.deepEqual([await keyv.get('k'), await other.get('k'), await other.has('k')], [undefined, 2, true])
    assert.deepEqual([await other.delete('k'), await other.delete('k')], [true, false])
  })
}
