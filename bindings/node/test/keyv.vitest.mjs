// The public conformance suite of Keyv, whole, over each engine.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv from 'keyv'
import * as vitest from 'vitest'
import twat from '../lib/index.js'

const folders = []
vitest.afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })))

function stored(engine) {
  const path = mkdtempSync(join(tmpdir(), 'twat-keyv-'))
  folders.push(path)
  return { engine, path, maxBytes: 64 << 20, mapSize: 1 << 30 }
}

for (const [engine, options] of Object.entries({
  memory: { engine: 'memory' }, disk: stored('disk'), file: stored('file'),
  json: { engine: 'memory', encoding: 'json' },
})) {
  vitest.describe(engine, () => {
    const cache = new twat.Cache(options)
    vitest.afterAll(() => cache.close())
    const store = () => new twat.KeyvTwat(cache)
    keyvTestSuite(vitest, Keyv, store)
    keyvIteratorTests(vitest, Keyv, store)
  })
}
