// Values keep their kind: of another realm, JavaScript's own objects, memory, numbers of two kinds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import vm from 'node:vm'
import { ENGINES, directory, later, open, twat, SMALL } from './helpers.mjs'

const { NdArray, Float, Tuple } = twat
const foreign = (source) => vm.runInNewContext(source, { SharedArrayBuffer })

function stored(t, value, options) {
  const cache = open(t, { engine: 'memory', ...options })
  cache.set('k', value)
  return cache.get('k')
}

const tagOf = (value) => Object.prototype.toString.call(value)

/** A value from each of JavaScript's own kinds, and what is looked at. */
const OWN = {
  URL: [new URL('https://user@example.org/a?b=c#d'), (v) => v.href],
  URLSearchParams: [new URLSearchParams('a=1&b=ü&a=2'), (v) => String(v)],
  Headers: [new Headers([['a', '1'], ['set-cookie', 'x=1'], ['set-cookie', 'y=2']]), (v) => [...v]],
  RegExp: [/a(?<x>b)\/"/giu, (v) => [v.source, v.flags, v.lastIndex]],
  'RegExp under way': [Object.assign(/a/g, { lastIndex: 3 }), (v) => v.lastIndex],
  Number: [Object(5), (v) => [v.valueOf(), typeof v]],
  'Number -0': [Object(-0), (v) => Object.is(v.valueOf(), -0)],
  String: [Object('text'), (v) => [v.valueOf(), typeof v, v.length]],
  Boolean: [Object(false), (v) => [v.valueOf(), typeof v]],
  BigInt: [Object(5n), (v) => [v.valueOf(), typeof v]],
  Uint8Array: [new Uint8Array([0, 255, 1]), (v) => [v.constructor, [...v], JSON.stringify(v)]],
  Uint8ClampedArray: [new Uint8ClampedArray([0, 255]), (v) => [v.constructor, [...v]]],
  Int8Array: [new Int8Array([-1, 1]), (v) => [v.constructor, [...v]]],
  BigInt64Array: [new BigInt64Array([-(2n ** 63n)]), (v) => [v.constructor, [...v]]],
  Float32Array: [new Float32Array([NaN, -0, 1.5]), (v) => [v.constructor, [...v]]],
  'empty Float64Array': [new Float64Array(0), (v) => [v.constructor, v.length]],
  'part of a typed array': [new Int16Array([1, 2, 3, 4]).subarray(1, 3), (v) => [[...v], v.byteOffset, v.buffer.byteLength]].slice(0, 1).concat([(v) => [...v]]),
  ArrayBuffer: [new Uint8Array([1, 2, 3]).buffer, (v) => [v.constructor, ...new Uint8Array(v)]],
  SharedArrayBuffer: [new SharedArrayBuffer(3), (v) => [v.constructor, v.byteLength]],
  DataView: [new DataView(new Uint8Array([1, 2, 3]).buffer, 1), (v) => [v.constructor, v.byteLength, v.getUint8(0)]],
  Buffer: [Buffer.from('bytes'), (v) => [v.constructor, String(v)]],
  Map: [new Map([['a', 1], ['b', new Map([[1, 2]])]]), (v) => [v.constructor, [...v][0], v.get('b').get(1)]],
  'empty Map': [new Map(), (v) => [v.constructor, v.size]],
  'Map with object keys': [new Map([[{ a: 1 }, 'x'], [[1], 'y'], [null, 'z']]), (v) => [...v]],
  'Map with __proto__': [new Map([['__proto__', 1]]), (v) => v.get('__proto__')],
  'large Map': [new Map(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])), (v) => [v.size, v.get('k69999')]],
  Set: [new Set(['a', new Map([['k', 1]])]), (v) => [v.constructor, v.size]],
  'BigInt and number': [[1n, 1, 2n ** 64n, -(2n ** 70n), 0n, -0], (v) => v.map((x) => `${typeof x} ${Object.is(x, -0) ? '-0' : x}`)],
  'match of a RegExp': ['xay'.match(/a(?<n>y)/), (v) => [[...v], v.index, v.input, v.groups.n]],
  'array with fields': [Object.assign([1, 2], { total: 5 }), (v) => [[...v], v.total]],
  'long array with fields': [Object.assign(new Array(5000).fill(1), { total: 5 }), (v) => [v.length, v[4999], v.total]],
  'long array': [new Array(5000).fill(1), (v) => [v.length, v[4999]]],
  'sparse array': [[, 1, , undefined], (v) => [v.length, Object.keys(v)]], // eslint-disable-line no-sparse-arrays
}

