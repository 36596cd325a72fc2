'use strict'
// Types of other languages that JavaScript lacks, for arguments and values
// that are shared. Read back, they are the nearest JavaScript type.

const { wrongType, describe } = require('./errors.js')
const { brand, brandInstances } = require('./brand.js')

/** A list that other languages write as a tuple. */
class Tuple extends Array {}

/** A number that other languages write as a float even where it is integral. */
class Float {
  constructor(value) {
    if (typeof value !== 'number') throw wrongType(`Float: expected a number, found ${describe(value)}`)
    this.value = value
  }
}

function textOf(what, text) {
  if (typeof text !== 'string') throw wrongType(`${what}: expected text, found ${describe(text)}`)
  return Buffer.from(text)
}

/** A MessagePack extension: a type number and its bytes, or a value in it. */
class Extension {
  constructor(type, payload, inner) {
    this.type = type
    this.payload = payload
    this.inner = inner
  }

  static decimal(text) {
    return new Extension(4, textOf('decimal', text))
  }

  static date(text) {
    return new Extension(5, textOf('date', text))
  }

  static time(text) {
    return new Extension(6, textOf('time', text))
  }

  static uuid(text) {
    const hex = String(text).replaceAll('-', '')
    if (!/^[0-9a-f]{32}$/i.test(hex)) throw wrongType(`uuid: expected 32 hexadecimal digits, found ${describe(text)}`)
    return new Extension(7, Buffer.from(hex, 'hex'))
  }

  static complex(real, imaginary) {
    const payload = Buffer.alloc(16)
    payload.writeDoubleBE(real, 0)
    payload.writeDoubleBE(imaginary, 8)
    return new Extension(8, payload)
  }

  static path(text) {
    return new Extension(9, textOf('path', text))
  }

  static named(name, fields) {
    return new Extension(11, undefined, [name, fields])
  }

  /** An instant more exact than a Date. */
  static timestamp(seconds, nanoseconds = 0) {
    return new Extension(-1, timestamp(seconds, nanoseconds))
  }
}

for (const [kind, name] of [[Tuple, 'Tuple'], [Float, 'Float'], [Extension, 'Extension']]) {
  brand(kind, name)
  brandInstances(kind, name)
}

/** The shortest of 32, 64 and 96 bits. */
function timestamp(seconds, nanoseconds) {
  if (nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32) {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(seconds)
    return payload
  }
  if (seconds >= 0 && seconds < 2 ** 34) {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / 2 ** 32))
    payload.writeUInt32BE(seconds % 2 ** 32, 4)
    return payload
  }
  const payload = Buffer.alloc(12)
  payload.writeUInt32BE(nanoseconds)
  payload.writeBigInt64BE(BigInt(seconds), 4)
  return payload
}

module.exports = { Tuple, Float, Extension, timestamp }
