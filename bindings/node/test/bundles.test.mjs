// Start-up as users have it: bundled, traced, under the permission model, on another C library.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { nodeFileTrace } from '@vercel/nft'
import { build } from 'esbuild'
import { rollup } from 'rollup'
import webpack from 'webpack'
import { directory } from './helpers.mjs'

const require = createRequire(import.meta.url)
const run = promisify(execFile)
const here = fileURLToPath(new URL('..', import.meta.url))
const [platform] = readdirSync(join(here, 'npm'))
const USE = `
const memo = memoize((x) => ({ x }))
const cache = new Cache()
cache.set('k', new Map([[1, 2]]))
console.log(memo(1) === memo(1), cache.get('k').get(1))`
const SAYS = 'true 2\n'

/** A program with the package installed beside it, as npm lays it out; without the platform's package if so asked. */
function program(t, { native = true } = {}) {
  const path = directory(t)
  const packages = join(path, 'node_modules')
  for (const part of ['lib', 'package.json']) cpSync(join(here, part), join(packages, 'twat-cache', part), { recursive: true })
  if (native) cpSync(join(here, 'npm', platform), join(packages, `twat-cache-${platform}`), { recursive: true })
  writeFileSync(join(path, 'main.mjs'), `import { Cache, memoize } from 'twat-cache'${USE}`)
  writeFileSync(join(path, 'main.cjs'), `const { Cache, memoize } = require('twat-cache')${USE}`)
  mkdirSync(join(path, 'out'))
  return path
}

/** Runs a file from a directory that is no help in finding packages. */
const node = (file, ...flags) => run(process.execPath, [...flags, file], { cwd: '/' })

test('a bundle of esbuild starts, as CommonJS and as an ES module', async (t) => {
  const path = program(t)
  for (const [format, extension] of [['cjs', 'cjs'], ['esm', 'mjs']]) {
    for (const entry of ['main.mjs', 'main.cjs']) {
      const outfile = join(path, 'out', `bundle.${extension}`)
      const { warnings } = await build({ entryPoints: [join(path, entry)], bundle: true, minify: true, platform: 'node', format, outfile, logLevel: 'silent' })
      assert.deepEqual(warnings, [])
      assert.equal((await node(outfile)).stdout, SAYS)
    }
  }
})

test('a bundle of webpack starts, without a warning', async (t) => {
  const path = program(t)
  const stats = await promisify(webpack)({
    mode: 'development', devtool: false, target: 'node', context: path, entry: './main.mjs', output: { path: join(path, 'out'), filename: 'bundle.cjs' },
  })
  assert.deepEqual([stats.compilation.errors, stats.compilation.warnings], [[], []])
  assert.equal((await node(join(path, 'out/bundle.cjs'))).stdout, SAYS)
})

test('a bundle of rollup starts', async (t) => {
  const path = program(t)
  const plugin = (name) => { const made = require(name); return made.default ?? made }
  const bundle = await rollup({ input: join(path, 'main.mjs'),
    plugins: [plugin('@rollup/plugin-node-resolve')({ preferBuiltins: true }), plugin('@rollup/plugin-commonjs')()] })
  for (const [format, extension] of [['cjs', 'cjs'], ['es', 'mjs']]) {
    const file = join(path, 'out', `bundle.${extension}`)
    await bundle.write({ file, format })
    assert.equal((await node(file)).stdout, SAYS)
  }
})

test('a tracer of files lists the addon and its library, and what it lists runs elsewhere', async (t) => {
  const path = program(t)
  for (const entry of ['main.mjs', 'main.cjs']) {
    const { fileList } = await nodeFileTrace([join(path, entry)], { base: path })
    const files = [...fileList]
    for (const part of [/twat_cache\.node$/, /libtwat_cache\.so/]) assert.ok(files.some((file) => part.test(file)), String(part))
    const moved = directory(t)
    for (const file of files) cpSync(join(path, file), join(moved, file))
    assert.equal((await node(join(moved, entry))).stdout, SAYS)
  }
})

test('under the permission model, with the folders of the program alone', async (t) => {
  const path = program(t)
  const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  const flags = [permission, `--allow-fs-read=${path}`]
  assert.equal((await node(join(path, 'main.cjs'), ...flags, '--allow-addons')).stdout, SAYS)
  await assert.rejects(node(join(path, 'main.cjs'), ...flags), { message: /--allow-addons[^]*ERR_DLOPEN_DISABLED/ })
})

test('where nothing can be loaded, the text says what was tried; a missing probe of the C library is no obstacle', async (t) => {
  const path = program(t, { native: false })
  for (const header of ['{ glibcVersionRuntime: "2.36" }', '{}', 'null']) {
    const file = join(path, 'probe.cjs')
    writeFileSync(file, `process.report.getReport = () => ({ header: ${header} }); require('twat-cache')`)
    const { stderr } = await node(file).then(() => assert.fail(), (error) => error)
    for (const part of [`twat-cache-linux-${process.arch}-gnu`, `twat-cache-linux-${process.arch}-musl`, 'npm run build', 'external', 'Tried from']) {
      assert.ok(stderr.includes(part), `${part}: ${stderr}`)
    }
  }
  const installed = program(t)
  const file = join(installed, 'probe.cjs')
  for (const probe of ['process.report.getReport = () => ({ header: {} })', 'process.report.getReport = () => { throw new Error("denied") }',
    'Object.defineProperty(process, "report", { value: undefined })']) {
    writeFileSync(file, `${probe}; const { Cache, memoize } = require('twat-cache')${USE}`)
    assert.equal((await node(file)).stdout, SAYS, probe)
  }
})
