// Reads a store that another language filled:
//
//   node read-store.mjs DIRECTORY NAME [LIMIT]
//
// lists the remembered calls of the function NAME, then calls the first of them
// through memoize, which finds the other language's result and computes nothing.
import { Cache, callOf, memoize } from 'twat-cache'

const [path, name, limit = '4'] = process.argv.slice(2)
if (!path || !name) {
  console.error('usage: node read-store.mjs DIRECTORY NAME [LIMIT]')
  process.exit(2)
}

const cache = new Cache({ engine: 'disk', path, namespace: name, create: false })
let entries = 0
let first
for (const [key, value] of cache) {
  const call = callOf(key)
  if (!call) continue
  first ??= call
  if (entries++ < Number(limit)) {
    console.log(`${call.name}(${call.args.map((arg) => JSON.stringify(String(arg))).join(', ')}) = ${JSON.stringify(value)}`)
  }
}
console.log(`${entries} entries`)
cache.close()

if (first) {
  const again = memoize(() => { throw new Error('not found in the store') }, { engine: 'disk', path, name })
  console.log(`${name} called from Node: ${JSON.stringify(again(...first.args))}, ${again.stats().hits} hit, nothing computed`)
  again.cache.close()
}
