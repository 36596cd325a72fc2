import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The package as its users have it. */
export const twat = require('../lib/index.js')

const pending = new WeakMap()

/** Runs when the test is over, what was asked for last first: caches close before their directory goes. */
export function later(t, call) {
  if (!pending.has(t)) {
    pending.set(t, [])
    t.after(async () => { for (const each of pending.get(t).reverse()) await each() })
  }
  pending.get(t).push(call)
}

/** A directory that goes with the test. */
export function directory(t) {
  const path = mkdtempSync(join(tmpdir(), 'twat-node-'))
  later(t, () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A store small enough for many at a time. */
export const SMALL = { maxBytes: 64 << 20, mapSize: 1 << 30 }

/** Each engine that needs no server, as a function that opens one. */
export const ENGINES = {
  memory: (t, options) => open(t, { engine: 'memory', ...options }),
  disk: (t, options) => open(t, { engine: 'disk', path: directory(t), ...SMALL, ...options }),
  file: (t, options) => open(t, { engine: 'file', path: directory(t), ...SMALL, ...options }),
}

export function open(t, options) {
  const cache = new twat.Cache(options)
  later(t, () => cache.close())
  return cache
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `done()` is true; fails with `what` after ten seconds. */
export async function until(done, what) {
  const end = Date.now() + 10_000
  while (!done()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`)
    await sleep(5)
  }
}

/** The number of a port that nothing listens on. */
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

const answers = (port) => new Promise((resolve) => {
  const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'))
  socket.once('data', (data) => { socket.destroy(); resolve(String(data).startsWith('+PONG')) })
  socket.once('error', () => resolve(false))
})

/** A server of the test's own, which goes with it. */
export async function redis(t) {
  const port = await freePort()
  const server = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', directory(t)], { stdio: 'ignore' })
  later(t, () => { server.kill('SIGCONT'); server.kill('SIGKILL') })
  for (let i = 0; !(await answers(port)); i++) {
    if (i > 200) throw new Error('redis-server does not answer')
    await sleep(25)
  }
  return { url: `redis://127.0.0.1:${port}/0`, server }
}
