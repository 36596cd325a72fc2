// Ends while async work is pending, in the way its argument says.
import twat from '../../lib/index.js'

const [how, path] = process.argv.slice(2)
const cache = new twat.Cache({ engine: 'disk', path, maxBytes: 64 << 20, mapSize: 1 << 30 })
const value = 'x'.repeat(100_000)
for (let i = 0; i < 200; i++) cache.setAsync(`k${i}`, value).catch(() => {})
if (how === 'exit') process.exit(3)
if (how === 'throw') setImmediate(() => { throw new Error('on purpose') })
if (how === 'close') {
  cache.close()
  try {
    cache.get('k0')
  } catch (error) {
    process.exitCode = error.code === 'TWAT_E_CLOSED' ? 4 : 5
  }
}
