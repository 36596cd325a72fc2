'use strict'
// A cache of bytes with values on top.

const { native, result, argument } = require('./binding.js')
const { encode, writerOf, writeBinary, decodeValue, directKey, givenKey, unreadable, forget } = require('./values.js')
const { checkNames, coreConfig, ttlOf, pathOf } = require('./options.js')
const { TwatCacheError, wrongType, describe } = require('./errors.js')

const STATS = ['hits', 'misses', 'sets', 'deletes', 'evictions', 'expirations', 'rejected', 'corrupt', 'errors',
  'entries', 'bytes', 'maxEntries', 'maxBytes']
const OP = { get: 0, set: 1, delete: 2, has: 3, clear: 4, flush: 5, getMany: 6, setMany: 7, deleteMany: 8,
  deletePrefix: 9 }
const NO_KEYS = []
const SET_OPTIONS = ['ttl', 'tag', 'tags']
const MISS = Symbol('miss')

const nativeKey = (key) => (typeof key === 'string' ? key : directKey(key))

/** {ttl, tags} of a call: milliseconds or an object. */
function callOptions(options) {
  if (options === undefined) return { ttl: 0, tags: NO_KEYS }
  if (typeof options === 'number') return { ttl: ttlOf(options), tags: NO_KEYS }
  checkNames(options, SET_OPTIONS, false)
  const tags = options.tags === undefined ? [] : [...options.tags]
  if (options.tag !== undefined) tags.push(options.tag)
  return { ttl: ttlOf(options.ttl), tags: tags.map(tagOf) }
}

function tagOf(tag) {
  if (typeof tag === 'string' || tag instanceof Uint8Array) return tag
  throw wrongType(`tag: expected text or bytes, found ${describe(tag)}`)
}

function listOf(keys, what) {
  if (keys === null || keys === undefined || typeof keys === 'string' || typeof keys[Symbol.iterator] !== 'function') {
    throw wrongType(`${what}: expected an array or another iterable, found ${describe(keys)}`)
  }
  return Array.from(keys, nativeKey)
}

function pairsOf(entries) {
  if (entries === null || typeof entries !== 'object') {
    throw wrongType(`setMany: expected a Map, pairs or an object, found ${describe(entries)}`)
  }
  const pairs = typeof entries[Symbol.iterator] === 'function' ? Array.from(entries) : Object.entries(entries)
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongType('setMany: expected pairs of key and value')
  }
  return pairs
}

const bytesOfWritten = (written) => (typeof written === 'number' ? argument.subarray(0, written) : written)

// A view of each short length of result, made when first needed: making one at
// each get would cost as much as the rest of it.
const VIEWED = 1024
const views = new Array(VIEWED + 1).fill(null)

/** The n bytes behind the format byte in result, in a Buffer of their own. */
function payloadCopy(n) {
  const copy = Buffer.allocUnsafe(n)
  if (n > VIEWED) result.copy(copy, 0, 1, n + 1)
  else copy.set(views[n] ??= result.subarray(1, n + 1))
  return copy
}

function integerOf(value, what) {
  if (typeof value === 'bigint') return value
  if (Number.isSafeInteger(value)) return BigInt(value)
  throw wrongType(`${what}: expected an integer, found ${describe(value)}`)
}

class Cache {
  #native
  #write
  #keepsNothing
  #engine
  #pending = new Set()

  constructor(options = {}) {
    checkNames(options, ['engine', 'tiers', 'encoding'], true)
    const { encoding = 'msgpack', ...rest } = options
    this.#write = writerOf(encoding)
    const { config, keepsNothing } = coreConfig(rest)
    this.#keepsNothing = keepsNothing
    this.#native = native.open(Buffer.from(JSON.stringify(config)))
    this.#engine = config.engine
  }

  /** Whether a call may wait for a network, so that the async twins are the better ones. */
  get mayBlock() {
    this.#engine ??= this.info().engine
    if (this.#engine === 'auto') this.#engine = this.info().engine
    return this.#engine === 'redis' || this.#engine === 'tiered'
  }

  get(key) {
    const found = this.#native.get(typeof key === 'string' ? key : directKey(key))
    if (typeof found === 'number') return decodeValue(result, 0, found)
    if (found === undefined) return undefined
    return this.#decodeLarge(found)
  }

  #decodeLarge(bytes) {
    const value = decodeValue(bytes, 0, bytes.length)
    forget(bytes)
    return value
  }

  /** The value, or `miss`: tells a stored undefined from none. */
  lookup(key, miss = MISS) {
    const found = this.#native.get(nativeKey(key))
    if (typeof found === 'number') return decodeValue(result, 0, found)
    return found === undefined ? miss : this.#decodeLarge(found)
  }

