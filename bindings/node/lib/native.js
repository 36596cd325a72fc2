'use strict'
// Finds and loads the native part.

const builtin = require('./builtin.js')

/** Where packages are looked for: from this file; in a bundle that is an ES module, from the program and its directory. */
const places = typeof __filename === 'string'
  ? [__filename]
  : [process.argv[1], builtin.path.join(process.cwd(), 'index.js')].filter(Boolean)

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

/**
 * A row for each platform: loads the platform package, or what a build left in this package.
 *
 * Bundlers follow `require` and cannot bundle an addon; they leave a `require` alone that was made here. Tools that
 * collect the files of a program (@vercel/nft in Next.js, Nitro, Nuxt) know `module.createRequire` by these very words,
 * and read the names, which are literals.
 */
function loaders(place) {
  const { module } = builtin
  const load = module.createRequire(place)
  return {
    'linux-x64-gnu': [() => load('twat-cache-linux-x64-gnu'), () => load('../npm/linux-x64-gnu/twat_cache.node')],
    'linux-x64-musl': [() => load('twat-cache-linux-x64-musl'), () => load('../npm/linux-x64-musl/twat_cache.node')],
    'linux-arm64-gnu': [() => load('twat-cache-linux-arm64-gnu'), () => load('../npm/linux-arm64-gnu/twat_cache.node')],
    'linux-arm64-musl': [() => load('twat-cache-linux-arm64-musl'), () => load('../npm/linux-arm64-musl/twat_cache.node')],
  }
}

function resolves(load, name) {
  try {
    return Boolean(load.resolve(name))
  } catch {
    return false
  }
}

/** On Linux both C libraries, the likelier one first: a report takes Node tens of milliseconds, so what is installed counts. */
function candidates() {
  const { platform, arch } = process
  const both = [`${platform}-${arch}-gnu`, `${platform}-${arch}-musl`]
  if (platform !== 'linux') return [triple()]
  const load = builtin.module.createRequire(places[0])
  const installed = both.filter((name) => resolves(load, `twat-cache-${name}`))
  const first = installed.length === 1 ? installed[0] : triple()
  return first === both[0] ? both : both.reverse()
}

function native() {
  const names = candidates()
  const tried = []
  for (const place of places) {
    const rows = loaders(place)
    for (const name of names) {
      for (const loader of rows[name] ?? []) {
        try {
          return loader()
        } catch (error) {
          tried.push(`${name}: ${error.code ? `${error.code}: ` : ''}${error.message.split('\n')[0]}`)
        }
      }
    }
  }
  throw new Error(
    `twat-cache: the native part for ${names[0]} was not loaded. Install twat-cache-${names[0]}, or build it with npm run build. ` +
      'In a bundle, keep the package twat-cache external. Under --permission, add --allow-addons and --allow-fs-read ' +
      `for the package.\nTried from ${places.join(' and ')}:\n  ${tried.join('\n  ') || 'nothing: this platform has no package'}`)
}

module.exports = { triple, load: native }
