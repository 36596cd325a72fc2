'use strict'
// JavaScript values as MessagePack (docs/format.md). Keys are in keys.js.

const { encodeToBuffer } = require('./writer.js')
const { describeArray } = require('./arrays.js')
const { formOf } = require('./forms.js')
const { types, isPlain, isBuffer } = require('./kinds.js')
const { isBranded } = require('./brand.js')
const { timestamp } = require('./extensions.js')
const { wrongType, describe } = require('./errors.js')
const { util: { inspect } } = require('./builtin.js')

const TUPLE = 1
const SET = 2
const ARRAY = 10
const NAMED = 11
const UNDEFINED = 12
const arrayPrototype = Array.prototype
const objectPrototype = Object.prototype

function unencodable(value, way = '') {
  return wrongType(`expected a value that can be stored, got ${describe(value)}${way}`)
}

function date(w, value) {
  const ms = Date.prototype.getTime.call(value)
  if (Number.isNaN(ms)) throw wrongType('expected a valid Date, got an invalid one')
  const seconds = Math.floor(ms / 1000)
  const payload = timestamp(seconds, (ms - seconds * 1000) * 1e6)
  w.ext(-1, payload.length)
  w.bytes(payload)
}

function extension(w, { type, payload, inner }, encode) {
  if (inner !== undefined) return w.extOf(type, () => list(w, inner, encode))
  w.ext(type, payload.length)
  w.bytes(payload)
}

function named(w, name, write) {
  w.extOf(NAMED, () => {
    w.array(2)
    w.string(name)
    write()
  })
}

function tuple(w, items, encode) {
  w.extOf(TUPLE, () => list(w, items, encode))
}

function list(w, items, encode) {
  w.array(items.length)
  for (let i = 0; i < items.length; i++) encode(w, items[i])
}

/** Items or pairs, encoded each on its own; `write` is called with each in turn. */
function encodedApart(w, items, write) {
  const parts = []
  for (const item of items) {
    const start = w.at
    write(item)
    parts.push(Buffer.from(w.out.subarray(start, w.at)))
    w.at = start
  }
  return parts
}

function set(w, value, encodeOne) {
  const parts = encodedApart(w, Set.prototype.values.call(value), (item) => encodeOne(w, item))
  parts.sort(Buffer.compare)
  const kept = parts.filter((part, i) => i === 0 || !part.equals(parts[i - 1]))
  w.extOf(SET, () => {
    w.array(kept.length)
    for (const part of kept) w.bytes(part)
  })
}

function arrayExtension(w, [dtype, shape, order, bytes]) {
  w.extOf(ARRAY, () => {
    w.array(4)
    w.string(dtype)
    list(w, shape, encodeAny)
    w.string(order)
    w.bin(bytes)
  })
}

/** Whether every key of a Map is text: as a plain map it would be read as an object. */
function hasTextKeys(value) {
  for (const key of Map.prototype.keys.call(value)) if (typeof key !== 'string') return false
  return true
}

function encodeAny(w, value) {
  switch (typeof value) {
    case 'string': return w.string(value)
    case 'number':
      // An integer of 2^53 would be read as a BigInt, as those above it are.
      if (Number.isSafeInteger(value) && (value !== 0 || Object.is(value, 0))) return w.integer(value)
      return w.float(value)
    case 'boolean': return w.byte(value ? 0xc3 : 0xc2)
    // At any size: a number and a BigInt are two kinds.
    case 'bigint': return w.bigExtension(value)
    case 'undefined': return w.ext(UNDEFINED, 0)
    case 'object': break
    default: throw unencodable(value)
  }
  if (value === null) return w.byte(0xc0)
  w.enter()
  object(w, value)
  w.leave()
}

function object(w, value) {
  if (Array.isArray(value)) return array(w, value)
  if (Object.getPrototypeOf(value) === objectPrototype && typeof value.toJSON !== 'function') return plainFields(w, value)
  special(w, value)
}

function array(w, items) {
  if (Object.getPrototypeOf(items) !== arrayPrototype && isBranded(items, 'Tuple')) return tuple(w, items, encodeAny)
  if (w.depth === 1 ? hasFields(items) : isMatch(items)) return sparse(w, items)
  const start = w.at
  const { length } = items
  w.array(length)
  for (let i = 0; i < length; i++) {
    const item = items[i]
    if (item === undefined && !(i in items)) {
      w.at = start
      return sparse(w, items)
    }
    encodeAny(w, item)
  }
}

