// A standalone build of Next.js, moved away from where it was built.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { directory, here, install, modules } from './program.mjs'

const run = promisify(execFile)
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

async function answer(url, server) {
  for (let i = 0; i < 200 && server.exitCode === null; i++) {
    const response = await fetch(url).catch(() => undefined)
    if (response) return response
    await sleep(100)
  }
  throw new Error('the server does not answer')
}

test('a moved standalone build answers with the package in it', { timeout: 400_000 }, async (t) => {
  // Beside node_modules: what is linked from elsewhere is not traced.
  const path = install(directory(t, here))
  writeFileSync(join(path, 'package.json'), '{"name": "app", "private": true}')
  writeFileSync(join(path, 'next.config.mjs'),
    `export default { output: 'standalone', serverExternalPackages: ['twat-cache'], outputFileTracingRoot: ${JSON.stringify(here)} }`)
  mkdirSync(join(path, 'app/api'), { recursive: true })
  writeFileSync(join(path, 'app/layout.js'), 'export default function Layout({ children }) { return <html><body>{children}</body></html> }')
  writeFileSync(join(path, 'app/page.js'), 'export default function Page() { return <p>page</p> }')
  writeFileSync(join(path, 'app/api/route.js'), `import { memoize } from 'twat-cache'
export const dynamic = 'force-dynamic'
let calls = 0
const memo = memoize(() => ++calls, { max: 10 })
export function GET() { return Response.json([memo(), memo()]) }`)
  await run(process.execPath, [join(modules, 'next/dist/bin/next'), 'build', '--webpack'], { cwd: path, env, timeout: 300_000 })
    .catch((error) => assert.fail(error.stdout + error.stderr))
  const moved = directory(t)
  cpSync(join(path, '.next/standalone'), moved, { recursive: true, dereference: true })
  rmSync(path, { recursive: true, force: true })
  const port = await freePort()
  const server = spawn(process.execPath, ['server.js'], { cwd: join(moved, basename(path)), env: { ...env, PORT: String(port), HOSTNAME: '127.0.0.1' }, stdio: 'ignore' })
  t.after(() => server.kill('SIGKILL'))
  const response = await answer(`http://127.0.0.1:${port}/api`, server)
  assert.deepEqual([response.status, await response.json()], [200, [1, 1]])
})
