// The cases that every language runs (docs/format.md, "Vectors").
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { SMALL, directory, later, open, twat } from './helpers.mjs'

const require = createRequire(import.meta.url)
const { callKey, namespaceOf } = require('../lib/memoize.js')
const { encodeKey, encodeToBuffer, KEY_VERSION } = require('../lib/keys.js')
const { decodeValue, writerOf } = require('../lib/values.js')
const { native } = require('../lib/binding.js')
const { Extension, Float, NdArray, Tuple } = twat

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}.json`, import.meta.url)))
const FLOATS = { nan: NaN, inf: Infinity, '-inf': -Infinity, '-0.0': -0 }
const float = (text) => FLOATS[text] ?? Number(text)
const bytes = (hex) => Buffer.from(hex, 'hex')
const array = ({ dtype, shape, order, data }) => new NdArray(new Uint8Array(bytes(data)), shape, dtype, order)

/** A plain map is an object here where all keys are text; a Map of such keys has a form of its own. */
const map = (pairs) => (pairs.every(([key]) => 'str' in key) && new Set(pairs.map(([key]) => key.str)).size === pairs.length
  ? Object.fromEntries(pairs.map(([key, item]) => [key.str, given(item)]))
  : new Map(pairs.map(([key, item]) => [given(key), given(item)])))

/** What is given to the encoder: integral floats and foreign types in their wrappers. */
const GIVEN = {
  nil: () => null, bool: (v) => v, int: (v) => integer(BigInt(v)), float: (v) => new Float(float(v)), str: (v) => v, bytes,
  list: (v) => v.map(given), tuple: (v) => { const t = new Tuple(); v.forEach((item) => t.push(given(item))); return t },
  set: (v) => new Set(v.map(given)), map,
  timestamp: ([s, n]) => Extension.timestamp(s, n), decimal: Extension.decimal, date: Extension.date,
  time: Extension.time, uuid: Extension.uuid, complex: ([re, im]) => Extension.complex(float(re), float(im)),
  path: Extension.path, array, named: ([name, fields]) => Extension.named(name, given(fields)),
  undefined: () => undefined, raw: bytes, json: (v) => v, default: (name) => new Extension(13, Buffer.from(name)), surrogate: () => 'a\ud800',
}

const integer = (n) => (n >= -(2n ** 53n) && n <= 2n ** 53n && Number.isSafeInteger(Number(n)) ? Number(n) : n)
const dashed = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
const CONSTRUCTORS = { '<f8': Float64Array, '|u1': Uint8Array, '<i4': Int32Array, '<f4': Float32Array, '<i8': BigInt64Array }

function readArray({ dtype, shape, order, data }) {
  const own = new Uint8Array(bytes(data))
  const typed = CONSTRUCTORS[dtype] ? new CONSTRUCTORS[dtype](own.buffer) : own
  return shape.length === 1 && CONSTRUCTORS[dtype] ? typed : new NdArray(typed, shape, dtype, order)
}

function readMap(pairs) {
  const entries = pairs.map(([key, item]) => [read(key), read(item)])
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : new Map(entries)
}

function readNamed([name, fields]) {
  const inside = read(fields)
  if (name === 'builtins.frozenset') return new Set(inside)
  return /^datetime\.(date)?time$/.test(name) && Array.isArray(inside) ? inside[0] : inside
}

/** What the decoder gives: the nearest JavaScript type. */
const READ = {
  ...GIVEN, int: (v) => integer(BigInt(v)), float, list: (v) => v.map(read), tuple: (v) => v.map(read),
  set: (v) => new Set(v.map(read)), map: readMap, timestamp: ([s, n]) => new Date(s * 1000 + Math.floor(n / 1e6)),
  decimal: (v) => v, date: (v) => v, time: (v) => v, path: (v) => v, uuid: dashed, complex: ([re, im]) => [float(re), float(im)],
  array: readArray, counter: (v) => integer(BigInt(v)),
  named: readNamed,
}

const only = (table) => (typed) => {
  const [[kind, value]] = Object.entries(typed)
  return table[kind](value)
}
const given = only(GIVEN)
const read = only(READ)

test('keys: every vector is encoded to its bytes, or refused', () => {
  const cases = vectors('keys')
  assert.ok(cases.length > 100)
  for (const { name, args, kwargs, hex, error } of cases) {
    const what = JSON.stringify({ name, args, kwargs }).slice(0, 200)
    const encode = () => (kwargs.length === 0
      ? callKey(name, args.map(given))
      : encodeToBuffer(encodeKey, [KEY_VERSION, name, args.map(given), Object.fromEntries(kwargs.map(([key, value]) => [key, given(value)]))]))
    if (error) assert.throws(encode, { code: 'TWAT_E_ARG' }, what)
    else assert.equal(encode().toString('hex'), hex, what)
  }
})

test('keys: plain JavaScript values are encoded as the vectors say', () => {
  const plain = { nil: () => null, bool: (v) => v, int: (v) => integer(BigInt(v)), str: (v) => v, bytes, list: (v) => v.map(only(plain)) }
  let run = 0
  for (const { name, args, kwargs, hex } of vectors('keys')) {
    if (kwargs.length > 0 || !args.every((arg) => Object.keys(arg)[0] in plain && !JSON.stringify(arg).match(/tuple|undefined|surrogate/))) continue
    assert.equal(callKey(name, args.map(only(plain))).toString('hex'), hex)
    run++
  }
  assert.ok(run > 50)
})

test('values: every vector is read, and written to its bytes where this writer would', () => {
  const cases = vectors('values')
  assert.ok(cases.length > 100)
  for (const { value, hex, decode_only: readOnly, languages } of cases) {
    const what = `${JSON.stringify(value).slice(0, 200)} ${hex.slice(0, 100)}`
    const stored = bytes(hex)
    assert.deepStrictEqual(plainBytes(decodeValue(stored, 0, stored.length)), plainBytes(read(value)), what)
    const [kind] = Object.keys(value)
    if (readOnly || writtenAsBigInt(value) || kind === 'counter' || (languages && !languages.includes('javascript'))) continue
    const encoding = { raw: 'binary', json: 'json' }[kind] ?? 'msgpack'
    assert.equal(encodeToBuffer(writerOf(encoding), given(value)).toString('hex'), hex, what)
  }
})

/** An integer of 64 bits that is no exact number is a BigInt here, which is written as one. */
function writtenAsBigInt(value) {
  return [...JSON.stringify(value).matchAll(/"int":"(-?\d+)"/g)].map(([, digits]) => BigInt(digits))
    .some((n) => typeof integer(n) === 'bigint' && n >= -(2n ** 63n) && n < 2n ** 64n)
}

test('keys: a BigInt is the integer that other languages write', () => {
  for (const n of [0, 1, -1, 127, 128, -32, -33, 2 ** 40, -(2 ** 53)]) {
    assert.deepEqual(callKey('f', [BigInt(n), [BigInt(n)]]), callKey('f', [n, [n]]))
  }
})

/** Buffers and Uint8Arrays alike. */
const plainBytes = (value) => (Buffer.isBuffer(value) ? new Uint8Array(value) : value)

test('a pickle is refused by name, and a memoizer runs its function again', (t) => {
  const store = { engine: 'disk', path: directory(t), ...SMALL }
  const raw = native.open(Buffer.from(JSON.stringify({
    engine: 'disk', path: store.path, namespace: 'f', max_bytes: store.maxBytes, map_size: store.mapSize })))
  later(t, () => raw.close())
  raw.set(callKey('f', [1]), Buffer.from([16, 1, 2, 3]), 0)
  const cache = open(t, { ...store, namespace: 'f' })
  assert.throws(() => cache.get(callKey('f', [1])), { code: 'TWAT_E_UNSUPPORTED', message: /pickle.*Python/ })
  const memo = twat.memoize((x) => x + 1, { ...store, name: 'f' })
  later(t, () => memo.cache.close())
  assert.equal(memo(1), 2)
  assert.equal(cache.get(callKey('f', [1])), 2)
})

test('damaged values are refused, whatever is cut or changed', () => {
  for (const { hex } of vectors('values')) {
    const stored = bytes(hex)
    for (let length = 0; length < Math.min(stored.length, 80); length++) {
      try {
        decodeValue(stored.subarray(0, length), 0, length)
      } catch (error) {
        assert.match(error.code, /^TWAT_E_/)
      }
    }
    for (let i = 0; i < Math.min(stored.length, 40); i++) {
      const changed = Buffer.from(stored)
      changed[i] ^= 1 << (i % 8)
      try {
        decodeValue(changed, 0, changed.length)
      } catch (error) {
        assert.match(error.code ?? String(error.stack), /^TWAT_E_/)
      }
    }
  }
})

test('long names become a namespace of at most 200 bytes that is still theirs', () => {
  assert.equal(namespaceOf('short'), 'short')
  const [a, b] = [namespaceOf('é'.repeat(150)), namespaceOf(`${'é'.repeat(149)}x`)]
  assert.notEqual(a, b)
  for (const name of [a, b]) {
    assert.ok(Buffer.byteLength(name) <= 200)
    assert.match(name, /^é+~[0-9a-f]{64}$/)
  }
})

test('the two zeros of numbers are two keys where the key is bytes', (t) => {
  const f = twat.memoize((x) => Object.is(x, -0), { engine: 'disk', path: directory(t), name: 'zeros', ...SMALL })
  later(t, () => f.cache.close())
  assert.deepEqual([f(0), f(-0), f(0), f(-0)], [false, true, false, true])
  assert.equal(f.stats().hits, 2)
})
