'use strict'
// Tags of memoized calls: templates by argument index, or a function.

const { tagsOf } = require('./calls.js')
const { bad } = require('./options.js')
const { wrongType, describe } = require('./errors.js')

const FIELD = /\{(\d+)((?:\.[^{}.]+)*)\}/g

/** The text of a field such as {0} or {0.id}. */
function fieldOf(args, index, path) {
  let value = args[index]
  for (const name of path.split('.').slice(1)) value = value?.[name]
  if (['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return String(value)
  throw wrongType(`tags: {${index}${path}}: expected text or a number, got ${describe(value)}`)
}

function checkTemplate(tag) {
  if (typeof tag !== 'string') return
  const rest = tag.replace(FIELD, '')
  if (/[{}]/.test(rest)) throw bad(`tags: expected fields such as {0} or {0.id}, got: ${tag}`)
}

/** A function from (this, arguments) to the tags of a call; undefined without the option. */
function taggerOf(tags) {
  if (tags === undefined) return undefined
  if (typeof tags === 'function') return (self, args) => tagsOf(tags.apply(self, args))
  const templates = tagsOf(tags)
  templates.forEach(checkTemplate)
  return (self, args) => templates.map((tag) => (typeof tag === 'string'
    ? tag.replace(FIELD, (_, index, path) => fieldOf(args, Number(index), path))
    : tag))
}

/** Entries by tag, for objects in memory. */
class TagIndex {
  #entries = new Map()
  #tags = new Map()

  /** Text of a tag: bytes that are the same text in UTF-8 are the same tag, as in a store. */
  static textOf(tag) {
    return Buffer.from(tag).latin1Slice()
  }

  add(entry, tags) {
    const texts = tags.map(TagIndex.textOf)
    this.#tags.set(entry, texts)
    for (const tag of texts) {
      const tagged = this.#entries.get(tag)
      if (tagged === undefined) this.#entries.set(tag, new Set([entry]))
      else tagged.add(entry)
    }
  }

  remove(entry) {
    if (this.#tags.size === 0) return
    const texts = this.#tags.get(entry) ?? []
    this.#tags.delete(entry)
    for (const tag of texts) {
      const tagged = this.#entries.get(tag)
      tagged?.delete(entry)
      if (tagged?.size === 0) this.#entries.delete(tag)
    }
  }

  /** The entries of a tag. */
  of(tag) {
    return [...(this.#entries.get(TagIndex.textOf(tag)) ?? [])]
  }

  clear() {
    this.#entries.clear()
    this.#tags.clear()
  }
}

module.exports = { taggerOf, TagIndex }
