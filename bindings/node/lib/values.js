'use strict'
// Values with their format byte, and the keys of direct use (docs/format.md).

const { buffer: { isUtf8 } } = require('./builtin.js')
const { encode } = require('./writer.js')
const { encodeAny, encodeToBuffer, isStrict } = require('./encode.js')
const { requireJson } = require('./json.js')
const { requireWhole } = require('./wholeness.js')
const { encodeKey, KEY_VERSION } = require('./keys.js')
const { Tuple } = require('./extensions.js')
const { begin, decode, forget, exact } = require('./decode.js')
const { isBranded } = require('./brand.js')
const { describeArray, makeArray } = require('./arrays.js')
const { types, isBuffer, bytesOf } = require('./kinds.js')
const { TwatCacheError, wrongType, describe } = require('./errors.js')

const FORMATS = { 0: 'raw bytes', 1: 'MessagePack', 2: 'JSON', 3: 'an array', 4: 'a counter', 16: 'a pickle', 17: 'a pickle' }

function writeMsgpack(w, value) {
  const described = typeof value === 'object' && value !== null && !types.isUint8Array(value) ? describeArray(value) : undefined
  if (described) {
    requireWhole(value)
    return writeArray(w, described)
  }
  w.byte(1)
  encodeAny(w, value)
}

/** Format 3: the data begins on a 64-byte boundary of the value. */
function writeArray(w, [dtype, shape, order, bytes]) {
  const base = w.at
  w.byte(3)
  w.byte(order.charCodeAt(0))
  w.byte(shape.length)
  w.byte(dtype.length)
  w.room(8 * shape.length + dtype.length + 64)
  for (const n of shape) {
    w.view.setBigUint64(w.at, BigInt(n), true)
    w.at += 8
  }
  w.at += w.out.write(dtype, w.at, 'latin1')
  const start = base + Math.ceil((w.at - base) / 64) * 64
  w.out.fill(0, w.at, start)
  w.at = start
  w.bytes(bytes)
}

/** Only MessagePack tells a promise from its value. */
function requireSettled(value) {
  if (isBranded(value, 'Promised')) throw wrongType('expected a result that is no promise; give the option async: true, or no encoding')
}

function writeJson(w, value) {
  requireSettled(value)
  requireJson(value, isStrict())
  let text
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw wrongType(`expected a value that JSON can hold: ${error.message}`)
  }
  if (text === undefined) throw wrongType(`expected a value that JSON can hold, got ${describe(value)}`)
  w.byte(2)
  const size = Buffer.byteLength(text)
  w.room(size)
  w.at += w.out.write(text, w.at, size, 'utf8')
}

function writeBinary(w, value) {
  requireSettled(value)
  const bytes = bytesOf(value)
  if (!bytes) throw wrongType(`expected bytes (Buffer, Uint8Array, ArrayBuffer, DataView), got ${describe(value)}`)
  w.byte(0)
  w.bytes(bytes)
}

const WRITERS = { msgpack: writeMsgpack, json: writeJson, binary: writeBinary }

function writerOf(encoding) {
  if (!Object.hasOwn(WRITERS, encoding)) {
    throw new TwatCacheError(`encoding: expected one of msgpack json binary, got: ${encoding}`, 'TWAT_E_CONFIG')
  }
  return WRITERS[encoding]
}

function unreadable(format) {
  const what = FORMATS[format] ?? `format ${format}, which this version does not know`
  const python = format === 16 || format === 17 ? ', which only Python reads' : ''
  return new TwatCacheError(`the value is ${what}${python}`, 'TWAT_E_UNSUPPORTED')
}

/** The bytes of a value in buffer[start, stop): raw ones, or those that `set` got. */
function decodeBytes(buffer, start, stop) {
  const format = start < stop ? buffer[start] : undefined
  if (format === 0) return Buffer.from(buffer.subarray(start + 1, stop))
  const value = format === 1 ? decode(buffer, start + 1, stop) : undefined
  const bytes = value !== null && typeof value === 'object' ? bytesOf(value) : undefined
  if (bytes !== undefined) return isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const error = unreadable(format ?? 'empty')
  if (format >= 1 && format <= 4) error.message += ': expected bytes for getBuffer; read it with get'
  throw error
}

