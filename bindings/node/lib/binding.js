'use strict'
// The native part of this environment, with its error class set.

const { load } = require('./native.js')
const { TwatCacheError } = require('./errors.js')

const native = load()
native.setErrorClass(TwatCacheError)

const view = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)

module.exports = {
  native,
  /** Where get leaves small values. */
  result: view(native.result),
  /** Where values are encoded for set. */
  argument: view(native.argument),
}
