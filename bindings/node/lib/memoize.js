'use strict'
// memoize: over live objects, or over a store of bytes that others share.

const { ObjectStore, encodeArgument, isObject, LOG, LOGGED } = require('./objects.js')
const { Cache, MISS } = require('./cache.js')
const { encodeToBuffer } = require('./writer.js')
const { KEY_VERSION } = require('./encode.js')
const { native } = require('./binding.js')
const { checkNames, bad, coreNames } = require('./options.js')
const { TwatCacheError, wrongType, describe } = require('./errors.js')

const OWN = ['engine', 'tiers', 'encoding', 'key', 'sizeOf', 'cacheIf', 'name', 'async']
const IN_MEMORY = ['maxEntries', 'max', 'maxBytes', 'policy', 'seed', 'ttl', 'ttlMs']
const AsyncFunction = (async () => {}).constructor

/** What a memoizer survives when it reads: the function is run instead. */
const READ_FAILURES = new Set(['TWAT_E_CORRUPT', 'TWAT_E_UNAVAILABLE', 'TWAT_E_IO', 'TWAT_E_BUSY', 'TWAT_E_UNSUPPORTED',
  'TWAT_E_VERSION', 'TWAT_E_NOMEM', 'TWAT_E_TOO_LARGE'])
/** And when it writes: the result is returned all the same. */
const WRITE_FAILURES = new Set(['TWAT_E_TOO_LARGE', 'TWAT_E_FULL', 'TWAT_E_IO', 'TWAT_E_BUSY', 'TWAT_E_UNAVAILABLE',
  'TWAT_E_NOMEM', 'TWAT_E_CORRUPT', 'TWAT_E_VERSION'])

const isPromise = (value) => isObject(value) && typeof value.then === 'function'

function checkFunctions(options) {
  for (const name of ['key', 'sizeOf', 'cacheIf']) {
    const given = options[name]
    if (given !== undefined && typeof given !== 'function') {
      throw bad(`${name}: expected a function, found: ${describe(given)}`)
    }
  }
  if (options.name !== undefined && typeof options.name !== 'string') {
    throw bad(`name: expected text, found: ${describe(options.name)}`)
  }
}

function keepsObjects({ engine, path, url, tiers, policy }) {
  if (tiers !== undefined || policy === 'tinylfu') return false
  if (engine === undefined || engine === 'auto') return path === undefined && url === undefined
  return engine === 'memory'
}

function memoize(fn, options = {}) {
  if (typeof fn !== 'function') throw wrongType(`memoize: expected a function, found ${describe(fn)}`)
  checkNames(options, OWN, true)
  checkFunctions(options)
  const memoized = keepsObjects(options) ? overObjects(fn, options) : overBytes(fn, options)
  Object.defineProperty(memoized, 'name', { value: fn.name, configurable: true })
  Object.defineProperty(memoized, 'length', { value: fn.length, configurable: true })
  return memoized
}

// --- live objects ------------------------------------------------------------

function coreOptions(options, allowed) {
  const core = {}
  for (const [name, value] of Object.entries(options)) {
    if (!coreNames.includes(name) && name !== 'engine' && name !== 'tiers') continue
    if (allowed && name !== 'engine' && !allowed.includes(name) && value !== undefined) {
      throw bad(`${name}: is for stores of bytes; objects in memory take ${allowed.join(' ')}`)
    }
    core[name] = value
  }
  return core
}

/** What memoize(fn) gives as fn.cache over live objects. */
class ObjectCache {
  #store
  constructor(store) {
    this.#store = store
  }

  get size() {
    return this.#store.live()
  }

  stats() {
    return this.#store.stats()
  }

  clear() {
    this.#store.clear()
  }

  close() {
    this.#store.clear()
  }
}

function overObjects(fn, options) {
  const store = new ObjectStore({ core: coreOptions(options, IN_MEMORY), sizeOf: options.sizeOf })
  if (store.keepsNothing) return withMembers(alwaysRuns(fn, store), store, () => undefined)
  const { key, cacheIf } = options
  const name = options.name ?? (fn.name || 'the function')
  const { one, two } = store
  const placeOf = key
    ? (self, args) => store.place([key.apply(self, args)], name)
    : (self, args) => store.place(args, name)

  function settle(entry, value) {
    if (!store.holds(entry)) return
    let kept = false
    try {
      kept = (cacheIf === undefined || cacheIf(value)) && store.admit(entry, value)
    } finally {
      if (!kept) store.drop(entry)
    }
  }

  function keepPromise(place, promise) {
    const entry = store.put(place, promise)
    // What has a then of its own kind may give nothing that can be caught.
    Promise.resolve(promise).then(
      (value) => settle(entry, value),
      () => { if (store.holds(entry)) store.drop(entry) },
    ).catch(() => { /* cacheIf or sizeOf threw: the entry is gone, the caller has the result */ })
    return promise
  }

  function miss(self, args) {
    const place = placeOf(self, args)
    const found = store.at(place)
    if (found !== undefined) {
      store.touched(found)
      return found.value
    }
    store.misses++
    const value = fn.apply(self, args)
    if (isPromise(value)) return keepPromise(place, value)
    if (cacheIf !== undefined && !cacheIf(value)) return value
    settleNow(store, place, value)
    return value
  }

  const memoized = key ? function (...args) { return miss(this, args) } : fastPath(store, one, two, miss)
  return withMembers(memoized, store, (args) => store.at(placeOf(undefined, args)))
}

/** `ttl: 0`. */
function alwaysRuns(fn, store) {
  return function (...args) {
    store.misses++
    return fn.apply(this, args)
  }
}