for (const [engine, make] of Object.entries(ENGINES)) {
  test(`${engine}: each of JavaScript's own kinds comes back as itself, alone and inside`, (t) => {
    const cache = make(t)
    for (const [name, [value, look]] of Object.entries(OWN)) {
      cache.set('k', value).set('inside', { list: [value] })
      const inside = /with fields/.test(name) ? [] : [cache.get('inside').list[0]]
      for (const back of [cache.get('k'), ...inside]) {
        assert.equal(tagOf(back), tagOf(value), name)
        assert.equal(Object.getPrototypeOf(back), Object.getPrototypeOf(value), name)
        assert.deepStrictEqual(look(back), look(value), name)
        if (!/under way|-0|sparse|RegExp|fields/.test(name)) assert.deepStrictEqual(back, value, name)
      }
    }
  })
}

test('memory that is read back belongs to its reader: no shared pool, no offset', (t) => {
  for (const value of [new Uint8Array([1, 2]), new Float64Array([1]), new Uint8ClampedArray(3), new Int16Array(8).subarray(2, 5)]) {
    const back = stored(t, { value }).value
    assert.deepEqual([back.byteOffset, back.buffer.byteLength], [0, value.byteLength])
  }
})

test('errors come back as errors of their kind, with what they bear', (t) => {
  const cause = new RangeError('why')
  const failed = Object.assign(new TypeError('what', { cause }), { code: 'E_X', errno: -2 })
  const back = stored(t, failed)
  assert.ok(back instanceof TypeError && back.cause instanceof RangeError)
  assert.deepEqual([back.name, back.message, back.stack, back.code, back.errno, back.cause.message],
    ['TypeError', 'what', failed.stack, 'E_X', -2, 'why'])
  assert.deepEqual(Object.keys(back), ['code', 'errno'])
  const all = stored(t, new AggregateError([new Error('a'), 5], 'all'))
  assert.ok(all instanceof AggregateError)
  assert.deepEqual([all.errors[0].message, all.errors[1]], ['a', 5])
  class HttpError extends Error { name = 'HttpError' }
  const http = stored(t, new HttpError('404'))
  assert.ok(http instanceof Error)
  assert.deepEqual([http.name, http.message], ['HttpError', '404'])
  assert.equal(stored(t, new Error()).message, '')
})

const FOREIGN = {
  'new Map([[1, 2]])': (v) => v instanceof Map && v.get(1) === 2,
  'new Map([["a", 2]])': (v) => v instanceof Map && v.get('a') === 2,
  'new Set(["a"])': (v) => v instanceof Set && v.has('a'),
  'new Date(5)': (v) => v instanceof Date && +v === 5,
  'new ArrayBuffer(3)': (v) => v instanceof ArrayBuffer && v.byteLength === 3,
  'new DataView(new ArrayBuffer(3), 1)': (v) => v instanceof DataView && v.byteLength === 2,
  'new Uint8Array([1, 2])': (v) => v instanceof Uint8Array && v[1] === 2 && !Buffer.isBuffer(v),
  'new Uint8ClampedArray([300])': (v) => v instanceof Uint8ClampedArray && v[0] === 255,
  'new Float64Array([1.5])': (v) => v instanceof Float64Array && v[0] === 1.5,
  'new BigInt64Array([5n])': (v) => v instanceof BigInt64Array && v[0] === 5n,
  'new SharedArrayBuffer(2)': (v) => v instanceof SharedArrayBuffer && v.byteLength === 2,
  '/a+/gi': (v) => v instanceof RegExp && v.flags === 'gi',
  'new RangeError("no")': (v) => v instanceof RangeError && v.message === 'no',
  '[1, [2]]': (v) => Array.isArray(v) && v[1][0] === 2,
  '({ a: { b: 1 } })': (v) => v.a.b === 1,
  'Object.create(null)': (v) => Object.keys(v).length === 0,
  'Object("text")': (v) => v instanceof String && v.valueOf() === 'text',
}

