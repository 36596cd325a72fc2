'use strict'
// JavaScript values as MessagePack (docs/format.md). Keys are in keys.js.

const { encodeToBuffer } = require('./writer.js')
const { describeArray } = require('./arrays.js')
const { formOf, isBuiltInError } = require('./forms.js')
const { types, isPlain, isBuffer } = require('./kinds.js')
const { hasFields, requireWhole, requireVisible, requireOpen } = require('./wholeness.js')
const { FieldNames } = require('./names.js')
const { isBranded } = require('./brand.js')
const { timestamp } = require('./extensions.js')
const { wrongType, unencodable } = require('./errors.js')

const TUPLE = 1
const SET = 2
const ARRAY = 10
const NAMED = 11
const UNDEFINED = 12
const arrayPrototype = Array.prototype
const objectPrototype = Object.prototype

/**
 * Whether a value has to come back as it is, class and all: so it is for the result of a function, whose second call
 * may not give another kind than the first. In direct use, toJSON and plain fields do for objects of classes.
 */
let strict = false

const isStrict = () => strict

/** Runs `write`; what it encodes is refused where a hit would give another kind. */
function strictly(write) {
  const before = strict
  strict = true
  try {
    return write()
  } finally {
    strict = before
  }
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

/**
 * A Set is sorted, as in other languages. Where that would lose items that are alike, or the order that a function
 * gave, a name tells that the items are as they were.
 */
function setValue(w, value) {
  const parts = encodedApart(w, Set.prototype.values.call(value), (item) => encodeAny(w, item))
  const sorted = parts.toSorted(Buffer.compare)
  const isDistinct = sorted.every((part, i) => i === 0 || !part.equals(sorted[i - 1]))
  const isKept = isDistinct && (!strict || parts.every((part, i) => part === sorted[i]))
  const write = () => w.extOf(SET, () => {
    w.array(parts.length)
    for (const part of isKept ? sorted : parts) w.bytes(part)
  })
  if (isKept) write()
  else named(w, 'js.Set', write)
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
    case 'number': return w.number(value)
    case 'boolean': return w.byte(value ? 0xc3 : 0xc2)
    // At any size: a number and a BigInt are two kinds.
    case 'bigint': return w.bigExtension(value)
    case 'undefined': return w.ext(UNDEFINED, 0)
    case 'object': break
    default: throw unencodable(value)
  }
  if (value === null) return w.byte(0xc0)
  object(w, value)
}

function object(w, value) {
  w.enter()
  if (w.depth === 1) polluted = isPolluted()
  objectInside(w, value)
  w.leave()
}

function objectInside(w, value) {
  if (Array.isArray(value)) return array(w, value)
  if (Object.getPrototypeOf(value) === objectPrototype && typeof value.toJSON !== 'function') return plainFields(w, value)
  special(w, value)
}

/** Whether all that a value holds is looked at, not only what `for in` gives. */
const isWhole = (w) => strict || w.depth === 1

function array(w, items) {
  if (Object.getPrototypeOf(items) !== arrayPrototype) {
    if (isBranded(items, 'Tuple')) return tuple(w, items, encodeAny)
    requireWhole(items, 'Array')
  }
  if (hasFields(items, isWhole(w))) return sparse(w, items)
  const start = w.at
  const { length } = items
  w.array(length)
  for (let i = 0; i < length; i++) {
    const item = items[i]
    // Text and numbers first: rows of them would pay for a call each.
    if (typeof item === 'string') {
      w.string(item)
    } else if (typeof item === 'number') {
      w.number(item)
    } else if (item === undefined && !(i in items)) {
      w.at = start
      return sparse(w, items)
    } else if (typeof item === 'object' && item !== null) {
      object(w, item)
    } else {
      encodeAny(w, item)
    }
  }
}

/** An array with holes or with fields of its own: its length and what it has. */
function sparse(w, items) {
  const index = (key) => (String(key >>> 0) === key ? Number(key) : key)
  const names = Object.keys(items)
  requireVisible(items, names.length + 1)
  named(w, 'js.Array', () => {
    w.array(2)
    w.integer(items.length)
    w.array(names.length)
    for (const name of names) list(w, [index(name), items[name]], encodeAny)
  })
}

