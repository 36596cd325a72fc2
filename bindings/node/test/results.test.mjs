// What a memoized function gives is what the function gives: thenables, rejections, iterators, results that cannot be kept.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import vm from 'node:vm'
import { SMALL, directory, later, twat } from './helpers.mjs'

const { memoize } = twat
const run = promisify(execFile)
const index = fileURLToPath(new URL('../lib/index.js', import.meta.url))

/** A function over live objects and the same over a store. */
function both(t, fn, options = {}) {
  const path = directory(t)
  const store = memoize(fn, { engine: 'disk', path, name: 'f', ...SMALL, ...options })
  later(t, () => store.cache.close())
  return [memoize(fn, options), store]
}

/** A query that does its work each time `then` is called, as those of knex and mongoose do. */
class Query {
  static sent = 0
  #answer
  constructor(answer) { this.#answer = answer }
  where() { return this }
  then(resolve, reject) { Query.sent++; return Promise.resolve(this.#answer).then(resolve, reject) }
}

test('a thenable that works in then is asked once, whoever awaits', async (t) => {
  for (const memo of both(t, (x) => new Query({ x }))) {
    Query.sent = 0
    assert.deepEqual(await Promise.all([memo(1), memo(1), memo(1).then((v) => v)]), [{ x: 1 }, { x: 1 }, { x: 1 }])
    assert.deepEqual(await memo(1), { x: 1 })
    assert.equal(Query.sent, 1)
  }
  const memo = memoize((x) => new Query(x))
  assert.ok(memo(2) instanceof Promise)
  assert.equal(memo(2), memo(2))
})

test('then is read once; what throws when it is read is given as it is', async () => {
  let reads = 0
  const memo = memoize(() => ({ get then() { reads++; return (resolve) => resolve(7) } }))
  assert.deepEqual([await memo(1), await memo(1), reads], [7, 7, 1])
  const throwing = { get then() { throw new RangeError('then') } }
  assert.equal(memoize(() => throwing)(), throwing)
  const proxy = new Proxy(function () {}, { get: (_, name) => (name === 'then' ? (resolve) => resolve('rpc') : undefined) })
  assert.equal(await memoize(() => proxy)(), 'rpc')
})

test('a thenable that fails, throws or answers twice', async (t) => {
  for (const then of [(_, reject) => reject(new Error('no')), () => { throw new Error('no') }]) {
    let calls = 0
    for (const memo of both(t, () => { calls++; return { then } })) {
      calls = 0
      await assert.rejects(memo(1), /no/)
      await assert.rejects(memo(1), /no/)
      assert.equal(calls, 2)
    }
  }
  assert.equal(await memoize(() => ({ then(resolve) { resolve(1); resolve(2); throw new Error('late') } }))(), 1)
  assert.equal(await memoize(() => ({ then(resolve) { resolve(new Query('inner')) } }))(), 'inner')
})

test('promises keep what they bear: subclasses, own methods, another realm', async () => {
  class Cancelable extends Promise { cancel() { return 'canceled' } }
  const memo = memoize((x) => Cancelable.resolve(x))
  assert.ok(memo(1) instanceof Cancelable)
  assert.deepEqual([memo(1).cancel(), await memo(1)], ['canceled', 1])
  const withField = memoize(() => Object.assign(Promise.resolve(1), { pid: 5, json() { return 'json' } }))
  assert.deepEqual([withField().pid, withField().json(), await withField()], [5, 'json', 1])
  const foreign = memoize(() => vm.runInNewContext('Promise.resolve({ a: 1 })'))
  assert.ok(foreign() instanceof Promise)
  assert.deepEqual({ ...(await foreign()) }, { a: 1 })
})

test('a rejection that nobody handles is reported once, one that is handled is not', async (t) => {
  const program = `
    const { memoize } = require(${JSON.stringify(index)})
    const seen = []
    process.on('unhandledRejection', (error) => seen.push(error.message))
    const store = ${JSON.stringify(directory(t))}
    const forms = {
      live: {}, bounded: { max: 10 }, key: { key: (x) => x }, store: { engine: 'disk', path: store, name: 'f', maxBytes: 1e7, mapSize: 1 << 28 },
      bytes: { policy: 'tinylfu', max: 10 },
    }
    const functions = { async: async (x) => { await null; throw new Error(x) }, plain: (x) => Promise.reject(new Error(x)),
      thenable: (x) => ({ then(_, reject) { reject(new Error(x)) } }) }
    async function main() {
      for (const [form, options] of Object.entries(forms)) for (const [kind, fn] of Object.entries(functions)) {
        const memo = memoize(fn, { ...options, ...(options.name && { name: kind }) })
        memo(form + ' ' + kind)
        await memo('handled').catch(() => {})
      }
      setTimeout(() => console.log(JSON.stringify(seen)), 50)
    }
    main()`
  const { stdout } = await run(process.execPath, ['-e', program])
  const expected = ['live', 'bounded', 'key', 'store', 'bytes'].flatMap((form) => ['async', 'plain', 'thenable'].map((kind) => `${form} ${kind}`))
  assert.deepEqual(JSON.parse(stdout).sort(), expected.sort())
})

test('what is read once is never a hit', async () => {
  const once = {
    generator: function* () { yield 1 }, 'async generator': async function* () { yield 1 }, iterator: () => [1].values(),
    'Map iterator': () => new Map([[1, 2]]).entries(), 'own iterator': () => ({ next: () => ({ done: true }), [Symbol.iterator]() { return this } }),
    stream: () => Readable.from(['a']), 'web stream': () => new ReadableStream(), Response: () => new Response('x'),
    'a promise of a generator': async () => (function* () { yield 1 })(), 'a promise of a response': () => Promise.resolve(new Response('x')),
  }
  for (const [name, fn] of Object.entries(once)) {
    const errors = []
    const memo = memoize(fn, { onError: (error, { operation }) => errors.push([error.message, operation]) })
    const first = await memo(1)
    assert.notEqual(await memo(1), first, name)
    assert.equal(memo.cache.size, 0, name)
    assert.deepEqual([errors.length, errors[0][1], memo.stats().failures], [2, 'set', 2], name)
  }
  // Looks like one, and is not.
  for (const value of [{ next: 1 }, { next: () => 1 }, [1], new Map(), 'text', { pipe: 1 }]) {
    const memo = memoize(() => value, { onError: assert.fail })
    memo(1)
    assert.equal(memo.cache.size, 1)
  }
})

const cycle = { self: null }
cycle.self = cycle
const UNSTORABLE = {
  'half an emoji': '😀'.slice(0, 1), 'half an emoji inside': { a: ['\udfff'] }, function: () => 1, 'function inside': { f() {} }, cycle,
  'invalid date': new Date(NaN), symbol: Symbol('s'), Response: new Response('x'), 'too deep': Array.from({ length: 600 }).reduce((inner) => [inner], 1),
  'a getter that throws': { get a() { throw new RangeError('mine') } }, 'a getter that throws null': { get a() { throw null } },
  toJSON: { toJSON() { throw new Error('toJSON') } }, promise: { inside: Promise.resolve() },
}

test('a result that cannot be stored never makes the call fail: it is counted, reported, and run again', async (t) => {
  for (const [name, result] of Object.entries(UNSTORABLE)) {
    for (const fn of [() => result, async () => ({ result })]) {
      const errors = []
      const memo = memoize(fn, { engine: 'disk', path: directory(t), name, ...SMALL, onError: (error, what) => errors.push([error, what]) })
      later(t, () => memo.cache.close())
      const value = await memo(1)
      assert.equal(fn === undefined ? undefined : value?.result ?? value, result, name)
      await memo(1)
      assert.equal(errors.length, 2, name)
      assert.deepEqual(errors[0][1], { name, operation: 'set' })
      assert.equal(memo.stats().failures, 2)
    }
  }
})

test('without onError, a process warning once a function; a hook that fails costs nothing', async (t) => {
  const warnings = []
  const listener = (warning) => { if (warning.code === 'TWAT_CACHE_NOT_KEPT') warnings.push(warning.message) }
  process.on('warning', listener)
  later(t, () => process.off('warning', listener))
  const [, store] = both(t, () => Symbol('s'))
  store(1)
  store(2)
  await new Promise(setImmediate)
  assert.equal(warnings.length, 1)
  assert.match(warnings[0], /^f: set: .*a symbol/)
  for (const onError of [() => { throw new Error('hook') }, async () => { throw new Error('hook') }]) {
    const [, failing] = both(t, () => Symbol('s'), { onError })
    assert.equal(typeof failing(1), 'symbol')
  }
  await new Promise(setImmediate)
  assert.equal(warnings.length, 3)
})

test('hooks that throw or give a promise cost the entry, never the result', async (t) => {
  const hooks = [{ cacheIf: () => { throw new Error('cacheIf') } }, { cacheIf: () => Promise.resolve(false) },
    { tags: () => { throw new Error('tags') } }, { tags: ['user:{0.name}'] }, { tags: () => 5 }]
  for (const hook of hooks) {
    for (const memo of both(t, (x) => ({ x }), { ...hook, onError() {} })) {
      assert.deepEqual([memo(1), memo.has(1), memo.stats().failures], [{ x: 1 }, false, 1])
    }
  }
  for (const sizeOf of [() => { throw new Error('sizeOf') }, () => Promise.resolve(1), () => NaN, () => 'x']) {
    const memo = memoize((x) => x, { maxBytes: 100_000, sizeOf, onError() {} })
    assert.deepEqual([memo(1), memo.cache.size, memo.stats().failures], [1, 0, 1])
  }
})

test('text that Node could write and not read is refused at set; what cannot be read is a miss', { timeout: 60_000 }, (t) => {
  const path = directory(t)
  const cache = new twat.Cache({ engine: 'disk', path, namespace: 'f', maxBytes: 2 ** 30, mapSize: 2 ** 32 })
  later(t, () => cache.close())
  const long = '€'.repeat(180_000_000)
  assert.throws(() => cache.set('k', long), { name: 'TwatCacheError', code: 'TWAT_E_TOO_LARGE' })
  assert.equal(cache.has('k'), false)
})

test('any failure of decoding is a miss for a memoizer', (t) => {
  const path = directory(t)
  const raw = new twat.Cache({ engine: 'disk', path, namespace: 'f', encoding: 'binary', ...SMALL })
  later(t, () => raw.close())
  const memo = memoize((x) => x, { engine: 'disk', path, name: 'f', ...SMALL, onError() {} })
  later(t, () => memo.cache.close())
  memo(1)
  const [key] = raw.keys()
  const named = (name, inner) => twat.Extension.named(name, inner)
  for (const value of [named('js.RegExp', ['(', '', 0]), named('js.URL', 'no url'), named('js.Later', 1), named('js.Error', { kind: 'Evil' }),
    named('js.Headers', [['\n', 'x']]), named('js.Float16Array', 5), named('js.Array', 7), new twat.Extension(99, Buffer.alloc(1))]) {
    const writer = new twat.Cache({ engine: 'disk', path, namespace: 'f', ...SMALL })
    writer.set(key, value)
    assert.throws(() => writer.get(key), (error) => /^TWAT_E_(CORRUPT|UNSUPPORTED)$/.test(error.code))
    writer.close()
    assert.equal(memo(1), 1)
    assert.equal(memo(1), 1)
  }
})

test('a hit of a plain function that gave a promise is a promise, in the next program too', async (t) => {
  const path = directory(t)
  const open = () => {
    const memo = memoize((x) => Promise.resolve({ x }), { engine: 'disk', path, name: 'f', ...SMALL })
    later(t, () => memo.cache.close())
    return memo
  }
  const first = open()
  assert.deepEqual(await first(1).then((v) => v), { x: 1 })
  assert.deepEqual(await first(1).then((v) => v), { x: 1 })
  const second = open()
  assert.deepEqual([await second(1).then((v) => v), second.peek(1)], [{ x: 1 }, { x: 1 }])
  const plain = memoize((x) => x, { engine: 'disk', path, name: 'g', ...SMALL })
  later(t, () => plain.cache.close())
  plain(1)
  assert.equal(plain(1), 1)
})
