// Uses every kind of call until it is terminated.
import { workerData, parentPort } from 'node:worker_threads'
import twat from '../../lib/index.js'

const { Cache, memoize } = twat
const memory = new Cache({ engine: 'memory', max: 500 })
const disk = new Cache({ engine: 'disk', path: workerData.path, maxBytes: 64 << 20, mapSize: 1 << 30 })
const memo = memoize((i) => ({ i }), { max: 100 })
const large = Buffer.alloc(100_000, 1)
parentPort.postMessage('started')

for (let i = 0; ; i++) {
  memory.set(`k${i % 1000}`, { i })
  memory.get(`k${(i * 7) % 1000}`)
  memo(i % 300)
  if (i % 50 === 0) {
    disk.set(`k${i % 1000}`, { worker: workerData.id, i })
    disk.get(`k${(i * 3) % 1000}`)
    memory.setBuffer('large', large)
    memory.getBuffer('large', { copy: false })
    // Work that is still pending when the worker is terminated.
    disk.setAsync(`a${i % 100}`, { i }).catch(() => {})
    memory.getAsync('large').catch(() => {})
  }
  if (i % 5000 === 0) await new Promise((resolve) => setImmediate(resolve))
}
