// A forked process: writes its own keys to a shared store and reads its sibling's.
import twat from '../../lib/index.js'

const [path, id, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const cache = new twat.Cache({ engine: 'disk', path, maxBytes: 64 << 20, mapSize: 1 << 30 })
let wrong = 0
for (let i = 0; i < count; i++) {
  cache.set(`${id}:${i}`, { id, i, text: 't'.repeat(i % 300) })
  cache.incr('shared')
  const other = cache.get(`${(id + 1) % 4}:${i}`)
  if (other !== undefined && (other.i !== i || other.text.length !== i % 300)) wrong++
}
process.send({ wrong })
cache.close()
process.disconnect()
