'use strict'
// A growing buffer with MessagePack's headers and scalars: what keys and
// values have in common. One writer is used at a time; a getter or a toJSON
// that encodes while another encoding is under way gets one of its own.

const { buffer: { constants } } = require('./builtin.js')
const { argument, flags } = require('./binding.js')
const { TwatCacheError } = require('./errors.js')

/** The flag that says that the argument buffer is in use. */
const BUSY = 0
const TWO_32 = 2 ** 32
const MAX_EXACT = 2 ** 53
const MIN_I64 = -(2n ** 63n)
const TWO_64 = 2n ** 64n
const MAX_DEPTH = 512
/** Text below so many units is tried as ASCII in JavaScript. */
const SHORT = 48
const MAX_LENGTH = 2 ** 32 - 1
/** Node reads no longer UTF-8 as a string, though it may write it. */
const MAX_TEXT = constants.MAX_STRING_LENGTH

function tooLarge(found) {
  return new TwatCacheError(`value: expected what can be read again, got ${found}`, 'TWAT_E_TOO_LARGE')
}

class Writer {
  constructor(home) {
    this.home = home
    this.reset()
  }

  reset() {
    this.out = this.home
    this.view = new DataView(this.out.buffer, this.out.byteOffset, this.out.length)
    this.at = 0
    this.depth = 0
    /** Whether kinds are told apart that other languages do not have (keys.js). */
    this.exact = false
  }

