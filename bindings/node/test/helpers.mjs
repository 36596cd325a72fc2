import { mkdtempSync, rmSync } from 'node:fs'
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
