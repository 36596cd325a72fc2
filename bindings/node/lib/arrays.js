'use strict'
// Typed arrays, and arrays of more dimensions, which JavaScript lacks.

const { wrongType, describe, TwatCacheError } = require('./errors.js')

const DTYPES = [
  [Int8Array, '|i1'], [Uint8ClampedArray, '|u1'], [Uint8Array, '|u1'], [Int16Array, '<i2'], [Uint16Array, '<u2'],
  [Int32Array, '<i4'], [Uint32Array, '<u4'], [Float32Array, '<f4'], [Float64Array, '<f8'],
  [BigInt64Array, '<i8'], [BigUint64Array, '<u8'],
]
const CONSTRUCTORS = new Map(DTYPES.map(([constructor, dtype]) => [dtype, constructor]))

/** An array of any type and shape: `dtype` and `order` as NumPy writes them. */
class NdArray {
  constructor(data, shape, dtype = dtypeOf(data), order = 'C') {
    if (!ArrayBuffer.isView(data)) throw wrongType(`NdArray: expected a typed array, found ${describe(data)}`)
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw wrongType('NdArray: expected a shape of integers from 0')
    }
    this.data = data
    this.shape = shape
    this.dtype = dtype
    this.order = order
  }
}

function dtypeOf(data) {
  return DTYPES.find(([constructor]) => data instanceof constructor)?.[1]
}

/** [dtype, shape, order, bytes] of what is stored as an array; undefined for the rest. */
function describeArray(value) {
  if (value instanceof NdArray) {
    const { data } = value
    return [value.dtype, value.shape, value.order, bytesOf(data)]
  }
  if (ArrayBuffer.isView(value) && !(value instanceof Uint8Array) && !(value instanceof DataView)) {
    return [dtypeOf(value), [value.length], 'C', bytesOf(value)]
  }
  return undefined
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

module.exports = { NdArray, describeArray, makeArray, bytesOf, inOrderC }
