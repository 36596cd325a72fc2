'use strict'
// Live objects in a Map; the core decides which leave. A hit does not cross
// into native code: it notes the index of its slot in a log, which is handed
// over with the next insertion, or when it is full.

const { native, now, tick } = require('./binding.js')
const { encodeToBuffer } = require('./writer.js')
const { encodeAny } = require('./encode.js')
const { encodeKey, exactly } = require('./keys.js')
const { isObject } = require('./promises.js')
const { TagIndex } = require('./tags.js')
const { PairMap } = require('./pairs.js')
const { coreConfig, openWith, bad } = require('./options.js')
const { wrongType, describe } = require('./errors.js')

const LOG = 4096
const MARK = 1
const LOGGED = 2
const PENDING = -1
/** Policies that look only at the last hit of an entry. */
const ORDERED = new Set([undefined, 'lru', 'mru'])

/** One remembered call: under `key` of `map`, or under two keys where `map` is null. */
class Entry {
  constructor(value, { map, key, outerKey }) {
    this.value = value
    this.expires = Infinity
    this.slot = PENDING
    this.key = key
    this.next = null
    this.table = null
    this.outerKey = outerKey
    this.map = map
  }
}

/** Entries that live at least so many milliseconds may end a clock tick (4 ms) late. */
const COARSE_TTL = 1000

/** A hash of a key in two halves, for policies that remember what has left. */
const hash = { high: 0, low: 0 }

function mix(text) {
  let { high, low } = hash
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    low = Math.imul(low ^ c, 0x85ebca6b)
    high = Math.imul(high ^ c ^ (low >>> 15), 0xc2b2ae35)
  }
  hash.high = high >>> 0
  hash.low = low >>> 0
}

const symbolNumbers = new WeakMap()
let lastSymbol = 0

function textOf(key) {
  if (typeof key !== 'symbol') return String(key)
  // A symbol of the global registry cannot be held weakly; its name will do.
  const name = Symbol.keyFor(key)
  if (name !== undefined) return name
  try {
    if (!symbolNumbers.has(key)) symbolNumbers.set(key, ++lastSymbol)
    return `#${symbolNumbers.get(key)}`
  } catch {
    return String(key)
  }
}

function fingerprint(entry) {
  hash.high = 0x9e3779b9
  hash.low = typeof entry.key === 'string' ? 0x2545f491 : 0x165667b1
  mix(textOf(entry.key))
  if (entry.map === null) mix(`\0${textOf(entry.outerKey)}`)
}

function defaultSize(value) {
  try {
    return encodeToBuffer((w) => encodeAny(w, value)).length
  } catch (error) {
    throw wrongType(`maxBytes: give sizeOf(value), since this one cannot be measured: ${error.message}`)
  }
}

class ObjectStore {
  /** `evicted(left, reason)` is called with value and arguments of entries that leave by a bound or by their time to live. */
  constructor({ core, sizeOf, clock, evicted }) {
    const config = coreConfig(core)
    const ttl = Number(config.ttl_ms ?? 0)
    this.ttl = ttl === 0 ? Infinity : ttl
    this.now = clock ?? now
    this.clock = clock ?? (this.ttl >= COARSE_TTL ? tick : now)
    delete config.ttl_ms
    delete config.engine
    if (config.policy === 'ttl') {
      if (this.ttl === Infinity) throw bad("policy 'ttl': needs a ttl")
      config.policy = 'lru'
    }
    this.sizeOf = sizeOf ?? defaultSize
    this.measures = config.max_bytes !== undefined && config.max_bytes !== '0'
    if (sizeOf !== undefined && !this.measures) throw bad('sizeOf: needs maxBytes, got none')
    const bounded = this.measures || (config.max_entries !== undefined && config.max_entries !== '0')
    // A policy is made in any case: it checks the options.
    const policy = openWith((json) => native.policy(json, ORDERED.has(config.policy)), config, core)
    this.policy = bounded ? policy : null
    this.needs = bounded ? policy.needs : 0
    this.evicted = evicted
    this.tags = new TagIndex()
    /** Arguments by entry, for the hook: an entry that bore them would be wider, and a hit slower. */
    this.args = new Map()
    this.log = new Int32Array(LOG)
    this.logged = 0
    this.marks = new Uint8Array(64)
    this.victims = new Int32Array(65)
    this.bySlot = []
    this.none = new Map()
    this.one = new Map()
    this.two = new PairMap()
    this.rest = new Map()
    this.count = 0
    this.hits = 0
    this.misses = 0
    this.sets = 0
    this.deletes = 0
    this.expirations = 0
  }

  /** Notes a hit, as the policy needs it. A hit in the log is counted when it is handed over. */
  touched(entry) {
    const { slot } = entry
    if (this.needs !== LOGGED) this.hits++
    if (this.needs === 0 || (slot < 0 && this.needs === MARK)) return
    if (this.needs === MARK) {
      if (this.marks[slot] === 1) return
      this.marks[slot] = 1
    }
    this.log[this.logged++] = slot
    if (this.logged === LOG) this.handOver()
  }

  handOver() {
    this.policy.hits(this.log, this.logged)
    this.forgetLog()
  }

  forgetLog() {
    if (this.needs === LOGGED) this.hits += this.logged
    else for (let i = 0; i < this.logged; i++) this.marks[this.log[i]] = 0
    this.logged = 0
  }

