'use strict'
// Whether all that a value holds is seen by the encoder. What is not seen (a
// field of a Map, the class of a subclass, a private field) would be lost on
// the way through a store, so such a value is refused.

const { types } = require('./kinds.js')
const { unencodable } = require('./errors.js')
const { util: { inspect } } = require('./builtin.js')

/** Built-in kinds with their test and the number of own fields that each has. */
const KINDS = [
  ['Date', types.isDate, 0], ['Map', types.isMap, 0], ['Set', types.isSet, 0], ['RegExp', types.isRegExp, 1],
  ['ArrayBuffer', types.isAnyArrayBuffer, 0], ['DataView', types.isDataView, 0], ['String', types.isStringObject, -1],
  ['Number', types.isNumberObject, 0], ['Boolean', types.isBooleanObject, 0], ['BigInt', types.isBigIntObject, 0],
]

// The names of all items of a long list take longer than a look at none of them, which `inspect` takes.
const FEW = 20
const SOME = 96

/** How many prototypes a value has; a subclass of a built-in class has one more than that. */
function levels(value) {
  let n = 0
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) n++
  return n
}

function requireClass(value, kind, expected) {
  if (levels(value) !== expected) throw unencodable(value, `, whose class is lost: store a ${kind}, or what it holds`)
}

/** The built-in kind of a value, whose class and fields are all that it has; undefined for other values. */
function requireWhole(value) {
  if (Array.isArray(value)) return requireClass(value, 'plain array', 2)
  if (ArrayBuffer.isView(value) && !types.isDataView(value)) return wholeMemory(value)
  const found = KINDS.find(([, is]) => is(value))
  if (found === undefined) return undefined
  const [kind, , own] = found
  requireClass(value, kind, 2)
  // The letters of a String and its length are fields.
  requireVisible(value, own === -1 ? String.prototype.valueOf.call(value).length + 1 : own)
  return kind
}

function wholeMemory(value) {
  if (Object.getPrototypeOf(value) !== Buffer.prototype) requireClass(value, 'typed array', 3)
  const { length } = value
  const more = length <= FEW ? Reflect.ownKeys(value).length > length : !inspect(value, BRIEF).endsWith(restOf(length, ''))
  if (more) throw unencodable(value, ' with fields of its own')
  return 'memory'
}

/** The names of a large dictionary are listed only where `all` asks for it: that takes as long as to encode it. */
function requireVisible(value, seen, all = true) {
  const isMore = all || seen <= SOME ? Reflect.ownKeys(value).length > seen : Object.getOwnPropertySymbols(value).length > 0
  if (isMore) {
    throw unencodable(value, ' with fields of its own that are not enumerable or have symbols as names: ' +
      'store what it holds, or give it a toJSON method')
  }
}

const BRIEF = { maxArrayLength: 0, depth: 0, customInspect: false, showProxy: false, breakLength: Infinity, compact: 3 }
const HIDDEN = { ...BRIEF, showHidden: true }
const restOf = (n, hidden) => `[ ... ${n} more item${n === 1 ? '' : 's'}${hidden} ]`

/** Whether an array has fields beside its items; `whole`: also those that are not enumerable or have symbols as names. */
function hasFields(items, whole) {
  const { length } = items
  if (whole) {
    if (length <= FEW) return Reflect.ownKeys(items).length > length + 1
    return inspect(items, HIDDEN) !== restOf(length, `, [length]: ${length}`)
  }
  if (length > SOME) return inspect(items, BRIEF) !== restOf(length, '')
  return Object.keys(items).length > length
}

/** A private name that is used, or declared. Text such as '#fff' and comments are neither. */
const PRIVATE = /\.\s*#[\p{ID_Start}$_]|[\s;{}]#[\p{ID_Start}$_][\p{ID_Continue}$]*(?:\s*[=;(}]|\s+in\b|[\r\n])/u
/** What TypeScript, Babel, SWC and esbuild make of private fields. */
const COMPILED = /_classPrivate|__private(?:Add|Get|Set|Method)\b/
const closed = new WeakMap()

function hasPrivateNames(constructor) {
  if (!closed.has(constructor)) {
    const source = Function.prototype.toString.call(constructor)
    closed.set(constructor, PRIVATE.test(source) || COMPILED.test(source))
  }
  return closed.get(constructor)
}

/** Refuses an object of a class with private fields: nothing but its methods can read them. */
function requireOpen(value) {
  requireVisible(value, Object.keys(value).length)
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
    const constructor = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof constructor === 'function' && hasPrivateNames(constructor)) {
      throw unencodable(value, ', whose class has private fields: store what it holds, or give it a toJSON method')
    }
  }
}

module.exports = { levels, hasFields, requireWhole, requireVisible, requireOpen }
