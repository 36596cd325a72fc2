// Structured values on disk: get and set, ours and lmdb-js with msgpackr.
import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import twat from '../lib/index.js'
import { measure } from './harness.mjs'

const record = (i) => ({
  id: i, name: `user ${i}`, email: `user${i}@example.org`, active: i % 2 === 0, score: i * 1.5, tags: ['a', 'b'],
  address: { city: 'Berlin', zip: String(10_000 + i) },
})
const list = (n, make) => Array.from({ length: n }, (_, i) => make(i))

const VALUES = {
  '10 records': list(10, record),
  '1,000 records': list(1000, record),
  '10,000 integers': list(10_000, (i) => i * 7),
  '10,000 strings': list(10_000, (i) => `string number ${i}`),
  'a dictionary of 10,000': Object.fromEntries(list(10_000, (i) => [`key${i}`, i])),
}

/** Rows of get and set for each value. */
export async function structured(folder, row) {
  const ours = new twat.Cache({ path: join(folder, 'structured'), maxBytes: 1e9 })
  const peer = openLmdb({ path: join(folder, 'structured-lmdb'), noSync: true, mapSize: 2 ** 30 })
  const loop = (call) => (n) => { for (let i = 0; i < n; i++) call() }
  for (const [name, value] of Object.entries(VALUES)) {
    ours.set(name, value)
    peer.putSync(name, value)
    const t = measure([
      ['get', loop(() => ours.get(name))], ['peer get', loop(() => peer.get(name))],
      ['set', loop(() => ours.set(name, value))], ['peer set', loop(() => peer.putSync(name, value))],
    ], { rounds: 30, ms: 10, least: 1 })
    row(`get of ${name}, disk: lmdb with msgpackr`, t.get('get'), t.get('peer get'), 1)
    row(`set of ${name}, disk: lmdb with msgpackr`, t.get('set'), t.get('peer set'), 1)
  }
  ours.close()
  await peer.close()
}
