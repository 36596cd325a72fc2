'use strict'
// Finds and loads the native part.

const { module: { createRequire }, path: { join } } = require('./builtin.js')

// Bundlers follow `require`, and cannot bundle an addon; they leave this one
// alone. It looks from where this file is, or from where the bundle is.
const here = typeof __filename === 'string' ? __filename : join(process.cwd(), 'index.js')
const load = createRequire(here)

/** Whether the C library of this process is glibc; undefined where Node does not tell. */
function glibc() {
  const { report } = process
  const { excludeNetwork } = report ?? {}
  try {
    // Resolving the names of open connections may take seconds.
    report.excludeNetwork = true
    return report.getReport().header.glibcVersionRuntime !== undefined
  } catch {
    return undefined
  } finally {
    if (report) report.excludeNetwork = excludeNetwork
  }
}

/** The name of this platform, as platform packages bear it. */
function triple() {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  return `${platform}-${arch}-${glibc() === false ? 'musl' : 'gnu'}`
}

// A row for each platform, of functions that load the platform package and
// what a build left in this package. Names are literals: tools that collect
// the files of a program (@vercel/nft, Next.js, Nitro) read them from here.
const LOADERS = {
  'linux-x64-gnu': [() => load('twat-cache-linux-x64-gnu'), () => load('../npm/linux-x64-gnu/twat_cache.node')],
  'linux-x64-musl': [() => load('twat-cache-linux-x64-musl'), () => load('../npm/linux-x64-musl/twat_cache.node')],
  'linux-arm64-gnu': [() => load('twat-cache-linux-arm64-gnu'), () => load('../npm/linux-arm64-gnu/twat_cache.node')],
  'linux-arm64-musl': [() => load('twat-cache-linux-arm64-musl'), () => load('../npm/linux-arm64-musl/twat_cache.node')],
}

/** The platform's own row first; on Linux the other C library's after it. */
function candidates() {
  const own = triple()
  const other = own.endsWith('-gnu') ? own.replace(/gnu$/, 'musl') : own.replace(/musl$/, 'gnu')
  return own === other ? [own] : [own, other]
}

function native() {
  const names = candidates()
  const tried = []
  for (const name of names) {
    for (const loader of LOADERS[name] ?? []) {
      try {
        return loader()
      } catch (error) {
        tried.push(`${name}: ${error.code ? `${error.code}: ` : ''}${error.message.split('\n')[0]}`)
      }
    }
  }
  throw new Error(
    `twat-cache: the native part for ${names[0]} was not loaded. Install twat-cache-${names[0]}, or build it with npm run build. ` +
      'In a bundle, keep the package twat-cache external. Under --permission, add --allow-addons and --allow-fs-read ' +
      `for the package.\nTried from ${here}:\n  ${tried.join('\n  ') || 'nothing: this platform has no package'}`)
}

module.exports = { triple, load: native }
