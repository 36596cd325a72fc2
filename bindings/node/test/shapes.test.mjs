// Rows are read by functions made for their fields: other rows, damaged rows and hosts that forbid code.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const { encodeToBuffer } = require('../lib/writer.js')
const { decodeValue, writerOf } = require('../lib/values.js')
const encode = (value) => encodeToBuffer(writerOf('msgpack'), value)
const decode = (bytes) => decodeValue(bytes, 0, bytes.length)

const row = (i) => ({ id: i, name: `row ${i}`, 'a name of more than 31 bytes, with ü': i / 3, on: i % 2 === 0, none: null, undef: undefined, big: 2n, at: new Date(i),
  tags: ['a', `tag ${i}`], in: { zip: String(i), x: -i, 'ü': 'é', long: 'x'.repeat(i % 80) }, 1: 'an index', '': i })
const rows = (n) => Array.from({ length: n }, (_, i) => row(i))

test('rows of one shape, of shapes that share a beginning, and of other orders come back, fields in order', () => {
  for (let round = 0; round < 40; round++) assert.deepStrictEqual(decode(encode(rows(50))), rows(50))
  const reverse = (object) => Object.fromEntries(Object.entries(object).reverse())
  for (const change of [reverse, (object) => ({ ...object, more: 1 }), ({ tags, ...rest }) => ({ ...rest, tagz: tags }),
    (object) => ({ idx: 1, ...object }), (object) => ({ ...object, ['__proto__']: 1 }), (object) => new Map(Object.entries(object)).set(5, 1)]) {
    const changed = rows(50).map((object, i) => (i % 3 === 0 ? change(object) : object))
    for (let round = 0; round < 20; round++) {
      const back = decode(encode(changed))
      assert.deepStrictEqual(back, changed)
      assert.deepEqual(back.map(Object.keys), changed.map(Object.keys))
    }
  }
  assert.equal({}.polluted, undefined)
})

test('a row that was cut or changed anywhere is an error of ours or another value, never a crash', () => {
  const whole = encode(rows(3))
  for (let i = 1; i < whole.length; i++) {
    assert.throws(() => decode(Buffer.from(whole.subarray(0, i))), { name: 'TwatCacheError' })
    // Beyond its end lie other bytes of a shared buffer.
    assert.throws(() => decodeValue(whole, 0, i), { name: 'TwatCacheError' })
    const changed = Buffer.from(whole)
    changed[i] ^= 1 << (i % 8)
    try {
      decode(changed)
    } catch (error) {
      assert.equal(error.name, 'TwatCacheError', `${i}: ${error.stack}`)
    }
  }
  assert.deepStrictEqual(decode(whole), rows(3))
})

test('dictionaries of many names are plain objects', () => {
  const dictionary = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${i % 3 ? 'key' : 'schlüssel '}${i}`, i]))
  Object.defineProperty(dictionary, '__proto__', { value: 5, enumerable: true, writable: true, configurable: true })
  for (let round = 0; round < 3; round++) {
    const back = decode(encode(dictionary))
    assert.equal(Object.getPrototypeOf(back), Object.prototype)
    assert.deepStrictEqual(back, dictionary)
    assert.deepEqual(Object.keys(back), Object.keys(dictionary))
  }
  const mixed = new Map([...Object.entries(dictionary), [5, 1]])
  assert.deepStrictEqual(decode(encode(mixed)), mixed)
})

test('text of every length and alphabet comes back from lists and fields', () => {
  for (const letter of ['a', 'é', '€', '😀', '\0', '\x7f', '\x80']) {
    const texts = Array.from({ length: 140 }, (_, n) => `${'x'.repeat(n)}${letter}${'y'.repeat(n % 7)}`)
    assert.deepStrictEqual(decode(encode(texts)), texts)
    const object = Object.fromEntries(texts.map((text) => [text, text]))
    assert.deepStrictEqual(decode(encode(object)), object)
  }
  for (const text of ['\ud800', `${'x'.repeat(5)}\udc00`, 'x'.repeat(100) + '\ud83d']) {
    for (const value of [text, [text], { a: text }, { [text]: 1 }]) assert.throws(() => encode(value), /lone surrogate/)
  }
})

test('a host that forbids to make code reads rows all the same', () => {
  const program = `const { Cache } = require(${JSON.stringify(fileURLToPath(new URL('../lib/index.js', import.meta.url)))})
const assert = require('node:assert')
const cache = new Cache()
const rows = Array.from({ length: 100 }, (_, i) => ({ id: i, name: 'row ' + i }))
for (let i = 0; i < 50; i++) assert.deepStrictEqual(cache.set('k', rows).get('k'), rows)`
  execFileSync(process.execPath, ['--disallow-code-generation-from-strings', '-e', program])
})