  /** Makes room for n more bytes. */
  room(n) {
    if (this.at + n <= this.out.length) return
    const needed = this.at + n
    if (needed > constants.MAX_LENGTH) throw tooLarge(`more than ${constants.MAX_LENGTH} bytes`)
    const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(this.out.length * 2, needed), constants.MAX_LENGTH))
    this.out.copy(grown, 0, 0, this.at)
    this.out = grown
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length)
  }

  byte(value) {
    if (this.at === this.out.length) this.room(1)
    this.out[this.at++] = value
  }

  /** The shortest of an 8, 16 or 32 bit length after its head byte. */
  length(n, head8, head16) {
    if (n > MAX_LENGTH) throw tooLarge(`${n} bytes or items, where MessagePack has room for ${MAX_LENGTH}`)
    this.room(5)
    if (n < 256 && head8 !== 0) {
      this.out[this.at] = head8
      this.out[this.at + 1] = n
      this.at += 2
    } else if (n < 65536) {
      this.out[this.at] = head16
      this.view.setUint16(this.at + 1, n)
      this.at += 3
    } else {
      this.out[this.at] = head16 + 1
      this.view.setUint32(this.at + 1, n)
      this.at += 5
    }
  }

  bytes(data) {
    this.room(data.length)
    this.out.set(data, this.at)
    this.at += data.length
  }

  bin(data) {
    this.length(data.length, 0xc4, 0xc5)
    this.bytes(data)
  }

  array(n) {
    if (n < 16) this.byte(0x90 | n)
    else this.length(n, 0, 0xdc)
  }

  map(n) {
    if (n < 16) this.byte(0x80 | n)
    else this.length(n, 0, 0xde)
  }

  /** The header of a map of n pairs that were written behind a byte at `start`. */
  countMap(start, n) {
    if (n < 16) {
      this.out[start] = 0x80 | n
      return
    }
    const head = n < 65536 ? 3 : 5
    this.room(head)
    this.out.copyWithin(start + head, start + 1, this.at)
    const stop = this.at + head - 1
    this.at = start
    this.map(n)
    this.at = stop
  }

  ext(type, n) {
    const fixed = n === 1 || n === 2 || n === 4 || n === 8 || n === 16
    if (fixed) this.byte(0xd4 + Math.log2(n))
    else this.length(n, 0xc7, 0xc8)
    this.byte(type & 0xff)
  }

  /** An extension whose payload `write` puts down: moved behind its header. */
  extOf(type, write) {
    const start = this.at
    write()
    const n = this.at - start
    this.room(6)
    const { out } = this
    this.at = start
    const fixed = n === 1 || n === 2 || n === 4 || n === 8 || n === 16
    const head = fixed ? 2 : n < 256 ? 3 : n < 65536 ? 4 : 6
    out.copyWithin(start + head, start, start + n)
    this.ext(type, n)
    this.at += n
  }

  float(value) {
    this.room(9)
    this.out[this.at] = 0xcb
    this.view.setFloat64(this.at + 1, value)
    this.at += 9
  }

  /** Any number: an integer where it is one. An integer of 2^53 would be read as a BigInt, as those above it are. */
  number(n) {
    if (n > 0 && n < 65536 && (n | 0) === n) {
      if (this.at + 3 > this.out.length) this.room(3)
      const { out, at } = this
      if (n < 128) {
        out[at] = n
        this.at = at + 1
      } else if (n < 256) {
        out[at] = 0xcc
        out[at + 1] = n
        this.at = at + 2
      } else {
        out[at] = 0xcd
        out[at + 1] = n >> 8
        out[at + 2] = n & 0xff
        this.at = at + 3
      }
    } else if (Number.isSafeInteger(n) && (n !== 0 || Object.is(n, 0))) {
      this.integer(n)
    } else {
      this.float(n)
    }
  }

  /** Bytes as big-endian words of 32 bits, the last of them filled up. */
  words(words, size) {
    if (this.at + size + 4 > this.out.length) this.room(size + 4)
    const { view, at } = this
    for (let i = 0; i < words.length; i++) view.setInt32(at + 4 * i, words[i])
    this.at = at + size
  }

  /** An integer within ±2^53. */
  integer(n) {
    this.room(9)
    const { out, view } = this
    let at = this.at
    if (n >= 0) {
      if (n < 128) {
        out[at++] = n
      } else if (n < 256) {
        out[at] = 0xcc
        out[at + 1] = n
        at += 2
      } else if (n < 65536) {
        out[at] = 0xcd
        view.setUint16(at + 1, n)
        at += 3
      } else if (n < TWO_32) {
        out[at] = 0xce
        view.setUint32(at + 1, n)
        at += 5
      } else {
        out[at] = 0xcf
        view.setUint32(at + 1, Math.floor(n / TWO_32))
        view.setUint32(at + 5, n >>> 0)
        at += 9
      }
    } else if (n >= -32) {
      out[at++] = n & 0xff
    } else if (n >= -128) {
      out[at] = 0xd0
      view.setInt8(at + 1, n)
      at += 2
    } else if (n >= -32768) {
      out[at] = 0xd1
      view.setInt16(at + 1, n)
      at += 3
    } else if (n >= -(2 ** 31)) {
      out[at] = 0xd2
      view.setInt32(at + 1, n)
      at += 5
    } else {
      out[at] = 0xd3
      view.setInt32(at + 1, Math.floor(n / TWO_32))
      view.setUint32(at + 5, n >>> 0)
      at += 9
    }
    this.at = at
  }

  bigint(n) {
    if (n >= -9007199254740992n && n <= 9007199254740992n) return this.integer(Number(n))
    if (n >= MIN_I64 && n < TWO_64) {
      this.room(9)
      this.out[this.at] = n < 0n ? 0xd3 : 0xcf
      this.view.setBigUint64(this.at + 1, BigInt.asUintN(64, n))
      this.at += 9
      return
    }
    this.bigExtension(n)
  }

  /** Two's complement, big-endian, as few bytes as hold the sign. */
  bigExtension(n) {
    const magnitude = n < 0n ? -n - 1n : n
    const digits = magnitude.toString(16)
    const bits = digits.length * 4 - Math.clz32(parseInt(digits[0], 16)) + 28
    const size = Math.floor(bits / 8) + 1
    const hex = BigInt.asUintN(size * 8, n).toString(16).padStart(size * 2, '0')
    this.ext(3, size)
    this.bytes(Buffer.from(hex, 'hex'))
  }

  string(text) {
    const n = text.length
    if (n < SHORT && this.ascii(text, n)) return
    if (!text.isWellFormed()) {
      throw new TwatCacheError('expected well-formed text, got a lone surrogate')
    }
    const size = Buffer.byteLength(text)
    if (size > MAX_TEXT) throw tooLarge(`text of ${size} bytes, where this Node reads at most ${MAX_TEXT}`)
    if (size < 32) this.byte(0xa0 | size)
    else this.length(size, 0xd9, 0xda)
    this.room(size)
    this.at += this.out.write(text, this.at, size, 'utf8')
  }

  /** Short text without a call into native code, four units at a time; false if it is not ASCII. */
  ascii(text, n) {
    if (this.at + n + 2 > this.out.length) this.room(n + 2)
    const { out, view } = this
    const head = n < 32 ? 1 : 2
    const start = this.at + head
    let bits = 0
    let i = 0
    for (; i + 4 <= n; i += 4) {
      const a = text.charCodeAt(i)
      const b = text.charCodeAt(i + 1)
      const c = text.charCodeAt(i + 2)
      const d = text.charCodeAt(i + 3)
      bits |= a | b | c | d
      view.setInt32(start + i, (a << 24) | (b << 16) | (c << 8) | d)
    }
    for (; i < n; i++) {
      const c = text.charCodeAt(i)
      bits |= c
      out[start + i] = c
    }
    if (bits > 127) return false
    if (head === 1) {
      out[this.at] = 0xa0 | n
    } else {
      out[this.at] = 0xd9
      out[this.at + 1] = n
    }
    this.at = start + n
    return true
  }

  /** A level deeper; a cycle never comes up again. */
  enter() {
    if (++this.depth > MAX_DEPTH) {
      throw new TwatCacheError(`expected at most ${MAX_DEPTH} levels, found more: is there a cycle?`)
    }
  }

  leave() {
    this.depth--
  }
}

const shared = new Writer(argument)

/**
 * Runs `write(writer)` and returns what it wrote: the number of bytes, if they
 * lie in the argument buffer of the native part, else a Buffer.
 */
function encode(write, value) {
  if (flags[BUSY] === 1) return nested(write, value)
  flags[BUSY] = 1
  shared.at = 0
  try {
    write(shared, value)
    return shared.out === argument ? shared.at : shared.out.subarray(0, shared.at)
  } finally {
    flags[BUSY] = 0
    if (shared.out !== argument || shared.depth !== 0 || shared.exact) shared.reset()
  }
}

function nested(write, value) {
  const writer = new Writer(Buffer.allocUnsafeSlow(1024))
  write(writer, value)
  return writer.out.subarray(0, writer.at)
}

/** The same as bytes of their own. */
function encodeToBuffer(write, value) {
  const written = encode(write, value)
  return typeof written === 'number' ? Buffer.from(argument.subarray(0, written)) : written
}

module.exports = { Writer, encode, encodeToBuffer, MAX_EXACT }
