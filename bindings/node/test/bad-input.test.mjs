// Wrong use of every door: an error with a code and a text, never a crash.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRequire } from 'node:module'
import { later, open, twat } from './helpers.mjs'

const require = createRequire(import.meta.url)
const { native } = require('../lib/binding.js')
const { Cache, KeyvTwat } = twat

const WRONG = [undefined, null, true, 1.5, NaN, -1, 2n ** 70n, '', '\ud800', Symbol('s'), () => 1, {}, [], [undefined], [{}],
  new Map(), new Date(NaN), new Uint8Array(3), new DataView(new ArrayBuffer(2)), new Float64Array(2), Promise.resolve(1),
  new WeakMap(), new Proxy({}, {}), Object.create(null), /x/, new Error('e'), new Array(3), 'x'.repeat(100_000)]

const isOurs = (error) => {
  assert.ok(error instanceof twat.TwatCacheError || error instanceof TypeError, `${error?.stack}`)
  assert.match(error.code, /^TWAT_E_[A-Z]+$/, error.stack)
  assert.ok(error.message.length > 5)
  return true
}

const METHODS = ['get', 'set', 'add', 'has', 'delete', 'touch', 'incr', 'decr', 'getMany', 'setMany', 'deleteMany',
  'deletePrefix', 'getBuffer', 'setBuffer', 'evict', 'check', 'export', 'import']

test('every method with every wrong argument: a result or an error of ours', (t) => {
  const cache = open(t, { engine: 'memory' })
  for (const method of METHODS) {
    for (const first of WRONG) {
      for (const second of WRONG) {
        if (method === 'export' && typeof first === 'string') continue
        try {
          cache[method](first, second)
        } catch (error) {
          isOurs(error)
        }
      }
    }
  }
  cache.clear()
  cache.set('still', 'works')
  assert.equal(cache.get('still'), 'works')
})

test('async twins reject, and never throw', async (t) => {
  const cache = open(t, { engine: 'memory' })
  const twins = ['getAsync', 'setAsync', 'addAsync', 'hasAsync', 'deleteAsync', 'getManyAsync', 'setManyAsync', 'deleteManyAsync',
    'getBufferAsync', 'setBufferAsync']
  const outcomes = []
  for (const method of twins) for (const first of WRONG) for (const second of WRONG.slice(0, 14)) outcomes.push(cache[method](first, second))
  for (const outcome of await Promise.allSettled(outcomes)) if (outcome.status === 'rejected') isOurs(outcome.reason)
})

test('the native functions bear any arguments', async (t) => {
  const raw = native.open(Buffer.from('{"engine": "memory"}'))
  later(t, () => raw.close())
  const policy = native.policy(Buffer.from('{"max_entries": 3}'), true)
  const calls = [...Object.entries(raw), ...Object.entries(policy), ...Object.entries(native)]
    .filter(([name, call]) => typeof call === 'function' && !['close', 'setErrorClass', 'export', 'import'].includes(name))
  const pending = []
  for (const [, call] of calls) {
    for (let n = 0; n < 300; n++) {
      const args = Array.from({ length: n % 8 }, (_, i) => WRONG[(n * 7 + i * 11) % WRONG.length])
      try {
        const result = call(...args)
        if (result instanceof Promise) pending.push(result)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }
  }
  await Promise.allSettled(pending)
})

test('values that cannot be encoded are named', (t) => {
  const cache = open(t)
  const cycle = { list: [] }
  cycle.list.push(cycle)
  const deep = Array.from({ length: 600 }).reduce((inner) => [inner], 1)
  for (const [value, message] of [[() => 1, /a function/], [Symbol('x'), /a symbol/], [cycle, /cycle/], [deep, /levels/],
    [{ a: [function named() {}] }, /the function named/], ['\udfff', /lone surrogate/], [{ 'k\ud800': 1 }, /lone surrogate/],
    [Promise.resolve(), /Promise/], [new WeakMap(), /WeakMap/], [new Date(NaN), /Date/]]) {
    assert.throws(() => cache.set('k', value), (error) => isOurs(error) && message.test(error.message), String(message))
  }
  const throwing = { get field() { throw new RangeError('mine') } }
  assert.throws(() => cache.set('k', throwing), RangeError)
  cache.set('k', [1])
  assert.deepEqual(cache.get('k'), [1], 'a failed encoding leaves nothing behind')
})

test('text that is not well formed is refused as a key, and none of it falls together with U+FFFD', (t) => {
  const cache = open(t)
  cache.set('a\ufffd', 1).set('😀', 2)
  for (const key of ['a\ud800', '\udc00', 'x'.repeat(600) + '\ud83d', '\ud83d\ud83d', '\ude00\ud83d', ['\ud800']]) {
    for (const call of [() => cache.set(key, 1), () => cache.get(key), () => cache.getMany([key]), () => cache.has(key)]) {
      assert.throws(call, (error) => isOurs(error) && /lone surrogate/.test(error.message))
    }
  }
  assert.deepEqual([...cache.keys()].sort(), ['a\ufffd', '😀'].sort())
})

test('a closed cache: an error of every call, a second close is none', async () => {
  const cache = new Cache({ engine: 'memory' })
  cache.close()
  cache.close()
  for (const method of [...METHODS.slice(0, 15), 'clear', 'flush', 'stats', 'info', 'expire']) {
    const args = { getMany: [['k']], setMany: [[['k', 1]]], deleteMany: [['k']], setBuffer: ['k', Buffer.alloc(1)], touch: ['k', 5], incr: ['k'], decr: ['k'] }[method] ?? ['k']
    assert.throws(() => cache[method](...args), { name: 'TwatCacheError', code: 'TWAT_E_CLOSED' }, method)
  }
  assert.throws(() => [...cache.keys()], { code: 'TWAT_E_CLOSED' })
  await assert.rejects(cache.getAsync('k'), { code: 'TWAT_E_CLOSED' })
})

test('options: misspelt, of the wrong type, out of range, contradicting', () => {
  for (const [options, message] of [
    [{ maxEntrys: 1 }, /did you mean 'maxEntries'/], [{ max_entries: 1 }, /did you mean 'maxEntries'/], [{ pth: './x' }, /did you mean 'path'/],
    [{ engine: 'dsk' }, /did you mean 'disk'/], [{ engine: 5 }, /engine/], [{ max: '5' }, /max: expected an integer/],
    [{ max: -1 }, /integer/], [{ maxBytes: 5 }, /65536/], [{ engine: 'disk' }, /path/], [{ ttl: -1 }, /ttl/], [{ ttl: 'x' }, /ttl/],
    [{ policy: 'best' }, /one of lru/], [{ engine: 'memory', path: './x' }, /path/], [{ max: 1, maxEntries: 1 }, /both/],
    [{ engine: 'tiered', tiers: 5 }, /tiers/], [{ engine: 'tiered', tiers: [{ maxx: 1 }] }, /did you mean/], [{ durability: 'high' }, /process system/],
    [{ engine: 'disk', path: 'a\0b' }, /./], [{ shards: 3 }, /power of two/], [null, /options/], ['disk', /options/],
  ]) {
    assert.throws(() => new Cache(options), (error) => isOurs(error) && message.test(error.message), JSON.stringify(options))
    if (options !== null) assert.throws(() => new KeyvTwat(options), isOurs)
  }
  assert.throws(() => new Cache().set('k', 1, { tll: 5 }), { message: /did you mean 'ttl'/ })
  assert.throws(() => Cache(), TypeError)
})
