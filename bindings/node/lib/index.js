'use strict'

const { Cache } = require('./cache.js')
const { memoize } = require('./memoize.js')
const { cached } = require('./decorate.js')
const { KeyvTwat } = require('./keyv.js')
const { TwatCacheError } = require('./errors.js')
const { NdArray } = require('./arrays.js')
const { Tuple, Float, Extension } = require('./extensions.js')
const { callOf } = require('./values.js')
const { native } = require('./binding.js')

exports.Cache = Cache
exports.memoize = memoize
exports.cached = cached
exports.KeyvTwat = KeyvTwat
exports.TwatCacheError = TwatCacheError
exports.NdArray = NdArray
exports.callOf = callOf
exports.Tuple = Tuple
exports.Float = Float
exports.Extension = Extension
/** The version of the core that is in use. */
exports.coreVersion = native.version()
