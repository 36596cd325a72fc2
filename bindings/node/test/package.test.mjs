// What npm pack gives, in an empty project, without a network and without scripts.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { directory } from './helpers.mjs'

const run = promisify(execFile)
const here = fileURLToPath(new URL('..', import.meta.url))
const tsc = join(here, 'node_modules/typescript/bin/tsc')

const USE = `
const memo = memoize((x) => ({ x }), { max: 10 })
if (memo(1) !== memo(1)) throw new Error('memoize')
const cache = new Cache({ path: './store', maxBytes: 1e7, mapSize: 1 << 28 })
cache.set('k', { a: 1 })
if (cache.get('k').a !== 1) throw new Error('cache')
cache.close()
console.log(coreVersion)
`
const NAMES = '{ Cache, memoize, coreVersion }'

async function project(t, tarballs) {
  const path = directory(t)
  writeFileSync(join(path, 'package.json'), '{"name": "empty", "version": "1.0.0", "private": true}')
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], { cwd: path })
  return path
}

/** The packed packages: main with and without the binaries, and the platform's. */
async function pack(t) {
  const out = directory(t)
  await run(process.execPath, [join(here, 'scripts/pack.mjs'), out], { cwd: here })
  const files = readdirSync(out).map((name) => join(out, name))
  const platform = files.filter((name) => name.includes('linux'))
  const main = files.filter((name) => !name.includes('linux'))
  assert.deepEqual([platform.length, main.length], [1, 1])
  const whole = directory(t)
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', whole], { cwd: here })
  return { split: [...main, ...platform], whole: readdirSync(whole).map((name) => join(whole, name)) }
}

test('the packed package works from ESM, CommonJS and TypeScript, installed offline and without scripts', async (t) => {
  const { split, whole } = await pack(t)
  for (const [what, tarballs] of Object.entries({ split, whole })) {
    const path = await project(t, tarballs)
    writeFileSync(join(path, 'esm.mjs'), `import ${NAMES} from 'twat-cache'\nimport all from 'twat-cache'\nif (all.Cache !== Cache) throw new Error('default')\n${USE}`)
    writeFileSync(join(path, 'common.cjs'), `const ${NAMES} = require('twat-cache')\n${USE}`)
    for (const program of ['esm.mjs', 'common.cjs']) {
      const { stdout } = await run(process.execPath, [program], { cwd: path })
      assert.equal(stdout.trim(), JSON.parse(readFileSync(join(here, 'package.json'))).version, `${what} ${program}`)
    }
    const installed = JSON.parse(readFileSync(join(path, 'node_modules/twat-cache/package.json')))
    for (const name of ['install', 'preinstall', 'postinstall', 'prepare']) assert.equal(installed.scripts?.[name], undefined)
    assert.equal(installed.dependencies, undefined)
    await compile(path)
  }
})

async function legacy(path) {
  cpSync(join(here, 'test/types/legacy.ts'), join(path, 'legacy.cts'))
  const flags = ['--strict', '--experimentalDecorators', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom', 'legacy.cts']
  await run(process.execPath, [tsc, ...flags], { cwd: path }).catch((error) => assert.fail(error.stdout || error.message))
  assert.equal((await run(process.execPath, ['legacy.cjs'], { cwd: path })).stdout, 'legacy decorators\n')
}

/** Strict, as an ES module and as CommonJS, with the types of Node and without. */
async function compile(path) {
  const use = readFileSync(join(here, 'test/types/use.ts'), 'utf8')
  writeFileSync(join(path, 'use.mts'), use)
  writeFileSync(join(path, 'use.cts'), use.replace('import twat, {', 'import twat = require("twat-cache")\nimport {'))
  const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,esnext.decorators']
  const compiled = (...more) => run(process.execPath, [tsc, ...flags, ...more, 'use.mts', 'use.cts'], { cwd: path })
    .catch((error) => assert.fail(error.stdout || error.message))
  await compiled()
  await legacy(path)
  mkdirSync(join(path, 'node_modules/@types'), { recursive: true })
  for (const name of ['@types/node', 'undici-types']) cpSync(join(here, 'node_modules', name), join(path, 'node_modules', name), { recursive: true })
  await compiled('--types', 'node')
}

test('the addon has no unresolved name, asks for its library beside it, and exports only its entry', async () => {
  const addon = join(here, 'npm', readdirSync(join(here, 'npm'))[0], 'twat_cache.node')
  const dynamic = (await run('readelf', ['-d', addon])).stdout
  for (const part of ['$ORIGIN', 'NOW', 'NODELETE', 'libtwat_cache.so']) assert.ok(dynamic.includes(part), part)
  const names = (await run('nm', ['-D', '--defined-only', addon])).stdout.trim().split('\n').map((line) => line.split(' ').pop())
  assert.deepEqual(names.filter((name) => !name.startsWith('napi_') && !name.startsWith('node_api_')), [])
})
