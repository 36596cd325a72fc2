'use strict'
// Objects of one shape (rows, records) are read by a function made for that
// shape: it expects the fields in their order, and makes the object at once.
// Reading field by field would look up a transition for each.

/** Maps with so many fields have shapes. */
const MOST_FIELDS = 32
/** A shape gets its function when it was read so often. */
const WORTHWHILE = 16
/** Functions made in all: data of ever new shapes must not fill the memory with code. */
const MOST_FUNCTIONS = 256
const SLOTS = 256

let made = 0

/** A header and UTF-8, as the writer has them. */
function encodedKey(key) {
  const bytes = Buffer.from(key)
  if (bytes.length > 255) return undefined
  const head = bytes.length < 32 ? [0xa0 | bytes.length] : [0xd9, bytes.length]
  return Buffer.from([...head, ...bytes])
}

/** Code that is true where other bytes come at p than those of the key; four at a time. */
function differs(bytes) {
  const tests = []
  const n = bytes.length
  if (n < 4) {
    for (let i = 0; i < n; i++) tests.push(`d[p + ${i}] !== ${bytes[i]}`)
  } else {
    for (let i = 0; i < n; i += 4) {
      const at = Math.min(i, n - 4)
      tests.push(`v.getInt32(p + ${at}) !== ${bytes.readInt32BE(at)}`)
    }
  }
  return tests.join(' || ')
}

/** Code that reads field i: its key, then the value; the commonest kinds of values inline. */
function step(bytes, i) {
  return `
if (p + ${bytes.length} >= end || ${differs(bytes)}) return readOn(p, keys, [${names(i)}])
p += ${bytes.length}
h = d[p]
let v${i}
if (h < 0x80) {
  v${i} = h
  p++
} else if (h >= 0xa0 && h < 0xc0 && p + (h & 0x1f) < end) {
  h &= 0x1f
  v${i} = textAt(d, v, p + 1, h, end)
  p += 1 + h
} else if (h === 0xcd && p + 3 <= end) {
  v${i} = (d[p + 1] << 8) | d[p + 2]
  p += 3
} else if (h === 0xcb && p + 9 <= end) {
  v${i} = v.getFloat64(p + 1)
  p += 9
} else if (h === 0xc2 || h === 0xc3) {
  v${i} = h === 0xc3
  p++
} else {
  v${i} = readAt(p)
  p = position()
}`
}

const names = (n) => Array.from({ length: n }, (_, i) => `v${i}`).join(', ')

/** A shape that was met, with the number of its readings until it has a function. */
class Shape {
  constructor(keys) {
    this.keys = keys
    this.read = undefined
    this.seen = 1
  }

  is(keys) {
    return keys.length === this.keys.length && keys.every((key, i) => key === this.keys[i])
  }

  /**
   * Makes the function, where the host allows code to be made. The code holds the names of fields as literals of
   * text and numbers, and nothing else of the data. The hooks are the decoder's.
   */
  compile({ readAt, position, finish, readOn, textAt }) {
    const { keys } = this
    const parts = keys.map(encodedKey)
    if (made >= MOST_FUNCTIONS || parts.includes(undefined) || new Set(keys).size !== keys.length || keys.includes('__proto__')) return
    made++
    const fields = keys.map((key, i) => `${JSON.stringify(key)}: v${i}`)
    try {
      this.read = new Function('keys', 'readAt', 'position', 'finish', 'readOn', 'textAt',
        `'use strict'
return function (d, v, p, end) {
let h = 0${parts.map(step).join('')}
return finish(p, { ${fields.join(', ')} })
}`)(keys, readAt, position, finish, readOn, textAt)
    } catch {
      // Code generation is forbidden (--disallow-code-generation-from-strings).
      made = MOST_FUNCTIONS
    }
  }
}

const shapes = new Array(SLOTS).fill(undefined)

/** Notes an object that was read field by field. */
function learn(slot, object, hooks) {
  const keys = Object.keys(object)
  const shape = shapes[slot]
  if (shape === undefined || !shape.is(keys)) {
    // Shapes that share a slot take turns until one of them is worth a function.
    if (shape?.read === undefined) shapes[slot] = new Shape(keys)
  } else if (++shape.seen === WORTHWHILE) {
    shape.compile(hooks)
  }
}

module.exports = { MOST_FIELDS, SLOTS, shapes, learn }