test('values of another realm are what they are', (t) => {
  for (const [source, holds] of Object.entries(FOREIGN)) {
    assert.ok(holds(stored(t, foreign(source))), source)
    assert.ok(holds(stored(t, { inside: [foreign(source)] }).inside[0]), source)
  }
})

test('arguments and buffers of another realm are what they are', (t) => {
  let calls = 0
  const memo = twat.memoize(() => ++calls)
  for (const source of ['new Map([[1, 2]])', 'new Set([1])', 'new Date(5)', 'new Float64Array([1])', '[1, { a: 2 }]', 'new Uint8Array([7])',
    'new ArrayBuffer(2)', 'new DataView(new ArrayBuffer(2))']) {
    // eslint-disable-next-line no-eval -- the same value of this realm
    assert.equal(memo(foreign(source)), memo((0, eval)(`(${source})`)), source)
  }
  const cache = open(t)
  cache.setBuffer('b', foreign('new Uint8Array([1, 2])')).setBuffer('a', foreign('new ArrayBuffer(2)'))
  assert.deepEqual([cache.getBuffer('b'), cache.getBuffer('a')], [Buffer.from([1, 2]), Buffer.alloc(2)])
  cache.set('t', 1, { tag: foreign('new Uint8Array([1])') })
  assert.equal(cache.evict(Buffer.from([1])), true)
})

test('arguments that are different kinds are different keys', () => {
  let calls = 0
  const memo = twat.memoize(() => ++calls)
  const kinds = [new Map([['a', 1]]), { a: 1 }, [['a', 1]], new Set(['a', 1]), Tuple.of('a', 1), ['a', 1], [1n], [1], ['1'], [new Float(1)],
    Buffer.from('x'), new Uint8Array([120]), new Uint8Array([120]).buffer, new DataView(new Uint8Array([120]).buffer), new Uint8ClampedArray([120]),
    new Int8Array([120]), [null], [undefined], [], {}, new Map(), new Set()]
  const results = kinds.map((kind) => memo(kind))
  assert.equal(new Set(results).size, kinds.length)
  assert.deepEqual(kinds.map((kind) => memo(kind)), results)
})

test('arguments with more than is looked at are told apart, or refused', () => {
  let calls = 0
  const memo = twat.memoize(() => ++calls)
  const parts = (strings) => strings
  const told = ['xay'.match(/a/), ['a'], [, 1], [undefined, 1], Object.assign([1], { total: 5 }), [1], Object.assign([, 2], { x: 1 }), [1, 2], // eslint-disable-line no-sparse-arrays
    parts`A`, parts`\x41`, ['A'], Object.assign(Object.create(null), { a: 1 }), { a: 1 }, Object.create(null), {}, [['a'].length]]
  const results = told.map((value) => memo(value))
  assert.deepEqual([new Set(results).size, told.map((value) => memo(value))], [told.length - 1, results], 'the last is [1] again')
  class Stack extends Array {}
  class Registry extends Map {}
  class Bytes extends Uint8Array {}
  class Moment extends Date {}
  for (const value of [Stack.of(1), new Registry(), new Bytes(2), new Moment(5), new (class extends Set {})(), new (class extends ArrayBuffer {})(1),
    Object.assign(new Map(), { x: 1 }), Object.assign(new Date(5), { zone: 1 }), Object.assign([1], { [Symbol('s')]: 1 }),
    Object.defineProperty([1], 'hidden', { value: 1 }), Object.defineProperty(new Array(500).fill(1), 'hidden', { value: 1 }),
    Object.assign(new Float64Array(2), { x: 1 }), Object.assign(Buffer.from('a'), { x: 1 }), Object.assign(Buffer.alloc(500), { x: 1 }),
    Object.assign(new ArrayBuffer(1), { x: 1 }), Object.setPrototypeOf(new Map([[1, 2]]), null), Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype), Object.defineProperty({}, 'hidden', { value: 1 }), { [Symbol('s')]: 1 }]) {
    assert.throws(() => memo(value), { code: 'TWAT_E_ARG', message: /argument 1 .*key/ })
    assert.throws(() => memo([value]), TypeError)
  }
})