function settleNow(store, place, value) {
  const entry = store.put(place, value)
  let kept = false
  try {
    kept = store.admit(entry, value)
  } finally {
    if (!kept) store.drop(entry)
  }
}

/** One or two plain arguments are looked up as they are. Needs and ttl are fixed, so their tests cost nothing. */
function fastPath(store, one, two, miss) {
  const { log, needs, clock } = store
  const logs = needs === LOGGED
  const timed = store.ttl !== Infinity
  return function memoized(a, b) {
    let entry
    if (arguments.length === 1) {
      entry = one.get(a)
    } else if (arguments.length === 2) {
      entry = two.get(a, b)
    }
    if (entry === undefined || (timed && entry.expires <= clock())) return miss(this, arguments)
    if (logs) {
      log[store.logged++] = entry.slot
      if (store.logged === LOG) store.handOver()
    } else {
      store.touched(entry)
    }
    return entry.value
  }
}

function withMembers(memoized, store, find) {
  memoized.cache = new ObjectCache(store)
  memoized.clear = () => store.clear()
  memoized.stats = () => store.stats()
  memoized.has = (...args) => find(args) !== undefined
  memoized.delete = (...args) => {
    const entry = find(args)
    if (entry === undefined) return false
    store.drop(entry)
    store.deletes++
    return true
  }
  return memoized
}

// --- stores of bytes -----------------------------------------------------------

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

function openStore(fn, options) {
  const { key, cacheIf, sizeOf, async, name, ...rest } = options
  if (sizeOf !== undefined) throw bad('sizeOf: is for objects in memory; a store of bytes counts bytes')
  const shared = rest.policy !== 'tinylfu'
  if (shared && name === undefined) {
    throw bad(`name: a store that others share needs the function's name, since ${fn.name || 'this one'} is not unique`)
  }
  if (shared && rest.namespace === undefined) rest.namespace = namespaceOf(name)
  return new Cache(rest)
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

function tolerate(failures, error, fallback) {
  if (error instanceof TwatCacheError && failures.has(error.code)) return fallback
  throw error
}

function overBytes(fn, options) {
  const cache = openStore(fn, options)
  const name = options.name ?? (fn.name || 'anonymous')
  const { key, cacheIf } = options
  const isAsync = options.async ?? fn instanceof AsyncFunction
  const flights = new Map()
  // Counts clear(): what began before it is not kept.
  let era = 0
  const keyOf = key ? (self, args) => callKey(name, [key.apply(self, args)]) : (self, args) => callKey(name, args)

  function read(bytes) {
    try {
      return cache.lookup(bytes)
    } catch (error) {
      return tolerate(READ_FAILURES, error, MISS)
    }
  }

  function keep(bytes, value) {
    if (cacheIf !== undefined && !cacheIf(value)) return
    try {
      cache.set(bytes, value)
    } catch (error) {
      tolerate(WRITE_FAILURES, error)
    }
  }

  async function keepAsync(bytes, value) {
    if (!cache.mayBlock) return keep(bytes, value)
    if (cacheIf !== undefined && !cacheIf(value)) return
    await cache.setAsync(bytes, value).catch((error) => tolerate(WRITE_FAILURES, error))
  }

  const readAsync = (bytes) => (cache.mayBlock
    ? cache.lookupAsync(bytes).catch((error) => tolerate(READ_FAILURES, error, MISS))
    : read(bytes))

  async function fly(self, args, bytes) {
    const found = await readAsync(bytes)
    if (found !== MISS) return found
    const began = era
    const value = await fn.apply(self, args)
    if (began === era) await keepAsync(bytes, value)
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
    const found = read(bytes)
    if (found !== MISS) return found
    const value = fn.apply(self, args)
    if (!isPromise(value)) {
      keep(bytes, value)
      return value
    }
    const began = era
    return join(bytes.latin1Slice(), async () => {
      const settled = await value
      if (began === era) await keepAsync(bytes, settled)
      return settled
    })
  }

  const memoized = isAsync
    ? function (...args) { return callAsync(this, args) }
    : function (...args) { return callSync(this, args) }
  memoized.cache = cache
  memoized.clear = () => {
    era++
    flights.clear()
    cache.clear()
  }
  memoized.stats = () => cache.stats()
  memoized.has = (...args) => cache.has(keyOf(undefined, args))
  memoized.delete = (...args) => cache.delete(keyOf(undefined, args))
  return memoized
}

// --- the decorator ---------------------------------------------------------------

/**
 * `@cached` or `@cached(options)` on a method. Each instance has a cache of its
 * own that goes with it; over a store of bytes all share one, and `key`
 * (called with `this`) must tell them apart.
 */
function cached(first, context) {
  if (typeof first === 'function' && context !== undefined) return decorate(first, context, {})
  return (method, where) => decorate(method, where, first ?? {})
}

function decorate(method, context, options) {
  if (context?.kind !== 'method') {
    throw wrongType(`@cached: expected a method, found: ${context?.kind ?? 'a call that is no decoration'}`)
  }
  if (!keepsObjects(options)) {
    if (options.key === undefined && !context.static) {
      throw bad('@cached over a store of bytes: give key, which is called with the instance as this')
    }
    return memoize(method, options)
  }
  memoize(method, options) // a wrong option is told at decoration time
  const caches = new WeakMap()
  return {
    [method.name](...args) {
      let own = caches.get(this)
      if (own === undefined) caches.set(this, (own = memoize(method.bind(this), options)))
      return own.apply(this, args)
    },
  }[method.name]
}

module.exports = { memoize, cached, callKey, namespaceOf }
