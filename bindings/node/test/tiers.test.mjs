import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SMALL, directory, open } from './helpers.mjs'

test('tiers: memory over disk', (t) => {
  const path = directory(t)
  const tiers = [{ engine: 'memory', max: 10 }, { engine: 'disk', path, ...SMALL }]
  const cache = open(t, { engine: 'tiered', tiers })
  for (let i = 0; i < 100; i++) cache.set(i, { i })
  for (let i = 0; i < 100; i++) assert.deepEqual(cache.get(i), { i })
})

