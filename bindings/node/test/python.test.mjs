// Node and Python memoize the same function into the same store.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { directory, twat } from './helpers.mjs'

const require = createRequire(import.meta.url)
const { encodeToBuffer } = require('../lib/encode.js')
const { writerOf } = require('../lib/values.js')
const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const platform = file(`../npm/${readdirSync(file('../npm'))[0]}`)
const library = join(platform, readdirSync(platform).find((name) => name.startsWith('libtwat_cache')))

const CALLS = [[1], ['text', -5], [1.5, null, true], ['grüße 🎉', [1, [2, 'x']], { b: 1, a: { c: [null] } }],
  [2 ** 53 - 1, -(2 ** 40)], [], ['x'.repeat(1000)]]

function python(store) {
  const { status, stdout, stderr } = spawnSync('python3', [file('programs/area.py'), store], {
    input: CALLS.map((args) => `${JSON.stringify(args)}\n`).join(''), encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: file('../../python/src'), TWAT_CACHE_LIBRARY: library },
  })
  assert.equal(status, 0, stderr)
  return stdout.trim().split('\n').map((line) => JSON.parse(line))
}

function node(store) {
  let calls = 0
  const area = twat.memoize((...args) => ({ by: 'node', args, n: ++calls }), { engine: 'disk', path: store, name: 'area' })
  const results = CALLS.map((args) => [area(...args), calls])
  area.cache.close()
  return results
}

test('what Python computed, Node finds', (t) => {
  const store = directory(t)
  const written = python(store)
  assert.deepEqual(written.at(-1)[1], CALLS.length)
  assert.deepEqual(node(store), written.map(([result]) => [result, 0]))
})

test('what Node computed, Python finds', (t) => {
  const store = directory(t)
  const written = node(store)
  assert.deepEqual(written.at(-1)[1], CALLS.length)
  assert.deepEqual(python(store), written.map(([result]) => [result, 0]))
})

test("Python reads what is inside of JavaScript's own kinds", () => {
  const kinds = [2n, 2n ** 70n, -1n, new URL('https://a.b/'), new URLSearchParams('a=1'), new Headers({ a: '1' }), /a/g, new Map([['a', 1]]), new Map(),
    new Uint8Array([1, 2]), new ArrayBuffer(2), new DataView(new ArrayBuffer(1)), Object(5), Object('x'),
    Object.assign(Object.create(null), { a: 1 }), new Set([2, 1]), [new TypeError('no')]]
  const program = 'import sys; from twat_cache._serialize.msgpack_reader import decode\nfor line in sys.stdin: print(repr(decode(bytes.fromhex(line)[1:])))'
  const { status, stdout, stderr } = spawnSync('python3', ['-c', program], {
    input: kinds.map((value) => `${encodeToBuffer(writerOf('msgpack'), value).toString('hex')}\n`).join(''), encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: file('../../python/src'), TWAT_CACHE_LIBRARY: library },
  })
  assert.equal(status, 0, stderr)
  const lines = stdout.trim().split('\n')
  assert.deepEqual(lines.slice(0, -1), ['2', String(2n ** 70n), '-1', "'https://a.b/'", "'a=1'", "[['a', '1']]", "['a', 'g', 0]", "{'a': 1}", '{}',
    "b'\\x01\\x02'", "b'\\x00\\x00'", "b'\\x00'", '5', "'x'", "{'a': 1}", '{1, 2}'])
  assert.match(lines.at(-1), /^\[\{'kind': 'TypeError', 'message': 'no', 'stack': /)
})
