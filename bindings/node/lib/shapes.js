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
  return Uint8Array.from([...head, ...bytes])
}

/** A shape that was met, with the number of its readings until it has a function. */
class Shape {
  constructor(keys) {
    this.keys = keys
    this.read = undefined
    this.seen = 1
    this.parts = undefined
  }

  is(keys) {
    return keys.length === this.keys.length && keys.every((key, i) => key === this.keys[i])
  }

  /**
   * Makes the function, where the host allows code to be made. The code holds the names of fields as literals of
   * text, and nothing else of the data. `expect(shape, i)` passes over field i if it comes next; `bail(shape, values)`
   * reads on after the fields that had come.
   */
  compile(read, expect, bail) {
    const { keys } = this
    const parts = keys.map(encodedKey)
    if (made >= MOST_FUNCTIONS || parts.includes(undefined) || new Set(keys).size !== keys.length || keys.includes('__proto__')) return
    made++
    this.parts = parts
    const values = keys.map((_, i) => `v${i}`)
    const steps = keys.map((_, i) => `if (!expect(shape, ${i})) return bail(shape, [${values.slice(0, i)}])\nconst v${i} = read()`)
    const fields = keys.map((key, i) => `${JSON.stringify(key)}: v${i}`)
    try {
      this.read = new Function('shape', 'read', 'expect', 'bail',
        `'use strict'\nreturn function () {\n${steps.join('\n')}\nreturn { ${fields.join(', ')} }\n}`)(this, read, expect, bail)
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
    shape.compile(...hooks)
  }
}

module.exports = { MOST_FIELDS, SLOTS, shapes, learn }
