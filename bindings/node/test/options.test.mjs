// Options: plain objects in the user's own words; tags; bounds without a 0.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { SMALL, directory, later, open, twat } from './helpers.mjs'

const { Cache, memoize, KeyvTwat, cached } = twat
const config = { name: 'TwatCacheError', code: 'TWAT_E_CONFIG' }

class Settings { engine = 'disk' }
const NO_OPTIONS = {
  Map: new Map([['engine', 'disk']]), URL: new URL('redis://127.0.0.1:1'), Date: new Date(), RegExp: /x/, Error: new Error('x'),
  'class instance': new Settings(), inherited: Object.create({ engine: 'disk', path: '/tmp/x' }), cache: new Cache(), array: [], text: 'disk',
  number: 5, null: null, function: () => 1, promise: Promise.resolve({}), 'typed array': new Uint8Array(1), boxed: Object('disk'),
  'a Map of another realm': vm.runInNewContext('new Map()'), 'a class of another realm': vm.runInNewContext('new (class A { engine = "disk" })()'),
}

test('options that are no plain object are refused, never read as none', (t) => {
  const cache = open(t)
  for (const [name, options] of Object.entries(NO_OPTIONS)) {
    assert.throws(() => new Cache(options), { ...config, message: /^options: expected a plain object, got / }, name)
    assert.throws(() => memoize(() => 1, options), config, name)
    if (name !== 'function') assert.throws(() => (options === null ? memoize(() => 1, null) : cached(options)), (error) => error.code.startsWith('TWAT_E_'), name)
    if (name !== 'cache') assert.throws(() => new KeyvTwat(options), config, name)
    if (name !== 'number') assert.throws(() => cache.set('k', 1, options), config, name)
    assert.throws(() => cache.incr('k', 1, options), config, name)
    assert.throws(() => cache.check(options), config, name)
    assert.throws(() => new Cache({ engine: 'tiered', tiers: [options] }), { ...config, message: /^tiers\[0\]: / }, name)
  }
})

test('plain objects of every origin are options', () => {
  for (const options of [{ engine: 'memory', max: 5 }, Object.freeze({ max: 5 }), Object.assign(Object.create(null), { max: 5 }),
    vm.runInNewContext('({ max: 5 })'), new Proxy({ max: 5 }, {}), { get max() { return 5 } }]) {
    const cache = new Cache(options)
    assert.equal(cache.stats().maxEntries, 5)
    cache.close()
  }
})

test('a polluted prototype gives no options', (t) => {
  const polluted = { engine: 'disk', path: '/tmp/polluted', ttl: 1, tag: 'x', encoding: 'json', key: () => 1, name: 'x', cacheIf: () => false, async: true, initial: 5, repair: true }
  for (const [name, value] of Object.entries(polluted)) Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true })
  later(t, () => { for (const name of Object.keys(polluted)) delete Object.prototype[name] })
  try {
    const cache = new Cache({})
    assert.equal(cache.info().engine, 'memory')
    cache.set('k', new Map([[1, 2]]), {})
    assert.ok(cache.get('k') instanceof Map)
    assert.equal(cache.incr('n', 1, {}), 1)
    assert.equal(cache.evict('x'), false)
    const memo = memoize((x) => ({ x }), {})
    assert.equal(memo(1), memo(1))
    assert.notEqual(memo(1), memo(2))
    cache.close()
  } finally {
    for (const name of Object.keys(polluted)) delete Object.prototype[name]
  }
})

test('tags: text and bytes are one tag, a list is many, the rest is refused', (t) => {
  const cache = open(t)
  cache.set('a', 1, { tags: 'users' }).set('b', 1, { tags: Buffer.from('users') }).set('c', 1, { tags: new Set(['x', 'users']) })
  assert.equal(cache.evict('u'), false)
  assert.equal(cache.invalidateTag('users'), true)
  assert.deepEqual(cache.getMany(['a', 'b', 'c']), [undefined, undefined, undefined])
  cache.setMany({ d: 1 }, { tags: 'all', tag: 'd' })
  assert.equal(cache.evict('all'), true)
  for (const tags of [5, null, {}, [1], ['\ud800'], () => 'x', true]) {
    assert.throws(() => cache.set('k', 1, { tags }), { code: 'TWAT_E_ARG', message: /tag/ })
  }
})

