'use strict'
// Arguments of the calls of a cache: options, tags, lists of keys, pairs.

const { argument } = require('./binding.js')
const { encode, directKey } = require('./values.js')
const { checkNames, ttlOf, bad } = require('./options.js')
const { types } = require('./kinds.js')
const { wrongType, describe } = require('./errors.js')

const NO_TAGS = []
const SET_OPTIONS = ['ttl', 'tag', 'tags']

const nativeKey = (key) => (typeof key === 'string' ? key : directKey(key))

const isTag = (tag) => typeof tag === 'string' || types.isUint8Array(tag)

function tagOf(tag) {
  if (typeof tag === 'string' && !tag.isWellFormed()) throw wrongType('tag: expected well-formed text, got a lone surrogate')
  if (isTag(tag)) return tag
  throw wrongType(`tag: expected text or bytes, got ${describe(tag)}`)
}

/** One tag or an iterable of tags as a list. */
function tagsOf(tags) {
  if (tags === undefined) return NO_TAGS
  if (isTag(tags)) return [tagOf(tags)]
  if (tags === null || typeof tags !== 'object' || typeof tags[Symbol.iterator] !== 'function') {
    throw wrongType(`tags: expected a tag or a list of tags, got ${describe(tags)}`)
  }
  return Array.from(tags, tagOf)
}

/** {ttl, tags} of a call: milliseconds or an object. */
function callOptions(options) {
  if (options === undefined) return { ttl: 0, tags: NO_TAGS }
  if (typeof options === 'number') return { ttl: ttlOf(options), tags: NO_TAGS }
  const { ttl, tag, tags } = checkNames(options, SET_OPTIONS, false)
  const all = tag === undefined ? tagsOf(tags) : [...tagsOf(tags), tagOf(tag)]
  return { ttl: ttlOf(ttl), tags: all }
}

function listOf(keys, what) {
  if (keys === null || keys === undefined || typeof keys === 'string' || typeof keys[Symbol.iterator] !== 'function') {
    throw wrongType(`${what}: expected an array or another iterable, got ${describe(keys)}`)
  }
  return Array.from(keys, nativeKey)
}

function pairsOf(entries) {
  if (entries === null || typeof entries !== 'object') {
    throw wrongType(`setMany: expected a Map, pairs or an object, got ${describe(entries)}`)
  }
  const pairs = typeof entries[Symbol.iterator] === 'function' ? Array.from(entries) : Object.entries(entries)
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongType('setMany: expected pairs of key and value')
  }
  return pairs
}

const bytesOfWritten = (written) => (typeof written === 'number' ? argument.subarray(0, written) : written)

/** Keys, and their values in one block. */
function encodeMany(write, pairs) {
  const lengths = new Float64Array(pairs.length)
  const keys = pairs.map(([key]) => nativeKey(key))
  const written = encode((w) => {
    for (let i = 0; i < pairs.length; i++) {
      const start = w.at
      write(w, pairs[i][1])
      lengths[i] = w.at - start
    }
  })
  return { keys, lengths, block: bytesOfWritten(written) }
}

function integerOf(value, what) {
  if (typeof value === 'bigint') return value
  if (Number.isSafeInteger(value)) return BigInt(value)
  throw wrongType(`${what}: expected an integer, got ${describe(value)}`)
}

/** The arguments of incr, checked. */
function counterOf(delta, options = {}) {
  const { initial = 0, ttl } = checkNames(options, ['initial', 'ttl'], false)
  const call = { delta: integerOf(delta, 'delta'), initial: integerOf(initial, 'initial'), ttl: ttlOf(ttl) }
  for (const name of ['delta', 'initial']) {
    if (BigInt.asIntN(64, call[name]) !== call[name]) throw bad(`${name}: expected an integer of 64 bits, got: ${call[name]}`)
  }
  return call
}

module.exports = { NO_TAGS, nativeKey, tagOf, tagsOf, callOptions, listOf, pairsOf, encodeMany, bytesOfWritten, counterOf }
