import * as twat from './index.js'

export * from './index.js'
export default twat
