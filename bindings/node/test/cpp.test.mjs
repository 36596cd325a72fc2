// Node and C++ memoize the same function into the same store, on disk and over redis.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SMALL, directory, redis, twat } from './helpers.mjs'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const platform = file(`../npm/${readdirSync(file('../npm'))[0]}`)
const library = join(platform, readdirSync(platform).find((name) => name.startsWith('libtwat_cache')))

function compiled(t) {
  const program = join(directory(t), 'memoize')
  execFileSync(process.env.CXX || 'c++', ['-std=c++17', `-I${file('../../../include')}`, `-I${file('../../c')}`,
    file('../../../examples/cpp/memoize.cpp'), '-o', program, library, `-Wl,-rpath,${platform}`], { stdio: 'inherit' })
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
