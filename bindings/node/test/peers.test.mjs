// Query builders as their users have them, without a server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import knex from 'knex'
import mongoose from 'mongoose'
import { SMALL, directory, later, twat } from './helpers.mjs'

function options(t) {
  return [{}, { max: 10 }, { engine: 'disk', path: directory(t), name: 'rows', ...SMALL }]
}

function memoize(t, fn, given) {
  const memo = twat.memoize(fn, given)
  later(t, () => memo.cache.close())
  return memo
}

test('knex: three awaits of one query send one', async (t) => {
  let sent = 0
  class Client extends knex.Client {
    _driver() { return {} }
    async acquireConnection() { return {} }
    async releaseConnection() {}
    async _query(_, query) { sent++; return { ...query, response: [{ id: query.bindings[0] }] } }
    processResponse({ response }) { return response }
  }
  const database = knex({ client: Client })
  later(t, () => database.destroy())
  for (const given of options(t)) {
    sent = 0
    const rows = memoize(t, (id) => database('users').where({ id }), given)
    const found = [await rows(7), await rows(7), await rows(7)]
    for (const each of found) assert.deepEqual(each, [{ id: 7 }])
    assert.equal(sent, 1)
    await rows(8)
    assert.equal(sent, 2)
  }
})

test('mongoose: a query that is awaited again is no error', async (t) => {
  let sent = 0
  const schema = new mongoose.Schema({ name: String })
  schema.pre('findOne', function () { sent++; throw mongoose.skipMiddlewareFunction({ name: this.getQuery().name }) })
  const User = mongoose.model('User', schema)
  for (const given of options(t)) {
    sent = 0
    const user = memoize(t, (name) => User.findOne({ name }), given)
    assert.deepEqual([await user('a'), await user('a'), await user('a')], [{ name: 'a' }, { name: 'a' }, { name: 'a' }])
    assert.equal(sent, 1)
  }
})
