// Over a real server; the engine comes by configuration alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SMALL, later, open, redis, sleep, twat } from './helpers.mjs'

test('redis: values, ttl, many, counters, namespaces, async twins', async (t) => {
  const { url } = await redis(t)
  const cache = open(t, { url, namespace: 'n' })
  assert.deepEqual([cache.info().engine, cache.mayBlock], ['redis', true])
  cache.set('k', { a: [1, null, new Date(5)] }).set('short', 1, { ttl: 50 })
  assert.deepEqual(cache.get('k'), { a: [1, null, new Date(5)] })
  await cache.setAsync('a', 'x'.repeat(100_000))
  assert.equal((await cache.getAsync('a')).length, 100_000)
  await cache.setManyAsync({ p: 1, q: [2] })
  assert.deepEqual(await cache.getManyAsync(['q', 'none', 'p']), [[2], undefined, 1])
  assert.deepEqual([cache.incr('n', 5), cache.incr('n')], [5, 6])
  await sleep(80)
  assert.equal(cache.get('short'), undefined)
  const other = open(t, { url, namespace: 'other' })
  assert.equal(other.get('k'), undefined)
  other.set('k', 1)
  await cache.clearAsync()
  assert.deepEqual([cache.get('k'), other.get('k')], [undefined, 1])
})

test('redis: a memoized async function runs once for concurrent callers, and for the next program not at all', async (t) => {
  const { url } = await redis(t)
  let calls = 0
  const make = () => twat.memoize(async (x) => { calls++; await sleep(5); return { x } }, { url, name: 'f' })
  const [first, second] = [make(), make()]
  later(t, () => { first.cache.close(); second.cache.close() })
  assert.deepEqual(await Promise.all([first(1), first(1), first(2)]), [{ x: 1 }, { x: 1 }, { x: 2 }])
  assert.deepEqual([await second(1), calls], [{ x: 1 }, 2])
})

test('redis: KeyvTwat uses the async calls', async (t) => {
  const { url } = await redis(t)
  const store = new twat.KeyvTwat({ url })
  store.namespace = 'one'
  assert.equal(await store.set('k', 'v'), true)
  await store.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, ttl: 60_000 }])
  assert.deepEqual(await store.getMany(['k', 'none', 'b']), ['v', undefined, 2])
  assert.deepEqual([await store.has('a'), await store.deleteMany(['a', 'x']), await store.delete('k')], [true, true, true])
  await store.clear()
  assert.equal(await store.get('b'), undefined)
  await store.disconnect()
})

test('redis: a server that hangs blocks neither the event loop nor a memoized function; one that is gone is an error at once', async (t) => {
  const { url, server } = await redis(t)
  const cache = open(t, { url, timeoutMs: 400, connectTimeoutMs: 400 })
  let calls = 0
  const memo = twat.memoize(async (x) => { calls++; return x }, { url, name: 'f', timeoutMs: 400, connectTimeoutMs: 400 })
  later(t, () => memo.cache.close())
  cache.set('k', 1)
  server.kill('SIGSTOP')
  let turns = 0
  const timer = setInterval(() => turns++, 10)
  await assert.rejects(cache.getAsync('k'), { name: 'TwatCacheError', code: 'TWAT_E_UNAVAILABLE' })
  assert.equal(await memo(5), 5)
  clearInterval(timer)
  assert.ok(turns > 10, `${turns} turns of the loop`)
  server.kill('SIGKILL')
  await sleep(50)
  assert.throws(() => cache.get('k'), { code: 'TWAT_E_UNAVAILABLE' })
  assert.equal(await memo(6), 6)
  assert.equal(calls, 2)
})

test('tiers: memory over redis, and a size that goes around the first tier', async (t) => {
  const { url } = await redis(t)
  const make = () => open(t, { engine: 'tiered', smallMaxBytes: 1000, tiers: [{ engine: 'memory', max: 100 }, { engine: 'redis', url }] })
  const [a, b] = [make(), make()]
  a.set('k', 1).set('large', 'x'.repeat(5000))
  assert.deepEqual([b.get('k'), b.get('large').length, a.mayBlock], [1, 5000, true])
  a.set('k', 2)
  await sleep(20)
  assert.deepEqual([a.get('k'), b.get('k')], [2, 2])
})

test('an engine that cannot be opened falls back only when told', (t) => {
  const cache = open(t, { path: '/proc/nowhere/store', fallback: true, ...SMALL })
  assert.equal(cache.info().engine, 'memory')
  assert.throws(() => new twat.Cache({ path: '/proc/nowhere/store', ...SMALL }), twat.TwatCacheError)
})
