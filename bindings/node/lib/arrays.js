'use strict'
// Typed arrays, and arrays of more dimensions, which JavaScript lacks.

const { wrongType, describe, TwatCacheError } = require('./errors.js')
const { viewName } = require('./kinds.js')
const { brand, brandInstances, isBranded } = require('./brand.js')

/** Kind of typed array to type text. Arrays of other languages are read as these, too. */
const DTYPES = new Map([
  ['Uint8Array', '|u1'], ['Int8Array', '|i1'], ['Int16Array', '<i2'], ['Uint16Array', '<u2'], ['Int32Array', '<i4'],
  ['Uint32Array', '<u4'], ['Float32Array', '<f4'], ['Float64Array', '<f8'], ['BigInt64Array', '<i8'], ['BigUint64Array', '<u8'],
])
const CONSTRUCTORS = new Map([...DTYPES].map(([name, dtype]) => [dtype, globalThis[name]]))
/** Kinds that JavaScript alone has: the type text of the array inside of their form. */
const OWN_KINDS = new Map([['Uint8ClampedArray', '|u1'], ['Float16Array', '<f2']])

/** An array of any type and shape: `dtype` and `order` as NumPy writes them. */
class NdArray {
  constructor(data, shape, dtype = dtypeOf(data), order = 'C') {
    if (!ArrayBuffer.isView(data)) throw wrongType(`NdArray: expected a typed array, got ${describe(data)}`)
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw wrongType('NdArray: expected a shape of integers from 0')
    }
    this.data = data
    this.shape = shape
    this.dtype = dtype
    this.order = order
  }
}

brand(NdArray, 'NdArray')
brandInstances(NdArray, 'NdArray')

function dtypeOf(data) {
  const name = viewName(data)
  return DTYPES.get(name) ?? OWN_KINDS.get(name)
}

/** [dtype, shape, order, bytes] of what is stored as an array; undefined for the rest. */
function describeArray(value) {
  const dtype = DTYPES.get(viewName(value))
  if (dtype !== undefined) return [dtype, [value.length], 'C', bytesOf(value)]
  if (!isBranded(value, 'NdArray')) return undefined
  const { data, shape, order } = value
  if (!ArrayBuffer.isView(data)) throw wrongType(`NdArray: expected a typed array, got ${describe(data)}`)
  return [value.dtype, shape, order, bytesOf(data)]
}

function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** The data of an array in order F, as it lies in order C. */
function inOrderC(bytes, shape) {
  const count = shape.reduce((a, b) => a * b, 1)
  const size = count === 0 ? 0 : bytes.length / count
  const out = new Uint8Array(bytes.length)
  const index = shape.map(() => 0)
  for (let at = 0; at < count; at++) {
    let from = 0
    for (let axis = shape.length - 1; axis >= 0; axis--) from = from * shape[axis] + index[axis]
    out.set(bytes.subarray(from * size, (from + 1) * size), at * size)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0
  }
  return out
}

/** A typed array where one fits, else an NdArray; the bytes are copied. */
function makeArray(dtype, shape, order, bytes) {
  const constructor = CONSTRUCTORS.get(dtype)
  const count = shape.reduce((a, b) => a * b, 1)
  const own = new Uint8Array(bytes)
  if (!constructor) return new NdArray(own, shape, dtype, order)
  if (own.length !== count * constructor.BYTES_PER_ELEMENT) {
    throw new TwatCacheError(
      `array: expected ${count} items of type ${dtype}, found ${own.length} bytes`, 'TWAT_E_CORRUPT')
  }
  const data = new constructor(own.buffer)
  return shape.length === 1 ? data : new NdArray(data, shape, dtype, order)
}

module.exports = { NdArray, OWN_KINDS, describeArray, makeArray, inOrderC }
