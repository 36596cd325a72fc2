'use strict'
// The async twins of a cache's calls: they run on libuv's pool.

const { encode, writeBinary, decodeBytes } = require('./values.js')
const { NO_TAGS, nativeKey, tagOf, callOptions, listOf, pairsOf, encodeMany, bytesOfWritten, counterOf } = require('./calls.js')
const { ttlOf } = require('./options.js')
const { exact } = require('./decode.js')
const { flags } = require('./binding.js')

/** What a cache keeps for itself. */
const NATIVE = Symbol('native')
const WRITE = Symbol('write')
const PENDING = Symbol('pending')

// src/async.c has the same numbers.
const OP = { get: 0, set: 1, delete: 2, has: 3, touch: 4, invalidateTag: 5, incr: 6, deletePrefix: 7, clear: 8, flush: 9,
  getMany: 10, setMany: 11, deleteMany: 12 }
const NO_KEYS = []
const NO_BYTES = Buffer.alloc(0)
const NO_LENGTHS = new Float64Array(0)
const off = () => flags[1] === 1

/** Runs a call; `close` waits for it. */
function run(cache, op, keys, { block = NO_BYTES, lengths = NO_LENGTHS, ttl = 0, add = false, tags = NO_TAGS, delta = 0n, initial = 0n } = {}) {
  const promise = cache[NATIVE].async(op, keys, block, lengths, ttl, add, tags, delta, initial)
  const pending = cache[PENDING]
  pending.add(promise)
  const settled = () => pending.delete(promise)
  promise.then(settled, settled)
  return promise
}

async function put(cache, key, write, value, options, add) {
  const call = callOptions(options)
  const keys = [nativeKey(key)]
  if (off()) return true
  const block = bytesOfWritten(encode(write, value))
  return run(cache, OP.set, keys, { ...call, block, lengths: Float64Array.of(block.length), add })
}

/** The methods; `decodeLarge` and `miss` are the cache's. */
const twins = (decodeLarge, missed) => ({
  async getAsync(key) {
    const keys = [nativeKey(key)]
    const found = off() ? undefined : await run(this, OP.get, keys)
    return found === undefined ? undefined : decodeLarge(found)
  },

  async lookupAsync(key, miss = missed) {
    const keys = [nativeKey(key)]
    const found = off() ? undefined : await run(this, OP.get, keys)
    return found === undefined ? miss : decodeLarge(found)
  },

  async getBufferAsync(key) {
    const keys = [nativeKey(key)]
    const found = off() ? undefined : await run(this, OP.get, keys)
    if (found === undefined) return undefined
    return found[0] === 0 ? found.subarray(1) : decodeBytes(found, 0, found.length)
  },

  async setAsync(key, value, options) {
    await put(this, key, this[WRITE], value, options, false)
    return this
  },

  async setBufferAsync(key, value, options) {
    await put(this, key, writeBinary, value, options, false)
    return this
  },

  async addAsync(key, value, options) {
    return put(this, key, this[WRITE], value, options, true)
  },

  async hasAsync(key) {
    const keys = [nativeKey(key)]
    return !off() && run(this, OP.has, keys)
  },

  async deleteAsync(key) {
    return run(this, OP.delete, [nativeKey(key)])
  },

  async touchAsync(key, ttl) {
    return run(this, OP.touch, [nativeKey(key)], { ttl: ttlOf(ttl) })
  },

  async incrAsync(key, by = 1, options = undefined) {
    const call = counterOf(by, options)
    return exact(await run(this, OP.incr, [nativeKey(key)], call))
  },

  async decrAsync(key, by = 1, options = undefined) {
    const call = counterOf(by, options)
    return exact(await run(this, OP.incr, [nativeKey(key)], { ...call, delta: -call.delta }))
  },

  async invalidateTagAsync(tag) {
    return run(this, OP.invalidateTag, [tagOf(tag)])
  },

  async getManyAsync(keys) {
    const list = listOf(keys, 'getManyAsync')
    if (off()) return list.map(() => undefined)
    const found = await run(this, OP.getMany, list)
    return found.map((bytes) => (bytes === undefined ? undefined : decodeLarge(bytes)))
  },

  async setManyAsync(entries, options) {
    const call = callOptions(options)
    const { keys, block, lengths } = encodeMany(this[WRITE], pairsOf(entries))
    if (!off()) await run(this, OP.setMany, keys, { ...call, block, lengths })
    return this
  },

  async deleteManyAsync(keys) {
    return run(this, OP.deleteMany, listOf(keys, 'deleteManyAsync'))
  },

  async deletePrefixAsync(prefix) {
    return run(this, OP.deletePrefix, [nativeKey(prefix)])
  },

  async clearAsync() {
    await run(this, OP.clear, NO_KEYS)
  },

  async flushAsync() {
    await run(this, OP.flush, NO_KEYS)
  },

  /** Waits for what is under way without blocking, then closes. */
  async closeAsync() {
    await Promise.allSettled(this[PENDING])
    this.close()
  },
})

module.exports = { NATIVE, WRITE, PENDING, twins }
