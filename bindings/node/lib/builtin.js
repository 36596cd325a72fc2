'use strict'
// Modules of Node. `process.getBuiltinModule` comes first: in a bundle that is
// an ES module there is no `require` (Node 20.15 and older have only `require`).

const get = (name, required) => process.getBuiltinModule?.(name) ?? required()

module.exports = {
  buffer: get('node:buffer', () => require('node:buffer')),
  channels: get('node:diagnostics_channel', () => require('node:diagnostics_channel')),
  events: get('node:events', () => require('node:events')),
  module: get('node:module', () => require('node:module')),
  path: get('node:path', () => require('node:path')),
  url: get('node:url', () => require('node:url')),
  util: get('node:util', () => require('node:util')),
}
