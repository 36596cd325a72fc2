/* global test, expect, jest */
// Run by jest; jest.test.mjs copies it twice, since test files share the addon and not the package.
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Cache, memoize, TwatCacheError } = require('twat-cache')

const directory = () => fs.mkdtempSync(path.join(os.tmpdir(), 'twat-jest-'))

const VALUES = [new Map([['a', 1]]), new Map([[1, 2]]), new Set([1]), new Date(5), new Float64Array([1.5]), new Uint8Array([1, 2]), Buffer.from('x'),
  new ArrayBuffer(2), /a/g, new URL('https://a.b/'), { a: [1, { b: 2n }] }, [undefined, null], new Uint8ClampedArray([1]), 2n, -0]

test('values come back strictly equal', () => {
  const cache = new Cache()
  for (const value of VALUES) {
    cache.set('k', value)
    expect(cache.get('k')).toStrictEqual(value)
  }
  const error = new RangeError('no')
  cache.set('k', error)
  expect(cache.get('k')).toBeInstanceOf(RangeError)
  expect(cache.get('k').message).toBe('no')
})

test("what Node's core made is what it is", () => {
  const cache = new Cache()
  cache.setBuffer('b', fs.readFileSync(__filename))
  expect(cache.getBuffer('b').length).toBeGreaterThan(100)
  cache.set('stat', { when: fs.statSync(__filename).mtime, url: require('node:url').pathToFileURL(__filename) })
  expect(cache.get('stat').when.getTime()).toBe(fs.statSync(__filename).mtime.getTime())
  expect(cache.get('stat').url.protocol).toBe('file:')
})

test('memoized functions over core promises and a store', async () => {
  const read = memoize((file) => fs.promises.readFile(file, 'utf8'), { engine: 'disk', path: directory(), name: 'read', maxBytes: 1e7, mapSize: 1 << 28 })
  expect(await read(__filename)).toBe(await read(__filename))
  read.cache.close()
  const live = memoize((file) => fs.promises.readFile(file))
  expect(await live(__filename)).toBe(await live(__filename))
})

test('errors are errors of this realm, after a reset too', () => {
  const failing = memoize((x) => x + 1, { url: 'redis://127.0.0.1:1', name: 'g', onError() {} })
  expect(failing(1)).toBe(2)
  jest.resetModules()
  const again = require('twat-cache')
  expect(again.Cache).not.toBe(Cache)
  expect(failing(1)).toBe(2)
  for (const Kind of [TwatCacheError, again.TwatCacheError]) {
    expect(() => new Cache({ path: '/proc/none' })).toThrow(Kind)
    expect(() => new again.Cache({ maxx: 1 })).toThrow(Kind)
  }
})

test('fake timers end entries through a clock of the caller', () => {
  jest.useFakeTimers()
  try {
    let calls = 0
    const memo = memoize(() => ++calls, { ttl: 5000, clock: () => performance.now() })
    memo()
    jest.advanceTimersByTime(4999)
    expect(memo()).toBe(1)
    jest.advanceTimersByTime(2)
    expect(memo()).toBe(2)
  } finally {
    jest.useRealTimers()
  }
})
