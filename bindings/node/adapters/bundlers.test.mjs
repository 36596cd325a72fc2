// Programs bundled by @vercel/ncc and for servers by Vite; esbuild, webpack and rollup are in test/bundles.test.mjs.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { directory, install } from './program.mjs'

const require = createRequire(import.meta.url)
const run = promisify(execFile)
const USE = `
const memo = memoize((x) => ({ x }))
const cache = new Cache()
const rows = Array.from({ length: 50 }, (_, i) => ({ id: i, at: new Date(i) }))
for (let i = 0; i < 20; i++) cache.set('k', rows).get('k')
console.log(memo(1) === memo(1), cache.get('k')[49].at.getTime())`
const SAYS = 'true 49\n'

function program(t) {
  const path = install(directory(t))
  writeFileSync(join(path, 'package.json'), '{"name": "app", "private": true}')
  writeFileSync(join(path, 'main.mjs'), `import { Cache, memoize } from 'twat-cache'${USE}`)
  writeFileSync(join(path, 'main.cjs'), `const { Cache, memoize } = require('twat-cache')${USE}`)
  mkdirSync(join(path, 'out'))
  return path
}

/** Runs a file from a directory that is no help in finding packages. */
const says = async (file) => (await run(process.execPath, [file], { cwd: '/' })).stdout

for (const entry of ['main.cjs', 'main.mjs']) {
  test(`a bundle of ncc starts: ${entry}`, { timeout: 120_000 }, async (t) => {
    const path = program(t)
    const { code, assets } = await require('@vercel/ncc')(join(path, entry), { cache: false, quiet: true })
    // ncc makes an ES module of an ES module.
    const name = entry.replace('main', 'index')
    for (const [file, { source }] of Object.entries({ ...assets, [name]: { source: code } })) {
      mkdirSync(dirname(join(path, 'out', file)), { recursive: true })
      writeFileSync(join(path, 'out', file), source)
    }
    assert.equal(await says(join(path, 'out', name)), SAYS)
  })

  for (const [how, noExternal] of [['bundled', true], ['external', undefined]]) {
    test(`a build for servers of Vite starts: ${entry}, ${how}`, { timeout: 120_000 }, async (t) => {
      const path = program(t)
      const { build } = await import('vite')
      await build({ root: path, logLevel: 'error', configFile: false, build: { ssr: entry, outDir: 'out' }, ssr: { noExternal } })
      const [name] = readdirSync(join(path, 'out')).filter((file) => /^main\./.test(file))
      assert.equal(await says(join(path, 'out', name)), SAYS)
    })
  }
}
