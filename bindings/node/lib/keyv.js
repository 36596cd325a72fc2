'use strict'
// A Keyv storage adapter (the contract of Keyv 5; Keyv 6 bridges it).

const { EventEmitter } = require('node:events')
const { Cache } = require('./cache.js')

const SEPARATOR = '::'

class KeyvTwat extends EventEmitter {
  #cache
  #async

  /** Options of a Cache, or a Cache of your own (which disconnect() closes as well). */
  constructor(options = {}) {
    super()
    this.#cache = options instanceof Cache ? options : new Cache(options)
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
    return this.namespace ? `${this.namespace}${SEPARATOR}${key}` : key
  }

  async get(key) {
    return this.#async ? this.#cache.getAsync(this.#key(key)) : this.#cache.get(this.#key(key))
  }

  async getMany(keys) {
    const all = keys.map((key) => this.#key(key))
    return this.#async ? this.#cache.getManyAsync(all) : this.#cache.getMany(all)
  }

  async set(key, value, ttl) {
    const options = ttl === undefined || ttl === null ? undefined : { ttl }
    if (this.#async) await this.#cache.setAsync(this.#key(key), value, options)
    else this.#cache.set(this.#key(key), value, options)
    return true
  }

  async setMany(entries) {
    const byTtl = grouped(entries)
    for (const [ttl, group] of byTtl) {
      const pairs = group.map(({ key, value }) => [this.#key(key), value])
      const options = ttl === undefined || ttl === null ? undefined : { ttl }
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
    const prefix = this.namespace && `${this.namespace}${SEPARATOR}`
    if (this.#async) await (prefix ? this.#cache.deletePrefixAsync(prefix) : this.#cache.clearAsync())
    else if (prefix) this.#cache.deletePrefix(prefix)
    else this.#cache.clear()
  }

  async *iterator(namespace = this.namespace) {
    const prefix = namespace ? `${namespace}${SEPARATOR}` : ''
    for (const [key, value] of this.#cache.entries(prefix)) yield [key.slice(prefix.length), value]
  }

  async disconnect() {
    await this.#cache.closeAsync()
  }
}

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
