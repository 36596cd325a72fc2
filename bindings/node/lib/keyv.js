'use strict'
// A Keyv storage adapter (the contract of Keyv 5; Keyv 6 bridges it).

const { events: { EventEmitter } } = require('./builtin.js')
const { isBranded } = require('./brand.js')
const { Cache, MISS } = require('./cache.js')

const SEPARATOR = '::'

/** What the keys of a namespace begin with. A colon within it is escaped: `a::b` is no part of `a`. */
const prefixOf = (namespace) => `${String(namespace).replaceAll('%', '%25').replaceAll(':', '%3A')}${SEPARATOR}`

/** A key without a namespace that could be one of a namespace begins with the separator. */
function storedKey(namespace, key) {
  if (namespace) return prefixOf(namespace) + key
  return typeof key === 'string' && key.includes(SEPARATOR) ? SEPARATOR + key : key
}

/** The key that Keyv gave; undefined for a key of another namespace, or none of Keyv's. */
function givenKey(namespace, stored) {
  if (typeof stored !== 'string') return undefined
  if (namespace) return stored.slice(prefixOf(namespace).length)
  if (!stored.includes(SEPARATOR)) return stored
  return stored.startsWith(SEPARATOR) ? stored.slice(SEPARATOR.length) : undefined
}

class KeyvTwat extends EventEmitter {
  #cache
  #async

  /** Options of a Cache, or a Cache of your own (which disconnect() closes as well). */
  constructor(options = {}) {
    super()
    this.#cache = isBranded(options, 'Cache') ? options : new Cache(options)
    this.#async = this.#cache.mayBlock
    this.namespace = undefined
    // Keyv 5 iterates only over stores whose dialect or url it knows by name;
    // the semantics asked for are those of its redis store.
    this.opts = { dialect: 'redis', url: 'twat-cache' }
    // Keyv subscribes; without it an error event must not end the process.
    this.on('error', () => {})
  }

  get cache() {
    return this.#cache
  }

  #key(key) {
    return storedKey(this.namespace, key)
  }

  async get(key) {
    return this.#async ? this.#cache.getAsync(this.#key(key)) : this.#cache.get(this.#key(key))
  }

  async getMany(keys) {
    const all = keys.map((key) => this.#key(key))
    return this.#async ? this.#cache.getManyAsync(all) : this.#cache.getMany(all)
  }

  async set(key, value, ttl) {
    const options = ttlOptions(ttl)
    if (this.#async) await this.#cache.setAsync(this.#key(key), value, options)
    else this.#cache.set(this.#key(key), value, options)
    return true
  }

  async setMany(entries) {
    const byTtl = grouped(entries)
    for (const [ttl, group] of byTtl) {
      const pairs = group.map(({ key, value }) => [this.#key(key), value])
      const options = ttlOptions(ttl)
      if (this.#async) await this.#cache.setManyAsync(pairs, options)
      else this.#cache.setMany(pairs, options)
    }
    return entries.map(() => true)
  }

  async has(key) {
    return this.#async ? this.#cache.hasAsync(this.#key(key)) : this.#cache.has(this.#key(key))
  }

  async hasMany(keys) {
    return Promise.all(keys.map((key) => this.has(key)))
  }

  async delete(key) {
    return this.#async ? this.#cache.deleteAsync(this.#key(key)) : this.#cache.delete(this.#key(key))
  }

  /** Whether at least one was there. */
  async deleteMany(keys) {
    const all = keys.map((key) => this.#key(key))
    return (this.#async ? await this.#cache.deleteManyAsync(all) : this.#cache.deleteMany(all)) > 0
  }

  async clear() {
    const prefix = this.namespace && prefixOf(this.namespace)
    if (this.#async) await (prefix ? this.#cache.deletePrefixAsync(prefix) : this.#cache.clearAsync())
    else if (prefix) this.#cache.deletePrefix(prefix)
    else this.#cache.clear()
  }

  async *iterator(namespace = this.namespace) {
    for (const stored of this.#cache.keys(namespace ? prefixOf(namespace) : undefined)) {
      const key = givenKey(namespace, stored)
      if (key === undefined) continue
      const value = this.#async ? await this.#cache.lookupAsync(stored) : this.#cache.lookup(stored)
      if (value !== MISS) yield [key, value]
    }
  }

  async disconnect() {
    await this.#cache.closeAsync()
  }
}

/** Keyv's 0 is no time to live. */
const ttlOptions = (ttl) => (ttl === undefined || ttl === null || ttl === 0 ? undefined : { ttl })

/** Entries by their time to live (Map.groupBy came with Node 21). */
function grouped(entries) {
  const groups = new Map()
  for (const entry of entries) {
    if (!groups.has(entry.ttl)) groups.set(entry.ttl, [])
    groups.get(entry.ttl).push(entry)
  }
  return groups
}

module.exports = { KeyvTwat }
