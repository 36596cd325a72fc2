'use strict'

const { brand, brandInstances } = require('./brand.js')
const { util: { types } } = require('./builtin.js')

/** Names of the core's options as JavaScript spells them; filled by options.js. */
const spelling = new Map()
const SNAKE = /(?<![\w/.'"-])[a-z]+(?:_[a-z]+)+(?![\w/.-])/g

/** What the core and this package throw; `code` is the name of a status of the C ABI. */
class TwatCacheError extends Error {
  constructor(message, code = 'TWAT_E_ARG') {
    super(String(message).replace(SNAKE, (name) => spelling.get(name) ?? name))
    this.code = code
  }
}
Object.defineProperty(TwatCacheError.prototype, 'name', { value: 'TwatCacheError' })
brand(TwatCacheError, 'TwatCacheError')
brandInstances(TwatCacheError, 'TwatCacheError')

/** A TypeError with a code: an argument of the wrong kind. */
function wrongType(text) {
  const error = new TypeError(text)
  error.code = 'TWAT_E_ARG'
  return error
}

/** What a value is, for error texts. Runs no code of the value's own. */
function describe(value) {
  if (value === null) return 'null'
  const type = typeof value
  if (type === 'symbol') return 'a symbol'
  if (type !== 'object' && type !== 'function') return `${type} ${String(value).slice(0, 40)}`
  if (types.isProxy(value)) return type === 'function' ? 'a Proxy of a function' : 'a Proxy'
  const field = (object, name) => Object.getOwnPropertyDescriptor(object, name)?.value
  const nameOf = (name) => (typeof name === 'string' && name ? name : undefined)
  if (type === 'function') {
    const name = nameOf(field(value, 'name'))
    return name ? `the function ${name}` : 'a function'
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null || types.isProxy(prototype)) return 'an object'
  const constructor = field(prototype, 'constructor')
  const name = typeof constructor === 'function' && !types.isProxy(constructor) ? nameOf(field(constructor, 'name')) : undefined
  return name ? `an object of type ${name}` : 'an object'
}

/** A value that no store can hold, with the way out. */
function unencodable(value, way = '') {
  return wrongType(`expected a value that can be stored, got ${describe(value)}${way}`)
}

module.exports = { TwatCacheError, wrongType, unencodable, describe, spelling }