test('what would be stored as {} is refused by name, with the way out', (t) => {
  const cache = open(t)
  const refused = {
    Response: () => new Response('x'), Blob: () => new Blob(['x']), FormData: () => new FormData(), WeakMap: () => new WeakMap(),
    WeakRef: () => new WeakRef({}), Cache: () => cache, Thing: () => new (class Thing { #x = 1; get x() { return this.#x } })(),
    Promise: () => Promise.resolve(1), Proxy: () => new Proxy(new Map(), {}), Iterator: () => [1].values(), Generator: () => (function* () { yield 1 })(),
    Symbol: () => Object(Symbol('s')), AbortController: () => new AbortController(), 'not enumerable': () => Object.defineProperty({}, 'a', { value: 1 }),
    'symbols as names': () => ({ [Symbol('s')]: 1 }), 'an Error with a function': () => Object.assign(new Error('x'), { retry() {} }),
    'a thenable': () => new (class Query { sql = 'select'; then() {} })(), 'a promise of another realm': () => foreign('Promise.resolve(1)'),
    'a WeakMap of another realm': () => foreign('new WeakMap()'), 'resizable': () => new ArrayBuffer(2, { maxByteLength: 4 }),
    'a Proxy that throws': () => new Proxy({}, { getPrototypeOf() { throw new TypeError('a trap') } }),
  }
  for (const [name, make] of Object.entries(refused)) {
    assert.throws(() => cache.set('k', make()), (error) => error instanceof TypeError && error.message.length > 5, name)
    assert.throws(() => cache.set('k', { inside: [make()] }), TypeError, name)
    assert.equal(cache.has('k'), false)
  }
  assert.throws(() => cache.set('k', new Response('x')), { code: 'TWAT_E_ARG', message: /type Response.*no enumerable fields.*toJSON/ })
  assert.throws(() => cache.set('k', Promise.resolve(1)), { message: /type Promise.*await it/ })
})

test('objects of classes: toJSON, else their fields; a field that throws is an error of set', (t) => {
  const cache = open(t)
  class User { constructor() { this.id = 1 } }
  class Money { #cents = 5; toJSON() { return { cents: this.#cents } } }
  cache.set('user', new User()).set('money', new Money()).set('plain', { a: 1, toJSON: () => 'json' }).set('none', Object.create(null))
  assert.deepEqual([cache.get('user'), cache.get('money'), cache.get('plain'), cache.get('none')], [{ id: 1 }, { cents: 5 }, 'json', Object.create(null)])
  assert.throws(() => cache.set('k', { get a() { throw new RangeError('mine') } }), RangeError)
  assert.throws(() => cache.set('k', { toJSON() { return this } }), /cycle/)
})

test('getBuffer reads the bytes that set got, and says what else it found', (t) => {
  const cache = open(t)
  for (const bytes of [Buffer.from('abc'), new Uint8Array([97, 98, 99]), new Uint8Array([97, 98, 99]).buffer, Buffer.alloc(100_000, 'x')]) {
    cache.set('k', bytes)
    assert.ok(cache.getBuffer('k').equals(Buffer.from(bytes)))
    assert.ok(Buffer.isBuffer(cache.getBuffer('k', { copy: false })))
  }
  for (const value of ['text', { a: 1 }, null, 5, new Float64Array(2)]) {
    cache.set('k', value)
    assert.throws(() => cache.getBuffer('k'), { code: 'TWAT_E_UNSUPPORTED', message: /get/ })
  }
})

test('the kinds of JavaScript are hits of a memoized function over a store, as the call gave them', (t) => {
  const path = directory(t)
  for (const [name, [value, look]] of Object.entries(OWN)) {
    let calls = 0
    const memo = twat.memoize(() => { calls++; return value }, { engine: 'disk', path, name, ...SMALL })
    later(t, () => memo.cache.close())
    memo()
    assert.deepStrictEqual(look(memo()), look(value), name)
    assert.equal(calls, 1, name)
  }
})

test('a NdArray keeps its type and shape', (t) => {
  const back = stored(t, [new NdArray(new Uint8Array(8), [2], '<c8')])[0]
  assert.ok(back instanceof NdArray)
  assert.deepEqual([back.dtype, back.shape], ['<c8', [2]])
})
