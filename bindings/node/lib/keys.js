'use strict'
// Arguments as canonical MessagePack (docs/format.md, "Canonical"): one
// encoding for every value.

const { MAX_EXACT, encodeToBuffer } = require('./writer.js')
const { describeArray, inOrderC } = require('./arrays.js')
const { formOfMemory } = require('./forms.js')
const { types, isPlain } = require('./kinds.js')
const { isBranded } = require('./brand.js')
const { levels, hasFields, requireWhole } = require('./wholeness.js')
const { named, tuple, list, set, date, extension, arrayExtension, encodedApart, hasTextKeys, UNDEFINED } = require('./encode.js')
const { wrongType, describe } = require('./errors.js')
const { native } = require('./binding.js')

/** The version of the encoding (docs/format.md). */
const KEY_VERSION = 3
const CACHE_KEY = Symbol.for('twat.cacheKey')

function unencodable(value, why = '') {
  return wrongType(`expected a value that can be encoded, got ${describe(value)}${why}`)
}

function encodeKey(w, value) {
  switch (typeof value) {
    case 'string': return w.string(value)
    case 'number':
      if (Object.is(value, -0)) return w.float(value)
      if (Number.isInteger(value) && value <= MAX_EXACT && value >= -MAX_EXACT) return w.integer(value)
      return w.float(value !== value ? NaN : value)
    case 'boolean': return w.byte(value ? 0xc3 : 0xc2)
    // Other languages have one kind of integer. A key that stays in this process tells them apart.
    case 'bigint': return w.exact ? w.bigExtension(value) : w.bigint(value)
    case 'undefined': return w.ext(UNDEFINED, 0)
    case 'function':
      if (typeof value[CACHE_KEY] === 'function') return encodeKey(w, value[CACHE_KEY]())
      throw unencodable(value)
    case 'object': break
    default: throw unencodable(value)
  }
  if (value === null) return w.byte(0xc0)
  w.enter()
  keyObject(w, value)
  w.leave()
}

function keyObject(w, value) {
  if (typeof value[CACHE_KEY] === 'function') return encodeKey(w, value[CACHE_KEY]())
  if (Array.isArray(value)) return isBranded(value, 'Tuple') ? tuple(w, value, encodeKey) : listKey(w, value)
  if (isPlain(value)) return objectKey(w, value)
  if (types.isDate(value) || types.isMap(value) || types.isSet(value)) return builtInKey(w, value)
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return memoryKey(w, value)
  const array = describeArray(value)
  if (array) return arrayKey(w, array)
  if (isBranded(value, 'Extension')) return extension(w, value, encodeKey)
  if (isBranded(value, 'Float')) return w.float(value.value)
  throw unencodable(value)
}

/** A subclass may behave in any way, and so may what bears fields that are not looked at. */
function requireBuiltIn(value, expected) {
  if (levels(value) > expected) throw unencodable(value, ', whose class is not built in')
}

function requireSeen(value, seen) {
  if (Reflect.ownKeys(value).length > seen) throw unencodable(value, ' with fields that are not enumerable or have symbols as names')
}

function objectKey(w, value) {
  const pairs = Object.entries(value)
  requireSeen(value, pairs.length)
  if (pairs.length === 0 || Object.getPrototypeOf(value) === null) requireWhole(value)
  // Without a prototype it lacks the methods of other objects.
  if (Object.getPrototypeOf(value) === null) named(w, 'js.Object', () => sortedMap(w, pairs))
  else sortedMap(w, pairs)
}

function builtInKey(w, value) {
  requireBuiltIn(value, 2)
  requireSeen(value, 0)
  if (types.isDate(value)) date(w, value)
  else if (types.isMap(value)) mapKey(w, value)
  else set(w, value, encodeKey)
}

/** An array with holes or fields beside its items (a match of a RegExp, the parts of a template) is told apart. */
function listKey(w, value) {
  requireBuiltIn(value, 2)
  const { length } = value
  const isMore = hasFields(value, true)
  if (!isMore && isDense(value)) return list(w, value, encodeKey)
  const names = Object.keys(value)
  if (Object.hasOwn(value, 'raw') && !names.includes('raw')) names.push('raw')
  // The length is a field as well.
  requireSeen(value, names.length + 1)
  named(w, 'js.Array', () => {
    w.array(2)
    w.integer(length)
    w.array(names.length)
    for (const name of names) list(w, [name, value[name]], encodeKey)
  })
}

function isDense(items) {
  for (let i = 0; i < items.length; i++) if (items[i] === undefined && !Object.hasOwn(items, i)) return false
  return true
}

/** A Map whose keys are all text is told apart from an object of the same fields. */
function mapKey(w, value) {
  const pairs = [...Map.prototype.entries.call(value)]
  if (hasTextKeys(value)) return named(w, 'js.Map', () => sortedMap(w, pairs))
  sortedMap(w, pairs)
}

/** A Uint8Array (a Buffer is one) is bytes, as in other languages. */
function memoryKey(w, value) {
  requireWhole(value)
  if (types.isUint8Array(value)) return w.exact && !Buffer.isBuffer(value) ? named(w, 'js.Uint8Array', () => w.bin(value)) : w.bin(value)
  const form = formOfMemory(value)
  if (form) return named(w, form[0], () => encodeKey(w, form[1]))
  arrayKey(w, describeArray(value))
}

function sortedMap(w, pairs) {
  const sizes = []
  const encoded = encodedApart(w, pairs, ([key, item]) => {
    const start = w.at
    encodeKey(w, key)
    sizes.push(w.at - start)
    encodeKey(w, item)
  })
  const parts = encoded.map((bytes, i) => ({ bytes, key: bytes.subarray(0, sizes[i]) }))
  parts.sort((a, b) => Buffer.compare(a.key, b.key))
  w.map(parts.length)
  parts.forEach(({ bytes, key }, i) => {
    if (i > 0 && key.equals(parts[i - 1].key)) {
      throw wrongType('expected different keys in a map, got two that are encoded alike')
    }
    w.bytes(bytes)
  })
}

/** In keys a digest stands for an array's data, taken in C order; both orders are one where one axis has them all. */
function arrayKey(w, [dtype, shape, order, bytes]) {
  const oneOrder = order === 'C' || shape.includes(0) || shape.filter((n) => n > 1).length < 2
  const digest = Buffer.allocUnsafe(32)
  native.hash(order === 'C' ? bytes : inOrderC(bytes, shape), digest)
  arrayExtension(w, [dtype, shape, oneOrder ? 'C' : 'F', digest])
}

/** Writes a key that never leaves this process, and so may tell more kinds apart. */
function exactly(w, write) {
  const { exact } = w
  w.exact = true
  try {
    write()
  } finally {
    w.exact = exact
  }
}

module.exports = { encodeKey, encodeToBuffer, exactly, CACHE_KEY, KEY_VERSION }
