// The programs in examples/node, run as their readers would.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { directory, later, twat } from './helpers.mjs'

const program = (name) => fileURLToPath(new URL(`../../../examples/node/${name}`, import.meta.url))

test('server: a slow handler is fast the second time, and the hit ratio is told', async (t) => {
  const server = spawn(process.execPath, [program('server.mjs'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  later(t, () => server.kill())
  const [url] = await once(createInterface(server.stdout), 'line')
  const get = async (path) => (await fetch(new URL(path, url))).json()
  const first = await get('/primes/20000')
  assert.equal(first.count, 2262)
  for (let i = 0; i < 3; i++) assert.deepEqual(await get('/primes/20000'), first)
  assert.deepEqual(await get('/stats'), { hits: 3, misses: 1, hitRatio: 0.75, entries: 1 })
  assert.ok((await get('/other')).error)
})

test('read-store: lists the calls of another program and finds their results', (t) => {
  const path = directory(t)
  const add = twat.memoize((a, b) => ({ sum: a + b }), { engine: 'disk', path, name: 'add' })
  for (let i = 0; i < 6; i++) add(i, i)
  add.cache.close()
  const lines = execFileSync(process.execPath, [program('read-store.mjs'), path, 'add', '2'], { encoding: 'utf8' }).trim().split('\n')
  assert.equal(lines.length, 4)
  assert.match(lines[0], /^add\("\d", "\d"\) = \{"sum":\d+\}$/)
  assert.deepEqual([lines[2], /1 hit, nothing computed$/.test(lines[3])], ['6 entries', true])
})