/** What a RegExp finds is an array with fields. */
const isMatch = (items) => items.index !== undefined && Object.hasOwn(items, 'index')

/**
 * Whether an array that is a whole value has fields beside its items. Object.keys makes a string of each index;
 * inspect asks V8 for the other names alone. Inner arrays are not asked: that would cost more than to write them.
 */
function hasFields(items) {
  const { length } = items
  if (length > 256 && inspect(items, PLAIN) === `[ ... ${length} more items ]`) return false
  return Object.keys(items).length > length || isMatch(items)
}

const PLAIN = { maxArrayLength: 0, depth: 0, customInspect: false, breakLength: Infinity }

/** An array with holes or with fields of its own: its length and what it has. */
function sparse(w, items) {
  const index = (key) => (String(key >>> 0) === key ? Number(key) : key)
  named(w, 'js.Array', () => {
    w.array(2)
    w.integer(items.length)
    const names = Object.keys(items)
    w.array(names.length)
    for (const name of names) list(w, [index(name), items[name]], encodeAny)
  })
}

const NOTHING = {}

/** Whether somebody gave all objects an enumerable field. */
function isPolluted() {
  for (const name in NOTHING) return name !== undefined
  return false
}

/** The fields of an object made by {}: `for in` is fast over objects of one shape, as rows of a table are. */
function plainFields(w, value) {
  if (isPolluted()) return fields(w, value)
  const start = w.at
  w.byte(0x80)
  let n = 0
  for (const name in value) {
    w.string(name)
    encodeAny(w, value[name])
    n++
  }
  if (n === 0) requireEmpty(value)
  else w.countMap(start, n)
}

function fields(w, value) {
  const names = Object.keys(value)
  if (names.length === 0) requireEmpty(value)
  w.map(names.length)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    w.string(name)
    encodeAny(w, value[name])
  }
}

/** What has fields, but none that can be seen, would be stored as {}. */
function requireEmpty(value) {
  if (Reflect.ownKeys(value).length > 0) {
    throw unencodable(value, ', whose fields are not enumerable or have symbols as names: store what it holds, or give it a toJSON method')
  }
}

function mapOf(w, value) {
  if (hasTextKeys(value)) return named(w, 'js.Map', () => entries(w, value))
  entries(w, value)
}

function entries(w, value) {
  w.map(Object.getOwnPropertyDescriptor(Map.prototype, 'size').get.call(value))
  for (const [key, item] of Map.prototype.entries.call(value)) {
    encodeAny(w, key)
    encodeAny(w, item)
  }
}

/** All objects but arrays and plain ones. */
function special(w, value) {
  if (isPlain(value)) return typeof value.toJSON === 'function' ? encodeAny(w, value.toJSON()) : fields(w, value)
  if (types.isDate(value)) return date(w, value)
  if (isBuffer(value)) return w.bin(value)
  if (types.isMap(value)) return mapOf(w, value)
  if (types.isSet(value)) return set(w, value, encodeAny)
  const form = formOf(value)
  if (form) return named(w, form[0], () => encodeAny(w, form[1]))
  const described = describeArray(value)
  if (described) return arrayExtension(w, described)
  if (isBranded(value, 'Extension')) return extension(w, value, encodeAny)
  if (isBranded(value, 'Float')) return w.float(value.value)
  if (isBranded(value, 'Promised')) return promised(w, value)
  instance(w, value)
}

function promised(w, { value }) {
  w.depth-- // the value is the whole value
  named(w, 'js.Promise', () => encodeAny(w, value))
  w.depth++
}

/** Objects of classes: by toJSON, else their own fields. */
function instance(w, value) {
  if (typeof value.toJSON === 'function') return encodeAny(w, value.toJSON())
  if (types.isPromise(value) || typeof value.then === 'function') throw unencodable(value, ': await it first')
  if (typeof value.next === 'function') throw unencodable(value, ', which is read once: store [...it]')
  if (types.isWeakMap(value) || types.isWeakSet(value) || types.isBoxedPrimitive(value)) throw unencodable(value)
  if (Object.keys(value).length === 0) {
    throw unencodable(value, ', which has no enumerable fields: store what it holds, or give it a toJSON method')
  }
  fields(w, value)
}

module.exports = { encodeAny, encodeToBuffer, named, tuple, list, set, date, extension, arrayExtension, encodedApart, hasTextKeys, unencodable, UNDEFINED }
