'use strict'
// MessagePack as JavaScript values. Data only: nothing here runs code that a
// value names.

const { makeArray } = require('./arrays.js')
const { makerOf } = require('./forms.js')
const { MOST_FIELDS, SLOTS, shapes, learn } = require('./shapes.js')
const { text: textAt, utf8: utf8At, fieldName: nameAt, newData } = require('./text.js')
const { TwatCacheError } = require('./errors.js')

const MAX_DEPTH = 1024
const MANY_FIELDS = 1024

let data = Buffer.alloc(0)
let view = new DataView(data.buffer)
let at = 0
let end = 0
let depth = 0
let promised = false

function corrupt(what) {
  return new TwatCacheError(`MessagePack: ${what}`, 'TWAT_E_CORRUPT')
}

/** The one value in buffer[start, stop). Runs to its end without other code in between. */
function decode(buffer, start, stop) {
  if (data !== buffer) {
    data = buffer
    view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  }
  at = start
  end = stop
  newData()
  depth = 0
  const value = read()
  if (at !== end) throw corrupt(`expected one value, found ${end - at} bytes after it`)
  return value
}

/** Before any value is read, of whichever format. */
function begin() {
  promised = false
}

/** Whether the last value was the result of a function that gave a promise of it. */
const wasPromised = () => promised

/** Lets go of a large buffer that was decoded. */
function forget(buffer) {
  if (data !== buffer) return
  data = Buffer.alloc(0)
  view = new DataView(data.buffer)
}

function take(n) {
  const from = at
  if (n > end - from) throw corrupt(`expected ${n} bytes, found ${end - from}`)
  at = from + n
  return from
}

function read() {
  if (at >= end) throw corrupt('expected a value, found the end')
  const head = data[at++]
  if (head < 0x80) return head
  if (head < 0x90) return map(head & 0x0f)
  if (head < 0xa0) return list(head & 0x0f)
  if (head < 0xc0) return text(head & 0x1f)
  if (head >= 0xe0) return head - 256
  return marked(head)
}

function marked(head) {
  switch (head) {
    case 0xc0: return null
    case 0xc2: return false
    case 0xc3: return true
    case 0xc4: return bin(view.getUint8(take(1)))
    case 0xc5: return bin(view.getUint16(take(2)))
    case 0xc6: return bin(view.getUint32(take(4)))
    case 0xc7: return extension(view.getUint8(take(1)))
    case 0xc8: return extension(view.getUint16(take(2)))
    case 0xc9: return extension(view.getUint32(take(4)))
    case 0xca: return view.getFloat32(take(4))
    case 0xcb: return view.getFloat64(take(8))
    case 0xcc: return view.getUint8(take(1))
    case 0xcd: return view.getUint16(take(2))
    case 0xce: return view.getUint32(take(4))
    case 0xcf: return exact(view.getBigUint64(take(8)))
    case 0xd0: return view.getInt8(take(1))
    case 0xd1: return view.getInt16(take(2))
    case 0xd2: return view.getInt32(take(4))
    case 0xd3: return exact(view.getBigInt64(take(8)))
    case 0xd4: return extension(1)
    case 0xd5: return extension(2)
    case 0xd6: return extension(4)
    case 0xd7: return extension(8)
    case 0xd8: return extension(16)
    case 0xd9: return text(view.getUint8(take(1)))
    case 0xda: return text(view.getUint16(take(2)))
    case 0xdb: return text(view.getUint32(take(4)))
    case 0xdc: return list(view.getUint16(take(2)))
    case 0xdd: return list(view.getUint32(take(4)))
    case 0xde: return map(view.getUint16(take(2)))
    case 0xdf: return map(view.getUint32(take(4)))
    default: throw corrupt('expected a type byte, found 0xc1')
  }
}

/** A number where it is exact, else a BigInt. */
function exact(n) {
  return n >= -9007199254740991n && n <= 9007199254740991n ? Number(n) : n
}

function bin(n) {
  const from = take(n)
  return Buffer.from(data.subarray(from, from + n))
}

const utf8 = (from, n) => utf8At(data, from, n)

function text(n) {
  const from = take(n)
  return textAt(data, view, from, n, end)
}

