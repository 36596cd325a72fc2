import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = fileURLToPath(new URL('.', import.meta.url))
export const modules = join(here, 'node_modules')
const main = join(here, '..')
const [platform] = readdirSync(join(main, 'npm'))

/** A directory that goes with the test. */
export function directory(t, parent = tmpdir()) {
  const path = mkdtempSync(join(parent, 'twat-adapters-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Lays the package out in a program's node_modules, as npm does. */
export function install(path) {
  const packages = join(path, 'node_modules')
  for (const part of ['lib', 'package.json']) cpSync(join(main, part), join(packages, 'twat-cache', part), { recursive: true })
  cpSync(join(main, 'npm', platform), join(packages, `twat-cache-${platform}`), { recursive: true })
  return path
}
