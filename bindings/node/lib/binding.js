'use strict'
// The native part of this environment, with its error class set.

const { load } = require('./native.js')
const { TwatCacheError } = require('./errors.js')

const native = load()
// Copies of this package share one addon, so the last copy's class is thrown in all of them.
native.setErrorClass(TwatCacheError)

const view = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)

const clock = new Float64Array(native.clock.buffer, native.clock.byteOffset, 1)

// One byte each, shared by the copies of this package: whether the argument
// buffer is in use, and whether caching is switched off.
const flags = native.flags ??= Uint8Array.of(0, process.env.TWAT_CACHE_DISABLE === '1' ? 1 : 0)

module.exports = {
  native,
  flags,
  /** The monotonic clock in milliseconds. Never cached: a loop would be served what has expired. */
  now() {
    native.now()
    return clock[0]
  },
  /** The same, a few milliseconds late at the most, and cheap. */
  tick() {
    native.tick()
    return clock[0]
  },
  /** Where get leaves small values. */
  result: view(native.result),
  /** Where values are encoded for set. */
  argument: view(native.argument),
}
