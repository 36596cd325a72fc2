'use strict'
// Finds and loads the native part.

const { existsSync } = require('node:fs')

const GLIBC = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1']

/** The name of this platform, as platform packages bear it. */
function triple() {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  return `${platform}-${arch}-${GLIBC.some((path) => existsSync(path)) ? 'gnu' : 'musl'}`
}

function load() {
  const name = triple()
  const tried = []
  // The platform package; then what a build left in this package.
  for (const path of [`twat-cache-${name}`, `../npm/${name}/twat_cache.node`]) {
    try {
      return require(path)
    } catch (error) {
      tried.push(`${path}: ${error.message.split('\n')[0]}`)
    }
  }
  throw new Error(
    `twat-cache has no native part for ${name}. Install the package twat-cache-${name}, ` +
      `or build from source with npm run build.\n  ${tried.join('\n  ')}`)
}

module.exports = { triple, load }
