'use strict'
// Stored forms of JavaScript's own kinds: extension 11 with a name that begins
// with `js.` (docs/format.md, "JavaScript's own kinds"). Other languages read
// what is inside.

const { types, viewName, isPlain, isUrl, isQuery, isHeaders, bytesOf } = require('./kinds.js')
const { OWN_KINDS, NdArray } = require('./arrays.js')
const { isBranded } = require('./brand.js')
const { wrongType } = require('./errors.js')

const bufferOver = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The name and content of a value that has such a form; undefined for the rest. */
function formOf(value) {
  return formOfMemory(value) ?? formOfBox(value) ?? formOfObject(value)
}

/** Memory that no other language tells apart from bytes or an array. */
function formOfMemory(value) {
  const name = viewName(value)
  if (name === 'Uint8Array') return ['js.Uint8Array', bufferOver(value)]
  if (OWN_KINDS.has(name)) return [`js.${name}`, new NdArray(value, [value.length], OWN_KINDS.get(name))]
  if (types.isDataView(value)) return ['js.DataView', bufferOver(bytesOf(value))]
  if (!types.isAnyArrayBuffer(value)) return undefined
  const shared = types.isSharedArrayBuffer(value)
  if (value.resizable || value.growable) throw wrongType('expected a value that can be stored, got a resizable ArrayBuffer: store a Buffer over it')
  if (value.detached) throw wrongType('expected a value that can be stored, got a detached ArrayBuffer')
  return [shared ? 'js.SharedArrayBuffer' : 'js.ArrayBuffer', bufferOver(bytesOf(value))]
}

const BOXES = [
  [types.isNumberObject, 'js.Number', Number.prototype.valueOf],
  [types.isStringObject, 'js.String', String.prototype.valueOf],
  [types.isBooleanObject, 'js.Boolean', Boolean.prototype.valueOf],
  [types.isBigIntObject, 'js.BigInt', BigInt.prototype.valueOf],
]

function formOfBox(value) {
  if (!types.isBoxedPrimitive(value)) return undefined
  const box = BOXES.find(([is]) => is(value))
  return box && [box[1], box[2].call(value)]
}

function formOfObject(value) {
  if (types.isRegExp(value)) return ['js.RegExp', [value.source, value.flags, value.lastIndex]]
  if (types.isNativeError(value)) return typeof value.toJSON === 'function' ? undefined : ['js.Error', errorParts(value)]
  if (isUrl(value)) return ['js.URL', value.href]
  if (isQuery(value)) return ['js.URLSearchParams', value.toString()]
  if (isHeaders(value)) return ['js.Headers', [...value]]
  return undefined
}

// --- errors ------------------------------------------------------------------

const ERRORS = new Set(['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'])

/** The built-in class of an error: its own, or the nearest that it extends. */
function errorKind(error) {
  for (let at = Object.getPrototypeOf(error); at !== null; at = Object.getPrototypeOf(at)) {
    const constructor = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof constructor === 'function' && ERRORS.has(constructor.name)) return constructor.name
  }
  return 'Error'
}

/** Whether an error is of a built-in class itself. */
function isBuiltInError(error) {
  const prototype = Object.getPrototypeOf(error)
  const constructor = prototype && Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  return typeof constructor === 'function' && ERRORS.has(constructor.name) && constructor.name === errorKind(error)
}

/** A map: fields that are there, in words that any language reads. */
function errorParts(error) {
  const kind = errorKind(error)
  const parts = { kind, message: String(error.message) }
  if (error.name !== kind) parts.name = String(error.name)
  if (typeof error.stack === 'string') parts.stack = error.stack
  if (Object.hasOwn(error, 'cause')) parts.cause = error.cause
  if (Object.hasOwn(error, 'errors')) parts.errors = error.errors
  const fields = Object.entries(error).filter(([name]) => !(name in parts))
  if (fields.length > 0) parts.fields = Object.fromEntries(fields)
  return parts
}

const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true })

function makeError({ kind, message, name, stack, fields, ...rest }) {
  if (!ERRORS.has(kind)) throw new TypeError(`error of kind ${kind}`)
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  let error
  try {
    error = kind === 'AggregateError' ? new AggregateError([], message) : new globalThis[kind](message)
  } finally {
    Error.stackTraceLimit = limit
  }
  if (name !== undefined) hidden(error, 'name', name)
  if (stack !== undefined) hidden(error, 'stack', stack)
  for (const own of ['cause', 'errors']) if (own in rest) hidden(error, own, rest[own])
  for (const [field, value] of Object.entries(fields ?? {})) {
    Object.defineProperty(error, field, { value, writable: true, enumerable: true, configurable: true })
  }
  return error
}

// --- reading -----------------------------------------------------------------

function required(holds, what) {
  if (!holds) throw new TypeError(`expected ${what}`)
}

/** An ArrayBuffer of its own, exactly as long as the bytes. */
function ownMemory(bytes, constructor = ArrayBuffer) {
  required(types.isUint8Array(bytes), 'bytes')
  const memory = new constructor(bytes.length)
  new Uint8Array(memory).set(bytes)
  return memory
}

const ofText = (make) => (text) => {
  required(typeof text === 'string', 'text')
  return make(text)
}

const boxOf = (type) => (value) => {
  required(typeof value === type, `a ${type}`)
  return Object(value)
}

function clamped(array) {
  required(types.isUint8Array(array), 'an array of bytes')
  return new Uint8ClampedArray(array.buffer)
}

/** A Node without the class reads an NdArray of type <f2. */
function halves(array) {
  required(isBranded(array, 'NdArray') && array.dtype === '<f2', 'an array of type <f2')
  return globalThis.Float16Array ? new globalThis.Float16Array(ownMemory(array.data)) : array
}

function sparse([length, fields]) {
  const array = new Array(length)
  for (const [key, value] of fields) Object.defineProperty(array, key, { value, writable: true, enumerable: true, configurable: true })
  return array
}

/** A field of its own each: assigning __proto__ would set the prototype. */
function withoutPrototype(inner) {
  required(isPlain(inner), 'a map')
  const object = Object.create(null)
  for (const name of Object.keys(inner)) object[name] = inner[name]
  return object
}

function setOf(inner) {
  required(types.isSet(inner), 'a set')
  return inner
}

const MAKERS = {
  'js.Uint8Array': (bytes) => new Uint8Array(ownMemory(bytes)),
  'js.Uint8ClampedArray': clamped,
  'js.Float16Array': halves,
  'js.ArrayBuffer': (bytes) => ownMemory(bytes),
  'js.SharedArrayBuffer': (bytes) => ownMemory(bytes, SharedArrayBuffer),
  'js.DataView': (bytes) => new DataView(ownMemory(bytes)),
  'js.Number': boxOf('number'),
  'js.String': boxOf('string'),
  'js.Boolean': boxOf('boolean'),
  'js.BigInt': boxOf('bigint'),
  'js.RegExp': ([source, flags, lastIndex]) => Object.assign(new RegExp(source, flags), { lastIndex }),
  'js.Error': makeError,
  'js.URL': ofText((href) => new URL(href)),
  'js.URLSearchParams': ofText((query) => new URLSearchParams(query)),
  'js.Headers': (pairs) => new Headers(pairs),
  'js.Array': sparse,
  'js.Object': withoutPrototype,
  'js.Set': setOf,
}

/** The function that makes a value of this name from what is inside; undefined for an unknown name. */
const makerOf = (name) => (Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined)

module.exports = { isBuiltInError, formOf, formOfMemory, makerOf }
