'use strict'
// memoize: over live objects, or over a store of bytes that others share.

const { overObjects } = require('./live.js')
const { overBytes, callKey, namespaceOf } = require('./stored.js')
const { checkNames, textOf, bad } = require('./options.js')
const { types } = require('./kinds.js')
const { wrongType, describe } = require('./errors.js')

const OWN = ['engine', 'tiers', 'encoding', 'key', 'sizeOf', 'cacheIf', 'name', 'async', 'tags', 'onError', 'onEvict', 'clock']
const FUNCTIONS = ['key', 'sizeOf', 'cacheIf', 'onError', 'onEvict', 'clock']
/** Their answer is used at once: a promise or an iterator of it would be no answer. */
const ANSWERING = ['key', 'sizeOf', 'cacheIf', 'clock', 'tags']

function checkOptions(given) {
  const options = checkNames(given, OWN, true)
  for (const name of FUNCTIONS) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw bad(`${name}: expected a function, got: ${describe(options[name])}`)
    }
  }
  for (const name of ANSWERING) {
    const kind = types.isAsyncFunction(options[name]) ? 'an async function' : types.isGeneratorFunction(options[name]) && 'a generator function'
    if (kind) throw bad(`${name}: expected a function that answers at once, got ${kind}`)
  }
  if (options.async !== undefined && typeof options.async !== 'boolean') {
    throw bad(`async: expected true or false, got: ${describe(options.async)}`)
  }
  if (options.name !== undefined) textOf('name', options.name)
  return options
}

function keepsObjects({ engine, path, url, tiers, policy }) {
  if (tiers !== undefined || policy === 'tinylfu') return false
  if (engine === undefined || engine === 'auto') return path === undefined && url === undefined
  return engine === 'memory'
}

function memoize(fn, given = {}) {
  if (typeof fn !== 'function') throw wrongType(`memoize: expected a function, got ${describe(fn)}`)
  const options = checkOptions(given)
  const memoized = keepsObjects(options) ? overObjects(fn, options) : overBytes(fn, options)
  Object.defineProperty(memoized, 'name', { value: fn.name, configurable: true })
  Object.defineProperty(memoized, 'length', { value: fn.length, configurable: true })
  return memoized
}

module.exports = { memoize, checkOptions, keepsObjects, callKey, namespaceOf }