test('0 is refused where other caches read it as no limit', (t) => {
  const cache = open(t)
  for (const name of ['max', 'maxEntries', 'maxBytes', 'ttl', 'ttlMs']) {
    for (const zero of [0, -0, 0n]) {
      const message = new RegExp(`^${name}: .*leave it out or pass Infinity for no limit; engine: 'null' switches caching off`)
      assert.throws(() => new Cache({ [name]: zero }), { ...config, message })
      assert.throws(() => memoize(() => 1, { [name]: zero }), { ...config, message })
      assert.throws(() => new Cache({ engine: 'tiered', tiers: [{ engine: 'memory', [name]: zero }] }), config)
    }
    const unlimited = open(t, { [name]: Infinity })
    unlimited.set('k', 1)
    assert.equal(unlimited.get('k'), 1)
    assert.equal(memoize((x) => x, { [name]: Infinity })(1), 1)
  }
  for (const call of [() => cache.set('k', 1, { ttl: 0 }), () => cache.set('k', 1, 0), () => cache.touch('k', 0), () => cache.incr('k', 1, { ttl: 0 }), () => cache.set('k', 1, { ttl: NaN })]) {
    assert.throws(call, { ...config, message: /^ttl: / })
  }
  const nothing = open(t, { engine: 'null' })
  nothing.set('k', 1)
  assert.equal(nothing.get('k'), undefined)
})

test('paths: empty, NUL, lone surrogates and other URLs are errors that name the option', (t) => {
  const wrong = ['', 'a\0b', '/tmp/\ud800', new URL('https://example.org/a'), 5, null, Buffer.from('/tmp'), ['/tmp']]
  const cache = open(t)
  for (const path of wrong) {
    assert.throws(() => new Cache({ path }), { ...config, message: /^path: expected / })
    assert.throws(() => memoize(() => 1, { path, name: 'f' }), { ...config, message: /^path: / })
    assert.throws(() => cache.export(path), { ...config, message: /^export: / })
    assert.throws(() => cache.import(path), { ...config, message: /^import: / })
  }
  const path = directory(t)
  open(t, { path: pathToFileURL(`${path}/ü store`), ...SMALL }).set('k', 1)
  assert.equal(open(t, { path: `${path}/ü store`, ...SMALL }).get('k'), 1)
})

test('every text that C cannot hold is an error of its option, in the words of the user', () => {
  for (const name of ['namespace', 'url', 'username', 'password', 'keyPrefix', 'policy', 'engine', 'compression', 'durability']) {
    for (const text of ['\ud800', 'a\0b']) {
      assert.throws(() => new Cache({ [name]: text }), (error) => error.message.startsWith(`${name}: `) && error.code === 'TWAT_E_CONFIG', name)
    }
  }
})

test('texts are in the spelling of JavaScript, without the transport', (t) => {
  const path = directory(t)
  const wrong = [[{ policy: 'LRU' }, /^policy: expected one of lru /], [{ maxBytes: 5 }, /^maxBytes: /], [{ mapSize: 5, path }, /^mapSize: /],
    [{ compressionLevel: 50, path }, /^compressionLevel: /], [{ shards: 3 }, /^shards: /], [{ dirMode: '9', path }, /^dirMode: /],
    [{ namespace: 'x'.repeat(300), path }, /^namespace: /], [{ engine: 'disc' }, /did you mean 'disk'/], [{ readOnly: 'x', path }, /^readOnly: /],
    [{ max: 1.5 }, /^max: /], [{ maxEntries: -1 }, /^maxEntries: /], [{ ttlMs: '5' }, /^ttlMs: /], [{ policy: 'ttl' }, /ttl/],
    [{ path, maxBytes: 2 ** 40, mapSize: 2 ** 30 }, /mapSize|maxBytes/]]
  for (const [options, message] of wrong) {
    assert.throws(() => new Cache(options).close(), (error) => {
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /JSON|MessagePack|line \d|column|[a-z]_[a-z]/)
      return error.code === 'TWAT_E_CONFIG'
    })
  }
  assert.throws(() => memoize(() => 1, { policy: 'LRU', max: 5 }), { ...config, message: /^policy: expected one of/ })
})

test('hooks that answer with a promise are refused where that is known', () => {
  for (const name of ['cacheIf', 'key', 'sizeOf', 'clock', 'tags']) {
    const message = new RegExp(`^${name}: expected a function that answers at once, got an async function`)
    assert.throws(() => memoize(() => 1, { [name]: async () => true, maxBytes: 1e6 }), { ...config, message })
    assert.throws(() => memoize(() => 1, { [name]: function* () { yield 1 }, maxBytes: 1e6 }), config)
  }
  assert.throws(() => memoize(() => 1, { cacheIf: vm.runInNewContext('async () => true') }), config)
  for (const tags of ['{', 'user:{id}', 'user:{}', 'a}']) assert.throws(() => memoize(() => 1, { tags }), { ...config, message: /^tags: / })
  for (const [name, value] of [['sizeOf', () => 1], ['clock', () => 1], ['onEvict', () => 1]]) {
    assert.throws(() => memoize(() => 1, { policy: 'tinylfu', [name]: value }), { ...config, message: new RegExp(`^${name}: is for objects in memory`) })
  }
})
