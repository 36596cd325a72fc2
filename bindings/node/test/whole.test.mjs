// What a store would lose is refused, or comes back: fields of any kind of object, classes, order.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import vm from 'node:vm'
import { SMALL, directory, later, open, twat } from './helpers.mjs'

class Registry extends Map {}
class Stack extends Array {}
class Both { open = 1; #closed = 2; get closed() { return this.#closed } }
class Child extends Both { more = 3 }
class Colour { hex = '#fff'; /* #region */ get isWhite() { return this.hex === '#fff' } }
class Money { constructor() { this.cents = 5 } toJSON() { return this.cents } }
class HttpError extends Error {}
const hidden = (object) => Object.defineProperty(object, 'hidden', { value: 1 })
const symbolic = (object) => Object.assign(object, { [Symbol('s')]: 1 })
const more = (object) => Object.assign(object, { more: 1 })

/** Refused alone and inside of another value. */
const LOST = {
  'private fields beside public ones': () => new Both(), 'private fields of a parent': () => new Child(),
  'a Map with a field': () => more(new Map([['a', 1]])), 'a Set with a field': () => more(new Set([1])), 'a Date with a field': () => more(new Date(5)),
  'a RegExp with a field': () => more(/a/), 'an ArrayBuffer with a field': () => more(new ArrayBuffer(2)), 'a boxed text with a field': () => more(Object('ab')),
  'a typed array with a field': () => more(new Float64Array(2)), 'a long typed array with a field': () => more(new Uint16Array(500)),
  'a Buffer with a field': () => more(Buffer.from('ab')), 'a long Buffer with a field': () => more(Buffer.alloc(500)),
  'a Map with a symbol': () => symbolic(new Map()), 'a Date with a hidden field': () => hidden(new Date(5)), 'a function with fields': () => more(() => 1),
  'a subclass of Map': () => new Registry([['a', 1]]), 'a subclass of Array': () => Stack.of(1, 2), 'a subclass of Set': () => new (class extends Set {})([1]),
  'a subclass of Date': () => new (class extends Date {})(5), 'a subclass of Uint8Array': () => new (class extends Uint8Array {})(2),
  'a subclass of ArrayBuffer': () => new (class extends ArrayBuffer {})(2), 'a subclass of RegExp': () => new (class extends RegExp {})('a'),
  'a subclass of another realm': () => vm.runInNewContext('new (class A extends Map {})()'), 'an EventEmitter': () => new EventEmitter(),
  'a Map without a prototype': () => Object.setPrototypeOf(new Map(), null), 'an instance with a symbol': () => symbolic(new Colour()),
  'no prototype, a symbol and a hidden field': () => hidden(symbolic(Object.create(null))),
}

/** Refused where they are the whole value. In direct use they are looked for there only: it would slow every row of a table. */
const LOST_ALONE = {
  'a plain object with a symbol': () => symbolic({ a: 1 }), 'a plain object with a hidden field': () => hidden({ a: 1 }),
  'an array with a symbol': () => symbolic([1]), 'an array with a hidden field': () => hidden([1, 2]), 'a long array with a symbol': () => symbolic(new Array(500).fill(1)),
  'a dictionary with a symbol': () => symbolic(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i]))),
}

/** Fine for `set`, where JavaScript's own rules for JSON hold; a function's hit would be another kind. */
const CONVERTED = {
  'an object of a class': () => new Colour(), toJSON: () => new Money(), 'a plain object with toJSON': () => ({ a: 1, toJSON: () => 5 }),
  'a subclass of Error': () => new HttpError('no'),
}

test('what would lose fields or its class is refused by name', (t) => {
  const cache = open(t)
  const refused = { code: 'TWAT_E_ARG', name: 'TypeError', message: /expected a value that can be stored, got .*/ }
  for (const [name, make] of Object.entries({ ...LOST, ...LOST_ALONE })) {
    assert.throws(() => cache.set('k', make()), refused, name)
    if (name in LOST) for (const value of [[make()], { a: { b: make() } }, new Map([[1, make()]])]) assert.throws(() => cache.set('k', value), refused, name)
    assert.equal(cache.has('k'), false)
  }
  for (const make of Object.values(CONVERTED)) cache.set('k', make())
})

