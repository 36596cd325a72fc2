'use strict'
// What a memoized function could not read or keep. The call succeeds all the
// same; the failure is counted, published and given to `onError`.

const { channels: { channel } } = require('./builtin.js')

const errors = channel('twat-cache:error')

class Failures {
  #name
  #onError
  #warned = false
  count = 0

  constructor(name, onError) {
    this.#name = name
    this.#onError = onError
  }

  /** `operation` is get, set, cacheIf, sizeOf, tags or onEvict. */
  report(error, operation) {
    this.count++
    const what = { name: this.#name, operation, error }
    if (errors.hasSubscribers) errors.publish(what)
    if (this.#onError !== undefined) return this.#call(error, what)
    // An engine that fails is in the figures; a result that can never be kept is a mistake to hear of.
    if (operation === 'get' || (operation === 'set' && isEngine(error))) return
    this.#warn(error, operation)
  }

  #call(error, { name, operation }) {
    try {
      const answer = this.#onError(error, { name, operation })
      // An async hook that fails must not end the process.
      if (typeof answer?.then === 'function') answer.then(undefined, (failed) => this.#warn(failed, 'onError'))
    } catch (failed) {
      this.#warn(failed, 'onError')
    }
  }

  #warn(error, operation) {
    if (this.#warned) return
    this.#warned = true
    const text = String(error?.message ?? error)
    process.emitWarning(`${this.#name}: ${operation}: ${text} (the call succeeds without caching; reported once, onError is told of each)`,
      { type: 'TwatCacheWarning', code: 'TWAT_CACHE_NOT_KEPT' })
  }
}

/** Whether the engine failed, not the value. */
const isEngine = (error) => typeof error?.code === 'string' && error.code.startsWith('TWAT_E_') && error.code !== 'TWAT_E_ARG'

module.exports = { Failures }
