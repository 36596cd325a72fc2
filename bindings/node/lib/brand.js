'use strict'
// Brands: an object of ours is recognised by a property of its class, never by
// the identity of the class. A process may hold several copies of this package
// (two installed versions, a module registry that a test runner resets).

const BRAND = Symbol.for('twat-cache.brand')

/** Gives the instances of a class a brand. */
function brand(constructor, name) {
  Object.defineProperty(constructor.prototype, BRAND, { value: name })
}

/** Whether a value is an instance of the class of that brand, of whichever copy. */
function isBranded(value, name) {
  return value !== null && typeof value === 'object' && value[BRAND] === name
}

/** Makes `instanceof` of a branded class accept the instances of all copies. */
function brandInstances(constructor, name) {
  Object.defineProperty(constructor, Symbol.hasInstance, {
    value(value) {
      // A subclass has instances of its own.
      if (this !== constructor) return Function.prototype[Symbol.hasInstance].call(this, value)
      try {
        return isBranded(value, name)
      } catch {
        return false
      }
    },
  })
}

module.exports = { BRAND, brand, brandInstances, isBranded }
