'use strict'
// Entries under two keys. A Map of Maps would touch an inner Map and its table
// at each look-up, and hold both for what is mostly one entry: so the entries
// of one first key are chained, and get a Map of their own only when many.

const CHAIN = 8

/** Stands at the head of a first key that has many second keys. */
class Many {
  constructor() {
    this.table = new Map()
    this.key = undefined
    this.next = null
  }
}

/** Entries have `outerKey`, `key`, `next` and a `table` that is null. Keys are compared by ===. */
class PairMap {
  constructor() {
    this.heads = new Map()
  }

  get(outerKey, key) {
    let entry = this.heads.get(outerKey)
    if (entry === undefined) return undefined
    if (entry.table !== null) return entry.table.get(key)
    do {
      if (entry.key === key) return entry
      entry = entry.next
    } while (entry !== null)
    return undefined
  }

  /** Adds an entry under keys that have none. */
  add(entry) {
    const head = this.heads.get(entry.outerKey)
    if (head === undefined) {
      this.heads.set(entry.outerKey, entry)
    } else if (head.table !== null) {
      head.table.set(entry.key, entry)
    } else {
      entry.next = head
      this.heads.set(entry.outerKey, entry)
      this.#shorten(entry)
    }
  }

  #shorten(head) {
    let length = 0
    for (let entry = head; entry !== null; entry = entry.next) length++
    if (length <= CHAIN) return
    const many = new Many()
    for (let entry = head; entry !== null;) {
      const { next } = entry
      entry.next = null
      many.table.set(entry.key, entry)
      entry = next
    }
    this.heads.set(head.outerKey, many)
  }

  /** Removes an entry that is there. */
  remove(entry) {
    const { outerKey } = entry
    const head = this.heads.get(outerKey)
    if (head.table !== null) {
      head.table.delete(entry.key)
      if (head.table.size === 0) this.heads.delete(outerKey)
    } else if (head !== entry) {
      let before = head
      while (before.next !== entry) before = before.next
      before.next = entry.next
    } else if (entry.next === null) {
      this.heads.delete(outerKey)
    } else {
      this.heads.set(outerKey, entry.next)
    }
    entry.next = null
  }

  *values() {
    for (const head of this.heads.values()) {
      if (head.table !== null) yield* head.table.values()
      else for (let entry = head; entry !== null; entry = entry.next) yield entry
    }
  }

  clear() {
    this.heads.clear()
  }
}

module.exports = { PairMap }
