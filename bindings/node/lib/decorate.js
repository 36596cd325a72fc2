'use strict'
// @cached, as a standard decorator and as a legacy one (TypeScript's
// experimentalDecorators, Babel's legacy version).

const { memoize, checkOptions, keepsObjects } = require('./memoize.js')
const { isObject } = require('./promises.js')
const { bad } = require('./options.js')
const { wrongType, describe } = require('./errors.js')

/**
 * `@cached` or `@cached(options)` on a method. Each instance has a cache of its
 * own that goes with it; over a store of bytes all share one, and `key`
 * (called with `this`) must tell them apart.
 */
function cached(...given) {
  if (isDecoration(given)) return decorate(given, {})
  if (given.length > 1) throw wrongType(`@cached: expected a method, got ${describe(given[1])}`)
  const options = checkOptions(given[0] ?? {})
  return (...decoration) => {
    if (!isDecoration(decoration)) throw wrongType(`@cached: expected a method, got ${describe(decoration[0])}`)
    return decorate(decoration, options)
  }
}

/** Whether a decorator's arguments are (value, context) or (target, name, descriptor). */
const isDecoration = ([target, second]) => isLegacy(second) || (target !== null && typeof second?.kind === 'string')

const isLegacy = (second) => typeof second === 'string' || typeof second === 'symbol'

function decorate([target, second, descriptor], options) {
  if (!isLegacy(second)) {
    if (second.kind !== 'method') throw wrongType(`@cached: expected a method, got a ${second.kind}`)
    return wrap(target, second.static === true, options)
  }
  if (typeof descriptor?.value !== 'function') throw wrongType(`@cached: expected a method, got: ${String(second)}`)
  // The target of a static method is the class.
  return { ...descriptor, value: wrap(descriptor.value, typeof target === 'function', options) }
}

function wrap(method, isStatic, options) {
  if (typeof method !== 'function') throw wrongType(`@cached: expected a method, got ${describe(method)}`)
  if (!keepsObjects(options)) {
    if (options.key === undefined && !isStatic) {
      throw bad('@cached over a store of bytes: give key, which is called with the instance as this')
    }
    return memoize(method, { ...options })
  }
  memoize(method, { ...options }) // a wrong option is an error at decoration
  const caches = new WeakMap()
  const { name } = method
  const wrapped = {
    [name](...args) {
      // A method taken from its instance has no place for a cache.
      if (!isObject(this)) return method.apply(this, args)
      let own = caches.get(this)
      if (own === undefined) {
        own = memoize(Object.defineProperty(method.bind(this), 'name', { value: name }), { ...options })
        caches.set(this, own)
      }
      return own(...args)
    },
  }[name]
  return Object.defineProperty(wrapped, 'length', { value: method.length, configurable: true })
}

module.exports = { cached }
