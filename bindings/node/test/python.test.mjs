// Node and Python memoize the same function into the same store.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { directory, twat } from './helpers.mjs'

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
