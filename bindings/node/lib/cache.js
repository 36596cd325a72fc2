'use strict'
// A cache of bytes with values on top.

const { util: { inspect } } = require('./builtin.js')
const { native, result, flags } = require('./binding.js')
const { encode, writerOf, writeBinary, decodeValue, decodeBytes, givenKey, directKey, forget } = require('./values.js')
const { nativeKey, tagOf, callOptions, listOf, pairsOf, encodeMany, counterOf } = require('./calls.js')
const { checkNames, coreConfig, openWith, ttlOf, pathOf } = require('./options.js')
const { exact } = require('./decode.js')
const { NATIVE, WRITE, PENDING, twins } = require('./twins.js')
const { brand, brandInstances } = require('./brand.js')
const { wrongType, describe } = require('./errors.js')

const STATS = ['hits', 'misses', 'sets', 'deletes', 'evictions', 'expirations', 'rejected', 'corrupt', 'errors',
  'entries', 'bytes', 'maxEntries', 'maxBytes']
const MISS = Symbol('miss')
const DISABLED = 1

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

function decodeLarge(bytes) {
  try {
    return decodeValue(bytes, 0, bytes.length)
  } finally {
    forget(bytes)
  }
}

class Cache {
  #engine

  constructor(options = {}) {
    const given = checkNames(options, ['engine', 'tiers', 'encoding'], true)
    const { encoding = 'msgpack', ...core } = given
    this[WRITE] = writerOf(encoding)
    const config = coreConfig(core)
    this[NATIVE] = openWith(native.open, config, core)
    this[PENDING] = new Set()
    this.#engine = config.engine
    for (const name of [WRITE, NATIVE, PENDING]) Object.defineProperty(this, name, { enumerable: false })
  }

  /** Whether caching is switched off in this environment: reads miss, writes are dropped. */
  static get disabled() {
    return flags[DISABLED] === 1
  }

  static set disabled(value) {
    if (typeof value !== 'boolean') throw wrongType(`Cache.disabled: expected true or false, got ${describe(value)}`)
    flags[DISABLED] = value ? 1 : 0
  }

  /** Whether a call may wait for a network, so that the async twins are the better ones. */
  get mayBlock() {
    this.#engine ??= this.info().engine
    if (this.#engine === 'auto') this.#engine = this.info().engine
    return this.#engine === 'redis' || this.#engine === 'tiered'
  }

  get(key) {
    if (flags[DISABLED] === 1) return undefined
    const found = this[NATIVE].get(typeof key === 'string' ? key : directKey(key))
    if (typeof found === 'number') return decodeValue(result, 0, found)
    if (found === undefined) return undefined
    return decodeLarge(found)
  }

  /** The value, or `miss`: tells a stored undefined from none. */
  lookup(key, miss = MISS) {
    if (flags[DISABLED] === 1) return miss
    const found = this[NATIVE].get(nativeKey(key))
    if (typeof found === 'number') return decodeValue(result, 0, found)
    return found === undefined ? miss : decodeLarge(found)
  }

  getBuffer(key, options) {
    if (flags[DISABLED] === 1) return undefined
    const bytes = typeof key === 'string' ? key : directKey(key)
    const found = options?.copy === false ? this[NATIVE].view(bytes) : this[NATIVE].copy(bytes)
    if (typeof found === 'number') {
      return found > 0 && result[0] === 0 ? payloadCopy(found - 1) : decodeBytes(result, 0, found)
    }
    if (found === undefined) return undefined
    return found[0] === 0 ? found.subarray(1) : decodeBytes(found, 0, found.length)
  }

  set(key, value, options) {
    if (options === undefined && flags[DISABLED] === 0) {
      this[NATIVE].set(nativeKey(key), encode(this[WRITE], value), 0)
    } else {
      this.#put(key, this[WRITE], value, options, false)
    }
    return this
  }

  setBuffer(key, value, options) {
    this.#put(key, writeBinary, value, options, false)
    return this
  }

  add(key, value, options) {
    return this.#put(key, this[WRITE], value, options, true)
  }

  #put(key, write, value, options, add) {
    const { ttl, tags } = callOptions(options)
    const bytes = nativeKey(key)
    if (flags[DISABLED] === 1) return true
    const written = encode(write, value)
    if (add || tags.length > 0) return this[NATIVE].setWith(bytes, written, ttl, add, tags)
    this[NATIVE].set(bytes, written, ttl)
    return true
  }

