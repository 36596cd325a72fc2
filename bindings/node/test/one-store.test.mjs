// A C, a Python and a Node program open one store in turn; those that name no options keep the store's.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { directory, twat } from './helpers.mjs'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const platform = file(`../npm/${readdirSync(file('../npm'))[0]}`)
const library = join(platform, readdirSync(platform).find((name) => name.startsWith('libtwat_cache')))

const STATED = { max_entries: 5000, max_bytes: 1000000, policy: 'fifo', compression: 'zstd', compression_level: 7 }

function run(command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  assert.equal(status, 0, `${command}: ${stderr}`)
  return stdout
}

const NAMES = Object.keys(STATED)
const chosen = (info) => Object.fromEntries(NAMES.map((name) => [name, info[name]]))

/** Each opens a store with some options or none, and says what is in force. */
function programs(t) {
  const built = join(directory(t), 'open_store')
  run('cc', ['-std=c11', `-I${file('../../../include')}`, file('programs/open_store.c'), library, '-o', built,
    `-Wl,-rpath,${platform}`])
  const python = (source, ...args) => run('python3', ['-c', source, ...args],
    { PYTHONPATH: file('../../python/src'), TWAT_CACHE_LIBRARY: library })
  return {
    c: (store, options) => JSON.parse(run(built, [store, ...Object.entries(options).flat().map(String)])),
    'Python Cache': (store, options) => JSON.parse(python(
      'import json, sys, twat_cache\n'
      + 'print(json.dumps(twat_cache.Cache("disk", sys.argv[1], **json.loads(sys.argv[2])).info()))',
      store, JSON.stringify(options))),
    'Python bcache': (store, options) => JSON.parse(python(
      'import json, sys, twat_cache\n'
      + 'said = json.loads(sys.argv[2]); packing = said.pop("compression", None) and {"compress": True}\n'
      + 'level = said.pop("compression_level", None)\n'
      + 'f = twat_cache.bcache(folder_name=sys.argv[1], name="f", **said, **(packing or {}))(lambda x: x)\n'
      + 'f(1); print(json.dumps(twat_cache.Cache("disk", f.cache_parameters()["folder"]).info()))',
      store, JSON.stringify(options))),
    Node: (store, options) => {
      const camel = Object.fromEntries(Object.entries(options)
        .map(([name, value]) => [name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value]))
      const cache = new twat.Cache({ engine: 'disk', path: store, ...camel })
      const info = cache.info()
      cache.close()
      return info
    },
  }
}

test('openers without options keep what the first one stated', (t) => {
  const opened = programs(t)
  const names = Object.keys(opened)
  for (const first of names.filter((name) => name !== 'Python bcache')) {
    const store = directory(t)
    assert.deepEqual(chosen(opened[first](store, STATED)), STATED, first)
    for (const later of names) assert.deepEqual(chosen(opened[later](store, {})), STATED, `${first}, then ${later}`)
    assert.deepEqual(chosen(opened[first](store, {})), STATED, first)
  }
})

test('each language shows what it replaced', (t) => {
  const opened = programs(t)
  for (const name of ['c', 'Python Cache', 'Node']) {
    const store = directory(t)
    opened[name](store, STATED)
    const info = opened[name](store, { max_bytes: 2000000 })
    assert.deepEqual(info.replaced, { max_bytes: STATED.max_bytes }, name)
    assert.deepEqual(chosen(info), { ...STATED, max_bytes: 2000000 }, name)
  }
})
