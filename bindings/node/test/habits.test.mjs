// What users of other caches expect: peek, invalidate, tags, hooks, a switch, figures in words, decorators of both kinds.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import diagnostics from 'node:diagnostics_channel'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { ENGINES, SMALL, directory, later, open, sleep, twat } from './helpers.mjs'

const { Cache, memoize, cached, KeyvTwat } = twat
const index = fileURLToPath(new URL('../lib/index.js', import.meta.url))

function both(t, fn, options = {}) {
  const store = memoize(fn, { engine: 'disk', path: directory(t), name: 'f', ...SMALL, ...options })
  later(t, () => store.cache.close())
  return [memoize(fn, options), store]
}

test('has, peek, invalidate and its alias delete', async (t) => {
  for (const memo of both(t, (x) => (x === undefined ? null : { x }))) {
    assert.deepEqual([memo.has(1), memo.peek(1), memo.invalidate(1)], [false, undefined, false])
    memo(1)
    assert.deepEqual([memo.has(1), memo.peek(1), memo.invalidate(1), memo.has(1)], [true, { x: 1 }, true, false])
    memo(1)
    assert.deepEqual([memo.delete(1), memo.delete(1)], [true, false])
    memo()
    assert.equal(memo.peek(), null)
  }
  const lru = memoize((x) => x, { max: 2 })
  lru(1)
  lru(2)
  const { hits } = lru.stats()
  lru.peek(1)
  assert.equal(lru.stats().hits, hits, 'peek counts nothing')
  lru(3)
  assert.deepEqual([lru.has(1), lru.has(2)], [false, true], 'and does not keep its entry from eviction')
})

test('tags of memoized calls: templates by index and path, a function, a list; what is in flight goes with them', async (t) => {
  const forms = ['user:{0.id}', ['user:{0.id}', 'all'], (user) => `user:${user.id}`, (user) => new Set(['all', `user:${user.id}`])]
  for (const tags of forms) {
    for (const memo of both(t, (user) => ({ user }), { tags })) {
      memo({ id: 7 })
      memo({ id: 8 })
      assert.equal(memo.invalidateTag('none'), false)
      assert.equal(memo.invalidateTag('user:7'), true)
      assert.deepEqual([memo.has({ id: 7 }), memo.has({ id: 8 })], [false, true])
      assert.deepEqual([memo.evict('user:8'), memo.has({ id: 8 }), memo.cache.evict('none')], [true, false, false])
    }
  }
  for (const memo of both(t, async (id) => { await sleep(20); return { id } }, { tags: ['user:{0}'] })) {
    const under = memo(7)
    await sleep(5)
    memo.invalidateTag('user:7')
    await under
    assert.equal(memo.has(7), false)
    await memo(7)
    assert.equal(memo.has(7), true)
    memo.cache.invalidateTag('user:7')
    assert.equal(memo.has(7), false)
  }
  const bounded = memoize((x) => x, { max: 10, tags: ['t:{0}', 'all'] })
  for (let i = 0; i < 1000; i++) bounded(i)
  bounded.invalidateTag('all')
  assert.equal(bounded.cache.size, 0)
})

test('onEvict is called for what leaves by a bound or its time, with its arguments; it may call back', async () => {
  const left = []
  const memo = memoize((a, b) => `${a}${b ?? ''}`, { max: 2, onEvict: (value, { args, reason }) => { left.push([value, args, reason]); memo.has('x') } })
  for (const args of [['a'], ['b', 1], ['c'], ['d']]) memo(...args)
  memo.invalidate('d')
  memo.clear()
  assert.deepEqual(left, [['a', ['a'], 'evict'], ['b1', ['b', 1], 'evict']])
  let time = 0
  const timed = memoize((x) => x, { ttl: 100, clock: () => time, onEvict: (value, { reason }) => left.push([value, reason]) })
  timed('t')
  time = 101
  assert.equal(timed.has('t'), false)
  assert.deepEqual(left.at(-1), ['t', 'expire'])
  const again = memoize((x) => x, { max: 1, onEvict: (value) => { if (value < 5) again(value + 10); else throw new Error('hook') }, onError() {} })
  for (let i = 0; i < 5; i++) assert.equal(again(i), i)
  assert.equal(again.cache.size, 1)
})