  /** Where a call's result is kept: a Map and its key, or two keys. */
  place(args, name) {
    let n = args.length
    while (n > 0 && args[n - 1] === undefined) n--
    if (n === 0) return { map: this.none, key: undefined, outerKey: undefined }
    const [a, b] = args
    if (n === 1 && !isObject(a)) return { map: this.one, key: a, outerKey: undefined }
    // NaN is not === itself.
    if (n === 2 && !isObject(a) && !isObject(b) && b === b) return { map: null, key: b, outerKey: a }
    return { map: this.rest, key: canonical(args, n, name), outerKey: undefined }
  }

  find({ map, key, outerKey }) {
    return map === null ? this.two.get(outerKey, key) : map.get(key)
  }

  /** The live entry at a place. */
  at(place) {
    const entry = this.find(place)
    if (entry === undefined || entry.expires === Infinity || entry.expires > this.clock()) return entry
    const args = this.args.get(entry)
    this.drop(entry)
    this.expirations++
    if (this.evicted !== undefined) this.evicted([{ value: entry.value, args }], 'expire')
    return undefined
  }

  put(place, value) {
    const old = this.find(place)
    if (old !== undefined) this.drop(old)
    const entry = new Entry(value, place)
    if (entry.map === null) this.two.add(entry)
    else entry.map.set(entry.key, entry)
    this.count++
    return entry
  }

  /** Gives an entry its time and its place in the order; false where it is not admitted. */
  admit(entry, value) {
    this.sets++
    if (this.ttl !== Infinity) entry.expires = this.now() + this.ttl
    if (this.policy === null) return true
    const cost = this.measures ? this.sizeOf(value) : 1
    if (typeof cost !== 'number' || !(cost >= 0) || cost === Infinity) {
      throw wrongType(`sizeOf: expected a number from 0, got ${describe(cost)}`)
    }
    // The user's sizeOf may have deleted or cleared.
    if (!this.holds(entry)) return false
    fingerprint(entry)
    const index = this.policy.insert(this.log, this.logged, hash.high, hash.low, cost, this.victims)
    this.forgetLog()
    const left = this.evictVictims()
    if (index >= 0) this.seat(entry, index)
    // The hook is the user's: it may call, delete or clear.
    if (left !== undefined && left.length > 0) this.evicted(left, 'evict')
    return index >= 0
  }

  seat(entry, index) {
    entry.slot = index
    this.bySlot[index] = entry
    if (this.needs === MARK && index >= this.marks.length) this.growMarks(index)
  }

  growMarks(index) {
    const grown = new Uint8Array(index * 2)
    grown.set(this.marks)
    this.marks = grown
  }

  /** The new entry's slot may be a victim's: this comes before it is used. */
  evictVictims() {
    const { victims } = this
    const left = this.evicted === undefined ? undefined : []
    for (;;) {
      const n = victims[0]
      for (let i = 1; i <= n; i++) {
        const entry = this.bySlot[victims[i]]
        this.bySlot[victims[i]] = undefined
        if (entry === undefined) continue
        if (left !== undefined) left.push({ value: entry.value, args: this.args.get(entry) })
        this.detach(entry)
      }
      if (n < victims.length - 1) return left
      this.policy.evicted(victims)
    }
  }

  detach(entry) {
    entry.slot = PENDING
    if (!this.holds(entry)) return
    if (entry.map === null) this.two.remove(entry)
    else entry.map.delete(entry.key)
    this.tags.remove(entry)
    if (this.args.size > 0) this.args.delete(entry)
    this.count--
  }

  /** Whether the entry is still the one that is remembered. */
  holds(entry) {
    return this.find(entry) === entry
  }

  drop(entry) {
    const { slot } = entry
    if (slot >= 0) {
      this.policy.remove(slot)
      this.bySlot[slot] = undefined
    }
    this.detach(entry)
  }

  /** How many entries are live. */
  live() {
    if (this.ttl === Infinity) return this.count
    const at = this.now()
    let n = 0
    for (const entries of [this.none.values(), this.one.values(), this.two.values(), this.rest.values()]) {
      for (const entry of entries) if (entry.expires > at) n++
    }
    return n
  }

  clear() {
    if (this.policy !== null) this.policy.clear()
    this.forgetLog()
    this.bySlot = []
    for (const map of [this.none, this.one, this.two, this.rest]) map.clear()
    this.tags.clear()
    this.args.clear()
    this.count = 0
  }

  stats() {
    const figures = new Float64Array(6)
    if (this.policy !== null) this.policy.stats(figures)
    const [evictions, rejected, , bytes, maxEntries, maxBytes] = figures
    const { misses, sets, deletes, expirations, count } = this
    const hits = this.hits + (this.needs === LOGGED ? this.logged : 0)
    return {
      hits, misses, sets, deletes, evictions, expirations, rejected, corrupt: 0, errors: 0,
      entries: count, bytes: this.measures ? bytes : 0, maxEntries, maxBytes,
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
    }
  }
}

/** The arguments as text of their canonical bytes. */
function canonical(args, n, name) {
  return encodeToBuffer((w) => exactly(w, () => {
    w.array(n)
    for (let i = 0; i < n; i++) encodeArgument(w, args[i], i, name)
  })).latin1Slice()
}

/** An error names the argument and the two ways out. */
function encodeArgument(w, value, i, name) {
  try {
    encodeKey(w, value)
  } catch (error) {
    if (error.code === undefined) throw error
    throw wrongType(`argument ${i + 1} of ${name}: ${error.message}; give the option key, ` +
      `or the object a method [Symbol.for('twat.cacheKey')]`)
  }
}

module.exports = { ObjectStore, encodeArgument, LOG, LOGGED }
