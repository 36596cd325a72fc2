// The core of the package under other versions of Node, under Bun and under Deno; all share one store.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { directory, here, install, modules } from './program.mjs'

const run = promisify(execFile)
const HOSTS = {
  'this Node': [process.execPath],
  'Node 22': [join(modules, 'node22/bin/node')],
  'Node 24': [join(modules, 'node24/bin/node')],
  Bun: [join(modules, '@oven/bun-linux-x64/bin/bun')],
  Deno: [join(modules, '@deno/linux-x64-glibc/deno'), 'run', '-A'],
}

function program(t) {
  const path = install(directory(t))
  cpSync(join(here, 'core.cjs'), join(path, 'core.cjs'))
  return path
}

for (const [name, [command, ...flags]] of Object.entries(HOSTS)) {
  test(`${name}: values of every size and kind, memoized functions, async twins, errors`, async (t) => {
    const path = program(t)
    for (let round = 0; round < 2; round++) {
      const { stdout } = await run(command, [...flags, 'core.cjs', join(path, 'store')], { cwd: path, timeout: 120_000 })
      assert.equal(stdout, 'core\n')
    }
    const { stdout } = await run(process.execPath, ['core.cjs', join(path, 'store')], { cwd: path })
    assert.equal(stdout, 'core\n', 'and this Node goes on with its store')
  })
}

for (const name of ['Node 22', 'Node 24']) {
  test(`${name}: under the permission model, with the folders of the program alone`, async (t) => {
    const path = program(t)
    const flags = [name === 'Node 22' ? '--experimental-permission' : '--permission', '--allow-addons', `--allow-fs-read=${path}`]
    const { stdout } = await run(HOSTS[name][0], [...flags, 'core.cjs', join(path, 'store')], { cwd: path })
    assert.equal(stdout, 'core\n')
  })
}