const NOTHING = {}
let polluted = false

/** Whether somebody gave all objects an enumerable field. */
function isPolluted() {
  for (const name in NOTHING) return name !== undefined
  return false
}

const names = new FieldNames()

/** The fields of an object made by {}: `for in` is fast over objects of one shape, as rows of a table are. */
function plainFields(w, value) {
  if (polluted) return fields(w, value)
  const start = w.at
  w.byte(0x80)
  let n = 0
  let at = names.start(w.depth)
  for (const name in value) {
    if (n < FieldNames.MOST) {
      at = names.after(at, name)
      if (at.words !== undefined) w.words(at.words, at.size)
      else w.string(name)
    } else {
      w.string(name)
    }
    const item = value[name]
    if (typeof item === 'string') w.string(item)
    else if (typeof item === 'number') w.number(item)
    else if (typeof item === 'object' && item !== null) object(w, item)
    else encodeAny(w, item)
    n++
  }
  if (n === 0) requireWhole(value) // a built-in object whose prototype was replaced
  if (n === 0 || isWhole(w)) requireVisible(value, n, strict)
  if (n > 0) w.countMap(start, n)
}

function fields(w, value) {
  const own = Object.keys(value)
  if (own.length === 0 || isWhole(w)) requireVisible(value, own.length)
  w.map(own.length)
  for (let i = 0; i < own.length; i++) {
    const name = own[i]
    w.string(name)
    encodeAny(w, value[name])
  }
}

/** A map that begins with a text is read as an object, which has an order of its own. */
function mapOf(w, value) {
  const [first] = Map.prototype.keys.call(value)
  if (first === undefined || typeof first === 'string') return named(w, 'js.Map', () => entries(w, value))
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
  if (isPlain(value)) return plain(w, value)
  const kind = requireWhole(value)
  if (kind === 'Date') return date(w, value)
  if (isBuffer(value)) return w.bin(value)
  if (kind === 'Map') return mapOf(w, value)
  if (kind === 'Set') return setValue(w, value)
  if (strict && types.isNativeError(value) && !isBuiltInError(value)) throw unencodable(value, ', of which a hit would give the built-in class')
  const form = formOf(value)
  if (form) return named(w, form[0], () => encodeAny(w, form[1]))
  const described = describeArray(value)
  if (described) return arrayExtension(w, described)
  if (isBranded(value, 'Extension')) return extension(w, value, encodeAny)
  if (isBranded(value, 'Float')) return w.float(value.value)
  if (isBranded(value, 'Promised')) return promised(w, value)
  instance(w, value)
}

function plain(w, value) {
  if (typeof value.toJSON === 'function') return asJson(w, value)
  if (Object.getPrototypeOf(value) !== null) return fields(w, value)
  requireWhole(value)
  named(w, 'js.Object', () => fields(w, value))
}

function asJson(w, value) {
  if (strict) throw unencodable(value, ', of which a hit would give what toJSON gives: return that')
  encodeAny(w, value.toJSON())
}

function promised(w, { value }) {
  w.depth-- // the value is the whole value
  named(w, 'js.Promise', () => encodeAny(w, value))
  w.depth++
}

/** Objects of classes: by toJSON, else their own fields. */
function instance(w, value) {
  if (typeof value.toJSON === 'function') return asJson(w, value)
  if (types.isPromise(value) || typeof value.then === 'function') throw unencodable(value, ': await it first')
  if (typeof value.next === 'function') throw unencodable(value, ', which is read once: store [...it]')
  if (types.isWeakMap(value) || types.isWeakSet(value) || types.isBoxedPrimitive(value)) throw unencodable(value)
  if (Object.keys(value).length === 0) {
    throw unencodable(value, ', which has no enumerable fields: store what it holds, or give it a toJSON method')
  }
  if (strict) throw unencodable(value, ', of which a hit would give a plain object: return one, as in { ...it }')
  requireOpen(value)
  fields(w, value)
}

module.exports = { encodeAny, encodeToBuffer, named, tuple, list, set, date, extension, arrayExtension, encodedApart, hasTextKeys, strictly, isStrict, UNDEFINED }
