'use strict'
// Text of MessagePack as strings. Many short texts are cut from one string of
// a piece of the data: a call into native code for each would cost several
// times as much. A text that is kept may hold its piece, so pieces are small.

const { TwatCacheError } = require('./errors.js')

const SHORT = 64
const PIECE = 4096
let chunk = ''
let chunkStart = 0
let chunkEnd = 0
let chunkSize = 128

/** Before other data: pieces of the last one are no longer valid. */
function newData() {
  chunkEnd = 0
  chunkSize = 128
}

function utf8(data, from, n) {
  try {
    return data.utf8Slice(from, from + n)
  } catch (error) {
    throw new TwatCacheError(`text of ${n} bytes: expected what a string of this Node can hold (${error.message})`, 'TWAT_E_TOO_LARGE')
  }
}

/** The text in data[from, from + n); the data ends at `end`. */
function text(data, view, from, n, end) {
  if (n > SHORT || !isAscii(data, view, from, n)) return utf8(data, from, n)
  const to = from + n
  if (to > chunkEnd || from < chunkStart) nextChunk(data, from, end)
  return chunk.slice(from - chunkStart, to - chunkStart)
}

/** Four bytes at a time; the last four may overlap those before. */
function isAscii(data, view, from, n) {
  const to = from + n
  let bits = 0
  if (n < 4) {
    for (let i = from; i < to; i++) bits |= data[i]
    return bits < 0x80
  }
  for (let i = from; i < to - 4; i += 4) bits |= view.getInt32(i)
  return ((bits | view.getInt32(to - 4)) & 0x80808080) === 0
}

function nextChunk(data, from, end) {
  chunkStart = from
  chunkEnd = Math.min(from + chunkSize, end)
  chunk = data.latin1Slice(chunkStart, chunkEnd)
  chunkSize = Math.min(chunkSize * 2, PIECE)
}

// Names of fields repeat, so the last one of each hash is kept; a string that is already there costs a comparison.
// A dictionary of many names makes the table larger.
const LONGEST_NAME = 23
const MOST_NAMES = 2 ** 16
let known = new Array(1024).fill('')
let misses = 0

function fieldName(data, view, from, n, end) {
  if (n < 4 || n > LONGEST_NAME) return n === 0 ? '' : n < 4 ? shortName(data, view, from, n, end) : text(data, view, from, n, end)
  const last = from + n - 4
  let hash = n
  for (let i = from; i < last; i += 4) hash = Math.imul(hash ^ view.getInt32(i), 0x9e3779b1)
  hash = Math.imul(hash ^ view.getInt32(last), 0x9e3779b1)
  return lookUp((hash ^ (hash >>> 15)) & (known.length - 1), data, view, from, n, end)
}

function shortName(data, view, from, n, end) {
  let hash = n
  for (let i = 0; i < n; i++) hash = Math.imul(hash ^ data[from + i], 0x9e3779b1)
  return lookUp((hash ^ (hash >>> 15)) & (known.length - 1), data, view, from, n, end)
}

function lookUp(spot, data, view, from, n, end) {
  const name = known[spot]
  if (name.length === n && isSame(name, data, from, n)) return name
  const made = text(data, view, from, n, end)
  if (made.length === n) {
    known[spot] = made
    if (++misses > 4 * known.length && known.length < MOST_NAMES) grow()
  }
  return made
}

function grow() {
  known = new Array(known.length * 4).fill('')
  misses = 0
}

function isSame(name, data, from, n) {
  for (let i = 0; i < n; i++) if (name.charCodeAt(i) !== data[from + i]) return false
  return true
}

module.exports = { text, utf8, fieldName, newData }