test('a clock of the caller ends entries, so that fake timers do', () => {
  let time = 1000
  let calls = 0
  const memo = memoize((x) => { calls++; return x }, { ttl: 5000, clock: () => time })
  memo(1)
  time += 4999
  memo(1)
  assert.equal(calls, 1)
  time += 2
  memo(1)
  assert.equal(calls, 2)
})

test('diagnostics channels say what is missed, evicted and failed', (t) => {
  const seen = []
  const listen = (name) => {
    const listener = (message) => seen.push([name, message.name])
    diagnostics.subscribe(`twat-cache:${name}`, listener)
    later(t, () => diagnostics.unsubscribe(`twat-cache:${name}`, listener))
  }
  for (const name of ['miss', 'evict', 'error']) listen(name)
  const memo = memoize((x) => x, { max: 1, name: 'seen' })
  for (const x of [1, 1, 2]) memo(x)
  const [, store] = both(t, () => Symbol('s'), { onError() {} })
  store(1)
  assert.deepEqual(seen, [['miss', 'seen'], ['miss', 'seen'], ['evict', 'seen'], ['miss', 'f'], ['error', 'f']])
})

test('Cache.disabled: functions run, reads miss, writes are dropped; what was stored is there afterwards', async (t) => {
  later(t, () => { Cache.disabled = false })
  let calls = 0
  const memos = both(t, (x) => { calls++; return { x } })
  const withKey = memoize((x) => { calls++; return { x } }, { key: (x) => x })
  const cache = open(t)
  cache.set('k', 1)
  for (const memo of [...memos, withKey]) memo(1)
  Cache.disabled = true
  calls = 0
  for (const memo of [...memos, withKey]) { memo(1); memo(1) }
  assert.equal(calls, 6)
  cache.set('k', 2).set('other', 1).setMany({ m: 1 })
  await cache.setAsync('async', 1)
  assert.deepEqual([cache.get('k'), cache.has('k'), cache.getMany(['k']), await cache.getAsync('k'), cache.add('a', 1), [...cache]],
    [undefined, false, [undefined], undefined, true, []])
  Cache.disabled = false
  assert.deepEqual([cache.get('k'), cache.has('other'), cache.has('a'), cache.has('async')], [1, false, false, false])
  for (const memo of memos) memo(1)
  assert.equal(calls, 6)
  assert.throws(() => { Cache.disabled = 1 }, TypeError)
  const program = `const { memoize, Cache } = require(${JSON.stringify(index)}); let n = 0; const f = memoize(() => ++n); f(1); f(1); console.log(n, Cache.disabled)`
  for (const [value, expected] of [['1', '2 true'], ['0', '1 false'], ['', '1 false']]) {
    assert.equal(execFileSync(process.execPath, ['-e', program], { env: { ...process.env, TWAT_CACHE_DISABLE: value }, encoding: 'utf8' }).trim(), expected)
  }
})

for (const [engine, make] of Object.entries(ENGINES)) {
  test(`${engine}: the async twins of counters, touch and tags`, async (t) => {
    const cache = make(t)
    assert.deepEqual([await cache.incrAsync('n'), await cache.incrAsync('n', 41n), await cache.decrAsync('n', 2)], [1, 42, 40])
    assert.equal(await cache.incrAsync('big', 1, { initial: 2n ** 62n }), 2n ** 62n + 1n)
    cache.set('a', 1, { tag: 'x' })
    assert.deepEqual([await cache.touchAsync('a', 60_000), await cache.touchAsync('none', 5)], [true, false])
    assert.deepEqual([await cache.invalidateTagAsync('x'), cache.get('a')], [true, undefined])
    for (const call of [cache.incrAsync('n', 1.5), cache.incrAsync('n', 2n ** 63n), cache.touchAsync('n', 0), cache.invalidateTagAsync(5), cache.incrAsync({})]) {
      await assert.rejects(call, (error) => error.code.startsWith('TWAT_E_'))
    }
  })
}

