// Under jest, where the package and its users live in another realm than Node's core.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { directory, here, install, modules } from './program.mjs'

const run = promisify(execFile)

test('values, errors, reset modules and fake timers under jest', async (t) => {
  const path = install(directory(t))
  cpSync(join(here, 'sandbox.jest.cjs'), join(path, 'sandbox.test.js'))
  cpSync(join(here, 'sandbox.jest.cjs'), join(path, 'again.test.js'))
  writeFileSync(join(path, 'package.json'), '{}')
  const { stderr } = await run(process.execPath, [join(modules, 'jest/bin/jest.js'), '--rootDir', path, '--runInBand', '--no-cache'], { cwd: path })
    .catch((error) => assert.fail(error.stderr))
  assert.match(stderr, /Tests: +\d+ passed, \d+ total/)
})
