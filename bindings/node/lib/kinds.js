'use strict'
// What kind of value an object is. Values may come from another realm (a `vm`
// context, a test runner's sandbox, Node's own core seen from one), where
// `instanceof` is false. So kinds are told by internal slots.

const { util: { types }, url: { URL, URLSearchParams } } = require('./builtin.js')

const viewTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get
const hrefOf = Object.getOwnPropertyDescriptor(URL.prototype, 'href').get
const queryOf = URLSearchParams.prototype.toString

/** `Float64Array` and the like, for a typed array of any realm; undefined for the rest. */
const viewName = (value) => viewTag.call(value)

/** Whether an object has no class: made by `{}`, without a prototype, or a plain object of another realm. */
function isPlain(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

/** Whether a call answers; for brands that only a method of the class can tell. */
function answers(method, value) {
  try {
    method.call(value)
    return true
  } catch {
    return false
  }
}

const hasPrototype = (value, constructor) => Object.getPrototypeOf(value) === constructor.prototype

// A subclass is refused: reading could not make one.
const isUrl = (value) => value !== null && typeof value === 'object' && hasPrototype(value, URL) && answers(hrefOf, value)
const isQuery = (value) => hasPrototype(value, URLSearchParams) && answers(queryOf, value)

/** `Headers` is loaded by Node when it is first named, which takes milliseconds. */
function isHeaders(value) {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null || !Object.hasOwn(prototype, 'getSetCookie') || typeof Headers !== 'function') return false
  return hasPrototype(value, Headers) && answers(Headers.prototype.entries, value)
}

/** A Buffer, whichever realm asks: there is one class of it in an environment. */
const isBuffer = (value) => value instanceof Buffer

/** The bytes of what is raw memory; undefined for the rest. */
function bytesOf(value) {
  if (types.isUint8Array(value)) return value
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value)
  if (types.isDataView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return undefined
}

module.exports = { types, viewName, isPlain, isUrl, isQuery, isHeaders, isBuffer, bytesOf }
