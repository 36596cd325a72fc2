'use strict'

/** What the core and this package throw; `code` is the name of a status of the C ABI. */
class TwatCacheError extends Error {
  constructor(message, code = 'TWAT_E_ARG') {
    super(message)
    this.code = code
  }
}
Object.defineProperty(TwatCacheError.prototype, 'name', { value: 'TwatCacheError' })

/** A TypeError with a code: an argument of the wrong kind. */
function wrongType(text) {
  const error = new TypeError(text)
  error.code = 'TWAT_E_ARG'
  return error
}

/** What a value is, for error texts. */
function describe(value) {
  if (value === null) return 'null'
  const type = typeof value
  if (type === 'function') return value.name ? `the function ${value.name}` : 'a function'
  if (type === 'symbol') return 'a symbol'
  if (type !== 'object') return `${type} ${String(value).slice(0, 40)}`
  const name = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name ? `an object of type ${name}` : 'an object'
}

module.exports = { TwatCacheError, wrongType, describe }
