'use strict'
// Encoded names of fields, found by the name that came before: objects of one
// shape have their fields in one order, so a comparison of references is
// mostly all that it takes.

/** Names of so many bytes are kept; and so many of them. */
const LONGEST = 63
const KEPT = 4096
/** Chains by depth: the fields of a record and those of an object inside of it take no turns. */
const DEPTHS = 32

class Link {
  constructor(name, words, size) {
    this.name = name
    /** A header and UTF-8 as big-endian words; undefined for a name that is not kept. */
    this.words = words
    this.size = size
    this.next = null
  }
}

/** An unusual name: written as any text. */
const OTHER = new Link('', undefined, 0)
OTHER.next = OTHER

function linkOf(name) {
  if (name.length > LONGEST || !name.isWellFormed()) return OTHER
  const bytes = Buffer.from(name)
  if (bytes.length > LONGEST) return OTHER
  const head = bytes.length < 32 ? [0xa0 | bytes.length] : [0xd9, bytes.length]
  const size = head.length + bytes.length
  const padded = Buffer.concat([Buffer.from(head), bytes], Math.ceil(size / 4) * 4)
  const words = Int32Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32BE(4 * i))
  return new Link(name, words, size)
}

class FieldNames {
  /** Objects with more fields are dictionaries, whose names do not repeat. */
  static MOST = 32

  #links = new Map()
  #starts = Array.from({ length: DEPTHS }, () => {
    const start = new Link('', undefined, 0)
    start.next = start
    return start
  })

  start(depth) {
    return this.#starts[depth & (DEPTHS - 1)]
  }

  /** The link of a name that follows another one. */
  after(link, name) {
    const { next } = link
    if (next.name === name && next.words !== undefined) return next
    return this.#find(link, name)
  }

  #find(link, name) {
    let found = this.#links.get(name)
    if (found === undefined) {
      found = linkOf(name)
      if (found === OTHER) return OTHER
      if (this.#links.size >= KEPT) this.#links.clear()
      found.next = found
      this.#links.set(name, found)
    }
    if (link !== OTHER) link.next = found
    return found
  }
}

module.exports = { FieldNames }