test('util.inspect says what a cache is and holds', (t) => {
  const path = directory(t)
  const cache = open(t, { path, ...SMALL })
  cache.set('a', 1)
  assert.match(inspect(cache), new RegExp(`^Cache \\{[^]*engine: 'disk'[^]*${path}[^]*entries: 1`))
  assert.match(inspect({ cache }), /Cache \{/)
  const closed = new Cache()
  closed.close()
  assert.equal(inspect(closed), 'Cache { closed: true }')
  const memo = memoize((x) => x, { max: 5 })
  memo(1)
  assert.match(inspect(memo.cache), /^ObjectCache \{ entries: 1, hits: 0, misses: 1, maxEntries: 5 \}/)
})

test('legacy decorators: bare and with options, static, symbols, accessors refused', () => {
  const symbol = Symbol('method')
  for (const decorate of [cached, cached({ max: 10 }), cached()]) {
    class Report {
      calls = 0
      run(x) { this.calls++; return { x } }
      [symbol](x) { this.calls++; return x }
      static total(x) { Report.runs = (Report.runs ?? 0) + 1; return { x } }
      get field() { return 1 }
    }
    for (const [target, name] of [[Report.prototype, 'run'], [Report.prototype, symbol], [Report, 'total']]) {
      const descriptor = Object.getOwnPropertyDescriptor(target, name)
      const made = decorate(target, name, descriptor) ?? descriptor
      assert.deepEqual({ ...made, value: 0 }, { ...descriptor, value: 0 })
      Object.defineProperty(target, name, made)
    }
    const [a, b] = [new Report(), Object.freeze(Object.assign(new Report(), {}))]
    assert.equal(a.run(1), a.run(1))
    a[symbol](1)
    a[symbol](1)
    assert.equal(a.calls, 2)
    assert.equal(Report.total(1), Report.total(1))
    assert.equal(Report.runs, 1)
    assert.throws(() => b.run(1), TypeError, 'the method writes to its frozen instance, as without a cache')
    assert.deepEqual([a.run.name, a.run.length, Report.total.name], ['run', 1, 'total'])
    assert.throws(() => decorate(Report.prototype, 'field', Object.getOwnPropertyDescriptor(Report.prototype, 'field')), { name: 'TypeError', message: /field/ })
    assert.throws(() => decorate(Report.prototype, 'field'), TypeError)
  }
})

test('standard decorators: private and static methods, methods without an instance', () => {
  const plain = cached(function (x) { return { x } }, { kind: 'method', name: '#secret', private: true, static: false })
  const instance = {}
  assert.equal(plain.call(instance, 1), plain.call(instance, 1))
  assert.notEqual(plain.call(undefined, 1), plain.call(undefined, 1))
  class A { static base = 1 }
  class B extends A {}
  const shared = cached({ max: 3 })(function (x) { return { self: this, x } }, { kind: 'method', name: 'of', static: true })
  assert.equal(shared.call(A, 1), shared.call(A, 1))
  assert.equal(shared.call(B, 1).self, B)
  const own = Object.freeze({ frozen: true })
  assert.equal(plain.call(own, 2), plain.call(own, 2))
  for (const kind of ['getter', 'setter', 'field', 'accessor', 'class']) assert.throws(() => cached(function () {}, { kind, name: 'x' }), TypeError)
  for (const wrong of [[5], ['x'], [null, 5], [() => 1], [{}, {}]]) assert.throws(() => cached(...wrong), (error) => error.code?.startsWith('TWAT_E_'), String(wrong))
})

test('Keyv: namespaces are apart whatever their names are, and other keys are none of Keyv\'s', async (t) => {
  const cache = open(t)
  const store = (namespace) => Object.assign(new KeyvTwat(cache), { namespace })
  const names = [undefined, 'a', 'a::b', 'a:', ':a', 'a%3A', 'a%3A%3Ab', 'a::', '::']
  const keys = ['x', 'b::x', ':x', '::x', 'a::x', '::a::x', 'a::b::x', '3A::x']
  const stores = names.map(store)
  for (const [i, each] of stores.entries()) for (const key of keys) await each.set(key, `${i} ${key}`)
  cache.set(5, 'x').set(['list'], 1).set(Buffer.from([0xff]), 2)
  for (const [i, each] of stores.entries()) {
    for (const key of keys) assert.equal(await each.get(key), `${i} ${key}`)
    const listed = []
    for await (const [key, value] of each.iterator(names[i])) listed.push([key, value])
    assert.deepEqual(listed.sort(), keys.map((key) => [key, `${i} ${key}`]).sort(), String(names[i]))
  }
  await stores[2].clear()
  for (const [i, each] of stores.entries()) assert.equal(await each.has('b::x'), i !== 2)
  await stores[0].set('forever', 1, 0)
  assert.equal(await stores[0].get('forever'), 1)
})
