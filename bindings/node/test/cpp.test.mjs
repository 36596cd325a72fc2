// Node and C++ memoize the same function into the same store, on disk and over redis.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SMALL, directory, redis, twat } from './helpers.mjs'

const require = createRequire(import.meta.url)
const { encodeToBuffer } = require('../lib/encode.js')
const { writerOf } = require('../lib/values.js')
const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const platform = file(`../npm/${readdirSync(file('../npm'))[0]}`)
const library = join(platform, readdirSync(platform).find((name) => name.startsWith('libtwat_cache')))

function compiled(t, source = '../../../examples/cpp/memoize.cpp') {
  const program = join(directory(t), 'program')
  execFileSync(process.env.CXX || 'c++', ['-std=c++17', `-I${file('../../../include')}`, `-I${file('../../c')}`,
    file(source), '-o', program, library, `-Wl,-rpath,${platform}`], { stdio: 'inherit' })
  return (place, ...numbers) => execFileSync(program, [place, ...numbers.map(String)], { encoding: 'utf8' }).trim().split('\n')
}

function shared(cpp, place, options) {
  let calls = 0
  const collatz = twat.memoize((n) => { calls++; return -n }, { ...options, name: 'collatz' })
  try {
    assert.deepEqual(cpp(place, 6, 27), ['collatz(6) = 8', 'collatz(27) = 111', '2 computed here'])
    assert.deepEqual([collatz(6), collatz(27), calls], [8, 111, 0])
    assert.deepEqual([collatz(9), calls], [-9, 1])
    assert.deepEqual(cpp(place, 9, 6), ['collatz(9) = -9', 'collatz(6) = 8', '0 computed here'])
  } finally {
    collatz.cache.close()
  }
}

test('C++ and Node find what the other computed: disk', (t) => {
  const store = directory(t)
  shared(compiled(t), store, { engine: 'disk', path: store, ...SMALL })
})

test('C++ and Node find what the other computed: redis', async (t) => {
  const { url } = await redis(t)
  shared(compiled(t), url, { engine: 'redis', url, timeoutMs: 5000, connectTimeoutMs: 5000 })
})

test("C++ reads what is inside of JavaScript's own kinds", (t) => {
  const hex = (value) => encodeToBuffer(writerOf('msgpack'), value).toString('hex')
  const values = [-(2n ** 40n), new URL('https://a.b/'), new Map([['a', 7]]), new Uint8Array(5), new Headers([['a', '1'], ['b', '2']]), [1n, 2n], Object(1.5)]
  assert.deepEqual(compiled(t, 'programs/js_kinds.cpp')(...values.map(hex)),
    [String(-(2 ** 40)), 'https://a.b/', '7', '5', '2', '2', '1.5', 'refused'])
})