  has(key) {
    return flags[DISABLED] === 0 && this[NATIVE].has(nativeKey(key))
  }

  delete(key) {
    return this[NATIVE].delete(nativeKey(key))
  }

  touch(key, ttl) {
    return this[NATIVE].touch(nativeKey(key), ttlOf(ttl))
  }

  incr(key, by = 1, options = undefined) {
    const { delta, initial, ttl } = counterOf(by, options)
    return exact(this[NATIVE].incr(nativeKey(key), delta, initial, ttl))
  }

  decr(key, by = 1, options = undefined) {
    const { delta, initial, ttl } = counterOf(by, options)
    return exact(this[NATIVE].incr(nativeKey(key), -delta, initial, ttl))
  }

  getMany(keys) {
    const list = listOf(keys, 'getMany')
    if (flags[DISABLED] === 1) return list.map(() => undefined)
    const lengths = new Float64Array(list.length)
    const block = this[NATIVE].getMany(list, lengths)
    const values = new Array(list.length)
    let at = 0
    try {
      for (let i = 0; i < list.length; i++) {
        values[i] = lengths[i] < 0 ? undefined : decodeValue(block, at, (at += lengths[i]))
      }
    } finally {
      forget(block)
    }
    return values
  }

  setMany(entries, options) {
    const { ttl, tags } = callOptions(options)
    const { keys, block, lengths } = encodeMany(this[WRITE], pairsOf(entries))
    if (flags[DISABLED] === 0) this[NATIVE].setMany(keys, block, lengths, ttl, tags)
    return this
  }

  deleteMany(keys) {
    return this[NATIVE].deleteMany(listOf(keys, 'deleteMany'))
  }

  deletePrefix(prefix) {
    return this[NATIVE].deletePrefix(nativeKey(prefix))
  }

  clear() {
    this[NATIVE].clear()
  }

  invalidateTag(tag) {
    return this[NATIVE].evict(tagOf(tag))
  }

  evict(tag) {
    return this.invalidateTag(tag)
  }

  expire() {
    return this[NATIVE].expire()
  }

  *#walk(prefix) {
    const walk = this[NATIVE].scan(prefix === undefined ? '' : nativeKey(prefix))
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
    return this[NATIVE].len()
  }

  stats() {
    const figures = new Float64Array(STATS.length)
    this[NATIVE].stats(figures)
    const stats = Object.fromEntries(STATS.map((name, i) => [name, figures[i]]))
    const gets = stats.hits + stats.misses
    stats.hitRatio = gets === 0 ? 0 : stats.hits / gets
    return stats
  }

  info() {
    return JSON.parse(this[NATIVE].info())
  }

  check(options = {}) {
    const { repair } = checkNames(options, ['repair'], false)
    return JSON.parse(this[NATIVE].check(repair === true))
  }

  export(path) {
    return this[NATIVE].export(pathOf('export', path))
  }

  import(path) {
    return this[NATIVE].import(pathOf('import', path))
  }

  flush() {
    this[NATIVE].flush()
  }

  close() {
    this[NATIVE].close()
  }

  /** What the cache is and holds; never throws, and reads no values. */
  [inspect.custom](depth, options) {
    let what
    try {
      const { engine, path, namespace, url } = this.info()
      const { entries, hits, misses } = this.stats()
      what = { engine, path, namespace, url, entries, hits, misses }
      for (const name of Object.keys(what)) if (what[name] === undefined || what[name] === '') delete what[name]
    } catch (error) {
      what = error.code === 'TWAT_E_CLOSED' ? { closed: true } : { error: error.message }
    }
    return `Cache ${inspect(what, options)}`
  }
}

brand(Cache, 'Cache')
brandInstances(Cache, 'Cache')
Object.defineProperties(Cache.prototype, Object.getOwnPropertyDescriptors(twins(decodeLarge, MISS)))

// Node 20.0 to 20.4 and other hosts may lack the symbols of `using`.
const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose')
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')
Object.defineProperty(Cache.prototype, dispose, { value: Cache.prototype.close, writable: true, configurable: true })
Object.defineProperty(Cache.prototype, asyncDispose, { value: Cache.prototype.closeAsync, writable: true, configurable: true })

module.exports = { Cache, MISS, DISABLED }