test('a memoizer keeps no result whose hit would be another kind; the call succeeds', async (t) => {
  const path = directory(t)
  for (const [name, make] of Object.entries({ ...LOST, ...LOST_ALONE, ...CONVERTED })) {
    for (const [i, fn] of [make, async () => make(), () => [make()], () => ({ a: { b: make() } })].entries()) {
      const errors = []
      const memo = twat.memoize(fn, { engine: 'disk', path, name: `${name} ${i}`, ...SMALL, onError: (error) => errors.push(error.code) })
      later(t, () => memo.cache.close())
      await memo(1)
      await memo(1)
      assert.deepEqual([errors, memo.cache.size], [['TWAT_E_ARG', 'TWAT_E_ARG'], 0], name)
    }
  }
})

test('order, items that are alike, fields of arrays and no prototype come back', (t) => {
  const path = directory(t)
  const none = Object.assign(Object.create(null), { b: 1, __proto__: 2 })
  const values = [new Set(['b', 'a', 3, 'a ']), new Set([{}, {}]), new Map([['b', 1], ['1', 2], [5, 3]]), none, { inside: [none] }, 'xay'.match(/(?<n>a)/),
    [[more([1])], { rows: more([{ a: 1 }]) }], [more(new Array(500).fill(7))], [Object.assign([], { x: 1 })], Object.freeze({ a: Object.freeze([1]) }), [-0, NaN, [undefined]],
    Object.defineProperty({}, '__proto__', { value: 1, enumerable: true, writable: true, configurable: true }), vm.runInNewContext('[[1, 2]]')]
  for (const [i, value] of values.entries()) {
    const memo = twat.memoize(() => value, { engine: 'disk', path, name: `f${i}`, ...SMALL, onError: (error) => { throw error } })
    later(t, () => memo.cache.close())
    memo()
    const back = memo()
    assert.notEqual(back, value)
    if (i < values.length - 1) assert.deepStrictEqual(back, value)
    const flat = (v) => (v instanceof Set || v instanceof Map ? [...v] : Object.keys(v))
    assert.deepEqual(flat(back), flat(value))
  }
  const cache = open(t)
  for (const value of values.slice(1, -1)) assert.deepStrictEqual(cache.set('k', value).get('k'), value)
})

test('encoding json: what JSON makes {} of is refused, and a memoizer keeps what JSON holds', async (t) => {
  const cache = open(t, { engine: 'memory', encoding: 'json' })
  for (const value of [new Map([[1, 2]]), [new Set([1])], { a: new (class { #x = 1; get x() { return this.#x } })() }, new Uint8Array(2), /a/, new Error('x')]) {
    assert.throws(() => cache.set('k', value), { code: 'TWAT_E_ARG', message: /JSON/ })
  }
  assert.deepEqual(cache.set('k', { at: new Date(5), n: [1, null] }).get('k'), { at: '1970-01-01T00:00:00.005Z', n: [1, null] })
  const path = directory(t)
  let i = 0
  const kept = (fn) => {
    const memo = twat.memoize(fn, { engine: 'disk', path, name: `j${i++}`, encoding: 'json', ...SMALL, onError() {} })
    later(t, () => memo.cache.close())
    return memo
  }
  for (const value of [new Date(5), { a: NaN }, [-0], [undefined], { a: undefined }, new Map(), Object.create(null), [, 1], more([1]), new Money(), 2n]) { // eslint-disable-line no-sparse-arrays
    const memo = kept(() => value)
    for (let turn = 0; turn < 2; turn++) assert.equal(memo(), value)
    assert.equal(memo.cache.size, 0)
  }
  const plain = kept(() => ({ a: [1, 'x', null, true, { b: 1.5 }] }))
  assert.deepStrictEqual([plain(), plain(), plain.cache.size], [plain(), plain(), 1])
  const promised = kept(() => Promise.resolve({ a: 1 }))
  for (let turn = 0; turn < 2; turn++) assert.deepEqual(await promised(), { a: 1 })
  assert.ok(promised() instanceof Promise)
})

test('a hit is no promise because another function gave one', async (t) => {
  const path = directory(t)
  const make = (name, fn, options) => {
    const memo = twat.memoize(fn, { engine: 'disk', path, name, ...SMALL, ...options })
    later(t, () => memo.cache.close())
    return memo
  }
  const promised = make('p', () => Promise.resolve(1))
  for (const [name, fn, options] of [['array', () => new Float64Array(2)], ['json', () => ({ a: 1 }), { encoding: 'json' }], ['bytes', () => Buffer.from('x'), { encoding: 'binary' }]]) {
    const memo = make(name, fn, options)
    memo()
    await promised()
    assert.equal(await promised(), 1)
    assert.deepStrictEqual(memo(), fn(), name)
  }
})
