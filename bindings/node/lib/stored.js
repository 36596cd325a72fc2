'use strict'
// memoize over a store of bytes that other processes and languages share.

const { encodeArgument } = require('./objects.js')
const { Cache, MISS, DISABLED } = require('./cache.js')
const { Failures } = require('./failures.js')
const { answerOf } = require('./live.js')
const { promiseOf } = require('./promises.js')
const { taggerOf } = require('./tags.js')
const { encodeToBuffer } = require('./writer.js')
const { strictly } = require('./encode.js')
const { KEY_VERSION } = require('./keys.js')
const { wasPromised } = require('./decode.js')
const { brand } = require('./brand.js')
const { types } = require('./kinds.js')
const { native, flags } = require('./binding.js')
const { bad } = require('./options.js')
const { channels: { channel } } = require('./builtin.js')

const misses = channel('twat-cache:miss')

/** The result of a plain function that gave a promise of it: a hit must be a promise as well. */
class Promised {
  constructor(value) {
    this.value = value
  }
}
brand(Promised, 'Promised')

/** The namespace that bears a function's name; long names end in a digest. */
function namespaceOf(name) {
  const bytes = Buffer.from(name)
  if (bytes.length <= 200) return name
  let end = 135
  while ((bytes[end] & 0xc0) === 0x80) end--
  const digest = Buffer.alloc(32)
  native.hash(bytes, digest)
  return `${bytes.toString('utf8', 0, end)}~${digest.toString('hex')}`
}

const IN_MEMORY = ['sizeOf', 'clock', 'onEvict']

function openStore(fn, options) {
  for (const name of IN_MEMORY) {
    if (options[name] !== undefined) throw bad(`${name}: is for objects in memory, got a store of bytes`)
  }
  const { name } = options
  const core = Object.assign(Object.create(null), options)
  for (const own of ['key', 'cacheIf', 'async', 'name', 'tags', 'onError', ...IN_MEMORY]) delete core[own]
  const shared = core.policy !== 'tinylfu'
  if (shared && name === undefined) {
    throw bad(`name: a store that others share needs the function's name, since ${fn.name || 'this one'} is not unique`)
  }
  if (shared && core.namespace === undefined) core.namespace = namespaceOf(name)
  return new Cache({ ...core })
}

/** The canonical key of a call (docs/format.md). */
function callKey(name, args) {
  let n = args.length
  while (n > 0 && args[n - 1] === undefined) n--
  return encodeToBuffer((w) => {
    w.array(4)
    w.integer(KEY_VERSION)
    w.string(name)
    w.array(n)
    for (let i = 0; i < n; i++) encodeArgument(w, args[i], i, name)
    w.map(0)
  })
}

/** The store of a memoized function: what fails costs the entry, never the call. */
class Keeper {
  #cacheIf
  #tagger
  constructor(cache, options, failures) {
    this.cache = cache
    this.failures = failures
    this.#cacheIf = options.cacheIf
    this.#tagger = taggerOf(options.tags)
  }

  /** A closed cache is the caller's mistake; any other failure to read is a miss. */
  #missed(error) {
    if (error?.code === 'TWAT_E_CLOSED') throw error
    this.failures.report(error, 'get')
    return MISS
  }

  read(bytes) {
    try {
      return this.cache.lookup(bytes)
    } catch (error) {
      return this.#missed(error)
    }
  }

  async readAsync(bytes) {
    if (!this.cache.mayBlock) return this.read(bytes)
    return this.cache.lookupAsync(bytes).catch((error) => this.#missed(error))
  }

  /** The options of `set`; undefined where the result is not kept. */
  #plan(value, self, args) {
    let operation = 'cacheIf'
    try {
      if (this.#cacheIf !== undefined && !answerOf(this.#cacheIf(value))) return undefined
      operation = 'tags'
      return { tags: this.#tagger?.(self, args) }
    } catch (error) {
      this.failures.report(error, operation)
      return undefined
    }
  }

  keep(bytes, value, self, args) {
    const plan = this.#plan(value, self, args)
    if (plan === undefined) return
    try {
      strictly(() => this.cache.set(bytes, value, plan.tags && plan))
    } catch (error) {
      this.failures.report(error, 'set')
    }
  }

  async keepAsync(bytes, value, self, args, stored = value) {
    const plan = this.#plan(value, self, args)
    if (plan === undefined) return
    try {
      if (this.cache.mayBlock) await strictly(() => this.cache.setAsync(bytes, stored, plan.tags && plan))
      else strictly(() => this.cache.set(bytes, stored, plan.tags && plan))
    } catch (error) {
      this.failures.report(error, 'set')
    }
  }
}

function overBytes(fn, options) {
  const cache = openStore(fn, options)
  const name = options.name ?? (fn.name || 'anonymous')
  const failures = new Failures(name, options.onError)
  const keeper = new Keeper(cache, options, failures)
  const { key } = options
  const isAsync = options.async ?? types.isAsyncFunction(fn)
  const flights = new Map()
  // Counts clear() and invalidateTag(): what began before is not kept.
  let era = 0
  const keyOf = key ? (self, args) => callKey(name, [key.apply(self, args)]) : (self, args) => callKey(name, args)

  function compute(self, args) {
    if (misses.hasSubscribers) misses.publish({ name, args })
    return fn.apply(self, args)
  }

  async function fly(self, args, bytes) {
    const found = await keeper.readAsync(bytes)
    if (found !== MISS) return found
    const began = era
    const value = await compute(self, args)
    if (began === era) await keeper.keepAsync(bytes, value, self, args)
    return value
  }

  /** Concurrent callers share one flight. */
  function join(flight, start) {
    const under = flights.get(flight)
    if (under !== undefined) return under
    const promise = start().finally(() => {
      if (flights.get(flight) === promise) flights.delete(flight)
    })
    flights.set(flight, promise)
    return promise
  }

  function callAsync(self, args) {
    try {
      const bytes = keyOf(self, args)
      return join(bytes.latin1Slice(), () => fly(self, args, bytes))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  function callSync(self, args) {
    const bytes = keyOf(self, args)
    const under = flights.size > 0 ? flights.get(bytes.latin1Slice()) : undefined
    if (under !== undefined) return under
    const found = keeper.read(bytes)
    if (found !== MISS) return wasPromised() ? Promise.resolve(found) : found
    const result = compute(self, args)
    const promise = promiseOf(result)
    if (promise === undefined) {
      keeper.keep(bytes, result, self, args)
      return result
    }
    const began = era
    return join(bytes.latin1Slice(), async () => {
      const value = await promise
      if (began === era) await keeper.keepAsync(bytes, value, self, args, new Promised(value))
      return value
    })
  }

  const call = isAsync ? callAsync : callSync
  const memoized = function (...args) {
    return flags[DISABLED] === 1 ? fn.apply(this, args) : call(this, args)
  }
  const forget = () => {
    era++
    flights.clear()
  }
  const invalidate = (...args) => cache.delete(keyOf(undefined, args))
  const invalidateTag = (tag) => {
    forget()
    return cache.invalidateTag(tag)
  }
  return Object.assign(memoized, {
    cache,
    clear() {
      forget()
      cache.clear()
    },
    stats: () => ({ ...cache.stats(), failures: failures.count }),
    has: (...args) => cache.has(keyOf(undefined, args)),
    peek: (...args) => cache.get(keyOf(undefined, args)),
    invalidate,
    delete: invalidate,
    invalidateTag,
    evict: invalidateTag,
  })
}

module.exports = { overBytes, callKey, namespaceOf }
