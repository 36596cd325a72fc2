// Reads what another language memoized in redis:
//
//   node read-redis.mjs URL NAME [LIMIT]
import { Cache, callOf } from 'twat-cache'

const [url, name, limit = '4'] = process.argv.slice(2)
if (!url || !name) {
  console.error('usage: node read-redis.mjs URL NAME [LIMIT]')
  process.exit(2)
}

const cache = new Cache({ engine: 'redis', url, namespace: name, timeoutMs: 2000 })
let entries = 0
for (const [key, value] of cache) {
  const call = callOf(key)
  if (call && entries++ < Number(limit)) {
    console.log(`${call.name}(${call.args.map((arg) => JSON.stringify(String(arg))).join(', ')}) = ${JSON.stringify(value)}`)
  }
}
console.log(`Node reads ${entries} entries from redis`)
cache.close()
