// Several copies of the package in one process: two installed versions, a reset module registry, a worker.
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SMALL, directory, later, open, twat } from './helpers.mjs'

const here = fileURLToPath(new URL('..', import.meta.url))

/** The JavaScript part once more, over the same addon; or a whole second installation. */
function secondCopy() {
  const require = createRequire(join(here, 'package.json'))
  const kept = new Map()
  for (const key of Object.keys(require.cache)) {
    if (!key.startsWith(join(here, 'lib'))) continue
    kept.set(key, require.cache[key])
    delete require.cache[key]
  }
  const copy = require('./lib/index.js')
  for (const key of Object.keys(require.cache)) if (key.startsWith(join(here, 'lib'))) delete require.cache[key]
  for (const [key, module] of kept) require.cache[key] = module
  return copy
}

function installed(t) {
  const path = join(directory(t), 'node_modules/twat-cache')
  for (const part of ['lib', 'npm', 'package.json']) cpSync(join(here, part), join(path, part), { recursive: true })
  later(t, () => rmSync(path, { recursive: true, force: true }))
  return createRequire(join(path, 'package.json'))('./lib/index.js')
}

for (const [kind, make] of Object.entries({ 'a reset registry': secondCopy, 'a second installation': installed })) {
  test(`${kind}: objects and errors of one copy are known to the other`, (t) => {
    const memo = twat.memoize((x) => x + 1, { url: 'redis://127.0.0.1:1', name: 'g', onError() {} })
    later(t, () => memo.cache.close())
    assert.equal(memo(1), 2)
    const copy = make(t)
    assert.notEqual(copy.Cache, twat.Cache)
    assert.equal(memo(1), 2, 'a failure of the store costs the entry in the first copy, too')
    const cache = open(t)
    const other = new copy.Cache()
    later(t, () => other.close())
    for (const [one, two] of [[cache, twat], [other, copy]]) {
      try {
        one.get({})
        assert.fail()
      } catch (error) {
        assert.equal(error.code, 'TWAT_E_ARG')
      }
      for (const { TwatCacheError } of [twat, copy]) {
        assert.throws(() => new two.Cache({ maxx: 1 }), (error) => error instanceof TwatCacheError && error.name === 'TwatCacheError')
        assert.throws(() => new two.Cache({ path: '/proc/none' }), (error) => error instanceof TwatCacheError)
      }
    }
    assert.ok(other instanceof twat.Cache && !({} instanceof twat.Cache) && !(new Error('x') instanceof copy.TwatCacheError))
    cache.set('float', new copy.Float(1)).set('tuple', copy.Tuple.of(1, 2)).set('decimal', copy.Extension.decimal('1.50'))
      .set('array', new copy.NdArray(new Float32Array(4), [2, 2]))
    assert.deepEqual([cache.get('float'), cache.get('tuple'), cache.get('decimal'), cache.get('array').shape], [1, [1, 2], '1.50', [2, 2]])
    assert.equal(cache.set(new copy.Tuple(), 1).get([]), 1)
    assert.throws(() => new twat.Cache(other), { code: 'TWAT_E_CONFIG', message: /plain object/ })
    assert.equal(new twat.KeyvTwat(other).cache, other)
    class Mine extends twat.TwatCacheError {}
    assert.ok(new Mine('x') instanceof Mine && new Mine('x') instanceof copy.TwatCacheError && !(new copy.TwatCacheError('x') instanceof Mine))
  })
}

test('copies that share the addon do not write into each other while they encode', (t) => {
  const copy = secondCopy()
  const [mine, other] = [open(t), new copy.Cache()]
  later(t, () => other.close())
  mine.set('k', [1, { get inner() { other.set('k', 'y'.repeat(50)); return other.get('k') } }, 2])
  assert.deepEqual([mine.get('k'), other.get('k')], [[1, { inner: 'y'.repeat(50) }, 2], 'y'.repeat(50)])
})

test('switching off in one copy switches off in all that share the addon', (t) => {
  const copy = secondCopy()
  later(t, () => { twat.Cache.disabled = false })
  copy.Cache.disabled = true
  const cache = open(t, { engine: 'disk', path: directory(t), ...SMALL })
  assert.equal(twat.Cache.disabled, true)
  cache.set('k', 1)
  assert.equal(cache.get('k'), undefined)
  twat.Cache.disabled = false
  assert.equal(cache.set('k', 1).get('k'), 1)
})