  getBuffer(key, options) {
    const bytes = typeof key === 'string' ? key : directKey(key)
    const found = options?.copy === false ? this.#native.view(bytes) : this.#native.get(bytes)
    if (typeof found === 'number') {
      if (found === 0 || result[0] !== 0) throw unreadable(found === 0 ? 'empty' : result[0])
      return payloadCopy(found - 1)
    }
    if (found === undefined) return undefined
    if (found[0] !== 0) throw unreadable(found[0])
    return found.subarray(1)
  }

  set(key, value, options) {
    if (options === undefined && !this.#keepsNothing) {
      this.#native.set(nativeKey(key), encode(this.#write, value), 0)
    } else {
      this.#put(key, this.#write, value, options, false)
    }
    return this
  }

  setBuffer(key, value, options) {
    this.#put(key, writeBinary, value, options, false)
    return this
  }

  add(key, value, options) {
    return this.#put(key, this.#write, value, options, true)
  }

  #put(key, write, value, options, add) {
    const { ttl, tags } = callOptions(options)
    const bytes = nativeKey(key)
    if (ttl === -1 || (ttl === 0 && this.#keepsNothing)) {
      // Nothing is kept, and nothing older may be found afterwards.
      if (add) return !this.#native.has(bytes)
      this.#native.delete(bytes)
      return true
    }
    const written = encode(write, value)
    if (add || tags.length > 0) return this.#native.setWith(bytes, written, ttl, add, tags)
    this.#native.set(bytes, written, ttl)
    return true
  }

  has(key) {
    return this.#native.has(nativeKey(key))
  }

  delete(key) {
    return this.#native.delete(nativeKey(key))
  }

  touch(key, ttl) {
    const ms = ttlOf(ttl)
    return ms === -1 ? this.#native.delete(nativeKey(key)) : this.#native.touch(nativeKey(key), ms)
  }

  incr(key, delta = 1, options = {}) {
    checkNames(options, ['initial', 'ttl'], false)
    const ttl = ttlOf(options.ttl)
    if (ttl === -1) throw wrongType('incr: expected a ttl above 0')
    const by = integerOf(delta, 'delta')
    const sum = this.#native.incr(nativeKey(key), by, integerOf(options.initial ?? 0, 'initial'), ttl)
    const number = Number(sum)
    return Number.isSafeInteger(number) ? number : sum
  }

  decr(key, delta = 1, options = {}) {
    return this.incr(key, -integerOf(delta, 'delta'), options)
  }

  getMany(keys) {
    const list = listOf(keys, 'getMany')
    const lengths = new Float64Array(list.length)
    const block = this.#native.getMany(list, lengths)
    const values = new Array(list.length)
    let at = 0
    for (let i = 0; i < list.length; i++) {
      values[i] = lengths[i] < 0 ? undefined : decodeValue(block, at, (at += lengths[i]))
    }
    forget(block)
    return values
  }

  setMany(entries, options) {
    const { ttl, tags } = callOptions(options)
    const { keys, block, lengths } = this.#encodeMany(pairsOf(entries))
    if (ttl === -1 || (ttl === 0 && this.#keepsNothing)) this.#native.deleteMany(keys)
    else this.#native.setMany(keys, block, lengths, ttl, tags)
    return this
  }

  #encodeMany(pairs) {
    const lengths = new Float64Array(pairs.length)
    const keys = pairs.map(([key]) => nativeKey(key))
    const write = this.#write
    const written = encode((w) => {
      for (let i = 0; i < pairs.length; i++) {
        const start = w.at
        write(w, pairs[i][1])
        lengths[i] = w.at - start
      }
    })
    return { keys, lengths, block: bytesOfWritten(written) }
  }

  deleteMany(keys) {
    return this.#native.deleteMany(listOf(keys, 'deleteMany'))
  }

  deletePrefix(prefix) {
    return this.#native.deletePrefix(nativeKey(prefix))
  }

  clear() {
    this.#native.clear()
  }

  evict(tag) {
    return this.#native.evict(tagOf(tag))
  }

  expire() {
    return this.#native.expire()
  }

  *#walk(prefix) {
    const walk = this.#native.scan(prefix === undefined ? '' : nativeKey(prefix))
    for (;;) {
      const batch = walk.next()
      if (batch.length === 0) return
      yield* batch
    }
  }