/** The value in buffer[start, stop); what it returns shares no memory with the buffer. */
function decodeValue(buffer, start, stop) {
  if (stop <= start) throw new TwatCacheError('expected a format byte, found an empty value', 'TWAT_E_CORRUPT')
  const format = buffer[start]
  begin()
  switch (format) {
    case 0: return Buffer.from(buffer.subarray(start + 1, stop))
    case 1: return decode(buffer, start + 1, stop)
    case 2: return json(buffer, start + 1, stop)
    case 3: return array(buffer.subarray(start, stop))
    case 4: return counter(buffer, start + 1, stop)
    default: throw unreadable(format)
  }
}

function json(buffer, start, stop) {
  try {
    return JSON.parse(buffer.utf8Slice(start, stop))
  } catch (error) {
    if (error.code === 'ERR_STRING_TOO_LONG') throw new TwatCacheError(`JSON: ${error.message}`, 'TWAT_E_TOO_LARGE')
    throw new TwatCacheError(`JSON: ${error.message}`, 'TWAT_E_CORRUPT')
  }
}

function counter(buffer, start, stop) {
  if (stop - start !== 8) throw new TwatCacheError('counter: expected 8 bytes', 'TWAT_E_CORRUPT')
  return exact(buffer.readBigInt64LE(start))
}

function array(value) {
  const [, order, n, t] = value
  const head = 4 + 8 * n + t
  const start = Math.ceil(head / 64) * 64
  if (!(value.length >= start)) throw new TwatCacheError('array: expected its header, found the end', 'TWAT_E_CORRUPT')
  const shape = []
  for (let i = 0; i < n; i++) shape.push(Number(value.readBigUInt64LE(4 + 8 * i)))
  const dtype = value.latin1Slice(4 + 8 * n, head)
  return makeArray(dtype, shape, String.fromCharCode(order), value.subarray(start))
}

// --- keys of direct use ------------------------------------------------------

function writeDirectKey(w, key) {
  w.byte(0x00)
  w.byte(0xff)
  encodeKey(w, key)
}

/** Text and bytes are themselves; integers and lists of keys are encoded. */
function directKey(key) {
  if (typeof key === 'string') return key
  const whole = Number.isSafeInteger(key) || typeof key === 'bigint'
  if (whole) return encodeToBuffer(writeDirectKey, key)
  if (Array.isArray(key)) return encodeToBuffer(writeDirectKey, tupleOf(key))
  const bytes = key !== null && typeof key === 'object' ? bytesOf(key) : undefined
  if (bytes) return bytes
  throw wrongType(`key: expected text, bytes, an integer or a list of these, got ${describe(key)}`)
}

function tupleOf(key) {
  for (const part of key) {
    const fits = typeof part === 'string' || typeof part === 'bigint' || Number.isSafeInteger(part) ||
      types.isUint8Array(part) || Array.isArray(part)
    if (!fits) throw wrongType(`key: expected text, bytes, integers or lists of these, got ${describe(part)}`)
  }
  return Tuple.from(key, (part) => (Array.isArray(part) ? tupleOf(part) : part))
}

/** A stored key as it was given: text, a number or a list; else its bytes. */
function givenKey(bytes) {
  if (bytes[0] === 0x00 && bytes[1] === 0xff) return decode(bytes, 2, bytes.length)
  return isUtf8(bytes) ? bytes.utf8Slice(0, bytes.length) : bytes
}

/** The call that a stored key of a memoized function stands for; undefined for other keys. */
function callOf(key) {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  if (!types.isUint8Array(bytes) || bytes[0] !== 0x94) return undefined
  let parts
  try {
    parts = decode(Buffer.from(bytes), 0, bytes.length)
  } catch (error) {
    if (error.code !== undefined) return undefined
    throw error
  }
  const [version, name, args, kwargs] = parts
  return version === KEY_VERSION && Array.isArray(args) ? { name, args, kwargs } : undefined
}

module.exports = { callOf, encode, writerOf, writeBinary, decodeValue, decodeBytes, directKey, givenKey, forget }
