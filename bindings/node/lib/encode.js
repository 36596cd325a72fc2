'use strict'
// JavaScript values as MessagePack: as values (order kept, typed arrays with
// their data) and as canonical keys (docs/format.md).

const { MAX_EXACT, encodeToBuffer } = require('./writer.js')
const { describeArray, bytesOf, inOrderC } = require('./arrays.js')
const { Tuple, Float, Extension, timestamp } = require('./extensions.js')
const { wrongType, describe } = require('./errors.js')
const { native } = require('./binding.js')

const CACHE_KEY = Symbol.for('twat.cacheKey')
const TUPLE = 1
const SET = 2
const ARRAY = 10
const UNDEFINED = 12
/** The version of the encoding of keys (docs/format.md). */
const KEY_VERSION = 3

function unencodable(value) {
  return wrongType(`expected a value that can be encoded, found ${describe(value)}`)
}

function scalar(w, value, type) {
  switch (type) {
    case 'string': return w.string(value)
    case 'boolean': return w.byte(value ? 0xc3 : 0xc2)
    case 'bigint': return w.bigint(value)
    case 'undefined': return w.ext(UNDEFINED, 0)
    default: throw unencodable(value)
  }
}

function date(w, value) {
  const ms = value.getTime()
  if (Number.isNaN(ms)) throw wrongType('expected a valid Date, found an invalid one')
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

/** The bytes of what is stored as a byte string; undefined for the rest. */
function asBytes(value) {
  if (value instanceof Uint8Array && value.constructor !== Uint8ClampedArray) return value
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value)
  if (value instanceof DataView) return bytesOf(value)
  return undefined
}

/** Takes back what was written since `start`. */
function cut(w, start) {
  const part = Buffer.from(w.out.subarray(start, w.at))
  w.at = start
  return part
}

function tuple(w, items, encode) {
  w.extOf(TUPLE, () => list(w, items, encode))
}

function list(w, items, encode) {
  w.array(items.length)
  for (let i = 0; i < items.length; i++) encode(w, items[i])
}

function set(w, value, encodeOne) {
  const parts = []
  for (const item of value) {
    const start = w.at
    encodeOne(w, item)
    parts.push(cut(w, start))
  }
  parts.sort(Buffer.compare)
  const kept = parts.filter((part, i) => i === 0 || !part.equals(parts[i - 1]))
  w.extOf(SET, () => {
    w.array(kept.length)
    for (const part of kept) w.bytes(part)
  })
}

/** Plain data, or what an object says stands for it. */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

// --- values ----------------------------------------------------------------

function encodeAny(w, value) {
  const type = typeof value
  if (type === 'number') {
    // An integer of 2^53 would be read as a BigInt, as those above it are.
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      return w.integer(value)
    }
    return w.float(value)
  }
  if (type !== 'object') return scalar(w, value, type)
  if (value === null) return w.byte(0xc0)
  w.enter()
  object(w, value)
  w.leave()
}

function object(w, value) {
  if (Array.isArray(value)) return value instanceof Tuple ? tuple(w, value, encodeAny) : list(w, value, encodeAny)
  if (isPlain(value) && typeof value.toJSON !== 'function') return fields(w, value)
  if (value instanceof Date) return date(w, value)
  const bytes = asBytes(value)
  if (bytes) return w.bin(bytes)
  if (value instanceof Map) return entries(w, value)
  if (value instanceof Set) return set(w, value, encodeAny)
  const array = describeArray(value)
  if (array) return arrayExtension(w, array)
  if (value instanceof Extension) return extension(w, value, encodeAny)
  if (value instanceof Float) return w.float(value.value)
  other(w, value)
}

function fields(w, value) {
  const names = Object.keys(value)
  w.map(names.length)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    w.string(name)
    encodeAny(w, value[name])
  }
}

function entries(w, map) {
  w.map(map.size)
  for (const [key, item] of map) {
    encodeAny(w, key)
    encodeAny(w, item)
  }
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

const REFUSED = [Promise, WeakMap, WeakSet, WeakRef, RegExp, Error]

/** Objects of classes: by toJSON, boxed scalars by what they box, else their own fields. */
function other(w, value) {
  if (typeof value.toJSON === 'function') return encodeAny(w, value.toJSON())
  if (REFUSED.some((kind) => value instanceof kind) || typeof value.next === 'function') throw unencodable(value)
  if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    return encodeAny(w, value.valueOf())
  }
  fields(w, value)
}

// --- keys ------------------------------------------------------------------

function encodeKey(w, value) {
  const type = typeof value
  if (type === 'number') {
    if (Number.isInteger(value) && value <= MAX_EXACT && value >= -MAX_EXACT) return w.integer(value + 0)
    return w.float(value !== value ? NaN : value)
  }
  if (type === 'function' && typeof value[CACHE_KEY] === 'function') return encodeKey(w, value[CACHE_KEY]())
  if (type !== 'object') return scalar(w, value, type)
  if (value === null) return w.byte(0xc0)
  w.enter()
  keyObject(w, value)
  w.leave()
}

function keyObject(w, value) {
  if (typeof value[CACHE_KEY] === 'function') return encodeKey(w, value[CACHE_KEY]())
  if (Array.isArray(value)) return value instanceof Tuple ? tuple(w, value, encodeKey) : list(w, value, encodeKey)
  if (isPlain(value)) return sortedMap(w, Object.entries(value))
  if (value instanceof Date) return date(w, value)
  const bytes = asBytes(value)
  if (bytes) return w.bin(bytes)
  if (value instanceof Map) return sortedMap(w, [...value])
  if (value instanceof Set) return set(w, value, encodeKey)
  const array = describeArray(value)
  if (array) return arrayKey(w, array)
  if (value instanceof Extension) return extension(w, value, encodeKey)
  // Adding 0 turns -0 into 0.
  if (value instanceof Float) return w.float(value.value + 0)
  throw unencodable(value)
}

function sortedMap(w, pairs) {
  const parts = pairs.map(([key, item]) => {
    const start = w.at
    encodeKey(w, key)
    const size = w.at - start
    encodeKey(w, item)
    return { size, bytes: cut(w, start) }
  })
  const keyOf = (part) => part.bytes.subarray(0, part.size)
  parts.sort((a, b) => Buffer.compare(keyOf(a), keyOf(b)))
  w.map(parts.length)
  parts.forEach((part, i) => {
    if (i > 0 && keyOf(part).equals(keyOf(parts[i - 1]))) {
      throw wrongType('expected different keys in a map, found two that are encoded alike')
    }
    w.bytes(part.bytes)
  })
}

/** In keys a digest stands for an array's data, taken in C order; both orders are one where one axis has them all. */
function arrayKey(w, [dtype, shape, order, bytes]) {
  const oneOrder = order === 'C' || shape.includes(0) || shape.filter((n) => n > 1).length < 2
  const digest = Buffer.allocUnsafe(32)
  native.hash(order === 'C' ? bytes : inOrderC(bytes, shape), digest)
  arrayExtension(w, [dtype, shape, oneOrder ? 'C' : 'F', digest])
}

module.exports = { encodeAny, encodeKey, asBytes, encodeToBuffer, CACHE_KEY, KEY_VERSION }
