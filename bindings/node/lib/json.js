'use strict'
// What JSON would change without a word.

const { types, isPlain } = require('./kinds.js')
const { unencodable } = require('./errors.js')

const MAX_DEPTH = 512

/**
 * Refuses what JSON.stringify makes {} of (a Map, an object of private fields). For the result of a function
 * (`strict`) also what would be read as another kind: dates, NaN, -0, undefined, what toJSON replaces.
 */
function requireJson(value, strict, depth = 0) {
  if (strict) requireScalar(value)
  if (value === null || typeof value !== 'object') return
  if (depth > MAX_DEPTH) throw unencodable(value, ` of more than ${MAX_DEPTH} levels: is there a cycle?`)
  if (typeof value.toJSON === 'function') {
    if (strict) throw unencodable(value, ', of which a hit would give what toJSON gives: return that')
    return
  }
  if (Array.isArray(value)) return requireItems(value, strict, depth)
  const isObject = isPlain(value)
  const names = types.isBoxedPrimitive(value) && !strict ? [] : Object.keys(value)
  const isKept = isObject ? !strict || Object.getPrototypeOf(value) !== null : !strict && isStruct(value, names)
  if (!isKept || (strict && Reflect.ownKeys(value).length > names.length)) {
    throw unencodable(value, ", which JSON has no form for: store what it holds, or use encoding 'msgpack'")
  }
  for (const name of names) requireJson(value[name], strict, depth + 1)
}

function requireItems(items, strict, depth) {
  const keys = strict && Reflect.ownKeys(items).length
  if (strict && (keys !== items.length + 1 || Object.getPrototypeOf(Object.getPrototypeOf(Object.getPrototypeOf(items))) !== null)) {
    throw unencodable(items, ' with holes, fields or a class of its own, which JSON has no form for')
  }
  for (const item of items) requireJson(item, strict, depth + 1)
}

function requireScalar(value) {
  const isLost = value === undefined || typeof value === 'symbol' || typeof value === 'function' || Object.is(value, -0) ||
    (typeof value === 'number' && !Number.isFinite(value))
  if (isLost) throw unencodable(value, ", which JSON has no form for: use encoding 'msgpack'")
}

/** Whether an object of a class is what its fields are. */
function isStruct(value, names) {
  if (types.isBoxedPrimitive(value)) return true
  const isBuiltIn = types.isMap(value) || types.isSet(value) || types.isRegExp(value) || types.isNativeError(value) || types.isProxy(value) ||
    ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) || types.isPromise(value)
  return !isBuiltIn && names.length > 0
}

module.exports = { requireJson }
