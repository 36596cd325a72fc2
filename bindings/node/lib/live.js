'use strict'
// memoize over live objects, in memory: a hit gives the very object.

const { ObjectStore, LOG, LOGGED } = require('./objects.js')
const { Failures } = require('./failures.js')
const { promiseOf, follow, isReadOnce } = require('./promises.js')
const { taggerOf } = require('./tags.js')
const { coreNames, bad } = require('./options.js')
const { tagOf } = require('./calls.js')
const { channels: { channel }, util: { inspect } } = require('./builtin.js')
const { flags } = require('./binding.js')
const { DISABLED } = require('./cache.js')
const { wrongType, describe } = require('./errors.js')

const IN_MEMORY = ['maxEntries', 'max', 'maxBytes', 'policy', 'seed', 'ttl', 'ttlMs']
const misses = channel('twat-cache:miss')
const evictions = channel('twat-cache:evict')

function coreOptions(options) {
  const core = Object.create(null)
  for (const [name, value] of Object.entries(options)) {
    if (!coreNames.includes(name) && name !== 'engine') continue
    if (name !== 'engine' && !IN_MEMORY.includes(name) && value !== undefined) {
      throw bad(`${name}: is for stores of bytes; objects in memory take ${IN_MEMORY.join(' ')}`)
    }
    core[name] = value
  }
  return core
}

/** What memoize(fn) gives as fn.cache over live objects. */
class ObjectCache {
  #store
  #failures
  constructor(store, failures) {
    this.#store = store
    this.#failures = failures
  }

  get size() {
    return this.#store.live()
  }

  stats() {
    return { ...this.#store.stats(), failures: this.#failures.count }
  }

  invalidateTag(tag) {
    return dropTag(this.#store, tag)
  }

  evict(tag) {
    return this.invalidateTag(tag)
  }

  clear() {
    this.#store.clear()
  }

  close() {
    this.#store.clear()
  }

  [inspect.custom](depth, options) {
    const { entries, hits, misses: missed, maxEntries } = this.stats()
    return `ObjectCache ${inspect({ entries, hits, misses: missed, ...(maxEntries > 0 && { maxEntries }) }, options)}`
  }
}

function dropTag(store, tag) {
  const entries = store.tags.of(tagOf(tag))
  for (const entry of entries) store.drop(entry)
  return entries.length > 0
}

/** The hook for entries that leave; undefined where nobody listens. */
function evictedOf(name, onEvict, failures) {
  if (onEvict === undefined && !evictions.hasSubscribers) return undefined
  return (entries, reason) => {
    for (const { value, args } of entries) {
      if (evictions.hasSubscribers) evictions.publish({ name, value, args, reason })
      if (onEvict === undefined) continue
      try {
        onEvict(value, { args, reason })
      } catch (error) {
        failures.report(error, 'onEvict')
      }
    }
  }
}

function overObjects(fn, options) {
  const { key, cacheIf, sizeOf, clock, onEvict, onError } = options
  const name = options.name ?? (fn.name || 'the function')
  const failures = new Failures(name, onError)
  const tagger = taggerOf(options.tags)
  const evicted = evictedOf(name, onEvict, failures)
  const store = new ObjectStore({ core: coreOptions(options), sizeOf, clock, evicted })
  const placeOf = key
    ? (self, args) => store.place([key.apply(self, args)], 'the result of key')
    : (self, args) => store.place(args, name)

  /** Whether a result is kept; what a hook throws costs the entry, never the result. */
  function admits(entry, value) {
    let operation = 'cacheIf'
    try {
      if (cacheIf !== undefined && !answerOf(cacheIf(value))) return false
      operation = 'set'
      if (isReadOnce(value)) throw wrongType(`expected a result that can be read again, got ${describe(value)}`)
      operation = 'sizeOf'
      return store.holds(entry) && store.admit(entry, value)
    } catch (error) {
      failures.report(error, operation)
      return false
    }
  }

  function settle(entry, value) {
    if (store.holds(entry) && !admits(entry, value) && store.holds(entry)) store.drop(entry)
  }

  /** The entry of a call; false where its tags are not known, so that it could not be invalidated. */
  function enter(place, value, self, args) {
    let tags
    try {
      tags = tagger?.(self, args)
    } catch (error) {
      failures.report(error, 'tags')
      return undefined
    }
    const entry = store.put(place, value)
    if (tags !== undefined) store.tags.add(entry, tags)
    if (evicted !== undefined) store.args.set(entry, Array.from(args))
    return entry
  }

  function keepPromise(place, promise, self, args) {
    const followed = follow(promise,
      (value) => { if (kept.entry !== undefined) settle(kept.entry, value) },
      () => { if (kept.entry !== undefined && store.holds(kept.entry)) store.drop(kept.entry) })
    const kept = { entry: enter(place, followed, self, args) }
    return followed
  }

  function miss(self, args) {
    const place = placeOf(self, args)
    const found = store.at(place)
    if (found !== undefined) {
      store.touched(found)
      return found.value
    }
    store.misses++
    if (misses.hasSubscribers) misses.publish({ name, args: Array.from(args) })
    const result = fn.apply(self, args)
    const promise = promiseOf(result)
    if (promise !== undefined) return keepPromise(place, promise, self, args)
    const entry = enter(place, result, self, args)
    if (entry !== undefined) settle(entry, result)
    return result
  }

  const memoized = key ? slowPath(fn, miss) : fastPath(fn, store, miss)
  return withMembers(memoized, store, failures, (args) => store.at(placeOf(undefined, args)))
}

/** The answer of cacheIf: a promise would always be true. */
function answerOf(answer) {
  if (promiseOf(answer) === undefined) return answer
  throw wrongType('cacheIf: expected true or false, got a promise')
}

function slowPath(fn, miss) {
  return function memoized(...args) {
    return flags[DISABLED] === 1 ? fn.apply(this, args) : miss(this, args)
  }
}

/** One or two plain arguments are looked up as they are. Needs and ttl are fixed, so their tests cost nothing. */
function fastPath(fn, store, miss) {
  const { log, needs, clock, one, two } = store
  const logs = needs === LOGGED
  const timed = store.ttl !== Infinity
  return function memoized(a, b) {
    if (flags[DISABLED] === 1) return fn.apply(this, arguments)
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

function withMembers(memoized, store, failures, find) {
  const invalidate = (...args) => {
    const entry = find(args)
    if (entry === undefined) return false
    store.drop(entry)
    store.deletes++
    return true
  }
  const cache = new ObjectCache(store, failures)
  return Object.assign(memoized, {
    cache,
    clear: () => store.clear(),
    stats: () => cache.stats(),
    has: (...args) => find(args) !== undefined,
    peek: (...args) => find(args)?.value,
    invalidate,
    delete: invalidate,
    invalidateTag: (tag) => dropTag(store, tag),
    evict: (tag) => dropTag(store, tag),
  })
}

module.exports = { overObjects, answerOf }
