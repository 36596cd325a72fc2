'use strict'
// Options: the core's table in camelCase, with `max` and `ttl` for the fingers.

const { url: { fileURLToPath } } = require('./builtin.js')
const { native } = require('./binding.js')
const { isPlain, isUrl } = require('./kinds.js')
const { TwatCacheError, describe, spelling } = require('./errors.js')

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())

/** Every option of the core: camelCase name to {name, type, range, ...}. */
const TABLE = new Map(native.options().map(([name, type, fallback, range, engines, doc]) =>
  [camel(name), { name, type, default: fallback, range, engines: engines.split(' '), doc }]))

for (const [name, row] of TABLE) if (name !== row.name) spelling.set(row.name, name)

const ALIASES = { max: 'maxEntries', ttl: 'ttlMs' }

function bad(text) {
  return new TwatCacheError(text, 'TWAT_E_CONFIG')
}

function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/** "unknown option 'maxEntrys'; did you mean 'maxEntries'?" */
function unknown(found, known) {
  const lower = found.toLowerCase().replaceAll('_', '')
  const near = known
    .map((name) => [distance(lower, name.toLowerCase()), name])
    .filter(([far, name]) => far <= 1 + name.length / 4)
    .sort(([a], [b]) => a - b)[0]
  return bad(near
    ? `unknown option '${found}'; did you mean '${near[1]}'?`
    : `unknown option '${found}'; known are ${known.join(' ')}`)
}

/** A copy of own fields: what a prototype holds, polluted or not, is no option. */
function ownFields(options, what) {
  if (!isPlain(options)) {
    const way = options !== null && typeof options === 'object' && !Array.isArray(options) ? '; pass { ...options }' : ''
    throw bad(`${what}: expected a plain object, got ${describe(options)}${way}`)
  }
  return Object.assign(Object.create(null), options)
}

/** The options as an object without a prototype. Refuses names that neither `own` nor the core knows. */
function checkNames(options, own, withCore, what = 'options') {
  const given = ownFields(options, what)
  const known = withCore ? [...own, ...Object.keys(ALIASES), ...TABLE.keys()] : own
  for (const name of Object.keys(given)) if (!known.includes(name)) throw unknown(name, known)
  return given
}

const NO_ZERO = "leave it out or pass Infinity for no limit; engine: 'null' switches caching off"

/** Milliseconds of a time to live of a call: 0 for the cache's own, Infinity for no expiry. */
function ttlOf(ttl, name = 'ttl') {
  if (ttl === undefined) return 0
  if (typeof ttl === 'bigint' && ttl > 0n) return Number(ttl)
  if (typeof ttl === 'number' && ttl > 0) return ttl
  const zero = ttl === 0 || ttl === 0n ? `; ${NO_ZERO}` : ''
  throw bad(`${name}: expected milliseconds above 0, or Infinity, got: ${describe(ttl)}${zero}`)
}

/** Text that UTF-8 and C can hold. */
function textOf(name, value, what = 'text') {
  if (typeof value !== 'string') throw bad(`${name}: expected ${what}, got: ${describe(value)}`)
  if (!value.isWellFormed()) throw bad(`${name}: expected well-formed ${what}, got a lone surrogate`)
  if (value.includes('\0')) throw bad(`${name}: expected ${what} without NUL, got one`)
  return value
}

/** A path from text or a file URL. */
function pathOf(name, value) {
  let path = value
  if (isUrl(value)) {
    try {
      path = fileURLToPath(value)
    } catch (error) {
      throw bad(`${name}: expected a path or a file URL, got: ${value.href} (${error.message})`)
    }
  }
  textOf(name, path, 'a path')
  if (path === '') throw bad(`${name}: expected a path, got empty text`)
  return path
}

/** Bounds and times to live, which have no 0 in JavaScript: other caches read it as no limit. */
const WITHOUT_ZERO = new Set(['maxEntries', 'maxBytes', 'ttlMs'])

function limitOf(row, name, value) {
  if (value === Infinity) return '0'
  if (value === 0 || value === 0n) throw bad(`${name}: expected a number above 0, got: 0; ${NO_ZERO}`)
  return numberOf(row, name, value)
}

function numberOf(row, name, value) {
  if (typeof value === 'bigint' && value >= 0n) return String(value)
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw bad(`${name}: expected ${row.range}, got: ${describe(value)}`)
  }
  return BigInt(value).toString()
}

function coreValue(row, name, value) {
  const wrong = () => bad(`${name}: expected ${row.range}, got: ${describe(value)}`)
  switch (row.type) {
    case 'u64':
      return WITHOUT_ZERO.has(ALIASES[name] ?? name) ? limitOf(row, name, value) : numberOf(row, name, value)
    case 'octal':
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value.toString(8)
      if (typeof value !== 'string') throw wrong()
      return textOf(name, value)
    case 'bool':
      if (typeof value !== 'boolean') throw wrong()
      return value
    default:
      if (name === 'path') return pathOf(name, value)
      if (name === 'url' && isUrl(value)) return value.href
      if (typeof value === 'boolean' && row.range.includes('true')) return String(value)
      if (typeof value !== 'string') throw wrong()
      return textOf(name, value)
  }
}

/** The core's configuration of these options. */
function coreConfig(options) {
  const config = Object.create(null)
  for (const [given, value] of Object.entries(options)) {
    if (value === undefined || given === 'tiers') continue
    if (given === 'engine') {
      config.engine = textOf('engine', value, 'a name')
      continue
    }
    const name = ALIASES[given] ?? given
    if (given in ALIASES && options[name] !== undefined) throw bad(`${given}: is ${name}, and both were given`)
    const row = TABLE.get(name)
    if (given !== 'ttl') {
      config[row.name] = coreValue(row, given, value)
      continue
    }
    const ttl = ttlOf(value)
    config.ttl_ms = ttl === Infinity ? '0' : String(Math.ceil(ttl))
  }
  if (options.tiers !== undefined) config.tiers = tierConfigs(options.tiers)
  return config
}

function tierConfigs(tiers) {
  if (!Array.isArray(tiers)) throw bad(`tiers: expected an array of options, got: ${describe(tiers)}`)
  return tiers.map((tier, i) => coreConfig(checkNames(tier, ['engine', 'tiers'], true, `tiers[${i}]`)))
}

/** Runs `open` with the configuration; its error in the user's own spelling. */
function openWith(open, config, options) {
  try {
    return open(Buffer.from(JSON.stringify(config)))
  } catch (error) {
    if (typeof error.message !== 'string') throw error
    let text = error.message.replace(/^(JSON|MessagePack): /, '').replace(/ at line \d+ column \d+$/, '')
    for (const [alias, name] of Object.entries(ALIASES)) {
      if (options[alias] !== undefined) text = text.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), alias)
    }
    error.message = text
    throw error
  }
}

/** The names of the core's options, and `max` and `ttl`. */
const coreNames = [...TABLE.keys(), ...Object.keys(ALIASES)]

module.exports = { pathOf, textOf, coreNames, checkNames, coreConfig, openWith, ttlOf, bad }
