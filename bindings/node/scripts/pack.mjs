// Packs what would be published: the main package without binaries, and the
// package of this platform. A plain `npm pack` of the main package includes
// the binaries that were built here and works by itself.
//
//   node scripts/pack.mjs [folder]
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const { triple } = createRequire(import.meta.url)('../lib/native.js')
const out = resolve(process.argv[2] ?? 'dist')
mkdirSync(out, { recursive: true })

const pack = (folder) => execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', out], { cwd: folder, stdio: ['ignore', 'inherit', 'ignore'] })

pack(join(here, 'npm', triple()))
const copy = mkdtempSync(join(tmpdir(), 'twat-pack-'))
try {
  for (const name of ['lib', 'src', 'scripts', 'README.md', 'package.json']) cpSync(join(here, name), join(copy, name), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8'))
  delete manifest.workspaces
  manifest.files = manifest.files.filter((name) => !name.startsWith('npm/'))
  writeFileSync(join(copy, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  pack(copy)
} finally {
  rmSync(copy, { recursive: true, force: true })
}