function fieldName(n) {
  const from = take(n)
  return nameAt(data, view, from, n, end)
}

function deeper() {
  if (++depth > MAX_DEPTH) throw corrupt(`expected at most ${MAX_DEPTH} levels, found more`)
}

function list(n) {
  if (n > end - at) throw corrupt(`expected ${n} items, found ${end - at} bytes`)
  deeper()
  const items = new Array(n)
  const d = data
  const v = view
  let p = at
  for (let i = 0; i < n; i++) {
    // Numbers and short texts are read here: rows of them would pay for a call each.
    const head = p < end ? d[p] : 0xc1
    if (head < 0x80) {
      items[i] = head
      p++
    } else if (head === 0xcd && p + 3 <= end) {
      items[i] = (d[p + 1] << 8) | d[p + 2]
      p += 3
    } else if (head >= 0xa0 && head < 0xc0 && p + (head & 0x1f) < end) {
      const length = head & 0x1f
      items[i] = textAt(d, v, p + 1, length, end)
      p += 1 + length
    } else if (head === 0xce && p + 5 <= end) {
      items[i] = v.getUint32(p + 1)
      p += 5
    } else if (head === 0xcb && p + 9 <= end) {
      items[i] = v.getFloat64(p + 1)
      p += 9
    } else {
      at = p
      items[i] = read()
      p = at
    }
  }
  at = p
  depth--
  return items
}

/** An object where every key is text, else a Map. */
function map(n) {
  if (n * 2 > end - at) throw corrupt(`expected ${n} pairs, found ${end - at} bytes`)
  deeper()
  if (n === 0 || n > MOST_FIELDS) return n > MANY_FIELDS ? dictionary(n) : fields({}, 0, n)
  const d = data
  const slot = (n * 31 + d[at] * 7 + d[at + 1] * 131 + d[at + 2] * 29) & (SLOTS - 1)
  const shape = shapes[slot]
  if (shape !== undefined && shape.read !== undefined && shape.keys.length === n) {
    const object = shape.read(d, view, at, end)
    depth--
    return object
  }
  const object = fields({}, 0, n)
  if (!(object instanceof Map)) learn(slot, object, HOOKS)
  return object
}

/** An object of very many fields: without a prototype it takes them faster. */
function dictionary(n) {
  const object = fields(Object.create(null), 0, n)
  return object instanceof Map ? object : Object.setPrototypeOf(object, Object.prototype)
}

/** Reads the pairs from number `done` on into an object, or into a Map in its place. */
function fields(object, done, n) {
  for (let i = done; i < n; i++) {
    const head = at < end ? data[at] : 0
    let key
    if (head >= 0xa0 && head < 0xc0) {
      at++
      key = fieldName(head & 0x1f)
    } else {
      key = read()
    }
    if (typeof key !== 'string') return mixed(object, n - i, key)
    // As a field of its own: assigning it would set the prototype.
    if (key === '__proto__') {
      Object.defineProperty(object, key, { value: read(), writable: true, enumerable: true, configurable: true })
    } else {
      object[key] = read()
    }
  }
  depth--
  return object
}

/** For functions of shapes: the value at a position; `position` is where it ended. */
function readAt(from) {
  at = from
  return read()
}

const position = () => at

/** Leaves a function of a shape whose fields ended at a position. */
function finish(to, object) {
  at = to
  return object
}

/** Reads on at a position where another field came than the shape has. */
function readOn(from, keys, values) {
  at = from
  const object = {}
  for (let i = 0; i < values.length; i++) object[keys[i]] = values[i]
  const whole = fields(object, values.length, keys.length)
  depth++ // the caller's level is counted by the caller
  return whole
}

const HOOKS = { readAt, position, finish, readOn, textAt }

/** What began as an object and has a key that is no text. */
function mixed(object, left, key) {
  const entries = new Map(Object.entries(object))
  entries.set(key, read())
  mixedMap(entries, left - 1)
  depth--
  return entries
}

function mixedMap(entries, n) {
  for (let i = 0; i < n; i++) {
    const key = read()
    entries.set(key, read())
  }
  return entries
}

