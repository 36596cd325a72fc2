// Runs every test: those of node:test, then the Keyv suite under vitest.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const LONG = ['hazards', 'model', 'package', 'examples', 'bundles', 'peers']
const quick = process.env.TWAT_QUICK === '1'
const files = readdirSync(join(here, 'test'))
  .filter((name) => name.endsWith('.test.mjs') && !(quick && LONG.some((long) => name.startsWith(long))))
  .map((name) => join('test', name))

function run(args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: here, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`failed (${signal ?? status}): node ${args.join(' ')}`)
    process.exit(1)
  }
}

run(['--expose-gc', '--test', '--test-reporter=spec', ...files])
run([join('node_modules', 'vitest', 'vitest.mjs'), 'run'])
