'use strict'
// Results that are promises, or can be awaited like one.

const { types } = require('./kinds.js')

const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function'

/**
 * A promise of a result that can be awaited; undefined for other results.
 * A native promise is itself. What does its work in `then` (a query builder)
 * is asked once: every `await` of it would do the work again.
 */
function promiseOf(result) {
  if (!isObject(result)) return undefined
  let then
  try {
    ({ then } = result)
  } catch {
    // It throws for whoever awaits it, as without us.
    return undefined
  }
  if (typeof then !== 'function') return undefined
  if (types.isPromise(result) && then === Promise.prototype.then) return result
  return Promise.resolve().then(() => new Promise((resolve, reject) => { then.call(result, resolve, reject) }))
}

/**
 * What the caller gets in place of `promise`, with `fulfilled` and `rejected`
 * called before anybody sees the outcome. A handler beside the caller's own
 * would hide a rejection that the caller does not handle.
 */
function follow(promise, fulfilled, rejected) {
  const followed = promise.then(
    (value) => {
      fulfilled(value)
      return value
    },
    (error) => {
      rejected(error)
      throw error
    })
  // Promises may bear methods of their own (a cancel, a child process).
  for (const name of Object.getOwnPropertyNames(promise)) {
    Object.defineProperty(followed, name, Object.getOwnPropertyDescriptor(promise, name))
  }
  return followed
}

/** Whether a value can be read once only, so that a second hit would find it exhausted. */
function isReadOnce(value) {
  if (value === null || typeof value !== 'object') return false
  if (types.isGeneratorObject(value) || types.isMapIterator(value) || types.isSetIterator(value)) return true
  try {
    const iterates = typeof value[Symbol.iterator] === 'function' || typeof value[Symbol.asyncIterator] === 'function'
    if (iterates && typeof value.next === 'function') return true
    // Streams of Node and of the web; requests and responses with a body.
    return (typeof value.pipe === 'function' && typeof value.read === 'function') ||
      (typeof value.getReader === 'function' && typeof value.locked === 'boolean') ||
      typeof value.bodyUsed === 'boolean'
  } catch {
    return false
  }
}

module.exports = { isObject, promiseOf, follow, isReadOnce }
