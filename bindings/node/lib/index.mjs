import twat from './index.js'

export const { Cache, memoize, cached, KeyvTwat, TwatCacheError, NdArray, callOf, Tuple, Float, Extension, coreVersion } = twat
export default twat
