// Builds the addon and puts it with the core library into the platform package.
// Nothing is downloaded: the headers come from the npm package node-api-headers.
//
//   npm run build                    with target/library, else target/debug, of this repository
//   TWAT_CACHE_LIB=dir npm run build with the libtwat_cache.so in dir
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const root = resolve(here, '../..')
const require = createRequire(join(here, 'package.json'))
const { triple } = require('./lib/native.js')

function libraryDir() {
  const asked = process.env.TWAT_CACHE_LIB
  const dirs = asked ? [asked] : [join(root, 'target/library'), join(root, 'target/debug')]
  const found = dirs.find((dir) => existsSync(join(dir, 'libtwat_cache.so')))
  if (!found) throw new Error(`libtwat_cache.so: expected in ${dirs.join(' or ')}; run cargo library first`)
  return found
}

/** The name under which the addon will ask for the library. */
function sonameOf(path) {
  const dynamic = execFileSync('readelf', ['-d', path], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
  return /SONAME.*\[(.+)\]/.exec(dynamic)?.[1] ?? 'libtwat_cache.so'
}

const lib = libraryDir()
const out = join(here, 'npm', triple())
const soname = sonameOf(join(lib, 'libtwat_cache.so'))
mkdirSync(out, { recursive: true })
// A library of another major version, from an earlier build, would be packed too.
for (const name of readdirSync(out)) if (name.startsWith('libtwat_cache.so') && name !== soname) rmSync(join(out, name))
// Renamed into place: a process that has the old one mapped keeps it.
copyFileSync(join(lib, 'libtwat_cache.so'), join(out, '.library.tmp'))
execFileSync('strip', ['--strip-unneeded', join(out, '.library.tmp')])
renameSync(join(out, '.library.tmp'), join(out, soname))

const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include')
const include = process.env.TWAT_CACHE_INCLUDE || join(root, 'include')
const sources = readdirSync(join(here, 'src')).filter((name) => name.endsWith('.c'))
const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-g1', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread',
  '-Wall', '-Wextra', ...(process.env.TWAT_CACHE_WERROR ? ['-Werror'] : []), '-Wno-missing-field-initializers',
  '-Wl,-z,now', '-Wl,-z,relro', '-Wl,-z,nodelete', '-Wl,-rpath,$ORIGIN']
execFileSync(process.env.CC || 'cc', [
  ...flags, `-I${headers}`, `-I${include}`,
  ...sources.map((name) => join(here, 'src', name)),
  '-o', join(out, '.twat_cache.tmp'), `-L${out}`, `-l:${soname}`,
], { stdio: 'inherit' })
renameSync(join(out, '.twat_cache.tmp'), join(out, 'twat_cache.node'))
console.log(`built npm/${triple()} with ${lib}`)
