// Builds the addon and puts it with the core library into the platform package.
// Nothing is downloaded: the headers come from the npm package node-api-headers.
//
//   npm run build                    with target/release, else target/debug, of this repository
//   TWAT_CACHE_LIB=dir npm run build with the libtwat_cache.so in dir
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const root = resolve(here, '../..')
const require = createRequire(join(here, 'package.json'))
const { triple } = require('./lib/native.js')

function libraryDir() {
  const asked = process.env.TWAT_CACHE_LIB
  const dirs = asked ? [asked] : [join(root, 'target/release'), join(root, 'target/debug')]
  const found = dirs.find((dir) => existsSync(join(dir, 'libtwat_cache.so')))
  if (!found) throw new Error(`libtwat_cache.so: expected in ${dirs.join(' or ')}; run cargo build first`)
  return found
}

const lib = libraryDir()
const out = join(here, 'npm', triple())
mkdirSync(out, { recursive: true })
// Renamed into place: a process that has the old one mapped keeps it.
copyFileSync(join(lib, 'libtwat_cache.so'), join(out, '.libtwat_cache.tmp'))
renameSync(join(out, '.libtwat_cache.tmp'), join(out, 'libtwat_cache.so'))
if (statSync(join(out, 'libtwat_cache.so')).size > 8 << 20 || process.env.TWAT_CACHE_STRIP) {
  execFileSync('strip', ['--strip-debug', join(out, 'libtwat_cache.so')])
}

const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include')
const include = process.env.TWAT_CACHE_INCLUDE || join(root, 'include')
const sources = readdirSync(join(here, 'src')).filter((name) => name.endsWith('.c'))
const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-g1', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread',
  '-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers',
  '-Wl,-z,now', '-Wl,-z,relro', '-Wl,-z,nodelete', '-Wl,-rpath,$ORIGIN']
execFileSync(process.env.CC || 'cc', [
  ...flags, `-I${headers}`, `-I${include}`,
  ...sources.map((name) => join(here, 'src', name)),
  `-L${out}`, '-ltwat_cache', '-o', join(out, '.twat_cache.tmp'),
], { stdio: 'inherit' })
renameSync(join(out, '.twat_cache.tmp'), join(out, 'twat_cache.node'))
console.log(`built npm/${triple()} with ${lib}`)