  *keys(prefix) {
    for (const key of this.#walk(prefix)) yield givenKey(key)
  }

  *entries(prefix) {
    for (const key of this.#walk(prefix)) {
      const value = this.lookup(key)
      if (value !== MISS) yield [givenKey(key), value]
    }
  }

  *values(prefix) {
    for (const [, value] of this.entries(prefix)) yield value
  }

  [Symbol.iterator]() {
    return this.entries()
  }

  get size() {
    return this.#native.len()
  }

  stats() {
    const figures = new Float64Array(STATS.length)
    this.#native.stats(figures)
    const stats = Object.fromEntries(STATS.map((name, i) => [name, figures[i]]))
    const gets = stats.hits + stats.misses
    stats.hitRatio = gets === 0 ? 0 : stats.hits / gets
    return stats
  }

  info() {
    return JSON.parse(this.#native.info())
  }

  check(options = {}) {
    checkNames(options, ['repair'], false)
    return JSON.parse(this.#native.check(options.repair === true))
  }

  export(path) {
    return this.#native.export(pathOf('export', path))
  }

  import(path) {
    return this.#native.import(pathOf('import', path))
  }

  flush() {
    this.#native.flush()
  }

  close() {
    this.#native.close()
  }

  // --- the async twins: on libuv's pool --------------------------------------

  #async(op, keys, block, lengths, ttl, add, tags) {
    const promise = this.#native.async(op, keys, block, lengths, ttl, add, tags)
    const pending = this.#pending
    pending.add(promise)
    const settled = () => pending.delete(promise)
    promise.then(settled, settled)
    return promise
  }

  async getAsync(key) {
    const found = await this.#async(OP.get, [nativeKey(key)])
    return found === undefined ? undefined : this.#decodeLarge(found)
  }

  async lookupAsync(key, miss = MISS) {
    const found = await this.#async(OP.get, [nativeKey(key)])
    return found === undefined ? miss : this.#decodeLarge(found)
  }

  async getBufferAsync(key) {
    const found = await this.#async(OP.get, [nativeKey(key)])
    if (found !== undefined && found[0] !== 0) throw unreadable(found[0])
    return found?.subarray(1)
  }

  async setAsync(key, value, options) {
    await this.#putAsync(key, this.#write, value, options, false)
    return this
  }

  async setBufferAsync(key, value, options) {
    await this.#putAsync(key, writeBinary, value, options, false)
    return this
  }

  async addAsync(key, value, options) {
    return this.#putAsync(key, this.#write, value, options, true)
  }

  async #putAsync(key, write, value, options, add) {
    const { ttl, tags } = callOptions(options)
    const keys = [nativeKey(key)]
    if (ttl === -1 || (ttl === 0 && this.#keepsNothing)) {
      if (add) return !(await this.#async(OP.has, keys))
      await this.#async(OP.delete, keys)
      return true
    }
    const block = bytesOfWritten(encode(write, value))
    return this.#async(OP.set, keys, block, Float64Array.of(block.length), ttl, add, tags)
  }

  async hasAsync(key) {
    return this.#async(OP.has, [nativeKey(key)])
  }

  async deleteAsync(key) {
    return this.#async(OP.delete, [nativeKey(key)])
  }

  async getManyAsync(keys) {
    const found = await this.#async(OP.getMany, listOf(keys, 'getManyAsync'))
    return found.map((bytes) => (bytes === undefined ? undefined : this.#decodeLarge(bytes)))
  }

  async setManyAsync(entries, options) {
    const { ttl, tags } = callOptions(options)
    const { keys, block, lengths } = this.#encodeMany(pairsOf(entries))
    if (ttl === -1 || (ttl === 0 && this.#keepsNothing)) await this.#async(OP.deleteMany, keys)
    else await this.#async(OP.setMany, keys, block, lengths, ttl, false, tags)
    return this
  }

  async deleteManyAsync(keys) {
    return this.#async(OP.deleteMany, listOf(keys, 'deleteManyAsync'))
  }

  async deletePrefixAsync(prefix) {
    return this.#async(OP.deletePrefix, [nativeKey(prefix)])
  }

  async clearAsync() {
    await this.#async(OP.clear, NO_KEYS)
  }

  async flushAsync() {
    await this.#async(OP.flush, NO_KEYS)
  }

  /** Waits for what is under way without blocking, then closes. */
  async closeAsync() {
    await Promise.allSettled(this.#pending)
    this.close()
  }
}

// Node 20.0 to 20.4 and other hosts may lack the symbols of `using`.
const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose')
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')
Object.defineProperty(Cache.prototype, dispose, { value: Cache.prototype.close, writable: true, configurable: true })
Object.defineProperty(Cache.prototype, asyncDispose, { value: Cache.prototype.closeAsync, writable: true, configurable: true })

module.exports = { Cache, MISS, TwatCacheError }
