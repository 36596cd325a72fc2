import twat from './index.js'

export const { Cache, memoize, cached, KeyvTwat, TwatCacheError, NdArray, Tuple, coreVersion } = twat
export default twat