function extension(n) {
  const type = view.getInt8(take(1))
  const from = take(n)
  const stop = at
  const value = extended(type, from, n)
  if (at !== stop) throw corrupt(`extension ${type}: expected ${n} bytes`)
  return value
}

/** What an extension stands for here; the nearest thing where JavaScript lacks the type. */
function extended(type, from, n) {
  switch (type) {
    case -1: return timestamp(from, n)
    case 1: return inside(from)
    case 2: return new Set(itemsOf(inside(from)))
    case 3: return BigInt.asIntN(n * 8, BigInt(`0x${data.toString('hex', from, from + n) || '0'}`))
    case 4: case 5: case 6: case 9: return utf8(from, n)
    case 7: return uuid(data.toString('hex', from, from + n))
    case 8: return complex(from, n)
    case 10: return arrayOf(inside(from))
    case 11: return named(from)
    case 12: return undefined
    // An omitted argument of a key, whose default has no encoding.
    case 13: return undefined
    default:
      throw new TwatCacheError(`MessagePack: extension type ${type} is not known to this version`, 'TWAT_E_UNSUPPORTED')
  }
}

function inside(from) {
  at = from
  deeper()
  const value = read()
  depth--
  return value
}

function itemsOf(value) {
  if (!Array.isArray(value)) throw corrupt('set: expected an array of items')
  return value
}

function timestamp(from, n) {
  if (n === 4) return new Date(view.getUint32(from) * 1000)
  if (n === 8) {
    const high = view.getUint32(from)
    const seconds = (high & 3) * 2 ** 32 + view.getUint32(from + 4)
    return new Date(seconds * 1000 + Math.floor((high >>> 2) / 1e6))
  }
  if (n !== 12) throw corrupt(`timestamp: expected 4, 8 or 12 bytes, found ${n}`)
  return new Date(Number(view.getBigInt64(from + 4)) * 1000 + Math.floor(view.getUint32(from) / 1e6))
}

function uuid(hex) {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function complex(from, n) {
  if (n !== 16) throw corrupt(`complex: expected 16 bytes, found ${n}`)
  return [view.getFloat64(from), view.getFloat64(from + 8)]
}

function arrayOf(parts) {
  if (!Array.isArray(parts) || parts.length !== 4 || !Array.isArray(parts[1]) || !Buffer.isBuffer(parts[3]) ||
      !parts[1].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw corrupt('array: expected [type, shape, order, data]')
  }
  return makeArray(parts[0], parts[1], parts[2], parts[3])
}

/** [name, fields]. A kind of JavaScript's own is made again, other types are their fields. */
function named(from) {
  if (data[from] !== 0x92) throw corrupt('named type: expected [name, fields]')
  at = from + 1
  deeper()
  const name = read()
  const value = typeof name === 'string' && name.startsWith('js.') ? own(name) : fieldsOf(name, read())
  depth--
  return value
}

function fieldsOf(name, inner) {
  if (!Array.isArray(inner)) return inner
  if (name === 'builtins.frozenset') return new Set(inner)
  // Times with a zone or a fold have it after the instant or the text. JavaScript's Date has neither.
  return name === 'datetime.datetime' || name === 'datetime.time' ? inner[0] : inner
}

function own(name) {
  if (name === 'js.Map') return mapOf()
  if (name === 'js.Promise') {
    promised = true
    return read()
  }
  const make = makerOf(name)
  if (make === undefined) {
    throw new TwatCacheError(`MessagePack: type ${name} is not known to this version`, 'TWAT_E_UNSUPPORTED')
  }
  const inner = read()
  try {
    return make(inner)
  } catch (error) {
    throw corrupt(`${name}: ${error.message}`)
  }
}

/** A map as a Map, whatever its keys are. */
function mapOf() {
  const head = data[at++]
  let n = head & 0x0f
  if (head === 0xde) n = view.getUint16(take(2))
  else if (head === 0xdf) n = view.getUint32(take(4))
  else if ((head & 0xf0) !== 0x80) throw corrupt('js.Map: expected a map')
  if (n * 2 > end - at) throw corrupt(`expected ${n} pairs, found ${end - at} bytes`)
  return mixedMap(new Map(), n)
}

module.exports = { begin, decode, forget, exact, wasPromised }
