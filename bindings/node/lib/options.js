'use strict'
// Options: the core's table in camelCase, with `max` and `ttl` for the fingers.

const { fileURLToPath } = require('node:url')
const { native } = require('./binding.js')
const { TwatCacheError, describe } = require('./errors.js')

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())

/** Every option of the core: camelCase name to {name, type, range, ...}. */
const TABLE = new Map(native.options().map(([name, type, fallback, range, engines, doc]) =>
  [camel(name), { name, type, default: fallback, range, engines: engines.split(' '), doc }]))

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

/** Refuses option objects that are none, and names that neither `own` nor the core knows. */
function checkNames(options, own, withCore) {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw bad(`options: expected an object, found ${describe(options)}`)
  }
  const known = withCore ? [...own, ...Object.keys(ALIASES), ...TABLE.keys()] : own
  for (const name of Object.keys(options)) if (!known.includes(name)) throw unknown(name, known)
}

/** Milliseconds of a time to live: 0 for the cache's own, Infinity for never; -1 keeps nothing. */
function ttlOf(ttl) {
  if (ttl === undefined) return 0
  if (typeof ttl !== 'number' || Number.isNaN(ttl) || ttl < 0) {
    throw bad(`ttl: expected milliseconds from 0, or Infinity, found: ${describe(ttl)}`)
  }
  return ttl === 0 ? -1 : ttl
}

/** A path from text or a file URL. */
function pathOf(name, value) {
  if (value instanceof URL) return fileURLToPath(value)
  if (typeof value !== 'string') throw bad(`${name}: expected a path, found: ${describe(value)}`)
  return value
}

function coreValue(row, name, value) {
  const wrong = () => bad(`${name}: expected ${row.range}, found: ${describe(value)}`)
  switch (row.type) {
    case 'u64':
      if (typeof value === 'bigint' && value >= 0n) return String(value)
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw wrong()
      return BigInt(value).toString()
    case 'octal':
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value.toString(8)
      if (typeof value !== 'string') throw wrong()
      return value
    case 'bool':
      if (typeof value !== 'boolean') throw wrong()
      return value
    default:
      if (name === 'path') return pathOf(name, value)
      if (typeof value === 'boolean' && row.range.includes('true')) return String(value)
      if (typeof value !== 'string') throw wrong()
      return value
  }
}

/** The core's configuration of these options, and whether they keep nothing (`ttl: 0`). */
function coreConfig(options) {
  const config = {}
  let keepsNothing = false
  for (const [given, value] of Object.entries(options)) {
    if (value === undefined || given === 'tiers') continue
    if (given === 'engine') {
      if (typeof value !== 'string') throw bad(`engine: expected a name, found: ${describe(value)}`)
      config.engine = value
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
    if (ttl === -1) keepsNothing = true
    else if (ttl !== Infinity) config.ttl_ms = String(Math.ceil(ttl))
  }
  if (options.tiers !== undefined) config.tiers = tierConfigs(options.tiers)
  return { config, keepsNothing }
}

function tierConfigs(tiers) {
  if (!Array.isArray(tiers)) throw bad(`tiers: expected an array of options, found: ${describe(tiers)}`)
  return tiers.map((tier) => {
    checkNames(tier, ['engine', 'tiers'], true)
    return coreConfig(tier).config
  })
}

/** The names of the core's options, and `max` and `ttl`. */
const coreNames = [...TABLE.keys(), ...Object.keys(ALIASES)]

module.exports = { TABLE, pathOf, coreNames, checkNames, coreConfig, ttlOf, bad }
